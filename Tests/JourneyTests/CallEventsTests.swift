import Testing

@testable import Core
@testable import World

/// What random histories found wrong once, told one by one.
@Suite struct CallEventsTests {
    let world: World

    init() throws { world = try World(in: World.memory) }

    // MARK: Put back

    @Test func `an attempt that is put back brings back what it had made needless`() throws {
        let uuid = try world.lead()
        try world.promise(uuid, .retry, at: world.now + .hours(1))
        try world.promise(uuid, .operator)
        world.vapiAnswers { _ in .refused(.init(kind: .rate, status: 429)) }
        try Orchestrator(dialer: world.dialer()).run()
        #expect(try waiting == ["operator", "retry"])
        let lead = try world.contact(uuid)
        #expect(lead.status == .pending)
        #expect(lead.journeyState == .new)
    }

    @Test func `what a cancelled schedule had planned does not come back with it`() throws {
        let uuid = try world.lead()
        let clock = Clock { [world] in world.now }
        let schedules = BulkSchedules(database: world.database, clock: clock)
        let plan = BulkSchedules.Plan(
            leadUUIDs: [uuid],
            start: world.now + .hours(1),
            parallelCalls: 1,
            batchInterval: .minutes(1)
        )
        let id = try schedules.create(plan, by: "test")
        try world.promise(uuid, .operator)
        world.vapiAnswers { _ in
            _ = try? schedules.cancel(id, by: "test")
            return .refused(.init(kind: .rate, status: 429))
        }
        try Orchestrator(dialer: world.dialer()).run()
        #expect(try waiting == ["operator"])
    }

    @Test func `a call of a cancelled schedule that failed by our fault does not come again`()
        throws
    {
        let uuid = try world.lead()
        let schedules = BulkSchedules(
            database: world.database,
            clock: Clock { [world] in world.now }
        )
        let plan = BulkSchedules.Plan(
            leadUUIDs: [uuid],
            start: world.now,
            parallelCalls: 1,
            batchInterval: .minutes(1)
        )
        let id = try schedules.create(plan, by: "test")
        try Orchestrator(dialer: world.dialer()).run()
        let attempt = try unwrap(world.orders.last?.attemptID)
        #expect(try schedules.cancel(id, by: "test")?.isCancelled == false)
        try apply(
            [
                "type": "end-of-call-report",
                "endedReason": "call.start.error-subscription-concurrency-limit-reached",
            ],
            attempt
        )
        #expect(try waiting == [])
    }

    @Test func `who opts out while being dialed gets no call promised when it is put back`() throws
    {
        let uuid = try world.lead()
        try world.promise(uuid, .retry)
        let world = world
        world.vapiAnswers { _ in
            try? world.database.write { connection in
                guard let lead = try Contact.find(uuid: uuid, in: connection) else { return }
                try Suppressions.optOut(
                    lead,
                    channel: .whatsapp,
                    words: "STOP",
                    now: world.now,
                    in: connection
                )
            }
            return .notSent(.unreachable)
        }
        try Orchestrator(dialer: world.dialer()).run()
        #expect(try waiting == [])
        #expect(try world.contact(uuid).journeyState == .optedOut)
    }

    @Test func `who waited for a call that must not be made is left to a person`() throws {
        let uuid = try world.lead("+12125550123", region: "US")
        try world.promise(uuid, .new)
        try world.database.write {
            try $0.execute("UPDATE leads SET journey_state = 'waiting'")
        }
        #expect(try Orchestrator(dialer: world.dialer()).run().dropped == 1)
        #expect(try world.contact(uuid).journeyState == .needsPerson)
    }

    // MARK: Between the end and the report

    @Test func `until the outcome of a call is known the person is not called again`() throws {
        let (uuid, attempt) = try dialed()
        try apply(["type": "status-update", "status": "ended"], attempt)
        world.move(by: .hours(1))
        try world.promise(uuid, .operator)
        #expect(try Orchestrator(dialer: world.dialer()).run().held == 1)
        try apply(["type": "end-of-call-report", "endedReason": "customer-busy"], attempt)
        world.move(by: .minutes(1))
        #expect(try Orchestrator(dialer: world.dialer()).run().placed == 1)
    }

    @Test func `a look-up just after the end leaves the outcome to the report`() throws {
        let (uuid, attempt) = try dialed()
        world.move(by: .minutes(4))
        know(attempt, endedAt: world.now - .seconds(1))
        try reconcile()
        #expect(try world.value("SELECT state FROM calls") == "ended")
        #expect(try world.value("SELECT outcome FROM calls") == String?.none)
        try apply(report(declined: true), attempt)
        #expect(try world.contact(uuid).journeyState == .declined)
    }

