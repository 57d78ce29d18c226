"""The main job, from an uploaded list to qualified leads, through nginx, every function, the timers and the sandbox.

A number's last digit decides how the sandbox's calls to it go (Tests/Sandbox/Conversation.swift).
"""

import time
import unittest

from stack import Stack, eventually

QUICK = {"SANDBOX_SPEED": "20", "TIMER_PERIODS": "call-orchestrator=1,call-reconciler=3600"}
COMPLETED = {0: "Qualified", 1: "Qualified", 2: "Potential", 3: "Not Qualified", 8: "Not Qualified", 9: "Potential"}
UNREACHED = {4: "missed", 5: "missed", 6: "missed", 7: "failed"}


def number(digit, block=0):
    """An Indian mobile number that ends with the digit."""
    return f"+9198765{block:04d}{digit}"


def csv(numbers):
    rows = [f"{value},Asha Rao {index},lead{index}@example.in,,Physics wallah" for index, value in enumerate(numbers)]
    return "\n".join(["number,name,email,whatsapp_number,partner", *rows]) + "\n"


class CallsTest(unittest.TestCase):
    environment = QUICK

    def setUp(self):
        self.stack = Stack("--no-demo", environment=self.environment)
        self.addCleanup(self.stack.stop)

    def add(self, numbers):
        """Uploads a list; returns the uuids in the same order."""
        answer = self.stack.upload(csv(numbers))
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual((answer.json()["rows_added"], answer.json()["errors"]), (len(numbers), []))
        leads = self.stack.leads()
        return [leads[value]["lead_uuid"] for value in numbers]

    def call(self, uuids):
        answer = self.stack.post("/api/leads/bulk-call", {"lead_uuids": uuids})
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def lead(self, value):
        return self.stack.leads()[value]

    def settled(self, numbers, seconds=60):
        """The leads, once no call to them is under way or due."""

        def all_settled():
            leads = self.stack.leads()
            found = [leads[value] for value in numbers]
            busy = [lead for lead in found if lead["call_status"] in ("pending", "initiated", "answered")]
            return None if busy else found

        return dict(zip(numbers, eventually(all_settled, seconds)))


