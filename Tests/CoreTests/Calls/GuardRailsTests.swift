import Testing

@testable import Core
@testable import World

@Suite struct GuardRailsTests {
    let world: World

    init() throws { world = try World() }

    /// Ends so many calls a minute apart.
    private func end(_ count: Int, _ outcome: String, counted: Bool = true, cost: Double = 0.1)
        throws
    {
        for _ in 0..<count {
            world.move(by: .minutes(1))
            let lead = try world.contact(try world.lead(number()))
            try world.database.write { connection in
                let request = try DialRequests.add(
                    lead.id,
                    .callback,
                    dueAt: world.now,
                    now: world.now,
                    in: connection
                )
                try DialRequests.settle(request, as: .done, now: world.now, in: connection)
                try connection.execute(
                    """
                    INSERT INTO calls (attempt_id, lead_id, request_id, kind, number, state,
                    previous_status, created_at, heard_at, ended_at, outcome, counted, cost)
                    VALUES (\(Identifier.random()), \(lead.id), \(request), 'retry',
                    \(lead.number.e164), 'ended', 'pending', \(world.now), \(world.now),
                    \(world.now), \(outcome), \(counted), \(cost))
                    """
                )
            }
        }
    }

    private func number() throws -> String {
        let count: Int = try world.value("SELECT count(*) FROM leads") ?? 0
        return "+91987650\(1000 + count)"
    }

    private func pause(_ rails: GuardRails = GuardRails()) throws -> Pause? {
        let zone = try unwrap(Zone(identifier: "Asia/Kolkata"))
        return try world.database.write { connection in
            try rails.check(at: world.now, in: zone, connection)
            return try Pause.current(in: connection, now: world.now)
        }
    }

    @Test(arguments: [(5, 4, false), (6, 4, true), (11, 9, false), (12, 8, true), (9, 0, false)])
    func `the breaker opens at sixty percent of at least ten calls`(
        failed: Int,
        answered: Int,
        opens: Bool
    ) throws {
        try end(answered, "completed")
        try end(failed, "failed")
        #expect(try (pause() != nil) == opens)
    }

    @Test func `missed calls and our own faults do not open it`() throws {
        try end(15, "missed")
        try end(15, "failed", counted: false)
        #expect(try pause() == nil)
    }

    @Test func `failures of more than an hour ago do not open it`() throws {
        try end(12, "failed")
        world.move(by: .hours(1))
        #expect(try pause() == nil)
    }

    @Test func `who resumed is not paused again for the same failures`() throws {
        try end(12, "failed")
        #expect(try pause()?.reason.hasPrefix("12 of the last 12 calls failed") == true)
        world.move(by: .minutes(1))
        try world.database.write { try Pause.end(by: "test", now: world.now, in: $0) }
        #expect(try pause() == nil)
        try end(10, "failed")
        #expect(try pause() != nil)
    }

    @Test func `the day's spending limit pauses until the next day begins`() throws {
        let rails = GuardRails(failurePercent: nil, spendingPerDay: 1)
        try end(9, "completed", cost: 0.11)
        #expect(try pause(rails) == nil)
        try end(1, "completed", cost: 0.01)
        let found = try unwrap(try pause(rails))
        #expect(found.until == Instant(iso8601: "2026-11-24T00:00:00+05:30"))
        world.move(to: try unwrap(found.until))
        #expect(try pause(rails) == nil)
    }

    @Test func `numbers that do not exist and cancelled calls are no technical failures`() throws {
        try end(15, "failed")
        try world.database.write {
            try $0.execute(
                """
                UPDATE calls SET ended_reason = iif(id % 2, 'sip-outbound-unallocated-number',
                'manually-canceled')
                """
            )
        }
        #expect(try pause() == nil)
        try world.database.write {
            try $0.execute("UPDATE calls SET ended_reason = 'twilio-failed-to-connect-call'")
        }
        #expect(try pause() != nil)
    }

    // MARK: Test call

