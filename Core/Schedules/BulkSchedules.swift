/// Calls to many leads, planned for a time and spread over batches.
///
/// Each lead's call is a row of the one table of promises, so the same gate, the same order and the
/// same orchestrator apply to it: a schedule says when a call may begin, never that it must.
public struct BulkSchedules: Sendable {
    /// What somebody wants planned.
    public struct Plan: Sendable, Equatable {
        public var leadUUIDs: [String]
        /// When the first batch is due.
        public var start: Instant
        /// How many calls a batch has.
        public var parallelCalls: Int
        /// The time from one batch to the next.
        public var batchInterval: Duration

        /// Creates a plan; a lead that is named twice is called once.
        public init(
            leadUUIDs: [String],
            start: Instant,
            parallelCalls: Int,
            batchInterval: Duration
        ) {
            var seen: Set<String> = []
            self.leadUUIDs = leadUUIDs.filter { seen.insert($0).inserted }
            self.start = start
            self.parallelCalls = parallelCalls
            self.batchInterval = batchInterval
        }

        /// When the lead at a place in the list is due.
        func dueAt(_ index: Int) -> Instant { start + batchInterval * (index / parallelCalls) }

        /// When the last batch should be through: `start + ceil(leads / parallel) × interval`.
        public var estimatedCompletion: Instant {
            BulkSchedules.completion(start, leadUUIDs.count, parallelCalls, batchInterval)
        }
    }

    /// Leads that do not exist, or not any more; nothing was planned.
    public struct UnknownLeads: LogSafeError, Equatable {
        public let uuids: [String]
        public var logDescription: String { "\(uuids.count) unknown leads" }
    }

    /// How far a schedule is.
    public enum Progress: String, Sendable {
        /// Its time has not come.
        case pending
        case running
        /// It is paused, or its time has come and all calling is paused.
        case paused
        /// Nobody of it waits any more.
        case completed
        case cancelled
    }

    /// A schedule and how far it is.
    public struct Schedule: Sendable {
        public let id: String
        public let createdAt: Instant
        public let start: Instant
        public let leads: Int
        public let parallelCalls: Int
        public let batchInterval: Duration
        public let progress: Progress
        /// People who were called, or are being called.
        public let dialed: Int
        /// People who were spoken to.
        public let reached: Int
        /// People who were not called, because they must not be or because another call came first.
        public let skipped: Int
        /// How many of those for each reason, the most frequent first.
        public let skippedReasons: [(reason: String, leads: Int)]
        /// People whose call is still to come.
        public let waiting: Int
        public let estimatedCompletion: Instant
    }

    /// A schedule of which nothing is left to pause.
    public struct Over: LogSafeError, Equatable {
        /// How it ended: cancelled or completed.
        public let progress: Progress
        public var logDescription: String { "the schedule is \(progress.rawValue)" }
    }

    /// What a cancellation came to.
    public struct Cancellation: Sendable, Equatable {
        /// Whether this very request stopped something.
        public let isCancelled: Bool
        /// People of the schedule who were not called by it and will not be.
        public let notDialed: Int
        public let alreadyDialed: Int
    }

    /// How many leads one schedule may have.
    public static let leadLimit = 5000
    /// How many schedules a listing shows.
    static let listLimit = 100

    let database: Database
    let clock: Clock

    /// Creates the schedules of a database.
    public init(database: Database, clock: Clock) {
        self.database = database
        self.clock = clock
    }

    fileprivate static func completion(
        _ start: Instant,
        _ leads: Int,
        _ parallelCalls: Int,
        _ batchInterval: Duration
    ) -> Instant {
        start + batchInterval * ((leads + parallelCalls - 1) / parallelCalls)
    }

