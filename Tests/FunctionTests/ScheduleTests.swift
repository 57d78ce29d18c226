import Foundation
import Testing

@testable import Core
@testable import World
@testable import schedule

@Suite struct ScheduleTests {
    let world: World
    let router: Router

    init() throws { try self.init(world: World()) }

    private init(world: World) throws {
        self.world = world
        let clock = Clock { world.now }
        let journey = try world.journey()
        let planning = Planning(
            database: world.database,
            clock: clock,
            zone: journey.zone,
            retryPolicy: RetryPolicy(),
            guardRails: GuardRails(),
            triggers: Triggers(folder: world.folder)
        )
        let schedules = Schedules(
            schedules: BulkSchedules(database: world.database, clock: clock),
            callbacks: Callbacks(database: world.database, journey: journey, clock: clock),
            journey: journey,
            clock: clock,
            zone: journey.zone,
            triggers: Triggers(folder: world.folder)
        )
        router = Router(planning.routes + schedules.routes)
    }

    private func get(_ path: String) throws -> JSON {
        let response = try router.respond(to: Request(method: "GET", path: path))
        #expect(response.status == 200)
        return try JSON(parsing: response.payload)
    }

    @discardableResult
    private func post(
        _ path: String,
        _ body: JSON,
        query: Request.Query = [:]
    ) throws -> (status: Int, body: JSON) {
        let request = Request(
            method: "POST",
            path: path,
            query: query,
            headers: ["content-type": "application/json"],
            body: .init(body.encoded())
        )
        let response: Response
        do { response = try router.respond(to: request) } catch let failure as Failure {
            response = failure.response
        }
        return (response.status, try JSON(parsing: response.payload))
    }

    /// What people did, in order.
    private func actions() throws -> [String] {
        try world.database.read { connection in
            try connection.rows("SELECT action FROM audit_log ORDER BY id")
                .map { try $0.required("action") }
        }
    }

    // MARK: Pause

