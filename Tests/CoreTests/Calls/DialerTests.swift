import Testing

@testable import Core
@testable import World

@Suite struct DialerTests {
    let world: World

    init() throws { world = try World() }

    @Test func `a due promise is dialed once and the answer stored`() throws {
        let uuid = try world.lead()
        try world.promise(uuid, .retry)
        let counts = try Orchestrator(dialer: world.dialer()).run()
        #expect(counts.placed == 1)
        #expect(world.orders.map(\.leadUUID) == [uuid])
        #expect(try world.contact(uuid).status == .initiated)
        #expect(try world.value("SELECT state FROM calls") == "queued")
        #expect(try world.value("SELECT state FROM dial_requests") == "done")
        #expect(try Orchestrator(dialer: world.dialer()).run() == .init())
        #expect(world.orders.count == 1)
    }

    @Test func `promises are kept in order of promise, then of time`() throws {
        var wanted: [String] = []
        for (index, kind) in DialKind.allCases.reversed().enumerated() {
            let uuid = try world.lead("+9198765432\(10 + index)")
            try world.promise(uuid, kind, at: world.now - .minutes(10 - index))
            wanted.insert(uuid, at: 0)
        }
        let dialer = try world.dialer(lines: 5)
        var dialed: [String] = []
        while case .attempt(let attempt) = try dialer.reserveNext() {
            dialed.append(attempt.lead.uuid)
        }
        #expect(dialed == wanted)
    }

    @Test(arguments: [-1, 0, 1])
    func `only promises whose time has come are kept`(minutes: Int) throws {
        try world.promise(try world.lead(), .retry, at: world.now + .minutes(minutes))
        #expect(try Orchestrator(dialer: world.dialer()).run().placed == (minutes <= 0 ? 1 : 0))
    }

