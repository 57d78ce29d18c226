/// Calls people: at most once for an attempt, never over the cap.
///
/// 1. One transaction: the gate says yes, and the attempt is written down as `dialing`. The cap and
///    "one live call a lead and a number" are checked in it, across all processes.
/// 2. `POST /call`, once, with the attempt's id, while a kernel lock shows that this process lives.
///    The order leaves within a transaction that has asked the gate once more, so no opt-out,
///    cancellation or pause is committed before it: an order that leaves was wanted when it left.
/// 3. One transaction: the answer is stored.
///
/// A crash, a time-out or a server error between 1 and 3 leaves `dialing` behind. Nobody but
/// ``Reconciler`` may touch such a row, and it asks Vapi first.
public struct Dialer: Sendable {
    let database: Database
    let vapi: Vapi
    let journey: Journey
    let locks: AttemptLocks
    let clock: Clock
    let newAttemptID: @Sendable () -> String

    /// Creates a dialer.
    public init(
        database: Database,
        vapi: Vapi,
        journey: Journey,
        locks: AttemptLocks,
        clock: Clock,
        newAttemptID: @escaping @Sendable () -> String = { Identifier.random() }
    ) {
        self.database = database
        self.vapi = vapi
        self.journey = journey
        self.locks = locks
        self.clock = clock
        self.newAttemptID = newAttemptID
    }

    /// Ends the calls with people who have opted out meanwhile.
    var hangUps: HangUps { HangUps(database: database, vapi: vapi, clock: clock) }

    /// An attempt that is written down and not yet dialed.
    struct Attempt: Sendable {
        let callID: Int64
        let attemptID: String
        let request: DialRequests.Request
        let lead: Contact
    }

    /// What became of one promise.
    public enum Outcome: Sendable, Equatable {
        /// Vapi has the call.
        case placed(attemptID: String, callID: String)
        /// Vapi said no.
        case refused(attemptID: String, Vapi.Refusal)
        /// Vapi could not be reached; the promise is due again in a minute.
        case notSent(attemptID: String)
        /// Nobody knows yet; the reconciler finds out.
        case unknown(attemptID: String)
        /// The gate held or refused it.
        case notNow(ContactGate.Decision)
        /// Its schedule was cancelled before the order left.
        case calledOff(attemptID: String)
    }

    // MARK: 1. Reserve

    /// What taking the next promise came to.
    enum Reservation {
        case attempt(Attempt)
        /// The promise was held or dropped; there may be others.
        case settled(ContactGate.Decision)
        /// Nothing is due, no line is free, or calling is paused.
        case nothing
    }

    /// Takes the promise that is next in order and reserves an attempt for it.
    func reserveNext() throws -> Reservation {
        let now = clock.now()
        return try database.write { connection in
            guard try Pause.current(in: connection, now: now) == nil,
                try journey.gate.freeLines(connection) > 0,
                let request = try DialRequests.nextDue(at: now, in: connection),
                try journey.gate.freeLines(for: request.kind, at: now, connection) > 0
            else { return .nothing }
            return try reserve(request, now: now, in: connection)
        }
    }

    /// Reserves an attempt for a promise, or holds or drops the promise as the gate says.
    func reserve(
        _ request: DialRequests.Request,
        now: Instant,
        in connection: Connection
    ) throws -> Reservation {
        guard let lead = try Contact.find(id: request.leadID, in: connection) else {
            return .nothing
        }
        if try DialRequests.isSchedulePaused(of: request, in: connection) {
            try DialRequests.park(request, now: now, in: connection)
            return .settled(.hold(until: nil, because: .paused))
        }
        let decision = try journey.gate.mayContact(
            lead,
            channel: .call,
            purpose: request.kind,
            now: now,
            in: connection
        )
        switch decision {
        case .allow:
            if try hasBeenSpokenTo(lead, since: request, connection) {
                let sentence = "This person has been spoken to since the callback was promised."
                try skip(request, lead, because: .completed, sentence, now, connection)
                return .settled(.refuse(because: .completed))
            }
            return .attempt(try begin(request, lead, now: now, in: connection))
        case .hold(let until, let reason):
            switch reason {
            // Only a partner's pause gets here: all promises to its leads wait for its end.
            case .paused: try DialRequests.park(request, now: now, in: connection)
            // Busy lines hold everybody alike: the promise stays due.
            case .noFreeLine: return .nothing
            default:
                try postpone(request, lead, to: until ?? now + .days(1), reason, now, connection)
            }
        case .refuse(let reason):
            try skip(request, lead, because: reason, reason.sentence, now, connection)
        }
        return .settled(decision)
    }

