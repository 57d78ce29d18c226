import Foundation
import Testing

@testable import Core
@testable import World
@testable import leads

@Suite struct LeadsTests {
    let world: World

    init() throws { world = try World() }

    // MARK: Add

    @Test func `a lead that was added is in the list`() throws {
        let response = try send(
            "POST",
            "/api/leads",
            [
                "name": "John Doe", "number": "++91 98765 43210", "email": "john@example.com",
                "whatsapp_number": "+919876543210", "partner": "Physics wallah",
                "timezone": "Asia/Kolkata", "consent_at": "2026-11-01T10:00:00+05:30",
                "consent_text": "Call me", "consent_source": "form",
            ]
        )
        #expect(response.status == 201)
        #expect(response.json["success"] == true)
        #expect(response.json["row_index"] == 2)
        let lead = try get("/api/leads").json["leads"]?[0]
        #expect(lead?["lead_uuid"] == response.json["lead_uuid"])
        #expect(lead?["number"] == "+919876543210")
        #expect(lead?["consent_at"] == "2026-11-01T10:00:00+05:30")
    }

    @Test func `a known number is refused with its lead`() throws {
        let uuid = try world.lead("+919876543210")
        let response = try send("POST", "/api/leads", ["name": "Bela", "number": "98765 43210"])
        #expect(response.status == 409)
        #expect(response.json["code"] == "duplicate_number")
        #expect(response.json["lead_uuid"] == .string(uuid))
        #expect(try world.value("SELECT count(*) FROM leads") == 1)
    }

    static let wrongFields: [(JSON, String, String)] = [
        (["name": nil], "name", "name_missing"), (["name": "  "], "name", "name_missing"),
        (["name": .string(String(repeating: "a", count: 201))], "name", "name_too_long"),
        (
            ["name": .string("a" + String(repeating: "\u{0301}", count: 5000))], "name",
            "name_too_long"
        ),
        (["name": 5], "name", "wrong_type"), (["name": ["a"]], "name", "wrong_type"),
        (["number": nil], "number", "number_missing"), (["number": ""], "number", "number_missing"),
        (["number": 919_876_543_210], "number", "wrong_type"),
        (["number": "98765"], "number", "number_too_short"),
        (["number": "9.19877E+11"], "number", "number_exponent"),
        (["number": "call me"], "number", "number_letters"),
        (["number": "9876543210 / 9876543211"], "number", "number_too_long"),
        (["email": "john@"], "email", "email_invalid"), (["email": true], "email", "wrong_type"),
        (["whatsapp_number": "12"], "whatsapp_number", "number_too_short"),
        (["timezone": "IST"], "timezone", "timezone_unknown"),
        (["timezone": "../etc/passwd"], "timezone", "timezone_unknown"),
        (["consent_at": "soon"], "consent_at", "consent_at_invalid"),
        (["consent_at": "0255-01-12T10:00:00Z"], "consent_at", "consent_at_invalid"),
        (["consent_at": "2026-11-23T11:00:01+05:30"], "consent_at", "consent_at_future"),
        (["partner": .string(String(repeating: "a", count: 201))], "partner", "partner_too_long"),
        (
            ["consent_text": .string(String(repeating: "a", count: 2001))], "consent_text",
            "consent_text_too_long"
        ),
        (["nmae": "John"], "nmae", "unknown_field"), (["id": 1], "id", "unknown_field"),
        (["call_status": "completed"], "call_status", "unknown_field"),
    ]

    @Test(arguments: wrongFields)
    func `a wrong field is named, with a sentence, and nothing is stored`(
        wrong: JSON,
        field: String,
        code: String
    ) throws {
        let uuid = try world.lead("+919876543211", name: "Bela")
        var new: JSON.Object = JSON.Object()
        new["name"] = "John"
        new["number"] = "+919876543210"
        for member in wrong.object?.members ?? [] { new[member.key] = member.value }
        for (method, path) in [("POST", "/api/leads"), ("PATCH", "/api/leads/\(uuid)")] {
            let response = try send(method, path, .object(new))
            #expect(response.status == 422)
            #expect(response.json["field"] == .string(field))
            #expect(response.json["code"] == .string(code))
            let sentence = response.json["error"]?.string ?? ""
            #expect(sentence.hasSuffix(".") || sentence.hasSuffix("?"))
        }
        #expect(try world.value("SELECT group_concat(name) FROM leads", as: String.self) == "Bela")
    }

