import Testing

@testable import Core
@testable import World

@Suite struct LeadFormatTests {
    let world: World
    let reader: LeadReader

    init() throws {
        world = try World()
        reader = LeadReader(
            zone: try unwrap(Zone(identifier: "Asia/Kolkata")),
            retryPolicy: RetryPolicy(maximum: 4)
        )
    }

    @Test func `a new lead has every member, unset ones null`() throws {
        let uuid = try world.lead()
        let expected: JSON = [
            "lead_uuid": .string(uuid), "row_index": 2, "name": "Asha Rao",
            "number": "+919876543210", "number_valid": true, "number_invalid": false, "email": nil,
            "whatsapp_number": nil, "partner": nil, "call_status": "pending",
            "success_status": nil, "retry_count": 0, "max_retry_count": 4, "next_retry_time": nil,
            "vapi_call_id": nil, "last_call_time": nil, "call_duration": nil, "recording_url": nil,
            "summary": nil, "structured_data": nil, "country": nil, "university": nil,
            "intake": nil, "visa_status": nil, "budget": nil, "transcript": nil,
            "analysis_received_at": nil, "whatsapp_sent": false, "email_sent": false,
            "declined": false, "opted_out": false, "journey_state": "new", "next_action": nil,
            "timezone": nil, "consent_at": nil, "consent_text": nil, "consent_source": nil,
            "created_at": "2026-11-23T11:00:00+05:30",
            "last_updated_at": "2026-11-23T11:00:00+05:30", "change_seq": 2,
        ]
        let lead = try lead(uuid)
        #expect(lead == expected)
        #expect(lead.object?.keys == expected.object?.keys)
    }

    @Test func `a lead that has been called shows what came of it`() throws {
        let uuid = try world.lead(name: #"Asha "the\" Rao 😀 "#)
        try world.database.write {
            try $0.execute(
                """
                UPDATE leads SET call_status = 'completed', success_status = 'Not Qualified',
                retry_count = 2, next_retry_time = 1795411800999, vapi_call_id = 'v1',
                last_call_time = 1795411800000, call_duration = 120, recording_url = 'https://x',
                summary = \("line\nline\u{1}"), structured_data = '{"country": "USA", "n": [1, 2]}',
                country = 'USA', transcript = \("Eshwari: Hi\nAsha: Hi"), whatsapp_sent = 1,
                email_sent = 1, declined_at = 5, opted_out_at = 6, timezone = 'Asia/Dubai',
                number_valid = 0, number_invalid = 1, journey_state = 'opted_out'
                """
            )
        }
        let lead = try lead(uuid)
        #expect(lead["name"] == .string(#"Asha "the\" Rao 😀 "#))
        #expect(lead["call_duration"] == "120s")
        #expect(lead["summary"] == "line\nline\u{1}")
        #expect(lead["structured_data"] == ["country": "USA", "n": [1, 2]])
        #expect(lead["transcript"] == "Eshwari: Hi\nAsha: Hi")
        #expect(lead["next_retry_time"] == "2026-11-23T11:00:00+05:30")
        for flag in ["whatsapp_sent", "email_sent", "declined", "opted_out", "number_invalid"] {
            #expect(lead[flag] == true)
        }
        #expect(lead["number_valid"] == false)
    }

    @Test func `a table leaves out the long texts and nothing else`() throws {
        try world.lead()
        let table = try list(isTable: true)["leads"]?[0]?.object?.keys ?? []
        let full = try list(isTable: false)["leads"]?[0]?.object?.keys ?? []
        #expect(
            Set(full).subtracting(table) == [
                "transcript", "structured_data", "summary", "recording_url", "consent_text",
            ]
        )
        #expect(Set(table).subtracting(full).isEmpty)
    }

    @Test func `the retries that people set at run time are shown`() throws {
        try world.lead()
        try world.database.write {
            try RetryPolicy(maximum: 7).save(by: "test", now: world.now, in: $0)
        }
        #expect(try list(isTable: true)["leads"]?[0]?["max_retry_count"] == 7)
    }

