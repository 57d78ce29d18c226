import Foundation
import Testing

@testable import Core
@testable import World
@testable import webhook_vapi

@Suite struct WebhookVapiTests {
    let world: World
    let secret = "a-webhook-secret-of-some-length"

    init() throws { world = try World() }

    // MARK: Who may come in

    @Test func `without a configured secret nobody comes in`() throws {
        let response = try respond(event("status-update"), secret: nil, headers: [:])
        #expect(response.status == 503)
        #expect(try world.value("SELECT count(*) FROM webhook_events") == 0)
    }

    @Test(arguments: [
        [:], ["x-vapi-secret": "wrong"], ["authorization": "Bearer wrong"],
        ["authorization": "Basic a-webhook-secret-of-some-length"],
        ["x-signature": "00", "x-timestamp": "1795411800000"], ["x-signature": "00"],
    ])
    func `wrong or missing credentials are refused and nothing is stored`(
        headers: [String: String]
    ) throws {
        let response = try respond(event("status-update"), headers: headers)
        #expect(response.status == 401)
        #expect(try world.value("SELECT count(*) FROM webhook_events") == 0)
    }

    @Test func `the secret is taken as a header, as a bearer token and as a signature`() throws {
        let body = event("status-update")
        let stamp = "\(world.now.milliseconds)"
        let ways = [
            ["x-vapi-secret": secret], ["authorization": "Bearer \(secret)"],
            ["x-signature": signature(body, stamp), "x-timestamp": stamp],
        ]
        for headers in ways { #expect(try respond(body, headers: headers).status == 200) }
    }

    @Test(arguments: [(-301, 401), (-299, 200), (299, 200), (301, 401)])
    func `a signature is good for five minutes`(seconds: Int, status: Int) throws {
        let body = event("status-update")
        let stamp = "\((world.now + .seconds(seconds)).milliseconds)"
        let headers = ["x-signature": signature(body, stamp), "x-timestamp": stamp]
        #expect(try respond(body, headers: headers).status == status)
    }

    @Test func `a changed body does not fit its signature`() throws {
        let body = event("status-update")
        let stamp = "\(world.now.milliseconds)"
        let headers = ["x-signature": signature(body, stamp), "x-timestamp": stamp]
        var changed = body
        changed[changed.count - 1] = UInt8(ascii: " ")
        #expect(try respond(changed, headers: headers).status == 401)
    }

    // MARK: What is no event

    @Test(arguments: [
        "", "{", "[]", "null", #"{"message":1}"#, #"{"message":{}}"#, "{\"a\":\"\u{1}\"}",
    ])
    func `what is no event is a 400 with a sentence`(text: String) throws {
        let response = try respond(Array(text.utf8))
        #expect(response.status == 400)
        #expect(try world.value("SELECT count(*) FROM webhook_events") == 0)
    }

    @Test func `an unknown type and an unknown call are stored and answered`() throws {
        #expect(try respond(event("speech-update")).status == 200)
        #expect(
            try respond(event("end-of-call-report", ["endedReason": "voicemail"])).status == 200
        )
        #expect(try world.value("SELECT count(*) FROM webhook_events") == 2)
    }

    // MARK: The life of a call

