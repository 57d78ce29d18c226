/// Calls that a person asks for: one lead, or many at once.
public struct OperatorCalls: Sendable {
    private let dialer: Dialer
    private let orchestrator: Orchestrator

    /// Creates the calls.
    public init(dialer: Dialer) {
        self.dialer = dialer
        orchestrator = Orchestrator(dialer: dialer)
    }

    /// What became of the wish to call one lead.
    public enum Single: Sendable, Equatable {
        case dialed(Dialer.Outcome)
        /// No line is free; the call is made when one is.
        case waiting
        /// The gate said no, or not now.
        case notNow(until: Instant?, because: ContactGate.Reason)
        case unknownLead
    }

    /// Calls a lead now.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func call(leadUUID: String) throws -> Single {
        let now = dialer.clock.now()
        let reserved = try dialer.database.write { connection -> (Single?, Dialer.Attempt?) in
            guard let lead = try Contact.find(uuid: leadUUID, in: connection) else {
                return (.unknownLead, nil)
            }
            let decision = try dialer.journey.gate.mayContact(
                lead,
                channel: .call,
                purpose: .operator,
                now: now,
                in: connection
            )
            switch decision {
            case .refuse(let reason): return (.notNow(until: nil, because: reason), nil)
            case .hold(let until, let reason) where reason != .noFreeLine:
                return (.notNow(until: until, because: reason), nil)
            case .hold, .allow: break
            }
            let request = try promise(lead, dueAt: now, now: now, in: connection)
            guard case .allow = decision, let request,
                case .attempt(let attempt) = try dialer.reserve(request, now: now, in: connection)
            else { return (.waiting, nil) }
            return (nil, attempt)
        }
        guard let attempt = reserved.1 else { return reserved.0 ?? .waiting }
        switch try dialer.dial(attempt) {
        case .notNow(.hold(let until, let reason)): return .notNow(until: until, because: reason)
        case .notNow(.refuse(let reason)): return .notNow(until: nil, because: reason)
        case let outcome: return .dialed(outcome)
        }
    }

    /// What became of the wish to call many.
    public struct Bulk: Sendable, Equatable {
        /// Calls that Vapi has by now.
        public var initiated = 0
        /// Calls that are promised and come as lines are free and hours allow.
        public var queued = 0
        /// Leads that are not called, and why.
        public var errors: [Refused] = []

        /// A lead that is not called.
        public struct Refused: Sendable, Equatable {
            public let leadUUID: String
            public let code: String
            public let sentence: String

            init(leadUUID: String, code: String, sentence: String) {
                self.leadUUID = leadUUID
                self.code = code
                self.sentence = sentence
            }

            init(leadUUID: String, because reason: ContactGate.Reason) {
                self.init(leadUUID: leadUUID, code: reason.rawValue, sentence: reason.sentence)
            }
        }
    }

    /// How many leads one wish may name.
    public static let limit = 5000
    /// For how long a wish dials before it leaves the rest to the orchestrator.
    static let patience = Duration.seconds(10)

    /// Promises a call to every lead in one transaction, dials for at most 10 s as far as lines are
    /// free, and leaves the rest to the orchestrator.
    ///
    /// - Throws: ``Database/Unavailable``; then nothing is promised.
    public func call(leadUUIDs: [String]) throws -> Bulk {
        let (requests, refused) = try promise(leadUUIDs)
        let started = Clock.system.now()
        try orchestrator.run(until: { Clock.system.now() - started >= OperatorCalls.patience })
        var bulk = try dialer.database.read { try outcome(of: requests, in: $0) }
        bulk.errors = (bulk.errors + refused).sorted { $0.leadUUID < $1.leadUUID }
        return bulk
    }

    /// Promises a call to every lead, in the order of the list, and says who is not called.
    func promise(_ leadUUIDs: [String]) throws -> (
        requests: [Int64: String], refused: [Bulk.Refused]
    ) {
        let now = dialer.clock.now()
        return try dialer.database.write { connection in
            var seen: Set<String> = []
            var requests: [Int64: String] = [:]
            var refused: [Bulk.Refused] = []
            for uuid in leadUUIDs where seen.insert(uuid).inserted {
                switch try promise(uuid, now: now, in: connection) {
                case .success(let id): requests[id] = uuid
                case .failure(let error): refused.append(error.refused)
                }
            }
            return (requests, refused)
        }
    }

    /// What became of promises by now, whoever kept them: the orchestrator's timer dials as well.
    private func outcome(of requests: [Int64: String], in connection: Connection) throws -> Bulk {
        var bulk = Bulk()
        for (id, uuid) in requests {
            let row = try connection.first(
                """
                SELECT r.state, r.reason, (SELECT c.state FROM calls c WHERE c.lead_id = r.lead_id
                ORDER BY c.id DESC LIMIT 1) AS call FROM dial_requests r WHERE r.id = \(id)
                """
            )
            let state: String? = row?["state"]
            let call: CallState? = row?["call"]
            switch state {
            case "waiting", "claimed": bulk.queued += 1
            case "done" where call == .refused:
                bulk.errors.append(.init(leadUUID: uuid, because: .numberInvalid))
            case "done": bulk.initiated += 1
            default:
                let reason: String? = row?["reason"]
                if let reason = reason.flatMap(ContactGate.Reason.init(rawValue:)) {
                    bulk.errors.append(.init(leadUUID: uuid, because: reason))
                } else {
                    // Another promise to this lead was kept in its place.
                    bulk.initiated += 1
                }
            }
        }
        return bulk
    }

    private struct NotPromised: Error { let refused: Bulk.Refused }

    private func promise(_ uuid: String, now: Instant, in connection: Connection) throws
        -> Result<Int64, NotPromised>
    {
        func refuse(because reason: ContactGate.Reason) -> Result<Int64, NotPromised> {
            .failure(NotPromised(refused: .init(leadUUID: uuid, because: reason)))
        }
        let unknown = NotPromised(
            refused: .init(leadUUID: uuid, code: "not_found", sentence: "There is no such lead.")
        )
        guard let lead = try Contact.find(uuid: uuid, in: connection) else {
            return .failure(unknown)
        }
        let decision = try dialer.journey.gate.mayContact(
            lead,
            channel: .call,
            purpose: .operator,
            now: now,
            in: connection
        )
        var dueAt = now
        switch decision {
        case .allow: break
        case .refuse(let reason): return refuse(because: reason)
        case .hold(_, .callInProgress): return refuse(because: .callInProgress)
        case .hold(let until, let reason):
            if reason != .paused, reason != .noFreeLine { dueAt = until ?? now }
        }
        guard let request = try promise(lead, dueAt: dueAt, now: now, in: connection) else {
            return .failure(unknown)
        }
        return .success(request.id)
    }

    private func promise(
        _ lead: Contact,
        dueAt: Instant,
        now: Instant,
        in connection: Connection
    ) throws -> DialRequests.Request? {
        let id = try DialRequests.add(
            lead.id,
            .operator,
            dueAt: dueAt,
            promisedAt: now,
            now: now,
            in: connection
        )
        return try DialRequests.waiting(id: id, in: connection)
    }
}