    @Test func `what was said counts although the report comes after the look-up`() throws {
        let (uuid, attempt) = try dialed()
        try world.promise(uuid, .callback, at: world.now + .hours(3))
        world.move(by: .minutes(4))
        know(attempt, endedAt: world.now - .minutes(2))
        try reconcile()
        #expect(try world.contact(uuid).journeyState == .completed)
        try apply(report(declined: true), attempt)
        let lead = try world.contact(uuid)
        #expect(lead.declinedAt != nil)
        #expect(lead.journeyState == .declined)
        #expect(lead.status == .completed)
        #expect(try waiting == [])
        #expect(try world.value("SELECT success_status FROM leads") == "Not Qualified")
    }

    // MARK: After the call

    @Test func `nothing is planned for a lead that was deleted during the call`() throws {
        let (uuid, attempt) = try dialed(channels: .init(whatsApp: true, email: true))
        try world.database.write {
            try LeadStore(callsNewLeads: false).delete(uuid, now: world.now, in: $0)
        }
        try apply(["type": "end-of-call-report", "endedReason": "customer-busy"], attempt)
        #expect(try world.value("SELECT outcome FROM calls") == "missed")
        #expect(try waiting == [])
        #expect(try world.value("SELECT count(*) FROM outbox") == 0)
    }

    @Test func `a missed call after a conversation brings no second message`() throws {
        let channels = Journey.Channels(whatsApp: true, email: false)
        let (uuid, attempt) = try dialed(channels: channels)
        try apply(report(declined: false), attempt, channels: channels)
        world.move(by: .hours(1))
        try world.promise(uuid, .operator)
        try Orchestrator(dialer: world.dialer()).run()
        let second = try unwrap(world.orders.last?.attemptID)
        try apply(
            ["type": "end-of-call-report", "endedReason": "customer-busy"],
            second,
            channels: channels
        )
        #expect(try world.contact(uuid).status == .completed)
        #expect(try world.value("SELECT count(*) FROM outbox") == 1)
    }

    @Test func `who could not be passed on to a colleague waits until a person got through`()
        throws
    {
        let channels = Journey.Channels(whatsApp: true, email: false)
        let (uuid, attempt) = try dialed(channels: channels)
        try world.promise(uuid, .retry, at: world.now + .hours(20))
        var report = try unwrap(report(declined: false).object)
        report["endedReason"] = "call.forwarding.no-answer"
        try apply(.object(report), attempt, channels: channels)
        #expect(try world.contact(uuid).status == .completed)
        #expect(try world.contact(uuid).journeyState == .needsPerson)
        #expect(try waiting == [])
        #expect(try world.value("SELECT count(*) FROM outbox") == 1)
        try apply(busy, try callByHand(uuid), channels: channels)
        #expect(try world.contact(uuid).journeyState == .needsPerson)
        report["endedReason"] = "assistant-ended-call"
        try apply(.object(report), try callByHand(uuid), channels: channels)
        #expect(try world.contact(uuid).journeyState == .completed)
        #expect(try world.value("SELECT count(*) FROM outbox") == 1)
    }

    @Test
    func `who was written to after the last retry is not written to again for a call by hand`()
        throws
    {
        let channels = Journey.Channels(whatsApp: true, email: false)
        let (uuid, attempt) = try dialed(channels: channels)
        try world.database.write { try $0.execute("UPDATE leads SET retry_count = 3") }
        try apply(busy, attempt, channels: channels)
        #expect(try world.contact(uuid).journeyState == .fallback)
        for _ in 0..<2 {
            try apply(busy, try callByHand(uuid), channels: channels)
            #expect(try world.contact(uuid).journeyState == .fallback)
        }
        #expect(try world.value("SELECT count(*) FROM outbox") == 1)
        // The first message could not be delivered meanwhile: then this call brings another.
        try world.database.write { try $0.execute("UPDATE outbox SET state = 'dead'") }
        try apply(busy, try callByHand(uuid), channels: channels)
        #expect(try world.value("SELECT count(*) FROM outbox WHERE state = 'queued'") == 1)
    }

    @Test(arguments: [
        "call-deleted", "call.in-progress.error-pipeline-ws-model-connection-failed",
    ])
    func `a retry that was planned does not follow a call that is left to a person`(reason: String)
        throws
    {
        let uuid = try world.lead()
        try world.promise(uuid, .retry, at: world.now + .hours(20))
        try world.promise(uuid, .callback, at: world.now + .hours(30))
        let attempt = try callByHand(uuid, after: .zero)
        var report = try unwrap(report(declined: false).object)
        report["endedReason"] = .string(reason)
        report["analysis"] = nil
        try apply(.object(report), attempt)
        #expect(try world.contact(uuid).journeyState == .needsPerson)
        #expect(try waiting == ["callback"])
        #expect(try world.value("SELECT next_retry_time FROM leads", as: Instant.self) == nil)
    }