    @Test func `a conversation makes a qualified lead`() throws {
        let (uuid, attempt) = try dialed()
        for event in conversation(attempt) { #expect(try respond(event).status == 200) }
        let row = try unwrap(
            world.database.read { try $0.first("SELECT * FROM leads WHERE lead_uuid = \(uuid)") }
        )
        #expect(row["call_status"] == "completed")
        #expect(row["success_status"] == "Qualified")
        #expect(row["summary"] == "Asha wants to study in the USA.")
        #expect(row["country"] == "USA")
        #expect(row["university"] == "MIT")
        #expect(row["intake"] == "Fall 2027")
        #expect(row["visa_status"] == "Applying")
        #expect(row["budget"] == "$1500 a month")
        #expect(row["transcript"] == "Eshwari: Hi Asha.\nAsha: I want to study in the USA.")
        #expect(row["call_duration"] == 62)
        #expect(try world.value("SELECT cost FROM calls") == 0.21)
        #expect(try world.contact(uuid).journeyState == .completed)
    }

    @Test func `every permutation of a call's events, with repeats, ends in the same row`() throws {
        let generator = Seeded.random()
        var states: Set<String> = []
        let orders = permutations(of: Array(0..<5))
        for order in orders {
            let world = try World()
            let suite = try WebhookVapiTests(world: world)
            let (_, attempt) = try suite.dialed()
            let events = suite.conversation(attempt)
            for index in order {
                for _ in 0...generator.next(below: 2) {
                    #expect(try suite.respond(events[index]).status == 200)
                }
            }
            states.insert(try suite.endState())
        }
        #expect(orders.count == 120)
        #expect(states.count == 1, "seed \(generator.seed)")
    }

    @Test
    func
        `whichever of a call's events are lost, and whatever the order of the rest, it ends in the same row`()
        throws
    {
        let generator = Seeded.random()
        var states: Set<String> = []
        for kept in 0..<32 {
            let suite = try WebhookVapiTests()
            let world = suite.world
            let (_, attempt) = try suite.dialed()
            let events = suite.conversation(attempt)
            world.vapiKnows(suite.finished(attempt))
            var left = (0..<5).filter { kept & 1 << $0 != 0 }
            while !left.isEmpty {
                let event = events[left.remove(at: generator.next(below: left.count))]
                for _ in 0...generator.next(below: 2) {
                    #expect(try suite.respond(event).status == 200)
                }
            }
            // What nobody told is asked for.
            for _ in 0..<3 {
                world.move(by: .minutes(4))
                _ = try suite.reconcile()
            }
            states.insert(try suite.endState())
        }
        #expect(states.count == 1, "seed \(generator.seed)")
    }

    @Test
    func `events that come again after the end change nothing, not even during the next call`()
        throws
    {
        let generator = Seeded.random()
        let (uuid, attempt) = try dialed()
        let events = conversation(attempt)
        for event in events { _ = try respond(event) }
        let state = try endState()
        world.move(by: .hours(1))
        func replay() throws {
            for order in permutations(of: Array(0..<5)).shuffled(using: generator).prefix(20) {
                for index in order { #expect(try respond(events[index]).status == 200) }
            }
        }
        try replay()
        #expect(try endState() == state, "seed \(generator.seed)")

        let calls = OperatorCalls(dialer: try world.dialer())
        guard case .dialed(.placed(let second, _)) = try calls.call(leadUUID: uuid) else {
            Issue.record("not dialed")
            return
        }
        _ = try respond(status(second, "ringing"))
        let during = try everything()
        try replay()
        #expect(try everything() == during, "seed \(generator.seed)")
        let live: String? = try world.value("SELECT state FROM calls ORDER BY id DESC")
        #expect(live == "ringing")
    }

    @Test(arguments: [
        ("customer-did-not-answer", "missed"), ("customer-busy", "missed"), ("voicemail", "missed"),
        ("call.in-progress.error-sip-outbound-call-failed-to-connect", "failed"),
    ])
    func `a call that reached nobody is retried an hour after its end`(
        reason: String,
        status: String
    ) throws {
        let (uuid, attempt) = try dialed()
        _ = try respond(report(attempt, reason: reason, spoken: false))
        let lead = try world.contact(uuid)
        #expect(lead.status.rawValue == status)
        #expect(lead.retryCount == 1)
        let retry = try unwrap(
            world.database.read {
                try $0.first(
                    """
                    SELECT promised_at, due_at FROM dial_requests
                    WHERE kind = 'retry' AND state = 'waiting'
                    """
                )
            }
        )
        #expect(retry["promised_at"] == world.now + .hours(1))
        let late = try retry.required("due_at", as: Instant.self) - (world.now + .hours(1))
        #expect(late >= .zero && late < .minutes(1))
    }

    @Test func `the first call and three retries, then the chase is over`() throws {
        let (uuid, attempt) = try dialed()
        _ = try respond(report(attempt, reason: "customer-busy", spoken: false))
        var waits: [Int64] = []
        while let dueAt: Instant = try world.value(
            "SELECT due_at FROM dial_requests WHERE state = 'waiting'"
        ) {
            waits.append((dueAt - world.now).milliseconds / 3_600_000)
            world.move(to: dueAt)
            #expect(try Orchestrator(dialer: world.dialer()).run().placed == 1)
            let latest = try unwrap(world.orders.last).attemptID
            _ = try respond(report(latest, reason: "customer-busy", spoken: false))
        }
        #expect(waits == [1, 4, 24])
        let lead = try world.contact(uuid)
        #expect(lead.retryCount == 3)
        #expect(lead.status == .missed)
        #expect(lead.journeyState == .exhausted)
        #expect(world.orders.count == 4)
    }

    @Test func `somebody who declined is never called again`() throws {
        let (uuid, attempt) = try dialed()
        try world.promise(uuid, .callback, at: world.now + .hours(1))
        _ = try respond(
            report(attempt, reason: "customer-ended-call", spoken: true, declined: true)
        )
        #expect(try world.contact(uuid).journeyState == .declined)
        #expect(
            try world.value("SELECT count(*) FROM dial_requests WHERE state = 'waiting'") == 0
        )
    }

    @Test func `our own fault pauses calling and burns nobody`() throws {
        let (uuid, attempt) = try dialed()
        let reason = "call.start.error-subscription-insufficient-credits"
        _ = try respond(report(attempt, reason: reason, spoken: false))
        let lead = try world.contact(uuid)
        #expect(lead.status == .pending)
        #expect(lead.retryCount == 0)
        #expect(try world.database.read { try Pause.current(in: $0, now: world.now) } != nil)
        #expect(
            try world.value("SELECT count(*) FROM dial_requests WHERE state = 'waiting'") == 1
        )
    }

