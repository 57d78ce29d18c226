/// A table whose rows triggers count by state, because it grows for ever.
public enum Tally: String, Sendable, CaseIterable {
    /// `opted_out`.
    case leads
    /// By state.
    case dialRequests = "dial_requests"
    /// By state.
    case outbox
    /// By state.
    case webhookEvents = "webhook_events"
    /// By job and outcome: `call-orchestrator ok`. Runs that are forgotten still count.
    case jobRuns = "job_runs"

    /// How many rows have a state.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func count(of name: String, in connection: Connection) throws -> Int {
        try connection.value(
            "SELECT count FROM tallies WHERE subject = \(rawValue) AND name = \(name)"
        ) ?? 0
    }
}
