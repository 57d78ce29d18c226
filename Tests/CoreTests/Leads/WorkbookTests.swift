import Foundation
import Testing

@testable import Core

@Suite struct WorkbookTests {
    let kolkata: Zone

    init() throws {
        kolkata = try #require(Zone(identifier: "Asia/Kolkata"))
    }

    // MARK: Whole workbooks

    /// The same list, as Excel lays it out (below a title, behind a page of notes and a hidden sheet)
    /// and as LibreOffice saves it.
    @Test(arguments: [("excel", 2), ("libreoffice", 0)])
    func `a workbook is read like the CSV file of its list`(name: String, titles: Int) throws {
        let list = try read(try fixture(name))
        let leads = list.leads.prefix(4)
        #expect(leads.map(\.name) == ["Asha Rao", "Bela", "Chand", "Gita"])
        #expect(leads.map { $0.line - titles } == [2, 3, 4, 8])
        #expect(
            leads.map(\.number.e164) == [
                "+919876543210", "+919876543211", "+919876543212", "+919876543213",
            ]
        )
        #expect(leads.first?.numberRaw == "919876543210")
        #expect(leads.map(\.email) == ["asha@example.in", nil, "chand@example.in", nil])
        #expect(
            leads.map(\.consentAt) == [
                Instant(iso8601: "2025-01-15T10:00:00+05:30"),
                Instant(iso8601: "2025-01-15T00:00:00+05:30"),
                Instant(iso8601: "2025-01-15T00:00:00+05:30"), nil,
            ]
        )
        #expect(list.heading?.names[.number] == "Mobile")
        #expect(list.heading?.ignored == ["City", "Member"])
        let errors = list.errors.prefix(3)
        #expect(errors.map { $0.line - titles } == [5, 7, 9])
        #expect(
            errors.map(\.code) == ["number_exponent", "number_exponent", "number_too_short"]
        )
    }

    @Test func `what formulas gave is read, errors by name and line breaks as space`() throws {
        let list = try read(try fixture("excel"))
        #expect(list.leads.last?.name == "Ila Rao")
        #expect(list.leads.last?.numberRaw == "9876543214")
        #expect(list.errors.last?.code == "number_character")
        #expect(list.errors.last?.line == 21)
    }

    @Test func `chunks may end anywhere`() throws {
        let bytes = try fixture("libreoffice")
        let whole = try read(bytes)
        for size in [1, 3, 1000] { #expect(try read(bytes, inChunksOf: size) == whole) }
    }

    @Test func `a workbook cut off anywhere is refused with a sentence`() throws {
        let bytes = try fixture("libreoffice")
        for length in stride(from: 8, to: bytes.count, by: 97) {
            #expect(throws: Workbook.Failure.damaged) { try read(Array(bytes[..<length])) }
        }
    }

    @Test func `a workbook with a changed byte is read right or refused`() throws {
        let bytes = try fixture("libreoffice")
        let whole = try read(bytes)
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        var refusals = 0
        for _ in 0..<300 {
            var damaged = bytes
            let place = Int.random(in: 0..<bytes.count, using: &random)
            damaged[place] ^= UInt8.random(in: 1...255, using: &random)
            do {
                let list = try read(damaged)
                // A sheet's own text has a checksum; the name of a part that nobody needs has none.
                #expect(list.leads == whole.leads, "seed \(seed), byte \(place)")
            } catch is any UnreadableFile {
                refusals += 1
            }
        }
        #expect(refusals > 100)
    }

    @Test(arguments: [
        (stream: "Workbook", failure: "workbook_other_kind"),
        (stream: "EncryptedPackage", failure: "workbook_encrypted"),
    ])
    func `old documents and those with a password are told apart`(
        stream: String,
        failure: String
    ) throws {
        let bytes: [UInt8] =
            [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1] + [UInt8](repeating: 0, count: 1000)
            + stream.utf8.flatMap { [$0, 0] as [UInt8] } + [0, 0, 1]
        for size in [1, 7, bytes.count] {
            let error = #expect(throws: Workbook.Failure.self) {
                try read(bytes, inChunksOf: size)
            }
            #expect(error?.code == failure)
        }
    }

    // MARK: Cells

    @Test(arguments: [
        ("<c><v>919876543210</v></c>", "919876543210"),
        ("<c><v>9.1987654321E+11</v></c>", "919876543210"),
        ("<c><v>919876543210.0</v></c>", "919876543210"),
        ("<c t='n'><v>98.5</v></c>", "98.5"),
        ("<c><v>-7</v></c>", "-7"),
        // Fifteen digits are all there; of sixteen, and of what once was `9.19877E+11`, they are not.
        ("<c><v>123456789012345</v></c>", "123456789012345"),
        ("<c><v>1234567890123456</v></c>", "1.23456789012346E+15"),
        ("<c><v>919877000000</v></c>", "9.19877000000000E+11"),
        ("<c><v>919877100000</v></c>", "919877100000"),
        ("<c><v>98765000000</v></c>", "98765000000"),
        ("<c t='s'><v>0</v></c>", "Asha"),
        ("<c t='s'><v>1</v></c>", "Rao & Söhne"),
        ("<c t='inlineStr'><is><t>a</t><rPh sb='0' eb='1'><t>x</t></rPh></is></c>", "a"),
        ("<c t='inlineStr'><is><r><t>a</t></r><r><t> b</t></r></is></c>", "a b"),
        ("<c t='str'><f>A1</f><v>a_x000D_b_x</v></c>", "a\rb_x"),
        ("<c t='b'><v>1</v></c>", "TRUE"),
        ("<c t='b'><v>0</v></c>", "FALSE"),
        ("<c t='e'><v>#N/A</v></c>", "#N/A"),
        ("<c t='d'><v>2025-01-15T10:00:00</v></c>", "2025-01-15T10:00:00"),
        // Styles 1 and 2 show dates, 3 does not.
        ("<c s='1'><v>45672</v></c>", "2025-01-15"),
        ("<c s='1'><v>45672.4166666667</v></c>", "2025-01-15T10:00:00"),
        ("<c s='2'><v>45671.9999999</v></c>", "2025-01-15"),
        ("<c s='3'><v>45672</v></c>", "45672"),
        ("<c s='1'><v>61</v></c>", "1900-03-01"),
        ("<c s='1'><v>2958465</v></c>", "9999-12-31"),
        // No day of the calendar.
        ("<c s='1'><v>0.5</v></c>", "0.5"),
        ("<c s='1'><v>9876543210</v></c>", "9876543210"),
    ])
    func `a cell is read as what it shows`(cell: String, text: String) throws {
        #expect(try rows("<row>\(cell)</row>").map(\.fields) == [[text]])
    }

    @Test(arguments: [
        ("yyyy-mm-dd", true), ("[$-409]d\\-mmm\\-yy;@", true), ("h:mm AM/PM", true),
        ("General", false), ("0", false), ("0.00E+00", false), ("[Red]0;\"days\"", false),
        ("\"months\" 0", false), ("_d0", false), ("#,##0 \\m", false),
    ])
    func `a format shows a date or not`(code: String, isDate: Bool) throws {
        let escaped = code.replacing("\"", with: "&quot;")
        let styles = """
            <styleSheet><numFmts><numFmt numFmtId='170' formatCode="\(escaped)"/></numFmts>
            <cellStyleXfs><xf numFmtId='14'/></cellStyleXfs>
            <cellXfs><xf numFmtId='170'/></cellXfs></styleSheet>
            """
        let formats = CellFormats()
        try parse(styles, formats)
        #expect(
            formats.text(ofNumber: "45672", format: 0) == (isDate ? "2025-01-15" : "45672")
        )
    }

    @Test func `dates may count from 1904`() throws {
        let formats = CellFormats(countsFrom1904: true)
        try parse("<s><cellXfs><xf numFmtId='14'/></cellXfs></s>", formats)
        #expect(formats.text(ofNumber: "44210", format: 0) == "2025-01-15")
    }

    // MARK: Rows

    @Test func `cells have places and rows have numbers, told or counted`() throws {
        let sheet = """
            <row r='2'><c r='B2'><v>1</v></c><c><v>2</v></c><c r='E2'/></row><row/>
            <row><c r='AA4'><v>3</v></c></row><x:row xmlns:x='y' r='9'><x:c><x:v>4</x:v></x:c></x:row>
            """
        let found = try rows(sheet).filter { !$0.fields.isEmpty }
        #expect(found.map(\.line) == [2, 4, 9])
        #expect(found.first?.fields == ["", "1", "2"])
        #expect(found[1].fields == [String](repeating: "", count: 26) + ["3"])
    }

    @Test(arguments: [
        ("<row r='3'/><row r='3'/>", Workbook.Failure.damaged),
        ("<row r='0'/>", .damaged),
        ("<row r='1048577'/>", .damaged),
        ("<row><c r='B1'/><c r='A1'/></row>", .damaged),
        ("<row><c r='1'/></row>", .damaged),
        ("<row><c t='s'><v>2</v></c></row>", .damaged),
        ("<row><c t='s'><v>-1</v></c></row>", .damaged),
        ("<row><c><v>one</v></c></row>", .damaged),
        ("<row r='7'><c r='E7'><v>1</v></c></row>", .tooManyColumns(line: 7, limit: 4)),
        ("<row><c t='str'><v>12345678901</v></c></row>", .fieldTooLong(line: 1, limit: 10)),
        (
            "<row>\(String(repeating: "<c t='str'><v>1234567890</v></c>", count: 3))</row>",
            .rowTooLong(line: 1, limit: 20)
        ),
    ])
    func `what is wrong with a sheet is named`(sheet: String, failure: Workbook.Failure) throws {
        var limits = TableRow.Limits()
        (limits.fieldBytes, limits.rowBytes, limits.columns) = (10, 20, 4)
        #expect(throws: failure) { try rows(sheet, limits: limits) }
        #expect(failure.code.hasPrefix("workbook_"))
        #expect(failure.line.map { failure.description.contains("ow \($0)") } ?? true)
    }

    @Test func `the texts of a workbook are limited`() throws {
        var limits = Workbook.Limits()
        (limits.texts, limits.textBytes) = (3, 8)
        let four = "<sst>\(String(repeating: "<si><t/></si>", count: 4))</sst>"
        for texts in [four, "<sst><si><t>12345</t></si><si><t>6789</t></si></sst>"] {
            #expect(throws: Workbook.Failure.tooMuchText(texts: 3, bytes: 8)) {
                try parse(texts, SharedTexts(limits: limits))
            }
        }
    }

    @Test func `a document type is refused before anything it stands for is built`() {
        let xml = "<!DOCTYPE s [<!ENTITY a 'x'>]><sst><si><t>&a;</t></si></sst>"
        #expect(throws: XMLReader.Failure.self) {
            try parse(xml, SharedTexts(limits: Workbook.Limits()))
        }
    }

    @Test(arguments: [
        String(repeating: "<a>", count: 100_000),
        (0..<100_000).map { "<a\($0)/>" }.joined(),
        (0..<100_000).map { "<a b\($0)=''/>" }.joined(),
        "<a b='\(String(repeating: "x", count: 2 << 20))'/>",
    ])
    func `no markup fills the memory`(markup: String) {
        #expect(throws: XMLReader.Failure.self) {
            try parse("<sst>\(markup)", SharedTexts(limits: Workbook.Limits()))
        }
    }

    // MARK: -

    private struct ReadRow: Equatable {
        var line: Int
        var fields: [String]
    }

    private func rows(_ sheet: String, limits: TableRow.Limits = .init()) throws -> [ReadRow] {
        let texts = SharedTexts(limits: Workbook.Limits())
        try parse(
            "<sst><si><t>Asha</t></si><si><r><t>Rao &amp;</t></r><r><t> Söhne</t></r></si></sst>",
            texts
        )
        let formats = CellFormats()
        try parse(
            """
            <styleSheet><numFmts><numFmt numFmtId='164' formatCode='dd/mm/yyyy'/></numFmts>
            <cellXfs><xf/><xf numFmtId='14'/><xf numFmtId='164'/><xf numFmtId='2'/></cellXfs>
            </styleSheet>
            """,
            formats
        )
        var rows: [ReadRow] = []
        try withoutActuallyEscaping({ (row: TableRow) in
            rows.append(ReadRow(line: row.line, fields: (0..<row.count).map { row[$0] }))
        }) { receive in
            let reader = SheetReader(
                texts: texts,
                formats: formats,
                limits: limits,
                receive: receive
            )
            try parse("<worksheet><sheetData>\(sheet)</sheetData></worksheet>", reader)
        }
        return rows
    }

    private func parse(_ xml: String, _ receiver: any XMLReceiver) throws {
        let reader = try XMLReader(receiver: receiver)
        let bytes = Array(xml.utf8)
        for start in stride(from: 0, to: bytes.count, by: 1000) {
            try reader.feed(bytes[start..<min(start + 1000, bytes.count)].span)
        }
        try reader.finish()
    }

    private struct List: Equatable {
        var leads: [ImportedLead] = []
        var errors: [LeadImport.RowError] = []
        var heading: LeadImport.Heading?
    }

    private func read(_ bytes: [UInt8], inChunksOf size: Int = 65_536) throws -> List {
        var reader = LeadImport(defaultRegion: "IN", zone: kolkata)
        var list = List()
        let receive = { (row: LeadImport.Row) in
            switch row {
            case .lead(let lead): list.leads.append(lead)
            case .refused(let error): list.errors.append(error)
            }
        }
        for start in stride(from: 0, to: bytes.count, by: size) {
            let end = min(start + size, bytes.count)
            try reader.feed(bytes[start..<end].span, receive: receive)
        }
        try reader.finish(receive: receive)
        list.heading = reader.heading
        return list
    }

    /// A file of Tests/Fixtures/workbooks.
    private func fixture(_ name: String) throws -> [UInt8] {
        let tests = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return Array(try Data(contentsOf: tests.appending(path: "Fixtures/workbooks/\(name).xlsx")))
    }
}
