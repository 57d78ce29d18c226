#!/usr/bin/env python3
"""The simulated telephone keeps the contract: what it accepts, what it sends, how it misbehaves.

    SANDBOX_BIN=.build/debug/sandbox python3 Tests/SandboxTests/test_sandbox.py

Standard library only. Each test starts its own sandbox on a free port with its own folder.
"""
import hashlib
import hmac
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import uuid
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BIN = os.environ.get("SANDBOX_BIN", "")
KEY = "test-key"
SECRET = "webhook-secret"
E164 = (
    "customer.number must be a valid phone number in the E.164 format. Hot tip, you may be "
    "missing the country code (Eg. US: +1)."
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, seconds=10):
    """The first true value of a condition; fails the test when it stays false."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def milliseconds(iso):
    return datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp() * 1000


class Receiver:
    """Takes the sandbox's webhooks; `answers` are the statuses of the next ones, then 200."""

    def __init__(self):
        receiver = self
        self.posts, self.answers, self.tool_reply = [], [], None

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                message = json.loads(raw)["message"]
                receiver.posts.append((message, dict(self.headers), raw))
                status = receiver.answers.pop(0) if receiver.answers else 200
                body = b"{}"
                if message["type"] == "tool-calls" and receiver.tool_reply:
                    body = json.dumps(receiver.tool_reply(message)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhook/vapi"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def events(self, call=None):
        """`type` or `status-update:STATUS` of each message, in the order they came."""
        return [
            m["type"] + (":" + m["status"] if m["type"] == "status-update" else "")
            for m, _, _ in list(self.posts)
            if call is None or m["call"]["id"] == call
        ]

    def message(self, event):
        for m, _, _ in list(self.posts):
            if event in (m["type"], f"{m['type']}:{m.get('status')}"):
                return m
        return None


class Sandbox:
    def __init__(self, **environment):
        self.folder = tempfile.TemporaryDirectory()
        self.port = free_port()
        self.offset = os.path.join(self.folder.name, "offset")
        self.environment = {
            "PATH": os.environ.get("PATH", ""),
            "SANDBOX_PORT": str(self.port),
            "SANDBOX_STATE": os.path.join(self.folder.name, "state"),
            "CLOCK_OFFSET_FILE": self.offset,
            "VAPI_API_KEY": KEY,
            "VAPI_WEBHOOK_SECRET": SECRET,
            **environment,
        }
        self.process = subprocess.Popen(
            [BIN], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until(self.is_open)

    def is_open(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=10)
        self.folder.cleanup()

    def request(self, method, path, body=None, key=KEY, timeout=10):
        """-> (status, body, headers)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        is_json = "json" in response.getheader("Content-Type", "") and "nd" not in \
            response.getheader("Content-Type", "")
        return response.status, json.loads(raw) if is_json else raw, response.headers

    def behave(self, **behaviour):
        status, body, _ = self.request("PUT", "/sandbox/behaviour", behaviour, key=None)
        assert status == 200, body

    def state(self):
        return self.request("GET", "/sandbox/state", key=None)[1]

    def ledger(self, event=None):
        raw = self.request("GET", "/sandbox/ledger", key=None)[1]
        lines = [json.loads(line) for line in raw.splitlines()]
        return [line for line in lines if event in (None, line["event"])]


def call(number="+919876543210", url=None, **more):
    """A body like the dialer's; `more` goes into the overrides."""
    overrides = {
        "variableValues": {"name": "Asha", "partner": "Physics Wallah"},
        "metadata": {"attemptId": str(uuid.uuid4()), "lead_uuid": str(uuid.uuid4())},
        "serverMessages": ["status-update", "end-of-call-report", "tool-calls"],
        **more,
    }
    if url:
        overrides["server"] = {
            "url": url, "timeoutSeconds": 5,
            "backoffPlan": {"type": "exponential", "maxRetries": 5, "baseDelaySeconds": 1,
                            "excludedStatusCodes": [400, 401, 404]},
        }
    return {
        "assistantId": "4a170597-a0c2-4657-8c32-cb93f080cead",
        "phoneNumberId": "c6ea6cb0-0dfb-4a65-918f-6a33abb54b64",
        "customer": {"number": number, "name": "Asha Rao"},
        "assistantOverrides": overrides,
    }


def tool(name, properties, url=None):
    definition = {
        "type": "function",
        "function": {"name": name, "description": "…",
                     "parameters": {"type": "object", "properties": properties}},
    }
    if url:
        definition["server"] = {"url": url}
    return definition


class SandboxTest(unittest.TestCase):
    environment = {"SANDBOX_SPEED": "40"}

    def setUp(self):
        self.sandbox = self.start()
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)

    def start(self, **environment):
        sandbox = Sandbox(**{**self.environment, **environment})
        self.addCleanup(sandbox.close)
        return sandbox

    def place(self, body, status=201):
        got, answer, _ = self.sandbox.request("POST", "/call", body)
        self.assertEqual(got, status, answer)
        return answer

    def report(self, body):
        """Places a call and waits for its end-of-call report."""
        self.receiver.posts.clear()
        self.place(body)
        return until(lambda: self.receiver.message("end-of-call-report"))

    def refused(self, body, *messages):
        status, answer, _ = self.sandbox.request("POST", "/call", body)
        self.assertEqual(status, 400, answer)
        self.assertEqual((answer["error"], answer["statusCode"]), ("Bad Request", 400))
        if messages:
            self.assertEqual(answer["message"], list(messages))
        return answer["message"]


class WhatItAccepts(SandboxTest):
    environment = {"SANDBOX_INSTANT": "1"}

    def test_a_good_call_is_created_with_limits_and_a_control_url(self):
        body = call()
        answer = self.place(body)
        self.assertEqual(answer["status"], "queued")
        self.assertEqual(answer["type"], "outboundPhoneCall")
        self.assertEqual(answer["customer"], body["customer"])
        self.assertEqual(
            answer["assistantOverrides"]["metadata"], body["assistantOverrides"]["metadata"])
        self.assertEqual(
            answer["subscriptionLimits"],
            {"concurrencyBlocked": False, "concurrencyLimit": 10, "remainingConcurrentCalls": 9})
        self.assertTrue(
            answer["monitor"]["controlUrl"].startswith(f"http://127.0.0.1:{self.sandbox.port}/"))

    def test_the_whole_contract_example_is_accepted(self):
        self.place({
            "name": "camp-42 attempt-1",
            "assistantId": "4a170597-a0c2-4657-8c32-cb93f080cead",
            "phoneNumberId": "c6ea6cb0-0dfb-4a65-918f-6a33abb54b64",
            "customer": {"number": "+919876543210", "numberE164CheckEnabled": True,
                         "name": "Asha Rao", "email": "asha@example.in",
                         "externalId": "0b9f6a1e-3c1d-4c1f-9d3e-9a1f6f0c2b11"},
            "assistantOverrides": {
                "variableValues": {"lead_name": "Asha"}, "metadata": {"attempt": 1},
                "firstMessage": "Hi {{lead_name}}", "maxDurationSeconds": 420,
                "serverMessages": ["status-update", "end-of-call-report", "tool-calls", "hang"],
                "server": {"url": self.receiver.url, "timeoutSeconds": 20,
                           "credentialId": "550e8400-e29b-41d4-a716-446655440000",
                           "backoffPlan": {"type": "exponential", "maxRetries": 5,
                                           "baseDelaySeconds": 2, "excludedStatusCodes": []}},
                "voicemailDetection": {"provider": "vapi", "beepMaxAwaitSeconds": 25,
                                       "backoffPlan": {"startAtSeconds": 2,
                                                       "frequencySeconds": 2.5, "maxRetries": 5}},
                "voicemailMessage": "Hi, this is Acme.",
                "artifactPlan": {"structuredOutputIds": ["7c4b6f2e"], "recordingEnabled": True},
                "tools:append": [tool("book_callback", {"when_iso": {"type": "string"}})],
            },
        })

    def test_an_unknown_property_is_refused_by_name_at_any_depth(self):
        self.refused({**call(), "customVariables": {}}, "property customVariables should not exist")
        self.refused({**call(), "metadata": {}}, "property metadata should not exist")
        self.refused(
            call(customVariables={}), "assistantOverrides.property customVariables should not exist")
        self.refused(
            call(server={"url": "http://x", "secret": "s"}),
            "assistantOverrides.server.property secret should not exist")
        body = call()
        body["customer"]["phone"] = "1"
        self.refused(body, "customer.property phone should not exist")

    def test_a_number_must_be_e164_unless_the_check_is_off(self):
        for number in ["9876543210", "+0123456789", "+91 98765 43210", "+12345", "+" + "1" * 16]:
            self.refused(call(number), E164)
        body = call("12345")
        body["customer"]["numberE164CheckEnabled"] = False
        self.place(body)
        body["customer"]["number"] = "12"
        self.refused(body, "customer.number must be longer than or equal to 3 characters")

    def test_lengths_and_ranges_are_checked(self):
        body = call()
        for path, value, message in [
            (("name",), "n" * 41, "name must be shorter than or equal to 40 characters"),
            (("customer", "name"), "n" * 41,
             "customer.name must be shorter than or equal to 40 characters"),
            (("customer", "email"), "e" * 41,
             "customer.email must be shorter than or equal to 40 characters"),
            (("assistantOverrides", "maxDurationSeconds"), 9,
             "assistantOverrides.maxDurationSeconds must not be less than 10"),
            (("assistantOverrides", "maxDurationSeconds"), "420",
             "assistantOverrides.maxDurationSeconds must be a number conforming to the specified "
             "constraints"),
            (("assistantOverrides", "voicemailMessage"), "v" * 1001,
             "assistantOverrides.voicemailMessage must be shorter than or equal to 1000 characters"),
            (("assistantOverrides", "server"), {"url": "http://x", "timeoutSeconds": 301},
             "assistantOverrides.server.timeoutSeconds must not be greater than 300"),
            (("assistantOverrides", "server"),
             {"url": "http://x", "backoffPlan": {"type": "fixed", "maxRetries": 11,
                                                 "baseDelaySeconds": 1}},
             "assistantOverrides.server.backoffPlan.maxRetries must not be greater than 10"),
            (("schedulePlan",), {"latestAt": "2026-11-23T06:30:00Z"},
             "schedulePlan.earliestAt must be a valid ISO 8601 date string"),
        ]:
            with self.subTest(path):
                broken = json.loads(json.dumps(body))
                target = broken
                for key in path[:-1]:
                    target = target[key]
                target[path[-1]] = value
                self.refused(broken, message)

    def test_exactly_one_target_one_recipient_and_a_phone_are_needed(self):
        without_phone = call()
        del without_phone["phoneNumberId"]
        self.assertEqual(
            self.refused(without_phone),
            "Couldn't Get Phone Number. Need Either `phoneNumberId` Or `phoneNumber`.")
        without_target = call()
        del without_target["assistantId"]
        self.assertIn("Need Either `assistantId`", self.refused(without_target))
        self.assertIn("Exactly One", self.refused({**call(), "squadId": "s"}))
        without_customer = call()
        del without_customer["customer"]
        self.assertIn("Need Either `customer`", self.refused(without_customer))
        self.assertIn("Exactly One", self.refused({**call(), "customerId": "c"}))

    def test_an_unknown_server_message_is_refused(self):
        message = self.refused(call(serverMessages=["status-update", "end-of-call"]))
        self.assertIn("each value in assistantOverrides.serverMessages must be one of", message[0])

    def test_another_key_is_refused_in_vapis_words(self):
        for key in ["wrong", None]:
            for method, path in [("POST", "/call"), ("GET", "/call"), ("GET", "/call/x")]:
                status, answer, _ = self.sandbox.request(method, path, {}, key=key)
                self.assertEqual(status, 401)
                self.assertEqual(
                    answer["message"],
                    "Invalid Key. Hot tip, you may be using the private key instead of the public "
                    "key, or vice versa.")

    def test_a_body_that_is_no_json_is_a_400(self):
        for raw in [b"{", b'{"a":1,}', b"[1 2]", b'{"a":01}', b"\xff"]:
            self.assertEqual(self.sandbox.request("POST", "/call", raw)[0], 400)

    def test_a_batch_answers_with_one_result_a_customer(self):
        body = call(url=self.receiver.url)
        del body["customer"]
        body["customers"] = [{"number": "+919876543214"}, {"number": "+919876543215"}]
        answer = self.place(body)
        self.assertEqual(
            [c["customer"]["number"] for c in answer["results"]],
            ["+919876543214", "+919876543215"])
        self.assertEqual(answer["errors"], [])
        until(lambda: self.receiver.events().count("end-of-call-report") == 2)


class HowCallsGo(SandboxTest):
    outcomes = {
        "0": ("Qualified", None), "1": ("Qualified", None), "2": ("Potential", None),
        "3": ("Not Qualified", None), "4": (None, ["customer-did-not-answer"]),
        "5": (None, ["customer-busy"]), "6": (None, ["voicemail"]),
        "7": (None, ["twilio-failed-to-connect-call",
                     "call.in-progress.error-providerfault-outbound-sip-503-service-unavailable"]),
        "8": ("Not Qualified", None), "9": ("Potential", None),
    }

    def test_the_last_digit_decides(self):
        for digit, (status, reasons) in self.outcomes.items():
            with self.subTest(digit):
                report = self.report(call("+91987654321" + digit, self.receiver.url))
                outputs = list(report["artifact"].get("structuredOutputs", {}).values())
                self.assertIn(
                    report["endedReason"],
                    reasons or ["customer-ended-call", "assistant-ended-call"])
                if status is None:
                    self.assertEqual(outputs, [])
                    continue
                self.assertEqual(outputs[0]["name"], "Lead qualification")
                result = outputs[0]["result"]
                self.assertEqual(
                    set(result), {"success_status", "country", "university", "intake",
                                  "visa_status", "budget", "declined", "callback_time"})
                self.assertEqual(result["success_status"], status)
                self.assertIs(result["declined"], digit == "8")
                if digit == "9":
                    self.assertTrue(result["callback_time"].endswith("+05:30"))
                    self.assertGreater(
                        milliseconds(result["callback_time"]), report["timestamp"])
                else:
                    self.assertIsNone(result["callback_time"])

    def test_a_conversation_is_complete_and_its_times_add_up(self):
        report = self.report(call("+919876543210", self.receiver.url))
        artifact = report["artifact"]
        messages = artifact["messages"]
        self.assertEqual(messages[0]["role"], "system")
        self.assertIn("Physics Wallah", messages[0]["message"])
        self.assertGreater(len(messages), 10)
        self.assertEqual({m["role"] for m in messages[1:]}, {"bot", "user"})
        self.assertIn("Eshwari", messages[1]["message"])
        self.assertTrue(any("Asha" in m["message"] for m in messages[1:]))
        self.assertNotIn("{", json.dumps([m["message"] for m in messages]))
        started, ended = milliseconds(report["startedAt"]), milliseconds(report["endedAt"])
        self.assertAlmostEqual(ended - started, report["durationSeconds"] * 1000, delta=2)
        self.assertEqual(report["durationMs"], round(report["durationSeconds"] * 1000))
        self.assertGreater(report["durationSeconds"], 20)
        for earlier, later in zip(messages, messages[1:]):
            self.assertLessEqual(earlier["time"], later["time"])
        self.assertGreaterEqual(messages[0]["time"], started - 1)
        self.assertLessEqual(messages[-1]["endTime"], ended + 1)
        self.assertEqual(artifact["transcript"].splitlines()[0][:4], "AI: ")
        self.assertIn("\nUser: ", artifact["transcript"])
        self.assertEqual(
            [m["role"] for m in artifact["messagesOpenAIFormatted"]][:2], ["system", "assistant"])
        self.assertTrue(report["analysis"]["summary"].startswith("Asha"))
        parts = report["costBreakdown"]
        total = sum(parts[p] for p in ("transport", "stt", "llm", "tts", "vapi"))
        self.assertAlmostEqual(parts["total"], total, places=4)
        self.assertEqual(report["cost"], parts["total"])
        self.assertNotIn("analysis", artifact)

    def test_the_same_number_has_the_same_conversation_and_others_differ(self):
        first, again = (
            self.report(call("+919000000010", self.receiver.url))["artifact"]["transcript"]
            for _ in range(2))
        self.assertEqual(first, again)
        others = {
            self.report(call(f"+9190000000{i}0", self.receiver.url))["artifact"]["transcript"]
            for i in range(2, 8)}
        self.assertGreater(len(others), 3)

    def test_the_first_message_is_the_callers_with_its_variables(self):
        report = self.report(call(
            "+919876543210", self.receiver.url,
            firstMessage="Namaste {{ name }} from {{partner}}, {{customer.name}}!"))
        self.assertEqual(
            report["artifact"]["messages"][1]["message"],
            "Namaste Asha from Physics Wallah, Asha Rao!")

    def test_events_come_in_order_and_only_those_that_were_listed(self):
        body = call("+919876543210", self.receiver.url)
        self.report(body)
        self.assertEqual(self.receiver.events(), [
            "status-update:ringing", "status-update:in-progress", "status-update:ended",
            "end-of-call-report"])
        ended = self.receiver.message("status-update:ended")
        self.assertIn("endedReason", ended)
        self.assertNotEqual(ended["call"]["status"], "ended")
        self.assertNotIn("endedReason", self.receiver.message("status-update:ringing"))
        self.assertEqual(
            ended["call"]["assistantOverrides"]["metadata"],
            body["assistantOverrides"]["metadata"])
        body["assistantOverrides"]["serverMessages"] = ["end-of-call-report"]
        self.report(body)
        self.assertEqual(self.receiver.events(), ["end-of-call-report"])

    def test_a_call_that_never_connects_has_a_report_without_messages(self):
        for digit in "457":
            report = self.report(call("+91987654321" + digit, self.receiver.url))
            self.assertEqual(report["artifact"]["messages"], [])
            self.assertEqual((report["durationSeconds"], report["cost"]), (0, 0))
            self.assertNotIn("startedAt", report)
            self.assertNotIn("status-update:in-progress", self.receiver.events())
            self.assertEqual(self.receiver.events()[-2:], [
                "status-update:ended", "end-of-call-report"])

    def test_get_tells_the_same_as_the_report(self):
        report = self.report(call("+919876543212", self.receiver.url))
        identifier = report["call"]["id"]
        status, body, _ = self.sandbox.request("GET", f"/call/{identifier}")
        self.assertEqual((status, body["status"]), (200, "ended"))
        for key in ("endedReason", "startedAt", "endedAt", "cost", "costBreakdown", "analysis"):
            self.assertEqual(body[key], report[key], key)
        self.assertEqual(
            body["artifact"]["structuredOutputs"], report["artifact"]["structuredOutputs"])
        self.assertEqual(self.sandbox.request("GET", "/call/unknown")[0], 404)

    def test_a_wish_to_be_called_back_uses_the_tool_the_call_has(self):
        self.receiver.tool_reply = lambda m: {"results": [{
            "name": "book_callback", "toolCallId": m["toolCallList"][0]["id"],
            "result": "Callback booked."}]}
        properties = {"when_iso": {"type": "string"}, "notes": {"type": "string"}}
        report = self.report(call(
            "+919876543219", self.receiver.url,
            **{"tools:append": [tool("book_callback", properties)]}))
        request = self.receiver.message("tool-calls")["toolCallList"][0]
        arguments = request["function"]["arguments"]
        result = list(report["artifact"]["structuredOutputs"].values())[0]["result"]
        self.assertEqual(arguments["when_iso"], result["callback_time"])
        self.assertEqual(set(arguments), set(properties))
        events = self.receiver.events()
        self.assertLess(events.index("tool-calls"), events.index("status-update:ended"))
        results = [m for m in report["artifact"]["messages"] if m["role"] == "tool_call_result"]
        self.assertEqual(
            [(r["toolCallId"], r["result"]) for r in results],
            [(request["id"], "Callback booked.")])

    def test_a_tool_that_fails_is_said_aloud(self):
        self.receiver.tool_reply = lambda m: {"results": [{
            "toolCallId": m["toolCallList"][0]["id"], "error": "That is too late."}]}
        report = self.report(call(
            "+919876543219", self.receiver.url, **{"tools:append": [tool("book_callback", {})]}))
        self.assertIn("That is too late.", report["artifact"]["transcript"])

    def test_declining_uses_opt_out_only_when_the_call_has_it(self):
        self.report(call("+919876543218", self.receiver.url))
        self.assertNotIn("tool-calls", self.receiver.events())
        other = Receiver()
        self.addCleanup(other.close)
        self.report(call(
            "+919876543218", self.receiver.url,
            **{"tools:append": [tool("opt_out", {"reason": {"type": "string"}}, other.url)]}))
        self.assertEqual(other.events(), ["tool-calls"])
        self.assertNotIn("tool-calls", self.receiver.events())
        self.assertIn("reason", other.posts[0][0]["toolCallList"][0]["function"]["arguments"])

    def test_a_recording_is_a_wav_behind_a_short_lived_url(self):
        report = self.report(call("+919876543210", self.receiver.url))
        path = urllib.parse.urlparse(report["artifact"]["recordingUrl"]).path
        status, wav, headers = self.sandbox.request("GET", path, key=None)
        self.assertEqual((status, wav[:4], wav[8:12]), (200, b"RIFF", b"WAVE"))
        self.assertEqual(headers["Content-Type"], "audio/wav")
        endpoint = f"/call/{report['call']['id']}/mono-recording"
        self.assertEqual(self.sandbox.request("GET", endpoint, key=None)[0], 401)
        status, _, headers = self.sandbox.request("GET", endpoint)
        self.assertEqual(status, 302)
        short_lived = headers["Location"].replace(f"http://127.0.0.1:{self.sandbox.port}", "")
        self.assertEqual(self.sandbox.request("GET", short_lived, key=None)[1], wav)
        self.assertEqual(self.sandbox.request("GET", short_lived[:-1] + "x", key=None)[0], 403)
        with open(self.sandbox.offset, "w") as file:
            file.write(str(2 * 3600 * 1000))
        self.assertEqual(self.sandbox.request("GET", short_lived, key=None)[0], 403)


class HowItSendsWebhooks(SandboxTest):
    environment = {"SANDBOX_INSTANT": "1"}

    def test_the_secret_header_is_the_default(self):
        self.report(call(url=self.receiver.url))
        self.assertEqual({h["X-Vapi-Secret"] for _, h, _ in self.receiver.posts}, {SECRET})

    def test_a_bearer_token_can_be_used(self):
        self.sandbox = self.start(SANDBOX_WEBHOOK_AUTH="bearer")
        self.report(call(url=self.receiver.url))
        self.assertEqual({h["Authorization"] for _, h, _ in self.receiver.posts},
                         {f"Bearer {SECRET}"})

    def test_an_hmac_can_be_used_and_follows_the_simulated_clock(self):
        self.sandbox = self.start(SANDBOX_WEBHOOK_AUTH="hmac")
        with open(self.sandbox.offset, "w") as file:
            file.write(str(30 * 86_400_000))
        self.report(call(url=self.receiver.url))
        for _, headers, raw in self.receiver.posts:
            stamp = {k.lower(): v for k, v in headers.items()}
            expected = hmac.new(
                SECRET.encode(), f"{stamp['x-timestamp']}.".encode() + raw, hashlib.sha256)
            self.assertEqual(stamp["x-signature"], expected.hexdigest())
            self.assertAlmostEqual(
                int(stamp["x-timestamp"]), time.time() * 1000 + 30 * 86_400_000, delta=10_000)

    def test_a_failed_message_is_sent_again_as_the_backoff_plan_says(self):
        self.receiver.answers = [503, 500, 200]
        self.place(call("+919876543214", self.receiver.url,
                        serverMessages=["end-of-call-report"]))
        until(lambda: self.sandbox.ledger("webhook_delivered"))
        self.assertEqual(
            [(l["event"], l["try"], l["status"]) for l in self.sandbox.ledger() if "webhook" in l],
            [("webhook_failed", 1, 503), ("webhook_failed", 2, 500), ("webhook_delivered", 3, 200)])

    def test_an_excluded_status_and_a_missing_plan_are_not_retried(self):
        self.receiver.answers = [401]
        self.report(call("+919876543214", self.receiver.url))
        body = call("+919876543214", self.receiver.url)
        del body["assistantOverrides"]["server"]["backoffPlan"]
        self.receiver.answers = [500]
        self.report(body)
        until(lambda: self.sandbox.state()["running"] == 0)
        self.assertEqual(
            [(l["webhook"], l["status"], l["try"]) for l in self.sandbox.ledger("webhook_failed")],
            [("status-update:ringing", 401, 1), ("status-update:ringing", 500, 1)])
        self.assertEqual({l["try"] for l in self.sandbox.ledger("webhook_delivered")}, {1})

    def test_the_delay_doubles_in_real_time(self):
        self.sandbox = self.start(SANDBOX_INSTANT="", SANDBOX_SPEED="10")
        self.receiver.answers = [500, 500, 500]
        self.place(call("+919876543214", self.receiver.url,
                        serverMessages=["end-of-call-report"]))
        until(lambda: len(self.sandbox.ledger("webhook_delivered")) == 1)
        times = [l["real_at"] for l in self.sandbox.ledger() if "webhook" in l]
        gaps = [b - a for a, b in zip(times, times[1:])]
        for gap, expected in zip(gaps, [100, 200, 400]):
            self.assertGreaterEqual(gap, expected * 0.9)

    def test_webhooks_can_be_duplicated_dropped_reordered_or_absent(self):
        all_events = ["status-update:ringing", "status-update:in-progress", "status-update:ended",
                      "end-of-call-report"]
        for mode, expected in [
            ("answer", all_events),
            ("duplicate", [e for e in all_events for _ in range(2)]),
            ("drop", all_events[:2]),
            ("reorder", all_events[::-1]),
            ("none", []),
        ]:
            with self.subTest(mode):
                self.sandbox.behave(webhooks=mode)
                self.receiver.posts.clear()
                self.place(call(url=self.receiver.url))
                until(lambda: self.sandbox.state()["running"] == 0)
                self.assertEqual(self.receiver.events(), expected)

    def test_a_duplicated_report_has_other_presigned_urls(self):
        self.sandbox.behave(webhooks="duplicate", events=["end-of-call-report"])
        self.place(call(url=self.receiver.url))
        until(lambda: self.receiver.events().count("end-of-call-report") == 2)
        reports = [m for m, _, _ in self.receiver.posts if m["type"] == "end-of-call-report"]
        self.assertNotEqual(*(r["artifact"]["presignedMonoUrl"] for r in reports))
        self.assertEqual(*(r["artifact"]["transcript"] for r in reports))

    def test_a_behaviour_lasts_for_its_times_and_its_numbers(self):
        self.sandbox.behave(
            webhooks="drop", events=["end-of-call-report"], times=1, numbers=["+919876543214"])
        for number, reports in [("+919876543215", 1), ("+919876543214", 0), ("+919876543214", 1)]:
            self.receiver.posts.clear()
            self.place(call(number, self.receiver.url))
            until(lambda: self.sandbox.state()["running"] == 0)
            self.assertEqual(self.receiver.events().count("end-of-call-report"), reports)


class HowItMisbehaves(SandboxTest):
    environment = {"SANDBOX_INSTANT": "1"}

    def test_refusals_have_vapis_status_and_accept_nothing(self):
        for mode, status, text in [
            ("refuse-number", 400, "E.164"), ("refuse-key", 401, "Invalid Key"),
            ("refuse-credits", 400, "Credits"), ("over-concurrency", 400, "Over Concurrency Limit"),
            ("rate-limit", 429, "Rate limit exceeded"), ("error-500", 500, "Internal"),
        ]:
            with self.subTest(mode):
                self.sandbox.behave(call=mode, times=1, delay_ms=3000)
                got, answer, headers = self.sandbox.request("POST", "/call", call())
                self.assertEqual(got, status)
                self.assertIn(text, json.dumps(answer["message"]))
                self.assertEqual(headers.get("Retry-After"), "3" if status == 429 else None)
        self.assertEqual(self.sandbox.state()["total_accepted"], 0)
        self.assertEqual(
            [l["status"] for l in self.sandbox.ledger("call_refused")],
            [400, 401, 400, 400, 429, 500])
        self.place(call())

    def test_a_dropped_connection_accepts_nothing_or_everything(self):
        for mode, accepted in [("drop", 0), ("accept-then-drop", 1)]:
            with self.subTest(mode):
                before = self.sandbox.state()["total_accepted"]
                self.sandbox.behave(call=mode, times=1)
                body = call(url=self.receiver.url)
                with self.assertRaises((http.client.BadStatusLine, ConnectionError)):
                    self.sandbox.request("POST", "/call", body)
                self.assertEqual(self.sandbox.state()["total_accepted"] - before, accepted)
        attempt = body["assistantOverrides"]["metadata"]["attemptId"]
        listed = self.sandbox.request("GET", "/call")[1]
        self.assertEqual(
            [c["assistantOverrides"]["metadata"]["attemptId"] for c in listed], [attempt])
        until(lambda: "end-of-call-report" in self.receiver.events())

    def test_a_hanging_call_takes_place_although_nobody_answers(self):
        self.sandbox.behave(call="hang", times=1)
        with self.assertRaises(TimeoutError):
            self.sandbox.request("POST", "/call", call(url=self.receiver.url), timeout=0.5)
        until(lambda: "end-of-call-report" in self.receiver.events())
        line, = self.sandbox.ledger("call_accepted")
        self.assertIsNone(line["status"])

    def test_a_500_can_hide_an_accepted_call(self):
        self.sandbox.behave(call="accept-then-500", times=1)
        self.assertEqual(self.sandbox.request("POST", "/call", call())[0], 500)
        self.assertEqual(self.sandbox.state()["total_accepted"], 1)

    def test_a_late_answer_comes_after_the_webhooks(self):
        self.sandbox.behave(call="late", delay_ms=300, times=1)
        start = time.monotonic()
        self.place(call(url=self.receiver.url))
        self.assertGreater(time.monotonic() - start, 0.29)
        self.assertIn("status-update:ringing", self.receiver.events())

    def test_the_list_can_fail_or_hang(self):
        self.sandbox.behave(list="error-500", times=2)
        self.assertEqual([self.sandbox.request("GET", "/call")[0] for _ in range(3)],
                         [500, 500, 200])
        self.sandbox.behave(list="hang", times=1)
        with self.assertRaises(TimeoutError):
            self.sandbox.request("GET", "/call", timeout=0.3)

    def test_any_ended_reason_can_be_forced(self):
        self.sandbox.behave(ended_reason="call.start.error-get-customer", connected=False)
        report = self.report(call(url=self.receiver.url))
        self.assertEqual(report["endedReason"], "call.start.error-get-customer")
        self.assertEqual(report["artifact"]["messages"], [])
        self.assertEqual(
            self.receiver.events(), ["status-update:ended", "end-of-call-report"])
        self.sandbox.behave(ended_reason="pipeline-error-openai-503-server-overloaded-error")
        report = self.report(call(url=self.receiver.url))
        self.assertGreater(len(report["artifact"]["messages"]), 2)

    def test_a_wrong_behaviour_is_refused_and_changes_nothing(self):
        for wrong in [{"call": "explode"}, {"calls": "answer"}, {"times": 0}, {"delay_ms": -1}, []]:
            self.assertEqual(
                self.sandbox.request("PUT", "/sandbox/behaviour", wrong, key=None)[0], 400)
        self.place(call())


class HowManyCallsThereAre(SandboxTest):
    environment = {"SANDBOX_SPEED": "0.05", "VAPI_CONCURRENT_LIMIT": "2"}

    def finish(self, **wish):
        return self.sandbox.request("POST", "/sandbox/finish", wish, key=None)[1]["ended"]

    def test_a_call_over_the_limit_is_created_but_blocked(self):
        self.sandbox = self.start(SANDBOX_SPEED="1")
        answers = [self.place(call(url=self.receiver.url))["subscriptionLimits"] for _ in range(3)]
        self.assertEqual([a["concurrencyBlocked"] for a in answers], [False, False, True])
        self.assertEqual([a["remainingConcurrentCalls"] for a in answers], [1, 0, 0])
        ended = until(lambda: self.receiver.message("status-update:ended"))
        self.assertEqual(
            ended["endedReason"], "call.start.error-subscription-concurrency-limit-reached")
        self.assertEqual(self.sandbox.state()["max_live"], 2)
        self.assertEqual(len(self.sandbox.ledger("call_live")), 2)
        self.assertEqual(len(self.sandbox.ledger("call_accepted")), 3)

    def test_a_call_over_the_limit_can_be_refused_instead(self):
        self.sandbox.behave(over_limit="refuse")
        self.place(call())
        self.place(call())
        self.assertIn("Over Concurrency Limit", self.refused(call()))
        self.assertEqual(len(self.finish()), 2)
        self.place(call())

    def test_the_ledger_counts_live_calls_and_names_attempts(self):
        bodies = [call(f"+91987654321{i}") for i in range(2)]
        calls = [self.place(body)["id"] for body in bodies]
        self.assertEqual(self.sandbox.state()["live"], 2)
        self.assertEqual(self.finish(call_id=calls[0]), [calls[0]])
        lines = self.sandbox.ledger()
        self.assertEqual(
            [(l["event"], l["live"], l["call_id"]) for l in lines],
            [("call_accepted", 0, calls[0]), ("call_live", 1, calls[0]),
             ("call_accepted", 1, calls[1]), ("call_live", 2, calls[1]),
             ("call_ended", 1, calls[0])])
        for line in lines:
            body = bodies[calls.index(line["call_id"])]
            self.assertEqual(line["number"], body["customer"]["number"])
            metadata = body["assistantOverrides"]["metadata"]
            self.assertEqual((line["attempt_id"], line["lead_uuid"]),
                             (metadata["attemptId"], metadata["lead_uuid"]))
        with open(os.path.join(self.sandbox.environment["SANDBOX_STATE"], "ledger.jsonl")) as file:
            self.assertEqual([json.loads(line) for line in file], lines)
        self.assertEqual(self.finish(call_id=calls[0]), [])
        self.assertEqual(self.sandbox.request(
            "POST", "/sandbox/finish", {"call_id": "x"}, key=None)[0], 404)

    def test_the_control_url_ends_a_call_at_once(self):
        answer = self.place(call("+919876543210", self.receiver.url))
        path = urllib.parse.urlparse(answer["monitor"]["controlUrl"]).path
        self.assertEqual(
            self.sandbox.request("POST", path[:-1] + "x", {"type": "end-call"}, key=None)[0], 404)
        self.assertEqual(self.sandbox.request("POST", path, {"type": "hm"}, key=None)[0], 400)
        self.assertEqual(self.sandbox.request("POST", path, {"type": "end-call"}, key=None)[0], 200)
        self.assertEqual(self.sandbox.state()["live"], 0)
        ended = until(lambda: self.receiver.message("status-update:ended"))
        self.assertEqual(ended["endedReason"], "manually-canceled")
        self.assertEqual(self.sandbox.request("POST", path, {"type": "end-call"}, key=None)[0], 404)

    def test_a_sentence_can_be_said_before_the_call_ends(self):
        self.sandbox = self.start(SANDBOX_SPEED="4")
        answer = self.place(call("+919876543210", self.receiver.url))
        until(lambda: self.receiver.message("status-update:in-progress"))
        path = urllib.parse.urlparse(answer["monitor"]["controlUrl"]).path
        say = {"type": "say", "content": "We will not call again.", "endCallAfterSpoken": True}
        self.assertEqual(self.sandbox.request("POST", path, say, key=None)[0], 200)
        report = until(lambda: self.receiver.message("end-of-call-report"))
        self.assertEqual(report["endedReason"], "assistant-ended-call-after-message-spoken")
        self.assertEqual(report["artifact"]["messages"][-1]["message"], "We will not call again.")

    def test_a_call_cut_short_has_only_what_was_said(self):
        self.sandbox = self.start(SANDBOX_SPEED="4")
        answer = self.place(call("+919876543210", self.receiver.url))
        until(lambda: self.receiver.message("status-update:in-progress"))
        self.finish(call_id=answer["id"])
        report = until(lambda: self.receiver.message("end-of-call-report"))
        self.assertEqual(report["endedReason"], "customer-ended-call")
        self.assertNotIn("user", [m["role"] for m in report["artifact"]["messages"]])
        self.assertEqual(report["artifact"]["structuredOutputs"], {})
        self.assertEqual(len(report["artifact"]["skippedStructuredOutputs"]), 1)
        self.assertLess(report["durationSeconds"], 8)


class WhatCanBeAsked(SandboxTest):
    environment = {"SANDBOX_INSTANT": "1", "VAPI_CONCURRENT_LIMIT": "1000"}

    def listed(self, **query):
        status, body, _ = self.sandbox.request(
            "GET", "/call?" + urllib.parse.urlencode(query))
        self.assertEqual(status, 200, body)
        self.assertIsInstance(body, list)
        return body

    def test_the_list_is_newest_first_with_vapis_limits_and_filters(self):
        placed = []
        for _ in range(105):
            placed.append(self.place(call("+919876543214"))["id"])
            time.sleep(0.002)
        listed = self.listed()
        self.assertEqual([c["id"] for c in listed], placed[:4:-1])
        self.assertEqual(len(self.listed(limit=1000)), 105)
        paged, bound = [], {}
        while page := self.listed(limit=20, **bound):
            paged += [c["id"] for c in page]
            bound = {"createdAtLt": page[-1]["createdAt"]}
        self.assertEqual(paged, placed[::-1])
        middle = self.listed(id=placed[50])[0]["createdAt"]
        self.assertEqual(len(self.listed(createdAtGe=middle, limit=1000)), 55)
        self.assertEqual(len(self.listed(createdAtGt=middle, limit=1000)), 54)
        self.assertEqual(len(self.listed(createdAtLe=middle, limit=1000)), 51)
        self.assertEqual(self.listed(phoneNumberId="another"), [])
        for query in ["status=ended", "limit=1001", "limit=x", "createdAtGe=yesterday"]:
            self.assertEqual(self.sandbox.request("GET", "/call?" + query)[0], 400, query)

    def test_only_the_name_can_be_changed(self):
        path = "/call/" + self.place(call())["id"]
        self.assertEqual(self.sandbox.request("PATCH", path, {"name": "new"})[1]["name"], "new")
        status, body, _ = self.sandbox.request("PATCH", path, {"status": "ended"})
        self.assertEqual((status, body["message"]), (400, ["property status should not exist"]))

    def test_a_scheduled_call_waits_for_the_simulated_clock(self):
        later = datetime.fromtimestamp(time.time() + 7 * 86400).astimezone().isoformat()
        body = {**call("+919876543214", self.receiver.url), "schedulePlan": {"earliestAt": later}}
        answer = self.place(body)
        self.assertEqual(answer["status"], "scheduled")
        time.sleep(0.3)
        self.assertEqual(self.sandbox.ledger("call_live"), [])
        with open(self.sandbox.offset, "w") as file:
            file.write(str(8 * 86_400_000))
        until(lambda: self.receiver.message("end-of-call-report"))

    def test_deleting_a_scheduled_call_cancels_it(self):
        later = datetime.fromtimestamp(time.time() + 86400).astimezone().isoformat()
        body = {**call("+919876543214", self.receiver.url), "schedulePlan": {"earliestAt": later}}
        path = "/call/" + self.place(body)["id"]
        self.assertEqual(self.sandbox.request("DELETE", path)[0], 200)
        ended = until(lambda: self.receiver.message("status-update:ended"))
        self.assertEqual(ended["endedReason"], "scheduled-call-deleted")
        self.assertEqual(self.sandbox.request("GET", path)[0], 404)

    def test_a_clock_that_jumps_changes_times_and_not_the_calls(self):
        self.sandbox = self.start(SANDBOX_INSTANT="", SANDBOX_SPEED="20")
        jump = 21 * 86_400_000
        self.place(call("+919876543210", self.receiver.url))
        with open(self.sandbox.offset, "w") as file:
            file.write(str(jump))
        report = until(lambda: self.receiver.message("end-of-call-report"))
        self.assertAlmostEqual(report["timestamp"], time.time() * 1000 + jump, delta=10_000)
        self.assertLess(report["durationSeconds"], 300)
        line = self.sandbox.ledger("call_ended")[0]
        self.assertAlmostEqual(line["at"] - line["real_at"], jump, delta=50)

    def test_a_thousand_calls_go_through_in_order(self):
        def place(count):
            connection = http.client.HTTPConnection("127.0.0.1", self.sandbox.port, timeout=30)
            for i in range(count):
                body = json.dumps(call(f"+9198765{i:05d}", self.receiver.url))
                connection.request("POST", "/call", body, {"Authorization": f"Bearer {KEY}"})
                response = connection.getresponse()
                response.read()
                self.assertEqual(response.status, 201)
            connection.close()

        threads = [threading.Thread(target=place, args=(250,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: self.sandbox.state()["running"] == 0, 120)
        lines = self.sandbox.ledger()
        accepted = [l["attempt_id"] for l in lines if l["event"] == "call_accepted"]
        self.assertEqual((len(accepted), len(set(accepted))), (1000, 1000))
        self.assertEqual(len([l for l in lines if l["event"] == "call_ended"]), 1000)
        self.assertEqual(self.sandbox.state()["live"], 0)
        sequences = {}
        for message, _, _ in self.receiver.posts:
            sequences.setdefault(message["call"]["id"], []).append(
                message.get("status", message["type"]))
        expected = ["ringing", "in-progress", "ended", "end-of-call-report"]
        for sequence in sequences.values():
            self.assertEqual(sequence, [e for e in expected if e in sequence])
            self.assertEqual(sequence[-2:], expected[-2:])


class HowItStartsAndStops(unittest.TestCase):
    def run_with(self, **environment):
        return subprocess.run([BIN], env=environment, capture_output=True, text=True, timeout=10)

    def test_it_ends_cleanly_on_a_signal(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            sandbox = Sandbox()
            sandbox.process.send_signal(number)
            _, errors = sandbox.process.communicate(timeout=5)
            self.assertEqual((sandbox.process.returncode, errors), (0, b""))
            sandbox.close()

    def test_a_busy_port_is_one_sentence(self):
        sandbox = Sandbox()
        self.addCleanup(sandbox.close)
        second = self.run_with(**sandbox.environment)
        self.assertEqual(second.returncode, 1)
        self.assertEqual(
            second.stderr, f"sandbox: port {sandbox.port} is in use by another program.\n")

    def test_a_missing_or_senseless_variable_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            good = {"SANDBOX_PORT": "1", "SANDBOX_STATE": folder, "VAPI_API_KEY": KEY}
            for name, value in [("SANDBOX_PORT", ""), ("SANDBOX_PORT", "0"), ("VAPI_API_KEY", ""),
                                ("SANDBOX_STATE", ""), ("SANDBOX_SPEED", "0"),
                                ("SANDBOX_WEBHOOK_AUTH", "x"), ("VAPI_CONCURRENT_LIMIT", "-1")]:
                result = self.run_with(**{**good, name: value})
                self.assertEqual(result.returncode, 78)
                self.assertIn(name, result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1)

    def test_only_this_machine_can_reach_it(self):
        sandbox = Sandbox()
        self.addCleanup(sandbox.close)
        with open("/proc/net/tcp") as table:
            local = [line.split()[1] for line in table]
        self.assertIn(f"0100007F:{sandbox.port:04X}", local)
        self.assertNotIn(f"00000000:{sandbox.port:04X}", local)


if __name__ == "__main__":
    if not BIN:
        sys.exit("SANDBOX_BIN names no sandbox to test.")
    unittest.main()
