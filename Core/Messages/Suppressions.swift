/// Who must not be contacted: by number, e-mail address or WhatsApp user, on every channel.
///
/// They outlive the lead: somebody who opted out, was deleted and came back in a file stays opted out.
public enum Suppressions {
    /// What is suppressed.
    public enum Kind: String, Sendable, SQLConvertible {
        case number, email
        case whatsappUser = "whatsapp_user"
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
        try add(.number, lead.number.e164, lead.uuid, channel, words, now, connection)
        if let email = lead.email {
            try add(.email, email.lowercased(), lead.uuid, channel, words, now, connection)
        }
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
        try connection.execute(
            "UPDATE outbox SET state = 'cancelled' WHERE lead_id = \(lead.id) AND state = 'queued'"
        )
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
            try add(.number, number.e164, nil, channel, words, now, connection)
        }
    }

    /// When a number was suppressed, for leads that come in anew.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func date(ofNumber number: PhoneNumber, in connection: Connection) throws
        -> Instant?
    {
        try connection.value(
            "SELECT at FROM suppressions WHERE kind = 'number' AND value = \(number.e164)"
        )
    }

    static func contains(
        _ lead: Contact,
        _ channel: ContactGate.Channel,
        in connection: Connection
    ) throws -> Bool {
        var wanted: SQL = "(kind = 'number' AND value = \(lead.number.e164))"
        if let email = lead.email {
            wanted = "\(sql: wanted) OR (kind = 'email' AND value = \(email.lowercased()))"
        }
        if let user = lead.whatsAppUserID {
            wanted = "\(sql: wanted) OR (kind = 'whatsapp_user' AND value = \(user))"
        }
        let found: Int? = try connection.value(
            "SELECT 1 FROM suppressions WHERE \(sql: wanted) LIMIT 1"
        )
        return found != nil
    }

    private static func add(
        _ kind: Kind,
        _ value: String,
        _ leadUUID: String?,
        _ channel: ContactGate.Channel,
        _ words: String?,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        try connection.execute(
            """
            INSERT INTO suppressions (kind, value, reason, channel, words, lead_uuid, at)
            VALUES (\(kind), \(value), 'opted_out', \(channel.rawValue), \(words), \(leadUUID),
            \(now)) ON CONFLICT DO NOTHING
            """
        )
    }
}