    @Test func `a full account is waited for without a pause`() throws {
        let (_, attempt) = try dialed()
        let reason = "call.start.error-subscription-concurrency-limit-reached"
        _ = try respond(report(attempt, reason: reason, spoken: false))
        #expect(try world.database.read { try Pause.current(in: $0, now: world.now) } == nil)
        world.move(by: .minutes(2))
        #expect(try Orchestrator(dialer: world.dialer()).run().placed == 1)
    }

    @Test func `ended frees the line at once and leaves the outcome to the report`() throws {
        let (_, attempt) = try dialed()
        _ = try respond(status(attempt, "ended", ["endedReason": "customer-ended-call"]))
        #expect(try world.value("SELECT state FROM calls") == "ended")
        #expect(try world.value("SELECT outcome FROM calls", as: String.self) == nil)
        _ = try respond(report(attempt, reason: "customer-ended-call", spoken: true))
        #expect(try world.value("SELECT outcome FROM calls") == "completed")
    }

    @Test func `an event before our own answer adopts Vapi's id`() throws {
        let uuid = try world.lead()
        try world.promise(uuid, .retry)
        let suite = self
        world.vapiAnswers { order in
            _ = try? suite.respond(suite.status(order.attemptID, "ringing"))
            return .placed(callID: "call-\(order.attemptID)", controlURL: nil)
        }
        try Orchestrator(dialer: world.dialer()).run()
        #expect(try world.value("SELECT state FROM calls") == "ringing")
        #expect(try world.value("SELECT count(*) FROM calls") == 1)
    }

    @Test func `a completed lead never falls to missed`() throws {
        let (uuid, attempt) = try dialed()
        for event in conversation(attempt) { _ = try respond(event) }
        world.move(by: .hours(1))
        let calls = OperatorCalls(dialer: try world.dialer())
        guard case .dialed(.placed(let second, _)) = try calls.call(leadUUID: uuid) else {
            Issue.record("not dialed")
            return
        }
        _ = try respond(report(second, reason: "customer-busy", spoken: false))
        #expect(try world.contact(uuid).status == .completed)
    }

