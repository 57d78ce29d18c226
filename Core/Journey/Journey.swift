/// Runs the ``Workflow`` for a lead: what happens after a call.
///
/// Each step is taken and written down in the transaction that learned the call's outcome, and an
/// outcome is learned exactly once, so a step is neither lost by a crash nor taken twice.
public struct Journey: Sendable {
    /// Which ways of writing to people are configured.
    public struct Channels: Sendable {
        public var whatsApp: Bool
        public var email: Bool

        /// Creates a choice of channels.
        public init(whatsApp: Bool, email: Bool) {
            self.whatsApp = whatsApp
            self.email = email
        }

        /// A channel is on when the variables that it cannot do without are set.
        public init(environment: Environment) {
            whatsApp =
                environment["WHATSAPP_CLOUD_ACCESS_TOKEN"] != nil
                && environment["WHATSAPP_PHONE_NUMBER_ID"] != nil
            email = environment["SMTP_HOST"] != nil
        }
    }

    public let gate: ContactGate
    public let retryPolicy: RetryPolicy
    public let channels: Channels
    public let guardRails: GuardRails
    /// The zone in which times are named to people.
    public let zone: Zone
    private let workflow: Workflow

    /// Creates a journey.
    public init(
        gate: ContactGate,
        retryPolicy: RetryPolicy,
        channels: Channels,
        guardRails: GuardRails = GuardRails(),
        zone: Zone
    ) {
        self.gate = gate
        self.guardRails = guardRails
        self.retryPolicy = retryPolicy
        self.channels = channels
        self.zone = zone
        workflow = .lead
    }

    /// Reads everything that decides a journey.
    ///
    /// - Throws: ``Environment/Invalid``.
    public init(environment: Environment) throws {
        self.init(
            gate: ContactGate(rules: try ContactRules(environment: environment)),
            retryPolicy: try RetryPolicy(environment: environment),
            channels: Channels(environment: environment),
            guardRails: try GuardRails(environment: environment),
            zone: try environment.zone()
        )
    }

    /// Walks on from `check_retry` once a call's outcome is final; retry times count from `endedAt`.
    ///
    /// - Throws: ``Database/Unavailable``.
    func callEnded(
        _ lead: Contact,
        callID: Int64,
        result: Workflow.Facts.Result,
        endedAt: Instant,
        now: Instant,
        in connection: Connection
    ) throws {
        let policy = try retryPolicy.current(in: connection)
        let facts = Workflow.Facts(
            result: result,
            isDeclined: lead.declinedAt != nil,
            isOptedOut: lead.optedOutAt != nil,
            retriesUsed: lead.retryCount,
            retriesAllowed: policy.maximum,
            canWhatsApp: channels.whatsApp && !lead.isNumberInvalid
        )
        var node = Workflow.Node.checkRetry
        while let edge = workflow.next(from: node, given: facts) {
            let reason = try take(
                edge,
                lead,
                facts: facts,
                policy: policy,
                callID: callID,
                endedAt: endedAt,
                now: now,
                in: connection
            )
            try JourneyLog.add(
                lead.id,
                callID: callID,
                node: edge.from.rawValue,
                decision: edge.when == .always ? edge.to.rawValue : edge.when.rawValue,
                reason: reason,
                at: now,
                in: connection
            )
            node = edge.to
        }
        try guardRails.check(at: now, in: zone, connection)
    }

