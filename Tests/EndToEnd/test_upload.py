"""Lists of leads as people really send them, through nginx into the database."""

import io
import pathlib
import threading
import time
import unittest

import openpyxl

import workbooks
from stack import REPOSITORY, Stack

MEGABYTE = 1 << 20
PNG = bytes.fromhex("89504E470D0A1A0A0000000D49484452")
LIST = "number,name\r\n9876543210,José “Zé” €\r\n"


class UploadTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack("--no-demo")
        cls.addClassCleanup(cls.stack.stop)

    def preview(self, file):
        """What a dry run says of a list that can be read."""
        answer = self.stack.upload(file, "?dry_run=true")
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def assert_refused(self, file, code, line=None):
        answer = self.stack.upload(file)
        error = answer.json()
        self.assertEqual((answer.status, error["code"], error.get("line")), (422, code, line), error)
        self.assertEqual(error["field"], "file")
        self.assertRegex(error["error"], r"^[A-Z].+[.]$")
        return error

    def peak(self):
        """The most memory that the function has held at a time since `forget_peak`, in MB."""
        status = pathlib.Path(f"/proc/{self.stack.pid('bulk-upload')}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.stack.pid('bulk-upload')}/clear_refs").write_text("5")


class TextFiles(UploadTest):
    def test_encodings(self):
        for name, file in {
            "UTF-8": LIST.encode(),
            "UTF-8 with a mark": LIST.encode("utf-8-sig"),
            "UTF-16 as Excel saves it": LIST.replace(",", "\t").encode("utf-16"),
            "UTF-16 big-endian": b"\xfe\xff" + LIST.encode("utf-16-be"),
            "UTF-16 without a mark": LIST.encode("utf-16-le"),
            "Windows-1252 as Excel saves it": LIST.encode("cp1252"),
        }.items():
            with self.subTest(name):
                [lead] = self.preview(file)["preview"]
                self.assertEqual((lead["number"], lead["name"], lead["line"]), ("+919876543210", "José “Zé” €", 2))

    def test_separators_and_ends_of_lines(self):
        plain = "number,name\n9876543210,Asha\n9876543211,Bela\n"
        for name, file in {
            "semicolon": plain.replace(",", ";"),
            "tab": plain.replace(",", "\t"),
            "told": "sep=|\n" + plain.replace(",", "|"),
            "told in quotation marks": '"sep=;"\r\n' + plain.replace(",", ";"),
            "CR": plain.replace("\n", "\r"),
            "CRLF": plain.replace("\n", "\r\n"),
            "no last one": plain.rstrip(),
            "blank lines": "\n\n" + plain.replace("\n", "\n\n"),
        }.items():
            with self.subTest(name):
                answer = self.preview(file)
                self.assertEqual([lead["name"] for lead in answer["preview"]], ["Asha", "Bela"])
                self.assertEqual((answer["rows_read"], answer["errors"]), (2, []))

    def test_line_breaks_within_a_field(self):
        answer = self.preview('name,number\n"Asha\r\nRao",9876543210\n"Bela\n\nx",12\n')
        self.assertEqual(answer["preview"][0]["name"], "Asha Rao")
        self.assertEqual([error["line"] for error in answer["errors"]], [4])

    def test_columns_in_any_order_case_and_wording_and_more_of_them(self):
        answer = self.preview("CITY,E-Mail ID,Mobile No.,Remarks,FULL NAME\nPune,a@b.in,98765 43210,,Asha\n")
        self.assertEqual(answer["columns"], {"number": "Mobile No.", "name": "FULL NAME", "email": "E-Mail ID"})
        self.assertEqual(answer["ignored_columns"], ["CITY", "Remarks"])
        self.assertEqual(answer["preview"][0]["email"], "a@b.in")

    def test_digits_of_every_script_and_numbers_that_a_spreadsheet_spoiled(self):
        answer = self.preview(
            "number,name\n９８７６５４３２１０,full-width\n९८७६५४३२११,Devanagari\n+91 ９８७६५-४३२१२,mixed\n"
            '9.19877E+11,rounded\n9876543213.0,amount\n="9876543214",text\n'
        )
        self.assertEqual([lead["number"][-1] for lead in answer["preview"]], ["0", "1", "2", "4"])
        self.assertEqual([(error["line"], error["code"]) for error in answer["errors"]], [(5, "number_exponent"), (6, "number_decimal")])
        self.assertIn("Excel has rounded this number", answer["errors"][0]["error"])

    def test_what_is_no_list_is_named_for_what_it_is(self):
        self.assertIn("a PNG image", self.assert_refused(PNG, "csv_not_text")["error"])
        self.assert_refused("number\n98765\0" "43210\n", "csv_nul", 2)
        self.assert_refused('number,name\n9876543210,"Asha\n9876543211,Bela\n', "csv_unterminated_quote", 2)
        self.assert_refused("", "import_empty")
        self.assertIn("“Name”", self.assert_refused("Name\nAsha\n", "import_no_number_column")["error"])
        self.assertEqual(self.stack.leads(), {})