    @Test func `the opt-out tool stops everything and answers at once`() throws {
        let (uuid, attempt) = try dialed()
        try world.promise(uuid, .callback, at: world.now + .hours(1))
        let response = try respond(toolCall(attempt, "opt_out", ["words": "Stop calling me"]))
        #expect(response.status == 200)
        let result = try unwrap(response.json["results"]?[0])
        #expect(result["toolCallId"]?.string == "tool-1")
        #expect(result["result"]?.string?.contains("\n") == false)
        #expect(try world.contact(uuid).optedOutAt != nil)
        #expect(
            try world.value("SELECT count(*) FROM dial_requests WHERE state = 'waiting'") == 0
        )
    }

    @Test(arguments: [
        ("2026-11-24T15:00:00+05:30", "result"), ("tomorrow", "error"),
        ("2026-11-20T15:00:00+05:30", "error"), ("2026-11-24T22:30:00+05:30", "error"),
    ])
    func `a callback is booked for a clear time within the hard hours only`(
        time: String,
        key: String
    ) throws {
        let (_, attempt) = try dialed()
        let response = try respond(toolCall(attempt, "book_callback", ["when_iso": .string(time)]))
        #expect(response.json["results"]?[0]?[key] != nil)
        let booked: Int? = try world.value(
            "SELECT count(*) FROM dial_requests WHERE kind = 'callback'"
        )
        #expect(booked == (key == "result" ? 1 : 0))
    }

    @Test func `a tool call that comes again gets the same answer and acts no second time`() throws
    {
        let (_, attempt) = try dialed()
        let body = toolCall(attempt, "book_callback", ["when_iso": "in two hours"])
        let first = try respond(body)
        #expect(first.json["results"]?[0]?["result"] != nil)
        world.move(by: .minutes(1))
        #expect(try respond(body).json == first.json)
        #expect(
            try world.value("SELECT count(*) FROM dial_requests WHERE kind = 'callback'") == 1
        )
        #expect(try world.value("SELECT count(*) FROM journey_steps WHERE node = 'callback'") == 1)
    }

    @Test func `what was booked in the call stands, whatever the analysis says later`() throws {
        let (_, attempt) = try dialed()
        _ = try respond(toolCall(attempt, "book_callback", ["when_iso": "in two hours"]))
        world.move(by: .minutes(5))
        _ = try respond(report(attempt, wish: "in two hours"))
        #expect(
            try world.value("SELECT count(*) FROM dial_requests WHERE kind = 'callback'") == 1
        )
    }

    @Test func `a time that only the analysis names is promised from the end of the call`() throws {
        let (_, attempt) = try dialed()
        let body = report(attempt, wish: "in two hours")
        let ended = world.now
        world.move(by: .minutes(10))
        _ = try respond(body)
        let promised: Instant? = try world.value(
            "SELECT promised_at FROM dial_requests WHERE kind = 'callback'"
        )
        #expect(promised == ended + .hours(2))
    }

    @Test(arguments: [true, false])
    func `a wish that stayed unclear in the call is a person's to arrange`(byTool: Bool) throws {
        let (uuid, attempt) = try dialed()
        if byTool {
            _ = try respond(toolCall(attempt, "book_callback", ["when_iso": "tomorrow"]))
            #expect(try world.contact(uuid).journeyState == .calling)
        }
        _ = try respond(report(attempt, wish: byTool ? nil : "some day"))
        #expect(try world.contact(uuid).journeyState == .needsPerson)
        #expect(try world.contact(uuid).status == .completed)
        #expect(
            try world.value(
                "SELECT count(*) FROM journey_steps WHERE decision = 'callback_unclear'"
            ) == 1
        )
    }

    @Test func `who declined is left alone on every channel, also when the list comes again`()
        throws
    {
        let (uuid, attempt) = try dialed()
        try world.database.write {
            try $0.execute(
                """
                INSERT INTO outbox (kind, lead_id, idempotency_key, payload, due_at, created_at)
                SELECT 'email', id, 'k', '{}', 1, 1 FROM leads
                """
            )
        }
        _ = try respond(
            report(attempt, reason: "customer-ended-call", spoken: true, declined: true)
        )
        #expect(try world.value("SELECT state FROM outbox") == "cancelled")
        let proof = try unwrap(
            world.database.read { try $0.first("SELECT * FROM suppressions WHERE kind = 'number'") }
        )
        #expect(proof["reason"] == "declined")
        #expect(proof["words"] == "Asha wants to study in the USA.")
        #expect(proof["lead_uuid"] == uuid)
        let store = LeadStore(callsNewLeads: true)
        let again = try world.database.write { connection in
            try store.delete(uuid, now: world.now, in: connection)
            let fields = LeadFields(
                name: "Asha",
                number: try unwrap(PhoneNumber(e164: "+919876543210")),
                numberRaw: "9876543210"
            )
            return try unwrap(
                try store.insert(fields, from: .list, now: world.now, in: connection)
            )
        }
        #expect(try world.contact(again.uuid).journeyState == .declined)
        let gate = try world.journey().gate
        for channel in [ContactGate.Channel.call, .whatsapp, .email] {
            let decision = try world.database.read { connection in
                try gate.mayContact(
                    unwrap(Contact.find(uuid: again.uuid, in: connection)),
                    channel: channel,
                    purpose: .operator,
                    now: world.now,
                    in: connection
                )
            }
            #expect(decision == .refuse(because: .declined))
        }
        #expect(
            try world.value("SELECT count(*) FROM dial_requests WHERE state = 'waiting'") == 0
        )
    }
}

