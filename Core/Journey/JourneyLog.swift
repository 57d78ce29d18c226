/// The append-only account of every decision about a lead.
public enum JourneyLog {
    /// Adds a step; its reason is a sentence for the people who read the lead's page.
    ///
    /// - Throws: ``Database/Unavailable``.
    static func add(
        _ leadID: Int64,
        callID: Int64? = nil,
        node: String,
        decision: String,
        reason: String,
        at now: Instant,
        in connection: Connection
    ) throws {
        try connection.execute(
            """
            INSERT INTO journey_steps (lead_id, call_id, at, node, decision, reason)
            VALUES (\(leadID), \(callID), \(now), \(node), \(decision), \(reason))
            """
        )
    }
}
