/// Wishes for a callback, wherever they come from: a conversation, a tool of the assistant, WhatsApp.
extension Journey {
    /// How far ahead a callback may be promised.
    private static let callbackHorizon = Duration.days(60)

    /// What became of a wish.
    enum WishAnswer: Equatable {
        /// Promised, and due then: at the wished time, or when lawful hours begin after it.
        case promised(dueAt: Instant)
        /// Nothing says for certain when; a person must arrange it.
        case unclear
        /// The person must not be called at all.
        case refused(ContactGate.Reason)
    }

    /// Promises a callback for the time that somebody wished, or hands the wish to a person.
    ///
    /// A moment with its zone is taken; a phrase is read on the lead's own clock, as of the moment in
    /// which it was said, and only where there is no doubt which clock that is. Nothing is guessed.
    ///
    /// - Throws: ``Database/Unavailable``.
    @discardableResult
    func callbackWished(
        _ lead: Contact,
        _ wish: String,
        saidAt: Instant,
        callID: Int64? = nil,
        now: Instant,
        in connection: Connection
    ) throws -> WishAnswer {
        func log(_ decision: WishDecision, _ reason: String) throws {
            try self.log(decision, reason, lead, callID, now, connection)
        }
        if let reason = try gate.refusal(of: lead, .call, .callback, connection) {
            try log(.refused, "A callback was asked for, but cannot be made. \(reason.sentence)")
            return .refused(reason)
        }
        let time = CallbackTime.resolve(wish, now: saidAt, in: lead.certainZone)
        guard let time, time > now, time < now + Journey.callbackHorizon else {
            try log(
                .unclear,
                "A callback was asked for, but not for a clear time to come "
                    + "(\(wish.singleLine.prefix(80))). A person should arrange it."
            )
            try handToPerson(lead, now, connection)
            return .unclear
        }
        let dueAt = gate.shifted(time, for: lead, .callback)
        try DialRequests.add(
            lead.id,
            .callback,
            dueAt: dueAt,
            promisedAt: time,
            now: now,
            in: connection
        )
        let spoken = time.spoken(in: zone)
        try log(
            .promised,
            dueAt == time
                ? "A callback is promised for \(spoken)."
                : "A callback was asked for at \(spoken), outside the hours in which this person may "
                    + "be called. It is planned for \(dueAt.spoken(in: zone))."
        )
        return .promised(dueAt: dueAt)
    }

    /// Keeps that somebody asked for a callback during a call without a time that can be promised; the
    /// assistant asks again.
    func callbackUnclear(
        _ lead: Contact,
        _ reason: String,
        callID: Int64,
        now: Instant,
        in connection: Connection
    ) throws {
        try log(.unclear, reason, lead, callID, now, connection)
    }

    /// What a conversation that is over leaves to be done about callbacks.
    ///
    /// What was promised during the call was said to the person, and stands; else the analysis of
    /// the conversation may name a time; else a wish that stayed unclear is a person's to arrange.
    func conversationEnded(
        _ lead: Contact,
        wish: String?,
        callID: Int64,
        endedAt: Instant,
        now: Instant,
        in connection: Connection
    ) throws {
        let decisions = try connection.rows(
            """
            SELECT decision FROM journey_steps WHERE lead_id = \(lead.id) AND call_id = \(callID)
            AND node = \(Journey.callbackNode)
            """
        ).compactMap { WishDecision(rawValue: try $0.required("decision")) }
        if decisions.contains(.promised) { return }
        if let wish {
            try callbackWished(
                lead,
                wish,
                saidAt: endedAt,
                callID: callID,
                now: now,
                in: connection
            )
        } else if decisions.contains(.unclear) {
            try handToPerson(lead, now, connection)
        }
    }

    static let callbackNode = "callback"

    private enum WishDecision: String {
        case promised = "callback_promised"
        case unclear = "callback_unclear"
        case refused = "callback_refused"
    }

    private func log(
        _ decision: WishDecision,
        _ reason: String,
        _ lead: Contact,
        _ callID: Int64?,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        try JourneyLog.add(
            lead.id,
            callID: callID,
            node: Journey.callbackNode,
            decision: decision.rawValue,
            reason: reason,
            at: now,
            in: connection
        )
    }

    private func handToPerson(_ lead: Contact, _ now: Instant, _ connection: Connection) throws {
        try connection.execute(
            """
            UPDATE leads SET journey_state = \(JourneyState.needsPerson), last_updated_at = \(now)
            WHERE id = \(lead.id) AND journey_state NOT IN ('declined', 'opted_out', 'calling')
            """
        )
    }
}