// MARK: - Events

extension WebhookVapiTests {
    init(world: World) throws { self.world = world }

    /// A lead that was just dialed, and the attempt's id.
    func dialed() throws -> (uuid: String, attempt: String) {
        let uuid = try world.lead()
        try world.promise(uuid, .retry)
        world.vapiAnswers { .placed(callID: "call-\($0.attemptID)", controlURL: nil) }
        try Orchestrator(dialer: world.dialer()).run()
        return (uuid, try unwrap(world.orders.last).attemptID)
    }

    func respond(
        _ body: [UInt8],
        secret: String? = "a-webhook-secret-of-some-length",
        headers: [String: String] = ["x-vapi-secret": "a-webhook-secret-of-some-length"]
    ) throws -> Response {
        let clock = Clock { world.now }
        let webhook = VapiWebhook(
            webhooks: VapiWebhooks(database: world.database, journey: try world.journey()),
            signature: secret.map { WebhookSignature(secret: Secret($0)) },
            triggers: Triggers(folder: nil),
            clock: clock,
            log: Log(program: "test", level: .error, clock: clock)
        )
        let request = Request(
            method: "POST",
            path: "/webhook/vapi",
            headers: headers,
            body: .init(body)
        )
        do { return try webhook.router.respond(to: request) } catch {
            return FastCGI.answer(to: error)
        }
    }

    func signature(_ body: [UInt8], _ stamp: String) -> String {
        WebhookSignature.signature(of: body, timestamp: stamp, secret: Secret(secret))
    }

    func event(_ type: String, _ more: JSON = [:], call: JSON = ["id": "call-x"]) -> [UInt8] {
        var message = more.object ?? .init()
        message["type"] = .string(type)
        message["call"] = call
        if message["timestamp"] == nil { message["timestamp"] = .integer(world.now.milliseconds) }
        return (["message": .object(message)] as JSON).encoded()
    }

    func call(_ attempt: String) -> JSON {
        [
            "id": .string("call-\(attempt)"),
            "assistantOverrides": ["metadata": ["attemptId": .string(attempt)]],
        ]
    }

    func status(_ attempt: String, _ status: String, _ more: JSON = [:]) -> [UInt8] {
        var message = more.object ?? .init()
        message["status"] = .string(status)
        return event("status-update", .object(message), call: call(attempt))
    }

    func toolCall(_ attempt: String, _ name: String, _ arguments: JSON) -> [UInt8] {
        let tool: JSON = [
            "id": "tool-1", "type": "function",
            "function": ["name": .string(name), "arguments": arguments],
        ]
        return event("tool-calls", ["toolCallList": [tool]], call: call(attempt))
    }

    func report(
        _ attempt: String,
        reason: String,
        spoken: Bool,
        declined: Bool = false
    ) -> [UInt8] {
        let started = world.now - .seconds(62)
        let words: JSON = [
            ["role": "system", "message": "You are Eshwari."],
            ["role": "bot", "message": "Hi Asha."],
            ["role": "user", "message": "I want to study in the USA."],
        ]
        var message: JSON.Object = .init()
        message["endedReason"] = .string(reason)
        message["startedAt"] = .string(started.iso8601)
        message["endedAt"] = .string(world.now.iso8601)
        message["durationSeconds"] = spoken ? 62 : 0
        message["cost"] = 0.21
        message["artifact"] = ["messages": spoken ? words : []]
        if spoken {
            message["analysis"] = ["summary": "Asha wants to study in the USA."]
            message["artifact"] = [
                "messages": words,
                "structuredOutputs": [
                    "an-id": [
                        "name": "Lead qualification",
                        "result": [
                            "success_status": "Qualified", "country": "USA", "university": "MIT",
                            "intake": "Fall 2027", "visa_status": "Applying",
                            "budget": "$1500 a month", "declined": .bool(declined),
                        ],
                    ]
                ],
            ]
        }
        return event("end-of-call-report", .object(message), call: call(attempt))
    }

