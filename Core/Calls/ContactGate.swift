/// The one gate that every dial and every message passes, asked in the transaction that acts.
public struct ContactGate: Sendable {
    /// The configured limits.
    public let rules: ContactRules

    /// Creates the gate.
    public init(rules: ContactRules) { self.rules = rules }

    /// A way to reach somebody.
    public enum Channel: String, Sendable { case call, whatsapp, email }

    /// Why somebody is not contacted, or not now.
    public enum Reason: String, Sendable, CaseIterable {
        case optedOut = "opted_out"
        case declined
        case numberInvalid = "number_invalid"
        case noConsent = "no_consent"
        case callInProgress = "call_in_progress"
        case outsideCallingHours = "outside_calling_hours"
        case attemptsUsedUp = "attempts_used_up"
        case calledTooRecently = "called_too_recently"
        case contactedTooOften = "contacted_too_often"
        case noFreeLine = "no_free_line"
        case paused
        case completed
        case deleted

        /// The reason as a sentence.
        public var sentence: String {
            switch self {
            case .optedOut: "This person asked not to be contacted."
            case .declined: "This person declined during a call."
            case .numberInvalid: "This number does not exist. Correct it first."
            case .noConsent:
                "This country requires recorded consent before a call. Record the consent first."
            case .callInProgress: "A call with this person is under way."
            case .outsideCallingHours: "It is outside this person's calling hours."
            case .attemptsUsedUp: "All attempts are used up."
            case .calledTooRecently: "This person was called only a short time ago."
            case .contactedTooOften:
                "This number has been called as often as the limits per day and month allow."
            case .noFreeLine: "All lines are busy."
            case .paused: "Calling is paused."
            case .completed: "The conversation has already taken place."
            case .deleted: "This lead has been deleted."
            }
        }
    }

    /// What the gate says.
    public enum Decision: Sendable, Equatable {
        case allow
        /// Not now; `until` is `nil` where nobody can know.
        case hold(until: Instant?, because: Reason)
        /// Not at all, unless somebody changes something.
        case refuse(because: Reason)
    }

    /// Whether a lead may be contacted, judged by the state of this very transaction.
    ///
    /// What can never change by waiting is named first. An operator overrides `completed`,
    /// `attempts_used_up` and `called_too_recently`. A callback was asked for by the lead: it skips
    /// the gap, and a completed conversation (in which it was promised) does not end it. An `attempt`
    /// that was reserved for this very contact has its line already, and is none of the dials that
    /// are counted.
    /// - Throws: ``Database/Unavailable``.
    public func mayContact(
        _ lead: Contact,
        channel: Channel,
        purpose: DialKind,
        reservedAs attempt: Int64? = nil,
        now: Instant,
        in connection: Connection
    ) throws -> Decision {
        if let reason = try refusal(of: lead, channel, purpose, connection) {
            return .refuse(because: reason)
        }
        guard channel == .call else { return .allow }
        if try isBeingCalled(lead, besides: attempt, connection) {
            return .hold(until: now + .minutes(1), because: .callInProgress)
        }
        let dials = try dials(of: lead, before: now, besides: attempt, connection)
        if let decision = hold(of: lead, purpose, at: now, after: dials) { return decision }
        if let pause = try pause(of: lead, now, connection),
            try !isTestCall(purpose, attempt, during: pause, at: now, connection)
        {
            return .hold(until: pause.until, because: .paused)
        }
        guard try attempt != nil || freeLines(for: purpose, at: now, connection) > 0 else {
            return .hold(until: nil, because: .noFreeLine)
        }
        return .allow
    }

    /// Why somebody is not contacted however long one waits.
    func refusal(
        of lead: Contact,
        _ channel: Channel,
        _ purpose: DialKind,
        _ connection: Connection
    ) throws -> Reason? {
        if lead.isDeleted { return .deleted }
        if lead.optedOutAt != nil { return .optedOut }
        if let reason = try Suppressions.reason(for: lead, in: connection) { return reason }
        if lead.declinedAt != nil { return .declined }
        if channel != .email && lead.isNumberInvalid { return .numberInvalid }
        guard channel == .call else { return nil }
        // A calling code without a country of its own stands for every region that shares it.
        let regions = Set(RegionZones.regions(of: lead.region)).union([lead.region])
        if !rules.consentRegions.isDisjoint(with: regions), lead.consentAt == nil {
            return .noConsent
        }
        if purpose == .operator || purpose == .callback { return nil }
        if lead.status == .completed { return .completed }
        return lead.journeyState.isExhausted ? .attemptsUsedUp : nil
    }

    /// Why somebody is not called at a moment but later, by the clock and earlier dials alone.
    func hold(of lead: Contact, _ purpose: DialKind, at now: Instant, after dials: [Instant])
        -> Decision?
    {
        if let decision = tooOften(dials, purpose, now) { return decision }
        switch openness(for: lead, purpose, at: now) {
        case .open: return nil
        case .closed(let opensAt):
            let until = opensAt.map { rules.window.spread($0, key: lead.uuid) }
            return .hold(until: until, because: .outsideCallingHours)
        }
    }