    @Test func `the cap is never exceeded and the rest stays promised`() throws {
        for index in 0..<10 { try world.promise(try world.lead("+91987654321\(index)"), .retry) }
        let counts = try Orchestrator(dialer: world.dialer(lines: 3)).run()
        #expect(counts.placed == 3)
        #expect(
            try world.value("SELECT count(*) FROM dial_requests WHERE state = 'waiting'") == 7
        )
    }

    @Test func `an unclear answer leaves the attempt to the reconciler and dials nobody again`()
        throws
    {
        try world.promise(try world.lead(), .retry)
        world.vapiAnswers { _ in .unknown(cause: "timed_out") }
        #expect(try Orchestrator(dialer: world.dialer()).run().unknown == 1)
        #expect(try world.value("SELECT state FROM calls") == "dialing")
        world.move(by: .hours(2))
        #expect(try Orchestrator(dialer: world.dialer()).run() == .init())
        #expect(world.orders.count == 1)
    }

    @Test(arguments: [
        (Vapi.Refusal.Kind.concurrency, false), (.rate, false), (.key, true), (.billing, true),
        (.permission, true), (.missing, true), (.policy, true), (.request, true),
    ])
    func `a refusal that is our own fault puts the attempt back uncounted`(
        kind: Vapi.Refusal.Kind,
        pauses: Bool
    ) throws {
        let uuid = try world.lead()
        try world.promise(uuid, .retry)
        world.vapiAnswers { _ in .refused(.init(kind: kind, status: 400)) }
        #expect(try Orchestrator(dialer: world.dialer()).run().failed == 1)
        let lead = try world.contact(uuid)
        #expect(lead.status == .pending)
        #expect(lead.retryCount == 0)
        #expect(try world.value("SELECT state FROM dial_requests") == "waiting")
        let pause = try world.database.read { try Pause.current(in: $0, now: world.now) }
        #expect((pause != nil) == pauses)

        world.vapiAnswers { .placed(callID: "vapi-\($0.attemptID)", controlURL: nil) }
        world.move(by: .minutes(2))
        #expect(try Orchestrator(dialer: world.dialer()).run().placed == (pauses ? 0 : 1))
        try world.database.write { try Pause.end(by: "test", now: world.now, in: $0) }
        try Orchestrator(dialer: world.dialer()).run()
        #expect(world.orders.count == 2)
    }

    @Test func `a refusal that names the number ends the chase`() throws {
        let uuid = try world.lead()
        try world.promise(uuid, .retry)
        world.vapiAnswers { _ in .refused(.init(kind: .number, status: 400)) }
        try Orchestrator(dialer: world.dialer()).run()
        let lead = try world.contact(uuid)
        #expect(lead.status == .failed)
        #expect(lead.isNumberInvalid)
        #expect(lead.journeyState == .unreachable)
        #expect(
            try world.value("SELECT count(*) FROM dial_requests WHERE state = 'waiting'") == 0
        )
    }

    @Test func `when nothing was sent the promise is due again within a minute`() throws {
        try world.promise(try world.lead(), .retry)
        world.vapiAnswers { _ in .notSent(.unreachable) }
        try Orchestrator(dialer: world.dialer()).run()
        #expect(try world.value("SELECT state FROM calls") == "not_placed")
        world.vapiAnswers { .placed(callID: "vapi-\($0.attemptID)", controlURL: nil) }
        world.move(by: .minutes(1))
        #expect(try Orchestrator(dialer: world.dialer()).run().placed == 1)
    }

    @Test func `a retry that is to come after a call shows its time while the call goes on`() throws
    {
        let uuid = try world.lead()
        try world.promise(uuid, .operator)
        let due = world.now + .hours(20)
        try world.promise(uuid, .retry, at: due)
        try Orchestrator(dialer: world.dialer()).run()
        #expect(try world.value("SELECT next_retry_time FROM leads") == due)
    }

    @Test func `a promise that a call holds again and again says so once`() throws {
        let uuid = try world.lead()
        try world.promise(uuid, .operator)
        try Orchestrator(dialer: world.dialer()).run()
        try world.promise(uuid, .callback)
        for _ in 0..<3 {
            #expect(try Orchestrator(dialer: world.dialer()).run().held == 1)
            world.move(by: .minutes(1))
        }
        #expect(
            try world.value("SELECT count(*) FROM journey_steps WHERE decision = 'held'") == 1
        )
    }

    @Test func `a started dial supersedes what is due within four hours, but no callback`() throws {
        let uuid = try world.lead()
        try world.promise(uuid, .operator)
        try world.promise(uuid, .retry, at: world.now + .hours(3))
        try world.promise(uuid, .schedule, at: world.now + .hours(5))
        try world.promise(uuid, .callback, at: world.now + .hours(1))
        try Orchestrator(dialer: world.dialer()).run()
        let states = try world.database.read {
            try $0.rows("SELECT kind, state FROM dial_requests ORDER BY rank")
                .map { try $0.required("kind") + "=" + $0.required("state") as String }
        }
        #expect(
            states == ["callback=waiting", "operator=done", "retry=skipped", "schedule=waiting"]
        )
    }

    @Test func `outside calling hours a promise is held until soon after the window opens`() throws
    {
        world.move(to: World.monday + .hours(12))  // 23:00 in India
        try world.promise(try world.lead(), .retry)
        #expect(try Orchestrator(dialer: world.dialer()).run().held == 1)
        let dueAt = try unwrap(world.value("SELECT due_at FROM dial_requests", as: Instant.self))
        let opening = World.monday + .hours(23)  // Tuesday, 10:00
        #expect((opening...opening + .minutes(15)).contains(dueAt))
        #expect(
            try world.value("SELECT decision FROM journey_steps ORDER BY id DESC") == "held"
        )
    }

    @Test func `two dialers at once never dial one promise twice`() throws {
        for index in 0..<40 {
            try world.promise(try world.lead("+9198765432\(10 + index)"), .retry)
        }
        let first = Orchestrator(dialer: try world.dialer(lines: 40))
        let second = Orchestrator(dialer: try world.dialer(lines: 40))
        try inParallel([{ try first.run() }, { try second.run() }])
        #expect(world.orders.count == 40)
        #expect(Set(world.orders.map(\.leadUUID)).count == 40)
    }
}