    /// A conversation after which the analysis names a wish for a callback, or none.
    func report(_ attempt: String, wish: String?) -> [UInt8] {
        var result = JSON.Object()
        result["success_status"] = "Potential"
        if let wish { result["callback_time"] = .string(wish) }
        let message: JSON = [
            "endedReason": "customer-ended-call",
            "startedAt": .string((world.now - .seconds(62)).iso8601),
            "endedAt": .string(world.now.iso8601), "durationSeconds": 62,
            "artifact": [
                "messages": [["role": "user", "message": "Please call me again."]],
                "structuredOutputs": [
                    "x": ["name": "Lead qualification", "result": .object(result)]
                ],
            ],
        ]
        return event("end-of-call-report", message, call: call(attempt))
    }

    /// The call as Vapi shows it once the conversation is over.
    func finished(_ attempt: String) -> JSON {
        let report = report(attempt, reason: "customer-ended-call", spoken: true)
        var call = ((try? JSON(parsing: report))?["message"]?.object) ?? .init()
        call["call"] = nil
        call["type"] = "outboundPhoneCall"
        call["timestamp"] = nil
        call["id"] = .string("call-\(attempt)")
        call["status"] = "ended"
        call["createdAt"] = .string(world.now.iso8601)
        call["assistantOverrides"] = ["metadata": ["attemptId": .string(attempt)]]
        return .object(call)
    }

    func reconcile() throws -> Reconciler.Counts {
        try Reconciler(
            database: world.database,
            vapi: world.vapi,
            journey: try world.journey(),
            locks: try AttemptLocks(path: world.database.companion("attempts")),
            clock: Clock { world.now }
        ).run()
    }

    /// Every row about leads, calls and promises.
    func everything() throws -> [[String]] {
        try ["leads", "calls", "dial_requests", "journey_steps"].map { table in
            try world.database.read { connection in
                let columns: [String] = try connection.rows(
                    "SELECT name FROM pragma_table_info(\(table))"
                ).map { try $0.required("name") }
                let row = columns.map { "quote(\($0))" }.joined(separator: " || ',' || ")
                return try connection.rows(
                    SQL(stringLiteral: "SELECT \(row) AS row FROM \(table) ORDER BY id")
                ).map { try $0.required("row") }
            }
        }
    }

    func conversation(_ attempt: String) -> [[UInt8]] {
        [
            status(attempt, "queued"), status(attempt, "ringing"), status(attempt, "in-progress"),
            status(attempt, "ended", ["endedReason": "customer-ended-call"]),
            report(attempt, reason: "customer-ended-call", spoken: true),
        ]
    }

    /// Everything about the lead and the call but identifiers and the order of hearing.
    func endState() throws -> String {
        try world.database.read { connection in
            let lead = try connection.first(
                """
                SELECT json_array(call_status, success_status, retry_count, next_retry_time,
                call_duration, summary, structured_data, transcript, journey_state, declined_at)
                AS state FROM leads
                """
            )
            let call = try connection.first(
                """
                SELECT json_array(state, outcome, counted, started_at, ended_at, ended_reason,
                duration_ms, cost, summary, transcript) AS state FROM calls
                """
            )
            let requests: Int? = try connection.value(
                "SELECT count(*) FROM dial_requests WHERE state <> 'done'"
            )
            // That the reconciler had to find something out is told, and is no other end.
            let steps: Int? = try connection.value(
                "SELECT count(*) FROM journey_steps WHERE node <> \(Reconciler.node)"
            )
            let states = [lead?["state"] as String?, call?["state"] as String?]
            return states.map { $0 ?? "-" }.joined() + "\(requests ?? -1) \(steps ?? -1)"
        }
    }
}

extension Array {
    /// In an order that the generator's seed decides.
    func shuffled(using generator: Seeded) -> [Element] {
        var rest = self
        return indices.map { _ in rest.remove(at: generator.next(below: rest.count)) }
    }
}

func permutations(of items: [Int]) -> [[Int]] {
    guard items.count > 1 else { return [items] }
    return items.indices.flatMap { index in
        var rest = items
        let item = rest.remove(at: index)
        return permutations(of: rest).map { [item] + $0 }
    }
}
