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
            webhooks: WhatsAppWebhooks(database: world.database),
            appSecret: appSecret,
            verifyToken: Secret("a-verify-token"),
            clock: Clock { world.now }
        )
        do { return try webhook.router.respond(to: request) } catch {
            return FastCGI.answer(to: error)
        }
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
}
