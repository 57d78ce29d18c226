import Foundation
import Testing

@testable import Core
@testable import World
@testable import webhook_whatsapp

@Suite struct WebhookWhatsAppTests {
    let world: World
    let appSecret = Secret("an-app-secret")

    init() throws { world = try World() }

    private func respond(_ request: Request) throws -> Response {
        let webhook = WhatsAppWebhook(
            webhooks: WhatsAppWebhooks(
                database: world.database,
                journey: try world.journey(channels: .init(whatsApp: true, email: true))
            ),
            appSecret: appSecret,
            verifyToken: Secret("a-verify-token"),
            triggers: Triggers(folder: world.folder),
            clock: Clock { world.now }
        )
        do { return try webhook.router.respond(to: request) } catch {
            return FastCGI.answer(to: error)
        }
    }

    @Test func `an opt-out wakes the orchestrator, which ends a call under way; nothing else does`()
        throws
    {
        let trigger = "\(world.folder)/call-orchestrator"
        #expect(try post(text("Hello")).status == 200)
        #expect(!FileManager.default.fileExists(atPath: trigger))
        #expect(try post(text("STOP", id: "wamid.2")).status == 200)
        #expect(FileManager.default.fileExists(atPath: trigger))
    }

    @discardableResult
    private func post(_ body: [UInt8], signature: String? = nil) throws -> Response {
        let right = WhatsAppWebhooks.signature(of: body, appSecret: appSecret)
        return try respond(
            Request(
                method: "POST",
                path: "/webhook/whatsapp",
                headers: ["x-hub-signature-256": signature ?? "sha256=\(right)"],
                body: .init(body)
            )
        )
    }

