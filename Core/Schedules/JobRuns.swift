/// The record of what the timers' programs did, and the frame in which each of them runs.
public struct JobRuns: Sendable {
    /// How a run ended.
    public enum Outcome: String, Sendable, SQLConvertible { case ok, failed }

    /// What is known of a job.
    public struct Status: Sendable, Equatable {
        public let job: Job
        public let isRunning: Bool
        /// When the last run began, the one under way included; `nil` when there was none.
        public let lastRun: Instant?
        /// How the last run that is over ended.
        ///
        /// One that vanished without a word failed.
        public let lastOutcome: Outcome?
        /// What that run counted, for example `{"placed": 2}`.
        public let lastCounts: JSON?
        /// When the timer starts it next: a period after the last start, or now when that is past.
        public let nextRun: Instant
    }

    /// How long runs are remembered.
    static let memory = Duration.days(30)

    private let database: Database
    private let clock: Clock
    private let report: @Sendable (String) -> Void

    /// Creates the record; `report` takes the line of `key=value` pairs that tells of a run.
    public init(
        database: Database,
        clock: Clock,
        report: @escaping @Sendable (String) -> Void = { print($0) }
    ) {
        self.database = database
        self.clock = clock
        self.report = report
    }

    /// Runs a job's work as the only one of its kind, and records when, how it ended and what it
    /// counted.
    ///
    /// While another run of the job is under way it does nothing but say so.
    ///
    ///     try JobRuns(database: database, clock: clock).run(.callOrchestrator) {
    ///         ["placed": 2, "held": 1]
    ///     }
    ///
    /// The names of what `work` counted become keys of the line and of the API.
    /// - Throws: ``Database/Unavailable``, ``File/Unavailable``; what `work` throws, after that was
    ///   recorded.
    public func run(_ job: Job, _ work: () throws -> KeyValuePairs<String, Int>) throws {
        let lock = try JobLock(job, of: database)
        guard lock.take() else {
            report("job=\(job.rawValue) skipped=already_running")
            return
        }
        try withExtendedLifetime(lock) {
            let started = clock.now()
            let id = try database.write { try begin(job, at: started, in: $0) }
            do {
                let counts = try work()
                try end(id, of: job, as: .ok, counts: counts, started: started)
            } catch {
                // The work's own error is the one to tell; a record that cannot be written now is
                // completed by the next run.
                try? end(id, of: job, as: .failed, counts: [:], started: started)
                throw error
            }
        }
    }

    private func begin(_ job: Job, at now: Instant, in connection: Connection) throws -> Int64 {
        // The lock is ours, so a run without an end has died.
        try connection.execute(
            """
            UPDATE job_runs SET ended_at = \(now), outcome = \(Outcome.failed)
            WHERE id = (SELECT max(id) FROM job_runs WHERE job = \(job)) AND ended_at IS NULL
            """
        )
        try connection.execute(
            """
            DELETE FROM job_runs WHERE started_at < \(now - JobRuns.memory) AND id IN
            (SELECT id FROM job_runs WHERE job = \(job) ORDER BY id LIMIT 10)
            """
        )
        try connection.execute("INSERT INTO job_runs (job, started_at) VALUES (\(job), \(now))")
        return connection.lastInsertedID
    }

    private func end(
        _ id: Int64,
        of job: Job,
        as outcome: Outcome,
        counts: KeyValuePairs<String, Int>,
        started: Instant
    ) throws {
        let now = clock.now()
        var object = JSON.Object()
        for (name, count) in counts { object[name] = .integer(Int64(count)) }
        let pairs = counts.map { " \($0.key)=\($0.value)" }.joined()
        report(
            "job=\(job.rawValue) outcome=\(outcome.rawValue) ms=\((now - started).milliseconds)"
                + pairs
        )
        try database.write { connection in
            try connection.execute(
                """
                UPDATE job_runs SET ended_at = \(now), outcome = \(outcome),
                counts = \(JSON.object(object).text) WHERE id = \(id)
                """
            )
        }
    }

    /// What is known of every job.
    ///
    /// - Throws: ``Database/Unavailable``, ``File/Unavailable``.
    public func statuses(periods: Job.Periods) throws -> [Status] {
        let now = clock.now()
        return try database.read { connection in
            try Job.allCases.map { job in
                let isRunning = try JobLock(job, of: database).isTaken
                let runs = try connection.rows(
                    """
                    SELECT started_at, ended_at, outcome, counts FROM job_runs
                    WHERE job = \(job) ORDER BY id DESC LIMIT 2
                    """
                )
                // A run without an end is under way, or, when nobody holds the lock, has died.
                let over = runs.first { !isRunning || ($0["ended_at"] as Instant?) != nil }
                let lastRun: Instant? = runs.first?["started_at"]
                return Status(
                    job: job,
                    isRunning: isRunning,
                    lastRun: lastRun,
                    lastOutcome: over.map { $0["outcome"] ?? .failed },
                    lastCounts: (over?["counts"] as String?).flatMap { try? JSON(parsing: $0) },
                    nextRun: max(now, lastRun.map { $0 + periods[job] } ?? now)
                )
            }
        }
    }
}
