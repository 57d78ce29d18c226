import Testing

@testable import Core
@testable import World

@Suite struct PartnerPauseTests {
    let world: World

    init() throws { world = try World() }

    private func pause(_ partner: String) throws {
        try world.database.write {
            try Pause.set(
                of: partner,
                because: "Contract.",
                by: "test",
                now: world.now,
                in: $0
            )
        }
    }

    private func resume(_ partner: String) throws {
        try world.database.write {
            try Pause.end(of: partner, by: "test", now: world.now, in: $0)
        }
    }

    private func run(lines: Int = 5) throws -> Orchestrator.Counts {
        try Orchestrator(dialer: world.dialer(lines: lines)).run()
    }

    @Test func `a partner's pause holds its leads and nobody else`() throws {
        let paused = try world.lead("+919876543210", partner: "Acme")
        let other = try world.lead("+919876543211", partner: "Acme Two")
        let none = try world.lead("+919876543212")
        try pause("Acme")
        for uuid in [paused, other, none] { try world.promise(uuid, .retry) }
        _ = try run()
        #expect(Set(world.orders.map(\.leadUUID)) == [other, none])
        guard
            case .notNow(_, .paused) = try OperatorCalls(dialer: world.dialer())
                .call(leadUUID: paused)
        else {
            Issue.record("an operator called a lead of a paused partner")
            return
        }
        try resume("Acme")
        _ = try run()
        #expect(Set(world.orders.map(\.leadUUID)) == [paused, other, none])
    }

    @Test func `nobody waits behind a paused partner's promises, however many they are`() throws {
        for index in 0..<450 {
            let uuid = try world.lead("+9198765\(43_000 + index)", partner: "Acme")
            try world.promise(uuid, .retry, at: world.now - .minutes(5))
        }
        let last = try world.lead("+919876599999", partner: "Zeta")
        try world.promise(last, .retry)
        try pause("Acme")
        _ = try run()
        #expect(world.orders.map(\.leadUUID) == [last])
        // Each was read past once: a later run finds nothing that is due.
        #expect(try world.database.read { try DialRequests.countDue(at: world.now, in: $0) } == 0)
        #expect(try run() == .init())
        // All of them are still promised, at the same time.
        #expect(
            try world.value(
                """
                SELECT count(*) FROM dial_requests WHERE state = 'waiting'
                AND due_at = \(world.now - .minutes(5))
                """
            ) == 450
        )
    }

    @Test func `looking for what is due costs the same beside ten and a thousand paused promises`()
        throws
    {
        func steps(_ count: Int) throws -> Int {
            let world = try World()
            let suite = PartnerPauseTests(world: world)
            for index in 0..<count {
                let uuid = try world.lead("+9198765\(43_000 + index)", partner: "Acme")
                try world.promise(uuid, .retry)
            }
            try suite.pause("Acme")
            _ = try suite.run()
            return try world.database.read { connection in
                _ = connection.takeStepCount()
                _ = try DialRequests.nextDue(at: world.now, in: connection)
                _ = try DialRequests.countDue(at: world.now, in: connection)
                _ = try DialRequests.endedParkings(at: world.now, in: connection)
                return connection.takeStepCount()
            }
        }
        let few = try steps(10)
        #expect(few > 0)
        #expect(try steps(1000) <= few)
    }

    @Test func `a lead that goes to another partner no longer waits for the old one's pause`()
        throws
    {
        let uuid = try world.lead(partner: "Acme")
        try world.promise(uuid, .retry)
        try pause("Acme")
        _ = try run()
        #expect(world.orders.isEmpty)
        try world.database.write { try $0.execute("UPDATE leads SET partner = 'Zeta'") }
        #expect(try run().placed == 1)
    }

    @Test func `a partner's pause ends by itself when it was set so`() throws {
        try world.promise(try world.lead(partner: "Acme"), .retry)
        try world.database.write {
            try Pause.set(
                of: "Acme",
                because: "Lunch.",
                until: world.now + .minutes(30),
                by: "test",
                now: world.now,
                in: $0
            )
        }
        _ = try run()
        world.move(by: .minutes(29))
        #expect(try run().placed == 0)
        world.move(by: .minutes(1))
        #expect(try run().placed == 1)
    }

    init(world: World) { self.world = world }
}
