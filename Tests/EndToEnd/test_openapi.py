"""nginx/openapi.json against the running system: every answer that it describes is given, and as it describes it.

That it describes every route is tested beside the functions (Tests/FunctionTests/OpenAPITests.swift).
"""

import contextlib
import datetime
import hashlib
import hmac
import json
import os
import re
import signal
import unittest

import openapi_spec_validator

from contract import FILE, Contract
from stack import FUNCTIONS, REPOSITORY, Stack, eventually, is_alive

ENVIRONMENT = {
    "SANDBOX_SPEED": "20",
    "VAPI_CONCURRENT_LIMIT": "1",
    "TIMER_PERIODS": "call-orchestrator=1,call-reconciler=3600",
    "WHATSAPP_APP_SECRET": "app-secret",
    "WHATSAPP_VERIFY_TOKEN": "verify-token",
}
NOBODY = "550e8400-e29b-41d4-a716-446655440000"
JSON = {"Content-Type": "application/json"}

# What the test cannot bring about: the operation and the status, and where it is shown instead.
ELSEWHERE = {
    ("whatsappHandshake", 503): "Unconfigured, below",
    ("triggerJob", 503): "HealthTests: a trigger that nobody watches says so",
}


class Described(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.contract = Contract()
        cls.stack = Stack("--no-demo", environment=ENVIRONMENT)
        cls.addClassCleanup(cls.stack.stop)

    def test_the_file_is_valid_and_served(self):
        openapi_spec_validator.validate(self.contract.description)
        answer = self.stack.get("/api/openapi.json")
        self.assertEqual((answer.status, answer.headers["content-type"].split(";")[0]), (200, "application/json"))
        self.assertEqual(answer.body, FILE.read_bytes())
        answer = self.stack.post("/api/openapi.json")
        self.assertEqual((answer.status, answer.headers["allow"]), (405, "GET, HEAD"))

    def test_every_answer_that_is_described_is_given(self):
        for part in [
            self.leads, self.uploads, self.calls, self.schedules, self.settings, self.figures, self.webhooks, self.methods,
            self.requests_that_go_too_far, self.functions_that_are_gone, self.too_many_requests, self.functions_that_stand_still,
            self.a_database_that_is_gone,
        ]:
            with self.subTest(part.__name__):
                part()
        self.assertEqual(self.contract.described() - self.contract.seen, set(ELSEWHERE))

    # -- asking

    def ask(self, status, method, path, body=None, headers=None):
        """Sends a request; the answer must have the status and be as described."""
        answer = self.stack.request(method, path, body, headers)
        self.assertEqual(answer.status, status, f"{method} {path[:200]}: {answer}")
        self.contract.check(method, path, answer)
        return answer

    def change(self, method, path, body):
        """What holds for every request of a person that changes something."""
        for headers in [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]:
            self.ask(403, method, path, body, headers)
        self.ask(415, method, path, b"{}", {"Content-Type": "text/plain"})

    def add(self, number, **fields):
        answer = self.ask(201, "POST", "/api/leads", {"name": "Asha Rao", "number": number, **fields})
        return answer.json()["lead_uuid"]

    def soon(self, **later):
        now = datetime.datetime.fromisoformat(self.stack.get("/api/analytics/summary").json()["now"])
        return (now + datetime.timedelta(**later)).isoformat()

    # -- the functions' own answers

    def leads(self):
        lead = self.add("+919876500001", email="asha@example.in", partner="Yocket", consent_at="2025-01-15")
        other = self.add("98765 00002")
        path = f"/api/leads/{lead}"
        self.change("POST", "/api/leads", {"name": "Bela", "number": "9876500003"})
        duplicate = self.ask(409, "POST", "/api/leads", {"name": "Bela", "number": "+919876500001"})
        self.assertEqual(duplicate.json()["lead_uuid"], lead)
        for body in [{}, {"name": "Bela"}, {"name": "Bela", "number": "12"}, {"name": 7, "number": "9876500003"}, {"nmae": "Bela"}]:
            self.ask(422, "POST", "/api/leads", body)
        for body in [b"", b"{", b"[]", b'{"name": "a", "name": "b"}', b'{"name": "\xff"}']:
            self.ask(400, "POST", "/api/leads", body, JSON)

        full = self.ask(200, "GET", "/api/leads?limit=1&sort=-created&status=pending,%20missed&from=2020-01-01&refresh=true")
        cursor = full.json()["next_cursor"]
        self.ask(200, "GET", f"/api/leads?limit=1&sort=-created&status=pending,%20missed&from=2020-01-01&cursor={cursor}")
        self.assertIn("transcript", full.json()["leads"][0])
        table = self.ask(200, "GET", "/api/leads?fields=table&q=asha&partner=Yocket&success_status=&to=2099-01-01")
        self.assertNotIn("transcript", table.json()["leads"][0])
        self.ask(304, "GET", "/api/leads", headers={"If-None-Match": self.ask(200, "GET", "/api/leads").headers["etag"]})
        for query in ["statsu=pending", "status=nothing", "limit=0", "limit=1&limit=2", "cursor=x", "sort=age", "from=yesterday", "fields=all"]:
            self.ask(400, "GET", f"/api/leads?{query}")
        self.ask(200, "GET", "/api/leads/export.csv?sort=name&status=pending")
        self.ask(400, "GET", "/api/leads/export.csv?status=nothing")

        shown = self.ask(200, "GET", f"{path}/details")
        self.ask(304, "GET", f"{path}/details", headers={"If-None-Match": shown.headers["etag"]})
        self.ask(200, "GET", f"{path}/messages")
        for method, at in [("GET", "details"), ("GET", "messages")]:
            for uuid in [NOBODY, "x", "%00", "%F0%9F%98%80", "export.csv"]:
                answer = self.stack.request(method, f"/api/leads/{uuid}/{at}")
                self.assertIn(answer.status, (400, 404))
                self.contract.check(method, f"/api/leads/{uuid}/{at}", answer)

        changed = self.ask(200, "PATCH", path, {"name": "Asha Rao Patil", "timezone": "Asia/Kolkata", "consent_text": "Yes, call me."})
        self.ask(200, "PATCH", path, {"email": None}, {"If-Match": changed.headers["etag"], **JSON})
        self.ask(412, "PATCH", path, {"name": "Asha"}, {"If-Match": shown.headers["etag"], **JSON})
        self.ask(409, "PATCH", path, {"number": "+919876500002"})
        self.ask(422, "PATCH", path, {"timezone": "Mars/Olympus"})
        self.ask(400, "PATCH", path, b"{", JSON)
        self.ask(404, "PATCH", f"/api/leads/{NOBODY}", {"name": "Asha"})
        self.change("PATCH", path, {"name": "Asha"})

        self.change("DELETE", f"/api/leads/{other}", None)
        self.assertEqual(self.ask(200, "DELETE", f"/api/leads/{other.upper()}").json()["lead_uuid"], other)
        self.ask(404, "DELETE", f"/api/leads/{other}")
        self.ask(404, "GET", f"/api/leads/{other}/details")

    def uploads(self):
        path = "/api/leads/bulk-upload"

        def send(status, file, name="file", query="", kind='; filename="leads.csv"', more=""):
            body = f'--b\r\nContent-Disposition: form-data; name="{name}"{kind}\r\n\r\n'.encode() + file
            body += f"\r\n{more}--b--\r\n".encode()
            return self.ask(status, "POST", path + query, body, {"Content-Type": "multipart/form-data; boundary=b"}).json()

        file = (
            "Full Name,Mobile,E-mail,WhatsApp,Partner,Consent at,Remarks\n"
            "Asha,9876510001,asha@example.in,9876510001,Yocket,2025-01-15,met\n"
            "Bela,9876510001,,,,,\nChand,9.87654E+09,,,,,\nDevi,9876510004,nobody,,,,\nEsha,9876510005,,12,,,\n"
            "Farid,9876510006,,,,2099-01-01,\nGita,9876510007,,,,,,one too many\n"
        ).encode()
        self.assertEqual(send(200, file, query="?dry_run=true")["rows_added"], 1)
        result = send(200, file)
        self.assertEqual((result["rows_read"], result["rows_added"], result["duplicates"], len(result["errors"])), (7, 1, 1, 6))
        self.assertEqual(send(200, file)["duplicates"], 2)
        for damaged, code in [
            (b"", "import_empty"), (b"name\nAsha\n", "import_no_number_column"), (b"number,mobile\n1,2\n", "import_column_twice"),
            (b"\x89PNG\r\n\x1a\n" + bytes(40), "csv_not_text"), (b'number,name\n9876510011,"Asha\n', "csv_unterminated_quote"),
            (b"number\n987\x006510012\n", "csv_nul"), (b"number\n" + b"9" * 200_000, "csv_field_too_long"),
            (b"number" + b"," * 5000 + b"\n", "csv_too_many_columns"), (b"PK\x03\x04" + bytes(60), "workbook_damaged"),
        ]:
            self.assertEqual(send(422, damaged)["code"], code)
        self.assertEqual(send(422, b"number\n", name="list")["code"], "unknown_field")
        again = '--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nnumber\r\n'
        self.assertEqual(send(422, b"number\n", more=again)["code"], "file_twice")
        form = {"Content-Type": "multipart/form-data; boundary=b"}
        self.assertEqual(self.ask(422, "POST", path, b"--b--\r\n", form).json()["code"], "file_missing")
        send(400, file, query="?dry_run=perhaps")
        self.ask(400, "POST", path, b"--b\r\n", form)
        self.ask(403, "POST", path, b"--b--\r\n", {"Origin": "https://evil.example", **form})
        for kind in ["application/json", "text/csv", "multipart/form-data"]:
            answer = self.stack.post(path, file, {"Content-Type": kind})
            self.assertIn(answer.status, (400, 415), kind)
            self.contract.check("POST", path, answer)
        self.ask(415, "POST", path, file, {"Content-Type": "text/csv"})

    def calls(self):
        first, second, number = self.add("+919876520000"), self.add("+919876520001"), "+919876520002"
        refused, foreign = self.add(number), self.add("+12025550141")
        path = f"/api/leads/{first}/call"
        self.change("POST", path, {})
        self.ask(404, "POST", f"/api/leads/{NOBODY}/call", {})
        self.ask(422, "POST", path, {"force": True})
        self.ask(400, "POST", path, b"{", JSON)
        self.assertEqual(self.ask(409, "POST", f"/api/leads/{foreign}/call", {}).json()["code"], "no_consent")
        self.stack.sandbox("PUT", "behaviour", {"call": "refuse-number", "times": 1})
        self.assertEqual(self.ask(409, "POST", f"/api/leads/{refused}/call", {}).json()["code"], "number_invalid")
        self.stack.sandbox("PUT", "behaviour", {"call": "refuse-key", "times": 1})
        self.assertEqual(self.ask(502, "POST", path, {}).json()["code"], "provider_refused")
        self.assertEqual(self.ask(200, "GET", "/health").json()["status"], "degraded")
        self.assertTrue(self.ask(200, "GET", "/api/analytics/summary").json()["paused"])
        self.ask(200, "POST", "/api/pause", {"paused": False})
        self.ask(200, "POST", path, {})
        self.ask(202, "POST", f"/api/leads/{second}/call", {})
        self.assertEqual(self.ask(409, "POST", path, {}).json()["code"], "call_in_progress")

        self.change("POST", "/api/leads/bulk-call", {"lead_uuids": [first]})
        for body in [{}, {"lead_uuids": []}, {"lead_uuids": [1]}, {"lead_uuids": ["a"] * 5001}, {"leads": []}]:
            self.ask(422, "POST", "/api/leads/bulk-call", body)
        many = [self.add(f"+91987653000{digit}") for digit in range(10)]
        result = self.ask(200, "POST", "/api/leads/bulk-call", {"lead_uuids": many + [NOBODY, foreign]}).json()
        self.assertEqual({error["code"] for error in result["errors"]}, {"not_found", "no_consent"})
        leads = eventually(lambda: self.settled(many + [first, second]), 60)
        for lead in leads.values():
            self.ask(200, "GET", f"/api/leads/{lead['lead_uuid']}/details")
        self.assertEqual({lead["call_status"] for lead in leads.values()}, {"completed", "missed", "failed"})
        self.ask(200, "GET", "/api/leads?limit=500")
        self.ask(200, "GET", "/api/leads/export.csv")

    def settled(self, uuids):
        leads = {lead["lead_uuid"]: lead for lead in self.stack.leads().values() if lead["lead_uuid"] in uuids}
        return None if any(lead["call_status"] in ("pending", "initiated", "answered") for lead in leads.values()) else leads

    def schedules(self):
        lead, path = self.add("+919876540001"), "/api/schedule-bulk-calls"
        plan = {"lead_uuids": [lead], "schedule_time": self.soon(days=1), "parallel_calls": 2, "batch_interval": 60}
        self.change("POST", path, plan)
        self.assertEqual(self.ask(422, "POST", path, plan | {"lead_uuids": [lead, NOBODY]}).json()["unknown"], [NOBODY])
        for wrong in [{"schedule_time": self.soon(days=-1)}, {"parallel_calls": 0}, {"batch_interval": 1.5}, {"lead_uuids": lead}, {"x": 1}]:
            self.ask(422, "POST", path, plan | wrong)
        preview = self.ask(200, "POST", path + "?dry_run=true", plan).json()
        self.assertEqual((preview["total_leads"], preview["will_be_called"]), (1, 1))
        self.ask(400, "POST", path + "?dry_run=perhaps", plan)
        schedule = self.ask(200, "POST", path, plan).json()["schedule_id"]
        listed = self.ask(200, "GET", "/api/scheduled-bulk-calls").json()["schedules"]
        self.assertEqual([entry["status"] for entry in listed], ["pending"])
        self.ask(200, "GET", f"/api/leads/{lead}/details")
        for verb in ["pause", "resume"]:
            hold = f"/api/{verb}-bulk-schedule/{schedule}"
            self.change("POST", hold, {})
            self.ask(422, "POST", hold, {"now": True})
            self.ask(404, "POST", f"/api/{verb}-bulk-schedule/{NOBODY}", {})
            self.assertEqual(self.ask(200, "POST", hold, {}).json()["paused"], verb == "pause")
            self.ask(200, "GET", "/api/scheduled-bulk-calls")
        cancel = f"/api/cancel-bulk-schedule/{schedule}"
        self.change("POST", cancel, {})
        self.ask(422, "POST", cancel, {"now": True})
        self.assertTrue(self.ask(200, "POST", cancel, {}).json()["cancelled"])
        self.assertFalse(self.ask(200, "POST", cancel, {}).json()["cancelled"])
        self.ask(404, "POST", f"/api/cancel-bulk-schedule/{NOBODY}", {})
        for verb in ["pause", "resume"]:
            self.ask(409, "POST", f"/api/{verb}-bulk-schedule/{schedule}", {})
        self.ask(200, "GET", "/api/scheduled-bulk-calls")

        callback = f"/api/leads/{lead}/callback"
        wish = {"callback_time": self.soon(hours=30)}
        self.change("POST", callback, wish)
        self.ask(422, "POST", callback, {"callback_time": "tomorrow"})
        self.ask(404, "POST", f"/api/leads/{NOBODY}/callback", wish)
        self.ask(201, "POST", callback, wish)
        self.ask(200, "GET", f"/api/leads/{lead}/details")
        foreign = self.add("+12025550142")
        self.ask(409, "POST", f"/api/leads/{foreign}/callback", wish)

    def settings(self):
        policy = self.ask(200, "GET", "/api/retry-config").json()
        self.change("POST", "/api/retry-config", policy)
        self.ask(200, "POST", "/api/retry-config", {"retry_intervals": [2, 4, 24]})
        for wrong in [{}, {"max_retry_count": -1}, {"retry_intervals": []}, {"retry_units": "days"}, {"retries": 1}]:
            self.ask(422, "POST", "/api/retry-config", wrong)
        self.ask(200, "POST", "/api/retry-config", policy)
        self.assertFalse(self.ask(200, "GET", "/api/pause").json()["paused"])
        self.change("POST", "/api/pause", {"paused": True})
        for wrong in [{}, {"paused": "yes"}, {"paused": True, "reason": "x" * 201}, {"paused": True, "until": 1}]:
            self.ask(422, "POST", "/api/pause", wrong)
        self.ask(200, "POST", "/api/pause", {"paused": True, "reason": "Exams.", "partner": "Yocket"})
        self.ask(200, "GET", "/api/pause")
        self.ask(200, "POST", "/api/pause", {"paused": False, "partner": "Yocket"})
        self.ask(200, "POST", "/api/pause", {"paused": True, "reason": "Lunch."})
        self.assertEqual(self.ask(200, "GET", "/api/pause").json()["reason"], "Lunch.")
        self.ask(200, "POST", "/api/pause", {"paused": False})

    def figures(self):
        summary = self.ask(200, "GET", "/api/analytics/summary")
        self.ask(304, "GET", "/api/analytics/summary", headers={"If-None-Match": summary.headers["etag"]})
        self.assertGreater(summary.json()["total_cost"], 0)
        for path in ["/health", "/api/version", "/api/journey"]:
            self.ask(200, "GET", path)
        for job in self.ask(200, "GET", "/api/jobs").json()["jobs"]:
            trigger = f"/api/jobs/{job['id']}/trigger"
            self.change("POST", trigger, {})
            self.ask(422, "POST", trigger, {"now": True})
            self.ask(202, "POST", trigger, {})
            self.ask(202, "POST", trigger.replace("_", "-"), {})
        self.ask(404, "POST", "/api/jobs/nothing/trigger", {})

    def webhooks(self):
        path, secret = "/webhook/vapi", re.search("VAPI_WEBHOOK_SECRET=(.+)", (self.stack.state / "env").read_text())[1]
        ours = {"X-Vapi-Secret": secret, **JSON}
        self.ask(401, "POST", path, {"message": {"type": "hang"}})
        for body in [b"", b"{", b'{"message": {}}', b'{"message": {"type": "hang", "type": "hang"}}']:
            self.ask(400, "POST", path, body, ours)
        call = {"id": "call-of-nobody"}
        self.ask(200, "POST", path, {"message": {"type": "status-update", "status": "ended", "call": call}}, ours)
        tool = {"id": "tool-1", "type": "function", "function": {"name": "book_callback", "arguments": {"callback_time": "3 PM"}}}
        answer = self.ask(200, "POST", path, {"message": {"type": "tool-calls", "call": call, "toolCallList": [tool]}}, ours)
        self.assertEqual([result["toolCallId"] for result in answer.json()["results"]], ["tool-1"])

        path = "/webhook/whatsapp"
        token = "hub.mode=subscribe&hub.verify_token=verify-token&hub.challenge=1158201444"
        self.assertEqual(self.ask(200, "GET", f"{path}?{token}").body, b"1158201444")
        self.ask(403, "GET", f"{path}?{token.replace('verify-token', 'guess')}")
        for file in sorted((REPOSITORY / "Tests/Fixtures/whatsapp").glob("*.json")):
            self.ask(200, "POST", path, file.read_bytes(), self.signed(file.read_bytes()))
        self.ask(200, "POST", path, b"{}", self.signed(b"{}"))
        self.ask(400, "POST", path, b"{", self.signed(b"{"))
        self.ask(401, "POST", path, b"{}", {**JSON, "X-Hub-Signature-256": "sha256=" + "0" * 64})
        for lead in self.stack.leads().values():
            self.ask(200, "GET", f"/api/leads/{lead['lead_uuid']}/messages")
        self.ask(200, "GET", "/api/opt-outs/export.csv")

    def signed(self, body):
        digest = hmac.new(b"app-secret", body, hashlib.sha256).hexdigest()
        return {**JSON, "X-Hub-Signature-256": f"sha256={digest}"}

    def methods(self):
        for method, path in list(self.contract.operations):
            for other in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]:
                described = self.contract.methods(path)
                if other not in described and not (other == "HEAD" and "GET" in described):
                    self.ask(405, other, self.address(path), b"{}" if other in ("POST", "PUT", "PATCH") else None, JSON)
            if method == "GET":
                with_body, without = self.stack.get(self.address(path)), self.stack.request("HEAD", self.address(path))
                self.assertEqual((with_body.status, without.body), (without.status, b""), path)

    # -- what nginx answers itself

    def everywhere(self):
        """Every operation with an address of it."""
        return [(method, self.address(path)) for method, path in self.contract.operations]

    def address(self, path):
        return path.replace("{uuid}", NOBODY).replace("{id}", "call_orchestrator" if "jobs" in path else NOBODY)

    def requests_that_go_too_far(self):
        for method, path in self.everywhere():
            self.ask(400, method, f"{path}?a=%zz", b"{}" if method != "GET" else None, JSON)
            self.ask(421, method, path, headers={"Host": "evil.example"})
            self.ask(431, method, path, headers={"Cookie": "a" * 40_000})
            self.ask(414, method, f"{path}?q={'a' * 40_000}")
            if method != "GET":
                size = 51 << 20 if path.endswith("bulk-upload") else 3 * (1 << 20) + 1
                self.ask(413, method, path, b"x" * size, JSON)

    def functions_that_are_gone(self):
        sockets = list((self.stack.state / "run").glob("*.sock"))
        self.assertEqual(len(sockets), len(FUNCTIONS))
        for socket in sockets:
            socket.rename(socket.with_suffix(".aside"))
        try:
            for method, path in self.everywhere():
                self.ask(502, method, path, b"{}" if method != "GET" else None, JSON)
        finally:
            for socket in sockets:
                socket.with_suffix(".aside").rename(socket)

    def too_many_requests(self):
        limits = (REPOSITORY / "nginx/production/limits.conf").read_text()
        with self.nginx(limits=lambda _: re.sub(r"rate=\d+r/s", "rate=1r/m", limits), functions=lambda text: re.sub(r" burst=\d+ nodelay", "", text)):
            for path in ["/health", "/webhook/vapi"]:
                self.stack.get(path)  # the one request that each zone has
            for method, path in self.everywhere():
                self.ask(429, method, path, b"{}" if method != "GET" else None, JSON)

    def functions_that_stand_still(self):
        with self.nginx(functions=lambda text: re.sub(r"fastcgi_read_timeout \d+s", "fastcgi_read_timeout 100ms", text)):
            processes = [self.stack.pid(name) for name in FUNCTIONS]
            for process in processes:
                os.kill(process, signal.SIGSTOP)
            try:
                for method, path in self.everywhere():
                    self.ask(504, method, path, b"{}" if method != "GET" else None, JSON)
            finally:
                for process in processes:
                    os.kill(process, signal.SIGCONT)

    @contextlib.contextmanager
    def nginx(self, **changes):
        """nginx with other files while it lasts, and nobody else who asks it."""
        folder = self.stack.state / "nginx" / "presales"
        before = {name: (folder / f"{name}.conf").read_text() for name in changes}
        self.restart_nginx({name: change(before[name]) for name, change in changes.items()})
        try:
            yield
        finally:
            self.restart_nginx(before)
            eventually(lambda: self.stack.get("/health").status == 200)

    def restart_nginx(self, files):
        for name, text in files.items():
            (self.stack.state / "nginx" / "presales" / f"{name}.conf").write_text(text)
        old = self.stack.pid("nginx")
        os.kill(old, signal.SIGTERM)  # it is started again, with the new files
        eventually(lambda: not is_alive(old) and self.listens(), 60)

    def listens(self):
        try:
            return self.stack.get("/index.html").status == 200
        except OSError:
            return False

    def a_database_that_is_gone(self):
        """Last, because nothing works after it."""
        for file in self.stack.state.glob("presales.db*"):
            file.rename(file.with_name(file.name + ".aside"))
        for name in FUNCTIONS:
            old = self.stack.pid(name)
            os.kill(old, signal.SIGKILL)
            eventually(lambda: self.stack.pid(name) != old)
        now = self.stack.get("/api/jobs").headers["date"]
        later = datetime.datetime.strptime(now, "%a, %d %b %Y %H:%M:%S %Z") + datetime.timedelta(days=30)
        bodies = {
            "addLead": {"name": "Asha", "number": "9876500009"},
            "changeLead": {"name": "Asha"},
            "callLeads": {"lead_uuids": [NOBODY]},
            "createSchedule": {"lead_uuids": [NOBODY], "schedule_time": later.isoformat(), "parallel_calls": 1, "batch_interval": 1},
            "promiseCallback": {"callback_time": later.isoformat()},
            "setRetryConfig": {"max_retry_count": 1},
            "setPause": {"paused": True},
        }
        for (method, path), operation in self.contract.operations.items():
            name = operation["operationId"]
            if "503" not in operation["responses"] or (name, 503) in ELSEWHERE:
                continue
            headers, body = JSON, json.dumps(bodies.get(name, {})).encode()
            if name == "uploadLeads":
                headers = {"Content-Type": "multipart/form-data; boundary=b"}
                body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nnumber\n9876500009\r\n--b--\r\n'
            elif name == "vapiWebhook":
                secret = re.search("VAPI_WEBHOOK_SECRET=(.+)", (self.stack.state / "env").read_text())[1]
                headers, body = {"X-Vapi-Secret": secret, **JSON}, b'{"message": {"type": "hang", "call": {"id": "a"}}}'
            elif name == "whatsappWebhook":
                headers = self.signed(body)
            elif name == "whatsappHandshake":
                continue
            self.ask(503, method, self.address(path), body if method != "GET" else None, headers)


class Unconfigured(unittest.TestCase):
    """What is not set up says so."""

    def test_whatsapp_without_its_settings(self):
        contract = Contract()
        with Stack("--no-demo") as stack:
            for method in ["GET", "POST"]:
                answer = stack.request(method, "/webhook/whatsapp", b"{}" if method == "POST" else None, JSON)
                self.assertEqual(answer.status, 503)
                contract.check(method, "/webhook/whatsapp", answer)
            self.assertEqual(contract.seen, {("whatsappHandshake", 503), ("whatsappWebhook", 503)})


if __name__ == "__main__":
    unittest.main()
