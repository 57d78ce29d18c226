import Crypto

/// Stores and processes what Vapi sends, in one transaction: each event takes effect once, however
/// often it comes, and none is lost because it could not be processed at once.
public struct VapiWebhooks: Sendable {
    private let database: Database
    private let events: CallEvents
    private let tools: CallTools

    /// Creates the receiver.
    public init(database: Database, journey: Journey) {
        self.database = database
        events = CallEvents(journey: journey)
        tools = CallTools(journey: journey)
    }

    /// What came of an event.
    public struct Receipt: Sendable {
        /// The body to answer with.
        public var answer: JSON = [:]
        /// Whether a line is free again.
        public var freedLine = false
        /// Whether processing failed; the event is stored and tried again later.
        public var failed = false
        /// The lead's uuid, for the log.
        public var leadUUID: String?
    }

    private static let provider = "vapi"

    /// Takes in one event: decoded as `message`, and as the bytes that are stored.
    ///
    /// - Throws: ``Database/Unavailable``; then nothing is stored, and Vapi must send it again.
    public func receive(_ message: VapiMessage, body: [UInt8], now: Instant) throws -> Receipt {
        if case .toolCalls(let calls) = message {
            return try receive(calls, body: body, now: now)
        }
        return try database.write { connection in
            let key = VapiWebhooks.key(of: message, body)
            let isNew = try store(key, body, state: "processed", now: now, in: connection)
            guard isNew else { return Receipt() }
            var receipt = Receipt(leadUUID: message.identity?.leadUUID)
            do {
                let effect = try connection.savepoint {
                    try apply(message, now: now, in: connection)
                }
                receipt.freedLine = effect == .freedLine
                if effect == .unmatched { try mark(key, "unmatched", in: connection) }
            } catch let error as Database.Unavailable {
                throw error
            } catch {
                try mark(key, "failed", in: connection)
                receipt.failed = true
            }
            return receipt
        }
    }

    private func apply(_ message: VapiMessage, now: Instant, in connection: Connection) throws
        -> CallEvents.Effect
    {
        switch message {
        case .statusUpdate(let update): try events.apply(update, now: now, in: connection)
        case .endOfCallReport(let report): try events.apply(report, now: now, in: connection)
        case .toolCalls, .other: .none
        }
    }

    /// Tools answer in the same request, so the answer is stored with the event: a tool call that
    /// comes again gets the same answer and acts no second time.
    private func receive(
        _ calls: VapiMessage.ToolCalls,
        body: [UInt8],
        now: Instant
    ) throws -> Receipt {
        try database.write { connection in
            var receipt = Receipt(leadUUID: calls.identity.leadUUID)
            var results: [JSON] = []
            for call in calls.calls {
                let key = "tool-calls:\(calls.identity.callID ?? "-"):\(call.id)"
                if let answer = try answer(to: key, in: connection) {
                    results.append(answer)
                    continue
                }
                let result = try tools.run(call, of: calls.identity, now: now, in: connection)
                results.append(result)
                _ = try store(
                    key,
                    body,
                    state: "processed",
                    answer: result,
                    now: now,
                    in: connection
                )
            }
            receipt.answer = ["results": .array(results)]
            return receipt
        }
    }

    private func answer(to key: String, in connection: Connection) throws -> JSON? {
        let text: String? = try connection.value(
            """
            SELECT answer FROM webhook_events
            WHERE provider = \(VapiWebhooks.provider) AND event_key = \(key)
            """
        )
        return text.flatMap { try? JSON(parsing: $0) }
    }

    /// Processes the events that failed before, oldest first, at most 1,000 in a run and each at
    /// most 20 times.
    ///
    /// - Returns: how many were processed.
    /// - Throws: ``Database/Unavailable``.
    func replayFailed(now: Instant) throws -> Int {
        let failed = try database.read { connection in
            try connection.rows(
                """
                SELECT id, body FROM webhook_events WHERE state = 'failed' AND attempts < 20
                ORDER BY id LIMIT 1000
                """
            )
        }
        var count = 0
        for row in failed {
            let id: Int64 = try row.required("id")
            let body: String = try row.required("body")
            guard let message = try? VapiMessage(JSON(parsing: body)) else { continue }
            do {
                try database.write { connection in
                    _ = try apply(message, now: now, in: connection)
                    try connection.execute(
                        "UPDATE webhook_events SET state = 'processed' WHERE id = \(id)"
                    )
                }
                count += 1
            } catch let error as Database.Unavailable {
                throw error
            } catch {
                try database.write { connection in
                    try connection.execute(
                        "UPDATE webhook_events SET attempts = attempts + 1 WHERE id = \(id)"
                    )
                }
            }
        }
        return count
    }

    private func store(
        _ key: String,
        _ body: [UInt8],
        state: String,
        answer: JSON? = nil,
        now: Instant,
        in connection: Connection
    ) throws -> Bool {
        try connection.execute(
            """
            INSERT INTO webhook_events (provider, event_key, received_at, body, answer, state)
            VALUES (\(VapiWebhooks.provider), \(key), \(now),
            \(String(decoding: body, as: UTF8.self)), \(answer?.text), \(state))
            ON CONFLICT DO NOTHING
            """
        )
        return connection.changes == 1
    }

    /// Keeps a call of Vapi's listings that is none of ours, for a person to look at.
    ///
    /// - Returns: whether it is new.
    func keepListed(_ call: JSON, id: String, now: Instant, in connection: Connection) throws
        -> Bool
    {
        try store(
            "listed:\(id)",
            call.encoded(),
            state: "unmatched",
            now: now,
            in: connection
        )
    }

    private func mark(_ key: String, _ state: String, in connection: Connection) throws {
        try connection.execute(
            """
            UPDATE webhook_events SET state = \(state)
            WHERE provider = \(VapiWebhooks.provider) AND event_key = \(key)
            """
        )
    }

    /// What makes two deliveries one event.
    ///
    /// Bodies differ between deliveries of the same report (addresses are signed anew), so what
    /// they say counts, not how.
    private static func key(of message: VapiMessage, _ body: [UInt8]) -> String {
        guard let callID = message.identity?.callID else {
            return "body:" + Hexadecimal.text(SHA256.hash(data: body))
        }
        if case .statusUpdate(let update) = message {
            return "status-update:\(callID):\(update.status)"
        }
        return "\(message.type):\(callID)"
    }
}
