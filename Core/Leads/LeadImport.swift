/// One person of an uploaded list, checked and tidied, not stored yet.
public struct ImportedLead: Sendable, Equatable {
    /// Where the row stands in the file, as ``TableRow/line`` counts.
    public var line: Int
    /// One tidy line, at most ``PersonName/maximumLength`` characters; empty when the list has none.
    public var name: String
    public var number: PhoneNumber
    /// The number as the file has it.
    public var numberRaw: String
    public var email: String?
    public var whatsappNumber: PhoneNumber?
    public var partner: String?
    public var zone: Zone?
    public var consentAt: Instant?
    public var consentText: String?
    public var consentSource: String?
}

/// Reads an uploaded list of leads in chunks, row by row, and judges each row by itself.
///
/// The list is a CSV file or an Excel workbook, whose rows come at the end. The first line names the columns, in any order and case and by many names (``Column``). A row that
/// cannot be taken is refused with a reason and does not stop the others. Nothing is stored here; of
/// the rows read only their numbers are kept, to find those that come twice.
public struct LeadImport {
    /// How large a list may be; beyond it reading stops with a ``Failure``.
    public struct Limits: Sendable {
        public var rows = 1_000_000
        public var row = TableRow.Limits()

        /// Creates the limits for an upload.
        public init() {}
    }

    /// What became of a row.
    public enum Row: Sendable, Equatable {
        case lead(ImportedLead)
        case refused(RowError)
    }

    /// Why a row was not taken.
    public struct RowError: Error, Sendable, Equatable {
        /// The code of the error that an earlier row already has the number.
        public static let duplicate = "duplicate_in_file"

        /// Where the row stands in the file, as ``TableRow/line`` counts.
        public var line: Int
        /// The column in question; nil if it is the row as a whole.
        public var column: Column?
        /// A machine word, such as `number_too_short`.
        public var code: String
        /// A sentence for a person.
        public var error: String

        /// Creates an error of a row.
        public init(line: Int, column: Column?, code: String, error: String) {
            self.line = line
            self.column = column
            self.code = code
            self.error = error
        }
    }

    private var reader: ListReader
    private var list: List

    /// What the columns were taken for; nil until the first line is read.
    public var heading: Heading? { list.heading }
    /// How many rows have been read, without blank ones and the heading.
    public var rowsRead: Int { list.rowsRead }

    /// Creates an import of one file.
    ///
    /// - Parameters:
    ///   - defaultRegion: where numbers without a country code are dialled, ISO 3166 letters.
    ///   - zone: the zone of times without an offset.
    ///   - limits: how large the file may be.
    public init(defaultRegion: String, zone: Zone, limits: Limits = Limits()) {
        reader = ListReader(limits: limits.row)
        list = List(defaultRegion: defaultRegion, zone: zone, maximumRows: limits.rows)
    }

    /// Reads on, and calls `receive` with each row that is complete.
    ///
    /// - Throws: ``UnreadableFile``, ``File/Unavailable`` or what `receive` throws. Rows handed out
    ///   before it stay good; nothing more can be read.
    public mutating func feed(_ bytes: Span<UInt8>, receive: (Row) throws -> Void) throws {
        try reader.feed(bytes) { try list.take($0, receive: receive) }
    }

    /// Reads the end of the file, and calls `receive` with the rows that are left.
    ///
    /// - Throws: what ``feed(_:receive:)`` throws, and ``Failure/empty``.
    public mutating func finish(receive: (Row) throws -> Void) throws {
        try reader.finish(isHeading: Heading.namesNumbers) { row in
            try list.take(row, receive: receive)
        }
        if heading == nil { throw Failure.empty }
    }
}

extension LeadImport {
    /// What a column can hold.
    ///
    /// The raw value is its name in the API.
    public enum Column: String, Sendable, CaseIterable {
        case number
        case name
        case firstName = "first_name"
        case lastName = "last_name"
        case email
        case whatsappNumber = "whatsapp_number"
        case partner
        case timezone
        case consentAt = "consent_at"
        case consentText = "consent_text"
        case consentSource = "consent_source"

        /// Reads a heading; case, spaces and punctuation make no difference.
        fileprivate init?(heading: String) {
            let name = String(heading.lowercased().filter { $0.isLetter || $0.isNumber })
            guard let column = Self.byName[name] else { return nil }
            self = column
        }

        private static let byName: [String: Column] = {
            var columns: [String: Column] = [:]
            for column in allCases {
                for name in column.names { columns[name] = column }
            }
            return columns
        }()