    private func fixture(_ name: String) throws -> [UInt8] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
        return Array(try Data(contentsOf: folder.appending(path: "Fixtures/whatsapp/\(name)")))
    }

    private func update(_ value: JSON, field: String = "messages") -> [UInt8] {
        let change: JSON = ["field": .string(field), "value": value]
        return
            ([
                "object": "whatsapp_business_account",
                "entry": [["id": "1", "changes": [change]]],
            ] as JSON).encoded()
    }

    private func text(
        _ words: String,
        from number: String = "919876543210",
        id: String = "wamid.1"
    ) -> [UInt8] {
        update([
            "contacts": [["wa_id": .string(number), "user_id": "IN.1"]],
            "messages": [
                [
                    "from": .string(number), "from_user_id": "IN.1", "id": .string(id),
                    "timestamp": "1795411800", "type": "text", "text": ["body": .string(words)],
                ]
            ],
        ])
    }

    private func status(_ status: String, id: String = "wamid.OUT") -> [UInt8] {
        update([
            "statuses": [
                [
                    "id": .string(id), "status": .string(status), "timestamp": "1795411800",
                    "recipient_id": "919876543210",
                ]
            ]
        ])
    }

    // MARK: Handshake and signature

    @Test(arguments: [
        ("subscribe", "a-verify-token", 200), ("subscribe", "wrong", 403),
        ("unsubscribe", "a-verify-token", 403),
    ])
    func `the handshake answers the challenge for the right token only`(
        mode: String,
        token: String,
        status: Int
    ) throws {
        let response = try respond(
            Request(
                method: "GET",
                path: "/webhook/whatsapp",
                query: [
                    "hub.mode": mode, "hub.verify_token": token, "hub.challenge": "1158201444",
                ]
            )
        )
        #expect(response.status == status)
        guard status == 200, case .bytes(let bytes) = response.body else { return }
        #expect(String(decoding: bytes, as: UTF8.self) == "1158201444")
        #expect(response[header: "content-type"]?.hasPrefix("text/plain") == true)
    }

    @Test(arguments: ["", "sha256=", "sha256=00", "sha1=00"])
    func `what is not signed by Meta is refused and not stored`(signature: String) throws {
        try world.lead()
        #expect(try post(text("STOP"), signature: signature).status == 401)
        #expect(try world.value("SELECT count(*) FROM messages") == 0)
        #expect(try world.value("SELECT count(*) FROM suppressions") == 0)
    }

    @Test func `no changed signature is accepted`() throws {
        let body = text("hello")
        let right = WhatsAppWebhooks.signature(of: body, appSecret: appSecret)
        let generator = Seeded.random()
        let digits = Array("0123456789abcdef".utf8)
        for _ in 0..<20_000 {
            var changed = Array(right.utf8)
            let index = generator.next(below: changed.count)
            changed[index] = digits[generator.next(below: 16)]
            let text = String(decoding: changed, as: UTF8.self)
            let accepted = WhatsAppWebhooks.accepts(
                "sha256=\(text)",
                body: body,
                appSecret: appSecret
            )
            #expect(accepted == (text == right), "seed \(generator.seed)")
        }
    }

    // MARK: Contents

    @Test func `every message, status and preference of one body is stored once`() throws {
        let uuid = try world.lead()
        let body = try fixture("batch.json")
        #expect(try post(body).status == 200)
        #expect(try post(body).status == 200)
        let contents = try world.database.read {
            try $0.rows("SELECT content FROM messages ORDER BY id")
                .map { try $0.required("content", as: String.self) }
        }
        #expect(
            contents == [
                "Call me at 3 PM", "Stop", "3:00 PM", "[image] menu", "👍", "[unsupported]",
            ]
        )
        #expect(try world.value("SELECT count(DISTINCT lead_id) FROM messages") == 1)
        #expect(try world.contact(uuid).optedOutAt != nil)
    }

    @Test func `a user without a number is known again by the user id`() throws {
        try world.lead()
        try post(text("hello"))
        try post(try fixture("username_only.json"))  // somebody else: stays for review
        #expect(try world.value("SELECT count(*) FROM messages WHERE lead_id IS NULL") == 1)
        let known = update([
            "messages": [
                [
                    "from_user_id": "IN.1", "id": "wamid.2", "timestamp": "1795411800",
                    "type": "text", "text": ["body": "me again"],
                ]
            ]
        ])
        try post(known)
        #expect(try world.value("SELECT count(*) FROM messages WHERE lead_id IS NOT NULL") == 2)
    }

    @Test(arguments: [
        "STOP", "stop", " Stop. ", "UNSUBSCRIBE", "Don't call me!", "बंद करो", "band karo", "quit",
    ])
    func `a whole message that says stop is an opt-out at once`(words: String) throws {
        let uuid = try world.lead()
        try world.promise(uuid, .retry)
        try post(text(words))
        #expect(try world.contact(uuid).optedOutAt != nil)
        #expect(try Orchestrator(dialer: world.dialer()).run() == .init())
        #expect(try world.value("SELECT words FROM suppressions WHERE kind = 'number'") == words)
    }

    @Test(arguments: ["stop by at five", "please do not stop", "Can I cancel my booking?", "", "…"])
    func `a message that merely contains such a word is none`(words: String) throws {
        let uuid = try world.lead()
        try post(text(words))
        #expect(try world.contact(uuid).optedOutAt == nil)
    }

    @Test func `a stranger's stop is honoured when the number turns up in a list`() throws {
        try post(text("STOP", from: "919876543219"))
        let date = try world.database.read { connection in
            try Suppressions.date(
                ofNumber: unwrap(PhoneNumber(e164: "+919876543219")),
                in: connection
            )
        }
        #expect(date == world.now)
    }

    @Test func `START takes the opt-out back and dials nobody by itself`() throws {
        let uuid = try world.lead()
        try world.promise(uuid, .retry)
        try post(text("STOP", id: "wamid.a"))
        try post(text("START", id: "wamid.b"))
        #expect(try world.contact(uuid).optedOutAt == nil)
        #expect(try world.value("SELECT count(*) FROM suppressions") == 0)
        #expect(try world.value("SELECT count(*) FROM audit_log WHERE action = 'opt_in'") == 1)
        #expect(try Orchestrator(dialer: world.dialer()).run() == .init())
    }

    @Test func `START counts from a number that the lead was given after the opt-out`() throws {
        let uuid = try world.lead("+919876543219")
        try post(text("STOP", from: "919876543219", id: "wamid.a"))
        try world.database.write { connection in
            try LeadStore(callsNewLeads: false).edit(uuid, now: world.now, in: connection) {
                fields in
                var fields = fields
                fields.number = try unwrap(PhoneNumber(e164: "+919876543210"))
                return fields
            }
        }
        try post(text("START", id: "wamid.b"))
        #expect(try world.contact(uuid).optedOutAt == nil)
    }

    @Test(arguments: [
        (["sent", "delivered", "read"], "read"), (["read", "delivered", "sent"], "read"),
        (["sent", "failed"], "failed"), (["delivered", "failed"], "delivered"),
        (["failed", "sent"], "failed"), (["sent", "unheard-of"], "sent"),
    ])
    func `a message's status only goes forward`(statuses: [String], end: String) throws {
        let uuid = try world.lead()
        let lead = try world.contact(uuid)
        try world.database.write { connection in
            try connection.execute(
                """
                INSERT INTO messages (message_uuid, lead_id, channel, direction, content, status,
                provider_id, at) VALUES ('m', \(lead.id), 'whatsapp', 'outbound', 'Hi', 'queued',
                'wamid.OUT', 1)
                """
            )
        }
        for status in statuses { try post(self.status(status)) }
        #expect(try world.value("SELECT status FROM messages") == end)
    }

    @Test(arguments: ["{}", "[]", "null", #"{"object":"page","entry":[]}"#])
    func `a signed body of an unknown kind is kept and answered`(body: String) throws {
        #expect(try post(Array(body.utf8)).status == 200)
        #expect(try world.value("SELECT state FROM webhook_events") == "unmatched")
    }

    @Test(arguments: ["", "{", "\u{1}"])
    func `what is not JSON is a 400`(body: String) throws {
        #expect(try post(Array(body.utf8)).status == 400)
    }

    // MARK: Callbacks

    private func message(_ part: JSON, type: String, id: String = "wamid.c", at: Instant? = nil)
        -> [UInt8]
    {
        var message = JSON.Object()
        message["from"] = "919876543210"
        message["id"] = .string(id)
        message["timestamp"] = .string("\((at ?? world.now).milliseconds / 1000)")
        message["type"] = .string(type)
        message[type] = part
        message["context"] = ["id": "wamid.ASKED"]
        return update(["messages": [.object(message)]])
    }

    private func button(_ payload: String) -> [UInt8] {
        message(["payload": .string(payload), "text": "Yes, call me"], type: "button")
    }

    private func reply(_ payload: String) -> [UInt8] {
        message(
            [
                "type": "button_reply",
                "button_reply": ["id": .string(payload), "title": "3:00 PM"],
            ],
            type: "interactive"
        )
    }

    private var promised: [String] {
        get throws {
            let zone = try world.journey().zone
            return try world.database.read { connection in
                try connection.rows(
                    "SELECT promised_at FROM dial_requests WHERE kind = 'callback' ORDER BY id"
                ).map { try $0.required("promised_at", as: Instant.self).formatted(in: zone) }
            }
        }
    }

    @Test(arguments: [
        "Call me at 3 PM", "please call back today at 3 pm, thanks", "Can you call me at 15:00?",
        "Hi! Could you ring me in 4 hours",
    ])
    func `a message that names a clear time is a promise`(words: String) throws {
        try world.lead()
        try post(message(["body": .string(words)], type: "text"))
        #expect(try promised == ["2026-11-23T15:00:00+05:30"])
        try post(message(["body": .string(words)], type: "text"))
        #expect(try world.value("SELECT count(*) FROM journey_steps") == 1)
    }

    @Test(arguments: [
        "slot:1500", "slot:2026-11-23T15:00:00+05:30", "callback:2026-11-23T09:30:00Z",
    ])
    func `a button that names a time is a promise`(payload: String) throws {
        try world.lead()
        try post(reply(payload))
        #expect(try promised == ["2026-11-23T15:00:00+05:30"])
    }

    @Test func `CALLBACK_YES agrees to the time that was proposed`() throws {
        let lead = try world.contact(world.lead())
        try world.database.write { connection in
            try connection.execute(
                """
                INSERT INTO messages (message_uuid, lead_id, channel, direction, content, status,
                provider_id, metadata, at) VALUES ('m', \(lead.id), 'whatsapp', 'outbound', 'At 3?',
                'sent', 'wamid.ASKED', '{"callback_time":"2026-11-23T15:00:00+05:30"}', 1)
                """
            )
        }
        try post(button("CALLBACK_YES"))
        #expect(try promised == ["2026-11-23T15:00:00+05:30"])
    }

    @Test(arguments: [
        ("text", "Call me sometime"), ("text", "call me at 3"), ("text", "Don't call me at 3 pm"),
        ("text", "Call me at 3 pm or 4 pm"), ("button", "CALLBACK_YES"), ("button", "slot:1000"),
        ("button", "callback:soon"), ("button", "slot:2026-11-20T15:00:00+05:30"),
    ])
    func `a wish without a clear time to come is handed to a person`(type: String, words: String)
        throws
    {
        let uuid = try world.lead()
        try post(
            type == "text" ? message(["body": .string(words)], type: "text") : button(words)
        )
        #expect(try promised == [])
        #expect(try world.contact(uuid).journeyState == .needsPerson)
        #expect(try world.value("SELECT decision FROM journey_steps") == "callback_unclear")
    }

    @Test(arguments: ["Tomorrow 3 pm", "I saw your recall notice", "Thanks", "What is the fee?"])
    func `a message that asks for no call plans none`(words: String) throws {
        let uuid = try world.lead()
        try post(message(["body": .string(words)], type: "text"))
        #expect(try promised == [])
        #expect(try world.contact(uuid).journeyState == .new)
    }

    @Test func `a late delivery means the time at which it was written`() throws {
        try world.lead()
        let written = world.now - .hours(2)
        try post(message(["body": "call me in 3 hours"], type: "text", at: written))
        #expect(try promised == ["2026-11-23T12:00:00+05:30"])
    }

    @Test func `who has opted out is promised nothing by a button`() throws {
        let uuid = try world.lead()
        try post(text("STOP"))
        try post(reply("slot:1500"))
        #expect(try promised == [])
        #expect(try world.contact(uuid).journeyState == .optedOut)
        #expect(
            try world.value("SELECT decision FROM journey_steps ORDER BY id DESC")
                == "callback_refused"
        )
    }

    @Test func `an opt-out wakes the orchestrator, which ends a call under way`() throws {
        try world.lead()
        let trigger = world.folder + "/call-orchestrator"
        try post(text("hello"))
        #expect(!FileManager.default.fileExists(atPath: trigger))
        try post(text("STOP", id: "wamid.stop"))
        #expect(FileManager.default.fileExists(atPath: trigger))
    }

    // MARK: Failures

    /// A lead whose calls are used up and whose WhatsApp message is queued; its outbox row.
    private func fallenBack(email: String?, template: String = "retry_fallback") throws -> Int64 {
        let uuid = try world.lead(email: email)
        try world.database.write {
            try $0.execute("UPDATE leads SET retry_count = 3, call_status = 'missed'")
        }
        try world.promise(uuid, .operator)
        _ = try Orchestrator(dialer: world.dialer()).run()
        let attempt = try unwrap(world.orders.last).attemptID
        let isTalk = template == "lead_followup"
        let words: JSON = [["role": "user", "message": "Tell me about the fees, please."]]
        let report = VapiMessage.CallReport(callObject: [
            "id": .string("vapi-\(attempt)"), "status": "ended",
            "endedReason": .string(isTalk ? "customer-ended-call" : "customer-busy"),
            "startedAt": .string((world.now - .minutes(1)).iso8601),
            "endedAt": .string(world.now.iso8601),
            "artifact": ["messages": isTalk ? words : []],
        ])
        let journey = try world.journey(channels: .init(whatsApp: true, email: true))
        return try world.database.write { connection in
            _ = try CallEvents(journey: journey).apply(report, now: world.now, in: connection)
            return try unwrap(connection.value("SELECT id FROM outbox WHERE kind = 'whatsapp'"))
        }
    }

    private func failure(_ id: Int64, code: Int = 131_026) -> [UInt8] {
        update([
            "statuses": [
                [
                    "id": "wamid.OUT", "status": "failed", "timestamp": "1795411800",
                    "recipient_id": "919876543210",
                    "biz_opaque_callback_data": .string("msg:\(id)"),
                    "errors": [["code": .integer(Int64(code))]],
                ]
            ]
        ])
    }

    private var queued: [String] {
        get throws {
            try world.database.read { connection in
                try connection.rows(
                    """
                    SELECT kind || ' ' || json_extract(payload, '$.template') || ' ' || state AS row
                    FROM outbox ORDER BY id
                    """
                ).map { try $0.required("row") }
            }
        }
    }

    @Test(arguments: ["retry_fallback", "lead_followup"])
    func `when WhatsApp cannot deliver, the same message goes by e-mail, once`(template: String)
        throws
    {
        let id = try fallenBack(email: "asha@example.in", template: template)
        #expect(try queued == ["whatsapp \(template) queued"])
        try post(failure(id))
        try post(failure(id))
        #expect(try queued == ["whatsapp \(template) dead", "email \(template) queued"])
    }

    @Test func `without an e-mail address the chase is over when WhatsApp fails`() throws {
        let id = try fallenBack(email: nil)
        try post(failure(id))
        #expect(try queued == ["whatsapp retry_fallback dead"])
        #expect(try world.value("SELECT journey_state FROM leads") == "exhausted")
        #expect(
            try world.value("SELECT reason FROM journey_steps ORDER BY id DESC")
                == "There is no e-mail address to write to."
        )
    }

    @Test func `who stopped our messages in WhatsApp gets no e-mail instead`() throws {
        let id = try fallenBack(email: "asha@example.in")
        try post(failure(id, code: 131_050))
        #expect(try queued == ["whatsapp retry_fallback cancelled"])
        #expect(try world.value("SELECT journey_state FROM leads") == "opted_out")
    }

    @Test func `a failure after delivery is none, and a stranger's id changes nothing`() throws {
        let id = try fallenBack(email: "asha@example.in")
        try world.database.write { connection in
            try connection.execute(
                """
                INSERT INTO messages (message_uuid, lead_id, channel, direction, content, status,
                provider_id, at) VALUES ('m', 1, 'whatsapp', 'outbound', 'Hi', 'delivered',
                'wamid.OUT', 1)
                """
            )
        }
        try post(failure(id))
        try post(failure(999))
        #expect(try queued == ["whatsapp retry_fallback queued"])
    }
}