    /// Whether a callback is needless because a later call has already been the conversation.
    ///
    /// A call during which it was promised began before the promise.
    private func hasBeenSpokenTo(
        _ lead: Contact,
        since request: DialRequests.Request,
        _ connection: Connection
    ) throws -> Bool {
        guard request.kind == .callback else { return false }
        let found: Int? = try connection.value(
            """
            SELECT 1 FROM calls WHERE lead_id = \(lead.id) AND outcome = 'completed'
            AND created_at > \(request.createdAt) LIMIT 1
            """
        )
        return found != nil
    }

    private func skip(
        _ request: DialRequests.Request,
        _ lead: Contact,
        because reason: ContactGate.Reason,
        _ sentence: String,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        try DialRequests.settle(
            request.id,
            as: .skipped,
            because: reason.rawValue,
            now: now,
            in: connection
        )
        // Nobody is forgotten: who waited for this very call is a person's business now.
        try connection.execute(
            """
            UPDATE leads SET next_retry_time = \(sql: DialRequests.nextRetryTime(of: lead.id)),
            journey_state = CASE WHEN journey_state = \(JourneyState.waiting) AND NOT EXISTS
            (SELECT 1 FROM dial_requests WHERE lead_id = \(lead.id) AND state = 'waiting')
            THEN \(JourneyState.needsPerson) ELSE journey_state END WHERE id = \(lead.id)
            """
        )
        try JourneyLog.add(
            lead.id,
            node: Workflow.Node.initiateCall.rawValue,
            decision: "not_called",
            reason: "\(sentence) The planned call is dropped.",
            at: now,
            in: connection
        )
    }

    private func postpone(
        _ request: DialRequests.Request,
        _ lead: Contact,
        to until: Instant,
        _ reason: ContactGate.Reason,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        // A call that goes on holds this one again every minute: it is said once.
        let isKnown =
            reason == .callInProgress
            && request.heldBecause == ContactGate.Reason.callInProgress.rawValue
        try DialRequests.postpone(
            request.id,
            to: until,
            because: reason.rawValue,
            now: now,
            in: connection
        )
        try connection.execute(
            """
            UPDATE leads SET next_retry_time = \(sql: DialRequests.nextRetryTime(of: lead.id)),
            last_updated_at = \(now) WHERE id = \(lead.id)
            """
        )
        guard !isKnown else { return }
        try JourneyLog.add(
            lead.id,
            node: Workflow.Node.initiateCall.rawValue,
            decision: "held",
            reason: "\(reason.sentence) The call is held until \(until.spoken(in: journey.zone)).",
            at: now,
            in: connection
        )
    }

    private func begin(
        _ request: DialRequests.Request,
        _ lead: Contact,
        now: Instant,
        in connection: Connection
    ) throws -> Attempt {
        if !vapi.isSimulated { try Rehearsal.refuse(in: connection) }
        let attemptID = newAttemptID()
        try connection.execute(
            """
            INSERT INTO calls (attempt_id, lead_id, request_id, kind, number, state,
            previous_status, previous_journey_state, created_at, heard_at)
            VALUES (\(attemptID), \(lead.id), \(request.id), \(request.kind),
            \(lead.number.e164), \(CallState.dialing), \(lead.status), \(lead.journeyState),
            \(now), \(now))
            """
        )
        let callID = connection.lastInsertedID
        // Held before anybody else can see the row.
        guard locks.take(callID) else {
            throw Database.Unavailable(
                cause: "an attempt's lock is held by another process",
                sentence: "The call could not be prepared. Try again."
            )
        }
        let dropped = try DialRequests.claim(request, now: now, in: connection)
        try connection.execute(
            """
            UPDATE leads SET call_status = \(LeadStatus.initiated), last_call_time = \(now),
            vapi_call_id = NULL, next_retry_time = \(sql: DialRequests.nextRetryTime(of: lead.id)),
            journey_state = \(JourneyState.calling), last_updated_at = \(now)
            WHERE id = \(lead.id)
            """
        )
        try JourneyLog.add(
            lead.id,
            callID: callID,
            node: Workflow.Node.initiateCall.rawValue,
            decision: "dial",
            reason: request.kind.sentence,
            at: now,
            in: connection
        )
        if dropped > 0 {
            try JourneyLog.add(
                lead.id,
                callID: callID,
                node: Workflow.Node.initiateCall.rawValue,
                decision: "superseded",
                reason: "This call takes the place of \(dropped) more that "
                    + "\(dropped == 1 ? "was" : "were") planned within four hours.",
                at: now,
                in: connection
            )
        }
        return Attempt(callID: callID, attemptID: attemptID, request: request, lead: lead)
    }

