"""Programs die at any moment, and yet everybody is called once and nobody is forgotten.

The sandbox's ledger is the witness. Each test prints its seed when it fails.
"""

import os
import pathlib
import random
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import crash_sweep
from stack import BINARIES, Stack, eventually

SEED = int(os.environ.get("CRASH_SEED", random.randrange(1 << 32)))


class OneDial(unittest.TestCase):
    """The program that dials, alone with Vapi."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.library = crash_sweep.compile_library(folder.name)

    def test_killed_at_any_step_under_any_behaviour_it_dials_once_and_forgets_nobody(self):
        steps = crash_sweep.count_steps(self.library)
        results = crash_sweep.sweep(crash_sweep.sample(steps, SEED, 200), self.library, SEED)
        self.assertEqual([result for result in results if result[3]], [], f"seed {SEED}")
        self.assertEqual(len(results), 200)
        # Nearly all of them died, and not all at the same kind of step.
        self.assertGreater(sum(1 for result in results if result[2]), 150)
        self.assertGreater(len({result[2] for result in results}), 5)

    def test_two_orchestrators_started_at_once_do_what_one_does(self):
        with crash_sweep.Arena(self.library, SEED) as arena:
            for round in range(50):
                arena.next_day()
                numbers = [arena.promise() for _ in range(crash_sweep.LINES + 2)]
                two = [
                    subprocess.Popen([BINARIES / "call-orchestrator"], env=arena.environment, stdout=subprocess.PIPE, text=True)
                    for _ in range(2)
                ]
                said = [process.communicate(timeout=60)[0] for process in two]
                self.assertEqual([process.returncode for process in two], [0, 0], said)
                called = [line["number"] for line in arena.ledger() if line["event"] == "call_accepted" and line["number"] in numbers]
                self.assertEqual(sorted(called), numbers[: crash_sweep.LINES], f"round {round}: {said}")
                arena.sql("UPDATE calls SET state = 'ended', outcome = 'completed', ended_at = ? WHERE state <> 'ended'", arena.now())
                arena.sql("UPDATE dial_requests SET state = 'cancelled', settled_at = ? WHERE state = 'waiting'", arena.now())
                arena.ask("POST", "finish", {"ended_reason": "customer-ended-call"})


class RandomKills(unittest.TestCase):
    """The whole of Presales while it works through a list."""

    KILLS = 200
    FUNCTIONS = ["webhook-vapi", "call", "leads", "schedule", "health", "analytics", "bulk-upload", "webhook-whatsapp"]
    # Where a call's fate is decided is where most are killed.
    VICTIMS = FUNCTIONS + ["webhook-vapi", "call"] * 3 + ["call-orchestrator"] * 8 + ["call-reconciler"] * 4

    def test_200_kills_during_bulk_calls_lose_and_double_nothing(self):
        choice = random.Random(SEED)
        settings = {"SANDBOX_SPEED": "20", "TIMER_PERIODS": "call-orchestrator=1,call-reconciler=3600"}
        with Stack("--no-demo", environment=settings) as stack:
            numbers = [f"+9198765{block:04d}{digit}" for block in range(20) for digit in (0, 1, 2, 3)]
            answer = stack.upload("number,name\n" + "".join(f"{number},Asha Rao\n" for number in numbers))
            self.assertEqual(answer.json()["rows_added"], len(numbers))
            uuids = [lead["lead_uuid"] for lead in stack.leads().values()]
            stack.sandbox("PUT", "behaviour", {"call": "late", "delay_ms": 60})
            threading.Thread(target=self.call, args=(stack, uuids), daemon=True).start()
            eventually(lambda: stack.ledger("call_accepted"))
            killed = self.kill(stack, choice)
            self.assertGreater(killed["call-orchestrator"], 10, killed)
            self.assertEqual(sum(killed.values()), self.KILLS)
            self.settle(stack, numbers)

            ledger = stack.ledger()
            accepted = [line for line in ledger if line["event"] == "call_accepted"]
            self.assertEqual(sorted(line["number"] for line in accepted), sorted(numbers), f"seed {SEED}, {killed}")
            self.assertEqual(len({line["attempt_id"] for line in accepted}), len(numbers))
            # A call too many would not have been live but turned away.
            self.assertLessEqual(max(line["live"] for line in ledger), 5)
            reasons = {line["ended_reason"] for line in ledger if line["event"] == "call_ended"}
            self.assertFalse({reason for reason in reasons if "concurrency" in reason}, f"seed {SEED}")

    def call(self, stack, uuids):
        """Asks for all calls at once; the function may die before it answers."""
        try:
            stack.post("/api/leads/bulk-call", {"lead_uuids": uuids})
        except OSError:
            pass

    def kill(self, stack, choice):
        killed = {name: 0 for name in self.VICTIMS}
        total = 0
        while total < self.KILLS:
            name = choice.choice(self.VICTIMS)
            if pid := self.process(stack, name):
                time.sleep(choice.random() * 0.06)
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue  # a timer that was done sooner
                killed[name] += 1
                total += 1
                if total % 15 == 0:
                    # What hangs is looked into, and its lines come free.
                    stack.advance(minutes=2)
                    (stack.state / "triggers" / "call-reconciler").touch()
        return killed

    def process(self, stack, name):
        """The process to kill; timers are started first, as whoever frees a line does."""
        if name in self.FUNCTIONS:
            try:
                return stack.pid(name)
            except (OSError, ValueError):
                return None
        (stack.state / "triggers" / name).touch()
        deadline = time.monotonic() + 1.2
        while time.monotonic() < deadline:
            for child in pathlib.Path(f"/proc/{stack.process.pid}/task/{stack.process.pid}/children").read_text().split():
                try:
                    if pathlib.Path(f"/proc/{child}/exe").resolve().name == name:
                        return int(child)
                except OSError:
                    continue
            time.sleep(0.005)
        return None

    def settle(self, stack, numbers):
        stack.sandbox("PUT", "behaviour", {})

        def all_completed():
            stack.advance(minutes=2)
            stack.trigger("call-reconciler")
            leads = stack.leads()
            return all(leads[number]["call_status"] == "completed" for number in numbers)

        eventually(all_completed, 90, every=1)


if __name__ == "__main__":
    unittest.main()
