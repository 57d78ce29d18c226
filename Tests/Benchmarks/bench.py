"""Measures Presales beside stand-ins in the same run, because a bare time says more about the machine than about a program.

    PRESALES_BIN=… bench.py [NAME …]        all benchmarks, or those whose names begin with one of these

Prints `name ratio target pass|fail` and what was measured, one line a benchmark, and exits with 1 if one failed. Everything
listens on loopback or a socket of its own. The stand-ins are flask_peer.py under gunicorn, and health.c.
"""

import contextlib
import functools
import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import typing
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "EndToEnd"))

import seed
from stack import BINARIES, FUNCTIONS, REPOSITORY, Stack, eventually, free_ports

LEADS = 100_000
MANY = 1_000_000
ROUNDS = 3
SECONDS = 4
TABLE = "/api/leads?limit=50&fields=table"
PEER_LIST = "/api/leads?limit=50"


# ---------------------------------------------------------------- results

class Report:
    """Prints each result as it comes, and counts those that missed."""

    def __init__(self):
        self.missed = 0

    def at_least(self, name, value, target, figures):
        self.line(name, value, f">={target:g}", value >= target, figures)

    def at_most(self, name, value, target, figures):
        self.line(name, value, f"<={target:g}", value <= target, figures)

    def line(self, name, value, target, passed, figures):
        self.missed += not passed
        print(f"{name:24} {value:9.2f} {target:>8} {'pass' if passed else 'fail'}   {figures}", flush=True)


report = Report()


def in_turns(*measures, rounds=ROUNDS):
    """The medians of several measures that are taken in turns, so that a noisy minute befalls all of them."""
    taken = [[measure() for measure in measures] for _ in range(rounds)]
    return [median(column) for column in zip(*taken)]


def median(values):
    if isinstance(values[0], Rate):
        return Rate(*(statistics.median(part) for part in zip(*values)))
    return statistics.median(values)


class Rate(typing.NamedTuple):
    """How many requests a second were answered, and how much of a processor one took of those who serve, nginx included.

    The second hardly depends on what else the machine does.
    """

    each_second: float
    microseconds: float

    def __str__(self):
        return f"{self.each_second:,.0f}/s ({self.microseconds:,.0f} us of processor)"


# ---------------------------------------------------------------- what is measured

class Served:
    """Presales on a folder with a database, and the peer behind the same nginx."""

    def __init__(self, folder, live=False):
        self.folder = pathlib.Path(folder)
        with contextlib.ExitStack() as cleanup:
            self.start(live, cleanup)
            self.close = cleanup.pop_all().close

    def start(self, live, cleanup):
        self.state = self.folder / "state"
        self.state.mkdir(mode=0o700)
        say(f"{LEADS:,} leads")
        seed.create(self.state / "presales.db", BINARIES, LEADS, live)
        settings = self.folder / "settings"
        settings.write_text(SETTINGS)
        self.stack = Stack("--no-demo", "--no-sandbox", "--env", str(settings), state=self.state)
        cleanup.callback(self.stack.stop)
        self.port = self.stack.port
        self.peer_port = free_ports()
        self.peer_database = self.folder / "peer.db"
        self.run([sys.executable, HERE / "flask_peer.py", "seed", self.peer_database, LEADS])
        self.peer = subprocess.Popen(
            [pathlib.Path(sys.executable).parent / "gunicorn", "-w", "2", "-b", f"unix:{self.folder}/peer.sock", "flask_peer:app"],
            cwd=HERE, env={**os.environ, "DB": str(self.peer_database)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        cleanup.callback(self.end_peer)
        self.admit_peer()

    def admit_peer(self):
        """Gives Presales's nginx a second server, for the peer."""
        configuration = self.state / "nginx" / "nginx.conf"
        text = configuration.read_text().rstrip().removesuffix("}")
        configuration.write_text(text + PEER_SERVER.format(port=self.peer_port, socket=self.folder / "peer.sock"))
        os.kill(self.stack.pid("nginx"), signal.SIGHUP)
        eventually(lambda: answers(self.peer_port, "/health"))

    def run(self, command):
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)

    def end_peer(self):
        self.peer.terminate()
        self.peer.wait()

    def load(self, function, path, *options, **more):
        """Asks Presales."""
        processes = [*children(self.stack.pid("nginx")), self.stack.pid(function)]
        return wrk(f"http://127.0.0.1:{self.port}{path}", *options, processes=processes, **more)

    def load_peer(self, path, *options, **more):
        """Asks the peer."""
        processes = [*children(self.stack.pid("nginx")), *children(self.peer.pid)]
        return wrk(f"http://127.0.0.1:{self.peer_port}{path}", *options, processes=processes, **more)


# Nobody is called: the address is one where nothing listens.
SETTINGS = """
VAPI_API_KEY=none
VAPI_ASSISTANT_ID=00000000-0000-4000-8000-000000000001
VAPI_PHONE_NUMBER_ID=00000000-0000-4000-8000-000000000002
VAPI_BASE_URL=http://127.0.0.1:9
VAPI_WEBHOOK_SECRET=secret
TIMER_PERIODS=call-orchestrator=86400,call-reconciler=86400
"""
PEER_SERVER = """
    server {{
        listen 127.0.0.1:{port};
        include presales/server.conf;
        location / {{
            proxy_pass http://unix:{socket}:;
        }}
    }}
}}
"""


def wrk(url, *options, processes, connections=16, script=()):
    """What is answered; anything but an answer below 400 ends the benchmarks."""
    used = sum(map(processor_time, processes))
    output = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--timeout", "10s", *options, url, *script],
        check=True, capture_output=True, text=True,
    ).stdout
    used = sum(map(processor_time, processes)) - used
    if "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(f"{url} did not answer as it should:\n{output}")
    requests = int(re.search(r"(\d+) requests in", output)[1])
    return Rate(float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1]), used / requests * 1e6)


