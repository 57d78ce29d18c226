import Testing

@testable import Core
@testable import World
@testable import call

@Suite struct CallTests {
    let world: World

    init() throws { world = try World() }

    // MARK: One

    @Test func `a call is placed at once and answered with its id`() throws {
        let uuid = try world.lead()
        let answer = try call(uuid)
        #expect(answer.status == 200)
        #expect(answer.json["success"] == true)
        #expect(answer.json["status"] == "queued")
        #expect(answer.json["call_id"]?.string == world.orders.first.map { "vapi-\($0.attemptID)" })
        #expect(world.orders.map(\.leadUUID) == [uuid])
        #expect(try world.contact(uuid).status == .initiated)
    }

    @Test func `pressing twice calls once`() throws {
        let uuid = try world.lead()
        _ = try call(uuid)
        let again = try call(uuid)
        #expect(again.status == 409)
        #expect(again.json["code"] == "call_in_progress")
        #expect(world.orders.count == 1)
    }

    @Test func `without a free line the call waits`() throws {
        _ = try call(world.lead("+919876543210"), lines: 1)
        let second = try world.lead("+919876543211")
        let answer = try call(second, lines: 1)
        #expect(answer.status == 202)
        #expect(answer.json["status"] == "waiting")
        #expect(world.orders.count == 1)
        #expect(
            try world.value("SELECT count(*) FROM dial_requests WHERE state = 'waiting'") == 1
        )
    }

    @Test func `the gate's refusal says why and until when`() throws {
        world.move(to: World.monday + .hours(11))  // 22:00 in India
        let answer = try call(world.lead())
        #expect(answer.status == 409)
        #expect(answer.json["code"] == "outside_calling_hours")
        #expect(answer.json["until"]?.string?.hasPrefix("2026-11-24T10:") == true)
        #expect(answer.json["error"] == "It is outside this person's calling hours.")
        #expect(world.orders.isEmpty)
    }

    @Test func `an unknown lead is not found`() throws {
        #expect(try call(Identifier.random()).status == 404)
    }

    static let answers: [(Vapi.Placement, Int, String?, String?)] = [
        (.refused(.init(kind: .number, status: 400)), 409, "number_invalid", nil),
        (.refused(.init(kind: .key, status: 401)), 502, "provider_refused", nil),
        (.refused(.init(kind: .policy, status: 400)), 502, "provider_refused", nil),
        (.refused(.init(kind: .concurrency, status: 400)), 202, nil, "waiting"),
        (.refused(.init(kind: .rate, status: 429)), 202, nil, "waiting"),
        (.unknown(cause: "timeout"), 202, nil, "waiting"),
        (.notSent(.unreachable), 202, nil, "waiting"),
    ]

    @Test(arguments: answers)
    func `whatever Vapi answers becomes a sentence`(
        placement: Vapi.Placement,
        status: Int,
        code: String?,
        state: String?
    ) throws {
        world.vapiAnswers { _ in placement }
        let answer = try call(world.lead())
        #expect(answer.status == status)
        #expect(answer.json["code"]?.string == code)
        #expect(answer.json["status"]?.string == state)
        let sentence = answer.json["error"]?.string ?? answer.json["message"]?.string
        #expect(sentence?.hasSuffix(".") == true)
    }

    @Test func `a rehearsal's database calls nobody real`() throws {
        try Rehearsal.mark(world.database, now: world.now)
        let uuid = try world.lead()
        let answer = try call(uuid, isSimulated: false)
        #expect(answer.status == 503)
        #expect(answer.json["error"]?.string?.contains("rehearsal") == true)
        #expect(world.orders.isEmpty)
        #expect(try world.contact(uuid).status == .pending)
        #expect(try call(uuid).status == 200)
    }

    // MARK: Many

    @Test func `many are dialed as lines are free and the rest wait`() throws {
        let uuids = try (0..<8).map { try world.lead("+91987654321\($0)") }
        let answer = try bulk(uuids + [uuids[0]], lines: 5)
        #expect(answer.json["success"] == true)
        #expect(answer.json["calls_initiated"] == 5)
        #expect(answer.json["calls_queued"] == 3)
        #expect(answer.json["errors"] == [])
        #expect(Set(world.orders.map(\.leadUUID)).count == 5)
    }

    @Test func `who may not be called is named with the reason`() throws {
        let good = try world.lead("+919876543210")
        let out = try world.lead("+919876543211")
        let number = try PhoneNumber(parsing: "+919876543211", defaultRegion: "IN")
        try world.database.write {
            try Suppressions.optOut(number, channel: .call, words: nil, now: world.now, in: $0)
        }
        let unknown = Identifier.random()
        let answer = try bulk([good, out, unknown])
        #expect(answer.json["calls_initiated"] == 1)
        let errors = try unwrap(answer.json["errors"]?.array)
        let codes = Dictionary(
            uniqueKeysWithValues: errors.map { ($0["lead_uuid"]?.string, $0["code"]?.string) }
        )
        #expect(codes == [out: "opted_out", unknown: "not_found"])
        #expect(world.orders.map(\.leadUUID) == [good])
    }

    @Test func `numbers that Vapi refuses are named, too`() throws {
        world.vapiAnswers { order in
            order.number.e164.hasSuffix("0")
                ? .refused(.init(kind: .number, status: 400))
                : .placed(callID: order.attemptID, controlURL: nil)
        }
        let bad = try world.lead("+919876543210")
        let good = try world.lead("+919876543211")
        let answer = try bulk([bad, good])
        #expect(answer.json["calls_initiated"] == 1)
        #expect(answer.json["calls_queued"] == 0)
        #expect(answer.json["errors"]?[0]?["lead_uuid"] == .string(bad))
        #expect(answer.json["errors"]?[0]?["code"] == "number_invalid")
    }

    @Test func `calls that somebody else dialed meanwhile are counted`() throws {
        let world = world
        let uuids = try (0..<3).map { try world.lead("+91987654321\($0)") }
        // While the first call is placed, the orchestrator's timer takes the other two.
        let other = Orchestrator(dialer: try world.dialer())
        world.vapiAnswers { order in
            if order.leadUUID == world.orders.first?.leadUUID { _ = try? other.run() }
            return .placed(callID: order.attemptID, controlURL: nil)
        }
        let answer = try bulk(uuids)
        #expect(answer.json["calls_initiated"] == 3)
        #expect(answer.json["calls_queued"] == 0)
    }

    static let wrong: [JSON] = [
        [:], ["lead_uuids": []], ["lead_uuids": "x"], ["lead_uuids": [1]],
        ["lead_uuids": ["a"], "extra": 1],
    ]

    @Test(arguments: wrong)
    func `a wish that names nobody is refused`(body: JSON) throws {
        #expect(try send("/api/leads/bulk-call", body).status == 422)
    }

    @Test func `a wish that names too many is refused`() throws {
        let answer = try bulk(Array(repeating: "a", count: OperatorCalls.limit + 1))
        #expect(answer.status == 422)
        #expect(world.orders.isEmpty)
    }

    // MARK: Requests

    private func call(_ uuid: String, lines: Int = 5, isSimulated: Bool = true) throws -> Response {
        try send("/api/leads/\(uuid)/call", [:], lines: lines, isSimulated: isSimulated)
    }

    private func bulk(_ uuids: [String], lines: Int = 5) throws -> Response {
        try send(
            "/api/leads/bulk-call",
            ["lead_uuids": .array(uuids.map(JSON.string))],
            lines: lines
        )
    }

    private func send(
        _ path: String,
        _ body: JSON,
        lines: Int = 5,
        isSimulated: Bool = true
    ) throws -> Response {
        var vapi = world.vapi
        vapi.isSimulated = isSimulated
        let dialer = Dialer(
            database: world.database,
            vapi: vapi,
            journey: try world.journey(lines: lines),
            locks: try AttemptLocks(path: world.database.companion("attempts")),
            clock: Clock { [world] in world.now }
        )
        let calls = Calls(
            calls: OperatorCalls(dialer: dialer),
            zone: try unwrap(Zone(identifier: "Asia/Kolkata")),
            triggers: Triggers(folder: nil)
        )
        let request = Request(
            method: "POST",
            path: path,
            headers: ["content-type": "application/json"],
            body: Request.Body(body.encoded())
        )
        do { return try calls.router.respond(to: request) } catch {
            return FastCGI.answer(to: error)
        }
    }
}
