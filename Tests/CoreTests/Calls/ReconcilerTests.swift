import Testing

@testable import Core
@testable import World

@Suite struct ReconcilerTests {
    let world: World

    init() throws { world = try World() }

    /// An attempt whose dialer is gone, as a crash in the middle of a dial leaves it behind.
    private func orphan() throws -> String {
        try world.promise(try world.lead(), .retry)
        guard case .attempt(let attempt) = try world.dialer().reserveNext() else { throw Missing() }
        return attempt.attemptID
    }

    private func reconcile() throws -> Reconciler.Counts {
        try Reconciler(
            database: world.database,
            vapi: world.vapi,
            journey: try world.journey(),
            locks: try AttemptLocks(path: world.database.companion("attempts")),
            clock: Clock { world.now }
        ).run()
    }

    private func call(_ attempt: String, _ status: String, _ more: JSON = [:]) -> JSON {
        var call = more.object ?? .init()
        call["id"] = .string("vapi-\(attempt)")
        call["status"] = .string(status)
        call["createdAt"] = .string(world.now.iso8601)
        call["assistantOverrides"] = ["metadata": ["attemptId": .string(attempt)]]
        return .object(call)
    }

    private var state: String? {
        get throws { try world.value("SELECT state FROM calls ORDER BY id LIMIT 1") }
    }

    @Test func `an attempt without an answer is left alone for three minutes`() throws {
        _ = try orphan()
        world.move(by: .seconds(179))
        #expect(try reconcile() == .init())
        #expect(try world.value("SELECT absent_at FROM calls", as: Instant.self) == nil)
    }

    @Test func `a run that has nothing to repair changes no list that somebody looks at`() throws {
        _ = try world.lead()
        let before: Int? = try world.value("SELECT value FROM change_counter")
        _ = try reconcile()
        #expect(try world.value("SELECT seen_until FROM job_marks") == world.now)
        #expect(try world.value("SELECT value FROM change_counter") == before)
    }

    @Test func `only two complete listings a minute apart without the attempt let it be redialed`()
        throws
    {
        _ = try orphan()
        world.move(by: .seconds(180))
        #expect(try reconcile().notPlaced == 0)
        #expect(try state == "dialing")
        world.move(by: .seconds(59))
        #expect(try reconcile().notPlaced == 0)
        #expect(try state == "dialing")
        world.move(by: .seconds(1))
        #expect(try reconcile().notPlaced == 1)
        #expect(try state == "not_placed")
        #expect(try Orchestrator(dialer: world.dialer()).run().placed == 1)
        #expect(try world.value("SELECT count(*) FROM calls") == 2)
    }

    @Test func `while Vapi cannot be listed nobody is redialed`() throws {
        _ = try orphan()
        world.vapiCanBeAsked(false)
        for _ in 0..<20 {
            world.move(by: .minutes(10))
            #expect(try reconcile().unanswered == 1)
            #expect(try Orchestrator(dialer: world.dialer()).run().placed == 0)
        }
        #expect(try state == "dialing")
        #expect(world.orders.isEmpty)
    }

    @Test func `an attempt that Vapi has is adopted, not redialed`() throws {
        let attempt = try orphan()
        world.vapiKnows(call(attempt, "in-progress"))
        world.move(by: .minutes(3))
        #expect(try reconcile().adopted == 1)
        #expect(try state == "in_progress")
        #expect(try world.value("SELECT vapi_call_id FROM calls") == "vapi-\(attempt)")
        #expect(try world.value("SELECT state FROM dial_requests") == "done")
    }

    @Test func `an attempt that Vapi has finished goes straight to its outcome`() throws {
        let attempt = try orphan()
        world.vapiKnows(call(attempt, "ended", ["endedReason": "customer-busy"]))
        world.move(by: .minutes(3))
        _ = try reconcile()
        #expect(try world.value("SELECT outcome FROM calls") == "missed")
        #expect(try world.value("SELECT retry_count FROM leads") == 1)
    }

    @Test func `an attempt that turns up between the two listings is adopted`() throws {
        let attempt = try orphan()
        world.move(by: .minutes(3))
        _ = try reconcile()
        world.vapiKnows(call(attempt, "ringing"))
        world.move(by: .minutes(1))
        #expect(try reconcile().adopted == 1)
        #expect(try state == "ringing")
    }

    @Test func `an attempt whose dialer still lives is not touched, however slow it is`() throws {
        try world.promise(try world.lead(), .retry)
        let dialer = try world.dialer()
        guard case .attempt = try dialer.reserveNext() else { throw Missing() }
        for _ in 0..<5 {
            world.move(by: .minutes(10))
            #expect(try reconcile() == .init())
        }
        #expect(try state == "dialing")
        withExtendedLifetime(dialer) {}
    }

    @Test func `a call whose report was lost is looked up after ninety seconds`() throws {
        try world.promise(try world.lead(), .retry)
        world.vapiAnswers { .placed(callID: "vapi-\($0.attemptID)", controlURL: nil) }
        try Orchestrator(dialer: world.dialer()).run()
        let attempt = try unwrap(world.orders.first).attemptID
        try world.database.write { connection in
            let identity = VapiMessage.Identity(callObject: call(attempt, "ended"))
            let update = VapiMessage.StatusUpdate(
                identity: identity,
                status: "ended",
                timestamp: world.now
            )
            _ = try CallEvents(journey: world.journey())
                .apply(update, now: world.now, in: connection)
        }
        world.vapiKnows(call(attempt, "ended", ["endedReason": "voicemail"]))
        world.move(by: .seconds(89))
        #expect(try reconcile() == .init())
        world.move(by: .seconds(1))
        #expect(try reconcile().repaired == 1)
        #expect(try world.value("SELECT outcome FROM calls") == "missed")
    }