def processor_time(process):
    """Seconds that a process has used."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(process):
    return [int(child) for child in pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def answers(port, path):
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", path)
        return connection.getresponse().status == 200


def say(text):
    print(f"# {text}", file=sys.stderr, flush=True)


# ---------------------------------------------------------------- reading

def reading():
    with tempfile.TemporaryDirectory(prefix="presales-") as folder, contextlib.closing(Served(folder)) as served:
        if wanted("idle"):
            idle(served)
        if wanted("health"):
            health(served)
        if wanted("list"):
            compare("list", 4, lambda: served.load("leads", TABLE), lambda: served.load_peer(PEER_LIST))
        if wanted("refresh"):
            tag = served.stack.get(TABLE).headers["etag"]
            assert served.stack.get(TABLE, {"If-None-Match": tag}).status == 304
            refresh = lambda: served.load("leads", TABLE, "-H", f"If-None-Match: {tag}")
            compare("refresh", 8, refresh, lambda: served.load_peer(PEER_LIST))
        if wanted("upload"):
            upload(served)


def compare(name, target, ours, peers):
    ours, peers = in_turns(ours, peers)
    report.at_least(name, ours.each_second / peers.each_second, target, f"{ours}, peer {peers}")


def health(served):
    """Beside the peer, and beside a C program that takes the function's socket for a while."""
    program = served.folder / "health"
    served.run(["cc", "-O2", "-o", program, HERE / "health.c", "-lfcgi"])
    sockets = served.state / "run"
    c = subprocess.Popen(
        ["spawn-fcgi", "-n", "-s", sockets / "c.sock", "--", program], stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        eventually((sockets / "c.sock").exists)
        eventually(lambda: len(children(c.pid)) > 0)

        def c_program():
            (sockets / "health.sock").rename(sockets / "aside.sock")
            (sockets / "c.sock").rename(sockets / "health.sock")
            try:
                processes = [*children(served.stack.pid("nginx")), c.pid, *children(c.pid)]
                return wrk(f"http://127.0.0.1:{served.port}/health", processes=processes)
            finally:
                (sockets / "health.sock").rename(sockets / "c.sock")
                (sockets / "aside.sock").rename(sockets / "health.sock")

        ours, peers, cs = in_turns(lambda: served.load("health", "/health"), lambda: served.load_peer("/health"), c_program)
    finally:
        os.killpg(c.pid, signal.SIGKILL)
        c.wait()
    report.at_least("health", ours.each_second / peers.each_second, 5, f"{ours}, peer {peers}")
    report.at_least("health-c", ours.each_second / cs.each_second, 0.8, f"{ours}, C {cs}")


def idle(served):
    """The memory of functions that have answered once and wait: their fair share of what they share."""
    for path in ("/health", TABLE, "/api/scheduled-bulk-calls", "/api/analytics/summary"):
        assert served.stack.get(path).status == 200, path
    served.stack.upload("name,number\nAsha,+919876543210\n")
    served.stack.post("/api/leads/none/call")
    served.stack.post("/webhook/vapi", {"message": {"type": "hang"}}, {"X-Vapi-Secret": "secret"})
    sizes = {name: size_of(served.stack.pid(name), "smaps_rollup", "Pss") for name in FUNCTIONS}
    figures = ", ".join(f"{name} {size:.1f}" for name, size in sizes.items())
    report.at_most("idle-memory-mb", max(sizes.values()), 30, figures)


def size_of(process, file, name):
    text = pathlib.Path(f"/proc/{process}/{file}").read_text()
    return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)[1]) / 1024


