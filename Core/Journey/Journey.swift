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
    /// `stateBefore` is where the lead was before the call.
    /// - Throws: ``Database/Unavailable``.
    func callEnded(
        _ lead: Contact,
        callID: Int64,
        stateBefore: JourneyState,
        result: Workflow.Facts.Result,
        endedAt: Instant,
        now: Instant,
        in connection: Connection
    ) throws {
        let policy = try retryPolicy.current(in: connection)
        let facts = Workflow.Facts(
            result: result,
            isDeclined: lead.declinedAt != nil,
            isOptedOut: lead.optedOutAt != nil || lead.isDeleted,
            retriesUsed: lead.retryCount,
            retriesAllowed: policy.maximum,
            canWhatsApp: channels.whatsApp && !lead.isNumberInvalid,
            isWrittenTo: try stateBefore == .fallback && isWrittenTo(lead, connection)
        )
        try walk(
            from: .checkRetry,
            lead,
            facts,
            policy,
            callID: callID,
            endedAt: endedAt,
            now: now,
            in: connection
        )
        try guardRails.check(after: callID, at: now, in: zone, connection)
    }

    /// Takes step after step, and writes each down with its reason.
    private func walk(
        from start: Workflow.Node,
        _ lead: Contact,
        _ facts: Workflow.Facts,
        _ policy: RetryPolicy,
        callID: Int64,
        endedAt: Instant,
        now: Instant,
        in connection: Connection
    ) throws {
        var node = start
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
    }

    /// Goes on by e-mail when WhatsApp refused or could not deliver a message of ours, in the
    /// transaction that learned so.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func whatsAppFailed(outboxID: Int64, now: Instant, in connection: Connection) throws {
        let row = try connection.first(
            """
            SELECT lead_id, call_id, payload FROM outbox WHERE id = \(outboxID)
            AND kind = 'whatsapp' AND state NOT IN ('dead', 'cancelled')
            """
        )
        guard let row else { return }
        try connection.execute("UPDATE outbox SET state = 'dead' WHERE id = \(outboxID)")
        guard let callID: Int64 = row["call_id"], let leadID: Int64 = row["lead_id"],
            let lead = try Contact.find(id: leadID, in: connection),
            try gate.refusal(of: lead, .email, .operator, connection) == nil
        else { return }
        let payload = try JSON(parsing: row.required("payload", as: String.self))
        if payload["template"]?.string == Template.retryFallback.rawValue {
            // Somebody who has been reached since needs no more messages.
            guard lead.journeyState == .fallback else { return }
            let facts = Workflow.Facts(result: .notReached, hasWhatsAppFailed: true)
            let policy = try retryPolicy.current(in: connection)
            try walk(
                from: .whatsAppFallback,
                lead,
                facts,
                policy,
                callID: callID,
                endedAt: now,
                now: now,
                in: connection
            )
        } else if channels.email, lead.email != nil {
            try enqueue(.email, .leadFollowUp, lead, callID, now, connection)
            try JourneyLog.add(
                leadID,
                callID: callID,
                node: Workflow.Node.checkRetry.rawValue,
                decision: Workflow.Guard.whatsAppFailed.rawValue,
                reason: "WhatsApp could not deliver the follow-up message, so it is queued as an "
                    + "e-mail.",
                at: now,
                in: connection
            )
        }
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
            return lead.isDeleted
                ? "The lead has been deleted, so nothing more is planned."
                : "This person asked not to be contacted, so nothing more is planned."
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
        case (.checkRetry, .handedOver):
            try settle(lead, .needsPerson, because: .completed, now, connection)
            let sentence = "The conversation took place, and a person should go on with it."
            guard try followUp(lead, callID, now, connection) else { return sentence }
            return "\(sentence) A follow-up message is queued."
        case (.checkRetry, .cancelled):
            try leaveToPerson(lead, now, connection)
            return "The call was cancelled by hand, so nothing more is planned by itself."
        case (.checkRetry, .ourFault):
            return "The call failed through no fault of this person's and does not count."
        case (.checkRetry, .needsPerson):
            try leaveToPerson(lead, now, connection)
            return "The call broke off or cannot be judged. A person should decide what to do next."
        case (.checkRetry, .numberBad):
            try settle(lead, .unreachable, because: .numberInvalid, now, connection)
            return "The number cannot be called."
        case (.checkRetry, .retryLeft):
            return
                "Nobody was reached; \(facts.retriesUsed) of \(facts.retriesAllowed) retries used."
        case (.checkRetry, .alreadyWritten):
            try settle(lead, .fallback, because: .attemptsUsedUp, now, connection)
            return "Nobody was reached. A message was queued after an earlier call, so none is "
                + "queued again."
        case (.checkRetry, .retriesUsedUp):
            try settle(lead, .exhausted, because: .attemptsUsedUp, now, connection)
            return "Nobody was reached and all \(facts.retriesAllowed) retries are used up."
        case (.incrementRetry, _):
            return try promiseRetry(lead, policy, endedAt: endedAt, now: now, in: connection)
        case (.whatsAppFallback, .whatsAppPossible):
            try enqueue(.whatsapp, .retryFallback, lead, callID, now, connection)
            try move(lead, to: .fallback, now, connection)
            return "A WhatsApp message is queued because calls did not get through."
        case (.whatsAppFallback, .whatsAppFailed):
            try move(lead, to: .exhausted, now, connection)
            return "WhatsApp could not deliver the message."
        case (.whatsAppFallback, _):
            return channels.whatsApp
                ? "WhatsApp cannot reach this number." : "WhatsApp is not configured."
        case (.emailFallback, _):
            guard channels.email else { return "E-mail is not configured, so nothing is sent." }
            guard lead.email != nil else { return "There is no e-mail address to write to." }
            try enqueue(.email, .retryFallback, lead, callID, now, connection)
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
        let key = "\(lead.uuid) \(lead.retryCount)"
        let wantedAt = promisedAt + RetryPolicy.jitter(of: delay, key: key)
        let dueAt = gate.shifted(wantedAt, for: lead, .retry)
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
        return dueAt == wantedAt
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

    /// Stops calling by ourselves, because the next call could be the second for one conversation.
    ///
    /// What a person has planned, a callback or a schedule, stands.
    private func leaveToPerson(_ lead: Contact, _ now: Instant, _ connection: Connection) throws {
        try DialRequests.cancelAll(
            of: lead.id,
            kinds: [.retry, .new],
            because: JourneyState.needsPerson.rawValue,
            now: now,
            in: connection
        )
        try move(lead, to: .needsPerson, now, connection)
    }

    /// Ends the chase of a person of whom it is learned late that they declined.
    func declined(
        _ lead: Contact,
        callID: Int64,
        now: Instant,
        in connection: Connection
    ) throws {
        guard !lead.isDeleted, lead.optedOutAt == nil else { return }
        try settle(lead, .declined, because: .declined, now, connection)
        try JourneyLog.add(
            lead.id,
            callID: callID,
            node: Workflow.Node.checkRetry.rawValue,
            decision: Workflow.Guard.declined.rawValue,
            reason: "This person declined, so nothing more is planned.",
            at: now,
            in: connection
        )
    }

    private func move(
        _ lead: Contact,
        to state: JourneyState,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        try connection.execute(
            """
            UPDATE leads SET journey_state = \(state),
            next_retry_time = \(sql: DialRequests.nextRetryTime(of: lead.id)),
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
        let earlier: Int? = try connection.value(
            """
            SELECT 1 FROM calls WHERE lead_id = \(lead.id) AND outcome = 'completed'
            AND id <> \(callID) LIMIT 1
            """
        )
        guard earlier == nil, lead.journeyState != .completed else { return false }
        if channels.whatsApp, !lead.isNumberInvalid {
            try enqueue(.whatsapp, .leadFollowUp, lead, callID, now, connection)
        } else if channels.email, lead.email != nil {
            try enqueue(.email, .leadFollowUp, lead, callID, now, connection)
        } else {
            return false
        }
        return true
    }

    /// Whether the message that follows the last retry waits, or has gone out.
    private func isWrittenTo(_ lead: Contact, _ connection: Connection) throws -> Bool {
        let found: Int? = try connection.value(
            """
            SELECT 1 FROM outbox WHERE lead_id = \(lead.id) AND state NOT IN ('dead', 'cancelled')
            AND json_extract(payload, '$.template') = \(Template.retryFallback.rawValue) LIMIT 1
            """
        )
        return found != nil
    }

    /// What is written to people without their asking.
    enum Template: String {
        /// After a conversation.
        case leadFollowUp = "lead_followup"
        /// After the last try to call.
        case retryFallback = "retry_fallback"
    }

    /// Queues a message; the key makes it one message a call, however often a step were taken.
    private func enqueue(
        _ channel: ContactGate.Channel,
        _ template: Template,
        _ lead: Contact,
        _ callID: Int64,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        let payload: JSON = [
            "template": .string(template.rawValue), "lead_uuid": .string(lead.uuid),
        ]
        try connection.execute(
            """
            INSERT INTO outbox (kind, lead_id, call_id, idempotency_key, payload, due_at, created_at)
            VALUES (\(channel.rawValue), \(lead.id), \(callID),
            \("\(channel.rawValue):\(template.rawValue):\(callID)"), \(payload.text), \(now), \(now))
            ON CONFLICT DO NOTHING
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