    @Test func `a person pauses and resumes, and both are on record`() throws {
        let before = try get("/api/pause")
        #expect(before["paused"] == false)
        for name in ["reason", "since", "until", "by"] { #expect(before[name] == .null) }
        #expect(before["partners"] == [])
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
        #expect(try actions() == ["pause", "resume"])
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

    // MARK: Pausing a schedule

    @Test func `a paused schedule dials nobody, and its batches keep their distance afterwards`()
        throws
    {
        let id = try unwrap(schedule(leads(6)).body["schedule_id"]?.string)
        world.move(by: .hours(1))
        let orchestrator = Orchestrator(dialer: try world.dialer(lines: 20))
        _ = try orchestrator.run()
        #expect(world.orders.count == 2)
        let paused = try post("/api/pause-bulk-schedule/\(id)", [:])
        #expect(paused.status == 200)
        #expect(paused.body == ["success": true, "paused": true])
        #expect(try theSchedule()["status"] == "paused")
        // Another process after a restart sees the same.
        for _ in 0..<10 {
            world.move(by: .minutes(1))
            _ = try Orchestrator(dialer: world.dialer(lines: 20)).run()
        }
        #expect(world.orders.count == 2)
        #expect(try post("/api/pause-bulk-schedule/\(id)", [:]).body["paused"] == true)

        #expect(
            try post("/api/resume-bulk-schedule/\(id)", [:]).body
                == ["success": true, "paused": false]
        )
        #expect(try theSchedule()["status"] == "running")
        #expect(try theSchedule()["estimated_completion"] == "2026-11-23T12:14:00+05:30")
        var dialed: [Int] = []
        for _ in 0..<4 {
            _ = try orchestrator.run()
            dialed.append(world.orders.count)
            world.move(by: .minutes(1))
        }
        #expect(dialed == [4, 4, 6, 6])
        #expect(try actions() == ["schedule", "pause_schedule", "resume_schedule"])
    }

    @Test func `a schedule that is resumed before its time still begins at its time`() throws {
        let id = try unwrap(schedule(leads(1)).body["schedule_id"]?.string)
        try post("/api/pause-bulk-schedule/\(id)", [:])
        #expect(try theSchedule()["status"] == "paused")
        world.move(by: .minutes(30))
        try post("/api/resume-bulk-schedule/\(id)", [:])
        #expect(try theSchedule()["status"] == "pending")
        world.move(by: .minutes(29))
        #expect(try Orchestrator(dialer: world.dialer()).run().placed == 0)
        world.move(by: .minutes(1))
        #expect(try Orchestrator(dialer: world.dialer()).run().placed == 1)
    }

    @Test func `only a schedule of which somebody waits can be paused`() throws {
        let id = try unwrap(schedule(leads(1)).body["schedule_id"]?.string)
        for action in ["pause", "resume"] {
            #expect(try post("/api/\(action)-bulk-schedule/schedule_0", [:]).status == 404)
            #expect(try post("/api/\(action)-bulk-schedule/\(id)", ["x": 1]).status == 422)
        }
        world.move(by: .hours(1))
        _ = try Orchestrator(dialer: world.dialer()).run()
        let over = try post("/api/pause-bulk-schedule/\(id)", [:])
        #expect(over.status == 409)
        #expect(over.body["code"] == "schedule_completed")
        let other = try unwrap(
            schedule([world.lead("+919876599999")], at: "2026-11-23T13:00").body["schedule_id"]?
                .string
        )
        try post("/api/cancel-bulk-schedule/\(other)", [:])
        for action in ["pause", "resume"] {
            let answer = try post("/api/\(action)-bulk-schedule/\(other)", [:])
            #expect(answer.status == 409)
            #expect(answer.body["code"] == "schedule_cancelled")
        }
    }

    @Test func `a paused schedule can be cancelled, and holds up no other`() throws {
        let uuids = try leads(4)
        let first = try unwrap(schedule(Array(uuids[..<2])).body["schedule_id"]?.string)
        _ = try schedule(Array(uuids[2...]))
        try post("/api/pause-bulk-schedule/\(first)", [:])
        world.move(by: .hours(1))
        _ = try Orchestrator(dialer: world.dialer()).run()
        #expect(Set(world.orders.map(\.leadUUID)) == Set(uuids[2...]))
        #expect(try post("/api/cancel-bulk-schedule/\(first)", [:]).body["not_dialed"] == 2)
        #expect(try Orchestrator(dialer: world.dialer()).run() == .init())
    }

    // MARK: Who is not called

    @Test func `whoever a schedule skips is counted with the reason, which the lead shows too`()
        throws
    {
        let uuids = try leads(5)
        _ = try schedule(uuids, parallel: 5)
        try world.database.write { [world] connection in
            try connection.execute(
                "UPDATE leads SET call_status = 'completed' WHERE lead_uuid = \(uuids[0])"
            )
            try connection.execute(
                "UPDATE leads SET journey_state = 'exhausted' WHERE lead_uuid = \(uuids[1])"
            )
            try Suppressions.optOut(
                try unwrap(Contact.find(uuid: uuids[2], in: connection)),
                channel: .call,
                words: nil,
                now: world.now,
                in: connection
            )
        }
        try world.promise(uuids[3], .operator, at: world.now + .minutes(50))
        for minutes in [50, 10] {
            world.move(by: .minutes(minutes))
            _ = try Orchestrator(dialer: world.dialer()).run()
        }
        let shown = try theSchedule()
        #expect(shown["dialed"] == 1)
        #expect(shown["skipped"] == 4)
        #expect(
            shown["skipped_reasons"] == [
                "attempts_used_up": 1, "completed": 1, "opted_out": 1, "superseded": 1,
            ]
        )
        #expect(shown["waiting"] == 0)
        let steps = try world.database.read { connection in
            try connection.rows(
                """
                SELECT reason FROM journey_steps WHERE decision IN ('not_called', 'superseded')
                ORDER BY id
                """
            ).map { try $0.required("reason", as: String.self) }
        }
        #expect(steps.count == 3)
        #expect(steps.contains { $0.hasPrefix("The conversation has already taken place.") })
    }