# ---------------------------------------------------------------- upload

def upload(served):
    rows = 100_000
    lists = iter(range(9))

    def file():
        path = served.folder / "leads.csv"
        path.write_text(csv(rows, next(lists)))
        return path

    def ours():
        text = file().read_text()
        started = time.monotonic()
        answer = served.stack.upload(text).json()
        assert answer["rows_added"] == rows, answer
        return rows / (time.monotonic() - started)

    def peers():
        command = [sys.executable, HERE / "flask_peer.py", "upload", served.peer_database, file()]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert f"rows={rows} " in output, output
        return rows / float(output.rpartition("seconds=")[2])

    used = processor_time(served.stack.pid("bulk-upload"))
    our_rows, peer_rows = in_turns(ours, peers, rounds=2)
    used = (processor_time(served.stack.pid("bulk-upload")) - used) / (2 * rows) * 1e6
    figures = f"{our_rows:,.0f} rows/s ({used:,.0f} us of processor), peer {peer_rows:,.0f} rows/s"
    report.at_least("upload", our_rows / peer_rows, 3, figures)
    peak = size_of(served.stack.pid("bulk-upload"), "status", "VmHWM")
    report.at_most("upload-memory-mb", peak, 64, f"peak of {rows:,} rows, twice")


def csv(rows, series):
    """Most numbers are Indian, written in several ways; every tenth is a foreign one."""
    lines = ["name,number,email,whatsapp_number,partner"]
    for i in range(rows):
        n = series * rows + i
        match n % 10:
            case 0: number = f"+1212{2_000_000 + n:07d}"
            case 1 | 2 | 3: number = f"+91 7{n // 100_000:04d} {n % 100_000:05d}"
            case 4 | 5 | 6: number = f"917{n:09d}"
            case _: number = f"+917{n:09d}"
        lines.append(f"Student Number {n},{number},student{n}@example.in,{number},Partner {n % 40}")
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------- webhooks