    // MARK: A number that was corrected before the report came

    @Test func `that the old number is bad says nothing about the new one, which is called`() throws
    {
        let (uuid, attempt) = try dialed()
        try apply(["type": "status-update", "status": "ended"], attempt)
        try correct(uuid, "+919876543299")
        try apply(
            ["type": "end-of-call-report", "endedReason": "sip-outbound-unallocated-number"],
            attempt
        )
        #expect(try !world.contact(uuid).isNumberInvalid)
        #expect(try waiting == ["schedule"])
        world.move(by: .minutes(2))
        try Orchestrator(dialer: world.dialer()).run()
        #expect(world.orders.map(\.number.e164) == ["+919876543210", "+919876543299"])
    }

    @Test func `who declined has declined under the number that was dialed, too`() throws {
        let (uuid, attempt) = try dialed()
        try apply(["type": "status-update", "status": "ended"], attempt)
        try correct(uuid, "+919876543299")
        try apply(report(declined: true), attempt)
        let other = try world.lead("+919876543210")
        try world.promise(other, .retry)
        #expect(try Orchestrator(dialer: world.dialer()).run().dropped == 1)
        #expect(world.orders.count == 1)
    }

    // MARK: Parts

    private let busy: JSON = ["type": "end-of-call-report", "endedReason": "customer-busy"]

    private func correct(_ uuid: String, _ number: String) throws {
        try world.database.write { connection in
            try LeadStore(callsNewLeads: false).edit(uuid, now: world.now, in: connection) {
                fields in
                var fields = fields
                fields.number = try unwrap(PhoneNumber(e164: number))
                return fields
            }
        }
    }

    /// Calls a lead as an operator does; returns the attempt.
    private func callByHand(_ uuid: String, after wait: Duration = .days(1)) throws -> String {
        world.move(by: wait)
        _ = try OperatorCalls(dialer: world.dialer()).call(leadUUID: uuid)
        return try unwrap(world.orders.last?.attemptID)
    }

    private var waiting: [String] {
        get throws {
            try world.database.read {
                try $0.rows("SELECT kind FROM dial_requests WHERE state = 'waiting' ORDER BY kind")
                    .map { try $0.required("kind") }
            }
        }
    }

    private func dialed(
        channels: Journey.Channels = .init(whatsApp: false, email: false)
    ) throws -> (uuid: String, attempt: String) {
        let uuid = try world.lead()
        try world.promise(uuid, .schedule)
        try Orchestrator(dialer: world.dialer(journey: world.journey(channels: channels))).run()
        return (uuid, try unwrap(world.orders.last?.attemptID))
    }

    private func report(declined: Bool) -> JSON {
        [
            "type": "end-of-call-report", "endedReason": "assistant-ended-call",
            "artifact": ["messages": [["role": "user", "message": "Hello."]]],
            "analysis": [
                "structuredData": [
                    "success_status": "Not Qualified", "declined": .bool(declined),
                ]
            ],
        ]
    }

    private func apply(
        _ message: JSON,
        _ attempt: String,
        channels: Journey.Channels = .init(whatsApp: true, email: true)
    ) throws {
        var fields = try unwrap(message.object)
        fields["timestamp"] = .integer(world.now.milliseconds)
        fields["call"] = [
            "id": .string("vapi-\(attempt)"),
            "assistantOverrides": ["metadata": ["attemptId": .string(attempt)]],
        ]
        let body: JSON = ["message": .object(fields)]
        _ = try VapiWebhooks(
            database: world.database,
            journey: world.journey(channels: channels)
        ).receive(unwrap(VapiMessage(body)), body: body.encoded(), now: world.now)
    }

    /// What Vapi knows of a call before it has analysed it.
    private func know(_ attempt: String, endedAt: Instant) {
        world.vapiKnows([
            "id": .string("vapi-\(attempt)"), "status": "ended",
            "endedReason": "assistant-ended-call", "endedAt": .string(endedAt.iso8601),
            "createdAt": .string(world.now.iso8601),
        ])
    }

    private func reconcile() throws {
        _ = try Reconciler(
            database: world.database,
            vapi: world.vapi,
            journey: world.journey(),
            locks: AttemptLocks(path: world.database.companion("attempts")),
            clock: Clock { [world] in world.now }
        ).run()
    }
}
