import Foundation
import Synchronization
import Testing

@testable import Core
@testable import World

/// What is committed while a call is being placed.
///
/// Each order that leaves is judged at that very moment, on a connection of its own: by what is
/// committed, and by what those who committed have been told.
@Suite struct DialRacesTests {
    let world: World
    /// The database as another process has it.
    let other: Database
    let generator = Seeded.random()

    init() throws {
        world = try World()
        other = Database(path: world.folder + "/test.db", patience: .seconds(60))
        // Opened here, because opening takes the turn to write, and an order that leaves has it.
        _ = try other.version()
    }

    // MARK: Opt-out

    @Test func `of 1,000 opt-outs at every step of a dial none is followed by an order`() throws {
        let steps = 5
        let leads = try (0..<1000).map { try world.lead("+91987\(6_500_000 + $0)") }
        for uuid in leads { try world.promise(uuid, .retry) }
        let step = Dictionary(
            uniqueKeysWithValues: leads.map { ($0, generator.next(below: steps)) }
        )
        let told = Lock<Set<String>>([])
        let wrong = Lock<[String]>([])
        let queue = OperationQueue()
        queue.maxConcurrentOperationCount = 4

        @Sendable @discardableResult
        func optOut(_ uuid: String, ifAt current: Int) -> Operation? {
            guard step[uuid] == current else { return nil }
            let operation = BlockOperation { [world, other] in
                do {
                    try other.write { connection in
                        let lead = try unwrap(Contact.find(uuid: uuid, in: connection))
                        try Suppressions.optOut(
                            lead,
                            channel: .whatsapp,
                            words: "STOP",
                            now: world.now,
                            in: connection
                        )
                    }
                    _ = told.withLock { $0.insert(uuid) }
                } catch { wrong.withLock { $0.append("\(error)") } }
            }
            queue.addOperation(operation)
            return operation
        }
        // Who opts out just before an order leaves may win or lose; every other one is let win.
        let waitedFor = Set(leads.filter { _ in generator.next(below: 2) == 0 })
        world.orders(
            beforeDeparture: { order in
                let operation = optOut(order.leadUUID, ifAt: 1)
                if waitedFor.contains(order.leadUUID) { operation?.waitUntilFinished() }
            },
            atDeparture: { [other] order in
                let isCommitted = try? other.read {
                    try Contact.find(uuid: order.leadUUID, in: $0)?.optedOutAt != nil
                }
                let isTold = told.withLock { $0.contains(order.leadUUID) }
                if isCommitted != false || isTold { wrong.withLock { $0.append(order.leadUUID) } }
                optOut(order.leadUUID, ifAt: 2)
            }
        )
        world.vapiAnswers { order in
            optOut(order.leadUUID, ifAt: 3)
            return .placed(callID: "vapi-\(order.attemptID)", controlURL: order.leadUUID)
        }
        let orchestrator = Orchestrator(dialer: try world.dialer(lines: 1000))
        try inParallel([
            {
                try orchestrator.run()
                for uuid in leads { optOut(uuid, ifAt: 4) }
            },
            { for uuid in leads { optOut(uuid, ifAt: 0) } },
        ])
        queue.waitUntilAllOperationsAreFinished()
        // Whoever was on the phone when the opt-out was committed is let go.
        try orchestrator.run()

        #expect(wrong.withLock { $0 } == [], "seed \(generator.seed)")
        #expect(told.withLock { $0.count } == 1000)
        let called = Set(world.orders.map(\.leadUUID))
        #expect(called.count == world.orders.count)
        #expect(Set(world.endings) == called, "seed \(generator.seed)")
        // Every step was tried, and both ends came about.
        #expect(called.isSuperset(of: leads.filter { (step[$0] ?? 0) >= 2 }))
        #expect(called.isDisjoint(with: waitedFor.filter { step[$0] == 1 }))
        let open: Int? = try world.value(
            "SELECT count(*) FROM dial_requests WHERE state IN ('waiting', 'claimed')"
        )
        let dialing: Int? = try world.value("SELECT count(*) FROM calls WHERE state = 'dialing'")
        #expect(open == 0)
        #expect(dialing == 0)
    }

