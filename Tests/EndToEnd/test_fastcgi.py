"""How functions are served: processes of `fastcgi-probe` on one socket, behind an nginx of the test's own.

Everything lives in a folder of the test; sockets are Unix sockets, the ports those that the system gives.
"""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("PRESALES_BIN", REPOSITORY / ".build" / "release"))
MEGABYTE = 1_048_576

CONFIGURATION = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 64m;
    server {{
        listen unix:{folder}/http.sock;
        listen 127.0.0.1:{port};
        location / {{
            include /etc/nginx/fastcgi_params;
            fastcgi_param REQUEST_ID $request_id;
            fastcgi_pass unix:{folder}/probe.sock;
            fastcgi_read_timeout 60s;
        }}
    }}
}}
"""


class Server:
    """nginx in front of some processes that accept from one socket."""

    def __init__(self, processes=1):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="presales-"))
        self.log = open(self.folder / "probe.log", "wb")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(str(self.folder / "probe.sock"))
        self.socket.listen(512)
        self.processes = [self.start() for _ in range(processes)]
        self.port = free_port()
        user = "user root;" if os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(
            CONFIGURATION.format(folder=self.folder, port=self.port, user=user)
        )
        nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        self.nginx = subprocess.Popen(
            [nginx, "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)],
            stdin=subprocess.DEVNULL,
            stderr=self.log,
        )
        wait_for(lambda: self.get("/pid")[0] == 200)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # A killed master would leave its workers behind.
        self.nginx.terminate()
        for process in self.processes:
            process.kill()
        for process in [self.nginx, *self.processes]:
            process.wait()
        self.socket.close()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        """One more process on the socket."""
        return subprocess.Popen([BINARIES / "fastcgi-probe"], stdin=self.socket, stderr=self.log)

    def request(self, method, path, body=None, timeout=60):
        connection = UnixConnection(str(self.folder / "http.sock"), timeout)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def get(self, path):
        try:
            return self.request("GET", path)
        except OSError:
            return 0, {}, b""

    def text(self):
        return (self.folder / "probe.log").read_text()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class RawClient:
    """A FastCGI client that may say anything (fastcgi-spec 3.3)."""

    def __init__(self, server, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(str(server.folder / "probe.sock"))

    def close(self):
        self.socket.close()

    def record(self, kind, content=b""):
        self.socket.sendall(struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content)

    def begin(self, **parameters):
        defaults = {"REQUEST_METHOD": "GET", "REQUEST_URI": "/pid", "SERVER_PROTOCOL": "HTTP/1.1"}
        encoded = b""
        for name, value in {**defaults, **parameters}.items():
            name, value = name.encode(), value.encode()
            for text in (name, value):
                encoded += bytes([len(text)]) if len(text) < 128 else struct.pack(">I", len(text) | 1 << 31)
            encoded += name + value
        self.record(1, struct.pack(">HB5x", 1, 0))
        self.record(4, encoded)
        self.record(4)

    def answer(self):
        """The answer's head and body; empty when the connection was closed without one."""
        received = b""
        while chunk := self.socket.recv(65_536):
            received += chunk
        output = b""
        while len(received) >= 8:
            _, kind, _, length, padding = struct.unpack(">BBHHBx", received[:8])
            if kind == 6:
                output += received[8 : 8 + length]
            received = received[8 + length + padding :]
        head, _, body = output.partition(b"\r\n\r\n")
        return head.decode(), body


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not come to pass")
        time.sleep(0.01)


