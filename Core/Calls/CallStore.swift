/// What several parts do with rows of `calls`.
enum CallStore {
    /// What is known of one attempt.
    struct Stored {
        let id: Int64
        let attemptID: String
        let leadID: Int64
        let requestID: Int64
        /// The number that was dialed: the lead's may have been corrected since.
        let number: String
        let kind: DialKind
        let state: CallState
        let vapiCallID: String?
        let createdAt: Instant
        let endedAt: Instant?
        let hasOutcome: Bool
        let previousStatus: LeadStatus
        let previousJourneyState: JourneyState
        /// Whether it is known what was said.
        let isAnalysed: Bool
        let absentAt: Instant?

        init(row: Row) throws {
            id = try row.required("id")
            attemptID = try row.required("attempt_id")
            leadID = try row.required("lead_id")
            requestID = try row.required("request_id")
            number = try row.required("number")
            kind = try row.required("kind")
            state = try row.required("state")
            vapiCallID = row["vapi_call_id"]
            createdAt = try row.required("created_at")
            endedAt = row["ended_at"]
            hasOutcome = (row["outcome"] as String?) != nil
            previousStatus = try row.required("previous_status")
            previousJourneyState = try row.required("previous_journey_state")
            isAnalysed = try row.required("is_analysed")
            absentAt = row["absent_at"]
        }
    }

    static let columns: SQL = """
        SELECT id, attempt_id, lead_id, request_id, number, kind, state, vapi_call_id, created_at,
        ended_at, outcome, previous_status, previous_journey_state, absent_at,
        structured_data IS NOT NULL AS is_analysed FROM calls
        """

    static func find(id: Int64, in connection: Connection) throws -> Stored? {
        try connection.first("\(sql: columns) WHERE id = \(id)").map(Stored.init)
    }

    /// The call that an event is about: by Vapi's id, else by our attempt's id, in which case
    /// Vapi's id is adopted.
    ///
    /// An event may come before the answer to our own request.
    static func find(
        vapiCallID: String?,
        attemptID: String?,
        in connection: Connection
    ) throws -> Stored? {
        if let vapiCallID,
            let row = try connection.first("\(sql: columns) WHERE vapi_call_id = \(vapiCallID)")
        {
            return try Stored(row: row)
        }
        guard let attemptID,
            let row = try connection.first(
                "\(sql: columns) WHERE attempt_id = \(attemptID) AND vapi_call_id IS NULL"
            )
        else { return nil }
        let call = try Stored(row: row)
        if let vapiCallID {
            try connection.execute(
                "UPDATE calls SET vapi_call_id = \(vapiCallID) WHERE id = \(call.id)"
            )
            try connection.execute(
                """
                UPDATE leads SET vapi_call_id = \(vapiCallID) WHERE id = \(call.leadID)
                AND (SELECT max(id) FROM calls WHERE lead_id = \(call.leadID)) = \(call.id)
                """
            )
        }
        return call
    }

    /// Ends an attempt that must not count: the lead is as before, and the promise is due again.
    ///
    /// Does nothing when the attempt has been settled in the meantime.
    static func putBack(
        callID: Int64,
        as state: CallState,
        until: Instant,
        because cause: String,
        sentence: String,
        now: Instant,
        in connection: Connection
    ) throws {
        guard let call = try find(id: callID, in: connection), call.state == .dialing,
            call.vapiCallID == nil || state == .ended
        else { return }
        try connection.execute(
            """
            UPDATE calls SET state = \(state), counted = 0, reason = \(cause), heard_at = \(now)
            WHERE id = \(callID)
            """
        )
        try restore(
            call,
            until: until,
            because: cause,
            sentence: sentence,
            now: now,
            in: connection
        )
    }

    /// Makes everything as it was before the attempt, and the promise due again.
    ///
    /// Who may not be called any more by now gets no call promised.
    static func restore(
        _ call: Stored,
        until: Instant,
        because cause: String,
        sentence: String,
        now: Instant,
        in connection: Connection
    ) throws {
        try connection.execute(
            """
            UPDATE dial_requests SET state = 'claimed', settled_at = NULL
            WHERE id = \(call.requestID) AND state = 'done'
            """
        )
        if let reason = try Contact.find(id: call.leadID, in: connection)?.closedBecause {
            try DialRequests.settle(
                call.requestID,
                as: .cancelled,
                because: reason.rawValue,
                now: now,
                in: connection
            )
        } else {
            try DialRequests.revive(
                supersededAt: call.createdAt,
                of: call.leadID,
                in: connection
            )
            try DialRequests.postpone(
                call.requestID,
                to: until,
                because: cause,
                now: now,
                in: connection
            )
        }
        try connection.execute(
            """
            UPDATE leads SET call_status = \(call.previousStatus), last_updated_at = \(now),
            next_retry_time = \(sql: DialRequests.nextRetryTime(of: call.leadID)),
            journey_state = CASE journey_state WHEN 'calling' THEN \(call.previousJourneyState)
                ELSE journey_state END
            WHERE id = \(call.leadID)
            """
        )
        try JourneyLog.add(
            call.leadID,
            callID: call.id,
            node: Workflow.Node.initiateCall.rawValue,
            decision: "put_back",
            reason: "\(sentence) This attempt does not count.",
            at: now,
            in: connection
        )
    }
}
