/// What stops all dialing when something is wrong that no single call shows.
///
/// - The breaker: when too large a share of the latest calls failed for technical reasons, the next
///   would most likely fail too, and each of them bothers a person for nothing.
/// - The spending limit: when today's calls have cost what a day may cost.
///
/// Both set the global pause with their reason. The breaker's lasts until a person resumes calling,
/// the spending limit's until the next day begins.
public struct GuardRails: Sendable {
    /// The share of technical failures, in percent, at which the breaker opens; `nil` for never.
    public var failurePercent: Int?
    /// What the calls of one day may cost, in US dollars; `nil` for any amount.
    public var spendingPerDay: Double?

    /// How many of the latest calls the breaker looks at.
    static let calls = 20
    /// With fewer calls than this a share says nothing.
    static let fewestCalls = 10
    /// How far back the latest calls may lie.
    static let recent = Duration.hours(1)

    /// Creates guard rails.
    public init(failurePercent: Int? = 60, spendingPerDay: Double? = nil) {
        self.failurePercent = failurePercent
        self.spendingPerDay = spendingPerDay
    }

    /// Reads `BREAKER_FAILURE_PERCENT` (0 turns the breaker off) and `SPENDING_LIMIT_DAY`.
    ///
    /// - Throws: ``Environment/Invalid``.
    public init(environment: Environment) throws {
        let percent = try environment.integer("BREAKER_FAILURE_PERCENT", default: 60, in: 0...100)
        failurePercent = percent == 0 ? nil : percent
        guard let text = environment["SPENDING_LIMIT_DAY"] else { return }
        guard let limit = Double(text), limit > 0, limit.isFinite else {
            throw Environment.Invalid("SPENDING_LIMIT_DAY must be an amount in US dollars.")
        }
        spendingPerDay = limit
    }

    /// Pauses all dialing when the calls up to now call for it.
    ///
    /// Asked whenever a call's outcome is stored, in that transaction.
    /// - Throws: ``Database/Unavailable``.
    func check(at now: Instant, in zone: Zone, _ connection: Connection) throws {
        guard try Pause.current(in: connection, now: now) == nil else { return }
        if let reason = try failures(at: now, connection) {
            try Pause.set(because: reason, by: "breaker", now: now, in: connection)
        } else if let (reason, until) = try spending(at: now, zone, connection) {
            try Pause.set(because: reason, until: until, by: "spending", now: now, in: connection)
        }
    }

    /// Calls before the last pause ended are forgotten: who resumed has seen to their cause.
    private func failures(at now: Instant, _ connection: Connection) throws -> String? {
        guard let failurePercent else { return nil }
        let resumedAt: Instant? = try connection.value(
            "SELECT max(at) FROM audit_log WHERE action = 'resume'"
        )
        let since = max(now - GuardRails.recent, resumedAt ?? Instant(milliseconds: 0))
        let outcomes = try connection.rows(
            """
            SELECT outcome FROM calls WHERE outcome IS NOT NULL AND counted = 1
            AND ended_at > \(since) ORDER BY ended_at DESC LIMIT \(GuardRails.calls)
            """
        )
        let failed = outcomes.filter { $0["outcome"] == "failed" }.count
        guard outcomes.count >= GuardRails.fewestCalls,
            failed * 100 >= outcomes.count * failurePercent
        else { return nil }
        return
            "\(failed) of the last \(outcomes.count) calls failed for technical reasons. Look into "
            + "the Vapi dashboard and the phone line, then resume calling."
    }

    private func spending(at now: Instant, _ zone: Zone, _ connection: Connection) throws
        -> (String, Instant)?
    {
        guard let spendingPerDay else { return nil }
        var midnight = zone.local(at: now)
        (midnight.hour, midnight.minute, midnight.second) = (0, 0, 0)
        let today = zone.instant(of: midnight)
        let spent: Double =
            try connection.value("SELECT total(cost) FROM calls WHERE ended_at >= \(today)") ?? 0
        guard spent >= spendingPerDay else { return nil }
        let tomorrow = zone.instant(of: midnight.addingDays(1))
        return (
            "Today's calls have cost $\(GuardRails.amount(spent)), and $"
                + "\(GuardRails.amount(spendingPerDay)) a day is the limit. Calling goes on tomorrow.",
            tomorrow
        )
    }

    /// An amount with two decimals.
    private static func amount(_ value: Double) -> String {
        let cents = Int((value * 100).rounded())
        return "\(cents / 100).\(cents % 100 < 10 ? "0" : "")\(cents % 100)"
    }
}
