"""Whatever is sent to whichever address: never a 5xx, always a sentence as JSON, and the data stay as they were."""

import hashlib
import hmac
import json
import re
import unittest
import urllib.parse

from contract import SENTENCE, Contract
from stack import Stack, eventually

ENVIRONMENT = {"SANDBOX_SPEED": "50", "WHATSAPP_APP_SECRET": "app-secret", "WHATSAPP_VERIFY_TOKEN": "verify-token"}
NOBODY = "550e8400-e29b-41d4-a716-446655440000"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
MEGABYTE = 1 << 20

# A good body of each operation that takes JSON with something in it.
GOOD = {
    "addLead": {"name": "Bela", "number": "9876500099"},
    "changeLead": {"name": "Bela"},
    "callLeads": {"lead_uuids": [NOBODY]},
    "createSchedule": {"lead_uuids": [NOBODY], "schedule_time": "2026-12-01T12:00:00+05:30", "parallel_calls": 1, "batch_interval": 60},
    "promiseCallback": {"callback_time": "2026-12-01T12:00:00+05:30"},
    "setRetryConfig": {"max_retry_count": 2, "retry_intervals": [1], "retry_units": "hours"},
    "setPause": {"paused": True, "reason": "Lunch."},
    "callLead": {}, "cancelSchedule": {}, "pauseSchedule": {}, "resumeSchedule": {}, "triggerJob": {},
}
# Not JSON, or not JSON of a kind that any address takes.
BROKEN = {
    "nothing": b"", "space": b" ", "half an object": b'{"name": ', "no object": b"[]", "text": b'"name"', "number": b"1", "null": b"null",
    "two objects": b"{}{}", "trailing comma": b'{"name": "a",}', "comment": b'{"name": "a" /* b */}', "single quotes": b"{'name': 'a'}",
    "invalid UTF-8": b'{"name": "\xff\xfe"}', "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"), "a raw line break": b'{"name": "a\nb"}', "NUL": b'{"name": "a\x00b"}', "not a number": b'{"name": NaN}',
    "a huge number": b'{"name": 1e999999}', "100,000 arrays": b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "unclosed": b'{"a":' * 100_000,
    "twice": b'{"name": "a", "number": "1", "name": "b"}', "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
}
WRONG = [None, True, 0, -1, 1.5, 10**30, "", " ", "x" * 10_000, "\u0000", "\u202e\ufeff", [], [None], [[]], [1, "a"], {}, {"a": 1}, ["x"] * 100]
ODD = [
    NOBODY, NOBODY.upper(), "{" + NOBODY + "}", NOBODY.replace("-", ""), "x", "0", "-1", "null", "undefined", "%00", "%ff%fe", "%c0%af", "%F0%9F%98%80",
    "a%2Fb", "%2e%2e%2f", "..%5c", "%252e", "+", "%20", "%0d%0aX:%20y", "'%20OR%201=1--", ";x=1", "a" * 3000, ".hidden", "*", "%E2%80%AE", "export.csv",
    "bulk-call", "bulk-upload",
]
KINDS = [
    None, "", "text/plain", "application/x-www-form-urlencoded", "text/xml", "application/jsonp", "application/json-patch+json", "json", "multipart/form-data",
    "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "b" * 500, "multipart/mixed; boundary=b", "*/*", "\u00e4/\u00f6",
]


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.contract = Contract()
        cls.stack = Stack("--no-demo", environment=ENVIRONMENT)
        cls.addClassCleanup(cls.stack.stop)
        numbers = [f"+9198765000{digit}{digit}" for digit in range(10)]
        rows = [f"{number},Asha {number[-1]},asha{number[-1]}@example.in,Yocket" for number in numbers]
        assert cls.stack.upload("\n".join(["number,name,email,partner", *rows])).json()["rows_added"] == 10
        leads = cls.stack.leads()
        cls.lead = leads[numbers[0]]["lead_uuid"]
        cls.stack.post("/api/leads/bulk-call", {"lead_uuids": [leads[number]["lead_uuid"] for number in numbers]})
        busy = ("pending", "initiated", "answered")
        eventually(lambda: not any(lead["call_status"] in busy for lead in cls.stack.leads().values()), 60)
        cls.secret = re.search("VAPI_WEBHOOK_SECRET=(.+)", (cls.stack.state / "env").read_text())[1]

    def setUp(self):
        self.before = self.data()

    def tearDown(self):
        self.assertEqual(self.data(), self.before)

    def data(self):
        """All that a person can see, but for what time alone changes."""
        seen = {path: self.stack.get(path).json() for path in ["/api/leads?limit=500", "/api/scheduled-bulk-calls", "/api/retry-config", "/api/pause"]}
        for lead in seen["/api/leads?limit=500"]["leads"]:
            details = self.stack.details(lead)
            del details["contact_info"]["local_time"]
            seen[lead["lead_uuid"]] = details
        summary = self.stack.get("/api/analytics/summary").json()
        del summary["now"]
        return seen | {"summary": summary}

    def operations(self, *, bodies=None):
        for (method, path), operation in self.contract.operations.items():
            if bodies is None or ("requestBody" in operation) == bodies:
                yield method, path, operation

    def address(self, path):
        return path.replace("{uuid}", self.lead).replace("{id}", "call_orchestrator" if "jobs" in path else NOBODY)

    def credentials(self, path, body):
        """What proves to a webhook that its own sender sent the body."""
        digest = hmac.new(b"app-secret", body, hashlib.sha256).hexdigest()
        return {"/webhook/vapi": {"X-Vapi-Secret": self.secret}, "/webhook/whatsapp": {"X-Hub-Signature-256": f"sha256={digest}"}}.get(path, {})

    def assert_refused(self, method, path, body=None, headers=None, *, is_described=True):
        answer = self.stack.request(method, path, body, headers)
        what = f"{method} {path[:200]} {str(headers)[:200]} {repr(body)[:200]}: {answer}"
        self.assertIn(answer.status, range(400, 500), what)
        if method != "HEAD":
            self.assertEqual(answer.headers["content-type"].split(";")[0], "application/json", what)
            self.assertIs(answer.json()["success"], False, what)
            self.assertRegex(answer.json()["error"], SENTENCE, what)
        if is_described:
            self.contract.check(method, path, answer)
        return answer

    def test_bodies_that_are_no_json(self):
        for method, path, operation in self.operations(bodies=True):
            for name, body in BROKEN.items():
                is_nothing = not body and GOOD.get(operation["operationId"]) == {}
                is_kept = path == "/webhook/whatsapp"  # whatever is JSON is kept for somebody to look at
                if is_nothing or is_kept and name in ("no object", "text", "number", "null"):
                    continue
                with self.subTest(name, operation=operation["operationId"]):
                    kind = FORM if path.endswith("bulk-upload") else JSON
                    self.assert_refused(method, self.address(path), body, kind | self.credentials(path, body))

    def test_fields_that_are_missing_unknown_or_of_the_wrong_type(self):
        for method, path, operation in self.operations(bodies=True):
            name = operation["operationId"]
            if name not in GOOD:
                continue
            good, count = GOOD[name], 0
            changed = [good | {field: value} for field in good for value in WRONG]
            changed += [{other: good[other] for other in good if other != field} for field in good]
            changed += [good | {"x": 1}, good | {"__proto__": {}}, good | {"": ""}]
            rule = self.contract.rule("paths", path, method.lower(), "requestBody", "content", "application/json", "schema")
            for body in changed:
                try:
                    self.contract.validate("", rule, body)
                except AssertionError:
                    count += 1
                    with self.subTest(operation=name, body=str(body)[:100]):
                        self.assert_refused(method, self.address(path), body)
            self.assertGreaterEqual(count, 2 * len(good) + 3, name)

    def test_fields_of_ten_megabytes(self):
        large = "x" * (10 * MEGABYTE)
        for method, path, operation in self.operations(bodies=True):
            with self.subTest(operation["operationId"]):
                if path.endswith("bulk-upload"):
                    body = f'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nnumber\n{large}\r\n--b--\r\n'.encode()
                    answer = self.assert_refused(method, path, body, FORM)
                    self.assertEqual((answer.status, answer.json()["code"]), (422, "csv_field_too_long"))
                else:
                    body = json.dumps(GOOD.get(operation["operationId"], {}) | {"name": large}).encode()
                    answer = self.assert_refused(method, self.address(path), body, JSON | self.credentials(path, body))
                    self.assertEqual(answer.status, 413)

    def test_parts_of_an_address_that_name_nothing(self):
        for method, path, operation in self.operations():
            if "{" not in path:
                continue
            body = GOOD.get(operation["operationId"], {})
            for odd in ODD:
                address = re.sub(r"{\w+}", lambda _: odd, path)
                # Dots and escaped slashes may make another address of it, which has its own test.
                is_described = self.contract.find(urllib.parse.unquote(address, "latin-1")) == path and ".." not in urllib.parse.unquote(odd)
                with self.subTest(operation=operation["operationId"], part=odd[:60]):
                    self.assert_refused(method, address, body if method != "GET" else None, is_described=is_described)

    def test_queries_that_make_no_sense(self):
        wrong = ["%zz", "%", "%ff", "%00", "nothing", "-1", "0", "1e9", "1;2", "9" * 400, "[]", "2025-13-45", "a=b", "%F0%9F%98%80", "'", "%E2%80%AE"]
        for method, path, operation in self.operations(bodies=False):
            self.assert_refused(method, self.address(path) + "?%zz=1")
            for parameter in operation.get("parameters", []):
                if parameter["in"] != "query" or "/leads" not in path or parameter["schema"] == {"type": "string"}:
                    continue
                for value in wrong:
                    decoded = urllib.parse.unquote(value)
                    is_number = parameter["name"] == "limit" and re.fullmatch("-?[0-9]{1,18}", decoded)
                    try:
                        self.contract.validate("", self.contract.within(parameter["schema"]), int(decoded) if is_number else decoded)
                    except AssertionError:
                        with self.subTest(operation=operation["operationId"], parameter=parameter["name"], value=value[:40]):
                            self.assert_refused(method, f"{path}?{parameter['name']}={value}")
            if path in ("/api/leads", "/api/leads/export.csv"):
                for query in ["x=1", "status=pending&status=missed", "q=" + "a" * 500, "q=%ff", "q=...", "cursor=W10", "cursor=" + "A" * 5000, "from=2025-02-01&to=2025-01-01"]:
                    if "cursor" not in query or path == "/api/leads":
                        with self.subTest(operation=operation["operationId"], query=query[:40]):
                            self.assert_refused(method, f"{path}?{query}")

    def test_methods_that_an_address_does_not_take(self):
        for path in sorted({path for _, path, _ in self.operations()}):
            described = self.contract.methods(path)
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW"]:
                if method in described or method == "HEAD" and "GET" in described:
                    continue
                with self.subTest(path, method=method):
                    body = None if method in ("GET", "HEAD", "TRACE") else b"{}"
                    # TRACE is refused by nginx, which does not know what the address takes.
                    answer = self.assert_refused(method, self.address(path), body, JSON, is_described=method != "TRACE")
                    self.assertEqual(answer.status, 405)

    def test_content_types_that_are_not_taken(self):
        for method, path, operation in self.operations(bodies=True):
            for kind in KINDS:
                if path.startswith("/webhook"):
                    continue  # their senders prove themselves; the body alone counts
                with self.subTest(operation=operation["operationId"], kind=kind):
                    body = json.dumps(GOOD.get(operation["operationId"], {})).encode()
                    headers = {"Content-Type": kind.encode()} if kind is not None else {}
                    answer = self.assert_refused(method, self.address(path), body, headers)
                    self.assertIn(answer.status, (400, 415))

    def test_events_that_make_no_sense_change_nothing(self):
        """A webhook keeps what it does not understand and says that it has it."""
        values = [None, True, -1, 1.5, 10**18, "", "x" * 1000, "\u202e", [], {}, [{}], {"a": []}]
        fields = {
            "status-update": ["status", "endedReason", "call", "timestamp", "artifact"],
            "end-of-call-report": ["endedReason", "call", "analysis", "artifact", "durationSeconds", "cost", "startedAt", "endedAt"],
            "tool-calls": ["toolCallList", "toolCalls", "call"],
        }
        vapi = [{"message": {"type": kind, field: value}} for kind in fields for field in fields[kind] for value in values]
        vapi += [{"message": {"type": value}} for value in values] + [{"message": value} for value in values]
        people = {"messages": [{"id": "a", "from": "1", "type": "text", "text": {"body": "hi"}}], "contacts": [{"wa_id": "1"}]}
        changes = [people | {field: value} for field in ["messages", "contacts", "statuses", "user_preferences"] for value in values]
        whatsapp = [{"object": "whatsapp_business_account", "entry": [{"changes": [{"value": change}]}]} for change in changes]
        whatsapp += [{"object": value, "entry": value} for value in values] + [{"object": "whatsapp_business_account", "entry": value} for value in values]
        for path, events in [("/webhook/vapi", vapi), ("/webhook/whatsapp", whatsapp)]:
            for event in events:
                with self.subTest(path, event=str(event)[:120]):
                    body = json.dumps(event).encode()
                    answer = self.stack.request("POST", path, body, JSON | self.credentials(path, body))
                    self.assertIn(answer.status, (200, 400), answer)
                    self.contract.check("POST", path, answer)


if __name__ == "__main__":
    unittest.main()
