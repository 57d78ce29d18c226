/// Finds out what became of calls that went quiet, and repairs what was lost.
///
/// - `dialing` whose dialer is gone: looked for in Vapi's listings. Found, the call is adopted. Only
///   when two complete listings a minute apart lack the attempt was there no call, and only then may
///   the promise be dialed again, as a new attempt. While Vapi cannot be asked, nobody is redialed.
/// - live, but unheard of for minutes: looked up, in case its webhooks were lost.
/// - ended without a report: looked up.
/// - everything that Vapi lists since the last run: compared with what we know, so that a call that we
///   know nothing of, or of another status, is found.
/// - webhook events that could not be processed: tried again.
public struct Reconciler: Sendable {
    /// How old a `dialing` attempt must be before it is looked into.
    public static let settleTime = Duration.seconds(180)
    /// How far apart the two listings must be.
    public static let listingGap = Duration.seconds(60)
    /// How long before an attempt its listing begins, for clocks that differ.
    static let listingLead = Duration.minutes(5)
    /// How long an ended call's report may take.
    public static let reportTime = Duration.seconds(90)
    /// How long a live call may be silent before it is looked up.
    public static let silence = Duration.minutes(3)

    private let database: Database
    private let vapi: Vapi
    private let events: CallEvents
    private let webhooks: VapiWebhooks
    private let locks: AttemptLocks
    private let clock: Clock

    /// Creates a reconciler.
    public init(
        database: Database,
        vapi: Vapi,
        journey: Journey,
        locks: AttemptLocks,
        clock: Clock
    ) {
        self.database = database
        self.vapi = vapi
        events = CallEvents(journey: journey)
        webhooks = VapiWebhooks(database: database, journey: journey)
        self.locks = locks
        self.clock = clock
    }

    /// What one run did.
    public struct Counts: Sendable, Equatable {
        /// Attempts that were found at Vapi.
        public var adopted = 0
        /// Attempts that certainly never became calls.
        public var notPlaced = 0
        /// Calls whose state was repaired.
        public var repaired = 0
        /// Webhook events processed at last.
        public var replayed = 0
        /// Calls that Vapi has and we know nothing of.
        public var unmatched = 0
        /// Look-ups that Vapi did not answer.
        public var unanswered = 0

        /// Creates counts of nothing.
        public init() {}

        /// The counts by name, for the record of the run.
        public var named: KeyValuePairs<String, Int> {
            [
                "adopted": adopted, "not_placed": notPlaced, "repaired": repaired,
                "replayed": replayed, "unmatched": unmatched, "unanswered": unanswered,
            ]
        }
    }