        private var names: [String] {
            switch self {
            case .number:
                [
                    "number", "phone", "phoneno", "phonenumber", "phonenum", "ph", "phno",
                    "phonemobile", "mobile", "mobileno", "mobilenumber", "mobilephone", "mob",
                    "mobno", "cell", "cellno", "cellnumber", "cellphone", "contact", "contactno",
                    "contactnumber", "contactphone", "telephone", "telephoneno",
                    "telephonenumber", "tel", "telno", "callingnumber", "primaryphone",
                    "leadphone", "studentphone", "studentmobile", "customerphone",
                ]
            case .name:
                [
                    "name", "fullname", "leadname", "studentname", "candidatename", "customername",
                    "contactname", "contactperson", "personname",
                ]
            case .firstName: ["firstname", "fname", "givenname", "forename"]
            case .lastName: ["lastname", "lname", "surname", "familyname"]
            case .email:
                ["email", "emailid", "emailaddress", "emailaddr", "mail", "mailid", "mailaddress"]
            case .whatsappNumber:
                [
                    "whatsappnumber", "whatsapp", "whatsappno", "whatsappphone", "whatsappmobile",
                    "whatsappcontact", "wa", "wano", "wanumber",
                ]
            case .partner: ["partner", "partnername", "source", "sourcename", "leadsource"]
            case .timezone: ["timezone", "tz"]
            case .consentAt:
                [
                    "consentat", "consentdate", "consenttime", "consenttimestamp", "optinat",
                    "optindate",
                ]
            case .consentText: ["consenttext", "consentwording", "optintext"]
            case .consentSource: ["consentsource", "optinsource"]
            }
        }
    }

    /// What the first line says about the columns.
    public struct Heading: Sendable, Equatable {
        /// The columns that are read, with the names that the file gives them.
        public private(set) var names: [Column: String] = [:]
        /// The names of the columns that are not read, in the file's order.
        public private(set) var ignored: [String] = []
        /// Where each column stands, counted from 0.
        fileprivate private(set) var positions: [Column: Int] = [:]
        /// How many columns the file has.
        fileprivate let count: Int

        /// Whether a row names a column of numbers, which only a heading does.
        fileprivate static func namesNumbers(_ row: TableRow) -> Bool {
            (0..<row.count).contains { Column(heading: row[$0].singleLine) == .number }
        }

        fileprivate init(_ row: TableRow) throws(Failure) {
            count = row.count
            let all = (0..<row.count).map { row[$0].singleLine }
            for (position, name) in all.enumerated() where !name.isEmpty {
                guard let column = Column(heading: name) else {
                    ignored.append(name)
                    continue
                }
                if let other = names.updateValue(name, forKey: column) {
                    throw .columnTwice(column, other, name)
                }
                positions[column] = position
            }
            if names[.number] == nil { throw .noNumberColumn(found: all.filter { !$0.isEmpty }) }
        }
    }

    /// Why a list cannot be read (further).
    public enum Failure: UnreadableFile, Sendable, Equatable {
        /// There is nothing in the file.
        case empty
        /// No column has phone numbers; `found` are the names of those there are.
        case noNumberColumn(found: [String])
        /// Two columns stand for the same; their names follow.
        case columnTwice(Column, String, String)
        case tooManyRows(Int)

        /// The machine word for the API, such as `import_no_number_column`.
        public var code: String {
            switch self {
            case .empty: "import_empty"
            case .noNumberColumn: "import_no_number_column"
            case .columnTwice: "import_column_twice"
            case .tooManyRows: "import_too_many_rows"
            }
        }

        /// None: it is about the file as a whole.
        public var line: Int? { nil }

        /// A sentence for a person.
        public var description: String {
            switch self {
            case .empty: "The file is empty."
            case .noNumberColumn(let found):
                "No column has phone numbers. The first line must name the columns, one of them "
                    + "“number”; it has \(Self.list(found))."
            case .columnTwice(let column, let first, let second):
                "The columns “\(first)” and “\(second)” both stand for “\(column.rawValue)”. Rename "
                    + "or remove one of them."
            case .tooManyRows(let limit): "The file has more than \(limit) rows."
            }
        }

        private static func list(_ names: [String]) -> String {
            let shown = names.prefix(20).map { "“\($0.prefix(40))”" }.joined(separator: ", ")
            return names.count > 20 ? "\(shown) and \(names.count - 20) more" : shown
        }
    }
}

/// The rows of one list, as they are judged one after the other.
private struct List {
    let defaultRegion: String
    let zone: Zone
    let maximumRows: Int
    var heading: LeadImport.Heading?
    var rowsRead = 0
    /// The line in which each number first came, by its digits.
    var firstLines: [UInt64: UInt32] = [:]
    /// The time zones that rows have named, because each is a file to read.
    var zones: [String: Zone] = [:]

    init(defaultRegion: String, zone: Zone, maximumRows: Int) {
        self.defaultRegion = defaultRegion
        self.zone = zone
        self.maximumRows = maximumRows
    }

    mutating func take(
        _ row: TableRow,
        receive: (LeadImport.Row) throws -> Void
    ) throws {
        if row.isBlank { return }
        guard let heading else {
            heading = try LeadImport.Heading(row)
            return
        }
        rowsRead += 1
        guard rowsRead <= maximumRows else { throw LeadImport.Failure.tooManyRows(maximumRows) }
        let judged: LeadImport.Row
        do throws(LeadImport.RowError) {
            judged = .lead(try lead(in: Fields(row: row, heading: heading)))
        } catch {
            judged = .refused(error)
        }
        try receive(judged)
    }