    /// Every kind of change, some of them taken back, beside readers that keep a little and much.
    @Test func `a list that is read again and again shows what one read anew shows`() throws {
        let random = Seeded.random()
        let keepers = [2_500, 1 << 20].map { limit in
            LeadReader(
                zone: reader.zone,
                retryPolicy: reader.retryPolicy,
                written: WrittenLeads(limit: limit)
            )
        }
        let count = 8
        for number in 0..<count { try world.lead("+91987654321\(number)") }
        for change in 0..<400 {
            world.move(by: .seconds(1))
            try? world.database.write { connection in
                try self.change(random, among: count, connection)
                if random.next(below: 5) == 0 { throw Missing() }
            }
            var query = LeadQuery()
            query.limit = 1 + random.next(below: count)
            query.order.key = LeadQuery.Key.allCases[random.next(below: 5)]
            for keeper in keepers {
                let lists = try world.database.read { connection in
                    let anew = LeadReader(zone: reader.zone, retryPolicy: reader.retryPolicy)
                    return try [keeper, anew].map {
                        try $0.list(query, isTable: true, in: connection)
                    }
                }
                try #require(
                    lists[0] == lists[1],
                    "seed \(random.seed), change \(change)"
                )
            }
        }
    }

    private func change(
        _ random: Seeded,
        among count: Int,
        _ connection: Connection
    ) throws {
        let lead = Int64(1 + random.next(below: count))
        let number = random.next(below: 1_000)
        switch random.next(below: 7) {
        case 0:
            try connection.execute("UPDATE leads SET name = \("Asha \(number)") WHERE id = \(lead)")
        case 1:
            let status = LeadStatus.allCases[random.next(below: LeadStatus.allCases.count)]
            try connection.execute(
                """
                UPDATE leads SET call_status = \(status), retry_count = \(number % 4),
                last_call_time = \(Int64(number)) WHERE id = \(lead)
                """
            )
        case 2:
            try DialRequests.add(
                lead,
                DialKind.allCases[number % DialKind.allCases.count],
                dueAt: world.now + .seconds(number),
                now: world.now,
                in: connection
            )
        case 3:
            try DialRequests.cancelAll(of: lead, because: "test", now: world.now, in: connection)
        case 4:
            try RetryPolicy(maximum: number % 3).save(by: "test", now: world.now, in: connection)
        case 5:
            try connection.execute(
                "UPDATE leads SET deleted_at = iif(deleted_at IS NULL, 1, NULL) WHERE id = \(lead)"
            )
        default:
            try connection.execute(
                "UPDATE dial_requests SET due_at = due_at + 60000 WHERE lead_id = \(lead)"
            )
        }
    }

    @Test func `the first promise says what happens next`() throws {
        let uuid = try world.lead()
        try world.promise(uuid, .callback, at: world.now + .hours(5))
        #expect(
            try lead(uuid)["next_action"]
                == "Calls back at 23 Nov 2026, 4:00 PM IST, as promised."
        )
        try world.promise(uuid, .schedule, at: world.now + .hours(1))
        #expect(
            try lead(uuid)["next_action"] == "Calls at 23 Nov 2026, 12:00 PM IST, as scheduled."
        )
        try world.promise(uuid, .operator)
        #expect(try lead(uuid)["next_action"] == "Calls as soon as a line is free.")
    }

    @Test(
        arguments: [
            (JourneyState.calling, false, "A call is under way."),
            (.needsPerson, false, "A person should decide what to do next."),
            (.fallback, false, "Calls are used up, so a message goes out."),
            (.unreachable, true, "The number must be corrected before another call."),
            (.new, true, "The number must be corrected before a call."),
            (.new, false, nil), (.completed, false, nil), (.declined, false, nil),
            (.optedOut, false, nil), (.exhausted, false, nil),
        ] as [(JourneyState, Bool, String?)]
    )
    func `without a promise the journey says what happens next`(
        state: JourneyState,
        isInvalid: Bool,
        sentence: String?
    ) throws {
        let action = NextAction(
            state: state,
            isNumberInvalid: isInvalid,
            retryCount: 0,
            promise: nil
        )
        #expect(action.sentence(maximumRetries: 3, zone: reader.zone) == sentence)
    }

    @Test func `a retry and a held call name their time`() throws {
        let now = world.now
        let held = NextAction.Promise(kind: .operator, dueAt: now + .hours(1), promisedAt: now)
        let retry = NextAction.Promise(kind: .retry, dueAt: now, promisedAt: now)
        func sentence(_ promise: NextAction.Promise) -> String? {
            NextAction(state: .waiting, isNumberInvalid: false, retryCount: 2, promise: promise)
                .sentence(maximumRetries: 3, zone: reader.zone)
        }
        #expect(sentence(held) == "Calls at 23 Nov 2026, 12:00 PM IST.")
        #expect(sentence(retry) == "Calls again at 23 Nov 2026, 11:00 AM IST (retry 2 of 3).")
    }

    private func lead(_ uuid: String) throws -> JSON {
        try JSON(parsing: try world.database.read { try reader.lead(uuid, in: $0).json })
    }

    private func list(isTable: Bool) throws -> JSON {
        try JSON(
            parsing: try world.database.read {
                try reader.list(LeadQuery(), isTable: isTable, in: $0)
            }
        )
    }
}

@Suite struct LeadExportTests {
    let world: World
    let reader: LeadReader

