import Testing

@testable import Core
@testable import World
@testable import analytics

@Suite struct AnalyticsTests {
    let world: World
    let analytics: Analytics

    init() throws {
        let world = try World()
        self.world = world
        analytics = Analytics(
            database: world.database,
            clock: Clock { world.now },
            zone: try unwrap(Zone(identifier: "Asia/Kolkata")),
            lines: 5,
            isSimulated: true,
            canCall: true,
            channels: .init(whatsApp: false, email: true)
        )
    }

    private func ask(_ tag: String? = nil, of analytics: Analytics? = nil) throws -> Response {
        try (analytics ?? self.analytics).router.respond(
            to: Request(
                method: "GET",
                path: "/api/analytics/summary",
                headers: tag.map { ["if-none-match": $0] } ?? [:]
            )
        )
    }

    private func summary() throws -> JSON { try JSON(parsing: ask().payload) }

    /// Adds a lead that is so far.
    private func lead(
        _ number: Int,
        _ status: LeadStatus,
        _ success: String? = nil,
        partner: String? = nil
    ) throws {
        let uuid = try world.lead("+91987654\(number)")
        try world.database.write { connection in
            try connection.execute(
                """
                UPDATE leads SET call_status = \(status), success_status = \(success),
                partner = \(partner) WHERE lead_uuid = \(uuid)
                """
            )
        }
    }

    /// Gives a lead a call that ended so.
    private func call(_ number: Int, _ outcome: String, milliseconds: Int, cost: Double) throws {
        try world.promise(try world.lead("+91887654\(number)"), .new)
        try world.database.write { connection in
            try connection.execute(
                """
                INSERT INTO calls (attempt_id, lead_id, request_id, kind, number, state,
                previous_status, created_at, heard_at)
                SELECT 'a' || id, lead_id, id, kind, 'n' || id, 'ended', 'pending', 1, 1
                FROM dial_requests ORDER BY id DESC LIMIT 1
                """
            )
            try connection.execute(
                """
                UPDATE calls SET outcome = \(outcome), duration_ms = \(milliseconds),
                cost = \(cost) WHERE id = \(connection.lastInsertedID)
                """
            )
        }
    }

