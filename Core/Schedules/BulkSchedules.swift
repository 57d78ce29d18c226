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
        /// Its time has come, and calling is paused.
        case paused
        /// Nobody of it waits any more.
        case completed
        case cancelled
    }

    /// A schedule and how far it is.
    public struct Schedule: Sendable, Equatable {
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
        /// People whose call is still to come.
        public let waiting: Int
        public let estimatedCompletion: Instant
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

    private let database: Database
    private let clock: Clock

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
                SELECT schedule_id, created_at, scheduled_time, parallel_calls, batch_interval,
                total_leads, state, waiting, dialed, skipped, reached FROM schedules
                ORDER BY id DESC LIMIT \(BulkSchedules.listLimit)
                """
            ).map { try Schedule(row: $0, isPaused: isPaused, now: now) }
        }
    }

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
            // A call that is being dialed may still be put back, and must not be dialed then.
            let unsettled: Int? = try connection.value(
                """
                SELECT 1 FROM dial_requests WHERE schedule_id = \(key)
                AND state IN ('waiting', 'claimed') LIMIT 1
                """
            )
            let isOpen = try row.required("state") != "cancelled" && unsettled != nil
            if isOpen {
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
                try AuditLog.add(
                    "cancel_schedule",
                    by: actor,
                    detail: ["schedule_id": .string(id)],
                    now: now,
                    in: connection
                )
            }
            let dialed: Int = try row.required("dialed")
            return Cancellation(
                isCancelled: isOpen,
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
    fileprivate init(row: Row, isPaused: Bool, now: Instant) throws {
        id = try row.required("schedule_id")
        createdAt = try row.required("created_at")
        start = try row.required("scheduled_time")
        leads = try row.required("total_leads")
        parallelCalls = try row.required("parallel_calls")
        batchInterval = .milliseconds(try row.required("batch_interval", as: Int64.self))
        dialed = try row.required("dialed")
        reached = try row.required("reached")
        skipped = try row.required("skipped")
        waiting = try row.required("waiting")
        estimatedCompletion =
            BulkSchedules.completion(start, leads, parallelCalls, batchInterval)
        let state: String = try row.required("state")
        progress =
            if state == "cancelled" {
                .cancelled
            } else if waiting == 0 {
                .completed
            } else if now < start {
                .pending
            } else {
                isPaused ? .paused : .running
            }
    }
}