    /// Opens the breaker and has a person call a lead.
    private func testCall(_ number: String = "+919876543210") throws -> OperatorCalls.Single {
        try OperatorCalls(dialer: world.dialer()).call(leadUUID: world.lead(number))
    }

    private func openBreaker() throws {
        try end(12, "failed")
        #expect(try pause()?.actor == GuardRails.breaker)
        world.move(by: .minutes(1))
    }

    private func report(_ reason: String, spoken: Bool) throws {
        let attempt = try unwrap(world.orders.last).attemptID
        let words: JSON = [["role": "user", "message": "Hello, who is this?"]]
        let call: JSON = [
            "id": .string("vapi-\(attempt)"), "status": "ended", "endedReason": .string(reason),
            "startedAt": .string((world.now - .seconds(60)).iso8601),
            "endedAt": .string(world.now.iso8601), "artifact": ["messages": spoken ? words : []],
        ]
        let journey = try world.journey()
        try world.database.write {
            _ = try CallEvents(journey: journey)
                .apply(VapiMessage.CallReport(callObject: call), now: world.now, in: $0)
        }
    }

    @Test(arguments: [
        ("customer-ended-call", true, true), ("customer-did-not-answer", false, true),
        ("twilio-failed-to-connect-call", false, false), ("manually-canceled", false, false),
        ("call.start.error-subscription-insufficient-credits", false, false),
    ])
    func `a person's test call goes through the open breaker, and closes it when it gets through`(
        reason: String,
        spoken: Bool,
        closes: Bool
    ) throws {
        try openBreaker()
        guard case .dialed(.placed) = try testCall() else {
            Issue.record("the test call was not placed")
            return
        }
        // One at a time.
        guard case .notNow(_, .paused) = try testCall("+919876543211") else {
            Issue.record("a second test call was placed")
            return
        }
        world.move(by: .minutes(1))
        try report(reason, spoken: spoken)
        let isPaused = try world.database.read {
            try Pause.current(in: $0, now: world.now) != nil
        }
        #expect(isPaused != closes)
        let resumed: Int? = try world.value(
            "SELECT count(*) FROM audit_log WHERE action = 'resume' AND actor = 'breaker'"
        )
        #expect(resumed == (closes ? 1 : 0))
        // While it stays open the next test call may be tried.
        guard !closes else { return }
        guard case .dialed(.placed) = try testCall("+919876543212") else {
            Issue.record("no further test call")
            return
        }
    }

    @Test func `nothing but a person's single call passes the breaker`() throws {
        try openBreaker()
        for (index, kind) in DialKind.allCases.enumerated() {
            try world.promise(try world.lead("+9198765432\(20 + index)"), kind)
        }
        _ = try Orchestrator(dialer: world.dialer()).run()
        let bulk = try OperatorCalls(dialer: world.dialer())
            .call(leadUUIDs: [world.lead("+919876543239")])
        #expect(bulk.initiated == 0)
        #expect(world.orders.isEmpty)
    }

    @Test func `a pause that is not the breaker's lets no test call through`() throws {
        try world.database.write {
            try Pause.set(because: "Lunch.", by: "staff", now: world.now, in: $0)
        }
        guard case .notNow(_, .paused) = try testCall() else {
            Issue.record("called in a person's pause")
            return
        }
    }

    @Test(arguments: [
        ["BREAKER_FAILURE_PERCENT": "101"], ["BREAKER_FAILURE_PERCENT": "x"],
        ["SPENDING_LIMIT_DAY": "0"], ["SPENDING_LIMIT_DAY": "ten"], ["SPENDING_LIMIT_DAY": "nan"],
    ])
    func `a malformed limit names its variable`(variables: [String: String]) throws {
        let name = try unwrap(variables.keys.first)
        let error = #expect(throws: Environment.Invalid.self) {
            try GuardRails(environment: Environment(variables))
        }
        #expect(error?.description.contains(name) == true)
    }
}