    @Test func `an opt-out before the order leaves ends the attempt uncounted and says why`() throws
    {
        let uuid = try world.lead()
        try world.promise(uuid, .retry)
        world.orders(beforeDeparture: { [world, other] _ in
            try? other.write { connection in
                let lead = try unwrap(Contact.find(uuid: uuid, in: connection))
                try Suppressions.optOut(
                    lead,
                    channel: .email,
                    words: nil,
                    now: world.now,
                    in: connection
                )
            }
        })
        #expect(try Orchestrator(dialer: world.dialer()).run().dropped == 1)
        #expect(world.orders.isEmpty)
        #expect(try world.value("SELECT state FROM calls") == "not_placed")
        #expect(try world.value("SELECT counted FROM calls") == 0)
        #expect(try world.value("SELECT state FROM dial_requests") == "cancelled")
        #expect(try world.value("SELECT reason FROM dial_requests") == "opted_out")
        let lead = try world.contact(uuid)
        #expect(lead.status == .pending)
        #expect(lead.journeyState == .optedOut)
        let said: Int? = try world.value(
            "SELECT count(*) FROM journey_steps WHERE reason LIKE 'This person asked not to be%'"
        )
        #expect((said ?? 0) >= 2)
    }

    @Test func `an operator who calls somebody who opts out at that moment is told`() throws {
        let uuid = try world.lead()
        world.orders(beforeDeparture: { [world, other] _ in
            try? other.write { connection in
                let lead = try unwrap(Contact.find(uuid: uuid, in: connection))
                try Suppressions.optOut(
                    lead,
                    channel: .call,
                    words: nil,
                    now: world.now,
                    in: connection
                )
            }
        })
        let calls = OperatorCalls(dialer: try world.dialer())
        #expect(try calls.call(leadUUID: uuid) == .notNow(until: nil, because: .optedOut))
        #expect(world.orders.isEmpty)
    }

    // MARK: What else may change in that moment

    @Test func `a pause before the order leaves keeps it in, and it is due when calling goes on`()
        throws
    {
        let uuid = try world.lead()
        try world.promise(uuid, .schedule)
        world.orders(beforeDeparture: { [world, other] _ in
            try? other.write { try Pause.set(because: "Lunch", by: "test", now: world.now, in: $0) }
        })
        #expect(try Orchestrator(dialer: world.dialer()).run().held == 1)
        #expect(world.orders.isEmpty)
        try world.database.write { try Pause.end(by: "test", now: world.now, in: $0) }
        world.orders()
        #expect(try Orchestrator(dialer: world.dialer()).run().placed == 1)
    }

    @Test func `an order that was held up until the window closed does not leave`() throws {
        try world.promise(try world.lead(), .retry)
        world.orders(beforeDeparture: { [world] _ in world.move(by: .hours(12)) })
        #expect(try Orchestrator(dialer: world.dialer()).run().held == 1)
        #expect(world.orders.isEmpty)
        let dueAt = try unwrap(world.value("SELECT due_at FROM dial_requests", as: Instant.self))
        #expect((World.monday + .hours(23)...World.monday + .hours(24)).contains(dueAt))
    }

    @Test func `a lead that is deleted before the order leaves is not called`() throws {
        let uuid = try world.lead()
        try world.promise(uuid, .retry)
        world.orders(beforeDeparture: { [world, other] _ in
            try? other.write { connection in
                try connection.execute("UPDATE leads SET deleted_at = \(world.now)")
            }
        })
        #expect(try Orchestrator(dialer: world.dialer()).run().dropped == 1)
        #expect(world.orders.isEmpty)
    }

    // MARK: Cancellation