    @Test func `two schedules call a person once within four hours`() throws {
        let uuid = try world.lead()
        for time in ["12:00", "13:00", "16:30"] {
            _ = try schedule([uuid], at: "2026-11-23T\(time)")
        }
        for _ in 0..<12 {
            world.move(by: .minutes(30))
            _ = try Orchestrator(dialer: world.dialer()).run()
            try world.database.write {
                try $0.execute(
                    "UPDATE calls SET state = 'ended', ended_at = \(world.now), outcome = 'missed'"
                )
            }
        }
        #expect(world.orders.count == 2)
        let schedules = try unwrap(get("/api/scheduled-bulk-calls")["schedules"]?.array)
        #expect(schedules.map { $0["dialed"] } == [1, 0, 1])
        #expect(schedules[1]["skipped_reasons"] == ["superseded": 1])
    }

    // MARK: Preview

    private func preview(
        _ uuids: [String],
        at time: String = "2026-11-23T12:00:00+05:30",
        parallel: Int64 = 2
    ) throws -> (status: Int, body: JSON) {
        try post(
            "/api/schedule-bulk-calls",
            [
                "lead_uuids": .array(uuids.map(JSON.string)), "schedule_time": .string(time),
                "parallel_calls": .integer(parallel), "batch_interval": 120,
            ],
            query: ["dry_run": "true"]
        )
    }

    @Test func `a preview tells each lead's local time, and stores nothing`() throws {
        let uuids = try [
            world.lead("+919876543210"), world.lead("+442079460000", region: "GB"),
            world.lead("+61491570156", region: "AU"),
        ]
        let answer = try preview(uuids, at: "2026-11-23T16:00:00+05:30")
        #expect(answer.status == 200)
        #expect(answer.body["dry_run"] == true)
        #expect(answer.body["total_leads"] == 3)
        #expect(answer.body["will_be_called"] == 3)
        #expect(answer.body["will_not_be_called"] == 0)
        #expect(answer.body["reasons"] == [:])
        #expect(answer.body["first_call"] == "2026-11-23T16:00:00+05:30")
        let shown = try unwrap(answer.body["leads"]?.array)
        #expect(shown.map { $0["lead_uuid"] } == uuids.map(JSON.string))
        #expect(shown[0]["planned_time"] == "2026-11-23T16:00:00+05:30")
        #expect(shown[0]["timezone"] == "Asia/Kolkata")
        #expect(shown[1]["planned_time"] == "2026-11-23T10:30:00+00:00")
        #expect(shown[1]["timezone"] == "Europe/London")
        // Night in all of Australia's zones: moved to where it is day in all of them.
        let moved = try unwrap(shown[2]["planned_time"]?.string)
        #expect(moved > "2026-11-24")
        #expect(shown.allSatisfy { $0["code"] == .null && $0["error"] == .null })
        #expect(answer.body["estimated_completion"]?.string?.hasPrefix("2026-11-24") == true)
        for table in ["dial_requests", "schedules", "audit_log", "journey_steps"] {
            let count: Int? = try world.value(
                "SELECT count(*) FROM \(sql: .init(stringLiteral: table))"
            )
            #expect(count == 0)
        }
    }