    /// Does what a step does and says why in a sentence.
    private func take(
        _ edge: Workflow.Edge,
        _ lead: Contact,
        facts: Workflow.Facts,
        policy: RetryPolicy,
        callID: Int64,
        endedAt: Instant,
        now: Instant,
        in connection: Connection
    ) throws -> String {
        switch (edge.from, edge.when) {
        case (.checkRetry, .optedOut):
            return "This person asked not to be contacted, so nothing more is planned."
        case (.checkRetry, .declined):
            try settle(lead, .declined, because: .declined, now, connection)
            return "This person declined, so nothing more is planned."
        case (.checkRetry, .completed):
            try settle(lead, .completed, because: .completed, now, connection)
            guard try followUp(lead, callID, now, connection) else {
                return "The conversation took place, so no further call is needed."
            }
            return "The conversation took place, so no further call is needed. A follow-up message "
                + "is queued."
        case (.checkRetry, .cancelled):
            try move(lead, to: .needsPerson, now, connection)
            return "The call was cancelled by hand, so nothing more is planned by itself."
        case (.checkRetry, .ourFault):
            return "The call failed through no fault of this person's and does not count."
        case (.checkRetry, .needsPerson):
            try move(lead, to: .needsPerson, now, connection)
            return "The call broke off or cannot be judged. A person should decide what to do next."
        case (.checkRetry, .numberBad):
            try settle(lead, .unreachable, because: .numberInvalid, now, connection)
            return "The number cannot be called."
        case (.checkRetry, .retryLeft):
            return
                "Nobody was reached; \(facts.retriesUsed) of \(facts.retriesAllowed) retries used."
        case (.checkRetry, .retriesUsedUp):
            try settle(lead, .exhausted, because: .attemptsUsedUp, now, connection)
            return "Nobody was reached and all \(facts.retriesAllowed) retries are used up."
        case (.incrementRetry, _):
            return try promiseRetry(lead, policy, endedAt: endedAt, now: now, in: connection)
        case (.whatsAppFallback, .whatsAppPossible):
            try enqueue("whatsapp", "retry_fallback", lead, callID, now, connection)
            try move(lead, to: .fallback, now, connection)
            return "A WhatsApp message is queued because calls did not get through."
        case (.whatsAppFallback, _):
            return channels.whatsApp
                ? "WhatsApp cannot reach this number." : "WhatsApp is not configured."
        case (.emailFallback, _):
            guard channels.email else { return "E-mail is not configured, so nothing is sent." }
            guard lead.email != nil else { return "There is no e-mail address to write to." }
            try enqueue("email", "retry_fallback", lead, callID, now, connection)
            try move(lead, to: .fallback, now, connection)
            return "An e-mail is queued because calls did not get through."
        default:
            return ""
        }
    }

    private func promiseRetry(
        _ lead: Contact,
        _ policy: RetryPolicy,
        endedAt: Instant,
        now: Instant,
        in connection: Connection
    ) throws -> String {
        guard let delay = policy.delay(afterRetries: lead.retryCount) else { return "" }
        let promisedAt = endedAt + delay
        let dueAt = gate.shifted(promisedAt, for: lead, .retry)
        try DialRequests.add(
            lead.id,
            .retry,
            dueAt: dueAt,
            promisedAt: promisedAt,
            now: now,
            in: connection
        )
        try connection.execute(
            """
            UPDATE leads SET retry_count = \(lead.retryCount + 1), next_retry_time = \(dueAt),
            journey_state = \(JourneyState.waiting), last_updated_at = \(now)
            WHERE id = \(lead.id)
            """
        )
        let time = dueAt.spoken(in: zone)
        return dueAt == promisedAt
            ? "Retry \(lead.retryCount + 1) of \(policy.maximum) is planned for \(time)."
            : "Retry \(lead.retryCount + 1) of \(policy.maximum) is planned for \(time), when this "
                + "person's calling hours have begun."
    }

    /// Ends the chase: the state, and every promise but callbacks (which a person was given, and
    /// which only declining takes back).
    private func settle(
        _ lead: Contact,
        _ state: JourneyState,
        because reason: ContactGate.Reason,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        let kinds =
            state == .declined || state == .unreachable
            ? DialKind.allCases : DialKind.allCases.filter { $0 != .callback }
        try DialRequests.cancelAll(
            of: lead.id,
            kinds: kinds,
            because: reason.rawValue,
            now: now,
            in: connection
        )
        try move(lead, to: state, now, connection)
    }