    @Test func `of 500 cancellations against a running orchestrator none is followed by an order`()
        throws
    {
        let clock = Clock { [world] in world.now }
        let schedules = BulkSchedules(database: other, clock: clock)
        var uuids: [String] = []
        let leads = 3
        let ids = try (0..<500).map { index in
            let members = try (0..<leads).map {
                try world.lead("+91987\(6_500_000 + index * leads + $0)")
            }
            uuids += members
            return try schedules.create(
                .init(
                    leadUUIDs: members,
                    start: world.now,
                    parallelCalls: leads,
                    batchInterval: .zero
                ),
                by: "test"
            )
        }
        let scheduleOf = Dictionary(
            uniqueKeysWithValues: uuids.enumerated().map { ($1, ids[$0 / leads]) }
        )
        let told = Lock<[String: BulkSchedules.Cancellation]>([:])
        let wrong = Lock<[String]>([])
        let taken = Atomic(0)
        let hasBegun = Semaphore()
        world.orders(
            beforeDeparture: { _ in
                taken.add(1, ordering: .relaxed)
                hasBegun.signal()
            },
            atDeparture: { [other] order in
                let id = scheduleOf[order.leadUUID] ?? "-"
                let state: String?? = try? other.read {
                    try $0.value("SELECT state FROM schedules WHERE schedule_id = \(id)")
                }
                let isTold = told.withLock { $0[id]?.isCancelled == true }
                if state != "active" || isTold { wrong.withLock { $0.append(id) } }
            }
        )
        let orchestrator = Orchestrator(dialer: try world.dialer(lines: 2000))
        let generator = self.generator
        try inParallel([
            { while try orchestrator.run() != .init() {} },
            {
                var stopped = 0
                var left = Array(ids.indices)
                hasBegun.wait()
                while !left.isEmpty {
                    // Close to where the orchestrator is: some behind it, some before, most beside.
                    let front = (taken.load(ordering: .relaxed) + stopped) / leads
                    let place = front + generator.next(below: 20) - 5
                    let nearest = left.indices.min { abs(left[$0] - place) < abs(left[$1] - place) }
                    let id = ids[left.remove(at: nearest ?? 0)]
                    let cancelled = try unwrap(schedules.cancel(id, by: "test"))
                    stopped += cancelled.notDialed
                    told.withLock { $0[id] = cancelled }
                }
            },
        ])

        #expect(wrong.withLock { $0 } == [], "seed \(generator.seed)")
        let called = Dictionary(grouping: world.orders) { scheduleOf[$0.leadUUID] ?? "-" }
        #expect(Set(world.orders.map(\.leadUUID)).count == world.orders.count)
        var stopped = 0
        for (id, cancelled) in told.withLock({ $0 }) {
            let count = called[id]?.count ?? 0
            #expect(cancelled.notDialed + cancelled.alreadyDialed == leads)
            // What was being dialed counted as dialed; at worst it was kept in.
            #expect(count <= cancelled.alreadyDialed, "seed \(generator.seed)")
            if cancelled.isCancelled { stopped += leads - count }
            let shown: Int? = try world.value(
                "SELECT dialed FROM schedules WHERE schedule_id = \(id)"
            )
            #expect(shown == count, "seed \(generator.seed)")
        }
        // The race was one: some were called, some were stopped.
        #expect(stopped > 0 && !world.orders.isEmpty)
        let open: Int? = try world.value(
            "SELECT count(*) FROM dial_requests WHERE state IN ('waiting', 'claimed')"
        )
        #expect(open == 0)
    }

    // MARK: Two orchestrators

    @Test func `two orchestrators started at once, 50 times, do what one does`() throws {
        let kinds: [DialKind] = [.retry, .callback, .schedule, .operator, .new]
        for round in 0..<50 {
            let world = try World()
            var leads: [(uuid: String, place: Int)] = []
            for index in 0..<6 {
                let uuid = try world.lead("+9198765\(43_210 + index)")
                let kind = kinds[generator.next(below: kinds.count)]
                let minutes = generator.next(below: 30)
                try world.promise(uuid, kind, at: world.now - .minutes(minutes))
                leads.append((uuid, kind.rank * 1000 - minutes))
            }
            let two = try (0..<2).map { _ in
                Orchestrator(
                    dialer: Dialer(
                        database: Database(
                            path: world.folder + "/test.db",
                            patience: .seconds(60)
                        ),
                        vapi: world.vapi,
                        journey: try world.journey(lines: 4),
                        locks: try AttemptLocks(path: world.database.companion("attempts")),
                        clock: Clock { world.now }
                    )
                )
            }
            try inParallel(two.map { orchestrator in { try orchestrator.run() } })
            // The four that come first in order of promise, each once, and no line more. Equal places
            // are told apart by the order of their promises.
            let first = leads.enumerated().sorted {
                ($0.element.place, $0.offset) < ($1.element.place, $1.offset)
            }.prefix(4).map(\.element.uuid)
            #expect(world.orders.count == 4, "seed \(generator.seed), round \(round)")
            #expect(
                Set(world.orders.map(\.leadUUID)) == Set(first),
                "seed \(generator.seed), round \(round)"
            )
        }
    }
}