    // MARK: 2. Dial

    /// Dials a reserved attempt and stores what Vapi answered.
    func dial(_ attempt: Attempt) throws -> Outcome {
        defer { locks.release(attempt.callID) }
        let calledOff = Lock<Outcome?>(nil)
        let placement = vapi.place(
            Vapi.Order(
                attemptID: attempt.attemptID,
                leadUUID: attempt.lead.uuid,
                number: attempt.lead.number,
                name: attempt.lead.name,
                partner: attempt.lead.partner
            )
        ) { send in
            // Where the database cannot be asked the order stays here, and is put back below.
            let outcome = try? database.write { try depart(attempt, in: $0, send: send) }
            calledOff.withLock { $0 = outcome ?? nil }
        }
        if let outcome = calledOff.withLock({ $0 }) { return outcome }
        let now = clock.now()
        let outcome = try database.write { connection in
            try store(placement, of: attempt, now: now, in: connection)
        }
        // Somebody may have opted out since the order left. What fails here the orchestrator does again.
        if case .placed = outcome { _ = try? hangUps.run() }
        return outcome
    }

    /// Lets the order leave, unless what was committed since the reservation forbids it.
    ///
    /// Nobody else can commit meanwhile, and nothing is written when it leaves: this commit cannot
    /// fail, and costs no wait for the disk.
    private func depart(
        _ attempt: Attempt,
        in connection: Connection,
        send: () -> Void
    ) throws -> Outcome? {
        let now = clock.now()
        guard try !DialRequests.isCalledOff(attempt.request.id, in: connection) else {
            try putBack(
                attempt,
                as: .notPlaced,
                until: now,
                because: "schedule_cancelled",
                sentence: "The schedule was cancelled before the call was placed.",
                now: now,
                in: connection
            )
            return .calledOff(attemptID: attempt.attemptID)
        }
        // A deleted lead is found by its id, and the gate says so.
        guard let lead = try Contact.find(id: attempt.lead.id, in: connection) else { return nil }
        let decision = try journey.gate.mayContact(
            lead,
            channel: .call,
            purpose: attempt.request.kind,
            reservedAs: attempt.callID,
            now: now,
            in: connection
        )
        switch decision {
        case .allow:
            send()
            return nil
        case .hold(let until, let reason):
            // A pause holds everybody alike: the promise stays due.
            let until = reason == .paused ? now : until ?? now + .days(1)
            try putBack(attempt, until: until, because: reason, now: now, in: connection)
        case .refuse(let reason):
            try putBack(attempt, until: now, because: reason, now: now, in: connection)
            try skip(attempt.request, lead, because: reason, reason.sentence, now, connection)
        }
        return .notNow(decision)
    }

    // MARK: 3. Store

