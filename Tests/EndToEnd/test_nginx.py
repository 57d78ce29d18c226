"""nginx in front of the functions: errors, headers, limits, and what it keeps from them."""

import concurrent.futures
import http.client
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from echo import Echo
from stack import REPOSITORY, Answer, Stack, eventually, free_ports, is_alive
from test_configuration import DEBIAN

MEGABYTE = 1 << 20
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Gone:
    """While it lasts, nobody listens at a function's socket."""

    def __init__(self, stack, name):
        self.path = stack.state / "run" / f"{name}.sock"

    def __enter__(self):
        self.path.rename(self.path.with_suffix(".aside"))

    def __exit__(self, *_):
        self.path.with_suffix(".aside").rename(self.path)


class NginxTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack("--no-demo")
        cls.addClassCleanup(cls.stack.stop)

    def assert_guarded(self, answer):
        """Holds for every answer, errors included."""
        for name, value in SECURITY_HEADERS.items():
            self.assertEqual(answer.headers.get(name), value, (name, answer))
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        self.assertEqual(policy["default-src"], "'none'")
        self.assertEqual(policy["script-src"], "'self'")
        self.assertEqual(policy["style-src"], "'self'")
        self.assertEqual(policy["frame-ancestors"], "'none'")
        self.assertEqual(policy["base-uri"], "'none'")
        self.assertEqual(policy["media-src"], f"'self' https: http://127.0.0.1:{self.stack.port + 1}")
        self.assertNotIn("unsafe", answer.headers["content-security-policy"])
        self.assertIn("camera=()", answer.headers["permissions-policy"])
        self.assertRegex(answer.headers["x-request-id"], r"^[0-9a-f]{32}$")
        self.assertEqual(answer.headers["server"], "nginx")
        self.assertNotIn("strict-transport-security", answer.headers)

    def assert_error(self, answer, status, code):
        """An error in the shape of the API, with a sentence for a person."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["content-type"].split(";")[0], "application/json")
        self.assertEqual(answer.headers["cache-control"], "no-store")
        error = answer.json()
        self.assertEqual((error["success"], error["code"]), (False, code))
        self.assertRegex(error["error"], r"^[A-Z].+[.]$")
        self.assert_guarded(answer)


class Errors(NginxTest):
    def test_unknown_addresses(self):
        for path in ["/api", "/api/", "/api/nothing", "/api/leads/a/b/c", "/webhook/nobody", "/health/x"]:
            with self.subTest(path):
                self.assert_error(self.stack.get(path), 404, "not_found")

    def test_an_unknown_page_leads_to_the_dashboard(self):
        for path in ["/nothing", "/js/nothing.js", "/.git/config"]:
            answer = self.stack.get(path)
            self.assertEqual(answer.status, 404)
            self.assertIn(b'<a href="/">', answer.body)
            self.assert_guarded(answer)

    def test_bodies_larger_than_their_route_takes(self):
        for path, size, words in [
            ("/api/leads/bulk-upload", 51 * MEGABYTE, "50 MB"),
            ("/api/leads", MEGABYTE + 1, "larger than"),
            ("/webhook/vapi", 3 * MEGABYTE + 1, "larger than"),
        ]:
            with self.subTest(path):
                answer = self.stack.post(path, b"x" * size, {"Content-Type": "application/json"})
                self.assert_error(answer, 413, "too_large")
                self.assertIn(words, answer.json()["error"])

    def test_bodies_as_large_as_their_route_takes_reach_the_function(self):
        for name, path, size in [
            ("bulk-upload", "/api/leads/bulk-upload", 50 * MEGABYTE),
            ("leads", "/api/leads", MEGABYTE),
            ("webhook-vapi", "/webhook/vapi", 3 * MEGABYTE),
            ("webhook-whatsapp", "/webhook/whatsapp", 3 * MEGABYTE),
        ]:
            with self.subTest(path), Echo(self.stack, name):
                self.assertEqual(self.stack.post(path, b"x" * size).json()["size"], size)

    def test_methods_nginx_itself_refuses(self):
        host = f"Host: 127.0.0.1:{self.stack.port}\r\nConnection: close\r\n\r\n"
        self.assert_error(self.stack.raw("TRACE /api/leads HTTP/1.1\r\n" + host), 405, "method_not_allowed")
        answer = self.stack.post("/index.html")
        self.assertEqual(answer.status, 405)
        self.assert_guarded(answer)

    def test_requests_that_are_broken_before_they_are_read(self):
        host = f"Host: 127.0.0.1:{self.stack.port}\r\n"
        for name, request, status, code in [
            ("address", f"GET /api/leads?q={'a' * 40_000} HTTP/1.1\r\n{host}\r\n", 414, "address_too_long"),
            ("headers", f"GET /api/leads HTTP/1.1\r\n{host}Cookie: {'a' * 40_000}\r\n\r\n", 431, "headers_too_large"),
            ("no host", "GET /api/leads HTTP/1.1\r\n\r\n", 400, "malformed"),
            ("two hosts", f"GET /api/leads HTTP/1.1\r\n{host}Host: evil.example\r\n\r\n", 400, "malformed"),
            ("garbage", "\x01\x02\x03\r\n\r\n", 400, "malformed"),
            ("length and chunks", f"POST /api/leads HTTP/1.1\r\n{host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "malformed"),
            ("length that is none", f"POST /api/leads HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n", 400, "malformed"),
            ("unknown encoding", f"POST /api/leads HTTP/1.1\r\n{host}Transfer-Encoding: mystery\r\n\r\n", 400, "malformed"),
            ("unknown version", f"GET /api/leads HTTP/9.1\r\n{host}\r\n", 400, "malformed"),
        ]:
            with self.subTest(name):
                self.assert_error(self.stack.raw(request), status, code)

    def test_a_name_that_is_not_ours(self):
        for host in ["evil.example", f"evil.example:{self.stack.port}", "10.1.2.3", "127.0.0.1.evil.example", "[::1]"]:
            for path in ["/", "/api/leads", "/health", "/webhook/vapi"]:
                with self.subTest(host=host, path=path):
                    self.assert_error(self.stack.get(path, {"Host": host}), 421, "wrong_host")
        answer = self.stack.raw("GET /api/leads HTTP/1.0\r\n\r\n")
        self.assert_error(answer, 421, "wrong_host")

    def test_a_body_that_nginx_keeps_in_a_file_is_answered_each_time(self):
        # It is sent in several pieces, and must not meet a function that is through with it before the last.
        for _ in range(200):
            answer = self.stack.post("/api/leads/bulk-call", {"lead_uuids": [""] * 5001})
            self.assertEqual(answer.status, 422, answer)

    def test_our_own_names(self):
        for host in ["127.0.0.1", "localhost", f"localhost:{self.stack.port}", f"127.0.0.1:{self.stack.port}"]:
            self.assertEqual(self.stack.get("/health", {"Host": host}).status, 200, host)

    def test_a_function_that_is_gone(self):
        with Gone(self.stack, "leads"):
            self.assert_error(self.stack.get("/api/leads"), 502, "unavailable")
            self.assertEqual(self.stack.get("/health").status, 200)
        self.assertEqual(self.stack.get("/api/leads").status, 200)

    def test_a_function_that_stands_still_holds_up_nobody_else(self):
        process = self.stack.pid("leads")
        os.kill(process, signal.SIGSTOP)
        try:
            with concurrent.futures.ThreadPoolExecutor() as pool:
                waiting = [pool.submit(self.stack.get, "/api/leads") for _ in range(20)]
                for _ in range(20):
                    begun = time.monotonic()
                    self.assertEqual(self.stack.get("/health").status, 200)
                    self.assertLess(time.monotonic() - begun, 0.5)
                os.kill(process, signal.SIGCONT)
                self.assertEqual({answer.result().status for answer in waiting}, {200})
        finally:
            os.kill(process, signal.SIGCONT)


class Routes(NginxTest):
    def test_every_address_leads_to_its_function(self):
        uuid = "550e8400-e29b-41d4-a716-446655440000"
        table = {
            "leads": ["/api/leads", f"/api/leads/{uuid}", f"/api/leads/{uuid}/details", f"/api/leads/{uuid}/messages", "/api/leads/export.csv", "/api/opt-outs/export.csv"],
            "bulk-upload": ["/api/leads/bulk-upload", "/api/leads/bulk-upload?dry_run=true"],
            "call": [f"/api/leads/{uuid}/call", "/api/leads/bulk-call"],
            "schedule": [
                "/api/schedule-bulk-calls", "/api/schedule-bulk-calls?dry_run=true", "/api/scheduled-bulk-calls",
                f"/api/pause-bulk-schedule/{uuid}", f"/api/resume-bulk-schedule/{uuid}", f"/api/cancel-bulk-schedule/{uuid}",
                f"/api/leads/{uuid}/callback", "/api/retry-config", "/api/pause", "/api/journey",
            ],
            "analytics": ["/api/analytics/summary"],
            "webhook-vapi": ["/webhook/vapi"],
            "webhook-whatsapp": ["/webhook/whatsapp"],
            "health": ["/health", "/api/version", "/api/jobs", "/api/jobs/call_orchestrator/trigger"],
        }
        for name, paths in table.items():
            with Echo(self.stack, name):
                for path in paths:
                    with self.subTest(path):
                        told = self.stack.get(path).json()["told"]
                        self.assertEqual(told["REQUEST_URI"], path)

    def test_a_function_learns_the_request_and_nothing_a_client_made_up(self):
        ours = {
            "Authorization": "Bearer t", "X-Vapi-Secret": "s", "X-Signature": "a", "X-Timestamp": "1", "If-None-Match": 'W/"1"',
            "If-Match": '"2"', "Origin": "http://a", "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json",
            "X-Hub-Signature-256": "sha256=0", "Cookie": "a=b",
        }
        forged = {
            "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil", "X-Forwarded-Proto": "https", "X-Real-IP": "6.6.6.6",
            "Forwarded": "for=6.6.6.6", "Proxy": "http://evil", "X-Request-Id": "forged", "X_Real_IP": "6.6.6.6", "True-Client-IP": "6.6.6.6",
            "X-Original-URL": "/forged", "X-HTTP-Method-Override": "DELETE", "Remote-Addr": "6.6.6.6",
        }
        with Echo(self.stack, "leads"):
            answer = self.stack.post("/api/leads?a=b%20c", b"{}", {**ours, **forged})
            absolute = self.stack.raw(
                f"GET http://localhost:{self.stack.port}/api/leads HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
            )
        told = answer.json()["told"]
        for name, value in ours.items():
            key = name.upper().replace("-", "_")
            self.assertEqual(told[key if key == "CONTENT_TYPE" else f"HTTP_{key}"], value)
        values = "\n".join(told.values())
        for name, value in forged.items():
            self.assertNotIn("HTTP_" + name.upper().replace("-", "_"), told)
            if value != "DELETE":
                self.assertNotIn(value, values)
        self.assertEqual(told["REMOTE_ADDR"], "127.0.0.1")
        self.assertEqual(told["REQUEST_METHOD"], "POST")
        self.assertEqual(told["QUERY_STRING"], "a=b%20c")
        self.assertEqual(told["CONTENT_LENGTH"], "2")
        self.assertEqual(told["HTTP_HOST"], f"127.0.0.1:{self.stack.port}")
        self.assertEqual([name for name, _ in answer.all_headers if name.lower() == "x-request-id"], ["X-Request-Id"])
        # The number under which a request is logged is nginx's, in both logs and in the answer.
        self.assertEqual(told["REQUEST_ID"], answer.headers["x-request-id"])
        self.assertRegex(told["REQUEST_ID"], r"^[0-9a-f]{32}$")
        # The address in the request line wins over the header (RFC 9112, 3.2.2).
        self.assertEqual(absolute.status, 200)
        self.assertNotIn("evil", absolute.body.decode())

    def test_a_body_in_chunks_arrives_with_its_length(self):
        with Echo(self.stack, "webhook-vapi"):
            answer = self.stack.post("/webhook/vapi", iter([b"abc", b"defg"]), {"Content-Type": "application/json"})
        self.assertEqual(answer.json()["size"], 7)
        self.assertEqual(answer.json()["told"]["CONTENT_LENGTH"], "7")

    def test_an_upload_in_chunks_is_answered(self):
        answer = self.stack.post("/api/leads/bulk-upload", iter([b"abc"]), {"Content-Type": "multipart/form-data; boundary=x"})
        self.assertIn(answer.status, range(400, 500))


class Answers(NginxTest):
    def test_every_kind_of_answer_is_guarded(self):
        for path in ["/", "/index.html", "/api/leads", "/api/analytics/summary", "/health", "/api/jobs"]:
            with self.subTest(path):
                answer = self.stack.get(path)
                self.assertEqual(answer.status, 200)
                self.assert_guarded(answer)

    def test_a_page_is_kept_and_asked_about(self):
        first = self.stack.get("/index.html")
        self.assertEqual(first.headers["cache-control"], "no-cache")
        again = self.stack.get("/index.html", {"If-None-Match": first.headers["etag"]})
        self.assertEqual((again.status, again.body), (304, b""))
        self.assert_guarded(again)

    def test_every_file_of_the_dashboard_has_its_type(self):
        types = {".html": "text/html", ".css": "text/css", ".js": "application/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml"}
        folder = REPOSITORY / "nginx" / "dashboard"
        for file in folder.rglob("*"):
            if file.suffix in types:
                answer = self.stack.get("/" + str(file.relative_to(folder)))
                self.assertEqual(answer.status, 200, file)
                self.assertEqual(answer.headers["content-type"].split(";")[0], types[file.suffix], file)

    def test_text_travels_compressed(self):
        answer = self.stack.get("/index.html", {"Accept-Encoding": "gzip"})
        self.assertEqual(answer.headers["content-encoding"], "gzip")

    def test_the_logs_hold_no_query_and_no_address(self):
        folder = self.stack.state / "log"
        canaries = {"User-Agent": "canary-agent", "Referer": "http://canary/"}
        self.stack.get("/api/leads?q=9876543210", canaries)
        self.stack.post("/api/leads?q=9876543210", b"x" * 2 * MEGABYTE, canaries)
        with Gone(self.stack, "leads"):
            self.stack.get("/api/leads?q=9876543210", canaries)
        known = self.stack.get("/api/nothing").headers["x-request-id"]
        eventually(lambda: known in (folder / "access.log").read_text())
        for file in folder.iterdir():
            text = file.read_text(errors="replace")
            for canary in ["9876543210", "canary"]:
                self.assertNotIn(canary, text, file)
        log = (folder / "access.log").read_text()
        self.assertNotIn("127.0.0.1", log)
        self.assertIn('status=404 method=GET uri="/api/nothing"', log)


class Load(NginxTest):
    def test_slow_senders_hold_up_nobody(self):
        """Half requests and half bodies by the hundred; the rest of the world does not notice."""
        beginnings = [
            b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
            b"POST /api/leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{",
            b"POST /webhook/vapi HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{",
        ]
        slow = []
        for number in range(300):
            connection = socket.create_connection(("127.0.0.1", self.stack.port))
            connection.sendall(beginnings[number % 3])
            slow.append(connection)
        try:
            durations = []
            for _ in range(200):
                begun = time.monotonic()
                self.assertEqual(self.stack.get("/health").status, 200)
                durations.append(time.monotonic() - begun)
            self.assertLess(sorted(durations)[197], 0.5)
            # They are let go: the ones without a whole header after 5 s, the others after 10.
            slow[0].settimeout(15)
            try:
                self.assertEqual(slow[0].recv(1), b"")
            except ConnectionResetError:
                pass
        finally:
            for connection in slow:
                connection.close()

    def test_slow_uploads_leave_the_rest_alone(self):
        slow = []
        for _ in range(8):
            connection = socket.create_connection(("127.0.0.1", self.stack.port))
            connection.sendall(
                b"POST /api/leads/bulk-upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
            )
            slow.append(connection)
        try:
            time.sleep(0.3)
            answer = self.stack.upload("number\n+919876543210\n")
            self.assert_error(answer, 429, "too_many_requests")
            self.assertEqual(self.stack.get("/api/leads").status, 200)
        finally:
            for connection in slow:
                connection.close()
        eventually(lambda: self.stack.upload("number\n+919876543210\n", "?dry_run=true").status == 200)


class Limits(NginxTest):
    """The limits of production, which `local` does not set."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.stack.state / "nginx" / "presales"
        (folder / "limits.conf").write_text((REPOSITORY / "nginx/production/limits.conf").read_text())
        old = cls.stack.pid("nginx")
        os.kill(old, signal.SIGTERM)  # it is started again, with the new limits
        eventually(lambda: not is_alive(old) and cls.answers())

    @classmethod
    def answers(cls):
        try:
            return cls.stack.get("/health").status == 200
        except OSError:
            return False

    def flood(self, count, method, path):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            return list(pool.map(lambda _: self.stack.request(method, path, b"{}" if method == "POST" else None), range(count)))

    def test_a_flood_is_turned_away_and_webhooks_still_pass(self):
        answers = self.flood(150, "GET", "/health")
        turned_away = [answer for answer in answers if answer.status != 200]
        self.assertGreater(len(turned_away), 50)
        self.assert_error(turned_away[0], 429, "too_many_requests")
        webhooks = {answer.status for answer in self.flood(150, "POST", "/webhook/vapi")}
        self.assertNotIn(429, webhooks)