class MainJob(CallsTest):
    def test_an_uploaded_list_is_called_and_qualified(self):
        numbers = [number(digit) for digit in range(10)]
        result = self.call(self.add(numbers))
        self.assertEqual((result["success"], result["errors"]), (True, []))
        self.assertEqual(result["calls_initiated"] + result["calls_queued"], 10)
        self.assertGreaterEqual(result["calls_initiated"], 5)

        leads = self.settled(numbers)
        for digit, status in COMPLETED.items():
            with self.subTest(digit):
                lead = leads[number(digit)]
                self.assertEqual((lead["call_status"], lead["success_status"]), ("completed", status))
                self.assertIn("Eshwari: ", lead["transcript"])
                self.assertIn("\nAsha: ", lead["transcript"])
                self.assertTrue(lead["summary"])
                self.assertTrue(lead["recording_url"].startswith("http"))
                self.assertRegex(lead["call_duration"], r"^\d+s$")
                self.assertEqual(lead["structured_data"]["success_status"], status)
                self.assertEqual(lead["declined"], digit == 8)
                self.assertEqual(lead["retry_count"], 0)
        self.assertTrue(leads[number(0)]["country"])
        for digit, status in UNREACHED.items():
            with self.subTest(digit):
                lead = leads[number(digit)]
                self.assertEqual((lead["call_status"], lead["success_status"]), (status, None))
                self.assertEqual(lead["retry_count"], 1)
                self.assertRegex(lead["next_retry_time"], r"[+]05:30$")

        ledger = self.stack.ledger()
        attempts = [line["attempt_id"] for line in ledger if line["event"] == "call_accepted"]
        self.assertEqual(len(attempts), len(set(attempts)))
        self.assertLessEqual(max(line["live"] for line in ledger), 5)

        summary = self.stack.get("/api/analytics/summary").json()
        self.assertEqual(summary["total"], 10)
        self.assertEqual((summary["by_status"]["completed"], summary["by_status"]["missed"]), (6, 3))
        self.assertEqual(summary["by_success_status"]["Qualified"], 2)
        self.assertTrue(summary["simulated"])

    def test_the_same_list_twice_adds_nobody_and_calls_nobody_again(self):
        numbers = [number(0), number(1)]
        self.call(self.add(numbers))
        self.settled(numbers)
        again = self.stack.upload(csv(numbers)).json()
        self.assertEqual((again["rows_added"], again["duplicates"]), (0, 2))
        self.stack.trigger("call-orchestrator")
        time.sleep(3)
        self.assertEqual(len(self.stack.ledger("call_accepted")), 2)

    def test_who_is_not_reached_is_called_three_times_more_and_then_left_alone(self):
        value = number(4)
        [uuid] = self.add([value])
        self.call([uuid])
        for attempts, hours in [(1, 1), (2, 4), (3, 24)]:
            eventually(lambda: self.lead(value)["retry_count"] == attempts and self.lead(value)["call_status"] == "missed")
            self.assertEqual(len(self.stack.ledger("call_accepted")), attempts)
            self.stack.advance(hours=hours, minutes=16)  # held calls spread over a quarter of an hour
            eventually(lambda: len(self.stack.ledger("call_accepted")) == attempts + 1)
        lead = eventually(lambda: self.lead(value) if self.lead(value)["next_retry_time"] is None and self.lead(value)["call_status"] == "missed" else None)
        self.assertEqual((lead["retry_count"], lead["max_retry_count"]), (3, 3))
        self.assertIn(lead["journey_state"], ("fallback", "exhausted"))
        self.stack.advance(days=7)
        time.sleep(3)
        self.assertEqual(len(self.stack.ledger("call_accepted")), 4)
        history = self.stack.details(lead)["call_history"]
        self.assertEqual([call["outcome"] for call in history], ["missed"] * 4)
        self.assertEqual([call["kind"] for call in history], ["retry", "retry", "retry", "operator"])

    def test_who_asks_for_a_callback_gets_it(self):
        value = number(9)
        [uuid] = self.add([value])
        self.call([uuid])
        self.settled([value])
        requests = self.stack.details({"lead_uuid": uuid})["requests"]
        self.assertIn("callback", [request["kind"] for request in requests if request["state"] == "waiting"])
        self.stack.advance(days=2)
        eventually(lambda: len(self.stack.ledger("call_accepted")) == 2)
        eventually(lambda: self.stack.details({"lead_uuid": uuid})["call_history"][0]["kind"] == "callback")

    def test_who_declines_is_never_called_again(self):
        value = number(8)
        [uuid] = self.add([value])
        self.call([uuid])
        self.settled([value])
        refusal = self.stack.post(f"/api/leads/{uuid}/call")
        self.assertEqual(refusal.status, 409)
        self.assertIn(refusal.json()["code"], ("declined", "opted_out"))

    def test_nobody_is_called_outside_calling_hours(self):
        [uuid] = self.add([number(0)])
        self.stack.advance(hours=12)  # Monday 23:00
        answer = self.stack.post(f"/api/leads/{uuid}/call")
        self.assertEqual((answer.status, answer.json()["code"]), (409, "outside_calling_hours"))
        self.assertRegex(answer.json()["until"], r"T10:\d\d:\d\d[+]05:30$")
        self.assertEqual(self.stack.ledger("call_accepted"), [])

    def test_a_schedule_calls_its_leads_when_its_time_comes(self):
        numbers = [number(digit, 7) for digit in (0, 1, 2, 3)]
        uuids = self.add(numbers)
        now = self.stack.get("/api/analytics/summary").json()["now"]
        at = now[:11] + "14:00:00" + now[-6:]
        answer = self.stack.post(
            "/api/schedule-bulk-calls", {"lead_uuids": uuids, "schedule_time": at, "parallel_calls": 2, "batch_interval": 60}
        )
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json()["total_leads"], 4)
        self.assertEqual(answer.json()["estimated_completion"], now[:11] + "14:02:00" + now[-6:])
        time.sleep(2)
        self.assertEqual(self.stack.ledger("call_accepted"), [])
        self.stack.advance(hours=3, minutes=5)
        leads = self.settled(numbers)
        self.assertEqual({lead["call_status"] for lead in leads.values()}, {"completed"})
        [schedule] = self.stack.get("/api/scheduled-bulk-calls").json()["schedules"]
        self.assertEqual((schedule["status"], schedule["dialed"]), ("completed", 4))


