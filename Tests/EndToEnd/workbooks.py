"""Excel workbooks for the tests: those that openpyxl writes, and those that nobody should send."""

import datetime
import io
import struct
import zipfile
import zlib

import openpyxl

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
ROOT_LINKS = f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r" Type="{LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
BOOK = f'<workbook xmlns="{MAIN}" xmlns:r="{LINKS}"><sheets><sheet name="S" sheetId="1" r:id="s"/></sheets></workbook>'
BOOK_LINKS = (
    f'<Relationships xmlns="{PACKAGE}"><Relationship Id="s" Type="{LINKS}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="t" Type="{LINKS}/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
)
GOOD_ROWS = "<row><c t='inlineStr'><is><t>number</t></is></c></row><row><c><v>919876543210</v></c></row>"


def written_by_openpyxl(*sheets, hidden=()):
    """A workbook of sheets, each a list of rows of Python values."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for position, rows in enumerate(sheets):
        sheet = book.create_sheet(f"Sheet {position + 1}")
        for row in rows:
            sheet.append(row)
        if position in hidden:
            sheet.sheet_state = "hidden"
    return saved(book)


def saved(book):
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def long_list(count):
    """A workbook of so many people, each text of it shared as Excel does."""
    texts, places, rows = io.StringIO(), {}, io.StringIO()

    def cell(text):
        if text not in places:
            places[text] = len(places)
            texts.write(f"<si><t>{text}</t></si>")
        return f'<c t="s"><v>{places[text]}</v></c>'

    rows.write("<row>" + "".join(map(cell, ["number", "name", "email", "partner"])) + "</row>")
    for index in range(count):
        cells = cell(f"Lead Person {index}") + cell(f"lead{index}@example.in") + cell("Physics wallah")
        rows.write(f"<row><c><v>{919800000001 + index * 7}</v></c>{cells}</row>")
    return package(sheet(rows.getvalue()), texts=f'<sst xmlns="{MAIN}">{texts.getvalue()}</sst>')


def sheet(rows, before=""):
    return f'{before}<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'


def package(sheet1, texts=None, **parts):
    """A workbook of parts written by hand; `parts` replace others, with `__` for `/` and `_x` for the extension."""
    files = {
        "_rels/.rels": ROOT_LINKS,
        "xl/workbook.xml": parts.pop("book", BOOK),
        "xl/_rels/workbook.xml.rels": parts.pop("book_links", BOOK_LINKS),
        "xl/worksheets/sheet1.xml": sheet1,
    }
    if texts is not None:
        files["xl/sharedStrings.xml"] = texts
    return zipped({**files, **parts.pop("files", {})})


def zipped(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


class Bomb:
    """A part that unpacks to `times` copies of a block, packed without ever being whole."""

    def __init__(self, before, block, times, after):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        head = packer.compress(before) + packer.flush(zlib.Z_FULL_FLUSH)
        packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
        self.packed = head + packed * times + packer.compress(after) + packer.flush()
        self.size = len(before) + len(block) * times + len(after)
        checksum = zlib.crc32(before)
        for _ in range(times):
            checksum = zlib.crc32(block, checksum)
        self.checksum = zlib.crc32(after, checksum)


def with_bomb(bomb, claimed=None, name="xl/worksheets/sheet1.xml", **options):
    """A workbook one part of which is a bomb that says it has `claimed` bytes."""
    size = bomb.size if claimed is None else claimed
    others = package("", **options)
    files = {entry: zipfile.ZipFile(io.BytesIO(others)).read(entry) for entry in zipfile.ZipFile(io.BytesIO(others)).namelist()}
    files.pop(name, None)
    archive = io.BytesIO()
    directory = b""
    count = 0
    for entry, content in [*files.items(), (name, bomb)]:
        if isinstance(content, Bomb):
            packed, length, checksum = content.packed, size, content.checksum
        else:
            packer = zlib.compressobj(1, zlib.DEFLATED, -15)
            packed, length, checksum = packer.compress(content) + packer.flush(), len(content), zlib.crc32(content)
        facts = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x21, checksum, len(packed), length, len(entry), 0)
        offset = archive.tell()
        archive.write(b"PK\x03\x04" + facts + entry.encode() + packed)
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + facts + struct.pack("<HHHII", 0, 0, 0, 0, offset) + entry.encode()
        count += 1
    start = archive.tell()
    archive.write(directory + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), start, 0))
    return archive.getvalue()


def with_password_flag(workbook):
    """The same archive with every part marked as encrypted."""
    archive = bytearray(workbook)
    for signature, offset in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)]:
        position = archive.find(signature)
        while position >= 0:
            archive[position + offset] |= 1
            position = archive.find(signature, position + 4)
    return bytes(archive)


def old_document(stream):
    """The beginning of a compound file, with the name of a stream in its directory."""
    return bytes.fromhex("D0CF11E0A1B11AE1") + bytes(1016) + stream.encode("utf-16-le") + bytes(2000)


def hostile():
    """Workbooks that must be refused: name → (bytes, code of the refusal)."""
    good = package(sheet(GOOD_ROWS))
    entities = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    laughs = f'<!DOCTYPE sst [<!ENTITY l0 "ha">{entities}]>'
    outside = '<!DOCTYPE w [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    row = b"<row><c><v>919876543210</v></c></row>"
    block = row * 8192
    begin, end = f'<worksheet xmlns="{MAIN}"><sheetData>'.encode(), b"</sheetData></worksheet>"
    head = b"<row><c t='inlineStr'><is><t>number</t></is></c></row>"
    cut = BOOK_LINKS.replace("worksheets/sheet1.xml", "../../../../etc/passwd")
    absolute = BOOK_LINKS.replace("worksheets/sheet1.xml", "/etc/passwd")
    return {
        "bomb": (with_bomb(Bomb(begin + head, block, 2000, end)), "workbook_too_large"),
        "bomb that lies": (with_bomb(Bomb(begin + head, block, 2000, end), claimed=100_000), "workbook_damaged"),
        "bomb of texts": (
            with_bomb(
                Bomb(f'<sst xmlns="{MAIN}">'.encode(), b"<si><t>x</t></si>" * 8192, 1000, b"</sst>"),
                name="xl/sharedStrings.xml",
            ),
            "workbook_too_large",
        ),
        "bomb of white space": (with_bomb(Bomb(begin + head, b" " * (1 << 20), 500, end[:-1])), "workbook_damaged"),
        "billion laughs": (package(sheet(GOOD_ROWS), texts=f'{laughs}<sst xmlns="{MAIN}"><si><t>&l11;</t></si></sst>'), "workbook_damaged"),
        "laughs in the sheet": (package(sheet("<row><c><v>&l11;</v></c></row>", before=laughs)), "workbook_damaged"),
        "entity from outside": (package(sheet("<row><c><v>&f;</v></c></row>", before=outside)), "workbook_damaged"),
        "path out of the archive": (package(sheet(GOOD_ROWS), book_links=cut), "workbook_damaged"),
        "path of the machine": (package(sheet(GOOD_ROWS), book_links=absolute, files={"../../etc/passwd": "x"}), "workbook_damaged"),
        "part twice": (package(sheet(GOOD_ROWS), files={"XL/workbook.xml": BOOK}), "workbook_damaged"),
        "password on parts": (with_password_flag(good), "workbook_encrypted"),
        "password": (old_document("EncryptedPackage"), "workbook_encrypted"),
        "old workbook": (old_document("Workbook"), "workbook_other_kind"),
        "document": (zipped({"_rels/.rels": ROOT_LINKS, "word/document.xml": "<w/>"}), "workbook_other_kind"),
        "OpenDocument": (zipped({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}), "workbook_other_kind"),
        "binary workbook": (zipped({"_rels/.rels": ROOT_LINKS, "xl/workbook.bin": "x"}), "workbook_other_kind"),
        "archive of a CSV file": (zipped({"leads.csv": "number\n919876543210\n"}), "workbook_other_kind"),
        "cut off": (good[: len(good) // 2], "workbook_damaged"),
        "only a beginning": (b"PK\x03\x04", "workbook_damaged"),
        "too many parts": (zipped({f"{i}": "" for i in range(4097)}), "workbook_too_large"),
        "depth": (with_bomb(Bomb(begin, b"<a>" * 10_000, 1000, b"")), "workbook_damaged"),
        "new names": (package(f"<worksheet>{''.join(f'<n{i}/>' for i in range(200_000))}</worksheet>"), "workbook_damaged"),
        "long tag": (with_bomb(Bomb(b"<worksheet a='", b"x" * (1 << 20), 100, b"'/>")), "workbook_damaged"),
        "text that is not there": (package(sheet("<row><c t='s'><v>7</v></c></row>"), texts=f'<sst xmlns="{MAIN}"/>'), "workbook_damaged"),
        "rows backwards": (package(sheet("<row r='5'/><row r='4'/>")), "workbook_damaged"),
        "number that is none": (package(sheet("<row><c><v>nan</v></c></row>")), "workbook_damaged"),
        "far column": (package(sheet("<row><c r='XFD1'><v>1</v></c></row>")), "workbook_too_many_columns"),
        "long cell": (package(sheet(f"<row><c t='str'><v>{'x' * 17_000}</v></c></row>")), "workbook_field_too_long"),
    }


def ordinary():
    """A list as a person keeps it: numbers as numbers and as texts, dates, truths, gaps, a formula."""
    return [
        ["Full Name", "Mobile", "E-mail", "City", "Consent Date", "Member"],
        ["Asha Rao", 919876543210, "asha@example.in", "Pune", datetime.datetime(2025, 1, 15, 10, 0), True],
        ["Bela", "98765 43211", None, None, datetime.date(2025, 1, 15), False],
        ["Chand", 9876543212.0, "chand@example.in", "", "2025-01-15", None],
        ["Devi", 1234567890123456],
        [],
        ["Esha", 9.19877e11],
        ["Gita", "९८७६५४३२१३", None, None, None, None, None, "a note beside the table"],
        ["Hari", "98765"],
    ]