    /// Promises every call of a plan in one transaction and returns the schedule's id.
    ///
    /// - Throws: ``UnknownLeads``, ``Database/Unavailable``; then nothing is promised.
    public func create(_ plan: Plan, by actor: String) throws -> String {
        let now = clock.now()
        let id = "schedule_\(Identifier.random())"
        try database.write { connection in
            let leads = try plan.leadUUIDs.map { uuid -> (uuid: String, id: Int64?) in
                let id: Int64? = try connection.value(
                    "SELECT id FROM leads WHERE lead_uuid = \(uuid) AND deleted_at IS NULL"
                )
                return (uuid, id)
            }
            let unknown = leads.filter { $0.id == nil }.map(\.uuid)
            guard unknown.isEmpty else { throw UnknownLeads(uuids: unknown) }
            try connection.execute(
                """
                INSERT INTO schedules (schedule_id, created_at, scheduled_time, parallel_calls,
                batch_interval, total_leads) VALUES (\(id), \(now), \(plan.start),
                \(plan.parallelCalls), \(plan.batchInterval.milliseconds), \(leads.count))
                """
            )
            let scheduleID = connection.lastInsertedID
            for (index, lead) in leads.compactMap(\.id).enumerated() {
                try DialRequests.add(
                    lead,
                    .schedule,
                    dueAt: plan.dueAt(index),
                    scheduleID: scheduleID,
                    now: now,
                    in: connection
                )
            }
            try AuditLog.add(
                "schedule",
                by: actor,
                detail: ["schedule_id": .string(id), "leads": JSON(leads.count)],
                now: now,
                in: connection
            )
        }
        return id
    }

