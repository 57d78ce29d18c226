import Testing

@testable import Core
@testable import World

@Suite struct ContactGateTests {
    let world: World

    init() throws { world = try World() }

    private func decide(
        _ uuid: String,
        _ purpose: DialKind,
        lines: Int = 5
    ) throws -> ContactGate.Decision {
        let gate = try world.journey(lines: lines).gate
        return try world.database.read { connection in
            let lead = try unwrap(Contact.find(uuid: uuid, in: connection))
            return try gate.mayContact(
                lead,
                channel: .call,
                purpose: purpose,
                now: world.now,
                in: connection
            )
        }
    }

    private func change(_ assignment: SQL) throws {
        try world.database.write { try $0.execute("UPDATE leads SET \(sql: assignment)") }
    }

    /// A finished, counted dial of the lead at a time.
    private func dialed(_ uuid: String, at time: Instant) throws {
        let lead = try world.contact(uuid)
        try world.database.write { connection in
            let request = try DialRequests.add(
                lead.id,
                .callback,
                dueAt: time,
                now: time,
                in: connection
            )
            try DialRequests.settle(request, as: .done, now: time, in: connection)
            try connection.execute(
                """
                INSERT INTO calls (attempt_id, lead_id, request_id, kind, number, state,
                previous_status, created_at, heard_at, outcome)
                VALUES (\(Identifier.random()), \(lead.id), \(request), 'retry',
                \(lead.number.e164), 'ended', 'pending', \(time), \(time), 'missed')
                """
            )
        }
    }

    @Test(arguments: DialKind.allCases)
    func `a lead whom nothing speaks against may be called`(purpose: DialKind) throws {
        #expect(try decide(world.lead(), purpose) == .allow)
    }

    @Test(arguments: DialKind.allCases)
    func `nothing overrides an opt-out, a refusal, a deletion or a bad number`(purpose: DialKind)
        throws
    {
        let uuid = try world.lead()
        for (assignment, reason) in [
            ("deleted_at = 1", ContactGate.Reason.deleted), ("opted_out_at = 1", .optedOut),
            ("declined_at = 1", .declined), ("number_invalid = 1", .numberInvalid),
        ] {
            try change(
                "deleted_at = NULL, opted_out_at = NULL, declined_at = NULL, number_invalid = 0"
            )
            try change(SQL(stringLiteral: assignment))
            #expect(try decide(uuid, purpose) == .refuse(because: reason))
        }
    }

    @Test func `somebody who opted out stays opted out when the list comes again`() throws {
        let uuid = try world.lead()
        try world.database.write { connection in
            let lead = try unwrap(Contact.find(uuid: uuid, in: connection))
            try Suppressions.optOut(
                lead,
                channel: .whatsapp,
                words: "STOP",
                now: world.now,
                in: connection
            )
            try connection.execute("UPDATE leads SET deleted_at = 1")
        }
        let again = try world.lead()
        #expect(try decide(again, .operator) == .refuse(because: .optedOut))
    }

    @Test(arguments: [
        (DialKind.callback, true), (.operator, true), (.retry, false), (.schedule, false),
        (.new, false),
    ])
    func `completed and used-up leads are called only when a person wants it`(
        purpose: DialKind,
        isAllowed: Bool
    ) throws {
        let uuid = try world.lead()
        try change("call_status = 'completed'")
        #expect(try decide(uuid, purpose) == (isAllowed ? .allow : .refuse(because: .completed)))
        try change("call_status = 'missed', journey_state = 'exhausted'")
        #expect(
            try decide(uuid, purpose) == (isAllowed ? .allow : .refuse(because: .attemptsUsedUp))
        )
    }

    @Test(arguments: [("+14155552671", "US"), ("+4930123456", "DE"), ("+13215550123", "+1")])
    func `regions that require consent are not called without it`(number: String, region: String)
        throws
    {
        let uuid = try world.lead(number, region: region)
        #expect(try decide(uuid, .operator) == .refuse(because: .noConsent))
    }

    @Test(arguments: [
        (DialKind.retry, 44, false), (.retry, 45, true), (.new, 44, false), (.schedule, 44, false),
        (.operator, 1, true), (.callback, 1, true),
    ])
    func `forty-five minutes lie between two dials, but a callback and an operator skip the gap`(
        purpose: DialKind,
        minutes: Int,
        isAllowed: Bool
    ) throws {
        let uuid = try world.lead()
        try dialed(uuid, at: world.now - .minutes(minutes))
        let until = world.now + .minutes(45 - minutes)
        #expect(
            try decide(uuid, purpose)
                == (isAllowed ? .allow : .hold(until: until, because: .calledTooRecently))
        )
    }

    @Test(arguments: DialKind.allCases)
    func `three dials a day are the limit for everybody`(purpose: DialKind) throws {
        let uuid = try world.lead()
        let first = world.now - .hours(20)
        for hours in [0, 2, 4] { try dialed(uuid, at: first + .hours(hours)) }
        #expect(
            try decide(uuid, purpose)
                == .hold(until: first + .days(1), because: .contactedTooOften)
        )
    }

    @Test func `six dials in thirty days are the limit`() throws {
        let uuid = try world.lead()
        let first = world.now - .days(29)
        for day in 0..<6 { try dialed(uuid, at: first + .days(day * 4)) }
        #expect(
            try decide(uuid, .retry)
                == .hold(until: first + .days(30), because: .contactedTooOften)
        )
    }

    @Test func `a dial that did not count does not count here either`() throws {
        let uuid = try world.lead()
        for hours in [1, 2, 3] { try dialed(uuid, at: world.now - .hours(hours)) }
        try world.database.write { try $0.execute("UPDATE calls SET counted = 0") }
        #expect(try decide(uuid, .retry) == .allow)
    }

    @Test(arguments: [
        ("2026-11-23T09:59:59+05:30", false), ("2026-11-23T10:00:00+05:30", true),
        ("2026-11-23T20:44:59+05:30", true), ("2026-11-23T20:45:00+05:30", false),
        ("2026-11-22T12:00:00+05:30", true),
    ])
    func `India is called from 10:00 to 20:45, Sundays too`(time: String, isOpen: Bool) throws {
        world.move(to: try unwrap(Instant(iso8601: time)))
        let decision = try decide(world.lead(), .operator)
        if isOpen {
            #expect(decision == .allow)
        } else {
            guard case .hold(_, .outsideCallingHours) = decision else {
                Issue.record("\(decision)")
                return
            }
        }
    }

    @Test func `a callback may use the hard hours`() throws {
        world.move(to: try unwrap(Instant(iso8601: "2026-11-23T20:50:00+05:30")))
        #expect(try decide(world.lead(), .callback) == .allow)
        world.move(to: try unwrap(Instant(iso8601: "2026-11-23T21:00:00+05:30")))
        guard case .hold = try decide(world.lead("+919876543211"), .callback) else {
            Issue.record("called after 21:00")
            return
        }
    }

    @Test func `a pause holds everybody, and busy lines do`() throws {
        let uuid = try world.lead()
        try world.promise(try world.lead("+919876543299"), .retry)
        try Orchestrator(dialer: world.dialer(lines: 1)).run()
        #expect(try decide(uuid, .operator, lines: 1) == .hold(until: nil, because: .noFreeLine))
        try world.database.write {
            try Pause.set(because: "Test.", by: "test", now: world.now, in: $0)
        }
        #expect(try decide(uuid, .operator) == .hold(until: nil, because: .paused))
    }
}
