/// Takes an uploaded list of leads into the database while it arrives.
///
/// Good rows are stored 500 at a time, so that no transaction keeps others waiting and an upload that
/// breaks off has kept what came before; the same file again adds the rest and nobody twice. One thread
/// reads while another stores. Each row that is not taken is named with its line and reason.
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

    /// Creates an upload of one file; a dry run finds out what would happen and stores nothing.
    public init(
        into database: Database,
        store: LeadStore,
        reading list: LeadImport,
        isDryRun: Bool = false,
        clock: Clock
    ) {
        self.list = list
        let shelf = Shelf(database: database, leads: store, isDryRun: isDryRun, clock: clock)
        intake = Intake(into: shelf)
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
        try intake.storeAll()
        intake.report.rowsRead = list.rowsRead
        intake.report.heading = list.heading
        return intake.report
    }

    /// How many rows are in the database when the upload cannot go on.
    ///
    /// - Throws: ``Database/Unavailable``, where storing failed meanwhile.
    public mutating func rowsStored() throws -> Int {
        try intake.settle()
        return intake.shelf.isDryRun ? 0 : intake.report.rowsAdded
    }

    /// Keeps the good rows before the place at which a file cannot be read further.
    private mutating func failure(_ error: any Error) throws -> any Error {
        if error is any UnreadableFile { try intake.storeAll() }
        return error
    }
}

/// The judged rows on their way into the database.
private struct Intake {
    let shelf: Shelf
    var report = LeadUpload.Report()
    private var waiting = Shelf.Batch()
    /// Stores batches while others are read; needed from the second on.
    private var worker: Worker?
    /// The batch that is being stored meanwhile, and those of it who are there already.
    private var storing: (count: Int, known: Worker.Result<[ImportedLead]>)?

    init(into shelf: Shelf) { self.shelf = shelf }

    mutating func take(_ row: LeadImport.Row) throws {
        switch row {
        case .refused(let error):
            if error.code == LeadImport.RowError.duplicate { report.duplicates += 1 }
            report.add(error)
        case .lead(let lead) where lead.consentAt.map { $0 > shelf.clock.now() } == true:
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
            waiting.rows.append(lead)
            if !shelf.isDryRun { waiting.leads.append(LeadFields(lead), now: shelf.clock.now()) }
            if waiting.rows.count == LeadUpload.batchSize { try storeBatch() }
        }
    }

    /// Begins to store the waiting rows, once those before them are stored.
    private mutating func storeBatch() throws {
        try settle()
        if worker == nil { worker = Worker() }
        guard let worker else { return try storeAll() }
        let batch = waiting
        waiting = Shelf.Batch()
        storing = (batch.rows.count, worker.begin { [shelf] in try shelf.store(batch) })
    }

    /// Waits for the batch that is being stored.
    mutating func settle() throws {
        guard let (count, known) = storing else { return }
        storing = nil
        note(count, known: try known.wait() ?? [])
    }

    /// Stores all rows that were taken.
    mutating func storeAll() throws {
        try settle()
        guard !waiting.rows.isEmpty else { return }
        let batch = waiting
        waiting = Shelf.Batch()
        note(batch.rows.count, known: try shelf.store(batch))
    }

    private mutating func note(_ count: Int, known: [ImportedLead]) {
        report.rowsAdded += count - known.count
        report.duplicates += known.count
        for lead in known {
            report.add(
                LeadImport.RowError(
                    line: lead.line,
                    column: .number,
                    code: LeadUpload.duplicateInDatabase,
                    error: "A lead already has this number."
                )
            )
        }
    }
}

/// Where the good rows go.
private struct Shelf: Sendable {
    let database: Database
    let leads: LeadStore
    let isDryRun: Bool
    let clock: Clock

    /// Rows to store, and the leads of them, written down unless this is a dry run.
    struct Batch {
        var rows: [ImportedLead] = []
        var leads = LeadStore.Batch()
    }

    /// Stores a batch, unless this is a dry run, and returns the rows that are there already.
    func store(_ batch: Batch) throws -> [ImportedLead] {
        if isDryRun { return try known(of: batch.rows) }
        let now = clock.now()
        let added = try database.write { connection in
            try leads.insert(batch.leads, from: .list, now: now, in: connection)
        }
        return zip(batch.rows, added).filter { $1 == nil }.map(\.0)
    }

    private func known(of rows: [ImportedLead]) throws -> [ImportedLead] {
        try database.read { connection in
            try rows.filter { row in
                let found: Int? = try connection.value(
                    """
                    SELECT 1 FROM leads WHERE number = \(row.number.e164)
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