    @Test func `a live call that fell silent is looked up`() throws {
        let uuid = try world.lead()
        try world.promise(uuid, .retry)
        try Orchestrator(dialer: world.dialer()).run()
        let attempt = try unwrap(world.orders.first).attemptID
        world.vapiKnows(call(attempt, "in-progress"))
        world.move(by: .minutes(3))
        #expect(try reconcile().repaired == 1)
        #expect(try state == "in_progress")
        #expect(try world.contact(uuid).status == .answered)
    }

    @Test func `a call that Vapi has deleted ends and is handed to a person`() throws {
        let uuid = try world.lead()
        try world.promise(uuid, .retry)
        try Orchestrator(dialer: world.dialer()).run()
        world.move(by: .minutes(3))
        #expect(try reconcile().repaired == 1)
        #expect(try state == "ended")
        #expect(try world.contact(uuid).journeyState == .needsPerson)
        #expect(try Orchestrator(dialer: world.dialer()).run().placed == 0)
    }

    @Test func `the orchestrator is told when a reconciler is needed, and only then`() throws {
        func isNeeded() throws -> Bool {
            try world.database.read { try Reconciler.isNeeded(at: world.now, in: $0) }
        }
        #expect(try !isNeeded())
        _ = try orphan()
        #expect(try !isNeeded())
        world.move(by: .minutes(3))
        #expect(try isNeeded())
        _ = try reconcile()
        #expect(try !isNeeded())
        world.move(by: .minutes(1))
        #expect(try isNeeded())
    }

    // MARK: Calls that only one side knows

    private func decisions(_ node: String) throws -> [String] {
        try world.database.read { connection in
            try connection.rows(
                "SELECT decision FROM journey_steps WHERE node = \(node) ORDER BY id"
            ).map { try $0.required("decision") }
        }
    }

    @Test func `a call that Vapi has and we do not is noted once, on its lead's page too`() throws {
        try world.lead()
        for (id, number) in [("stranger", "+919876500001"), ("known", "+919876543210")] {
            world.vapiKnows([
                "id": .string(id), "status": "ended", "type": "outboundPhoneCall",
                "customer": ["number": .string(number)],
            ])
        }
        world.vapiKnows([
            "id": "somebody-called-us", "status": "ended", "type": "inboundPhoneCall",
            "customer": ["number": "+919876543210"],
        ])
        #expect(try reconcile().unmatched == 2)
        #expect(try reconcile().unmatched == 0)
        #expect(try decisions("reconcile") == ["unknown_call"])
        #expect(
            try world.value("SELECT count(*) FROM webhook_events WHERE state = 'unmatched'") == 2
        )
    }

    @Test func `a call of an attempt that had been given up is told, not hidden`() throws {
        let attempt = try orphan()
        for minutes in [3, 1] {
            world.move(by: .minutes(minutes))
            _ = try reconcile()
        }
        #expect(try state == "not_placed")
        world.vapiKnows(call(attempt, "in-progress"))
        #expect(try reconcile().unmatched == 1)
        #expect(try decisions("reconcile") == ["given_up"])
        #expect(try state == "not_placed")
    }

    @Test func `a status that differs from Vapi's is taken over and noted`() throws {
        let uuid = try world.lead()
        try world.promise(uuid, .retry)
        try Orchestrator(dialer: world.dialer()).run()
        let attempt = try unwrap(world.orders.first).attemptID
        world.vapiKnows(call(attempt, "in-progress"))
        #expect(try reconcile().repaired == 1)
        #expect(try state == "in_progress")
        #expect(try reconcile().repaired == 0)
        // Its end may still be reported for a while.
        let end: JSON = [
            "endedReason": "voicemail", "endedAt": .string(world.now.iso8601),
        ]
        world.vapiKnows(call(attempt, "ended", end))
        world.move(by: .seconds(89))
        #expect(try reconcile().repaired == 0)
        world.move(by: .seconds(1))
        #expect(try reconcile().repaired == 1)
        #expect(try world.value("SELECT outcome FROM calls") == "missed")
        #expect(try decisions("reconcile") == ["repaired", "repaired"])
        #expect(try reconcile() == .init())
    }

    @Test func `a listing begins where the last one ended, and further back after a silence`()
        throws
    {
        let asked = Lock<[Instant]>([])
        var vapi = world.vapi
        vapi.calls = { since throws(Vapi.Unreachable) in
            asked.withLock { $0.append(since) }
            if asked.withLock({ $0.count }) == 2 { throw Vapi.Unreachable("test") }
            return []
        }
        let reconciler = Reconciler(
            database: world.database,
            vapi: vapi,
            journey: try world.journey(),
            locks: try AttemptLocks(path: world.database.companion("attempts")),
            clock: Clock { world.now }
        )
        let first = world.now
        for _ in 0..<4 {
            _ = try reconciler.run()
            world.move(by: .minutes(10))
        }
        let lead = Reconciler.listingLead
        #expect(
            asked.withLock { $0 } == [
                first - .days(1) - lead, first - lead, first - lead, first + .minutes(20) - lead,
            ]
        )
    }
}