def webhooks():
    with tempfile.TemporaryDirectory(prefix="presales-") as folder, contextlib.closing(Served(folder, live=True)) as served:
        events = served.folder / "events"
        events.write_text("".join(line + "\n" for line in life_of_a_call()))
        first = iter(range(0, LEADS, LEADS // (2 * ROUNDS + 1)))
        events_of_others = lambda: {"connections": 32, "script": ("--", str(events), str(next(first)))}
        script = ("-s", str(HERE / "webhooks.lua"))
        with without_timers(served):
            ours, peers, commits = in_turns(
                lambda: served.load("webhook-vapi", "/webhook/vapi", *script, **events_of_others()),
                lambda: served.load_peer("/webhook/vapi", *script, **events_of_others()),
                lambda: commits_a_second(folder),
            )
        ratio = ours.each_second / peers.each_second
        report.at_least("webhook", ratio, 3, f"{ours}, peer {peers}, disk {commits:,.0f} commits/s")
        if commits >= 6000:
            report.at_least("webhook-rate", ours.each_second, 3300, f"disk {commits:,.0f} commits/s")
        else:
            say(f"webhook-rate is not asked for: the disk makes {commits:,.0f} of 6,000 commits/s")


@contextlib.contextmanager
def without_timers(served):
    """Nobody starts the timers meanwhile, which each end of a call would.

    Their work is not what is measured, and these would ask Vapi for all of 100,000 calls that have been quiet for days.
    """
    os.kill(served.stack.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(served.stack.process.pid, signal.SIGCONT)


def life_of_a_call():
    """What Vapi sends of one call, the call's id as CALL."""
    fixtures = HERE.parent / "Fixtures" / "vapi"
    update = json.loads((fixtures / "status-update.json").read_text())
    events = []
    for status in ("ringing", "in-progress", "ended"):
        update["message"] |= {"status": status, "endedReason": "customer-ended-call"}
        events.append(json.dumps(update))
    events.append(json.dumps(json.loads((fixtures / "end-of-call-report.json").read_text())))
    return [re.sub(r'"id": "019d[0-9a-f-]+"', '"id": "CALL"', event) for event in events]


def commits_a_second(folder, seconds=2):
    """What the disk allows: one row a transaction, each on the disk when it is committed."""
    path = pathlib.Path(folder) / "commits.db"
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = wal")
    database.execute("PRAGMA synchronous = full")
    database.execute("CREATE TABLE IF NOT EXISTS commits (id INTEGER PRIMARY KEY, body TEXT)")
    started, count = time.monotonic(), 0
    while time.monotonic() < started + seconds:
        database.execute("INSERT INTO commits (body) VALUES ('a row')")
        count += 1
    database.close()
    return count / seconds


# ---------------------------------------------------------------- orchestrator

def orchestrator():
    with tempfile.TemporaryDirectory(prefix="presales-") as folder, contextlib.closing(Answerer()) as answerer:
        run = functools.partial(orchestrate, answerer=answerer)
        databases = {}
        for leads in (1000, 10_000, MANY):
            say(f"{leads:,} leads")
            databases[leads] = pathlib.Path(folder) / str(leads) / "presales.db"
            databases[leads].parent.mkdir()
            seed.create(databases[leads], BINARIES, leads)
        sizes = []

        def nothing_due(leads):
            seconds, size, placed = run(databases[leads])
            assert placed == 0
            sizes.append(size)
            return seconds * 1000

        run(databases[MANY])
        few, many = in_turns(lambda: nothing_due(1000), lambda: nothing_due(MANY), rounds=15)
        report.at_most("orchestrator-idle", many / few, 2, f"{many:.1f} ms of {MANY:,} leads, {few:.1f} ms of 1,000")
        report.at_most("orchestrator-idle-ms", many, 60, "process, start to end")
        report.at_most("orchestrator-memory-mb", max(sizes), 40, "peak")

        series = {leads: iter(range(9)) for leads in databases}

        def all_due(leads):
            seed.add_due(databases[leads], 500, next(series[leads]))
            seconds, _, placed = run(databases[leads])
            assert placed == 500, placed
            return seconds

        few, many = in_turns(lambda: all_due(10_000), lambda: all_due(MANY))
        report.at_most("orchestrator-due", many / few, 2, f"500 due: {many:.2f} s of {MANY:,} leads, {few:.2f} s of 10,000")


def orchestrate(database, answerer):
    """One run: seconds, peak size in MB, calls placed."""
    offset = database.parent / "clock-offset"
    offset.write_text(str(seed.MONDAY - int(time.time() * 1000)))
    environment = {
        **os.environ, **dict(line.split("=", 1) for line in SETTINGS.split()), "DATABASE_URL": f"sqlite:{database}",
        "PUBLIC_URL": "http://127.0.0.1", "CLOCK_OFFSET_FILE": str(offset), "VAPI_CONCURRENT_LIMIT": "1000",
        "VAPI_BASE_URL": answerer.url, "CONTACT_CAP_MONTH": "100",
    }
    # By a small process of its own: what this one takes would count as the program's peak, which is forked from it.
    process = subprocess.run([sys.executable, "-ISc", RUN_ONCE, BINARIES / "call-orchestrator"], env=environment,
                             stdout=subprocess.PIPE, text=True)
    output, _, measured = process.stdout.rstrip().rpartition("\n")
    assert process.returncode == 0 and "outcome=ok" in output, process.stdout
    seconds, size = measured.split()
    return float(seconds), int(size) / 1024, int(re.search(r"placed=(\d+)", output)[1])


RUN_ONCE = """
import os, sys, time
started = time.monotonic()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print(time.monotonic() - started, usage.ru_maxrss, flush=True)
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Answerer:
    """Takes every call at once, as Vapi would."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({"id": str(uuid.uuid4()), "status": "queued"}).encode()
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


# ---------------------------------------------------------------- all of them

GROUPS = [(reading, ["idle", "health", "list", "refresh", "upload"]), (webhooks, ["webhook"]), (orchestrator, ["orchestrator"])]
chosen = sys.argv[1:]


def wanted(name):
    return not chosen or any(name.startswith(prefix) for prefix in chosen)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started must end, too
    for group, names in GROUPS:
        if any(wanted(name) for name in names):
            group()
    sys.exit(report.missed > 0)
