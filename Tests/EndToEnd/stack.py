"""A whole Presales of a test's own: started by `./deploy.sh local` on free ports and a folder of its own.

The binaries are those of the release build, or of the folder that PRESALES_BIN names. The database is looked at through
the API only: a second program opening its file would take part in SQLite's locking.

    python3 stack.py COMMAND …    runs a command beside a Presales with demo leads, which BASE_URL names
"""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("PRESALES_BIN", REPOSITORY / ".build" / "release"))
DEPLOY = REPOSITORY / "deploy.sh"
FUNCTIONS = ["leads", "bulk-upload", "call", "schedule", "analytics", "webhook-vapi", "webhook-whatsapp", "health"]


class Answer:
    """What came back: status, headers (names in lower case), body."""

    def __init__(self, status, headers, body):
        self.status = status
        self.all_headers = list(headers)
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Stack:
    """One running Presales. Use as a context manager, or call `stop`."""

    def __init__(self, *options, environment=None, state=None, port=None):
        self.folder = None if state else tempfile.mkdtemp(prefix="presales-")
        self.state = pathlib.Path(state or self.folder)
        self.port = port or free_ports()
        self.process = spawn("--port", str(self.port), "--state", str(self.state), *options, environment=environment)
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line == f"Presales is ready at http://127.0.0.1:{self.port}\n":
                break
        else:
            status = self.process.wait()
            self.forget()
            raise AssertionError(f"deploy.sh local ended with {status}:\n{''.join(lines)}")
        self.greeting = "".join(lines)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, how=signal.SIGTERM):
        """Ends it and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.forget()
        return status

    def forget(self):
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    # -- HTTP

    def request(self, method, path, body=None, headers=None, timeout=40, port=None):
        """Sends a request. A dict or list goes out as JSON, everything else as it is."""
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def get(self, path, headers=None, **options):
        return self.request("GET", path, headers=headers, **options)

    def post(self, path, body=None, headers=None, **options):
        return self.request("POST", path, {} if body is None else body, headers, **options)

    def upload(self, file, query="", **options):
        """Uploads a file, text or bytes, as a browser's form would; the server goes by what is in it, not by its name."""
        boundary = "presales-end-to-end"
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="leads.csv"\r\n'
            f"Content-Type: text/csv\r\n\r\n"
        ).encode()
        content = file if isinstance(file, bytes) else file.encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        body = head + content + f"\r\n--{boundary}--\r\n".encode()
        return self.request("POST", "/api/leads/bulk-upload" + query, body, headers, **options)

    def sandbox(self, method, path, body=None):
        """Asks the sandbox's own controls, `/sandbox/…`."""
        answer = self.request(method, f"/sandbox/{path}", body, port=self.port + 1)
        assert answer.status == 200, answer
        return answer

    def ledger(self, event=None):
        """What the sandbox wrote down, oldest first; only the lines of one kind if it is named."""
        lines = [json.loads(line) for line in self.sandbox("GET", "ledger").body.splitlines()]
        return [line for line in lines if event in (None, line["event"])]

    def leads(self, query=""):
        """All leads (up to 500) by number."""
        return {lead["number"]: lead for lead in self.get(f"/api/leads?limit=500{query}").json()["leads"]}

    def details(self, lead):
        return self.get(f"/api/leads/{lead['lead_uuid']}/details").json()

    def raw(self, text, timeout=15):
        """Sends bytes as they are and reads until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            connection.sendall(text if isinstance(text, bytes) else text.encode())
            received = b""
            while chunk := connection.recv(65_536):
                received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
        return Answer(int(lines[0].split()[1]), headers, body)

    # -- what runs

    def pid(self, name):
        """The process of a service; of a function the function itself, not what holds its socket."""
        return int((self.state / "run" / f"{name}.pid").read_text())

    def processes(self):
        """Every process that the script started, itself included."""
        parents = {}
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
        found = {self.process.pid}
        while True:
            more = {pid for pid, parent in parents.items() if parent in found} - found
            if not more:
                return found
            found |= more

    # -- timers and time

    def trigger(self, name):
        """Has a timer run now."""
        answer = self.post(f"/api/jobs/{name}/trigger")
        assert answer.status == 202, answer

    def advance(self, **duration):
        """Moves the rehearsal's clock on, for every process at once."""
        seconds = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
        milliseconds = sum(1000 * seconds[unit] * amount for unit, amount in duration.items())
        file = self.state / "clock-offset"
        beside = file.with_suffix(".moved")
        beside.write_text(str(int(file.read_text()) + milliseconds))
        beside.rename(file)


def spawn(*options, environment=None):
    """Starts `./deploy.sh local`; its output, errors included, is read from `stdout`."""
    return subprocess.Popen(
        [DEPLOY, "local", *options],
        env={**os.environ, "PRESALES_BIN": str(BINARIES), **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def refused(*options, environment=None):
    """Runs `./deploy.sh local` where it must not start; returns exit status and message."""
    process = spawn(*options, environment=environment)
    try:
        output, _ = process.communicate(timeout=60)
    finally:
        process.terminate()
        process.wait()
    return process.returncode, output


def free_ports():
    """A port that is free together with the next one."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
                return port
            except (OSError, OverflowError):
                continue


def eventually(condition, seconds=15, every=0.1):
    """Waits until a condition holds and returns its value; fails when it never does."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {seconds} s: last value {value!r}")
        time.sleep(every)


def is_alive(pid):
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    with Stack() as presales:
        environment = {**os.environ, "BASE_URL": f"http://127.0.0.1:{presales.port}", "STATE": str(presales.state)}
        sys.exit(subprocess.run(sys.argv[1:], env=environment).returncode)
