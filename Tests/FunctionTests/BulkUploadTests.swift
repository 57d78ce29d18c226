import Foundation
import Testing

@testable import Core
@testable import World
@testable import bulk_upload

@Suite struct BulkUploadTests {
    let world: World
    let upload: BulkUpload

    init() throws {
        let world = try World()
        self.world = world
        upload = BulkUpload(
            database: world.database,
            store: LeadStore(callsNewLeads: false),
            defaultRegion: "IN",
            zone: try unwrap(Zone(identifier: "Asia/Kolkata")),
            clock: Clock { world.now }
        )
    }

    // MARK: Good and bad rows

    @Test func `good rows are added and bad ones named`() throws {
        let answer = try send(
            #"""
            Full Name,Mobile,E-mail,WhatsApp,Partner,Remarks
            Asha Rao,98765 43210,asha@example.in,,Physics wallah,met at a fair
            "Rao, ""Bela""",++919876543211,,+919876543219,Career Mosaic,
            Chand,9.19877E+11,,,,
            Devi,98765,,,,
            Asha again,+91 98765 43210,,,,
            """#
        )
        #expect(answer.status == 200)
        let json = answer.json
        #expect(json["success"] == true)
        #expect(json["dry_run"] == false)
        #expect(json["rows_read"] == 5)
        #expect(json["rows_added"] == 2)
        #expect(json["duplicates"] == 1)
        #expect(json["ignored_columns"] == ["Remarks"])
        #expect(json["columns"]?["number"] == "Mobile")
        #expect(json["columns"]?["name"] == "Full Name")
        #expect(json["errors_truncated"] == false)
        let errors = try unwrap(json["errors"]?.array)
        #expect(errors.map { $0["line"]?.integer } == [4, 5, 6])
        #expect(
            errors.map { $0["code"]?.string } == [
                "number_exponent", "number_too_short", "duplicate_in_file",
            ]
        )
        #expect(errors.allSatisfy { $0["column"] == "number" && $0["error"]?.string != nil })
        #expect(try names() == ["Asha Rao", "Rao, \"Bela\""])
    }

    @Test func `the same file twice adds nobody`() throws {
        let file = "number,name\n9876543210,Asha\n9876543211,Bela\n"
        #expect(try send(file).json["rows_added"] == 2)
        let again = try send(file).json
        #expect(again["rows_added"] == 0)
        #expect(again["duplicates"] == 2)
        #expect(
            again["errors"]?.array?.map { $0["code"]?.string }
                == ["duplicate_in_database", "duplicate_in_database"]
        )
        #expect(try world.value("SELECT count(*) FROM leads") == 2)
    }

    @Test func `nobody has consented tomorrow`() throws {
        let answer = try send("number,consent at\n9876543210,2026-11-24\n9876543211,2026-11-22\n")
        #expect(answer.json["rows_added"] == 1)
        #expect(answer.json["errors"]?[0]?["code"] == "consent_at_future")
        #expect(answer.json["errors"]?[0]?["column"] == "consent_at")
        #expect(answer.json["errors"]?[0]?["line"] == 2)
    }

    @Test func `a dry run tells the same and stores nothing`() throws {
        try world.lead("+919876543211")
        let file = "number,name\n9876543210,Asha\n9876543211,Bela\nx,Chand\n"
        let dry = try send(file, query: ["dry_run": "true"]).json
        #expect(try world.value("SELECT count(*) FROM leads") == 1)
        #expect(dry["dry_run"] == true)
        #expect(dry["preview"]?[0]?["number"] == "+919876543210")
        #expect(dry["preview"]?[0]?["line"] == 2)
        let real = try send(file).json
        for member in ["rows_read", "rows_added", "duplicates", "errors", "columns"] {
            #expect(dry[member] == real[member])
        }
        #expect(real["rows_added"] == 1)
    }

    @Test func `more rows than one batch arrive whole, however the body is cut`() throws {
        let rows = (0..<1203).map { "98\(76_500_000 + $0),Lead \($0)" }
        let body = form("number,name\r\n" + rows.joined(separator: "\r\n"))
        var position = 0
        let request = request(
            Request.Body(length: body.count) { buffer in
                let count = min(buffer.count, 777, body.count - position)
                buffer.copyBytes(from: body[position..<position + count])
                position += count
                return count
            }
        )
        #expect(try upload.router.respond(to: request).json["rows_added"] == 1203)
        #expect(try world.value("SELECT count(*) FROM leads") == 1203)
    }

    @Test func `somebody who opted out comes back opted out`() throws {
        let number = try PhoneNumber(parsing: "+919876543210", defaultRegion: "IN")
        try world.database.write {
            try Suppressions.optOut(
                number,
                channel: .whatsapp,
                words: "STOP",
                now: world.now,
                in: $0
            )
        }
        #expect(try send("number\n9876543210\n").json["rows_added"] == 1)
        #expect(try world.value("SELECT journey_state FROM leads", as: String.self) == "opted_out")
    }

    // MARK: Workbooks

    @Test func `a workbook gives the report of a CSV file, whatever it is called`() throws {
        let file = try fixture("libreoffice")
        let dry = try send(file, query: ["dry_run": "true"]).json
        #expect(try world.value("SELECT count(*) FROM leads") == 0)
        #expect(dry["preview"]?[0]?["number"] == "+919876543210")
        let answer = try send(file)
        #expect(answer.status == 200)
        let json = answer.json
        for member in ["rows_read", "rows_added", "duplicates", "errors", "columns", "preview"] {
            #expect(dry[member] == json[member])
        }
        #expect(json["rows_read"] == 7)
        #expect(json["rows_added"] == 4)
        #expect(json["columns"]?["number"] == "Mobile")
        #expect(json["ignored_columns"] == ["City", "Member"])
        let errors = try unwrap(json["errors"]?.array)
        #expect(errors.map { $0["line"]?.integer } == [5, 7, 9])
        #expect(try names() == ["Asha Rao", "Bela", "Chand", "Gita"])
        let again = try send(file).json
        #expect(again["rows_added"] == 0)
        #expect(again["duplicates"] == 4)
    }

    @Test func `a workbook that cannot be read is refused with a sentence`() throws {
        let file = try fixture("libreoffice")
        let old: [UInt8] = [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1, 0, 0]
        for (bytes, code) in [
            (Array(file.dropLast(100)), "workbook_damaged"), (old, "workbook_other_kind"),
        ] {
            let answer = try send(bytes)
            #expect(answer.status == 422)
            #expect(answer.json["code"] == .string(code))
            #expect(answer.json["field"] == "file")
            #expect(answer.json["error"]?.string?.hasSuffix(".") == true)
        }
        #expect(try world.value("SELECT count(*) FROM leads") == 0)
    }

    /// A file of Tests/Fixtures/workbooks.
    private func fixture(_ name: String) throws -> [UInt8] {
        let tests = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
        return Array(try Data(contentsOf: tests.appending(path: "Fixtures/workbooks/\(name).xlsx")))
    }

    // MARK: What cannot be read

    static let unreadable: [(String, String)] = [
        ("", "import_empty"), ("name\nAsha\n", "import_no_number_column"),
        ("number,phone\n1,2\n", "import_column_twice"), ("\u{89}PNG\r\n\u{1A}\n", "csv_not_text"),
        ("number\n98765\u{0}43210\n", "csv_nul"),
        ("number,name\n9876543210,\"Asha\n", "csv_unterminated_quote"),
    ]

    @Test(arguments: unreadable)
    func `a file that cannot be read is refused with a sentence`(file: String, code: String) throws
    {
        var bytes = Array(file.utf8)
        if code == "csv_not_text" { bytes = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] }
        let answer = try send(bytes)
        #expect(answer.status == 422)
        #expect(answer.json["code"] == .string(code))
        #expect(answer.json["field"] == "file")
        #expect(answer.json["error"]?.string?.hasSuffix(".") == true)
        #expect(try world.value("SELECT count(*) FROM leads") == 0)
    }

    @Test func `the good rows before a damaged line are kept, and the answer says so`() throws {
        let rows = (0..<700).map { "98\(76_500_000 + $0)" }.joined(separator: "\n")
        let answer = try send("number\n\(rows)\n\"open\n")
        #expect(answer.status == 422)
        #expect(answer.json["code"] == "csv_unterminated_quote")
        #expect(answer.json["line"] == 702)
        #expect(answer.json["rows_added"] == 700)
        #expect(answer.json["error"]?.string?.contains("700 rows before it are stored") == true)
        #expect(try world.value("SELECT count(*) FROM leads") == 700)
        let dry = try send("number\n9800000000\n\"open\n", query: ["dry_run": "true"])
        #expect(dry.json["rows_added"] == 0)
        #expect(try world.value("SELECT count(*) FROM leads") == 700)
    }

    @Test func `a form that breaks off says how much of it is stored`() throws {
        let answer = try answer(to: request(Request.Body(brokenForm())))
        #expect(answer.status == 400)
        #expect(answer.json["error"]?.string?.contains("1000 rows before it are stored") == true)
        #expect(try world.value("SELECT count(*) FROM leads") == 1_000)
    }

    /// The batch that fails is stored while the form's end is read.
    @Test func `that rows could not be stored is told before what is wrong with the form`() throws {
        try world.database.write {
            try $0.execute(
                """
                CREATE TRIGGER refused AFTER INSERT ON leads WHEN new.name = 'Lead 700'
                BEGIN SELECT raise(FAIL, 'refused'); END
                """
            )
        }
        #expect(try answer(to: request(Request.Body(brokenForm()))).status == 500)
        #expect(try world.value("SELECT count(*) FROM leads") == 500)
    }

    /// A form of 1,300 rows without its end.
    private func brokenForm() -> [UInt8] {
        let rows = (0..<1_300).map { "98\(76_500_000 + $0),Lead \($0)\n" }.joined()
        return Array(part("file", "number,name\n" + rows).utf8)
    }

    @Test func `forms that are not one file are refused`() throws {
        let file = part("file", "number\n9876543210\n")
        let cases: [(String, Int, String)] = [
            (part("file", "number\n"), 400, "multipart_incomplete"),
            ("--x--\r\n", 422, "file_missing"),
            (part("list", "number\n") + "--x--\r\n", 422, "unknown_field"),
            (file + part("file", "number\n") + "--x--\r\n", 422, "file_twice"),
        ]
        for (body, status, code) in cases {
            let answer = try answer(to: request(Request.Body(Array(body.utf8))))
            #expect(answer.status == status)
            #expect(answer.json["code"] == .string(code))
        }
    }

    @Test func `more than 50 MB is refused before it is read`() throws {
        let body = Request.Body(length: 50 * 1024 * 1024 + 1) { _ in
            Issue.record("The body was read.")
            return 0
        }
        let answer = try answer(to: request(body))
        #expect(answer.status == 413)
        #expect(answer.json["error"]?.string?.contains("50 MB") == true)
    }

    @Test func `a parameter that would be ignored is refused`() throws {
        for query: Request.Query in [["dryrun": "true"], ["dry_run": "maybe"]] {
            #expect(try send("number\n", query: query).status == 400)
        }
    }

    // MARK: Requests

    private func send(_ file: String, query: Request.Query = Request.Query()) throws -> Response {
        try send(Array(file.utf8), query: query)
    }

    private func send(_ file: [UInt8], query: Request.Query = Request.Query()) throws -> Response {
        let body = Array(part("file", "").utf8).dropLast(2) + file + Array("\r\n--x--\r\n".utf8)
        return try answer(to: request(Request.Body(Array(body)), query: query))
    }

    private func form(_ file: String) -> [UInt8] {
        Array((part("file", file) + "--x--\r\n").utf8)
    }

    private func part(_ name: String, _ content: String) -> String {
        "--x\r\nContent-Disposition: form-data; name=\"\(name)\"; filename=\"leads.csv\"\r\n\r\n"
            + "\(content)\r\n"
    }

    private func request(_ body: Request.Body, query: Request.Query = Request.Query()) -> Request {
        Request(
            method: "POST",
            path: "/api/leads/bulk-upload",
            query: query,
            headers: ["content-type": "multipart/form-data; boundary=x"],
            body: body
        )
    }

    private func answer(to request: Request) throws -> Response {
        do { return try upload.router.respond(to: request) } catch {
            return FastCGI.answer(to: error)
        }
    }

    private func names() throws -> [String] {
        try world.database.read { connection in
            try connection.rows("SELECT name FROM leads ORDER BY id").map {
                try $0.required("name")
            }
        }
    }
}
