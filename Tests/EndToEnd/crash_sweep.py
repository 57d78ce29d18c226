"""Kills the program that dials at every step of one dial, whatever Vapi does meanwhile.

    python3 crash_sweep.py                 a sample: 96 kills
    python3 crash_sweep.py --all           every step under every behaviour of Vapi
    python3 crash_sweep.py --seed N …      the same sample again

The real call-orchestrator is run once per kill, with one call due, and ended with SIGKILL at its Nth step (crash_point.c).
Then time moves on, the orchestrator and the reconciler run as their timers would have them (the reconciler is killed now and
then, too), and the sandbox's own ledger tells what became of it:

- an attempt is accepted at most once, and a lead is never called twice for one promise;
- nobody is forgotten: the promise waits or is settled, and every call that Vapi took is known;
- there are never more live calls than lines.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from stack import BINARIES, eventually, free_ports  # noqa: E402

LINES = 4
MONDAY = 1_795_411_800_000  # 2026-11-23, 11:00 in India
# How Vapi behaves once, and how often it accepts a call to the lead in the end.
BEHAVIOURS = {
    "answer": (1, 1),
    "late": (1, 1),
    "hang": (1, 1),
    "accept-then-drop": (1, 1),
    "accept-then-500": (1, 1),
    "drop": (1, 1),
    "error-500": (1, 1),
    "over-concurrency": (1, 1),
    "rate-limit": (1, 1),
    # Refused for good, unless the refusal was lost: then the next attempt is answered.
    "refuse-number": (0, 1),
    # Accepted, and ended at once because all lines are taken; the attempt does not count.
    "blocked": (2, 2),
}


class Arena:
    """A database and a sandbox of its own, and the timers' programs, run by hand."""

    def __init__(self, library, seed):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="presales-"))
        self.library = library
        self.random = random.Random(seed)
        self.day = 0
        self.leads = 0
        port = free_ports()
        self.sandbox_url = f"http://127.0.0.1:{port}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": f"sqlite:{self.folder}/presales.db",
            "STATE_DIR": str(self.folder),
            # Nobody listens there: whatever the sandbox reports is lost.
            "PUBLIC_URL": f"http://127.0.0.1:{port + 1}",
            "SANDBOX_PORT": str(port),
            "SANDBOX_STATE": str(self.folder / "sandbox"),
            # No call ends by itself, so that one line too many would show.
            "SANDBOX_SPEED": "0.01",
            "VAPI_BASE_URL": self.sandbox_url,
            "VAPI_API_KEY": "sandbox",
            "VAPI_ASSISTANT_ID": "b6b7f3a0-6d5e-4c44-9d9f-000000000001",
            "VAPI_PHONE_NUMBER_ID": "b6b7f3a0-6d5e-4c44-9d9f-000000000002",
            "VAPI_CONCURRENT_LIMIT": str(LINES),
            "CLOCK_OFFSET_FILE": str(self.folder / "clock-offset"),
        }
        self.set_clock(MONDAY)
        self.sandbox = subprocess.Popen(
            [BINARIES / "sandbox"],
            env={**self.environment, "VAPI_CONCURRENT_LIMIT": "50"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        for command in ["migrate", "rehearsal"]:
            subprocess.run([BINARIES / "presalesctl", command], env=self.environment, check=True, stdout=subprocess.DEVNULL)
        eventually(lambda: self.answers())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sandbox.kill()
        self.sandbox.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- time

    def now(self):
        return int(time.time() * 1000) + int((self.folder / "clock-offset").read_text())

    def set_clock(self, milliseconds):
        beside = self.folder / "clock-offset.new"
        beside.write_text(str(milliseconds - int(time.time() * 1000)))
        beside.rename(self.folder / "clock-offset")

    def next_day(self):
        """Eleven in the morning of the next day, so that it never gets too late to call."""
        self.day += 1
        self.set_clock(MONDAY + self.day * 86_400_000)

    # -- the sandbox

    def ask(self, method, path, body=None):
        request = urllib.request.Request(f"{self.sandbox_url}/sandbox/{path}", method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.read()

    def answers(self):
        try:
            return bool(self.ask("GET", "state"))
        except OSError:
            return False

    def ledger(self):
        return [json.loads(line) for line in self.ask("GET", "ledger").splitlines()]

    # -- the programs and their database

    def run(self, program, crash_at=None):
        """Runs a timer's program, to its end or to a step; returns the step's name, or None at the end."""
        log = self.folder / "crash.log"
        log.unlink(missing_ok=True)
        environment = {**self.environment, "LD_PRELOAD": str(self.library), "CRASH_LOG": str(log)}
        if crash_at:
            environment["CRASH_AT"] = str(crash_at)
        done = subprocess.run(
            [BINARIES / program], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )
        steps, name = log.read_text().split("\n")[0].split(" ")
        if done.returncode == 0:
            return int(steps), None
        if done.returncode == -9 and crash_at:
            return int(steps), name
        raise AssertionError(f"{program} ended with {done.returncode}: {done.stderr[-500:]}")

    def sql(self, statement, *values):
        """Asks the database while no program runs."""
        connection = sqlite3.connect(self.folder / "presales.db")
        try:
            with connection:
                return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def promise(self):
        """A new lead whose call is due; returns its number."""
        self.leads += 1
        number, now = f"+9198{70_000_000 + self.leads * 10}", self.now()
        self.sql(
            "INSERT INTO leads (lead_uuid, name, number, region, created_at, last_updated_at) VALUES (?, 'Asha Rao', ?, 'IN', ?, ?)",
            f"lead-{self.leads}", number, now, now,
        )  # fmt: skip
        self.sql(
            "INSERT INTO dial_requests (lead_id, kind, rank, due_at, promised_at, created_at) "
            "SELECT id, 'schedule', 4, ?, ?, ? FROM leads WHERE number = ?",
            now, now, now, number,
        )  # fmt: skip
        return number

    def finish(self, blocked):
        """Ends every call: the first one to a number that is blocked as Vapi does where all lines are taken."""
        for line in self.ledger():
            if line["event"] == "call_accepted" and line["number"] in blocked:
                blocked.remove(line["number"])
                reason = "call.start.error-subscription-concurrency-limit-reached"
                self.ask("POST", "finish", {"call_id": line["call_id"], "ended_reason": reason})
        self.ask("POST", "finish", {"ended_reason": "customer-ended-call"})

    def settle(self, blocked):
        """Lets time pass until nothing is under way or due soon."""
        self.ask("PUT", "behaviour", {})
        for _ in range(14):
            self.set_clock(self.now() + 240_000)
            if self.random.random() < 0.5:
                self.run("call-reconciler", crash_at=self.random.randint(1, 300))
            self.run("call-reconciler")
            self.run("call-orchestrator")
            self.finish(blocked)
            [(open_calls,)] = self.sql(
                "SELECT count(*) FROM calls WHERE state IN ('dialing', 'queued', 'ringing', 'in_progress') "
                "OR (state = 'ended' AND outcome IS NULL)"
            )
            [(due,)] = self.sql(
                "SELECT count(*) FROM dial_requests WHERE state = 'claimed' OR (state = 'waiting' AND due_at <= ?)", self.now() + 300_000
            )
            if open_calls == due == 0:
                return
        raise AssertionError(f"not settled: {open_calls} calls open, {due} promises due")

    def sweep(self, cases):
        """Kills at each (behaviour, step) and judges what came of it; yields (behaviour, step, name, findings)."""
        for start in range(0, len(cases), LINES):
            self.next_day()
            batch = []
            for behaviour, step in cases[start : start + LINES]:
                number = self.promise()
                self.ask("PUT", "behaviour", {"call": behaviour, "times": 1, "numbers": [number], "delay_ms": 200})
                steps, name = self.run("call-orchestrator", crash_at=step)
                batch.append((behaviour, step if name else steps, name, number))
            self.settle({number for behaviour, _, _, number in batch if behaviour == "blocked"})
            ledger = self.ledger()
            for behaviour, step, name, number in batch:
                yield behaviour, step, name, self.judge(behaviour, number, ledger)
            # A call that reached nobody is retried within hours, and the next day's cases are alone.
            self.sql("UPDATE dial_requests SET state = 'cancelled', settled_at = ? WHERE state = 'waiting'", self.now())

    def judge(self, behaviour, number, ledger):
        """What is wrong with the end of a case, in words."""
        findings = []
        accepted = [line["attempt_id"] for line in ledger if line["event"] == "call_accepted" and line["number"] == number]
        least, most = BEHAVIOURS[behaviour]
        if len(set(accepted)) != len(accepted):
            findings.append("one attempt was dialed twice")
        if not least <= len(accepted) <= most:
            findings.append(f"called {len(accepted)} times instead of {least} to {most}")
        if max((line["live"] for line in ledger), default=0) > LINES:
            findings.append("more live calls than lines")
        calls = self.sql("SELECT attempt_id, state, vapi_call_id, counted, outcome FROM calls WHERE number = ?", number)
        known = {call[0] for call in calls if call[2]}
        if set(accepted) - known:
            findings.append("Vapi has a call that we do not know")
        if {call[0] for call in calls if call[1] in ("refused", "not_placed")} & set(accepted):
            findings.append("a call that took place is said not to have")
        if sum(call[3] for call in calls if call[1] == "ended") > 1:
            findings.append("two calls were counted for one promise")
        promises = self.sql(
            "SELECT r.state, l.call_status FROM dial_requests r JOIN leads l ON l.id = r.lead_id WHERE l.number = ? AND r.kind = 'schedule'", number
        )
        if not promises or any(state == "claimed" for state, _ in promises):
            findings.append("forgotten")
        if not calls and all(state != "waiting" for state, _ in promises):
            findings.append("never called, and not going to be")
        if any(status in ("initiated", "answered") for _, status in promises):
            findings.append("the lead looks as if a call were under way")
        return findings


def compile_library(folder):
    library = pathlib.Path(folder) / "crash_point.so"
    source = pathlib.Path(__file__).with_name("crash_point.c")
    compiler = shutil.which("clang") or shutil.which("cc")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def count_steps(library):
    """How many steps a whole dial has, for each behaviour that is not slow."""
    with Arena(library, 0) as arena:
        [(_, steps, _, findings)] = arena.sweep([("answer", None)])
        assert not findings, findings
        return steps


def sweep(cases, library, seed, arenas=6):
    """Sweeps on several arenas at once; returns the results in any order."""
    def part(index):
        with Arena(library, seed + index) as arena:
            return list(arena.sweep(cases[index::arenas]))

    with concurrent.futures.ThreadPoolExecutor(arenas) as pool:
        return [result for results in pool.map(part, range(arenas)) for result in results]


def sample(steps, seed, size=96):
    """Every behaviour about equally often, each at other steps; hanging costs 15 s and comes seldom."""
    choice = random.Random(seed)
    names = [name for name in BEHAVIOURS if name != "hang"]
    cases = [(names[index % len(names)], choice.randint(1, steps)) for index in range(size - 6)]
    cases += [("hang", choice.randint(1, steps)) for _ in range(6)]
    return cases


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--all", action="store_true", help="every step under every behaviour")
    options.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = options.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        library = compile_library(folder)
        steps = count_steps(library)
        if options.all:
            # Some more than there are: the paths of other behaviours are longer.
            cases = [(name, step) for step in range(1, steps + 60) for name in BEHAVIOURS]
        else:
            cases = sample(steps, options.seed)
        print(f"seed {options.seed}: {len(cases)} kills, a dial has {steps} steps", flush=True)
        results = sweep(cases, library, options.seed)
    wrong = [result for result in results if result[3]]
    for behaviour, step, name, findings in sorted(wrong, key=str):
        print(f"{behaviour} killed at step {step} ({name}): {'; '.join(findings)}")
    killed = sum(1 for result in results if result[2])
    print(f"{len(results)} dials, {killed} of them killed, {len(wrong)} wrong, {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
