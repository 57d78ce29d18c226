"""What an operator does by hand with presalesctl, beside a running Presales."""

import csv
import io
import json
import os
import pathlib
import sqlite3
import subprocess
import tempfile
import unittest

from stack import BINARIES, Stack, eventually

PARTNER, OTHER = "+919876500000", "+919876500011"
SLOW = {"SANDBOX_SPEED": "1", "TIMER_PERIODS": "call-orchestrator=1,call-reconciler=3600"}


class Presalesctl(unittest.TestCase):
    def setUp(self):
        self.stack = Stack("--no-demo", environment=SLOW)
        self.addCleanup(self.stack.stop)
        rows = f"number,name,email,partner\n{PARTNER},Asha,asha@example.in,=Northwind\n{OTHER},Ravi,ravi@example.in,\n"
        self.assertEqual(self.stack.upload(rows).json()["rows_added"], 2)

    def run_command(self, *arguments, environment=None):
        """Runs it with the settings of the stack's programs; returns exit code, output and errors."""
        state = self.stack.state
        settings = dict(line.split("=", 1) for line in (state / "env").read_text().splitlines() if not line.startswith("#"))
        settings |= {
            "DATABASE_URL": f"sqlite:{state}/presales.db", "STATE_DIR": str(state), "TRIGGERS": str(state / "triggers"),
            "PUBLIC_URL": f"http://127.0.0.1:{self.stack.port}", "VAPI_BASE_URL": f"http://127.0.0.1:{self.stack.port + 1}",
            "CLOCK_OFFSET_FILE": str(state / "clock-offset"),
        }
        done = subprocess.run(
            [BINARIES / "presalesctl", *map(str, arguments)], env={**os.environ, **settings, **(environment or {})},
            capture_output=True, text=True, timeout=60,
        )
        return done.returncode, done.stdout, done.stderr

    def ctl(self, *arguments):
        code, said, wrong = self.run_command(*arguments)
        self.assertEqual((code, wrong), (0, ""), said)
        return said

    def lead(self, number):
        return self.stack.leads()[number]

    def call(self, number):
        return self.stack.post(f"/api/leads/{self.lead(number)['lead_uuid']}/call")

    def test_a_partner_is_paused_alone_and_goes_on_when_resumed(self):
        said = self.ctl("pause", "The contract is being\nrenewed.", "--partner", "=Northwind")
        self.assertEqual(said, "Calling is paused for =Northwind: The contract is being renewed.\n")
        shown = self.stack.get("/api/pause").json()
        self.assertFalse(shown["paused"])
        self.assertEqual([pause["partner"] for pause in shown["partners"]], ["=Northwind"])
        refused = self.call(PARTNER)
        self.assertEqual((refused.status, refused.json()["code"]), (409, "paused"), refused)
        self.assertEqual(self.call(OTHER).status, 200)
        self.assertEqual(self.ctl("resume", "--partner", "=Northwind"), "Calling goes on for =Northwind.\n")
        self.assertEqual(self.stack.get("/api/pause").json()["partners"], [])
        self.assertEqual(self.call(PARTNER).status, 200)

    def test_everything_is_paused_and_resumed(self):
        self.ctl("pause", "Public holiday.")
        shown = self.stack.get("/api/pause").json()
        self.assertEqual((shown["paused"], shown["reason"], shown["by"]), (True, "Public holiday.", "presalesctl"))
        self.assertEqual(self.call(OTHER).json()["code"], "paused")
        code, said, _ = self.run_command("doctor")
        self.assertEqual(code, 1)
        self.assertIn("wrong Calling: paused: Public holiday. Then run presalesctl resume.", said)
        self.ctl("resume")
        self.assertEqual(self.run_command("doctor")[0], 0)
        self.assertEqual(self.call(OTHER).status, 200)

    def test_an_opt_out_ends_the_call_under_way_and_its_proof_can_be_exported(self):
        self.assertEqual(self.call(PARTNER).status, 200)
        eventually(lambda: self.lead(PARTNER)["call_status"] == "answered", 30)
        said = self.ctl("optout", "098765 00000", "--words", "=Stop calling me, \"please\"")
        self.assertEqual(said, f"{PARTNER} is not contacted any more.\nThe call under way was ended.\n")
        eventually(lambda: self.stack.ledger("hang-up") or self.lead(PARTNER)["call_status"] != "answered", 30)
        refused = self.call(PARTNER)
        self.assertEqual((refused.status, refused.json()["code"]), (409, "opted_out"), refused)
        # A number that no lead has is refused when it comes in a list.
        self.ctl("optout", "+91 98765 00022")
        text = self.ctl("optouts")
        self.assertTrue(text.startswith("\ufeffat,kind,who,reason,channel,words,lead_uuid"), text)
        rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
        proof = [(row["kind"], row["who"], row["reason"], row["channel"], row["words"], row["lead_uuid"]) for row in rows]
        uuid, words = self.lead(PARTNER)["lead_uuid"], "'=Stop calling me, \"please\""
        self.assertEqual(proof, [
            ("number", f"'{PARTNER}", "opted_out", "call", words, uuid),
            ("email", "asha@example.in", "opted_out", "call", words, uuid),
            ("number", "'+919876500022", "opted_out", "call", "", ""),
        ])
        download = self.stack.get("/api/opt-outs/export.csv")
        self.assertEqual(download.body.decode(), text.replace("\n", "\r\n"))

    def test_what_is_wrong_is_one_sentence_and_an_exit_code(self):
        for arguments, code, sentence in [
            (("optout", "12"), 1, "The phone number is too short."),
            (("backup", self.stack.state / "presales.db"), 1, "exists already. Name a new file."),
            (("clock", "advance", "soon"), 1, "soon is no duration. Write it like 90s, 45m, 1h30m or 2d."),
            (("clock", "set", "2020-01-01T10:00"), 1, "Time moves on only;"),
            (("sing",), 64, "sing"),
        ]:
            with self.subTest(arguments=arguments):
                status, _, wrong = self.run_command(*arguments)
                self.assertEqual(status, code, wrong)
                self.assertIn(sentence, wrong)
        status, _, wrong = self.run_command("optouts", environment={"DATABASE_URL": "postgres://localhost"})
        self.assertEqual(status, 78)
        self.assertEqual(len(wrong.splitlines()), 1, wrong)

    def test_a_backup_holds_everything_while_all_goes_on(self):
        with tempfile.TemporaryDirectory(prefix="presales-") as folder:
            copy = pathlib.Path(folder) / "copy.db"
            self.ctl("backup", copy)
            database = sqlite3.connect(copy)
            self.addCleanup(database.close)
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchone(), ("ok",))
            self.assertEqual(database.execute("SELECT count(*) FROM leads").fetchone(), (2,))

    def test_the_journey_is_shown_as_a_drawing_and_as_data(self):
        drawing = self.ctl("journey")
        data = json.loads(self.ctl("journey", "--json"))
        self.assertEqual(drawing, data["mermaid"])
        served = self.stack.get("/api/journey").json()
        self.assertEqual((data["nodes"], data["edges"]), (served["nodes"], served["edges"]))


if __name__ == "__main__":
    unittest.main()
