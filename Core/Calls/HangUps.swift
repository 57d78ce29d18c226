/// Ends calls that are under way with people who have opted out meanwhile, by WhatsApp for example.
///
/// It is asked again until the call is over, so that neither a crash nor a busy Vapi leaves somebody on
/// the line who asked to be left alone.
struct HangUps: Sendable {
    /// How long the assistant has to say goodbye to somebody who opted out in this very call.
    static let goodbye = Duration.seconds(20)

    let database: Database
    let vapi: Vapi
    let clock: Clock

    private struct Call {
        let id: Int64
        let leadID: Int64
        let vapiCallID: String?
        let controlURL: String?
    }

    /// Ends what is to be ended, and returns how many calls that was.
    ///
    /// - Throws: ``Database/Unavailable``.
    func run() throws -> Int {
        let now = clock.now()
        let calls = try database.read { try find(at: now, in: $0) }
        var count = 0
        for call in calls {
            do throws(Vapi.Unreachable) {
                guard let address = try address(of: call) else { continue }
                try vapi.end(address)
            } catch {
                continue  // the next run tries again
            }
            count += 1
            try database.write { try log(call, now, $0) }
        }
        return count
    }

    private func find(at now: Instant, in connection: Connection) throws -> [Call] {
        try connection.rows(
            """
            SELECT c.id, c.lead_id, c.vapi_call_id, c.control_url, c.created_at, l.opted_out_at,
            (SELECT channel FROM suppressions WHERE kind = 'number' AND value = c.number) AS channel
            FROM calls c JOIN leads l ON l.id = c.lead_id
            WHERE \(sql: CallState.liveCondition) AND l.opted_out_at IS NOT NULL
            """
        ).compactMap { row in
            let optedOutAt: Instant = try row.required("opted_out_at")
            let createdAt: Instant = try row.required("created_at")
            let isOfThisCall = row["channel"] == "call" && optedOutAt >= createdAt
            guard !isOfThisCall || now - optedOutAt >= HangUps.goodbye else { return nil }
            return Call(
                id: try row.required("id"),
                leadID: try row.required("lead_id"),
                vapiCallID: row["vapi_call_id"],
                controlURL: row["control_url"]
            )
        }
    }

    private func address(of call: Call) throws(Vapi.Unreachable) -> String? {
        if let address = call.controlURL { return address }
        guard let id = call.vapiCallID, let found = try vapi.call(id) else { return nil }
        return VapiMessage.Identity(callObject: found).controlURL
    }

    private func log(_ call: Call, _ now: Instant, _ connection: Connection) throws {
        let known: Int? = try connection.value(
            """
            SELECT 1 FROM journey_steps WHERE lead_id = \(call.leadID) AND call_id = \(call.id)
            AND node = 'opt_out' LIMIT 1
            """
        )
        guard known == nil else { return }
        try JourneyLog.add(
            call.leadID,
            callID: call.id,
            node: "opt_out",
            decision: "call_ended",
            reason: "The call under way was ended because this person asked not to be contacted.",
            at: now,
            in: connection
        )
    }
}
