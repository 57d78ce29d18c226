/// What stops all dialing when something is wrong that no single call shows.
///
/// - The breaker: when too large a share of the latest calls failed for technical reasons, the next
///   would most likely fail too, and each of them bothers a person for nothing.
/// - The spending limit: when today's calls have cost what a day may cost.
///
/// Both set the global pause with their reason. The breaker's lasts until a person resumes calling or
/// a test call gets through, the spending limit's until the next day begins.
public struct GuardRails: Sendable {
    /// The share of technical failures, in percent, at which the breaker opens; `nil` for never.
    public var failurePercent: Int?
    /// What the calls of one day may cost, in US dollars; `nil` for any amount.
    public var spendingPerDay: Double?

    /// How many of the latest calls the breaker looks at.
    public static let calls = 20
    /// With fewer calls than this a share says nothing.
    public static let fewestCalls = 10
    /// How far back the latest calls may lie.
    public static let recent = Duration.hours(1)
    /// Who sets the breaker's pause.
    public static let breaker = "breaker"

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

    /// Pauses all dialing when the calls up to now call for it, and ends the breaker's pause when the
    /// call that has just ended was a test call that got through.
    ///
    /// Asked whenever a call's outcome is stored, in that transaction.
    /// - Throws: ``Database/Unavailable``.
    func check(
        after callID: Int64? = nil,
        at now: Instant,
        in zone: Zone,
        _ connection: Connection
    ) throws {
        if let pause = try Pause.current(in: connection, now: now) {
            guard pause.actor == GuardRails.breaker, let callID,
                try hasPassed(callID, since: pause.since, connection)
            else { return }
            try Pause.end(
                because: "A test call got through.",
                by: GuardRails.breaker,
                now: now,
                in: connection
            )
        } else if let reason = try failures(at: now, connection) {
            try Pause.set(because: reason, by: GuardRails.breaker, now: now, in: connection)
        } else if let (reason, until) = try spending(at: now, zone, connection) {
            try Pause.set(because: reason, until: until, by: "spending", now: now, in: connection)
        }
    }

    /// Whether a call was a test call, wanted by a person during the pause, that did not fail.
    private func hasPassed(_ callID: Int64, since: Instant, _ connection: Connection) throws -> Bool
    {
        let found: Int? = try connection.value(
            """
            SELECT 1 FROM calls WHERE id = \(callID) AND outcome IN ('completed', 'missed')
            AND counted = 1 AND kind = \(DialKind.operator) AND created_at >= \(since)
            """
        )
        return found != nil
    }

    /// A number that does not exist, or a call that a person cancelled, says nothing about the line.
    private static func isTechnicalFailure(_ call: Row) -> Bool {
        guard call["outcome"] == "failed" else { return false }
        switch (call["ended_reason"] as String?).map({ EndedReason($0).group }) {
        case .badNumber, .cancelled: return false
        default: return true
        }
    }

    /// The latest calls as the breaker sees them.
    public struct Recent: Sendable, Equatable {
        public let calls: Int
        /// Those that failed for technical reasons.
        public let failed: Int
    }

    /// What the breaker sees now.
    ///
    /// Calls before the last pause ended are forgotten: who resumed has seen to their cause.
    /// - Throws: ``Database/Unavailable``.
    public func recentCalls(at now: Instant, in connection: Connection) throws -> Recent {
        let resumedAt: Instant? = try connection.value(
            "SELECT max(at) FROM audit_log WHERE action = 'resume'"
        )
        let since = max(now - GuardRails.recent, resumedAt ?? Instant(milliseconds: 0))
        let calls = try connection.rows(
            """
            SELECT outcome, ended_reason FROM calls WHERE outcome IS NOT NULL AND counted = 1
            AND ended_at > \(since) ORDER BY ended_at DESC LIMIT \(GuardRails.calls)
            """
        )
        let failed = calls.filter(GuardRails.isTechnicalFailure).count
        return Recent(calls: calls.count, failed: failed)
    }

    private func failures(at now: Instant, _ connection: Connection) throws -> String? {
        guard let failurePercent else { return nil }
        let recent = try recentCalls(at: now, in: connection)
        guard recent.calls >= GuardRails.fewestCalls,
            recent.failed * 100 >= recent.calls * failurePercent
        else { return nil }
        return
            "\(recent.failed) of the last \(recent.calls) calls failed for technical reasons. Look "
            + "into the Vapi dashboard and the phone line, then resume calling or place a test call."
    }

    /// What the calls of the day that a moment belongs to have cost, in US dollars.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func spentToday(at now: Instant, in zone: Zone, _ connection: Connection) throws
        -> Double
    {
        let midnight = GuardRails.midnight(before: now, in: zone)
        let today = zone.instant(of: midnight)
        return try connection.value(
            """
            SELECT total(cost) FROM calls WHERE outcome IS NOT NULL AND ended_at >= \(today)
            """
        ) ?? 0
    }

    private static func midnight(before now: Instant, in zone: Zone) -> LocalTime {
        var midnight = zone.local(at: now)
        (midnight.hour, midnight.minute, midnight.second) = (0, 0, 0)
        return midnight
    }

    private func spending(at now: Instant, _ zone: Zone, _ connection: Connection) throws
        -> (String, Instant)?
    {
        guard let spendingPerDay else { return nil }
        let spent = try spentToday(at: now, in: zone, connection)
        guard spent >= spendingPerDay else { return nil }
        let midnight = GuardRails.midnight(before: now, in: zone)
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