    @Test func `an empty database has no rates`() throws {
        let body = try summary()
        #expect(body["total"] == 0)
        #expect(
            body["by_status"] == [
                "pending": 0, "initiated": 0, "answered": 0, "missed": 0, "failed": 0,
                "completed": 0,
            ]
        )
        #expect(
            body["by_success_status"] == ["Qualified": 0, "Potential": 0, "Not Qualified": 0]
        )
        for rate in [
            "contact_rate", "completion_rate", "qualification_rate", "average_call_seconds",
        ] {
            #expect(body[rate] == JSON.null, "\(rate)")
        }
        #expect(body["total_cost"] == 0.0)
        #expect(body["partners"] == [])
        #expect(body["now"] == "2026-11-23T11:00:00+05:30")
        #expect(body["timezone"] == "Asia/Kolkata")
        #expect(body["timezone_label"] == "IST")
        #expect(body["simulated"] == true)
        #expect(body["integrations"] == ["vapi": true, "whatsapp": false, "email": true])
        #expect(body["line_limit"] == 5)
    }

    @Test func `leads are counted by status and the rates follow`() throws {
        try lead(3200, .pending, partner: "beta")
        try lead(3201, .completed, "Qualified", partner: "Alpha")
        try lead(3202, .completed, "Potential")
        try lead(3203, .completed, "Not Qualified")
        try lead(3204, .completed)
        try lead(3205, .missed, partner: "beta")
        try lead(3206, .failed)
        try lead(3207, .answered)
        try lead(3208, .initiated)
        let body = try summary()
        #expect(body["total"] == 9)
        #expect(body["by_status"]?["completed"] == 4)
        #expect(
            body["by_success_status"] == ["Qualified": 1, "Potential": 1, "Not Qualified": 1]
        )
        #expect(body["contact_rate"]?.double == 5.0 / 7.0)
        #expect(body["qualification_rate"]?.double == 0.5)
        #expect(body["partners"] == ["Alpha", "beta"])
    }

    @Test func `deleted leads leave the counts and those who opted out are told apart`() throws {
        let uuids = try ["1", "2", "3"].map { try world.lead("+91987654321\($0)") }
        try world.database.write { [world] connection in
            for uuid in uuids {
                try Suppressions.optOut(
                    try unwrap(Contact.find(uuid: uuid, in: connection)),
                    channel: .call,
                    words: nil,
                    now: world.now,
                    in: connection
                )
            }
        }
        #expect(try summary()["opted_out"] == 3)
        try world.database.write { connection in
            try connection.execute(
                "UPDATE leads SET deleted_at = 1 WHERE lead_uuid = \(uuids[0])"
            )
        }
        #expect(try summary()["opted_out"] == 2)
        #expect(try summary()["total"] == 2)
    }

    @Test func `calls give the completion rate, the average and the cost`() throws {
        try call(3210, "completed", milliseconds: 60_000, cost: 0.25)
        try call(3211, "completed", milliseconds: 90_000, cost: 0.5)
        try call(3212, "missed", milliseconds: 0, cost: 0.125)
        let body = try summary()
        #expect(body["completion_rate"]?.double == 2.0 / 3.0)
        #expect(body["average_call_seconds"]?.double == 75)
        #expect(body["total_cost"]?.double == 0.875)
        #expect(body["total_calls"] == 3)
    }

    @Test func `promises are counted, the due ones apart`() throws {
        try world.promise(try world.lead(), .callback, at: world.now + .hours(1))
        try world.promise(try world.lead("+919876543211"), .new)
        #expect(try summary()["waiting_requests"] == 2)
        #expect(try summary()["due_requests"] == 1)
        _ = try Orchestrator(dialer: world.dialer()).run()
        let body = try summary()
        #expect(body["waiting_requests"] == 1)
        #expect(body["due_requests"] == 0)
        #expect(body["active_calls"] == 1)
    }

    // MARK: The tag

    @Test func `an unchanged summary is not sent again, though time goes on`() throws {
        let first = try ask()
        let tag = try unwrap(first[header: "etag"])
        world.move(by: .minutes(5))
        let second = try ask(tag)
        #expect(second.status == 304)
        #expect(second.payload.isEmpty)
        // A proxy that compresses may weaken or strip the tag's mark.
        #expect(try ask(tag.replacing("W/", with: "")).status == 304)
        #expect(try ask("W/\"0\"").status == 200)
    }

    @Test func `whatever a summary shows changes its tag`() throws {
        var tag = try unwrap(ask()[header: "etag"])
        func changes(_ what: String, _ act: () throws -> Void) throws {
            try act()
            let answer = try ask(tag)
            #expect(answer.status == 200, "\(what)")
            tag = try unwrap(answer[header: "etag"])
        }
        let uuid = try world.lead()
        try changes("a new lead") {}
        try changes("a promise") {
            try world.promise(uuid, .callback, at: world.now + .minutes(10))
        }
        try changes("a promise that becomes due") { world.move(by: .minutes(10)) }
        try changes("a call") { _ = try Orchestrator(dialer: world.dialer()).run() }
        try changes("a pause") {
            try world.database.write { [world] in
                try Pause.set(
                    because: "Lunch.",
                    until: world.now + .hours(1),
                    by: "test",
                    now: world.now,
                    in: $0
                )
            }
        }
        #expect(try summary()["paused"] == true)
        #expect(try summary()["pause_reason"] == "Lunch.")
        try changes("a pause that ends by itself") { world.move(by: .hours(1)) }
        #expect(try summary()["paused"] == false)
        var other = analytics
        other.lines = 6
        #expect(try ask(tag, of: other).status == 200)
    }
}
