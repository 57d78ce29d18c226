import Foundation
import Testing

@testable import Core
@testable import World
@testable import schedule

@Suite struct ScheduleTests {
    let world: World
    let router: Router

    init() throws {
        let world = try World()
        self.world = world
        let clock = Clock { world.now }
        let journey = try world.journey()
        let planning = Planning(
            database: world.database,
            clock: clock,
            zone: journey.zone,
            retryPolicy: RetryPolicy(),
            triggers: Triggers(folder: world.folder)
        )
        let schedules = Schedules(
            schedules: BulkSchedules(database: world.database, clock: clock),
            callbacks: Callbacks(database: world.database, journey: journey, clock: clock),
            clock: clock,
            zone: journey.zone
        )
        router = Router(planning.routes + schedules.routes)
    }

    private func get(_ path: String) throws -> JSON {
        let response = try router.respond(to: Request(method: "GET", path: path))
        #expect(response.status == 200)
        return try JSON(parsing: response.payload)
    }

    @discardableResult
    private func post(_ path: String, _ body: JSON) throws -> (status: Int, body: JSON) {
        let request = Request(
            method: "POST",
            path: path,
            headers: ["content-type": "application/json"],
            body: .init(body.encoded())
        )
        let response: Response
        do { response = try router.respond(to: request) } catch let failure as Failure {
            response = failure.response
        }
        return (response.status, try JSON(parsing: response.payload))
    }

    // MARK: Pause

