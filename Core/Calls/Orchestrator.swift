import Foundation

/// Keeps the promises that are due, in their order, as long as lines are free, and ends calls that
/// an opt-out has made unwanted.
public struct Orchestrator: Sendable {
    private let dialer: Dialer

    /// Creates an orchestrator.
    public init(dialer: Dialer) { self.dialer = dialer }

    /// What one run did.
    public struct Counts: Sendable, Equatable {
        /// Calls that Vapi has.
        public var placed = 0
        /// Attempts that Vapi refused, or that could not be sent.
        public var failed = 0
        /// Attempts of which nobody knows yet.
        public var unknown = 0
        /// Promises moved to a later time.
        public var held = 0
        /// Promises dropped.
        public var dropped = 0
        /// Calls ended because the person has opted out.
        public var hungUp = 0

        /// Creates counts of nothing but calls that were ended.
        public init(hungUp: Int = 0) { self.hungUp = hungUp }

        /// The counts by name, for the record of the run.
        public var named: KeyValuePairs<String, Int> {
            [
                "placed": placed, "failed": failed, "unknown": unknown, "held": held,
                "dropped": dropped, "hung_up": hungUp,
            ]
        }

        mutating func add(_ outcome: Dialer.Outcome) {
            switch outcome {
            case .placed: placed += 1
            case .refused, .notSent: failed += 1
            case .unknown: unknown += 1
            case .notNow(.hold): held += 1
            case .notNow, .calledOff: dropped += 1
            }
        }
    }

    /// Dials what is due until nothing is, no line is free, calling is paused, or `deadline` passes.
    ///
    /// As many threads as lines are free take the next promise each, so a slow answer of Vapi's
    /// delays one line and not all.
    /// - Parameter deadline: After it no further attempt begins; one takes at most 15 s.
    /// - Returns: The counts.
    /// - Throws: ``Database/Unavailable``; attempts that were begun are brought to their end first.
    @discardableResult
    public func run(
        until deadline: @escaping @Sendable () -> Bool = { false }
    ) throws -> Counts {
        // Most runs find nothing to do and must cost next to nothing.
        let counts = Counts(hungUp: try dialer.hangUps.run())
        try unpark()
        guard let first = try reserveNext(deadline) else { return counts }
        let state = Lock(Shared(counts: counts, error: nil))
        let lines = try dialer.database.read { try dialer.journey.gate.freeLines($0) }
        let finished = DispatchGroup()
        for index in 0..<min(lines + 1, 16) {
            finished.enter()
            let thread = Thread {
                defer { finished.leave() }
                do {
                    var next: Dialer.Reservation? = index == 0 ? first : try reserveNext(deadline)
                    while let reservation = next {
                        try work(reservation, state)
                        next = try reserveNext(deadline)
                    }
                } catch {
                    state.withLock { $0.error = error }
                }
            }
            thread.stackSize = 1 << 20
            thread.start()
        }
        finished.wait()
        return try state.withLock { state in
            if let error = state.error { throw error }
            return state.counts
        }
    }

    /// Makes due again what waited for a pause that is over, a few promises a transaction.
    private func unpark() throws {
        let database = dialer.database
        let now = dialer.clock.now()
        let places = try database.read { try DialRequests.endedParkings(at: now, in: $0) }
        for place in places {
            while try database.write({ try DialRequests.unpark(place, in: $0) }) {}
        }
    }

    private struct Shared {
        var counts: Counts
        var error: (any Error)?
    }

    /// The next reservation; `nil` when there is nothing more to do.
    private func reserveNext(_ deadline: () -> Bool) throws -> Dialer.Reservation? {
        guard !deadline() else { return nil }
        switch try dialer.reserveNext() {
        case .nothing: return nil
        case let reservation: return reservation
        }
    }

    private func work(
        _ reservation: Dialer.Reservation,
        _ state: borrowing Lock<Shared>
    ) throws {
        switch reservation {
        case .nothing: return
        case .settled(let decision):
            state.withLock { $0.counts.add(.notNow(decision)) }
        case .attempt(let attempt):
            let outcome = try dialer.dial(attempt)
            state.withLock { $0.counts.add(outcome) }
        }
    }
}