class Production(NginxTest):
    """nginx as in production, with TLS and limits, in front of the same functions; the certificate is our own."""

    NAME = "presales.example"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="presales-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        certificate, key = cls.folder / "certificate.pem", cls.folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", f"/CN={cls.NAME}",
             "-addext", f"subjectAltName=DNS:{cls.NAME}", "-keyout", key, "-out", certificate],
            check=True, capture_output=True,
        )
        cls.trust = ssl.create_default_context(cafile=certificate)
        (cls.folder / "challenges/.well-known/acme-challenge").mkdir(parents=True)
        (cls.folder / "challenges/.well-known/acme-challenge/token").write_text("proof")
        values = {
            "SOCKETS": cls.stack.state / "run", "DASHBOARD": REPOSITORY / "nginx/dashboard", "LOG": cls.folder / "access.log",
            "ERROR_LOG": cls.folder / "error.log", "SERVER_NAMES": cls.NAME, "RECORDINGS": "", "CHALLENGES": cls.folder / "challenges",
            "CERTIFICATE": certificate, "CERTIFICATE_KEY": key,
        }
        pairs = [f"{name}={value}" for name, value in values.items()]
        subprocess.run(
            ["bash", "-c", 'source "$1" && render_nginx "${@:2}"', "bash", REPOSITORY / "deploy.sh", "production", cls.folder, *pairs], check=True
        )
        cls.plain = free_ports()
        cls.secure = cls.plain + 1
        for file in cls.folder.rglob("*.conf"):
            text = re.sub(r"(listen .*?)\b443\b", rf"\g<1>{cls.secure}", file.read_text())
            file.write_text(re.sub(r"(listen .*?)\b80\b", rf"\g<1>{cls.plain}", text))
        main = DEBIAN.replace("user www-data;", "user root;" if os.geteuid() == 0 else "")
        (cls.folder / "nginx.conf").write_text("daemon off;" + main.format(folder=cls.folder))
        nginx = subprocess.Popen(["nginx", "-p", cls.folder, "-c", cls.folder / "nginx.conf", "-e", "stderr"])
        cls.addClassCleanup(nginx.wait)
        cls.addClassCleanup(nginx.terminate)
        eventually(lambda: cls.is_open(cls.secure))

    @staticmethod
    def is_open(port):
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", port)) == 0

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.secure), timeout=20)
        return self.trust.wrap_socket(connection, server_hostname=self.NAME)

    def ask(self, method, path, body=None, headers=None, secure=True):
        connection = http.client.HTTPConnection("127.0.0.1", self.plain, timeout=20)
        if secure:
            connection.sock = self.connect()
        try:
            connection.request(method, path, body, {"Host": self.NAME, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def test_everything_goes_over_tls(self):
        # Another test may have used up what this address may ask in a second.
        answer = eventually(lambda: (answer := self.ask("GET", "/health")).status == 200 and answer)
        self.assertIn("max-age=31536000", answer.headers["strict-transport-security"])
        self.assertIn("media-src 'self' https:", answer.headers["content-security-policy"])
        redirect = self.ask("GET", "/api/leads?q=asha", secure=False)
        self.assertEqual((redirect.status, redirect.headers["location"]), (301, f"https://{self.NAME}/api/leads?q=asha"))
        self.assertEqual(self.ask("GET", "/.well-known/acme-challenge/token", secure=False).body, b"proof")
        self.assertEqual(self.ask("GET", "/health", headers={"Host": "evil.example"}).status, 421)
        own = {"Origin": f"https://{self.NAME}:{self.secure}", "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
        for headers, status in [(own, 200), (own | {"Origin": "https://evil.example"}, 403)]:
            eventually(lambda: self.ask("POST", "/api/pause", b'{"paused": false}', headers).status == status)

    def test_old_tls_is_refused(self):
        for version in [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            with socket.create_connection(("127.0.0.1", self.secure)) as connection, self.assertRaises((ssl.SSLError, OSError)):
                context.wrap_socket(connection)

    def test_a_flood_is_turned_away_and_webhooks_still_pass(self):
        for path in ["/api/leads", "/api/journey", "/api/analytics/summary"]:
            answers = self.flood(f"GET {path} HTTP/1.1", "", 150)
            self.assertEqual(set(re.findall(r"HTTP/1.1 (\d+)", answers)) - {"200"}, {"429"}, path)
            self.assertGreater(answers.count("HTTP/1.1 429"), 30, path)
            self.assertIn('{"success":false,"error":"Too many requests at once.', answers)
        answers = self.flood("POST /webhook/vapi HTTP/1.1", "{}", 150)
        self.assertEqual(re.findall(r"HTTP/1.1 (\d+)", answers), ["401"] * 150)

    def flood(self, line, body, count):
        """Sends a request many times over one connection, without waiting for answers; returns those."""
        request = f"{line}\r\nHost: {self.NAME}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        text = f"{request}\r\n{body}" * (count - 1) + f"{request}Connection: close\r\n\r\n{body}"
        received = b""
        with self.connect() as connection:
            connection.sendall(text.encode())
            while chunk := connection.recv(65_536):
                received += chunk
        return received.decode()

    def test_slow_clients_are_cut(self):
        """Whoever says nothing, half a handshake, half a head or half a body is let go; nobody holds a connection for free."""
        begun = time.monotonic()
        silent = [socket.create_connection(("127.0.0.1", port), timeout=20) for port in [self.secure, self.plain]]
        half = socket.create_connection(("127.0.0.1", self.secure), timeout=20)
        half.sendall(b"\x16\x03\x01\x02\x00\x01")
        head, body = self.connect(), self.connect()
        head.sendall(b"GET /health HTTP/1.1\r\nHost: ")
        body.sendall(f"POST /webhook/vapi HTTP/1.1\r\nHost: {self.NAME}\r\nContent-Length: 9\r\n\r\n{{".encode())
        for name, connection in [("handshake", silent[0]), ("plain", silent[1]), ("half a handshake", half), ("head", head), ("body", body)]:
            with self.subTest(name):
                try:
                    self.assertEqual(connection.recv(1), b"")
                except (ConnectionResetError, ssl.SSLError):
                    pass
            connection.close()
        self.assertLess(time.monotonic() - begun, 18)


if __name__ == "__main__":
    unittest.main()