    @Test func `a person pauses and resumes, and both are on record`() throws {
        #expect(
            try get("/api/pause") == ["paused": false, "reason": nil, "since": nil, "until": nil]
        )
        let paused = try post("/api/pause", ["paused": true, "reason": " Lunch\n break "])
        #expect(paused.status == 200)
        #expect(paused.body["success"] == true)
        let shown = try get("/api/pause")
        #expect(shown["paused"] == true)
        #expect(shown["reason"] == "Lunch break")
        #expect(shown["since"] == "2026-11-23T11:00:00+05:30")
        #expect(try post("/api/pause", ["paused": true, "reason": "Again"]).status == 200)
        #expect(try get("/api/pause")["reason"] == "Lunch break")
        #expect(try post("/api/pause", ["paused": false]).body["paused"] == false)
        #expect(try get("/api/pause")["paused"] == false)
        #expect(try world.value("SELECT group_concat(action) FROM audit_log") == "pause,resume")
        // Calls are due: the orchestrator is woken.
        #expect(FileManager.default.fileExists(atPath: world.folder + "/call-orchestrator"))
    }

    @Test func `a person's pause outlasts one that would end by itself`() throws {
        try world.database.write { [world] in
            try Pause.set(
                because: "Vapi asks for a break.",
                until: world.now + .minutes(1),
                by: "vapi",
                now: world.now,
                in: $0
            )
        }
        try post("/api/pause", ["paused": true])
        world.move(by: .hours(1))
        #expect(try get("/api/pause")["paused"] == true)
    }

    @Test(arguments: [
        ("{}", "paused"), (#"{"paused": "yes"}"#, "paused"), (#"{"paused": 1}"#, "paused"),
        (#"{"paused": true, "reason": 5}"#, "reason"), (#"{"paused": true, "why": "x"}"#, "why"),
    ])
    func `a malformed pause is refused by its field`(body: String, field: String) throws {
        let answer = try post("/api/pause", try JSON(parsing: body))
        #expect(answer.status == 422)
        #expect(answer.body["field"]?.string == field)
        #expect(try get("/api/pause")["paused"] == false)
    }

    @Test func `a reason may have 200 characters`() throws {
        let reason = String(repeating: "x", count: 200)
        #expect(
            try post("/api/pause", ["paused": true, "reason": .string(reason + "x")]).status == 422
        )
        #expect(try post("/api/pause", ["paused": true, "reason": .string(reason)]).status == 200)
    }

    // MARK: Retries

    @Test func `the retry policy is shown, changed as a whole or in part, and on record`() throws {
        #expect(
            try get("/api/retry-config") == [
                "max_retry_count": 3, "retry_intervals": [1, 4, 24], "retry_units": "hours",
            ]
        )
        let answer = try post(
            "/api/retry-config",
            ["max_retry_count": 2, "retry_intervals": [5, 10], "retry_units": "minutes"]
        )
        #expect(answer.status == 200)
        #expect(answer.body["success"] == true)
        try post("/api/retry-config", ["max_retry_count": 0])
        #expect(
            try get("/api/retry-config") == [
                "max_retry_count": 0, "retry_intervals": [5, 10], "retry_units": "minutes",
            ]
        )
        #expect(try world.value("SELECT count(*) FROM audit_log") == 2)
    }

    @Test(arguments: [
        ("{}", "max_retry_count"), (#"{"max_retry_count": -1}"#, "max_retry_count"),
        (#"{"max_retry_count": 21}"#, "max_retry_count"),
        (#"{"max_retry_count": 1.5}"#, "max_retry_count"),
        (#"{"max_retry_count": "3"}"#, "max_retry_count"),
        (#"{"max_retry_count": null}"#, "max_retry_count"),
        (#"{"max_retry_count": 3, "retry_intervals": []}"#, "retry_intervals"),
        (#"{"retry_intervals": [1, 0]}"#, "retry_intervals"),
        (#"{"retry_intervals": [1, "4"]}"#, "retry_intervals"),
        (#"{"retry_intervals": [8761]}"#, "retry_intervals"),
        (#"{"retry_units": "days"}"#, "retry_units"), (#"{"retries": 3}"#, "retries"),
    ])
    func `a retry policy that makes no sense is refused by its field`(
        body: String,
        field: String
    ) throws {
        let before = try get("/api/retry-config")
        let answer = try post("/api/retry-config", try JSON(parsing: body))
        #expect(answer.status == 422)
        #expect(answer.body["field"]?.string == field)
        #expect(try get("/api/retry-config") == before)
    }

    @Test func `the journey is the graph that the code runs`() throws {
        #expect(try get("/api/journey") == Workflow.lead.json)
    }

    // MARK: Bulk schedules

    private func leads(_ count: Int) throws -> [String] {
        try (0..<count).map { try world.lead("+9198765432\($0 + 10)") }
    }

    private func schedule(
        _ uuids: [String],
        at time: String = "2026-11-23T12:00:00+05:30",
        parallel: JSON = 2,
        interval: JSON = 120
    ) throws -> (status: Int, body: JSON) {
        try post(
            "/api/schedule-bulk-calls",
            [
                "lead_uuids": .array(uuids.map(JSON.string)), "schedule_time": .string(time),
                "parallel_calls": parallel, "batch_interval": interval,
            ]
        )
    }

    private func theSchedule() throws -> JSON {
        let schedules = try unwrap(get("/api/scheduled-bulk-calls")["schedules"]?.array)
        #expect(schedules.count == 1)
        return try unwrap(schedules.first)
    }

    @Test func `leads are promised calls batch by batch`() throws {
        let uuids = try leads(5)
        let answer = try schedule(uuids)
        #expect(answer.status == 200)
        #expect(answer.body["success"] == true)
        #expect(answer.body["total_leads"] == 5)
        #expect(answer.body["estimated_completion"] == "2026-11-23T12:06:00+05:30")
        let due = try world.database.read { connection in
            try connection.rows(
                """
                SELECT lead_uuid, due_at, kind FROM dial_requests
                JOIN leads ON leads.id = lead_id ORDER BY dial_requests.id
                """
            )
        }
        let start = try unwrap(Instant(iso8601: "2026-11-23T12:00:00+05:30"))
        #expect(due.map { $0["lead_uuid"] ?? "" } == uuids)
        #expect(due.allSatisfy { $0["kind"] == "schedule" })
        let minutes = try due.map {
            try ($0.required("due_at", as: Instant.self) - start).milliseconds / 60_000
        }
        #expect(minutes == [0, 0, 2, 2, 4])
    }

    @Test func `the list tells how far a schedule is`() throws {
        let uuids = try leads(4)
        let id = try unwrap(schedule(uuids).body["schedule_id"]?.string)
        var shown = try theSchedule()
        #expect(shown["schedule_id"]?.string == id)
        #expect(shown["status"] == "pending")
        #expect(shown["created_at"] == "2026-11-23T11:00:00+05:30")
        #expect(shown["scheduled_time"] == "2026-11-23T12:00:00+05:30")
        #expect(shown["waiting"] == 4)
        #expect(shown["batch_interval"] == 120)

        world.move(by: .hours(1))
        let orchestrator = Orchestrator(dialer: try world.dialer())
        _ = try orchestrator.run()
        shown = try theSchedule()
        #expect(shown["status"] == "running")
        #expect(shown["dialed"] == 2)
        #expect(shown["waiting"] == 2)

        try world.database.write { [world] connection in
            try connection.execute(
                """
                UPDATE calls SET state = 'ended', ended_at = \(world.now), outcome = 'completed'
                WHERE id = (SELECT min(id) FROM calls)
                """
            )
            try Suppressions.optOut(
                try unwrap(Contact.find(uuid: uuids[3], in: connection)),
                channel: .call,
                words: nil,
                now: world.now,
                in: connection
            )
            try Pause.set(because: "Lunch.", by: "test", now: world.now, in: connection)
        }
        shown = try theSchedule()
        #expect(shown["reached"] == 1)
        #expect(shown["waiting"] == 1)
        #expect(shown["status"] == "paused")

        try post("/api/pause", ["paused": false])
        world.move(by: .minutes(2))
        _ = try orchestrator.run()
        shown = try theSchedule()
        #expect(shown["dialed"] == 3)
        #expect(shown["status"] == "completed")
    }

    @Test func `cancelling stops whoever is not dialed yet, once`() throws {
        let id = try unwrap(schedule(leads(5)).body["schedule_id"]?.string)
        world.move(by: .hours(1))
        let orchestrator = Orchestrator(dialer: try world.dialer())
        _ = try orchestrator.run()
        let path = "/api/cancel-bulk-schedule/\(id)"
        let first = try post(path, [:])
        #expect(first.status == 200)
        #expect(
            first.body
                == ["success": true, "cancelled": true, "not_dialed": 3, "already_dialed": 2]
        )
        #expect(
            try post(path, [:]).body
                == ["success": true, "cancelled": false, "not_dialed": 3, "already_dialed": 2]
        )
        #expect(try theSchedule()["status"] == "cancelled")
        world.move(by: .hours(1))
        _ = try orchestrator.run()
        #expect(world.orders.count == 2)
        #expect(try post("/api/cancel-bulk-schedule/schedule_0", [:]).status == 404)
    }

    @Test func `a call that is put back after its schedule was cancelled stays cancelled`() throws {
        let id = try unwrap(schedule(leads(1)).body["schedule_id"]?.string)
        world.move(by: .hours(1))
        world.vapiAnswers { [self] _ in
            // While the dialer waits for Vapi, somebody cancels.
            _ = try? post("/api/cancel-bulk-schedule/\(id)", [:])
            return .refused(.init(kind: .concurrency, status: 429))
        }
        _ = try Orchestrator(dialer: world.dialer()).run()
        world.move(by: .hours(2))
        _ = try Orchestrator(dialer: world.dialer()).run()
        #expect(world.orders.count == 1)
        #expect(try world.value("SELECT state FROM dial_requests") == "cancelled")
    }

    @Test func `times without an offset are the zone's, and a lead named twice is called once`()
        throws
    {
        let uuid = try world.lead()
        let answer = try schedule([uuid, uuid], at: "2026-11-23T12:00", parallel: 1, interval: 60)
        #expect(answer.body["total_leads"] == 1)
        #expect(answer.body["estimated_completion"] == "2026-11-23T12:01:00+05:30")
    }

    @Test(arguments: [
        ("2026-11-23T11:00:00+05:30", "2", "120", "schedule_time"),
        ("2026-11-23T10:59", "2", "120", "schedule_time"),
        ("tomorrow", "2", "120", "schedule_time"),
        ("2026-02-30T10:00:00Z", "2", "120", "schedule_time"),
        ("2036-01-01T10:00:00Z", "2", "120", "schedule_time"),
        ("2026-11-23T12:00", "0", "120", "parallel_calls"),
        ("2026-11-23T12:00", "-1", "120", "parallel_calls"),
        ("2026-11-23T12:00", "1001", "120", "parallel_calls"),
        ("2026-11-23T12:00", "\"2\"", "120", "parallel_calls"),
        ("2026-11-23T12:00", "1.5", "120", "parallel_calls"),
        ("2026-11-23T12:00", "2", "0", "batch_interval"),
        ("2026-11-23T12:00", "2", "-5", "batch_interval"),
        ("2026-11-23T12:00", "2", "86401", "batch_interval"),
        ("2026-11-23T12:00", "2", "null", "batch_interval"),
    ])
    func `a schedule that makes no sense is refused by its field`(
        time: String,
        parallel: String,
        interval: String,
        field: String
    ) throws {
        let answer = try schedule(
            leads(1),
            at: time,
            parallel: try JSON(parsing: parallel),
            interval: try JSON(parsing: interval)
        )
        #expect(answer.status == 422)
        #expect(answer.body["field"]?.string == field)
        #expect(try world.value("SELECT count(*) FROM dial_requests") == 0)
    }

    @Test func `unknown and deleted leads are named, and nobody is scheduled`() throws {
        let uuids = try leads(2)
        try world.database.write {
            try $0.execute("UPDATE leads SET deleted_at = 1 WHERE lead_uuid = \(uuids[1])")
        }
        let stranger = Identifier.random()
        let answer = try schedule(uuids + [stranger])
        #expect(answer.status == 422)
        #expect(answer.body["field"] == "lead_uuids")
        #expect(answer.body["unknown"] == [.string(uuids[1]), .string(stranger)])
        #expect(try world.value("SELECT count(*) FROM dial_requests") == 0)
        #expect(try world.value("SELECT count(*) FROM schedules") == 0)
        #expect(try schedule([]).body["field"] == "lead_uuids")
        #expect(try schedule(["1"]).body["field"] == "lead_uuids")
    }

    // MARK: Callbacks

    private func callback(_ uuid: String, _ time: JSON) throws -> (status: Int, body: JSON) {
        try post("/api/leads/\(uuid)/callback", ["callback_time": time])
    }

    @Test func `a callback is promised for its time`() throws {
        let uuid = try world.lead()
        let answer = try callback(uuid, "2026-11-23T17:30")
        #expect(answer.status == 201)
        #expect(answer.body["callback_time"] == "2026-11-23T17:30:00+05:30")
        #expect(answer.body["due_at"] == answer.body["callback_time"])
        #expect(try callback(uuid, "2026-11-23T12:00:00Z").status == 201)
        #expect(try world.value("SELECT count(*) FROM dial_requests WHERE kind = 'callback'") == 1)
        world.move(by: .hours(6) + .minutes(30))
        _ = try Orchestrator(dialer: world.dialer()).run()
        #expect(world.orders.count == 1)
    }

    @Test func `a callback outside lawful hours is due when they begin`() throws {
        let answer = try callback(try world.lead(), "2026-11-23T22:00:00+05:30")
        #expect(answer.status == 201)
        #expect(answer.body["due_at"]?.string?.hasPrefix("2026-11-24T09:") == true)
    }

    @Test(
        arguments: [
            "2026-11-23T11:00:00+05:30", "2026-11-22T12:00", "soon", nil, 5,
            "2028-01-01T12:00:00Z",
        ] as [JSON]
    )
    func `a callback needs a time to come`(time: JSON) throws {
        let answer = try callback(try world.lead(), time)
        #expect(answer.status == 422)
        #expect(answer.body["field"] == "callback_time")
    }

    @Test func `nobody is promised a call who must not be called`() throws {
        let uuid = try world.lead()
        try world.database.write { [world] in
            try Suppressions.optOut(
                try unwrap(Contact.find(uuid: uuid, in: $0)),
                channel: .call,
                words: nil,
                now: world.now,
                in: $0
            )
        }
        let answer = try callback(uuid, "2026-11-23T17:30")
        #expect(answer.status == 409)
        #expect(answer.body["code"] == "opted_out")
        #expect(try callback(Identifier.random(), "2026-11-23T17:30").status == 404)
    }
}