class Serving(unittest.TestCase):
    def test_stopping_loses_no_request_that_was_begun(self):
        for signal_number in [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM]:
            with Server() as server:
                # As many as there are threads to serve them, so that all are begun at once.
                answers = [None] * 8
                threads = [
                    threading.Thread(target=lambda index=index: answers.__setitem__(index, server.get("/wait/700")))
                    for index in range(len(answers))
                ]
                for thread in threads:
                    thread.start()
                time.sleep(0.3)
                server.processes[0].send_signal(signal_number)
                for thread in threads:
                    thread.join()
                self.assertEqual([answer[0] for answer in answers], [200] * len(answers))
                self.assertEqual(server.processes[0].wait(timeout=10), 0)

    def test_requests_that_wait_in_line_are_answered_by_the_next_process(self):
        for _ in range(5):
            with Server() as server:
                answers = [None] * 15
                threads = [
                    threading.Thread(target=lambda index=index: answers.__setitem__(index, server.get("/wait/300")))
                    for index in range(len(answers))
                ]
                for thread in threads:
                    thread.start()
                time.sleep(0.15)
                server.processes[0].terminate()
                self.assertEqual(server.processes[0].wait(timeout=10), 0)
                server.processes[0] = server.start()
                for thread in threads:
                    thread.join()
                self.assertEqual([answer[0] for answer in answers], [200] * len(answers))

    def test_an_idle_process_stops_at_once(self):
        with Server(processes=3) as server:
            # As many at a time as keep all of them busy: a single request always goes to the same one.
            up = set()

            def ask():
                up.add(json.loads(server.get("/wait/100")[2])["pid"])

            def all_have_answered():
                threads = [threading.Thread(target=ask) for _ in range(30)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                return len(up) == 3

            wait_for(all_have_answered)
            started = time.monotonic()
            for process in server.processes:
                process.terminate()
            for process in server.processes:
                self.assertEqual(process.wait(timeout=10), 0)
            self.assertLess(time.monotonic() - started, 5)

    @unittest.skipUnless(shutil.which("wrk"), "wrk is not installed")
    def test_processes_that_come_and_go_under_load_fail_nobody(self):
        with Server(processes=3) as server:
            load = subprocess.Popen(
                ["wrk", "-t1", "-c12", "-d8s", "--timeout", "20s", f"http://127.0.0.1:{server.port}/wait/2"],
                stdout=subprocess.PIPE,
                text=True,
            )
            restarts = 0
            while load.poll() is None:
                index = restarts % len(server.processes)
                server.processes[index].terminate()
                # One that has not begun to serve may die of the signal.
                self.assertIn(server.processes[index].wait(timeout=20), (0, -signal.SIGTERM))
                server.processes[index] = server.start()
                restarts += 1
                time.sleep(0.2)
            report = load.communicate()[0]
            self.assertNotIn("Non-2xx", report)
            self.assertNotIn("Socket errors", report)
            self.assertGreater(restarts, 5)

    def test_a_caller_who_leaves_early_harms_nobody(self):
        with Server() as server:
            for _ in range(30):
                client = socket.create_connection(("127.0.0.1", server.port))
                client.sendall(b"GET /stream/64 HTTP/1.1\r\nHost: x\r\n\r\n")
                client.recv(100)
                client.close()
            for _ in range(10):
                raw = RawClient(server)
                raw.begin(REQUEST_URI="/stream/64")
                raw.close()
            self.assertEqual(server.get("/pid")[0], 200)
            self.assertIsNone(server.processes[0].poll())

    def test_a_long_answer_arrives_whole_and_is_never_held_in_memory(self):
        with Server() as server:
            status, headers, body = server.request("GET", "/stream/96")
            self.assertEqual((status, len(body)), (200, 96 * MEGABYTE))
            self.assertEqual(body, b"0123456789abcde\n" * (96 * MEGABYTE // 16))
            self.assertLess(resident_megabytes(server.processes[0].pid), 60)

    def test_head_has_the_length_and_no_body(self):
        with Server() as server:
            _, headers, body = server.request("GET", "/wait/0")
            status, head, nothing = server.request("HEAD", "/wait/0")
            self.assertEqual((status, nothing), (200, b""))
            self.assertEqual(head["Content-Length"], str(len(body)))
            self.assertEqual(server.request("HEAD", "/stream/64")[0], 200)

    def test_a_body_comes_back_as_it_went(self):
        with Server() as server:
            for size in [0, 1, 8191, 65_536, MEGABYTE]:
                body = os.urandom(size)
                status, _, echo = server.request("POST", "/echo", body)
                self.assertEqual((status, echo), (200, body))

    def test_a_body_that_is_too_long_is_refused_in_words(self):
        with Server() as server:
            for size in [MEGABYTE + 1, 40 * MEGABYTE]:
                status, _, body = server.request("POST", "/echo", bytes(size))
                self.assertEqual((status, json.loads(body)["code"]), (413, "too_large"))
            self.assertLess(resident_megabytes(server.processes[0].pid), 60)

    def test_an_error_of_ours_tells_the_caller_and_the_log_nothing_personal(self):
        with Server() as server:
            status, _, body = server.request("GET", "/secret")
            self.assertEqual((status, json.loads(body)["code"]), (500, "internal"))
            log = server.text()
            for text in (body.decode(), log):
                self.assertNotIn("Asha", text)
                self.assertNotIn("9876543210", text)
            self.assertIn("cause=Surprise", log)

    def test_a_length_that_is_no_length_is_refused(self):
        with Server() as server:
            for length in ["-1", "-9223372036854775808", "99999999999999999999", "1e3", "0x10", "5 5"]:
                client = RawClient(server)
                client.begin(REQUEST_METHOD="POST", REQUEST_URI="/echo", CONTENT_LENGTH=length)
                client.record(5, b"hello")
                client.record(5)
                head, _ = client.answer()
                self.assertTrue(head.startswith("Status: 400"), (length, head))
                client.close()

    def test_a_body_shorter_than_announced_is_refused_and_a_longer_one_cut(self):
        with Server() as server:
            for announced, status, echo in [(9, "400", None), (5, "200", b"hello"), (3, "200", b"hel")]:
                client = RawClient(server)
                client.begin(REQUEST_METHOD="POST", REQUEST_URI="/echo", CONTENT_LENGTH=str(announced))
                client.record(5, b"hello")
                client.record(5)
                head, body = client.answer()
                self.assertIn(f"Status: {status}", head)
                if echo is not None:
                    self.assertEqual(body, echo)
                client.close()

    def test_connections_that_keep_silent_do_not_hold_up_others(self):
        with Server() as server:
            silent = [RawClient(server) for _ in range(4)]
            started = time.monotonic()
            for _ in range(20):
                self.assertEqual(server.get("/pid")[0], 200)
            self.assertLess(time.monotonic() - started, 2)
            for client in silent:
                client.close()

    def test_noise_in_the_place_of_fastcgi_harms_nobody(self):
        with Server() as server:
            for noise in [
                b"GET / HTTP/1.1\r\n\r\n",
                bytes(8),
                b"\xff" * 4096,
                struct.pack(">BBHHBx", 1, 4, 1, 65535, 255) + b"\xff" * 70_000,
                struct.pack(">BBHHBx", 1, 1, 0, 8, 0) + bytes(8),
            ]:
                client = RawClient(server)
                try:
                    client.socket.sendall(noise)
                except OSError:
                    pass
                client.close()
            self.assertEqual(server.get("/pid")[0], 200)
            self.assertIsNone(server.processes[0].poll())

    def test_a_program_started_by_hand_says_so(self):
        run = subprocess.run(
            [BINARIES / "fastcgi-probe"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=30
        )
        self.assertEqual(run.returncode, 1)
        self.assertIn("is started by spawn-fcgi or systemd", run.stderr)

    def test_spawn_fcgi_and_multiwatch_keep_it_running(self):
        with Server() as server:
            path = server.folder / "spawned.sock"
            supervisor = subprocess.Popen(
                ["spawn-fcgi", "-n", "-s", path, "--", shutil.which("multiwatch"), "-f", "2", "-r", "1000"]
                + ["--", BINARIES / "fastcgi-probe"],
                stderr=server.log,
            )
            try:
                wait_for(path.exists)
                served = set()
                for _ in range(3):
                    pid = answering_pid(path)
                    served.add(pid)
                    os.kill(pid, signal.SIGKILL)
                self.assertEqual(len(served), 3)
                # A signal that meets a child between fork and exec would be lost, so those who were killed must be gone
                # and others stand in their place.
                wait_for(lambda: served.isdisjoint(children(supervisor.pid)))
                wait_for(lambda: [name(pid) for pid in children(supervisor.pid)] == ["fastcgi-probe"] * 2)
                supervisor.send_signal(signal.SIGINT)
                self.assertEqual(supervisor.wait(timeout=20), 0)
            finally:
                for pid in [*children(supervisor.pid), supervisor.pid]:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                supervisor.wait()


def answering_pid(path):
    """Which process behind a socket answers; asks again while the one before is dying."""
    found = []

    def asks():
        client = RawClient.__new__(RawClient)
        client.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.socket.settimeout(20)
        try:
            client.socket.connect(str(path))
            client.begin()
            found[:] = [json.loads(client.answer()[1])["pid"]]
        except (OSError, ValueError):
            return False
        finally:
            client.close()
        return True

    wait_for(asks)
    return found[0]


def children(pid):
    try:
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def name(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return None


def resident_megabytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the kernel does not say")


if __name__ == "__main__":
    unittest.main()