    @Test func `a field that stands twice is named`() throws {
        let body = #"{"name": "A", "number": "+919876543210", "number": "+919876543211"}"#
        let response = try send("POST", "/api/leads", bytes: Array(body.utf8))
        #expect(response.status == 400)
        #expect(response.json["field"] == "number")
    }

    @Test(arguments: [
        "", "{", "[]", "null", "5", "{\"name\":}", "{'name':'a'}", "\u{FEFF}{}", "{} {}",
        String(repeating: "[", count: 100_000),
    ])
    func `what is no JSON object is refused`(body: String) throws {
        let response = try send("POST", "/api/leads", bytes: Array(body.utf8))
        #expect(response.status == 400)
    }

    @Test func `a body that is too long is refused by its length`() throws {
        let body = #"{"name": ""# + String(repeating: "a", count: 10_000_000) + #""}"#
        #expect(try send("POST", "/api/leads", bytes: Array(body.utf8)).status == 413)
    }

    // MARK: List

    @Test func `a list says how many there are, what is on and where it goes on`() throws {
        for index in 0..<5 { try world.lead("+91987654321\(index)", name: "Lead \(index)") }
        let uuid = try world.lead("+919876543299", name: "Called")
        try world.promise(uuid, .operator)
        _ = try world.dialer().reserveNext()
        let first = try get("/api/leads?limit=4&fields=table").json
        #expect(first["leads"]?.array?.count == 4)
        #expect(first["total"] == 6)
        #expect(first["total_capped"] == false)
        #expect(first["active_calls"] == 1)
        let cursor = try #require(first["next_cursor"]?.string)
        let second = try get("/api/leads?limit=4&fields=table&cursor=\(cursor)").json
        #expect(second["leads"]?.array?.count == 2)
        #expect(second["next_cursor"] == JSON.null)
        #expect(
            first.object?.keys == ["leads", "next_cursor", "total", "total_capped", "active_calls"]
        )
    }

    @Test func `the old dashboard's refresh is taken`() throws {
        #expect(try get("/api/leads?refresh=true").status == 200)
    }

    @Test(arguments: [
        "statsu=pending", "status=done", "limit=0", "limit=50&limit=60", "fields=all", "cursor=abc",
        "sort=x", "from=x", "page=2", "=", "q=%2b",
    ])
    func `a parameter that cannot be used is refused with a sentence`(query: String) throws {
        for path in ["/api/leads", "/api/leads/export.csv"] {
            // An export has one order and no pages; it reads neither.
            if path.hasSuffix("csv"),
                ["limit", "cursor", "sort", "fields"].contains(where: query.hasPrefix)
            {
                continue
            }
            let response = try get("\(path)?\(query)")
            #expect(response.status == 400)
            #expect(response.json["error"]?.string?.hasSuffix(".") == true)
        }
    }

    @Test func `an unchanged list is not sent again, whatever changes it is`() throws {
        let uuid = try world.lead()
        let path = "/api/leads?fields=table"
        var tag = try #require(try get(path)[header: "ETag"])
        func unchanged() throws -> Bool {
            let response = try get(path, ["if-none-match": tag])
            if response.status == 304 {
                #expect(response.bytes.isEmpty)
                return true
            }
            tag = try #require(response[header: "ETag"])
            return false
        }
        #expect(try unchanged())
        world.move(by: .days(2))
        #expect(try unchanged())
        try world.promise(uuid, .callback, at: world.now + .hours(1))
        #expect(try !unchanged())
        #expect(try unchanged())
        _ = try send("PATCH", "/api/leads/\(uuid)", ["name": "Changed"])
        #expect(try !unchanged())
        try world.database.write {
            try RetryPolicy(maximum: 9).save(by: "test", now: world.now, in: $0)
        }
        #expect(try !unchanged())
        _ = try send("DELETE", "/api/leads/\(uuid)")
        #expect(try !unchanged())
        #expect(try get("/api/leads?fields=full", ["if-none-match": tag]).status == 200)
        #expect(try get("\(path)&limit=51", ["if-none-match": tag]).status == 200)
    }

    @Test(arguments: ["asha", "RAO", "as ra", "98765", "+91 98765", "asha@ex", "9876543210"])
    func `a lead is found by what one remembers of it`(text: String) throws {
        _ = try send(
            "POST",
            "/api/leads",
            ["name": "Asha Rao", "number": "+919876543210", "email": "asha@example.in"]
        )
        _ = try send("POST", "/api/leads", ["name": "Bela", "number": "+918765432109"])
        let query = text.replacing("+", with: "%2B").replacing(" ", with: "%20")
        let list = try get("/api/leads?q=\(query)").json
        #expect(list["leads"]?.array?.map { $0["name"]?.string } == ["Asha Rao"])
        #expect(list["total"] == 1)
    }

    // MARK: Change

    @Test func `a change answers with the whole lead and its tag`() throws {
        let uuid = try world.lead()
        let tag = try #require(try get("/api/leads/\(uuid)/details")[header: "ETag"])
        let response = try send(
            "PATCH",
            "/api/leads/\(uuid)",
            ["email": "a@example.in", "partner": ""],
            ["if-match": tag]
        )
        #expect(response.status == 200)
        #expect(response.json["lead"]?["email"] == "a@example.in")
        #expect(response.json["lead"]?["transcript"] == JSON.null)
        let next = try #require(response[header: "ETag"])
        #expect(
            try send("PATCH", "/api/leads/\(uuid)", ["name": "B"], ["if-match": tag]).status == 412
        )
        #expect(
            try send("PATCH", "/api/leads/\(uuid)", ["name": "B"], ["if-match": next]).status == 200
        )
        #expect(
            try send("PATCH", "/api/leads/\(uuid)", ["name": "C"], ["if-match": "*"]).status == 200
        )
        for broken in ["W/\"x\"", "5", "\"\"", "W/\"99999999999999999999\""] {
            let response = try send(
                "PATCH",
                "/api/leads/\(uuid)",
                ["name": "D"],
                ["if-match": broken]
            )
            #expect(response.status == 412)
        }
    }

    @Test func `a deleted lead is gone from everywhere`() throws {
        let uuid = try world.lead()
        let response = try send("DELETE", "/api/leads/\(uuid)")
        #expect(response.json == ["success": true, "lead_uuid": .string(uuid)])
        #expect(try get("/api/leads").json["total"] == 0)
        for path in ["details", "messages"] {
            #expect(try get("/api/leads/\(uuid)/\(path)").status == 404)
        }
        #expect(try send("DELETE", "/api/leads/\(uuid)").status == 404)
        #expect(try send("PATCH", "/api/leads/\(uuid)", ["name": "A"]).status == 404)
    }

    // MARK: Details

    @Test func `the details tell all that happened`() throws {
        let uuid = try world.lead()
        try world.database.write { connection in
            try connection.execute(
                """
                UPDATE leads SET structured_data = '{"callback_time": "tomorrow", "country": "USA"}',
                summary = 'Wants to study.', success_status = 'Qualified', country = 'USA',
                transcript = 'Eshwari: Hi', consent_text = 'Yes', call_duration = 90
                """
            )
            try connection.execute(
                """
                INSERT INTO dial_requests (lead_id, kind, rank, due_at, promised_at, state,
                created_at, settled_at) VALUES (1, 'new', 5, 0, 0, 'done', 0, 0)
                """
            )
            try connection.execute(
                """
                INSERT INTO calls (attempt_id, lead_id, request_id, kind, number, state,
                previous_status, vapi_call_id, created_at, heard_at, started_at, ended_at,
                ended_reason, outcome, duration_ms, cost, transcript)
                VALUES ('a1', 1, 1, 'new', '+919876543210', 'ended', 'pending', 'v1',
                \(world.now), \(world.now), \(world.now), \(world.now + .seconds(90)),
                'customer-ended-call', 'completed', 89600, 0.5,
                '[{"speaker":"Eshwari","text":"Hi"}]')
                """
            )
            for (index, content) in ["Hello", "Hi"].enumerated() {
                try connection.execute(
                    """
                    INSERT INTO messages (message_uuid, lead_id, channel, direction, content, status,
                    at) VALUES (\("m\(index)"), 1, 'whatsapp', 'outbound', \(content), 'sent',
                    \(world.now + .seconds(index)))
                    """
                )
            }
            try connection.execute(
                """
                INSERT INTO outbox (kind, lead_id, idempotency_key, payload, due_at, created_at)
                VALUES ('email', 1, 'k', '{}', \(world.now), 0)
                """
            )
        }
        try world.promise(uuid, .callback, at: world.now + .hours(1))
        let response = try get("/api/leads/\(uuid)/details")
        let details = response.json
        #expect(response.status == 200)
        #expect(
            details.object?.keys == [
                "lead_uuid", "contact_info", "lead", "call_history", "analysis", "journey",
                "requests", "messages", "outbox",
            ]
        )
        let contact = details["contact_info"]
        #expect(contact?["number_display"] == "+91 98765 43210")
        #expect(contact?["timezone"] == "Asia/Kolkata")
        #expect(contact?["timezone_source"] == "region")
        #expect(contact?["local_time"] == "2026-11-23T11:00:00+05:30")
        #expect(details["lead"]?["call_duration"] == "90s")
        let call = details["call_history"]?[0]
        #expect(call?["call_duration"] == "90s")
        #expect(call?["cost"] == 0.5)
        #expect(call?["transcript"] == [["speaker": "Eshwari", "text": "Hi"]])
        #expect(call?["reason"]?.string?.hasSuffix(".") == true)
        #expect(details["analysis"]?["callback_time"] == "tomorrow")
        #expect(details["analysis"]?["transcript"] == "Eshwari: Hi")
        #expect(
            details["requests"] == [
                [
                    "kind": "callback", "due_at": "2026-11-23T12:00:00+05:30", "state": "waiting",
                    "reason": "This person asked to be called at this time.",
                ]
            ]
        )
        #expect(details["messages"]?.array?.map { $0["content"]?.string } == ["Hello", "Hi"])
        #expect(details["outbox"]?[0]?["kind"] == "email")
        #expect(
            try get("/api/leads/\(uuid)/messages").json["messages"] == details["messages"]
        )
    }

    @Test func `the details are sent again when a minute or anything else has passed`() throws {
        let uuid = try world.lead()
        let path = "/api/leads/\(uuid)/details"
        let tag = try #require(try get(path)[header: "ETag"])
        #expect(try get(path, ["if-none-match": tag]).status == 304)
        world.move(by: .minutes(1))
        #expect(try get(path, ["if-none-match": tag]).status == 200)
    }

    @Test func `somebody in a country of many hours has no local time`() throws {
        let uuid = try world.lead("+12125550123", region: "US")
        let contact = try get("/api/leads/\(uuid)/details").json["contact_info"]
        #expect(contact?["local_time"] == JSON.null)
        #expect(contact?["timezone"] == JSON.null)
    }

    // MARK: Export

    @Test func `an export has the list's leads and no others`() throws {
        for (name, number) in [("Asha", "+919876543210"), ("Bela", "+919876543211")] {
            _ = try send("POST", "/api/leads", ["name": .string(name), "number": .string(number)])
        }
        let response = try get("/api/leads/export.csv?q=bela&sort=name")
        #expect(response.status == 200)
        #expect(
            response[header: "Content-Disposition"]
                == "attachment; filename=\"leads-2026-11-23.csv\""
        )
        let text = String(decoding: response.bytes, as: UTF8.self)
        #expect(text.contains(",'+919876543211,Bela,"))
        #expect(!text.contains("Asha"))
    }

    @Test func `a long export is sent in pieces`() throws {
        for index in 0..<1_100 { try world.lead("+91987\(6_000_000 + index)") }
        let response = try get("/api/leads/export.csv")
        #expect(response.pieces == 3)
        #expect(response.bytes.count { $0 == UInt8(ascii: "\n") } == 1_101)
    }

    // MARK: Opt-outs

    @Test func `the proof of every opt-out can be taken along: who, when, in which words`() throws {
        let uuid = try world.lead(email: "asha@example.in")
        try world.database.write { connection in
            try Suppressions.optOut(
                unwrap(Contact.find(uuid: uuid, in: connection)),
                channel: .whatsapp,
                words: "=STOP, \"please\"",
                now: world.now,
                in: connection
            )
        }
        let response = try get("/api/opt-outs/export.csv")
        #expect(response.status == 200)
        #expect(
            response[header: "Content-Disposition"]
                == "attachment; filename=\"opt-outs-2026-11-23.csv\""
        )
        let words = "\"'=STOP, \"\"please\"\"\""
        #expect(
            String(decoding: response.bytes, as: UTF8.self) == "\u{FEFF}"
                + "at,kind,who,reason,channel,words,lead_uuid\r\n"
                + "2026-11-23T11:00:00+05:30,number,'+919876543210,opted_out,whatsapp,\(words),"
                + "\(uuid)\r\n"
                + "2026-11-23T11:00:00+05:30,email,asha@example.in,opted_out,whatsapp,\(words),"
                + "\(uuid)\r\n"
        )
        #expect(try get("/api/opt-outs/export.csv?q=x").status == 400)
    }

    @Test func `a long proof is sent in pieces and leaves nobody out`() throws {
        try world.database.write { connection in
            for index in 0..<1_100 {
                try Suppressions.optOut(
                    unwrap(PhoneNumber(e164: "+91987\(6_000_000 + index)")),
                    channel: .call,
                    words: nil,
                    now: world.now,
                    in: connection
                )
            }
        }
        let response = try get("/api/opt-outs/export.csv")
        #expect(response.pieces == 3)
        #expect(response.bytes.count { $0 == UInt8(ascii: "\n") } == 1_101)
    }

    // MARK: Manners

    @Test(arguments: [
        ("PUT", "/api/leads", 405), ("POST", "/api/leads/export.csv", 405),
        ("GET", "/api/leads/x", 405), ("POST", "/api/leads/x/details", 405),
        ("GET", "/api/leads/", 405), ("GET", "/api/lead", 404), ("GET", "/", 404),
        ("PATCH", "/api/leads/export.csv", 405), ("DELETE", "/api/leads/x", 404),
        ("HEAD", "/api/leads", 200), ("HEAD", "/api/leads/export.csv", 200),
        ("GET", "/api/leads/%00/details", 404),
    ])
    func `every address and method has its answer`(
        method: String,
        path: String,
        status: Int
    ) throws {
        let response = try send(method, path, ["name": "A"])
        #expect(response.status == status || path == "/api/leads/" && response.status == 404)
        if method == "HEAD" { #expect(response.bytes.isEmpty) }
    }

    @Test func `a change from another site is refused`() throws {
        let uuid = try world.lead()
        for headers in [
            ["sec-fetch-site": "cross-site"], ["origin": "https://evil.example", "host": "ours"],
        ] {
            let response = try send("DELETE", "/api/leads/\(uuid)", [:], headers)
            #expect(response.status == 403)
        }
        #expect(
            try send("DELETE", "/api/leads/\(uuid)", [:], ["content-type": "text/plain"]).status
                == 415
        )
    }

    @Test func `no body whatever is our fault`() throws {
        let random = Seeded.random()
        let uuid = try world.lead()
        let good = Array(
            #"{"name":"Asha","number":"+919876543210","email":"a@b.in","timezone":"Asia/Kolkata"}"#
                .utf8
        )
        for _ in 0..<2_000 {
            var body = good
            for _ in 0...random.next(below: 4) {
                let position = random.next(below: body.count)
                switch random.next(below: 3) {
                case 0: body[position] = UInt8(random.next(below: 256))
                case 1: body.remove(at: position)
                default: body.insert(UInt8(random.next(below: 256)), at: position)
                }
            }
            for (method, path) in [("POST", "/api/leads"), ("PATCH", "/api/leads/\(uuid)")] {
                let response = try send(method, path, bytes: body)
                #expect(response.status < 500, "seed \(random.seed)")
            }
        }
    }

    @Test func `no query whatever is our fault`() throws {
        let random = Seeded.random()
        let parts = [
            "status", "=", "&", "pending", "%", "%00", "%ff", "cursor", "q", "limit", "-", "sort",
            "WzEsMiwzXQ", "9", "from", "2026-11-22", "partner", "'", "\"", "\u{1F600}", ",", "*",
        ]
        for _ in 0..<2_000 {
            let text = (0..<random.next(below: 9))
                .map { _ in parts[random.next(below: parts.count)] }.joined()
            #expect(try get("/api/leads?" + text).status < 500, "seed \(random.seed) \(text)")
        }
    }

    // MARK: Parts

    private struct Answer {
        let status: Int
        let bytes: [UInt8]
        let pieces: Int
        let headers: [(name: String, value: String)]

        var json: JSON { (try? JSON(parsing: bytes)) ?? .null }

        subscript(header name: String) -> String? { headers.first { $0.name == name }?.value }
    }

    private func get(_ target: String, _ headers: [String: String] = [:]) throws -> Answer {
        try answer("GET", target, headers, .empty)
    }

    private func send(
        _ method: String,
        _ target: String,
        _ body: JSON = [:],
        _ headers: [String: String] = [:]
    ) throws -> Answer {
        try send(method, target, bytes: body.encoded(), headers)
    }

    private func send(
        _ method: String,
        _ target: String,
        bytes: [UInt8],
        _ headers: [String: String] = [:]
    ) throws -> Answer {
        let standard = ["content-type": "application/json"]
        return try answer(
            method,
            target,
            standard.merging(headers) { $1 },
            .init(bytes)
        )
    }

    /// Answers as the FastCGI server does: an error becomes the answer that says so.
    private func answer(
        _ method: String,
        _ target: String,
        _ headers: [String: String],
        _ body: Request.Body
    ) throws -> Answer {
        let zone = try unwrap(Zone(identifier: "Asia/Kolkata"))
        let leads = Leads(
            database: world.database,
            store: LeadStore(callsNewLeads: false),
            reader: LeadReader(zone: zone, retryPolicy: RetryPolicy()),
            defaultRegion: "IN",
            zone: zone,
            clock: Clock { [world] in world.now }
        )
        var response: Response
        do {
            let parts = target.split(separator: "?", maxSplits: 1)
            response = try leads.router.respond(
                to: Request(
                    method: method,
                    path: try unwrap(Percent.decoded(parts[0], plusIsSpace: false)),
                    query: try .init(parsing: parts.count > 1 ? parts[1] : ""),
                    headers: headers,
                    body: body
                )
            )
        } catch {
            response = FastCGI.answer(to: error)
        }
        var pieces: [[UInt8]] = []
        switch response.body {
        case .bytes(let bytes): pieces = [bytes]
        case .stream(let produce): try produce { pieces.append($0) }
        }
        return Answer(
            status: response.status,
            bytes: pieces.flatMap { $0 },
            pieces: pieces.count,
            headers: response.headers
        )
    }
}