    /// The newest 100 schedules, newest first.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func list() throws -> [Schedule] {
        let now = clock.now()
        return try database.read { connection in
            let isPaused = try Pause.current(in: connection, now: now) != nil
            return try connection.rows(
                """
                SELECT id, schedule_id, created_at, scheduled_time, parallel_calls, batch_interval,
                total_leads, state, delay, waiting, dialed, skipped, reached FROM schedules
                ORDER BY id DESC LIMIT \(BulkSchedules.listLimit)
                """
            ).map { row in
                let reasons = try Self.skips(of: row.required("id"), in: connection)
                return try Schedule(row: row, reasons, isPaused: isPaused, now: now)
            }
        }
    }

    private static func skips(of schedule: Int64, in connection: Connection) throws
        -> [(reason: String, leads: Int)]
    {
        try connection.rows(
            """
            SELECT reason, leads FROM schedule_skips WHERE schedule_id = \(schedule)
            AND leads > 0 ORDER BY leads DESC, reason
            """
        ).map { (try $0.required("reason"), try $0.required("leads")) }
    }

    // MARK: Pause

    /// Pauses a schedule: after this commit nobody of it is dialed until it is resumed.
    ///
    /// Calls under way go on. A second pause changes nothing.
    ///
    /// - Returns: whether there is such a schedule.
    /// - Throws: ``Over``, ``Database/Unavailable``.
    public func pause(_ id: String, by actor: String) throws -> Bool {
        let now = clock.now()
        return try database.write { connection in
            guard let (_, state) = try Self.open(id, in: connection) else { return false }
            guard state == "active" else { return true }
            try connection.execute(
                "UPDATE schedules SET state = 'paused' WHERE schedule_id = \(id)"
            )
            try Self.audit("pause_schedule", id, by: actor, now: now, in: connection)
            return true
        }
    }

    /// Resumes a schedule.
    ///
    /// What came due during the pause is due now, and the later batches keep their distance to it. A
    /// call that the gate had moved to a time of its own keeps that time.
    ///
    /// - Returns: whether there is such a schedule.
    /// - Throws: ``Over``, ``Database/Unavailable``.
    public func resume(_ id: String, by actor: String) throws -> Bool {
        let now = clock.now()
        return try database.write { connection in
            guard let (key, state) = try Self.open(id, in: connection) else { return false }
            guard state == "paused" else { return true }
            let next: Instant? = try connection.value(
                """
                SELECT min(due_at) FROM dial_requests WHERE schedule_id = \(key)
                AND state = 'waiting' AND due_at = promised_at
                """
            )
            let delay = next.map { max(0, (now - $0).milliseconds) } ?? 0
            try connection.execute(
                """
                UPDATE dial_requests SET parked = NULL,
                due_at = CASE WHEN due_at = promised_at THEN due_at + \(delay) ELSE due_at END,
                promised_at = CASE WHEN due_at = promised_at THEN promised_at + \(delay)
                    ELSE promised_at END
                WHERE schedule_id = \(key) AND state = 'waiting'
                """
            )
            try connection.execute(
                "UPDATE schedules SET state = 'active', delay = delay + \(delay) WHERE id = \(key)"
            )
            try Self.audit("resume_schedule", id, by: actor, now: now, in: connection)
            return true
        }
    }

    /// The key and the state of a schedule of which calls are still to come.
    private static func open(_ id: String, in connection: Connection) throws -> (Int64, String)? {
        let row = try connection.first(
            "SELECT id, state, waiting FROM schedules WHERE schedule_id = \(id)"
        )
        guard let row else { return nil }
        let state: String = try row.required("state")
        if state == "cancelled" { throw Over(progress: .cancelled) }
        if try row.required("waiting") == 0 { throw Over(progress: .completed) }
        return (try row.required("id"), state)
    }

    private static func audit(
        _ action: String,
        _ id: String,
        by actor: String,
        now: Instant,
        in connection: Connection
    ) throws {
        try AuditLog.add(
            action,
            by: actor,
            detail: ["schedule_id": .string(id)],
            now: now,
            in: connection
        )
    }

    // MARK: Cancel

    /// Stops whatever of a schedule is not dialed yet, in one transaction: after its commit nobody of
    /// it is dialed.
    ///
    /// Calls under way go on.
    ///
    /// - Returns: `nil` when there is no such schedule.
    /// - Throws: ``Database/Unavailable``.
    public func cancel(_ id: String, by actor: String) throws -> Cancellation? {
        let now = clock.now()
        return try database.write { connection in
            guard let row = try Self.counts(id, in: connection) else { return nil }
            let key: Int64 = try row.required("id")
            // A call under way may still be put back, and with it what it had made needless: neither
            // must be dialed then, although nothing else is left to stop.
            let isLeft: Bool? = try connection.value(
                """
                SELECT max(state IN ('waiting', 'claimed')) FROM dial_requests
                WHERE schedule_id = \(key) AND (state IN ('waiting', 'claimed') OR lead_id IN
                (SELECT lead_id FROM calls WHERE \(sql: CallState.liveCondition)
                UNION ALL SELECT lead_id FROM calls WHERE state = 'ended' AND outcome IS NULL))
                """
            )
            let isNew = try row.required("state") != "cancelled"
            if isNew, isLeft != nil {
                try connection.execute(
                    """
                    UPDATE schedules SET state = 'cancelled', cancelled_at = \(now)
                    WHERE id = \(key)
                    """
                )
                try connection.execute(
                    """
                    UPDATE dial_requests SET state = 'cancelled', reason = 'schedule_cancelled',
                    settled_at = \(now) WHERE schedule_id = \(key) AND state = 'waiting'
                    """
                )
                try Self.audit("cancel_schedule", id, by: actor, now: now, in: connection)
            }
            let dialed: Int = try row.required("dialed")
            return Cancellation(
                isCancelled: isNew && isLeft == true,
                notDialed: try row.required("total_leads") - dialed,
                alreadyDialed: dialed
            )
        }
    }

    private static func counts(_ id: String, in connection: Connection) throws -> Row? {
        try connection.first(
            """
            SELECT id, state, dialed, total_leads FROM schedules WHERE schedule_id = \(id)
            """
        )
    }
}

extension BulkSchedules.Schedule {
    fileprivate init(
        row: Row,
        _ reasons: [(reason: String, leads: Int)],
        isPaused: Bool,
        now: Instant
    ) throws {
        id = try row.required("schedule_id")
        createdAt = try row.required("created_at")
        start = try row.required("scheduled_time")
        leads = try row.required("total_leads")
        parallelCalls = try row.required("parallel_calls")
        batchInterval = .milliseconds(try row.required("batch_interval", as: Int64.self))
        dialed = try row.required("dialed")
        reached = try row.required("reached")
        skipped = try row.required("skipped")
        skippedReasons = reasons
        waiting = try row.required("waiting")
        let delay = Duration.milliseconds(try row.required("delay", as: Int64.self))
        estimatedCompletion =
            BulkSchedules.completion(start, leads, parallelCalls, batchInterval) + delay
        let state: String = try row.required("state")
        progress =
            if state == "cancelled" {
                .cancelled
            } else if waiting == 0 {
                .completed
            } else if state == "paused" {
                .paused
            } else if now < start {
                .pending
            } else {
                isPaused ? .paused : .running
            }
    }
}
