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
    /// the gap, and a completed conversation (in which it was promised) does not end it.
    /// - Throws: ``Database/Unavailable``.
    public func mayContact(
        _ lead: Contact,
        channel: Channel,
        purpose: DialKind,
        now: Instant,
        in connection: Connection
    ) throws -> Decision {
        if lead.isDeleted { return .refuse(because: .deleted) }
        if lead.optedOutAt != nil { return .refuse(because: .optedOut) }
        if try Suppressions.contains(lead, channel, in: connection) {
            return .refuse(because: .optedOut)
        }
        if lead.declinedAt != nil { return .refuse(because: .declined) }
        if channel != .email && lead.isNumberInvalid { return .refuse(because: .numberInvalid) }
        if channel == .call {
            return try mayCall(lead, purpose, now, connection)
        }
        return .allow
    }

    private func mayCall(
        _ lead: Contact,
        _ purpose: DialKind,
        _ now: Instant,
        _ connection: Connection
    ) throws -> Decision {
        // A calling code without a country of its own stands for every region that shares it.
        let regions = Set(RegionZones.regions(of: lead.region)).union([lead.region])
        if !rules.consentRegions.isDisjoint(with: regions), lead.consentAt == nil {
            return .refuse(because: .noConsent)
        }
        let isAskedFor = purpose == .operator || purpose == .callback
        if !isAskedFor {
            if lead.status == .completed { return .refuse(because: .completed) }
            if lead.journeyState.isExhausted { return .refuse(because: .attemptsUsedUp) }
        }
        if try hasLiveCall(lead, connection) {
            return .hold(until: now + .minutes(1), because: .callInProgress)
        }
        if let decision = try tooOften(lead, purpose, now, connection) { return decision }
        switch openness(for: lead, purpose, at: now) {
        case .open: break
        case .closed(let opensAt):
            let until = opensAt.map { rules.window.spread($0, key: lead.uuid) }
            return .hold(until: until, because: .outsideCallingHours)
        }
        if let pause = try Pause.current(in: connection, now: now) {
            return .hold(until: pause.until, because: .paused)
        }
        guard try freeLines(connection) > 0 else {
            return .hold(until: nil, because: .noFreeLine)
        }
        return .allow
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

    private func hasLiveCall(_ lead: Contact, _ connection: Connection) throws -> Bool {
        let found: Int? = try connection.value(
            """
            SELECT 1 FROM calls WHERE \(sql: CallState.liveCondition)
            AND (lead_id = \(lead.id) OR number = \(lead.number.e164)) LIMIT 1
            """
        )
        return found != nil
    }

    private func tooOften(
        _ lead: Contact,
        _ purpose: DialKind,
        _ now: Instant,
        _ connection: Connection
    ) throws -> Decision? {
        let dials = try connection.rows(
            """
            SELECT created_at FROM calls WHERE number = \(lead.number.e164)
            AND created_at > \(now - .days(30)) AND counted = 1
            AND state NOT IN ('refused', 'not_placed') ORDER BY created_at DESC
            """
        ).map { try $0.required("created_at", as: Instant.self) }
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
