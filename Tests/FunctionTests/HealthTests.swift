import Foundation
import Testing

@testable import Core
@testable import World
@testable import health

@Suite struct HealthTests {
    let world: World
    let health: Health

    init() throws {
        let world = try World()
        self.world = world
        let clock = Clock { world.now }
        health = Health(
            database: world.database,
            clock: clock,
            zone: try unwrap(Zone(identifier: "Asia/Kolkata")),
            lines: 5,
            jobs: JobRuns(database: world.database, clock: clock, report: { _ in }),
            periods: Job.Periods(),
            triggers: Triggers(folder: world.folder),
            release: { nil }
        )
    }

    private func get(_ path: String) throws -> (status: Int, body: JSON) {
        let response = try health.router.respond(to: Request(method: "GET", path: path))
        return (response.status, try JSON(parsing: response.payload))
    }

    // MARK: Health

    @Test func `health is ok with the time of the zone`() throws {
        let (status, body) = try get("/health")
        #expect(status == 200)
        #expect(body == ["status": "ok", "timestamp": "2026-11-23T11:00:00+05:30"])
    }

    @Test func `a pause degrades health and says why`() throws {
        try world.database.write { [world] in
            try Pause.set(because: "The key is \"wrong\".", by: "test", now: world.now, in: $0)
        }
        let (status, body) = try get("/health")
        #expect(status == 200)
        #expect(body["status"] == "degraded")
        #expect(body["reason"] == "The key is \"wrong\".")
    }

    @Test(arguments: ["moved", "replaced"])
    func `health is down while the database's file is not at its place`(what: String) throws {
        #expect(try get("/health").status == 200)
        let path = world.folder + "/test.db"
        try FileManager.default.moveItem(atPath: path, toPath: path + ".away")
        if what == "replaced" {
            try FileManager.default.copyItem(atPath: path + ".away", toPath: path)
        }
        let (status, body) = try get("/health")
        #expect(status == 503)
        #expect(body["status"] == "down")
        #expect(body["reason"]?.string?.isEmpty == false)
        if what == "replaced" { try FileManager.default.removeItem(atPath: path) }
        try FileManager.default.moveItem(atPath: path + ".away", toPath: path)
        #expect(try get("/health").status == 200)
    }

    @Test func `health is down without a database and well again once there is one`() throws {
        var health = health
        let path = world.folder + "/other.db"
        health.database = Database(path: path)
        let request = Request(method: "GET", path: "/health")
        #expect(try health.router.respond(to: request).status == 503)
        try Migrations.apply(toDatabaseAt: path)
        #expect(try health.router.respond(to: request).status == 200)
    }

    // MARK: Version