    private func store(
        _ placement: Vapi.Placement,
        of attempt: Attempt,
        now: Instant,
        in connection: Connection
    ) throws -> Outcome {
        switch placement {
        case .placed(let callID, let controlURL):
            // A webhook may have come before this answer: only what is missing is filled in.
            try connection.execute(
                """
                UPDATE calls SET vapi_call_id = ifnull(vapi_call_id, \(callID)),
                control_url = ifnull(control_url, \(controlURL)), heard_at = max(heard_at, \(now)),
                state = CASE WHEN state = 'dialing' THEN 'queued' ELSE state END
                WHERE id = \(attempt.callID)
                """
            )
            try connection.execute(
                """
                UPDATE leads SET vapi_call_id = \(callID), last_updated_at = \(now)
                WHERE id = \(attempt.lead.id) AND vapi_call_id IS NULL
                """
            )
            try DialRequests.settle(attempt.request.id, as: .done, now: now, in: connection)
            return .placed(attemptID: attempt.attemptID, callID: callID)
        case .refused(let refusal):
            return try store(refusal, of: attempt, now: now, in: connection)
        case .notSent(let failure):
            try putBack(
                attempt,
                as: .notPlaced,
                until: now + .minutes(1),
                because: failure.rawValue,
                sentence: "Vapi cannot be reached. The call is placed when it can be.",
                now: now,
                in: connection
            )
            return .notSent(attemptID: attempt.attemptID)
        case .unknown(let cause):
            try connection.execute(
                """
                UPDATE calls SET reason = \(cause) WHERE id = \(attempt.callID)
                AND state = 'dialing'
                """
            )
            try JourneyLog.add(
                attempt.lead.id,
                callID: attempt.callID,
                node: Workflow.Node.initiateCall.rawValue,
                decision: "unknown",
                reason:
                    "Vapi did not answer clearly, so the call may exist. It is looked up before "
                    + "anything else happens.",
                at: now,
                in: connection
            )
            return .unknown(attemptID: attempt.attemptID)
        }
    }

    private func store(
        _ refusal: Vapi.Refusal,
        of attempt: Attempt,
        now: Instant,
        in connection: Connection
    ) throws -> Outcome {
        switch refusal.kind {
        case .number:
            try refuseNumber(attempt, refusal, now: now, in: connection)
        case .concurrency, .rate:
            let wait = Duration.seconds(max(15, min(refusal.retryAfter ?? 30, 3600)))
            try putBack(
                attempt,
                as: .refused,
                until: now + wait,
                because: refusal.kind.rawValue,
                sentence: refusal.sentence,
                now: now,
                in: connection
            )
        case .key, .billing, .permission, .missing, .policy, .request:
            try putBack(
                attempt,
                as: .refused,
                until: now + .minutes(1),
                because: refusal.kind.rawValue,
                sentence: refusal.sentence,
                now: now,
                in: connection
            )
            try Pause.set(because: refusal.sentence, by: "vapi", now: now, in: connection)
        }
        return .refused(attemptID: attempt.attemptID, refusal)
    }

    private func refuseNumber(
        _ attempt: Attempt,
        _ refusal: Vapi.Refusal,
        now: Instant,
        in connection: Connection
    ) throws {
        try connection.execute(
            """
            UPDATE calls SET state = 'refused', reason = \(refusal.kind.rawValue), counted = 0,
            heard_at = \(now) WHERE id = \(attempt.callID) AND state = 'dialing'
            """
        )
        guard connection.changes == 1 else { return }
        try DialRequests.settle(attempt.request.id, as: .done, now: now, in: connection)
        try connection.execute(
            """
            UPDATE leads SET call_status = \(LeadStatus.failed), number_invalid = 1,
            last_updated_at = \(now) WHERE id = \(attempt.lead.id)
            """
        )
        guard let lead = try Contact.find(id: attempt.lead.id, in: connection) else { return }
        try journey.callEnded(
            lead,
            callID: attempt.callID,
            stateBefore: attempt.lead.journeyState,
            result: .numberBad,
            endedAt: now,
            now: now,
            in: connection
        )
    }

    private func putBack(
        _ attempt: Attempt,
        until: Instant,
        because reason: ContactGate.Reason,
        now: Instant,
        in connection: Connection
    ) throws {
        try putBack(
            attempt,
            as: .notPlaced,
            until: until,
            because: reason.rawValue,
            sentence: "\(reason.sentence) This became known before the call was placed.",
            now: now,
            in: connection
        )
    }

    private func putBack(
        _ attempt: Attempt,
        as state: CallState,
        until: Instant,
        because cause: String,
        sentence: String,
        now: Instant,
        in connection: Connection
    ) throws {
        try CallStore.putBack(
            callID: attempt.callID,
            as: state,
            until: until,
            because: cause,
            sentence: sentence,
            now: now,
            in: connection
        )
    }
}

extension DialKind {
    /// Why somebody is called, as a sentence.
    var sentence: String {
        switch self {
        case .callback: "This person asked to be called at this time."
        case .operator: "Somebody on the team asked for this call."
        case .retry: "Nobody was reached before, and the retry is due."
        case .schedule: "The lead is part of a bulk schedule."
        case .new: "The lead is new."
        }
    }
}
