/// What people see of leads: lists, one lead with all that happened to it, and a file to take along.
///
/// Each method reads in its caller's transaction, so that all parts of an answer show one state.
public struct LeadReader: Sendable {
    let zone: Zone
    let retryPolicy: RetryPolicy
    private let written: WrittenLeads

    /// Creates a reader.
    ///
    /// - Parameters:
    ///   - zone: the zone of all times.
    ///   - retryPolicy: the configured policy; what people set at run time goes before it.
    public init(zone: Zone, retryPolicy: RetryPolicy) {
        self.init(zone: zone, retryPolicy: retryPolicy, written: WrittenLeads())
    }

    init(zone: Zone, retryPolicy: RetryPolicy, written: WrittenLeads) {
        self.zone = zone
        self.retryPolicy = retryPolicy
        self.written = written
    }

    /// Reads `TIMEZONE` and the configured retries.
    ///
    /// - Throws: ``Environment/Invalid``.
    public init(environment: Environment) throws {
        self.init(
            zone: try environment.zone(),
            retryPolicy: try RetryPolicy(environment: environment)
        )
    }

    // MARK: List

    /// What stands for the state of a list: another tag means that the answer may be another.
    ///
    /// The answer names no time that passes, so it is a function of the data, the query and the
    /// configuration.
    /// - Throws: ``Database/Unavailable``.
    public func tag(of query: LeadQuery, isTable: Bool, in connection: Connection) throws -> String
    {
        var hash = Fingerprint()
        hash.add("\(query.fingerprint) \(query.limit) \(isTable)")
        hash.add(query.cursor?.text(for: query) ?? "")
        return try tag(&hash, in: connection)
    }

    private func tag(_ hash: inout Fingerprint, in connection: Connection) throws -> String {
        let changes: Int64 = try connection.value("SELECT value FROM change_counter") ?? 0
        hash.add("\(LeadFormat.version) \(retryPolicy.maximum) \(zone.identifier)")
        return "\(changes)-\(String(hash.value, radix: 36))"
    }

    /// A page of a list as JSON: `leads`, `next_cursor`, `total`, `total_capped`, `active_calls`.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func list(_ query: LeadQuery, isTable: Bool, in connection: Connection) throws -> [UInt8]
    {
        let index = try LeadIndex(query, in: connection)
        let format = try format(isTable: isTable, in: connection)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(query.limit * (isTable ? 1100 : 2200) + 200)
        bytes += #"{"leads":["#.utf8
        var page = Page(query: query)
        if isTable {
            var leads: [WrittenLeads.Version] = []
            try index.forEachLead(selecting: LeadFormat.placeColumns, in: connection) { row in
                if page.takes(row) { leads.append(format.version(of: row)) }
            }
            try write(leads, format, to: &bytes, in: connection)
        } else {
            try index.forEachLead(
                selecting: format.columns,
                joining: LeadIndex.nextPromise,
                in: connection
            ) { row in
                guard page.takes(row) else { return }
                if page.count > 1 { bytes.append(UInt8(ascii: ",")) }
                format.write(row, to: &bytes)
            }
        }
        let total = try index.total(in: connection)
        bytes += #"],"next_cursor":"#.utf8
        JSON(page.next?.text(for: query)).write(to: &bytes)
        bytes += #","total":\#(total.count),"total_capped":\#(total.isCapped)"#.utf8
        bytes += #","active_calls":\#(try activeCalls(connection))}"#.utf8
        return bytes
    }

    /// Appends the leads of a table; only those are read that have not been written before.
    private func write(
        _ leads: [WrittenLeads.Version],
        _ format: LeadFormat,
        to bytes: inout [UInt8],
        in connection: Connection
    ) throws {
        var texts = written.find(leads)
        var missing: [Int64: Int] = [:]
        for index in leads.indices where texts[index] == nil { missing[leads[index].id] = index }
        if !missing.isEmpty {
            let ids = JSON.array(missing.keys.map(JSON.integer)).text
            let statement: SQL = """
                SELECT \(sql: format.columns) FROM json_each(\(ids)) AS p
                CROSS JOIN leads AS l ON l.id = p.value \(sql: LeadIndex.nextPromise)
                """
            try connection.forEachRow(of: statement) { row in
                let version = format.version(of: row)
                var text: [UInt8] = []
                text.reserveCapacity(1100)
                format.write(row, to: &text)
                written.keep(text, of: version)
                if let index = missing[version.id] { texts[index] = text }
            }
        }
        for (index, text) in texts.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += text ?? []
        }
    }

    /// How the leads are written now.
    func format(isTable: Bool = false, in connection: Connection) throws -> LeadFormat {
        LeadFormat(
            zone: zone,
            maximumRetries: try retryPolicy.current(in: connection).maximum,
            isTable: isTable
        )
    }

    private func activeCalls(_ connection: Connection) throws -> Int {
        try connection.value("SELECT count(*) FROM calls WHERE \(sql: CallState.liveCondition)")
            ?? 0
    }

    // MARK: One lead

    /// One lead as JSON, and the number of its last change.
    ///
    /// - Throws: ``Failure`` 404 when there is none or it was deleted; ``Database/Unavailable``.
    public func lead(_ uuid: String, in connection: Connection) throws -> (
        json: [UInt8], change: Int64
    ) {
        let format = try format(in: connection)
        let statement: SQL = """
            SELECT \(sql: format.columns) FROM leads AS l \(sql: LeadIndex.nextPromise)
            WHERE l.lead_uuid = \(uuid.lowercased()) AND l.deleted_at IS NULL
            """
        var result: (json: [UInt8], change: Int64)?
        try connection.forEachRow(of: statement) { row in
            var bytes: [UInt8] = []
            format.write(row, to: &bytes)
            result = (bytes, row.integer(LeadFormat.Place.changeSequence.rawValue))
        }
        guard let result else { throw LeadStore.unknown }
        return result
    }

    /// What stands for the state of a lead's details; the lead's change number stands before the dot.
    ///
    /// The details show the time at the lead's place to the minute, so each minute has its own tag.
    /// - Throws: ``Failure`` 404; ``Database/Unavailable``.
    public func tag(ofDetails uuid: String, now: Instant, in connection: Connection) throws
        -> String
    {
        let change: Int64? = try connection.value(
            """
            SELECT change_seq FROM leads WHERE lead_uuid = \(uuid.lowercased())
            AND deleted_at IS NULL
            """
        )
        guard let change else { throw LeadStore.unknown }
        var hash = Fingerprint()
        hash.add("\(now.seconds / 60)")
        return "\(change).\(try tag(&hash, in: connection))"
    }
}

/// Decides which rows belong to a page, and where the next page begins.
struct Page {
    let query: LeadQuery
    /// How many leads the page has so far.
    private(set) var count = 0
    /// The place of the page's last lead, once a further lead has come.
    private(set) var next: LeadCursor?
    private var last: LeadCursor?

    init(query: LeadQuery) { self.query = query }

    /// Whether a row is the page's; the row after the last is not, and only shows that there is more.
    mutating func takes(_ row: Columns) -> Bool {
        guard count < query.limit else {
            next = last
            return false
        }
        count += 1
        if count == query.limit { last = LeadCursor(at: row, in: query.order) }
        return true
    }
}
