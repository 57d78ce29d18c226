import Synchronization

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
        if let attempt = reserved.1 { return .dialed(try dialer.dial(attempt)) }
        return reserved.0 ?? .waiting
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
        let now = dialer.clock.now()
        var bulk = Bulk()
        var requests: Set<Int64> = []
        try dialer.database.write { connection in
            bulk = Bulk()
            requests = []
            for uuid in Set(leadUUIDs) {
                switch try promise(uuid, now: now, in: connection) {
                case .success(let id): requests.insert(id)
                case .failure(let refused): bulk.errors.append(refused.refused)
                }
            }
        }
        bulk.errors.sort { $0.leadUUID < $1.leadUUID }
        let settled = Mutex((placed: 0, done: 0))
        let wanted = requests
        let started = Clock.system.now()
        try orchestrator.run(until: { Clock.system.now() - started >= OperatorCalls.patience }) {
            request,
            outcome in
            guard wanted.contains(request.id) else { return }
            settled.withLock {
                if case .placed = outcome { $0.placed += 1 }
                if case .refused(_, let refusal) = outcome, refusal.kind == .number { $0.done += 1 }
            }
        }
        let (placed, done) = settled.withLock { $0 }
        bulk.initiated = placed
        bulk.queued = requests.count - placed - done
        return bulk
    }

    private struct NotPromised: Error { let refused: Bulk.Refused }

    private func promise(_ uuid: String, now: Instant, in connection: Connection) throws
        -> Result<Int64, NotPromised>
    {
        func refuse(_ code: String, _ sentence: String) -> Result<Int64, NotPromised> {
            .failure(NotPromised(refused: .init(leadUUID: uuid, code: code, sentence: sentence)))
        }
        guard let lead = try Contact.find(uuid: uuid, in: connection) else {
            return refuse("not_found", "There is no such lead.")
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
        case .refuse(let reason): return refuse(reason.rawValue, reason.sentence)
        case .hold(_, .callInProgress):
            let reason = ContactGate.Reason.callInProgress
            return refuse(reason.rawValue, reason.sentence)
        case .hold(let until, let reason):
            if reason != .paused, reason != .noFreeLine { dueAt = until ?? now }
        }
        guard let request = try promise(lead, dueAt: dueAt, now: now, in: connection) else {
            return refuse("not_found", "There is no such lead.")
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
