/// Calls that a person of the team promises to one lead for a time.
public struct Callbacks: Sendable {
    /// Why a callback is not promised.
    public enum Refusal: Error, Equatable {
        case unknownLead
        /// The lead must not be called.
        case notAllowed(ContactGate.Reason)
    }

    private let database: Database
    private let journey: Journey
    private let clock: Clock

    /// Creates callbacks.
    public init(database: Database, journey: Journey, clock: Clock) {
        self.database = database
        self.journey = journey
        self.clock = clock
    }

    /// Promises a call and returns when it is due: at that time, or when the lead's lawful hours begin
    /// after it.
    ///
    /// - Throws: ``Refusal``, ``Database/Unavailable``; then nothing is promised.
    public func promise(_ leadUUID: String, at time: Instant) throws -> Instant {
        let now = clock.now()
        return try database.write { connection in
            guard let lead = try Contact.find(uuid: leadUUID, in: connection), !lead.isDeleted
            else {
                throw Refusal.unknownLead
            }
            let decision = try journey.gate.mayContact(
                lead,
                channel: .call,
                purpose: .callback,
                now: now,
                in: connection
            )
            // What holds a call now need not hold it then; the gate is asked again.
            if case .refuse(let reason) = decision { throw Refusal.notAllowed(reason) }
            let dueAt = journey.gate.shifted(time, for: lead, .callback)
            try DialRequests.add(
                lead.id,
                .callback,
                dueAt: dueAt,
                promisedAt: time,
                now: now,
                in: connection
            )
            try JourneyLog.add(
                lead.id,
                node: "callback",
                decision: "callback_promised",
                reason: "Somebody on the team promised a callback for "
                    + "\(dueAt.spoken(in: journey.zone)).",
                at: now,
                in: connection
            )
            return dueAt
        }
    }
}
