/// Takes an uploaded list of leads into the database while it arrives.
///
/// Good rows are stored 500 at a time, so that no transaction keeps others waiting and an upload that
/// breaks off has kept what came before; the same file again adds the rest and nobody twice. Each row
/// that is not taken is named with its line and reason.
///
///     var upload = LeadUpload(into: database, store: store, reading: leadImport, clock: clock)
///     try upload.feed(chunk.span)
///     let report = try upload.finish()
public struct LeadUpload {
    /// What became of the rows.
    public struct Report: Sendable {
        /// Rows of people, without blank ones and the heading.
        public fileprivate(set) var rowsRead = 0
        public fileprivate(set) var rowsAdded = 0
        /// Rows whose number stands earlier in the file, or in the database already.
        public fileprivate(set) var duplicates = 0
        /// What the columns were taken for; `nil` when the first line was not read.
        public fileprivate(set) var heading: LeadImport.Heading?
        /// The first good rows.
        public fileprivate(set) var preview: [ImportedLead] = []
        /// The rows that were not taken, each as a JSON object, with commas between them.
        fileprivate var errors: [UInt8] = []
        fileprivate var errorCount = 0
        /// Whether more rows were not taken than are named.
        public fileprivate(set) var isTruncated = false
    }

    /// The code of the error that a lead has the row's number already.
    static let duplicateInDatabase = "duplicate_in_database"
    /// How many rows are stored at once.
    static let batchSize = 500
    /// How many rows that were not taken are named.
    static let errorLimit = 50_000
    /// How many good rows are shown.
    static let previewSize = 10

    private var list: LeadImport
    private var intake: Intake

    /// How many rows are in the database by now.
    public var rowsStored: Int { intake.isDryRun ? 0 : intake.report.rowsAdded }

    /// Creates an upload of one file; a dry run finds out what would happen and stores nothing.
    public init(
        into database: Database,
        store: LeadStore,
        reading list: LeadImport,
        isDryRun: Bool = false,
        clock: Clock
    ) {
        self.list = list
        intake = Intake(database: database, store: store, isDryRun: isDryRun, clock: clock)
    }

    /// Reads on, and stores what makes a batch.
    ///
    /// - Throws: ``UnreadableFile`` once the good rows before it are stored; ``File/Unavailable``,
    ///   ``Database/Unavailable``.
    public mutating func feed(_ bytes: Span<UInt8>) throws {
        do { try list.feed(bytes) { try intake.take($0) } } catch { throw try failure(error) }
    }

    /// Reads the end of the file and stores the last rows.
    ///
    /// - Throws: what ``feed(_:)`` throws.
    public mutating func finish() throws -> Report {
        do { try list.finish { try intake.take($0) } } catch { throw try failure(error) }
        try intake.storeBatch()
        intake.report.rowsRead = list.rowsRead
        intake.report.heading = list.heading
        return intake.report
    }

    /// Keeps the good rows before the place at which a file cannot be read further.
    private mutating func failure(_ error: any Error) throws -> any Error {
        if error is any UnreadableFile { try intake.storeBatch() }
        return error
    }
}

/// The judged rows on their way into the database.
private struct Intake {
    let database: Database
    let store: LeadStore
    let isDryRun: Bool
    let clock: Clock
    var report = LeadUpload.Report()
    private var waiting: [ImportedLead] = []

    init(database: Database, store: LeadStore, isDryRun: Bool, clock: Clock) {
        self.database = database
        self.store = store
        self.isDryRun = isDryRun
        self.clock = clock
        waiting.reserveCapacity(LeadUpload.batchSize)
    }

    mutating func take(_ row: LeadImport.Row) throws {
        switch row {
        case .refused(let error):
            if error.code == LeadImport.RowError.duplicate { report.duplicates += 1 }
            report.add(error)
        case .lead(let lead) where lead.consentAt.map { $0 > clock.now() } == true:
            report.add(
                LeadImport.RowError(
                    line: lead.line,
                    column: .consentAt,
                    code: "consent_at_future",
                    error: "Consent cannot be given in the future."
                )
            )
        case .lead(let lead):
            if report.preview.count < LeadUpload.previewSize { report.preview.append(lead) }
            waiting.append(lead)
            if waiting.count == LeadUpload.batchSize { try storeBatch() }
        }
    }

    mutating func storeBatch() throws {
        guard !waiting.isEmpty else { return }
        let duplicates = isDryRun ? try known() : try stored()
        report.rowsAdded += waiting.count - duplicates.count
        report.duplicates += duplicates.count
        for lead in duplicates {
            report.add(
                LeadImport.RowError(
                    line: lead.line,
                    column: .number,
                    code: LeadUpload.duplicateInDatabase,
                    error: "A lead already has this number."
                )
            )
        }
        waiting.removeAll(keepingCapacity: true)
    }

    /// Stores the waiting rows and returns those that were there already.
    private func stored() throws -> [ImportedLead] {
        let now = clock.now()
        let added = try database.write { connection in
            try store.insert(waiting.map(LeadFields.init), from: .list, now: now, in: connection)
        }
        return zip(waiting, added).filter { $1 == nil }.map(\.0)
    }

    /// Returns those of the waiting rows that are there already.
    private func known() throws -> [ImportedLead] {
        try database.read { connection in
            try waiting.filter { lead in
                let found: Int? = try connection.value(
                    """
                    SELECT 1 FROM leads WHERE number = \(lead.number.e164)
                    AND deleted_at IS NULL
                    """
                )
                return found != nil
            }
        }
    }
}

extension LeadUpload.Report {
    fileprivate mutating func add(_ error: LeadImport.RowError) {
        guard errorCount < LeadUpload.errorLimit else {
            isTruncated = true
            return
        }
        if errorCount > 0 { errors.append(UInt8(ascii: ",")) }
        errorCount += 1
        let entry: JSON = [
            "line": JSON(error.line), "column": JSON(error.column?.rawValue),
            "code": .string(error.code), "error": .string(error.error),
        ]
        entry.write(to: &errors)
    }

    /// The report as the API shows it, for an upload or for a dry run of one.
    public func json(isDryRun: Bool) -> [UInt8] {
        var columns = JSON.Object()
        for column in LeadImport.Column.allCases {
            columns[column.rawValue] = heading?.names[column].map(JSON.string)
        }
        let head: JSON = [
            "success": true,
            "dry_run": JSON(isDryRun),
            "rows_read": JSON(rowsRead),
            "rows_added": JSON(rowsAdded),
            "duplicates": JSON(duplicates),
            "columns": .object(columns),
            "ignored_columns": .array((heading?.ignored ?? []).map(JSON.string)),
            "preview": .array(preview.map(\.json)),
            "errors_truncated": JSON(isTruncated),
        ]
        var bytes = head.encoded()
        bytes.removeLast()
        bytes += ",\"errors\":[".utf8
        bytes += errors
        bytes += "]}".utf8
        return bytes
    }
}

extension ImportedLead {
    /// The row as a preview shows it.
    fileprivate var json: JSON {
        [
            "line": JSON(line), "name": .string(name), "number": .string(number.e164),
            "email": JSON(email), "whatsapp_number": JSON(whatsappNumber?.e164),
            "partner": JSON(partner),
        ]
    }
}
