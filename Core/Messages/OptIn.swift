extension Suppressions {
    /// Suppresses a WhatsApp user, who may have no number that we know.
    ///
    /// - Throws: ``Database/Unavailable``.
    static func add(
        whatsAppUser id: String,
        leadUUID: String?,
        words: String,
        now: Instant,
        in connection: Connection
    ) throws {
        try add(
            .whatsappUser,
            id,
            of: leadUUID,
            because: .optedOut,
            channel: ContactGate.Channel.whatsapp.rawValue,
            words: words,
            now: now,
            in: connection
        )
    }

    /// Takes an opt-out back at the person's own wish; the audit log keeps that there was one.
    ///
    /// Nothing that was cancelled comes back by itself: a person decides what happens next.
    /// - Throws: ``Database/Unavailable``.
    static func optIn(
        _ lead: Contact?,
        number: PhoneNumber?,
        whatsAppUser: String?,
        words: String,
        now: Instant,
        in connection: Connection
    ) throws {
        let wanted: [(Kind, String?)] = [
            (.number, number?.e164), (.number, lead?.number.e164),
            (.email, lead?.email?.lowercased()), (.whatsappUser, whatsAppUser),
        ]
        var lifted = 0
        for case (let kind, let value?) in wanted {
            try connection.execute(
                """
                DELETE FROM suppressions WHERE kind = \(kind) AND value = \(value)
                AND reason = \(Reason.optedOut)
                """
            )
            lifted += connection.changes
        }
        // A lead whose number was corrected since may be opted out without being found above.
        guard lifted > 0 || lead?.optedOutAt != nil else { return }
        try AuditLog.add(
            "opt_in",
            by: "whatsapp",
            detail: ["lead_uuid": JSON(lead?.uuid), "words": .string(words)],
            now: now,
            in: connection
        )
        guard let lead, lead.optedOutAt != nil else { return }
        try connection.execute(
            """
            UPDATE leads SET opted_out_at = NULL, last_updated_at = \(now), journey_state = CASE
            WHEN declined_at IS NOT NULL THEN 'declined' WHEN call_status = 'completed' THEN 'completed'
            WHEN call_status = 'pending' THEN 'new' ELSE 'needs_person' END WHERE id = \(lead.id)
            """
        )
        try JourneyLog.add(
            lead.id,
            node: "opt_in",
            decision: "opted_in",
            reason: "Asked to be contacted again. What was planned before stays cancelled.",
            at: now,
            in: connection
        )
    }
}