    @Test(arguments: [
        "opted_out", "declined", "number_invalid", "no_consent", "completed", "attempts_used_up",
        "superseded",
    ])
    func `a preview names why somebody would not be called`(code: String) throws {
        let uuid = try world.lead(
            code == "no_consent" ? "+4930123456" : "+919876543210",
            region: code == "no_consent" ? "DE" : "IN"
        )
        let change: SQL? =
            switch code {
            case "opted_out": "opted_out_at = 1"
            case "declined": "declined_at = 1"
            case "number_invalid": "number_invalid = 1"
            case "completed": "call_status = 'completed'"
            case "attempts_used_up": "journey_state = 'fallback'"
            default: nil
            }
        if let change {
            try world.database.write { try $0.execute("UPDATE leads SET \(sql: change)") }
        }
        if code == "superseded" { try world.promise(uuid, .retry, at: world.now + .minutes(30)) }
        let answer = try preview([uuid, world.lead("+919876543299")])
        #expect(answer.body["will_be_called"] == 1)
        #expect(answer.body["will_not_be_called"] == 1)
        #expect(answer.body["reasons"]?[code] == 1)
        let shown = try unwrap(answer.body["leads"]?[0])
        #expect(shown["code"]?.string == code)
        #expect(shown["error"]?.string?.hasSuffix(".") == true)
        #expect(shown["planned_time"] == .null)
    }

    @Test func `a preview refuses what the schedule would refuse`() throws {
        let uuid = try world.lead()
        let stranger = Identifier.random()
        #expect(try preview([uuid, stranger]).body["unknown"] == [.string(stranger)])
        #expect(try preview([uuid], at: "2026-11-23T10:00").body["field"] == "schedule_time")
        let path = "/api/schedule-bulk-calls"
        #expect(try post(path, [:], query: ["dry_run": "yes"]).status == 400)
        #expect(try post(path, [:], query: ["dryrun": "true"]).status == 400)
    }

    @Test func `what a preview says is what happens`() throws {
        let generator = Seeded.random()
        for round in 0..<6 {
            let world = try World(at: World.monday + .hours(generator.next(below: 24)))
            let suite = try ScheduleTests(world: world)
            try suite.checkPreview(generator, "seed \(generator.seed), round \(round)")
        }
    }

    /// Thirty leads with random pasts and promises: previewed, scheduled, and dialed until nobody
    /// waits.
    private func checkPreview(_ generator: Seeded, _ comment: Comment) throws {
        let regions = [("+91987654", "IN"), ("+44207946", "GB"), ("+81312345", "JP")]
        var uuids: [String] = []
        for index in 0..<30 {
            let (prefix, region) = regions[generator.next(below: 3)]
            let uuid = try world.lead("\(prefix)\(3100 + index)", region: region)
            uuids.append(uuid)
            try giveAPast(to: uuid, generator)
        }
        let start = (world.now + .minutes(5 + generator.next(below: 600))).iso8601
        let told = try unwrap(preview(uuids, at: start, parallel: 3).body["leads"]?.array)
        _ = try schedule(uuids, at: start, parallel: 3, interval: 120)
        let orchestrator = Orchestrator(dialer: try world.dialer(lines: 1000))
        for _ in 0..<2000 {
            let next: Instant? = try world.value(
                "SELECT min(due_at) FROM dial_requests WHERE state = 'waiting'"
            )
            guard let next else { break }
            world.move(to: max(next, world.now))
            _ = try orchestrator.run()
            try world.database.write {
                try $0.execute(
                    """
                    UPDATE calls SET state = 'ended', ended_at = \(world.now), outcome = 'missed'
                    WHERE state = 'queued'
                    """
                )
            }
        }
        for (uuid, told) in zip(uuids, told) {
            let row = try unwrap(
                world.database.read {
                    try $0.first(
                        """
                        SELECT r.state, r.reason, c.created_at FROM dial_requests r
                        JOIN leads l ON l.id = r.lead_id LEFT JOIN calls c ON c.request_id = r.id
                        WHERE r.schedule_id IS NOT NULL AND l.lead_uuid = \(uuid)
                        """
                    )
                }
            )
            if let time = told["planned_time"]?.string.flatMap({ Instant(iso8601: $0) }) {
                let dialed = try #require(row["created_at"] as Instant?, comment)
                // The preview leaves milliseconds out.
                #expect(dialed >= time && dialed - time < .seconds(1), comment)
            } else {
                #expect(row["state"] == "skipped", comment)
                #expect(row["reason"] == told["code"]?.string, comment)
            }
        }
    }