    private func pause(of lead: Contact, _ now: Instant, _ connection: Connection) throws -> Pause?
    {
        if let pause = try Pause.current(in: connection, now: now) { return pause }
        return try lead.partner.flatMap {
            try Pause.current(of: $0, in: connection, now: now)
        }
    }

    /// Whether a call may be made although calling is paused: one at a time, wanted by a person, to
    /// find out whether what the breaker stopped for has passed.
    private func isTestCall(
        _ purpose: DialKind,
        _ attempt: Int64?,
        during pause: Pause,
        at now: Instant,
        _ connection: Connection
    ) throws -> Bool {
        guard purpose == .operator, pause.actor == GuardRails.breaker else { return false }
        let underWay: Int? = try connection.value(
            """
            SELECT 1 FROM calls WHERE \(sql: CallState.liveCondition)
            AND created_at >= \(pause.since) AND id IS NOT \(attempt) LIMIT 1
            """
        )
        guard underWay == nil else { return false }
        return try attempt != nil || freeLines(for: purpose, at: now, connection) > 0
    }

    /// Whether the window is open for a lead at a time.
    func openness(for lead: Contact, _ purpose: DialKind, at instant: Instant)
        -> CallingWindow.Decision
    {
        rules.window.decision(
            region: lead.region,
            zone: lead.zone,
            at: instant,
            hardLimitsOnly: purpose == .callback
        )
    }

    /// A time moved into the lead's window: itself when the window is open then, else soon after it
    /// opens next.
    func shifted(_ instant: Instant, for lead: Contact, _ purpose: DialKind) -> Instant {
        switch openness(for: lead, purpose, at: instant) {
        case .open: instant
        case .closed(let opensAt):
            opensAt.map { rules.window.spread($0, key: lead.uuid) } ?? instant
        }
    }

    /// How many calls may begin now.
    func freeLines(_ connection: Connection) throws -> Int {
        let live: Int =
            try connection.value(
                "SELECT count(*) FROM calls WHERE \(sql: CallState.liveCondition)"
            )
            ?? 0
        return max(0, rules.lines - live)
    }

    /// For how long before its time a line is kept free for a promised callback: as long as a call
    /// lasts at most, unless the assistant is told otherwise.
    static let keptLineTime = Duration.minutes(10)

    /// How many calls of a kind may begin now: all but callbacks leave a line for each callback that
    /// was promised for the next minutes.
    func freeLines(for kind: DialKind, at now: Instant, _ connection: Connection) throws -> Int {
        let free = try freeLines(connection)
        guard kind != .callback, free > 0 else { return free }
        let promised: Int? = try connection.value(
            """
            SELECT count(*) FROM (SELECT 1 FROM dial_requests WHERE state = 'waiting'
            AND parked IS NULL AND rank = \(DialKind.callback.rank)
            AND due_at <= \(now + ContactGate.keptLineTime) LIMIT \(free))
            """
        )
        return free - (promised ?? 0)
    }

    /// Whether a call to the lead or its number is live, or is over and its outcome still to come:
    /// until that is known another could be the second call for one conversation.
    private func isBeingCalled(
        _ lead: Contact,
        besides attempt: Int64?,
        _ connection: Connection
    ) throws -> Bool {
        let found: Int? = try connection.value(
            """
            SELECT 1 FROM calls WHERE \(sql: CallState.liveCondition)
            AND (lead_id = \(lead.id) OR number = \(lead.number.e164)) AND id IS NOT \(attempt)
            UNION ALL SELECT 1 FROM calls WHERE lead_id = \(lead.id) AND state = 'ended'
            AND outcome IS NULL LIMIT 1
            """
        )
        return found != nil
    }

    /// The dials of a lead's number in the thirty days before a moment that count, newest first.
    ///
    /// An attempt that is reserved and has not left yet is none of them.
    func dials(
        of lead: Contact,
        before now: Instant,
        besides attempt: Int64? = nil,
        _ connection: Connection
    ) throws -> [Instant] {
        try connection.rows(
            """
            SELECT created_at FROM calls WHERE number = \(lead.number.e164)
            AND created_at > \(now - .days(30)) AND counted = 1 AND id IS NOT \(attempt)
            AND state NOT IN ('refused', 'not_placed') ORDER BY created_at DESC
            """
        ).map { try $0.required("created_at", as: Instant.self) }
    }

    private func tooOften(_ dials: [Instant], _ purpose: DialKind, _ now: Instant) -> Decision? {
        let dials = dials.filter { $0 > now - .days(30) }
        if dials.count >= rules.dialsPerMonth {
            let until = dials[rules.dialsPerMonth - 1] + .days(30)
            return .hold(until: until, because: .contactedTooOften)
        }
        if dials.count >= rules.dialsPerDay {
            let until = dials[rules.dialsPerDay - 1] + .days(1)
            if until > now { return .hold(until: until, because: .contactedTooOften) }
        }
        if purpose != .operator, purpose != .callback, let last = dials.first,
            last + rules.gap > now
        {
            return .hold(until: last + rules.gap, because: .calledTooRecently)
        }
        return nil
    }
}
