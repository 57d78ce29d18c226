"""A webhook is acknowledged only when the disk has it, and a disk that fails is told to the sender, who sends it again.

strace watches the functions of a running Presales, and has the disk fail them.
"""

import hashlib
import hmac
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

from stack import Stack, eventually

APP_SECRET = "an-app-secret"


class Strace:
    """strace on a running process, with all its threads; use as a context manager."""

    def __init__(self, pid, *options):
        self.file = tempfile.NamedTemporaryFile(prefix="presales-", suffix=".strace")
        self.threads = [task for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
        self.process = subprocess.Popen(
            ["strace", "-f", "-q", "-s", "9000", "-o", self.file.name, "-p", str(pid), *options],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self):
        eventually(lambda: self.process.poll() is not None or all(map(self.is_traced, self.threads)), every=0.01)
        if self.process.poll() is not None:
            raise unittest.SkipTest(f"strace may not watch: {self.process.stderr.read()}")
        return self

    def __exit__(self, *_):
        # It lets go of the process and leaves it running.
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)
        self.process.stderr.close()
        eventually(lambda: not any(map(self.is_traced, self.threads)), every=0.01)

    @staticmethod
    def is_traced(task):
        try:
            return "\nTracerPid:\t0\n" not in (task / "status").read_text()
        except OSError:
            return False

    def calls(self):
        """The calls in the order of their ends, each `name(arguments) = result`."""
        begun, calls = {}, []
        for line in pathlib.Path(self.file.name).read_text(errors="replace").splitlines():
            thread, _, text = line.partition(" ")
            text = text.lstrip()
            if text.endswith("<unfinished ...>"):
                begun[thread] = text.removesuffix("<unfinished ...>")
                if text.startswith("write("):
                    calls.append(begun[thread])  # what is written may be read from here on
            elif resumed := re.match(r"<\.\.\. \w+ resumed>", text):
                calls.append(begun.pop(thread, "") + text[resumed.end() :])
            else:
                calls.append(text)
        return calls