class Workbooks(UploadTest):
    def test_a_workbook_is_taken_in_like_a_csv_file(self):
        file = workbooks.written_by_openpyxl(workbooks.ordinary())
        preview = self.preview(file)
        answer = self.stack.upload(file).json()
        self.assertEqual({**preview, "dry_run": False}, answer)
        self.assertEqual((answer["rows_read"], answer["rows_added"], answer["duplicates"]), (7, 4, 0))
        self.assertEqual(answer["columns"], {"number": "Mobile", "name": "Full Name", "email": "E-mail", "consent_at": "Consent Date"})
        self.assertEqual(answer["ignored_columns"], ["City", "Member"])
        self.assertEqual(
            [(error["line"], error["column"], error["code"]) for error in answer["errors"]],
            [(5, "number", "number_exponent"), (7, "number", "number_exponent"), (9, "number", "number_too_short")],
        )
        leads = self.stack.leads()
        self.assertEqual(
            {number: lead["name"] for number, lead in leads.items()},
            {"+919876543210": "Asha Rao", "+919876543211": "Bela", "+919876543212": "Chand", "+919876543213": "Gita"},
        )
        again = self.stack.upload(file).json()
        self.assertEqual((again["rows_added"], again["duplicates"]), (0, 4))

    def test_the_sheet_with_the_list_is_found(self):
        notes = [["How this list was made"], [None], ["At the fair"]]
        people = [["Leads of January"], [], ["Name", "Phone"], ["Asha", 9876543210]]
        old = [["number"], [9876543219]]
        for name, sheets, hidden in [
            ("the first one", [people, notes], ()),
            ("behind notes", [notes, people], ()),
            ("behind a hidden one", [old, people], {0}),
            ("in an empty workbook's last sheet", [[], [], people], ()),
        ]:
            with self.subTest(name):
                answer = self.preview(workbooks.written_by_openpyxl(*sheets, hidden=hidden))
                self.assertEqual([(lead["line"], lead["number"]) for lead in answer["preview"]], [(4, "+919876543210")])
        error = self.assert_refused(workbooks.written_by_openpyxl(notes), "import_no_number_column")
        self.assertIn("“How this list was made”", error["error"])
        self.assert_refused(workbooks.written_by_openpyxl([]), "import_empty")

    def test_merged_cells_of_a_heading_are_tolerated(self):
        book = openpyxl.Workbook()
        book.active.append(["Name", None, "Phone", None])
        book.active.append(["Asha", "Rao", 9876543218, "evenings only"])
        book.active.merge_cells("A1:B1")
        book.active.merge_cells("C1:D1")
        answer = self.preview(workbooks.saved(book))
        self.assertEqual((answer["preview"][0]["name"], answer["errors"]), ("Asha", []))

    def test_workbooks_of_other_programs(self):
        for file in (REPOSITORY / "Tests" / "Fixtures" / "workbooks").glob("*.xlsx"):
            with self.subTest(file.name):
                answer = self.preview(file.read_bytes())
                self.assertEqual([lead["name"] for lead in answer["preview"]][:4], ["Asha Rao", "Bela", "Chand", "Gita"])

    def test_what_is_hostile_is_refused_with_a_sentence_within_bounds(self):
        self.stack.upload("number\n")
        for name, (file, code) in workbooks.hostile().items():
            with self.subTest(name):
                line = 1 if code in ("workbook_too_many_columns", "workbook_field_too_long") else None
                self.forget_peak()
                begun = time.monotonic()
                self.assert_refused(file, code, line)
                self.assertLess(time.monotonic() - begun, 20)
                self.assertLess(self.peak(), 64)
        self.assertEqual(self.stack.get("/health").status, 200)

    def test_nothing_is_left_behind(self):
        """The file waits under no name, so that whatever ends the function leaves none."""
        function = pathlib.Path(f"/proc/{self.stack.pid('bulk-upload')}/fd")
        self.stack.upload(workbooks.written_by_openpyxl(workbooks.ordinary()), "?dry_run=true")
        self.assertEqual([file for file in map(pathlib.Path.readlink, function.iterdir()) if "presales-" in file.name], [])
        self.assertEqual(list(pathlib.Path("/var/tmp").glob("presales-*")), [])


class LongLists(UploadTest):
    def test_a_hundred_thousand_people(self):
        text = io.StringIO("number,name,email,partner\n")
        text.seek(0, io.SEEK_END)
        for index in range(100_000):
            text.write(f"{919700000001 + index * 7},Lead Person {index},lead{index}@example.in,Physics wallah\n")
        for name, file in {"CSV": text.getvalue(), "workbook": workbooks.long_list(100_000)}.items():
            with self.subTest(name):
                self.stack.upload("number\n")
                self.forget_peak()
                others = []
                answered = threading.Event()

                def look():
                    while not answered.wait(0.05):
                        begun = time.monotonic()
                        self.stack.get("/api/leads?limit=1")
                        others.append(time.monotonic() - begun)

                watcher = threading.Thread(target=look)
                watcher.start()
                begun = time.monotonic()
                try:
                    answer = self.stack.upload(file, timeout=120)
                    took = time.monotonic() - begun
                finally:
                    answered.set()
                    watcher.join()
                self.assertEqual(answer.status, 200, answer)
                self.assertEqual(answer.json()["rows_added"], 100_000)
                print(f"\n{name}: {took:.1f} s, at most {self.peak():.0f} MB, others waited at most {max(others):.2f} s")
                self.assertLess(self.peak(), 64)


if __name__ == "__main__":
    unittest.main()
