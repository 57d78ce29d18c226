import Core

/// Tells how the system is.
struct Health: Sendable {
    var database: Database
    var clock: Clock
    var zone: Zone
    /// How many calls may be live at once.
    var lines: Int
    var jobs: JobRuns
    var periods: Job.Periods
    var triggers: Triggers
    /// The release that is installed, `nil` where nothing tells.
    var release: @Sendable () -> Release?

    var router: Router {
        Router([
            .init("GET", "/health", health),
            .init("GET", "/api/version", version),
            .init("GET", "/api/jobs", listJobs),
            .init("POST", "/api/jobs/:id/trigger", trigger),
            .init("GET", "/metrics", metrics),
        ])
    }

    // MARK: Health

    /// `ok`, or `degraded` with the reason while calling is paused, or 503 `down` with the reason when
    /// the database cannot be used.
    ///
    /// Asked several times a second by whoever watches us, so it costs one row by its key and one
    /// look at the file's place, and writes its few bytes itself.
    private func health(_ request: Request) -> Response {
        let now = clock.now()
        do {
            try database.checkPlace()
            let pause = try database.read { try Pause.current(in: $0, now: now) }
            return answer(pause == nil ? "ok" : "degraded", because: pause?.reason, at: now)
        } catch {
            let sentence = (error as? Database.Unavailable)?.sentence
            return answer(
                "down",
                because: sentence ?? "The database cannot be used.",
                at: now,
                status: 503
            )
        }
    }

    private func answer(
        _ word: StaticString,
        because reason: String?,
        at now: Instant,
        status: Int = 200
    ) -> Response {
        var body: [UInt8] = []
        body.reserveCapacity(256)
        body += "{\"status\":\"".utf8
        word.withUTF8Buffer { body += $0 }
        body += "\",\"timestamp\":\"".utf8
        now.append(to: &body, in: zone)
        body.append(UInt8(ascii: "\""))
        if let reason {
            body += ",\"reason\":".utf8
            JSON.write(reason, to: &body)
        }
        body.append(UInt8(ascii: "}"))
        return .json(body, status: status)
    }

    // MARK: Version

    private func version(_ request: Request) -> Response {
        let release = release()
        return .json([
            "version": JSON(release?.version),
            "last_updated": JSON(release.map { String($0.date.formatted(in: zone).prefix(10)) }),
            "recent_fixes": .array(Health.recentFixes.map(JSON.string)),
            "phone_sanitization_test": Health.phoneTest(),
        ])
    }

    /// What this release repairs of what its users knew before.
    private static let recentFixes = [
        "A lead is never called again at once: the journey has no way back to the dial",
        "Phone numbers of every country are read by one rule, and ++ becomes +",
        "Calls keep the hours of the person who is called, wherever that is",
    ]

    /// Reads a number as spreadsheets write it, also with the doubled `+` that once came of it.
    ///
    /// - Returns: what became of it, and `FIXED` when both spellings are the same right number.
    static func phoneTest(
        _ read: (String) -> String? = {
            try? PhoneNumber(parsing: $0, defaultRegion: "IN").e164
        }
    ) -> JSON {
        let input = "91 9876543210"
        let output = read(input)
        let outputs = [output, read("++\(input)")]
        let isFixed = outputs == ["+919876543210", "+919876543210"]
        return [
            "input": .string(input),
            "output": JSON(output),
            "has_double_plus_bug": JSON(outputs.contains { $0?.hasPrefix("++") == true }),
            "status": isFixed ? "FIXED" : "BROKEN",
        ]
    }

    // MARK: Jobs

    private func listJobs(_ request: Request) throws -> Response {
        let statuses = try jobs.statuses(periods: periods)
        return .json(["jobs": .array(statuses.map(describe))])
    }

    private func describe(_ status: JobRuns.Status) -> JSON {
        [
            "id": .string(status.job.publicName),
            "description": .string(status.job.purpose),
            "period_seconds": .integer(periods[status.job].milliseconds / 1000),
            "next_run": .string(status.nextRun.formatted(in: zone)),
            "status": status.isRunning ? "running" : "scheduled",
            "last_run": JSON(status.lastRun.map { $0.formatted(in: zone) }),
            "last_outcome": JSON(status.lastOutcome?.rawValue),
            "last_counts": status.lastCounts ?? nil,
        ]
    }

    private func trigger(_ request: Request) throws -> Response {
        try request.refuseFields()
        guard let job = Job(named: request.parameter("id")) else {
            throw Failure.notFound("There is no job of this name.")
        }
        guard triggers.fire(job) else {
            throw Failure.unavailable(
                "Jobs cannot be started by hand here: nothing watches the folder TRIGGERS."
            )
        }
        return .json(["success": true, "id": .string(job.publicName)], status: 202)
    }

    // MARK: Metrics

    private func metrics(_ request: Request) throws -> Response {
        let now = clock.now()
        var page = MetricsPage()
        let statuses = try jobs.statuses(periods: periods)
        try database.read { connection in
            let figures = try Figures(at: now, in: connection)
            page.add(
                "presales_leads",
                "Leads by call status.",
                LeadStatus.allCases.map {
                    .init(["status": $0.rawValue], figures.byStatus[$0, default: 0])
                }
            )
            page.add("presales_live_calls", "Calls that occupy a line.", figures.liveCalls)
            page.add("presales_lines", "Calls that may be live at once.", lines)
            page.add("presales_due_requests", "Promised calls that are due.", figures.dueRequests)
            let isPaused = try Pause.current(in: connection, now: now) != nil
            page.add("presales_paused", "Whether calling is paused.", isPaused ? 1 : 0)
            page.add(
                "presales_calls_total",
                "Calls whose outcome is known.",
                figures.calls,
                kind: .counter
            )
            func byState(_ tally: Tally, _ states: [String]) throws -> [MetricsPage.Sample] {
                try states.map {
                    .init(["state": $0], try tally.count(of: $0, in: connection))
                }
            }
            page.add(
                "presales_dial_requests",
                "Promised calls by state.",
                try byState(.dialRequests, ["waiting", "claimed", "done", "cancelled", "skipped"])
            )
            page.add(
                "presales_webhook_events",
                "Events from outside by what became of them.",
                try byState(.webhookEvents, ["processed", "failed", "unmatched"])
            )
            page.add(
                "presales_outbox",
                "Messages to send by state.",
                try byState(.outbox, ["queued", "sending", "sent", "dead", "cancelled"])
            )
            page.add(
                "presales_job_runs_total",
                "Runs of jobs by outcome.",
                try statuses.flatMap { status in
                    try ["ok", "failed"].map { outcome in
                        let job = status.job.rawValue
                        let count = try Tally.jobRuns.count(of: "\(job) \(outcome)", in: connection)
                        return MetricsPage.Sample(["job": job, "outcome": outcome], count)
                    }
                },
                kind: .counter
            )
        }
        page.add(
            "presales_job_running",
            "Whether a run of the job is under way.",
            statuses.map { .init(["job": $0.job.rawValue], $0.isRunning ? 1 : 0) }
        )
        page.add(
            "presales_job_last_run_timestamp_seconds",
            "When the job's last run began.",
            statuses.compactMap { status in
                status.lastRun.map { .init(["job": status.job.rawValue], $0.seconds) }
            }
        )
        return page.response
    }
}