class Durability(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        settings = {
            "TIMER_PERIODS": "call-orchestrator=3600,call-reconciler=3600",
            # Calls go on until the test ends them.
            "SANDBOX_SPEED": "0.01",
            "WHATSAPP_APP_SECRET": APP_SECRET,
            "WHATSAPP_VERIFY_TOKEN": "a-verify-token",
        }
        cls.stack = Stack("--no-demo", environment=settings)
        cls.addClassCleanup(cls.stack.stop)
        # What the sandbox would tell of its calls is told by the tests.
        cls.stack.sandbox("PUT", "behaviour", {"webhooks": "none"})
        text = (cls.stack.state / "env").read_text()
        cls.secret = re.search(r"^VAPI_WEBHOOK_SECRET=(.*)$", text, re.M).group(1)
        cls.numbers = iter(f"+9198765{number:05d}" for number in range(43210, 99999))

    # -- Vapi

    def lead_on_the_phone(self):
        """A lead whose call Vapi has; returns its uuid and the call's id."""
        answer = self.stack.post("/api/leads", {"name": "Asha Rao", "number": next(self.numbers)})
        self.assertEqual(answer.status, 201, answer)
        uuid = answer.json()["lead_uuid"]
        answer = self.stack.post(f"/api/leads/{uuid}/call")
        self.assertEqual(answer.status, 200, answer)
        return uuid, answer.json()["call_id"]

    def report(self, call_id, summary):
        return {
            "message": {
                "type": "end-of-call-report",
                "endedReason": "customer-ended-call",
                "durationSeconds": 60,
                "call": {"id": call_id},
                "artifact": {"messages": [{"role": "bot", "message": "Hi."}, {"role": "user", "message": "Yes?"}]},
                "analysis": {"summary": summary, "structuredData": {"success_status": "Qualified", "country": "USA"}},
            }
        }

    def vapi(self, event):
        return self.stack.post("/webhook/vapi", event, {"X-Vapi-Secret": self.secret})

    def shown(self, uuid):
        """All that can be seen of a lead but the time at which it is looked at."""
        details = self.stack.details({"lead_uuid": uuid})
        text = json.dumps(details, sort_keys=True)
        return re.sub(r'"local_time": "[^"]*"', "", text)

    # -- WhatsApp

    def lead_with_whatsapp(self):
        number = next(self.numbers)
        answer = self.stack.post("/api/leads", {"name": "Asha Rao", "number": number})
        return answer.json()["lead_uuid"], number[1:]

    def message(self, number, words):
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550001", "phone_number_id": "1"},
            "contacts": [{"wa_id": number, "profile": {"name": "Asha"}}],
            "messages": [{"from": number, "id": f"wamid.{words}", "timestamp": "1795411800", "type": "text", "text": {"body": words}}],
        }
        return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}

    def whatsapp(self, event):
        body = json.dumps(event).encode()
        signature = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        return self.stack.post("/webhook/whatsapp", body, headers)

    # -- Order

    def assert_synced_before_answered(self, calls, marker):
        """The page that holds the marker is written, then its file is synced, then FastCGI's output begins."""
        written = [index for index, call in enumerate(calls) if call.startswith("pwrite64(") and marker in call]
        self.assertTrue(written, f"{marker} was not seen on its way to the disk")
        file = re.match(r"pwrite64\((\d+)", calls[written[0]]).group(1)
        rest = calls[written[0] :]
        synced = next(index for index, call in enumerate(rest) if re.match(rf"fdatasync\({file}\)\s+= 0", call))
        answered = next(index for index, call in enumerate(rest) if re.match(r'write\(\d+, "\\1\\6', call))
        self.assertLess(synced, answered, rest[: answered + 1])
        self.assertIn("Status: 200", rest[answered])

    def watch(self, function):
        return Strace(self.stack.pid(function), "-e", "trace=pwrite64,fdatasync,write")

    def test_vapi_is_answered_after_the_row_is_on_the_disk(self):
        events = {}
        for index in range(5):
            _, call_id = self.lead_on_the_phone() if index == 0 else (None, f"call-{index}")
            events[f"marker-status-{index}"] = {
                "message": {"type": "status-update", "status": "ringing", "call": {"id": call_id}, "note": f"marker-status-{index}"}
            }
            events[f"marker-report-{index}"] = self.report(call_id, f"marker-report-{index}")
            tool = {"id": f"marker-tool-{index}", "type": "function", "function": {"name": "opt_out", "arguments": {}}}
            events[f"marker-tool-{index}"] = {
                "message": {"type": "tool-calls", "call": {"id": call_id}, "toolCallList": [tool]}
            }
        with self.watch("webhook-vapi") as strace:
            for event in events.values():
                self.assertEqual(self.vapi(event).status, 200)
        calls = strace.calls()
        for marker in events:
            with self.subTest(marker):
                self.assert_synced_before_answered(calls, marker)

    def test_whatsapp_is_answered_after_the_row_is_on_the_disk(self):
        _, number = self.lead_with_whatsapp()
        with self.watch("webhook-whatsapp") as strace:
            for index in range(5):
                self.assertEqual(self.whatsapp(self.message(number, f"marker-{index}")).status, 200)
        calls = strace.calls()
        for index in range(5):
            with self.subTest(index):
                self.assert_synced_before_answered(calls, f"marker-{index}")

    # -- Failing disks

    DISKS = [("fdatasync", "EIO"), ("fdatasync", "ENOSPC"), ("pwrite64", "EIO"), ("pwrite64", "ENOSPC")]

    def broken_disk(self, function, call, error):
        return Strace(self.stack.pid(function), "-e", f"trace={call}", "-e", f"inject={call}:error={error}")

    def assert_told_to_send_again(self, answer):
        self.assertEqual((answer.status, answer.json()["success"]), (503, False), answer)
        self.assertTrue(answer.json()["error"].endswith("."))

    def test_what_the_disk_does_not_take_from_vapi_is_a_503_and_not_half_there(self):
        for call, error in self.DISKS:
            with self.subTest(call=call, error=error):
                uuid, call_id = self.lead_on_the_phone()
                before = self.shown(uuid)
                event = self.report(call_id, f"A summary after {call} {error}.")
                pid = self.stack.pid("webhook-vapi")
                with self.broken_disk("webhook-vapi", call, error):
                    for _ in range(3):
                        self.assert_told_to_send_again(self.vapi(event))
                self.assertEqual(self.shown(uuid), before)
                self.assertEqual(self.vapi(event).status, 200)
                after = self.shown(uuid)
                self.assertIn(f"A summary after {call} {error}.", after)
                self.assertIn('"call_status": "completed"', after)
                # It was the same process all the time, and the event has come once.
                self.assertEqual(self.stack.pid("webhook-vapi"), pid)
                self.assertEqual(self.vapi(event).status, 200)
                self.assertEqual(self.shown(uuid), after)

    def test_what_the_disk_does_not_take_from_whatsapp_is_a_503_and_not_half_there(self):
        for call, error in self.DISKS:
            with self.subTest(call=call, error=error):
                uuid, number = self.lead_with_whatsapp()
                event = self.message(number, "STOP")
                event["entry"][0]["changes"][0]["value"]["messages"][0]["id"] = f"wamid.{call}{error}"
                before = self.shown(uuid)
                with self.broken_disk("webhook-whatsapp", call, error):
                    for _ in range(3):
                        self.assert_told_to_send_again(self.whatsapp(event))
                self.assertEqual(self.shown(uuid), before)
                self.assertEqual(self.whatsapp(event).status, 200)
                after = self.shown(uuid)
                self.assertIn("STOP", after)
                self.assertIn("opted_out", after)
                self.assertEqual(self.whatsapp(event).status, 200)
                self.assertEqual(self.shown(uuid), after)


if __name__ == "__main__":
    unittest.main()