    private func giveAPast(to uuid: String, _ generator: Seeded) throws {
        let lead = try world.contact(uuid)
        let state: SQL? =
            switch generator.next(below: 10) {
            case 0: "opted_out_at = 1"
            case 1: "call_status = 'completed'"
            case 2: "journey_state = 'exhausted'"
            default: nil
            }
        // A call that comes first could change how far a lead is, which no preview can know.
        let kinds: [DialKind] = state == nil ? [.callback, .operator, .retry] : []
        try world.database.write { connection in
            if let state {
                try connection.execute("UPDATE leads SET \(sql: state) WHERE id = \(lead.id)")
            }
            for _ in 0..<generator.next(below: 5) {
                let at = world.now - .minutes(generator.next(below: 30 * 60))
                try connection.execute(
                    """
                    INSERT INTO dial_requests (lead_id, kind, rank, due_at, promised_at, state,
                    created_at, settled_at) VALUES (\(lead.id), 'retry', 3, \(at), \(at), 'done',
                    \(at), \(at))
                    """
                )
                try connection.execute(
                    """
                    INSERT INTO calls (attempt_id, lead_id, request_id, kind, number, state,
                    previous_status, created_at, heard_at, outcome)
                    VALUES (\(Identifier.random()), \(lead.id), \(connection.lastInsertedID),
                    'retry', \(lead.number.e164), 'ended', 'pending', \(at), \(at), 'missed')
                    """
                )
            }
        }
        for kind in kinds where generator.next(below: 4) == 0 {
            try world.promise(uuid, kind, at: world.now + .minutes(generator.next(below: 1200)))
        }
    }

    // MARK: A partner's pause

    @Test func `a partner is paused and resumed beside everybody else`() throws {
        let paused = try post(
            "/api/pause",
            ["paused": true, "partner": "Acme", "reason": "Contract ended."]
        )
        #expect(paused.status == 200)
        #expect(paused.body["paused"] == false)
        let partners: JSON = [
            [
                "partner": "Acme", "reason": "Contract ended.",
                "since": "2026-11-23T11:00:00+05:30", "until": nil,
            ]
        ]
        #expect(paused.body["partners"] == partners)
        #expect(try get("/api/pause")["partners"] == partners)
        try post("/api/pause", ["paused": true])
        try post("/api/pause", ["paused": false])
        #expect(try get("/api/pause")["partners"] == partners)
        try post("/api/pause", ["paused": false, "partner": "Acme"])
        #expect(try get("/api/pause")["partners"] == [])
        #expect(try actions() == ["pause_partner", "pause", "resume", "resume_partner"])
        for partner in ["", 5, true] as [JSON] {
            let answer = try post("/api/pause", ["paused": true, "partner": partner])
            #expect(answer.status == 422)
            #expect(answer.body["field"] == "partner")
        }
    }

    @Test func `the thresholds of the guard rails are shown with where they stand`() throws {
        let shown = try get("/api/pause")
        #expect(
            shown["breaker"] == [
                "failure_percent": 60, "fewest_calls": 10, "latest_calls": 20, "minutes": 60,
                "calls": 0, "failed": 0,
            ]
        )
        #expect(shown["spending"]?["limit_day"] == .null)
        #expect(shown["test_call"] == false)
        try world.database.write {
            try Pause.set(because: "Failures.", by: "breaker", now: world.now, in: $0)
        }
        #expect(try get("/api/pause")["test_call"] == true)
        #expect(try get("/api/pause")["by"] == "breaker")
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