    private mutating func lead(in fields: Fields) throws(LeadImport.RowError) -> ImportedLead {
        try fields.checkCount()
        let raw = fields.text(.number)
        let number = try phoneNumber(raw, .number, fields)
        if let first = firstLines[number.digits] {
            throw fields.error(
                .number,
                LeadImport.RowError.duplicate,
                "Line \(first) already has this number."
            )
        }
        let lead = ImportedLead(
            line: fields.row.line,
            name: try name(fields),
            number: number,
            numberRaw: raw,
            email: try email(fields),
            whatsappNumber: try whatsappNumber(fields),
            partner: try fields.present(.partner, maximumLength: 200),
            zone: try timezone(fields),
            consentAt: try consentAt(fields),
            consentText: try fields.present(.consentText, maximumLength: 2000),
            consentSource: try fields.present(.consentSource, maximumLength: 200)
        )
        firstLines[number.digits] = UInt32(clamping: lead.line)
        return lead
    }

    private func phoneNumber(
        _ text: String,
        _ column: LeadImport.Column,
        _ fields: Fields
    ) throws(LeadImport.RowError) -> PhoneNumber {
        do {
            return try PhoneNumber(parsing: text, defaultRegion: defaultRegion)
        } catch {
            throw fields.error(column, error.code, error.description)
        }
    }

    private func whatsappNumber(_ fields: Fields) throws(LeadImport.RowError) -> PhoneNumber? {
        guard let text = fields.present(.whatsappNumber) else { return nil }
        return try phoneNumber(text, .whatsappNumber, fields)
    }

    private func name(_ fields: Fields) throws(LeadImport.RowError) -> String {
        let limit = PersonName.maximumLength
        if let name = try fields.present(.name, maximumLength: limit) { return name }
        let first = try fields.present(.firstName, maximumLength: limit / 2)
        let last = try fields.present(.lastName, maximumLength: limit / 2 - 1)
        return [first, last].compactMap(\.self).joined(separator: " ")
    }

    private func email(_ fields: Fields) throws(LeadImport.RowError) -> String? {
        guard let email = fields.present(.email) else { return nil }
        guard EmailAddress.isPlausible(email) else {
            throw fields.error(.email, "email_invalid", "This is not an e-mail address.")
        }
        return email
    }

    private mutating func timezone(_ fields: Fields) throws(LeadImport.RowError) -> Zone? {
        guard let identifier = fields.present(.timezone) else { return nil }
        if let zone = zones[identifier] { return zone }
        guard let zone = Zone(identifier: identifier) else {
            throw fields.error(
                .timezone,
                "timezone_unknown",
                "There is no such time zone. Write it like “Asia/Kolkata”."
            )
        }
        zones[identifier] = zone
        return zone
    }

    private func consentAt(_ fields: Fields) throws(LeadImport.RowError) -> Instant? {
        guard let text = fields.present(.consentAt) else { return nil }
        guard let instant = ConsentTime.parse(text, in: zone) else {
            throw fields.error(
                .consentAt,
                "consent_at_invalid",
                "This is not a time. Write it like “2025-01-15” or “2025-01-15T10:00:00+05:30”."
            )
        }
        return instant
    }
}

/// One row under its heading.
private struct Fields {
    let row: TableRow
    let heading: LeadImport.Heading

    /// The text of a column, tidied; empty when the file does not have the column.
    ///
    /// The quote that our own export puts before what looks like a formula goes.
    func text(_ column: LeadImport.Column) -> String {
        heading.positions[column].map { CSVText.unguarded(row[$0].singleLine) } ?? ""
    }

    /// The text of a column, or nil if it is empty.
    func present(_ column: LeadImport.Column) -> String? {
        let text = text(column)
        return text.isEmpty ? nil : text
    }

    /// The text of a column, or nil if it is empty; `maximumLength` counts characters.
    func present(
        _ column: LeadImport.Column,
        maximumLength: Int
    ) throws(LeadImport.RowError) -> String? {
        guard let text = present(column) else { return nil }
        // Counting bytes first spares most texts the slow count of characters.
        guard text.utf8.count <= maximumLength || text.count <= maximumLength else {
            let sentence = "It has more than \(maximumLength) characters."
            throw error(column, "\(column.rawValue)_too_long", sentence)
        }
        return text
    }

    /// A comma that should have stood in quotation marks moves everything behind it into the wrong
    /// column, so a row with more fields than the heading is not guessed at.
    func checkCount() throws(LeadImport.RowError) {
        if row.isPlaced { return }
        for position in heading.count..<max(heading.count, row.count) where !row.isBlank(position) {
            throw error(
                nil,
                "too_many_fields",
                "The row has more fields than the first line. Text with a separator in it must stand "
                    + "in quotation marks."
            )
        }
    }

    func error(_ column: LeadImport.Column?, _ code: String, _ sentence: String)
        -> LeadImport.RowError
    {
        LeadImport.RowError(line: row.line, column: column, code: code, error: sentence)
    }
}