class Trouble(CallsTest):
    """The same end whatever the network, the provider or a crash does on the way."""

    def behave(self, **behaviour):
        self.stack.sandbox("PUT", "behaviour", behaviour)

    def accepted_once(self, numbers):
        accepted = [line["number"] for line in self.stack.ledger("call_accepted")]
        self.assertEqual(sorted(accepted), sorted(numbers))

    def test_reports_that_come_twice_or_in_disorder_change_nothing(self):
        for mode in ["duplicate", "reorder"]:
            with self.subTest(mode):
                numbers = [number(digit, {"duplicate": 1, "reorder": 2}[mode]) for digit in (0, 4)]
                self.behave(webhooks=mode)
                uuids = self.add(numbers)
                self.call(uuids)
                leads = self.settled(numbers)
                self.assertEqual([lead["call_status"] for lead in leads.values()], ["completed", "missed"])
                self.assertEqual([lead["retry_count"] for lead in leads.values()], [0, 1])

    def test_a_report_that_never_comes_is_asked_for(self):
        self.behave(webhooks="drop")
        value = number(0)
        self.call(self.add([value]))
        eventually(lambda: self.stack.ledger("call_ended"))
        for _ in range(3):
            self.stack.advance(minutes=20)
            self.stack.trigger("call-reconciler")
            time.sleep(2.5)
        self.assertEqual(self.settled([value])[value]["success_status"], "Qualified")
        self.accepted_once([value])

    def test_an_answer_that_was_lost_never_makes_a_second_call(self):
        for block, mode in enumerate(["accept-then-500", "accept-then-drop"], 3):
            with self.subTest(mode):
                value = number(0, block)
                self.behave(call=mode, times=1)
                self.call(self.add([value]))
                self.assertEqual(self.settled([value])[value]["call_status"], "completed")
        self.accepted_once([number(0, 3), number(0, 4)])

    def test_our_own_faults_pause_everything_and_cost_nobody_an_attempt(self):
        self.behave(call="refuse-key")
        value = number(0)
        [uuid] = self.add([value])
        self.call([uuid])
        eventually(lambda: self.stack.get("/api/pause").json()["paused"])
        lead = self.lead(value)
        self.assertEqual((lead["call_status"], lead["retry_count"]), ("pending", 0))
        self.assertEqual(self.stack.get("/health").json()["status"], "degraded")
        self.behave()
        self.assertEqual(self.stack.post("/api/pause", {"paused": False}).status, 200)
        self.call([uuid])
        self.assertEqual(self.settled([value])[value]["call_status"], "completed")

    def test_a_webhook_without_the_secret_changes_nothing(self):
        for headers in [{}, {"X-Vapi-Secret": "wrong"}, {"Authorization": "Bearer wrong"}]:
            answer = self.stack.post("/webhook/vapi", {"message": {"type": "status-update", "status": "ended"}}, headers)
            self.assertEqual((answer.status, answer.json()["success"]), (401, False))

    def test_another_site_cannot_change_anything(self):
        for headers in [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]:
            answer = self.stack.post("/api/leads", {"name": "A", "number": number(0)}, headers)
            self.assertEqual((answer.status, answer.json()["code"]), (403, "cross_site"))
        own = {"Origin": f"http://127.0.0.1:{self.stack.port}", "Sec-Fetch-Site": "same-origin"}
        self.assertEqual(self.stack.post("/api/leads", {"name": "A", "number": number(0)}, own).status, 201)


class Rehearsal(unittest.TestCase):
    """What a person sees after `./deploy.sh local` without options."""

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.addClassCleanup(cls.stack.stop)

    def test_time_starts_on_a_monday_at_eleven_in_india(self):
        summary = self.stack.get("/api/analytics/summary").json()
        self.assertTrue(summary["simulated"])
        self.assertRegex(summary["now"], r"T11:0\d:\d\d[+]05:30$")
        self.assertEqual(time.strptime(summary["now"][:10], "%Y-%m-%d").tm_wday, 0)

    def test_there_are_demo_leads(self):
        self.assertGreater(self.stack.get("/api/leads").json()["total"], 5)

    def test_no_personal_data_reaches_a_log(self):
        canary = {"name": "Canary Bird", "number": "+919123456780", "email": "canary@example.in"}
        self.assertEqual(self.stack.post("/api/leads", canary).status, 201)
        self.stack.get("/api/leads?q=canary")
        self.stack.post("/api/leads", canary)
        uuid = self.stack.leads()["+919123456780"]["lead_uuid"]
        self.stack.post(f"/api/leads/{uuid}/call")
        eventually(lambda: self.stack.leads()["+919123456780"]["call_status"] == "completed", 60)
        time.sleep(1.5)  # nginx writes its log once a second
        for file in (self.stack.state / "log").iterdir():
            text = file.read_text(errors="replace").lower()
            for trace in ["canary", "9123456780", "91 23456 780"]:
                self.assertNotIn(trace, text, file.name)


if __name__ == "__main__":
    unittest.main()