    @Test func `the version shows the release and really reads a phone number`() throws {
        var health = health
        let file = world.folder + "/VERSION"
        try "2.1.0\n".write(toFile: file, atomically: true, encoding: .utf8)
        health.release = { Release.find(environment: Environment(["VERSION_FILE": file])) }
        let response = try health.router.respond(to: Request(method: "GET", path: "/api/version"))
        let body = try JSON(parsing: response.payload)
        #expect(body["version"] == "2.1.0")
        #expect(body["last_updated"]?.string.flatMap(LocalTime.init(date:)) != nil)
        #expect(body["recent_fixes"]?.array?.isEmpty == false)
        #expect(
            body["phone_sanitization_test"] == [
                "input": "91 9876543210", "output": "+919876543210",
                "has_double_plus_bug": false, "status": "FIXED",
            ]
        )
    }

    @Test func `without a VERSION file the version is unknown`() throws {
        let (status, body) = try get("/api/version")
        #expect(status == 200)
        #expect(body["version"] == JSON.null)
    }

    @Test(arguments: [
        ("+919876543210", "++919876543210", true),
        ("++919876543210", "++919876543210", true),
        ("+9876543210", "+9876543210", false),
        (nil, nil, false),
    ])
    func `the phone test fails when numbers are read wrongly`(
        plain: String?,
        doubled: String?,
        hasDoublePlus: Bool
    ) {
        let result = Health.phoneTest { $0.hasPrefix("++") ? doubled : plain }
        #expect(result["status"] == "BROKEN")
        #expect(result["has_double_plus_bug"]?.bool == hasDoublePlus)
    }

    // MARK: Jobs

    @Test func `jobs show their last and next run`() throws {
        try health.jobs.run(.callOrchestrator) { ["placed": 2] }
        let jobs = try unwrap(get("/api/jobs").body["jobs"]?.array)
        #expect(jobs.compactMap { $0["id"]?.string } == ["call_orchestrator", "call_reconciler"])
        #expect(jobs[0]["last_run"] == "2026-11-23T11:00:00+05:30")
        #expect(jobs[0]["next_run"] == "2026-11-23T11:00:30+05:30")
        #expect(jobs[0]["status"] == "scheduled")
        #expect(jobs[0]["last_outcome"] == "ok")
        #expect(jobs[0]["last_counts"] == ["placed": 2])
        #expect(jobs[1]["last_run"] == JSON.null)
        #expect(jobs[1]["last_counts"] == JSON.null)
    }

    private func trigger(_ name: String) throws -> Response {
        try health.router.respond(
            to: Request(
                method: "POST",
                path: "/api/jobs/\(name)/trigger",
                headers: ["content-type": "application/json"],
                body: .init(Array("{}".utf8))
            )
        )
    }

    @Test(arguments: ["call-orchestrator", "call_orchestrator"])
    func `a job is triggered by either spelling of its name`(name: String) throws {
        let response = try trigger(name)
        #expect(response.status == 202)
        #expect(
            try JSON(parsing: response.payload) == ["success": true, "id": "call_orchestrator"]
        )
        #expect(FileManager.default.fileExists(atPath: world.folder + "/call-orchestrator"))
    }

    @Test(arguments: ["tea-maker", "..", "call-orchestrator.lock"])
    func `an unknown job is not found and no file is touched`(name: String) throws {
        let error = #expect(throws: Failure.self) { try trigger(name) }
        #expect(error?.status == 404)
        #expect(!FileManager.default.fileExists(atPath: world.folder + "/" + name + "x"))
    }

    @Test func `a trigger that nobody watches says so`() throws {
        var health = health
        health.triggers = Triggers(folder: nil)
        let error = #expect(throws: Failure.self) {
            try health.router.respond(
                to: Request(
                    method: "POST",
                    path: "/api/jobs/call-reconciler/trigger",
                    headers: ["content-type": "application/json"],
                    body: .init(Array("{}".utf8))
                )
            )
        }
        #expect(error?.status == 503)
    }

    // MARK: Metrics

    @Test func `metrics count leads, calls, promises and runs`() throws {
        let dialed = try world.lead()
        try world.promise(try world.lead("+919876543211"), .callback, at: world.now + .hours(1))
        try world.promise(dialed, .new)
        _ = try Orchestrator(dialer: world.dialer()).run()
        try health.jobs.run(.callReconciler) { [:] }
        try world.database.write { connection in
            try connection.execute(
                """
                INSERT INTO webhook_events (provider, event_key, received_at, body, state)
                VALUES ('vapi', 'a', 1, '{}', 'failed')
                """
            )
            try connection.execute(
                """
                INSERT INTO outbox (kind, idempotency_key, payload, due_at, created_at)
                VALUES ('email', 'a', '{}', 1, 1)
                """
            )
            try connection.execute("UPDATE outbox SET state = 'sent'")
        }
        let response = try health.router.respond(to: Request(method: "GET", path: "/metrics"))
        #expect(response[header: "content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        let lines = String(decoding: response.payload, as: UTF8.self).split(separator: "\n")
        for line in [
            #"presales_leads{status="pending"} 1"#, #"presales_leads{status="initiated"} 1"#,
            "presales_live_calls 1", "presales_lines 5", "presales_due_requests 0",
            "presales_paused 0", #"presales_dial_requests{state="waiting"} 1"#,
            #"presales_dial_requests{state="done"} 1"#,
            #"presales_dial_requests{state="claimed"} 0"#,
            #"presales_job_runs_total{job="call-reconciler",outcome="ok"} 1"#,
            #"presales_job_runs_total{job="call-orchestrator",outcome="failed"} 0"#,
            #"presales_webhook_events{state="failed"} 1"#, #"presales_outbox{state="queued"} 0"#,
            #"presales_outbox{state="sent"} 1"#,
            #"presales_job_last_run_timestamp_seconds{job="call-reconciler"} 1795411800"#,
        ] {
            #expect(lines.contains(line[...]), "\(line)")
        }
        // Prometheus's text format: each figure is explained before its values, and stands once.
        let names = lines.filter { $0.hasPrefix("# TYPE ") }.map { $0.split(separator: " ")[2] }
        #expect(Set(names).count == names.count)
        let values = lines.filter { !$0.hasPrefix("#") }
        #expect(
            values.allSatisfy { line in names.contains(line.prefix { $0 != "{" && $0 != " " }) }
        )
    }
}