    init() throws {
        world = try World()
        reader = LeadReader(
            zone: try unwrap(Zone(identifier: "Asia/Kolkata")),
            retryPolicy: RetryPolicy()
        )
    }

    @Test func `what is exported can be uploaded again, exactly`() throws {
        let starts = [
            "=", "+", "-", "@", "'", "'=", "''+", "＝", "＋", "\"", ",", ";", "x", "'x", "",
        ]
        var expected: [LeadFields] = []
        let store = LeadStore(callsNewLeads: false)
        for (index, start) in starts.enumerated() {
            let number = try PhoneNumber(parsing: "98765\(43210 + index)", defaultRegion: "IN")
            var fields = LeadFields(
                name: start + "1+1, \"quoted\"; ’s",
                number: number,
                numberRaw: number.e164
            )
            fields.partner = start + "partner"
            fields.whatsappNumber = number
            fields.email = index % 2 == 0 ? "-a+b=c@example.in" : nil
            fields.zone = Zone(identifier: "Asia/Dubai")
            fields.consentAt = Instant(iso8601: "2026-01-02T03:04:05+05:30")
            fields.consentText = start + "Yes."
            expected.append(fields)
            try world.database.write {
                _ = try store.insert(fields, from: .person, now: world.now, in: $0)
            }
        }
        var read: [LeadFields] = []
        var upload = LeadImport(defaultRegion: "IN", zone: reader.zone)
        let receive = { (row: LeadImport.Row) in
            guard case .lead(let lead) = row else {
                Issue.record("\(row)")
                return
            }
            read.append(LeadFields(lead))
        }
        let bytes = try export(limit: 4)
        try upload.feed(bytes.span, receive: receive)
        try upload.finish(receive: receive)
        #expect(read.reversed() == expected)
    }

    @Test func `no field of an export begins a formula`() throws {
        let random = Seeded.random()
        let characters: [Character] = [
            "=", "+", "-", "@", "\t", "\r", "\n", "\0", " ", "'", "\"", ",", ";", "a", "1", "＝",
            "＠",
        ]
        for _ in 0..<3_000 {
            let length = random.next(below: 6)
            let text = String(
                (0..<length).map { _ in characters[random.next(below: characters.count)] }
            )
            var bytes: [UInt8] = []
            CSVText.write(text, to: &bytes)
            let field = try field(of: bytes)
            let first = field.unicodeScalars.first { $0 != " " }
            #expect(
                first.map { !"=+-@\t\r\n\0＝＋－＠".unicodeScalars.contains($0) } ?? true,
                "seed \(random.seed) \(text.debugDescription)"
            )
            #expect(
                CSVText.unguarded(field) == text,
                "seed \(random.seed) \(text.debugDescription)"
            )
        }
    }

    @Test func `an export begins with a mark for Excel and has one line a lead`() throws {
        try world.lead("+919876543210")
        try world.lead("+919876543211", name: "Bela")
        let text = String(decoding: try export(limit: 1), as: UTF8.self)
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
        #expect(lines.count == 4)
        #expect(lines[0].hasPrefix("\u{FEFF}lead_uuid,number,name,"))
        #expect(lines[1].contains(",'+919876543211,Bela,"))
        #expect(lines[2].contains(",'+919876543210,Asha Rao,"))
        #expect(lines[3] == "")
        #expect(
            Set(
                lines[0...2].map {
                    $0.split(separator: ",", omittingEmptySubsequences: false).count
                }
            ) == [32]
        )
    }

    @Test func `leads that come during an export are not in it, and no lead is twice`() throws {
        for index in 0..<20 { try world.lead("+9198765432\(10 + index)") }
        var query = LeadReader.export(of: .init())
        query.limit = 3
        var lines = 0
        var number = 50
        while true {
            let page = try world.database.read { try reader.export(query, in: $0) }
            lines += page.text.count { $0 == UInt8(ascii: "\n") }
            guard let next = page.next else { break }
            query = next
            world.move(by: .seconds(1))
            try world.lead("+9198765432\(number)")
            number += 1
        }
        #expect(lines == 21)
    }

    private func export(limit: Int) throws -> [UInt8] {
        var query = LeadReader.export(of: .init())
        query.limit = limit
        var bytes: [UInt8] = []
        while true {
            let page = try world.database.read { try reader.export(query, in: $0) }
            bytes += page.text
            guard let next = page.next else { return bytes }
            query = next
        }
    }

    /// The one field of a line, read as RFC 4180 says.
    private func field(of bytes: [UInt8]) throws -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.unicodeScalars.first == "\"" else { return text }
        let inner = String(text.unicodeScalars.dropFirst().dropLast())
        return inner.replacing("\"\"", with: "\"")
    }
}
