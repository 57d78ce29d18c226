import Testing

@testable import Core
@testable import World

@Suite struct HangUpsTests {
    let world: World
    let uuid: String

    init() throws {
        world = try World()
        uuid = try world.lead()
        world.vapiAnswers {
            .placed(callID: "vapi-\($0.attemptID)", controlURL: "https://vapi.test/control")
        }
        try world.promise(uuid, .retry)
        _ = try Orchestrator(dialer: world.dialer()).run()
        world.move(by: .minutes(1))
    }

    private func optOut(_ channel: ContactGate.Channel) throws {
        try world.database.write { connection in
            try Suppressions.optOut(
                unwrap(Contact.find(uuid: uuid, in: connection)),
                channel: channel,
                words: "STOP",
                now: world.now,
                in: connection
            )
        }
    }

    private func run() throws -> Int { try Orchestrator(dialer: world.dialer()).run().hungUp }

    @Test func `an opt-out on WhatsApp ends the call under way, until it is over`() throws {
        #expect(try run() == 0)
        try optOut(.whatsapp)
        #expect(try run() == 1)
        #expect(world.endings == ["https://vapi.test/control"])
        world.vapiCanBeAsked(false)
        #expect(try run() == 0)
        world.vapiCanBeAsked(true)
        #expect(try run() == 1)
        try world.database.write {
            try $0.execute("UPDATE calls SET state = 'ended', ended_at = \(world.now)")
        }
        #expect(try run() == 0)
        #expect(
            try world.value("SELECT count(*) FROM journey_steps WHERE decision = 'call_ended'") == 1
        )
    }

    @Test func `somebody who opts out in the call itself is told goodbye first`() throws {
        try optOut(.call)
        world.move(by: .seconds(19))
        #expect(try run() == 0)
        world.move(by: .seconds(1))
        #expect(try run() == 1)
    }

    @Test func `where the control address is not known, Vapi is asked for it`() throws {
        try world.database.write { try $0.execute("UPDATE calls SET control_url = NULL") }
        try optOut(.whatsapp)
        #expect(try run() == 0)
        let id: String = try unwrap(world.value("SELECT vapi_call_id FROM calls"))
        world.vapiKnows([
            "id": .string(id), "status": "in-progress",
            "monitor": ["controlUrl": "https://vapi.test/other"],
        ])
        #expect(try run() == 1)
        #expect(world.endings == ["https://vapi.test/other"])
    }
}