    /// Whether something waits for a reconciler: one cheap look, for those who may call it.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func isNeeded(at now: Instant, in connection: Connection) throws -> Bool {
        let found: Int? = try connection.value(
            """
            SELECT 1 FROM calls WHERE \(sql: CallState.liveCondition)
            AND state = 'dialing' AND created_at <= \(now - settleTime)
            AND (absent_at IS NULL OR absent_at <= \(now - listingGap))
            UNION ALL SELECT 1 FROM calls WHERE state = 'ended' AND outcome IS NULL
            AND ended_at <= \(now - reportTime)
            UNION ALL SELECT 1 FROM calls WHERE \(sql: CallState.liveCondition)
            AND state <> 'dialing'
            AND heard_at <= \(now - silence) LIMIT 1
            """
        )
        return found != nil
    }

    /// Looks into everything that is due for it.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func run() throws -> Counts {
        var counts = Counts()
        try replay(&counts)
        try lookUpQuiet(&counts)
        try compareListing(&counts)
        return counts
    }

    // MARK: Webhooks

    private func replay(_ counts: inout Counts) throws {
        counts.replayed = try webhooks.replayFailed(now: clock.now())
    }

    // MARK: Quiet calls

    private func lookUpQuiet(_ counts: inout Counts) throws {
        let now = clock.now()
        // With IS NOT NULL instead of coalesce SQLite would go through all ids there are.
        let quiet = try database.read { connection in
            try connection.rows(
                """
                \(sql: CallStore.columns) WHERE \(sql: CallState.liveCondition)
                AND state <> 'dialing'
                AND heard_at <= \(now - Reconciler.silence) AND coalesce(vapi_call_id, '') <> ''
                UNION ALL
                \(sql: CallStore.columns) WHERE state = 'ended' AND outcome IS NULL
                AND ended_at <= \(now - Reconciler.reportTime) AND coalesce(vapi_call_id, '') <> ''
                LIMIT 1000
                """
            ).map(CallStore.Stored.init)
        }
        // The oldest first: what follows is promised in the order in which people were called.
        for call in quiet.sorted(by: { $0.id < $1.id }) {
            guard let id = call.vapiCallID else { continue }
            do throws(Vapi.Unreachable) {
                let found = try vapi.call(id)
                try? bring(found, to: call, &counts)
            } catch {
                counts.unanswered += 1
            }
        }
    }

    private func bring(
        _ found: JSON?,
        to call: CallStore.Stored,
        _ counts: inout Counts
    ) throws {
        let now = clock.now()
        let changed = try database.write { connection -> Bool in
            guard let found, let state = VapiMessage.CallState(callObject: found) else {
                // Vapi has deleted the call: nothing more will ever be reported of it.
                let report = VapiMessage.CallReport.lost(callID: call.vapiCallID)
                try note(call, "Vapi no longer knows this call.", now, connection)
                return try events.apply(report, now: now, in: connection) != .none
            }
            guard try apply(state, now: now, in: connection) else { return false }
            try note(call, state.finding, now, connection)
            return true
        }
        if changed { counts.repaired += 1 }
    }

    private func note(
        _ call: CallStore.Stored,
        _ sentence: String,
        as decision: String = "repaired",
        _ now: Instant,
        _ connection: Connection
    ) throws {
        try JourneyLog.add(
            call.leadID,
            callID: call.id,
            node: Reconciler.node,
            decision: decision,
            reason: sentence,
            at: now,
            in: connection
        )
    }

    /// The node of the steps that a reconciler takes.
    static let node = "reconcile"

    private func apply(
        _ state: VapiMessage.CallState,
        now: Instant,
        in connection: Connection
    ) throws -> Bool {
        switch state {
        case .ended(let report):
            guard let endedAt = report.endedAt, now - endedAt < Reconciler.reportTime else {
                return try events.apply(report, now: now, in: connection) != .none
            }
            // Its report, which alone tells what was said, has its time to come.
            let end = VapiMessage.StatusUpdate(
                identity: report.identity,
                status: "ended",
                endedReason: report.endedReason,
                timestamp: endedAt
            )
            return try events.apply(end, now: now, in: connection) != .none
        case .live(let update):
            return try events.apply(update, now: now, in: connection) == .changed
        }
    }

    // MARK: Attempts without an answer

    /// Reads one listing for two purposes: what became of attempts without an answer, and whether
    /// Vapi and we know the same calls.
    private func compareListing(_ counts: inout Counts) throws {
        let now = clock.now()
        let (stuck, comparedAt) = try database.read { connection in
            let stuck = try connection.rows(
                """
                \(sql: CallStore.columns) WHERE \(sql: CallState.liveCondition)
                AND state = 'dialing'
                AND created_at <= \(now - Reconciler.settleTime) ORDER BY created_at LIMIT 1000
                """
            ).map(CallStore.Stored.init)
            let last: Instant? = try connection.value(
                "SELECT seen_until FROM job_marks WHERE job = \(Job.callReconciler)"
            )
            return (stuck, last)
        }
        // The dialer of an attempt whose lock is taken still lives, and will store the answer itself.
        let orphaned = stuck.filter { call in
            guard locks.take(call.id) else { return false }
            return true
        }
        defer { orphaned.forEach { locks.release($0.id) } }
        let from = max(comparedAt ?? now - .days(1), now - Reconciler.farthest)
        let oldest = min(from, orphaned.first?.createdAt ?? now)
        let listing: [JSON]
        do throws(Vapi.Unreachable) {
            listing = try vapi.calls(oldest - Reconciler.listingLead)
        } catch {
            counts.unanswered += 1
            return
        }
        var found: [String: JSON] = [:]
        for call in listing {
            if let id = VapiMessage.Identity(callObject: call).attemptID { found[id] = call }
        }
        for call in orphaned {
            if let known = found[call.attemptID] {
                try adopt(known, call, &counts)
            } else {
                try noteAbsence(of: call, listedAt: now, &counts)
            }
        }
        let isSettled = Set(orphaned.map(\.attemptID))
        for call in listing { try compare(call, except: isSettled, now, &counts) }
        try database.write { connection in
            try connection.execute(
                "INSERT OR REPLACE INTO job_marks VALUES (\(Job.callReconciler), \(now))"
            )
        }
    }

    /// How far back calls are compared after a time in which Vapi could not be asked.
    private static let farthest = Duration.days(3)

    /// Holds a listed call against ours: a call that is not known is kept for a person to look at, one
    /// that had been given up is told on the lead's page, and another status is taken over.
    private func compare(
        _ listed: JSON,
        except settled: Set<String>,
        _ now: Instant,
        _ counts: inout Counts
    ) throws {
        let identity = VapiMessage.Identity(callObject: listed)
        guard let id = identity.callID, !settled.contains(identity.attemptID ?? "") else { return }
        let ours = try database.read { connection in
            try connection.first(
                """
                \(sql: CallStore.columns) WHERE vapi_call_id = \(id)
                UNION ALL \(sql: CallStore.columns) WHERE attempt_id = \(identity.attemptID)
                LIMIT 1
                """
            ).map(CallStore.Stored.init)
        }
        guard let ours else {
            let type = listed["type"]?.string ?? Reconciler.outbound
            guard type == Reconciler.outbound, vapi.isOurs(listed) else { return }
            if try keepUnknown(listed, id, identity.leadUUID, now) { counts.unmatched += 1 }
            return
        }
        guard let state = VapiMessage.CallState(callObject: listed) else { return }
        switch (ours.state, state) {
        case (.refused, _), (.notPlaced, _):
            if try keepUnknown(listed, id, nil, now, givenUp: ours) { counts.unmatched += 1 }
        case (.ended, .live): break  // an old listing; the end is certain
        case (_, .ended(let report)):
            // Its report may still be on the way.
            let endedAt = report.endedAt ?? now
            guard !ours.hasOutcome, endedAt + Reconciler.reportTime <= now else { return }
            do throws(Vapi.Unreachable) {
                let found = try vapi.call(id)
                try? bring(found, to: ours, &counts)
            } catch { counts.unanswered += 1 }
        case (_, .live): try bring(listed, to: ours, &counts)
        }
    }

    private static let outbound = "outboundPhoneCall"

    /// Keeps a call that nobody here can explain, once, and tells it on its lead's page if there is
    /// one.
    private func keepUnknown(
        _ listed: JSON,
        _ id: String,
        _ leadUUID: String?,
        _ now: Instant,
        givenUp: CallStore.Stored? = nil
    ) throws -> Bool {
        try database.write { connection in
            guard try webhooks.keepListed(listed, id: id, now: now, in: connection) else {
                return false
            }
            if let givenUp {
                try note(
                    givenUp,
                    "Vapi lists a call of an attempt that had been given up. Look into Vapi's call log.",
                    as: "given_up",
                    now,
                    connection
                )
                return true
            }
            let number = listed["customer"]?["number"]?.string.flatMap(PhoneNumber.init(e164:))
            let lead =
                try number.flatMap { try Contact.find(number: $0, in: connection) }
                ?? leadUUID.flatMap { try Contact.find(uuid: $0, in: connection) }
            guard let lead else { return true }
            try JourneyLog.add(
                lead.id,
                node: Reconciler.node,
                decision: "unknown_call",
                reason: "Vapi lists a call to this person that was not placed from here. Look into "
                    + "Vapi's call log.",
                at: now,
                in: connection
            )
            return true
        }
    }

    private func adopt(_ known: JSON, _ call: CallStore.Stored, _ counts: inout Counts) throws {
        let now = clock.now()
        try database.write { connection in
            let identity = VapiMessage.Identity(callObject: known)
            guard
                try CallStore.find(
                    vapiCallID: identity.callID,
                    attemptID: call.attemptID,
                    in: connection
                ) != nil
            else { return }
            try JourneyLog.add(
                call.leadID,
                callID: call.id,
                node: Workflow.Node.initiateCall.rawValue,
                decision: "found",
                reason: "Vapi has the call although its answer was lost. It is followed from here.",
                at: now,
                in: connection
            )
            // Whatever Vapi tells of it, it is a call: at least queued.
            let queued = VapiMessage.StatusUpdate(identity: identity, status: "queued")
            _ = try events.apply(queued, now: now, in: connection)
            if let state = VapiMessage.CallState(callObject: known) {
                _ = try apply(state, now: now, in: connection)
            }
        }
        counts.adopted += 1
    }

    private func noteAbsence(
        of call: CallStore.Stored,
        listedAt now: Instant,
        _ counts: inout Counts
    ) throws {
        if let first = call.absentAt, now - first < Reconciler.listingGap { return }
        let isSecond = call.absentAt != nil
        try database.write { connection in
            guard isSecond else {
                try connection.execute(
                    """
                    UPDATE calls SET absent_at = \(now) WHERE id = \(call.id)
                    AND state = 'dialing'
                    """
                )
                return
            }
            try CallStore.putBack(
                callID: call.id,
                as: .notPlaced,
                until: now,
                because: "not_placed",
                sentence: "Vapi's lists show that the call never came about.",
                now: now,
                in: connection
            )
        }
        if isSecond { counts.notPlaced += 1 }
    }
}

extension VapiMessage.CallState {
    /// What a look-up found, as a sentence.
    fileprivate var finding: String {
        switch self {
        case .ended:
            "Vapi's report of this call did not come, so its end was looked up."
        case .live(let update):
            "Vapi was asked about this call, and it is \(update.status)."
        }
    }
}