    private func move(
        _ lead: Contact,
        to state: JourneyState,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        try connection.execute(
            """
            UPDATE leads SET journey_state = \(state), next_retry_time = NULL,
            last_updated_at = \(now) WHERE id = \(lead.id)
            """
        )
    }

    /// Queues the message that follows a first conversation, on WhatsApp, else by e-mail.
    private func followUp(
        _ lead: Contact,
        _ callID: Int64,
        _ now: Instant,
        _ connection: Connection
    ) throws -> Bool {
        guard lead.journeyState != .completed else { return false }
        if channels.whatsApp, !lead.isNumberInvalid {
            try enqueue("whatsapp", "lead_followup", lead, callID, now, connection)
        } else if channels.email, lead.email != nil {
            try enqueue("email", "lead_followup", lead, callID, now, connection)
        } else {
            return false
        }
        return true
    }

    /// Queues a message; the key makes it one message a call, however often a step were taken.
    private func enqueue(
        _ channel: String,
        _ template: String,
        _ lead: Contact,
        _ callID: Int64,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        let payload: JSON = ["template": .string(template), "lead_uuid": .string(lead.uuid)]
        try connection.execute(
            """
            INSERT INTO outbox (kind, lead_id, idempotency_key, payload, due_at, created_at)
            VALUES (\(channel), \(lead.id), \("\(channel):\(template):\(callID)"),
            \(payload.text), \(now), \(now)) ON CONFLICT DO NOTHING
            """
        )
    }
}

extension Environment {
    /// The zone of `TIMEZONE`, in which people read times; Asia/Kolkata unless set.
    ///
    /// - Throws: ``Invalid``.
    public func zone() throws -> Zone {
        guard let zone = Zone(identifier: self["TIMEZONE"] ?? "Asia/Kolkata") else {
            throw Invalid("TIMEZONE must name a time zone such as Asia/Kolkata.")
        }
        return zone
    }
}

extension Instant {
    /// The moment as people say it: `15 Jan 2025, 10:00 AM IST`.
    func spoken(in zone: Zone) -> String {
        let local = zone.local(at: self)
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        let hour = local.hour % 12 == 0 ? 12 : local.hour % 12
        let minute = local.minute < 10 ? "0\(local.minute)" : "\(local.minute)"
        return "\(local.day) \(months[local.month - 1]) \(local.year), \(hour):\(minute) "
            + "\(local.hour < 12 ? "AM" : "PM") \(zone.abbreviation(at: self))"
    }
}

// MARK: - Callbacks

extension Journey {
    /// How far ahead a callback may be promised.
    private static let callbackHorizon = Duration.days(60)

    /// A wish for a callback that came out of a conversation.
    ///
    /// A moment with its zone is promised; anything else is handed to a person, never guessed.
    ///
    /// - Throws: ``Database/Unavailable``.
    func callbackWished(
        _ lead: Contact,
        _ wish: String,
        callID: Int64,
        now: Instant,
        in connection: Connection
    ) throws {
        let decision: String
        let reason: String
        let time = CallbackTime.resolve(wish, now: now, in: lead.zone ?? zone)
        if let time, time < now + Journey.callbackHorizon {
            try DialRequests.add(
                lead.id,
                .callback,
                dueAt: time,
                promisedAt: time,
                now: now,
                in: connection
            )
            decision = "callback_promised"
            reason = "A callback is promised for \(time.spoken(in: zone))."
        } else {
            decision = "callback_unclear"
            reason =
                "A callback was asked for, but not for a clear time (\(wish.prefix(80))). "
                + "A person should arrange it."
        }
        try JourneyLog.add(
            lead.id,
            callID: callID,
            node: "callback",
            decision: decision,
            reason: reason,
            at: now,
            in: connection
        )
    }
}
