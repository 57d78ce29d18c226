/// How the calling goes, in figures.
///
/// Nothing is counted over all leads or calls: triggers keep the counts (`lead_counts`,
/// `call_totals`, `tallies`), and this adds up a few of their rows.
public struct Figures: Sendable {
    /// Leads by `call_status`; every status is there.
    public private(set) var byStatus: [LeadStatus: Int] = [:]
    /// Leads by `success_status`; every status is there, and leads without one are not counted.
    public private(set) var bySuccess: [Qualification.Status: Int] = [:]
    /// The partners of leads, in the order of their names.
    public private(set) var partners: [String] = []
    /// Leads who asked not to be contacted.
    public let optedOut: Int
    /// Calls that occupy a line now.
    public let liveCalls: Int
    /// Calls that are promised, now or for later.
    public let waitingRequests: Int
    /// Promised calls whose time has come, counted up to 10,000 a kind.
    public let dueRequests: Int
    /// Calls whose outcome is known.
    public private(set) var calls = 0
    /// Calls that became a conversation.
    public private(set) var conversations = 0
    /// How long all conversations were together.
    public private(set) var conversationTime = Duration.zero
    /// What all calls cost, in US dollars as Vapi reports it.
    public private(set) var cost = 0.0

    private var completedAndPromising = 0

    /// Reads the figures as they are in this transaction.
    ///
    /// - Throws: ``Database/Unavailable``.
    public init(at now: Instant, in connection: Connection) throws {
        for status in LeadStatus.allCases { byStatus[status] = 0 }
        for status in Qualification.Status.allCases { bySuccess[status] = 0 }
        optedOut = try Tally.leads.count(of: "opted_out", in: connection)
        liveCalls = try Figures.liveCalls(in: connection)
        waitingRequests = try Tally.dialRequests.count(of: "waiting", in: connection)
        dueRequests = try DialRequests.countDue(at: now, in: connection)
        try readLeads(connection)
        try readCalls(connection)
    }

    private mutating func readLeads(_ connection: Connection) throws {
        var names: Set<String> = []
        let sql: SQL = """
            SELECT call_status, success_status, partner, leads FROM lead_counts WHERE leads > 0
            """
        try connection.forEach(sql) { row in
            let leads: Int = row.value(at: 3) ?? 0
            let status: LeadStatus? = row.value(at: 0)
            if let status { byStatus[status, default: 0] += leads }
            let success = (row.value(at: 1) as String?).flatMap(Qualification.Status.init)
            if let success {
                bySuccess[success, default: 0] += leads
                if status == .completed, success != .notQualified {
                    completedAndPromising += leads
                }
            }
            if let partner: String = row.value(at: 2), !partner.isEmpty { names.insert(partner) }
        }
        partners = names.sorted { ($0.lowercased(), $0) < ($1.lowercased(), $1) }
    }

    private mutating func readCalls(_ connection: Connection) throws {
        try connection.forEach("SELECT outcome, calls, duration_ms, cost FROM call_totals") { row in
            let count: Int = row.value(at: 1) ?? 0
            calls += count
            cost += row.value(at: 3) ?? 0
            if row.value(at: 0) == "completed" {
                conversations = count
                conversationTime = .milliseconds((row.value(at: 2) as Int64?) ?? 0)
            }
        }
    }

    /// All leads but deleted ones.
    public var leads: Int { byStatus.values.reduce(0, +) }

    /// Of the leads that were called, the share that answered: those in conversation or completed, of
    /// those and the missed and failed ones.
    ///
    /// A lead counts once however often it was called; one that is being called says nothing yet.
    /// Since a lead gets the first call and its retries only, this is the PRD's "answered calls within
    /// the attempts". `nil` while nobody was called.
    public var contactRate: Double? {
        let reached = byStatus[.completed, default: 0] + byStatus[.answered, default: 0]
        let missed = byStatus[.missed, default: 0] + byStatus[.failed, default: 0]
        return Figures.share(reached, of: reached + missed)
    }

    /// Of the calls that are over, the share that became a conversation; `nil` while there is none.
    public var completionRate: Double? { Figures.share(conversations, of: calls) }

    /// Of the completed leads, the share that is Qualified or Potential; `nil` while there is none.
    public var qualificationRate: Double? {
        Figures.share(completedAndPromising, of: byStatus[.completed, default: 0])
    }

    /// How long a conversation is on average, in seconds; `nil` while there was none.
    public var averageCallSeconds: Double? {
        guard conversations > 0 else { return nil }
        return Double(conversationTime.milliseconds) / 1000 / Double(conversations)
    }

    private static func share(_ part: Int, of whole: Int) -> Double? {
        whole > 0 ? Double(part) / Double(whole) : nil
    }

    private static func liveCalls(in connection: Connection) throws -> Int {
        try connection.value(
            "SELECT count(*) FROM calls WHERE \(sql: CallState.liveCondition)"
        ) ?? 0
    }

    /// The number that rises with every change anybody can see; with the time, it decides what
    /// these figures are.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func changeCount(in connection: Connection) throws -> Int {
        try connection.value("SELECT value FROM change_counter") ?? 0
    }
}
