import Testing

@testable import Core

@Suite struct LeadImportTests {
    let kolkata: Zone

    init() throws {
        kolkata = try #require(Zone(identifier: "Asia/Kolkata"))
    }

    @Test func `the product's own file is read`() throws {
        let list = try read(
            """
            number,name,email,whatsapp_number,partner
            +919876543210,John Doe,john@example.com,+919876543210,Physics wallah
            +919876543211,Jane Smith,jane@example.com,,Career Mosaic
            """
        )
        let john = try #require(PhoneNumber(e164: "+919876543210"))
        let jane = try #require(PhoneNumber(e164: "+919876543211"))
        #expect(
            list.leads == [
                ImportedLead(
                    line: 2,
                    name: "John Doe",
                    number: john,
                    numberRaw: "+919876543210",
                    email: "john@example.com",
                    whatsappNumber: john,
                    partner: "Physics wallah"
                ),
                ImportedLead(
                    line: 3,
                    name: "Jane Smith",
                    number: jane,
                    numberRaw: "+919876543211",
                    email: "jane@example.com",
                    partner: "Career Mosaic"
                ),
            ]
        )
        #expect(list.errors.isEmpty)
        #expect(list.rowsRead == 2)
    }

    @Test func `columns come in any order, case and wording`() throws {
        let list = try read(
            """
            E-Mail ID;City;WhatsApp No.;LAST NAME;Mobile No.*;First Name;Lead Source;Time Zone;;Consent Date;Budget
            a@b.org;Pune;98765 43211;Rao;98765 43210;Anita;Fair;Asia/Dubai;;2025-01-15;9
            """
        )
        let lead = try #require(list.leads.first)
        #expect(lead.name == "Anita Rao")
        #expect(lead.number.e164 == "+919876543210")
        #expect(lead.numberRaw == "98765 43210")
        #expect(lead.whatsappNumber?.e164 == "+919876543211")
        #expect(lead.email == "a@b.org")
        #expect(lead.partner == "Fair")
        #expect(lead.zone?.identifier == "Asia/Dubai")
        #expect(lead.consentAt == Instant(iso8601: "2025-01-15T00:00:00+05:30"))
        #expect(list.heading?.ignored == ["City", "Budget"])
        #expect(list.heading?.names[.number] == "Mobile No.*")
        #expect(list.heading?.names[.firstName] == "First Name")
    }

    @Test(arguments: [
        "number", "Phone", "MOBILE", "Mobile No", "mobile_no.", "Contact Number", "Phone Number",
        "contact-no", "Tel.", "\u{FEFF}phone",
    ])
    func `a column of numbers goes by many names`(name: String) throws {
        #expect(try read("\(name)\n9876543210").leads.count == 1)
    }

    @Test(arguments: [
        ("", LeadImport.Failure.empty),
        ("\n,,\n \n", .empty),
        ("Name,City\nx,y", .noNumberColumn(found: ["Name", "City"])),
        ("9876543210,Anita", .noNumberColumn(found: ["9876543210", "Anita"])),
        ("Phone,Name,Mobile\n1,2,3", .columnTwice(.number, "Phone", "Mobile")),
        ("number,e-mail,Email\n1,2,3", .columnTwice(.email, "e-mail", "Email")),
    ])
    func `a list without clear columns is refused`(text: String, failure: LeadImport.Failure) {
        #expect(throws: failure) { try read(text) }
    }

    @Test func `the refusal lists the columns that were found`() {
        let sentence = LeadImport.Failure.noNumberColumn(found: ["Name", "City"]).description
        #expect(sentence.contains("“Name”, “City”"))
        let many = LeadImport.Failure.noNumberColumn(found: Array(repeating: "x", count: 30))
        #expect(many.description.contains("and 10 more"))
    }

    @Test(arguments: [
        ("98765,,,,", LeadImport.Column.number, "number_too_short"),
        (",Anita,,,", .number, "number_missing"),
        ("9.19877E+11,,,,", .number, "number_exponent"),
        ("9876543210,,x@y,,", .email, "email_invalid"),
        ("9876543210,,,12,", .whatsappNumber, "number_too_short"),
        ("9876543210,,,,Mars/Base", .timezone, "timezone_unknown"),
        ("9876543210,,,,../../etc/passwd", .timezone, "timezone_unknown"),
        (
            "9876543210,\(String(repeating: "é", count: 201)),,,", .name,
            "name_too_long"
        ),
        ("9876543210,Rao, Anita,,,,Asia/Dubai", nil, "too_many_fields"),
    ])
    func `a row that cannot be taken says why`(
        row: String,
        column: LeadImport.Column?,
        code: String
    ) throws {
        let list = try read("number,name,email,whatsapp,timezone\n\(row)\n9876543219,Next,,,\n")
        let error = try #require(list.errors.first)
        #expect(error.line == 2)
        #expect(error.column == column)
        #expect(error.code == code)
        #expect(error.error.contains(" "))
        #expect(list.leads.map(\.name) == ["Next"])
        #expect(list.rowsRead == 2)
    }

    @Test func `a number that comes twice is taken once`() throws {
        let list = try read(
            """
            number,email
            9876543210,not an address
            98765 43210,
            +91 98765-43210,a@b.org
            919876543210,
            """
        )
        #expect(list.leads.map(\.line) == [3])
        #expect(list.errors.map(\.line) == [2, 4, 5])
        #expect(list.errors.dropFirst().allSatisfy { $0.code == LeadImport.RowError.duplicate })
        #expect(list.errors.last?.error == "Line 3 already has this number.")
    }

    @Test func `texts become one tidy line`() throws {
        let list = try read("number,name\n9876543210,\" Anita\u{7}\u{202E}\nRao \"\n")
        #expect(list.leads.map(\.name) == ["Anita Rao"])
    }

    @Test func `missing fields at the end of a row are empty, and so are extra ones`() throws {
        let list = try read("number,name,email\n9876543210\n9876543211,Rao,,,,\n\n,,\n")
        #expect(list.leads.map(\.name) == ["", "Rao"])
        #expect(list.errors.isEmpty)
        #expect(list.rowsRead == 2)
    }

    @Test(arguments: [
        ("2025-01-15T10:00:00+05:30", "2025-01-15T04:30:00Z"),
        ("2025-01-15 10:00", "2025-01-15T04:30:00Z"),
        ("2025-01-15T10:00:00Z", "2025-01-15T10:00:00Z"),
        ("2025-01-15", "2025-01-14T18:30:00Z"),
        ("15/01/2025", nil),
        ("yes", nil),
        ("0255-01-12T10:00:00Z", nil),
        ("1999-12-31", nil),
    ])
    func `consent has a time, in our zone unless it says another`(
        text: String,
        time: String?
    ) throws {
        let list = try read("number,consent_at,consent text\n9876543210,\(text),I agree\n")
        #expect(list.leads.first?.consentAt == time.flatMap { Instant(iso8601: $0) })
        #expect(list.errors.map(\.code) == (time == nil ? ["consent_at_invalid"] : []))
    }

    @Test func `the number of rows is limited`() {
        var limits = LeadImport.Limits()
        limits.rows = 2
        #expect(throws: LeadImport.Failure.tooManyRows(2)) {
            try read("number\n9876543210\n9876543211\n9876543212\n", limits: limits)
        }
    }

    @Test func `chunks may end anywhere`() throws {
        let text = "number,name\r\n9876543210,\"Anita\r\nRao\"\r\n98765,x\r\n9876543210,y\r\n"
        let whole = try read(text)
        let bytes = Array(text.utf8)
        for cut in bytes.indices {
            #expect(try read(chunks: [bytes[..<cut], bytes[cut...]]) == whole, "at \(cut)")
        }
    }

    @Test func `a long list is read, every row once`() throws {
        var reader = LeadImport(defaultRegion: "IN", zone: kolkata)
        var leads = 0
        var duplicates = 0
        let receive = { (row: LeadImport.Row) in
            switch row {
            case .lead: leads += 1
            case .refused: duplicates += 1
            }
        }
        try reader.feed(Array("number,name\n".utf8).span, receive: receive)
        for block in 0..<20 {
            let rows = (0..<1_000).map { "98\(10_000_000 + block * 999 + $0),Lead \($0)\n" }
                .joined()
            try reader.feed(Array(rows.utf8).span, receive: receive)
        }
        try reader.finish(receive: receive)
        // Each block after the first begins with the last number of the one before.
        #expect(leads == 19_981)
        #expect(duplicates == 19)
        #expect(reader.rowsRead == 20_000)
    }

    private struct List: Equatable {
        var leads: [ImportedLead] = []
        var errors: [LeadImport.RowError] = []
        var heading: LeadImport.Heading?
        var rowsRead = 0
    }

    @discardableResult
    private func read(_ text: String, limits: LeadImport.Limits = .init()) throws -> List {
        try read(chunks: [Array(text.utf8)[...]], limits: limits)
    }

    private func read(
        chunks: [ArraySlice<UInt8>],
        limits: LeadImport.Limits = .init()
    ) throws -> List {
        var reader = LeadImport(defaultRegion: "IN", zone: kolkata, limits: limits)
        var list = List()
        let receive = { (row: LeadImport.Row) in
            switch row {
            case .lead(let lead): list.leads.append(lead)
            case .refused(let error): list.errors.append(error)
            }
        }
        for chunk in chunks { try reader.feed(chunk.span, receive: receive) }
        try reader.finish(receive: receive)
        list.heading = reader.heading
        list.rowsRead = reader.rowsRead
        return list
    }
}
