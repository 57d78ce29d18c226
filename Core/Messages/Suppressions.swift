/// Who must not be contacted: by number, e-mail address or WhatsApp user, on every channel.
///
/// They outlive the lead: somebody who opted out, was deleted and came back in a file stays opted out.
public enum Suppressions {
    /// What is suppressed.
    public enum Kind: String, Sendable, SQLConvertible {
        case number, email
        case whatsappUser = "whatsapp_user"
    }

    /// Why.
    public enum Reason: String, Sendable, SQLConvertible {
        /// Asked not to be contacted.
        case optedOut = "opted_out"
        /// Declined during a call.
        case declined
    }

    /// Records an opt-out: from this transaction's commit on nobody contacts the lead.
    ///
    /// Waiting promises are cancelled. A repeated one changes nothing.
    ///
    /// Where the wish came from (`channel`) and what the person said (`words`) is kept as proof.
    /// - Throws: ``Database/Unavailable``.
    public static func optOut(
        _ lead: Contact,
        channel: ContactGate.Channel,
        words: String?,
        now: Instant,
        in connection: Connection
    ) throws {
        try add(lead, .optedOut, channel, words, now, connection)
        guard lead.optedOutAt == nil else { return }
        try connection.execute(
            """
            UPDATE leads SET opted_out_at = \(now), journey_state = \(JourneyState.optedOut),
            next_retry_time = NULL, last_updated_at = \(now) WHERE id = \(lead.id)
            """
        )
        try DialRequests.cancelAll(
            of: lead.id,
            because: ContactGate.Reason.optedOut.rawValue,
            now: now,
            in: connection
        )
        try cancelMessages(to: lead, in: connection)
        try JourneyLog.add(
            lead.id,
            node: "opt_out",
            decision: "opted_out",
            reason: "Asked not to be contacted any more. Every planned contact is cancelled.",
            at: now,
            in: connection
        )
    }

    /// Records an opt-out by number, for its lead if it has one: a wish that came by letter or by
    /// word of mouth.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func optOut(
        _ number: PhoneNumber,
        channel: ContactGate.Channel,
        words: String?,
        now: Instant,
        in connection: Connection
    ) throws {
        if let lead = try Contact.find(number: number, in: connection) {
            try optOut(lead, channel: channel, words: words, now: now, in: connection)
        } else {
            try add(
                .number,
                number.e164,
                because: .optedOut,
                channel: channel.rawValue,
                words: words,
                now: now,
                in: connection
            )
        }
    }

    /// Keeps that somebody declined during a call, so that nobody writes or calls again, also when
    /// the lead is deleted and comes back in a file.
    ///
    /// What the conversation was about (`words`) is kept as proof. Planned calls are the journey's to
    /// cancel. Where the lead's number was corrected since, the one that was `dialed` is declined too.
    /// - Throws: ``Database/Unavailable``.
    static func decline(
        _ lead: Contact,
        dialed: String,
        words: String?,
        at instant: Instant,
        in connection: Connection
    ) throws {
        try add(lead, .declined, .call, words, instant, connection)
        try add(
            .number,
            dialed,
            of: lead.uuid,
            because: .declined,
            channel: ContactGate.Channel.call.rawValue,
            words: words,
            now: instant,
            in: connection
        )
        try cancelMessages(to: lead, in: connection)
    }

    /// When the owner of a number asked not to be contacted, for leads that come in anew.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func date(
        ofNumber number: PhoneNumber,
        because reason: Reason = .optedOut,
        in connection: Connection
    ) throws -> Instant? {
        try connection.value(
            """
            SELECT at FROM suppressions WHERE kind = 'number' AND value = \(number.e164)
            AND reason = \(reason)
            """
        )
    }

    /// Why somebody must not be contacted, by number, e-mail address or WhatsApp user.
    static func reason(for lead: Contact, in connection: Connection) throws -> ContactGate.Reason? {
        var wanted: SQL = "(kind = 'number' AND value = \(lead.number.e164))"
        if let email = lead.email {
            wanted = "\(sql: wanted) OR (kind = 'email' AND value = \(email.lowercased()))"
        }
        if let user = lead.whatsAppUserID {
            wanted = "\(sql: wanted) OR (kind = 'whatsapp_user' AND value = \(user))"
        }
        let reasons = try connection.rows("SELECT reason FROM suppressions WHERE \(sql: wanted)")
            .map { try $0.required("reason", as: Reason.self) }
        if reasons.contains(.optedOut) { return .optedOut }
        return reasons.isEmpty ? nil : .declined
    }

    private static func cancelMessages(to lead: Contact, in connection: Connection) throws {
        try connection.execute(
            "UPDATE outbox SET state = 'cancelled' WHERE lead_id = \(lead.id) AND state = 'queued'"
        )
    }

    private static func add(
        _ lead: Contact,
        _ reason: Reason,
        _ channel: ContactGate.Channel,
        _ words: String?,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        for case (let kind, let value?) in [
            (Kind.number, lead.number.e164), (.email, lead.email?.lowercased()),
        ] {
            try add(
                kind,
                value,
                of: lead.uuid,
                because: reason,
                channel: channel.rawValue,
                words: words,
                now: now,
                in: connection
            )
        }
    }

    /// The first wish stands as it was said; only an opt-out says more than having declined.
    static func add(
        _ kind: Kind,
        _ value: String,
        of leadUUID: String? = nil,
        because reason: Reason,
        channel: String,
        words: String?,
        now: Instant,
        in connection: Connection
    ) throws {
        try connection.execute(
            """
            INSERT INTO suppressions (kind, value, reason, channel, words, lead_uuid, at)
            VALUES (\(kind), \(value), \(reason), \(channel), \(words), \(leadUUID), \(now))
            ON CONFLICT (kind, value) DO UPDATE SET reason = excluded.reason,
            channel = excluded.channel, words = excluded.words, lead_uuid = excluded.lead_uuid,
            at = excluded.at WHERE reason = 'declined' AND excluded.reason = 'opted_out'
            """
        )
    }
}
