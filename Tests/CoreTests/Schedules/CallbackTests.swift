import Testing

@testable import Core
@testable import World

@Suite struct CallbackTests {
    let world: World

    init() throws { world = try World() }

    private func run(lines: Int) throws -> Orchestrator.Counts {
        try Orchestrator(dialer: world.dialer(lines: lines)).run()
    }

    /// Ends all live calls with an outcome.
    private func endCalls(_ outcome: String) throws {
        try world.database.write { connection in
            try connection.execute(
                """
                UPDATE calls SET state = 'ended', ended_at = \(world.now), outcome = \(outcome)
                WHERE state = 'queued'
                """
            )
        }
    }

    @Test(arguments: [1, 3])
    func `other work never takes the line that a promised callback needs`(lines: Int) throws {
        for index in 0..<20 {
            try world.promise(try world.lead("+9198765432\(10 + index)"), .retry)
        }
        let wanted = try world.lead("+919876500000")
        try world.promise(wanted, .callback, at: world.now + .minutes(8))
        // Calls of other work last as long as a call can.
        for _ in 0..<16 {
            _ = try run(lines: lines)
            world.move(by: .seconds(30))
        }
        #expect(try run(lines: lines).placed == 1)
        #expect(world.orders.last?.leadUUID == wanted)
        #expect(world.orders.count == lines)
    }

    @Test func `lines are kept for callbacks of the next ten minutes only`() throws {
        try world.promise(
            try world.lead("+919876500000"),
            .callback,
            at: world.now + .minutes(10) + .seconds(1)
        )
        try world.promise(try world.lead(), .retry)
        #expect(try run(lines: 1).placed == 1)
    }

    @Test func `a callback goes ahead of everything that is due`() throws {
        for index in 0..<20 {
            let uuid = try world.lead("+9198765432\(10 + index)")
            try world.promise(uuid, .operator, at: world.now - .hours(1))
        }
        let wanted = try world.lead("+919876500000")
        try world.promise(wanted, .callback)
        _ = try run(lines: 1)
        #expect(world.orders.map(\.leadUUID) == [wanted])
    }

    @Test func `who has been spoken to since the promise is not called for it`() throws {
        let uuid = try world.lead()
        try world.promise(uuid, .callback, at: world.now + .hours(3))
        world.move(by: .hours(1))
        try world.promise(uuid, .operator)
        _ = try run(lines: 5)
        try endCalls("completed")
        world.move(by: .hours(2))
        #expect(try run(lines: 5).dropped == 1)
        #expect(world.orders.count == 1)
        let step = try unwrap(
            world.database.read {
                try $0.first("SELECT decision, reason FROM journey_steps ORDER BY id DESC")
            }
        )
        #expect(step["decision"] == "not_called")
        let reason: String = try step.required("reason")
        #expect(reason.hasPrefix("This person has been spoken to since"))
    }

    @Test func `a missed call since the promise, or a talk before it, does not undo it`() throws {
        let uuid = try world.lead()
        try world.promise(uuid, .operator)
        _ = try run(lines: 5)
        // The promise is made during the conversation.
        world.move(by: .minutes(1))
        try world.promise(uuid, .callback, at: world.now + .hours(3))
        try endCalls("completed")
        world.move(by: .hours(1))
        try world.promise(uuid, .operator)
        _ = try run(lines: 5)
        try endCalls("missed")
        world.move(by: .hours(2))
        #expect(try run(lines: 5).placed == 1)
    }

    @Test func `while nobody knows whether the last call was a conversation, a callback waits`()
        throws
    {
        let uuid = try world.lead()
        try world.promise(uuid, .callback, at: world.now + .minutes(5))
        world.move(by: .minutes(4))
        try world.promise(uuid, .operator)
        _ = try run(lines: 5)
        try world.database.write {
            try $0.execute("UPDATE calls SET state = 'ended', ended_at = \(world.now)")
        }
        world.move(by: .minutes(1))
        #expect(try run(lines: 5).held == 1)
        try world.database.write { try $0.execute("UPDATE calls SET outcome = 'missed'") }
        world.move(by: .minutes(1))
        #expect(try run(lines: 5).placed == 1)
    }

    // MARK: Wishes

    private func wish(
        _ words: String,
        _ uuid: String,
        saidAt: Instant? = nil
    ) throws -> Journey.WishAnswer {
        let journey = try world.journey()
        return try world.database.write { connection in
            try journey.callbackWished(
                unwrap(Contact.find(uuid: uuid, in: connection)),
                words,
                saidAt: saidAt ?? world.now,
                now: world.now,
                in: connection
            )
        }
    }

    @Test(arguments: [
        ("+919876543210", "IN", "2026-11-23T15:00:00+05:30"),
        ("+442079460000", "GB", "2026-11-23T15:00:00Z"),
    ])
    func `three o'clock is three o'clock where the lead is`(
        number: String,
        region: String,
        time: String
    ) throws {
        let uuid = try world.lead(number, region: region)
        #expect(
            try wish("3 PM today", uuid)
                == .promised(dueAt: unwrap(Instant(iso8601: time)))
        )
    }

    @Test func `where nobody knows what the lead's clock shows, no hour is guessed`() throws {
        let uuid = try world.lead("+15145550123", region: "CA")
        #expect(try wish("3 PM today", uuid) == .unclear)
        #expect(try wish("2026-11-23T15:00", uuid) == .unclear)
        #expect(try world.contact(uuid).journeyState == .needsPerson)
        // A wait and a moment with its zone are clear everywhere.
        let evening = try unwrap(Instant(iso8601: "2026-11-23T17:00:00Z"))
        #expect(try wish("2026-11-23T12:00:00-05:00", uuid) == .promised(dueAt: evening))
        world.move(to: evening)
        #expect(try wish("in two hours", uuid) == .promised(dueAt: evening + .hours(2)))
    }

    @Test func `a phrase means what it meant when it was said`() throws {
        let uuid = try world.lead()
        let said = world.now - .minutes(50)
        #expect(try wish("in an hour", uuid, saidAt: said) == .promised(dueAt: said + .hours(1)))
        #expect(try wish("in half an hour", uuid, saidAt: said) == .unclear)
    }

    @Test func `an unclear wish is a person's to arrange, and stands on the lead's page`() throws {
        let uuid = try world.lead()
        #expect(try wish("when my father is home", uuid) == .unclear)
        #expect(try world.contact(uuid).journeyState == .needsPerson)
        #expect(
            try world.value("SELECT decision FROM journey_steps WHERE node = 'callback'")
                == "callback_unclear"
        )
        #expect(try world.value("SELECT count(*) FROM dial_requests") == 0)
    }

    @Test func `outside lawful hours the page says when the call is made instead`() throws {
        let uuid = try world.lead()
        guard case .promised(let dueAt) = try wish("today 10 pm", uuid) else {
            Issue.record("not promised")
            return
        }
        #expect(dueAt > world.now + .hours(22))
        let reason: String? = try world.value("SELECT reason FROM journey_steps")
        #expect(reason?.contains("outside the hours") == true)
    }

    @Test func `who opted out is promised nothing, and the page says why`() throws {
        let uuid = try world.lead()
        try world.database.write { try $0.execute("UPDATE leads SET opted_out_at = 1") }
        #expect(try wish("tomorrow 3 pm", uuid) == .refused(.optedOut))
        #expect(try world.value("SELECT count(*) FROM dial_requests") == 0)
        #expect(
            try world.value("SELECT decision FROM journey_steps") == "callback_refused"
        )
    }
}
