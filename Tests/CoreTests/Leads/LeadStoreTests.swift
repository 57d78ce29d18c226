import Testing

@testable import Core
@testable import World

@Suite struct LeadStoreTests {
    let world: World
    let store = LeadStore(callsNewLeads: false)

    init() throws { world = try World() }

    // MARK: Add

    @Test func `a new lead is stored with all that is known about it`() throws {
        var fields = try fields("+91 98765 43210", name: "Asha Rao")
        fields.email = "asha@example.in"
        fields.whatsappNumber = try number("+919876543211")
        fields.partner = "Physics wallah"
        fields.zone = Zone(identifier: "Asia/Dubai")
        fields.consentAt = world.now - .days(1)
        fields.consentText = "Yes, call me."
        fields.consentSource = "form"
        let added = try add(fields)
        let row = try lead(added.uuid)
        #expect(row["number"] == "+919876543210")
        #expect(row["number_raw"] == "+91 98765 43210")
        #expect(row["number_valid"] == 1)
        #expect(row["region"] == "IN")
        #expect(row["email"] == "asha@example.in")
        #expect(row["whatsapp_number"] == "+919876543211")
        #expect(row["partner"] == "Physics wallah")
        #expect(row["timezone"] == "Asia/Dubai")
        #expect(row["timezone_source"] == "person")
        #expect(row["consent_at"] == (world.now - .days(1)).milliseconds)
        #expect(row["consent_text"] == "Yes, call me.")
        #expect(row["consent_source"] == "form")
        #expect(row["created_at"] == world.now.milliseconds)
        #expect(row["journey_state"] == "new")
        #expect(added.rowIndex == added.id + 1)
        #expect(try count("dial_requests") == 0)
    }

    @Test(arguments: [
        ("+1 212 155 0123", "US", false), ("+44 20 7946 0958", "GB", true),
        ("+883 5100 0000 0000", "001", true),
    ])
    func `the number's country is known, and whether the number is in use there`(
        text: String,
        region: String,
        isValid: Bool
    ) throws {
        let row = try lead(add(try fields(text)).uuid)
        #expect(row["region"] == region)
        #expect(row["number_valid"] == (isValid ? 1 : 0))
    }

    @Test func `a known number is not added again`() throws {
        let first = try add(try fields("+919876543210"))
        let again = try world.database.write {
            try store.insert(
                try fields("98765 43210", name: "Somebody"),
                from: .list,
                now: world.now,
                in: $0
            )
        }
        #expect(again == nil)
        #expect(try count("leads") == 1)
        #expect(try words(of: first.id) == ["9876543210", "919876543210", "asha", "rao"])
    }

    /// Some numbers come twice, some are known, some opted out or declined.
    @Test(arguments: [false, true])
    func `leads that are added together are added as one by one`(callsNewLeads: Bool) throws {
        let random = Seeded.random()
        let others = try World()
        let store = LeadStore(callsNewLeads: callsNewLeads)
        for _ in 0..<12 {
            let leads = try (0..<random.next(below: 40)).map { _ in try invented(random) }
            let suppressed = try leads.prefix(5).map(\.number) + [fields("+919876500000").number]
            let reason = [Suppressions.Reason.optedOut, .declined][random.next(below: 2)]
            for world in [world, others] {
                try world.database.write { connection in
                    for number in suppressed {
                        try Suppressions.add(
                            .number,
                            number.e164,
                            because: reason,
                            channel: "test",
                            words: nil,
                            now: world.now,
                            in: connection
                        )
                    }
                }
            }
            let together = try world.database.write { connection in
                var batch = LeadStore.Batch()
                for lead in leads { batch.append(lead, now: world.now) }
                return try store.insert(batch, from: .list, now: world.now, in: connection)
            }
            let oneByOne = try others.database.write { connection in
                try leads.map { try store.insert($0, from: .list, now: others.now, in: connection) }
            }
            try #require(together.map(\.?.id) == oneByOne.map(\.?.id), "seed \(random.seed)")
            for added in together {
                guard let added else { continue }
                let id: Int64? = try world.value(
                    "SELECT id FROM leads WHERE lead_uuid = \(added.uuid)"
                )
                #expect(id == added.id)
            }
        }
        for table in [
            "leads", "lead_words", "lead_counts", "tallies", "dial_requests", "journey_steps",
        ] {
            #expect(
                try contents(of: table, in: world) == contents(of: table, in: others),
                "seed \(random.seed), \(table)"
            )
        }
        #expect(try count("leads") > 20)
        // A NUL is no end of a text.
        #expect(try world.value("SELECT count(*) FROM leads WHERE name = 'a'") == 0)
    }

    private func invented(_ random: Seeded) throws -> LeadFields {
        let number = "+91987650\(1_000 + random.next(below: 300))"
        let names = ["Asha Rao", "", "José \"Pepe\" \\ O’Brien", "प्रिया शर्मा", "a\u{0}b"]
        var lead = try fields(number, name: names[random.next(below: names.count)])
        lead.email = random.next(below: 2) == 0 ? nil : "asha@example.in"
        lead.partner = [nil, "", "A,\"B\"[1]"][random.next(below: 3)]
        lead.whatsappNumber = random.next(below: 2) == 0 ? nil : lead.number
        lead.zone = random.next(below: 3) == 0 ? Zone(identifier: "Asia/Dubai") : nil
        lead.consentAt = random.next(below: 3) == 0 ? world.now - .days(3) : nil
        lead.consentText = [nil, "Yes.", "\u{0}"][random.next(below: 3)]
        lead.consentSource = [nil, "fair"][random.next(below: 2)]
        return lead
    }

    /// All rows of a table but for what is invented anew each time.
    private func contents(of table: String, in world: World) throws -> [[SQLValue]] {
        let columns = try world.database.read {
            try $0.rows("SELECT name FROM pragma_table_info(\(table))").map {
                try $0.required("name", as: String.self)
            }
        }.filter { !["lead_uuid", "change_seq"].contains($0) }
        let list = SQL(stringLiteral: columns.joined(separator: ", "))
        return try world.database.read { connection in
            try connection.rows(
                "SELECT \(sql: list) FROM \(sql: SQL(stringLiteral: table)) ORDER BY \(sql: list)"
            ).map { row in columns.indices.map { row.value(at: $0) ?? .null } }
        }
    }

    @Test func `a number that opted out comes back opted out and is never planned`() throws {
        let first = try add(try fields("+919876543210"))
        try world.database.write { connection in
            let lead = try unwrap(Contact.find(uuid: first.uuid, in: connection))
            try Suppressions.optOut(
                lead,
                channel: .call,
                words: nil,
                now: world.now,
                in: connection
            )
            try store.delete(first.uuid, now: world.now, in: connection)
        }
        let optedOutAt = world.now
        world.move(by: .days(3))
        let again = try add(try fields("+919876543210"), LeadStore(callsNewLeads: true))
        let row = try lead(again.uuid)
        #expect(row["opted_out_at"] == optedOutAt.milliseconds)
        #expect(row["journey_state"] == "opted_out")
        #expect(try count("dial_requests") == 0)
    }

    @Test func `a new lead is promised a call where new leads are called by themselves`() throws {
        let added = try add(try fields("+919876543210"), LeadStore(callsNewLeads: true))
        let request = try world.database.read {
            try #require(try DialRequests.nextDue(at: world.now, in: $0))
        }
        #expect(request.leadID == added.id)
        #expect(request.kind == .new)
        #expect(try lead(added.uuid)["journey_state"] == "waiting")
    }

    // MARK: Change

    @Test func `a change is stored and found`() throws {
        let added = try add(try fields("+919876543210"))
        world.move(by: .hours(1))
        try edit(added.uuid) { lead in
            lead.name = "José Müller"
            lead.email = "Jose@Example.com"
            lead.zone = Zone(identifier: "Europe/Berlin")
        }
        let row = try lead(added.uuid)
        #expect(row["name"] == "José Müller")
        #expect(row["timezone_source"] == "person")
        #expect(row["last_updated_at"] == world.now.milliseconds)
        #expect(
            try words(of: added.id) == [
                "9876543210", "919876543210", "jose", "jose@example.com", "muller",
            ]
        )
    }

    @Test func `a new number is a new start for what was known about the old one`() throws {
        let added = try add(try fields("+919876543210"))
        try run(
            """
            UPDATE leads SET number_invalid = 1, number_valid = 0, journey_state = 'unreachable'
            """
        )
        try edit(added.uuid) { $0.number = try number("+442079460958") }
        let row = try lead(added.uuid)
        #expect(row["number_invalid"] == 0)
        #expect(row["number_valid"] == 1)
        #expect(row["region"] == "GB")
        #expect(row["journey_state"] == "new")
        #expect(try words(of: added.id).contains("442079460958"))
    }

    @Test func `the number of another lead is refused with that lead`() throws {
        let other = try add(try fields("+919876543210"))
        let added = try add(try fields("+919876543211"))
        let failure = #expect(throws: Failure.self) {
            try edit(added.uuid) { lead in
                lead.name = "Changed"
                lead.number = try number("+919876543210")
            }
        }
        #expect(failure?.status == 409)
        #expect(failure?.code == "duplicate_number")
        #expect(failure?.details["lead_uuid"] == .string(other.uuid))
        #expect(try lead(added.uuid)["name"] == "Asha Rao")
    }

    @Test func `the number does not change under a call`() throws {
        let added = try add(try fields("+919876543210"))
        _ = try world.promise(added.uuid, .operator)
        _ = try world.dialer().reserveNext()
        let failure = #expect(throws: Failure.self) {
            try edit(added.uuid) { $0.number = try number("+919876543211") }
        }
        #expect(failure?.code == "call_in_progress")
        try edit(added.uuid) { $0.name = "Asha R. Rao" }
        #expect(try lead(added.uuid)["name"] == "Asha R. Rao")
    }

    @Test func `a new number that opted out before stops all plans`() throws {
        let other = try add(try fields("+919876543210"))
        try world.database.write { connection in
            let lead = try unwrap(Contact.find(uuid: other.uuid, in: connection))
            try Suppressions.optOut(
                lead,
                channel: .call,
                words: nil,
                now: world.now,
                in: connection
            )
            try store.delete(other.uuid, now: world.now, in: connection)
        }
        let added = try add(try fields("+919876543211"))
        _ = try world.promise(added.uuid, .retry)
        try edit(added.uuid) { $0.number = try number("+919876543210") }
        #expect(try lead(added.uuid)["journey_state"] == "opted_out")
        #expect(try world.value("SELECT state FROM dial_requests", as: String.self) == "cancelled")
    }

    @Test func `a change of a state that is gone is refused`() throws {
        let added = try add(try fields("+919876543210"))
        let seen: Int64 = try #require(try lead(added.uuid)["change_seq"])
        try edit(added.uuid, expecting: [seen]) { $0.name = "First" }
        let failure = #expect(throws: Failure.self) {
            try edit(added.uuid, expecting: [seen]) { $0.name = "Second" }
        }
        #expect(failure?.status == 412)
        #expect(try lead(added.uuid)["name"] == "First")
    }

    @Test func `saving what is there already changes nothing`() throws {
        let added = try add(try fields("+919876543210"))
        let before: Int64? = try lead(added.uuid)["change_seq"]
        world.move(by: .hours(1))
        try edit(added.uuid) { $0.name = "Asha Rao" }
        #expect(try lead(added.uuid)["change_seq"] == before)
    }

    @Test
    func `all that one write changes about a lead takes one number, and the next write the next`()
        throws
    {
        let added = try add(try fields("+919876543210"))
        func number() throws -> Int64 { try #require(try lead(added.uuid)["change_seq"]) }
        func counter() throws -> Int64? { try world.value("SELECT value FROM change_counter") }
        var before = try number()
        for _ in 0..<3 {
            // A promise, two steps and two fields.
            try world.database.write { connection in
                try store.edit(added.uuid, now: world.now, in: connection) { fields in
                    var fields = fields
                    fields.number = try self.number("+91987654\(4000 + before)")
                    return fields
                }
                try DialRequests.add(
                    added.id,
                    .callback,
                    dueAt: world.now + .milliseconds(before),
                    now: world.now,
                    in: connection
                )
                try connection.execute("UPDATE leads SET retry_count = retry_count + 1")
            }
            #expect(try number() == before + 1)
            #expect(try counter() == before + 1)
            before = try number()
        }
        // What nobody can see of a lead takes none.
        try world.database.write { try $0.execute("DELETE FROM job_runs") }
        #expect(try counter() == before)
        // A write that fails gives its number back.
        #expect(throws: Missing.self) {
            try world.database.write { connection in
                try connection.execute("UPDATE leads SET retry_count = 7")
                throw Missing()
            }
        }
        #expect(try counter() == before)
    }

    // MARK: Delete

    @Test func `a deleted lead frees its number and takes back all that was planned`() throws {
        let added = try add(try fields("+919876543210"))
        try world.promise(added.uuid, .callback, at: world.now + .hours(2))
        try world.promise(added.uuid, .retry)
        try run(
            """
            INSERT INTO outbox (kind, lead_id, idempotency_key, payload, due_at, created_at)
            VALUES ('whatsapp', \(added.id), 'key', '{}', 0, 0)
            """
        )
        try world.database.write { try store.delete(added.uuid, now: world.now, in: $0) }
        #expect(try lead(added.uuid)["deleted_at"] == world.now.milliseconds)
        #expect(try words(of: added.id) == [])
        #expect(
            try world.value("SELECT count(*) FROM dial_requests WHERE state = 'cancelled'") == 2
        )
        #expect(try world.value("SELECT state FROM outbox", as: String.self) == "cancelled")
        #expect(
            try world.value("SELECT decision FROM journey_steps", as: String.self) == "deleted"
        )
        let again = try add(try fields("+919876543210"))
        #expect(again.uuid != added.uuid)
        #expect(try world.value("SELECT sum(leads) FROM lead_counts") == 1)
    }

    @Test(arguments: ["delete", "edit", "read"])
    func `a lead that is gone or never was cannot be found`(act: String) throws {
        let added = try add(try fields("+919876543210"))
        try world.database.write { try store.delete(added.uuid, now: world.now, in: $0) }
        let reader = try LeadReader(zone: unwrap(Zone(identifier: "UTC")), retryPolicy: .init())
        for uuid in [added.uuid, Identifier.random(), "", "x", "'; DROP TABLE leads"] {
            let failure = #expect(throws: Failure.self) {
                switch act {
                case "delete":
                    try world.database.write { try store.delete(uuid, now: world.now, in: $0) }
                case "edit": try edit(uuid) { $0.name = "Changed" }
                default: _ = try world.database.read { try reader.lead(uuid, in: $0) }
                }
            }
            #expect(failure?.status == 404)
        }
    }

    // MARK: Parts

    private func number(_ text: String) throws -> PhoneNumber {
        try PhoneNumber(parsing: text, defaultRegion: "IN")
    }

    private func fields(_ text: String, name: String = "Asha Rao") throws -> LeadFields {
        LeadFields(name: name, number: try number(text), numberRaw: text)
    }

    private func add(_ fields: LeadFields, _ store: LeadStore? = nil) throws -> LeadStore.Added {
        try world.database.write {
            try unwrap(
                try (store ?? self.store).insert(fields, from: .person, now: world.now, in: $0)
            )
        }
    }

    private func edit(
        _ uuid: String,
        expecting expected: Set<Int64>? = nil,
        _ change: (inout LeadFields) throws -> Void
    ) throws {
        try world.database.write { connection in
            try store.edit(uuid, expecting: expected, now: world.now, in: connection) { current in
                var fields = current
                try change(&fields)
                return fields
            }
        }
    }

    private func lead(_ uuid: String) throws -> Row {
        try world.database.read {
            try unwrap($0.first("SELECT * FROM leads WHERE lead_uuid = \(uuid)"))
        }
    }

    private func words(of id: Int64) throws -> Set<String> {
        try world.database.read {
            Set(
                try $0.rows("SELECT word FROM lead_words WHERE lead_id = \(id)")
                    .map { try $0.required("word", as: String.self) }
            )
        }
    }

    private func count(_ table: String) throws -> Int {
        try world.value("SELECT count(*) FROM \(sql: SQL(stringLiteral: table))") ?? 0
    }

    private func run(_ sql: SQL) throws {
        try world.database.write { try $0.execute(sql) }
    }
}

@Suite struct LeadWordsTests {
    @Test(arguments: [
        ("Asha", ["asha"]), ("  asha   RAO ", ["asha", "rao"]), ("O'Brien", ["brien", "o"]),
        ("José", ["jose"]), ("प्रिया शर्मा", ["प्रिया", "शर्मा"]), ("王小明", ["王小明"]),
        ("a asha", ["asha"]), ("asha.rao@example.in", ["asha.rao@example.in"]),
        ("Asha@", ["asha@"]), ("98765 43210", ["9876543210"]),
        ("+91 (98765) 432-10", ["919876543210"]),
        ("098765", ["98765"]), ("0091 98765", ["9198765"]), ("९८७६५", ["98765"]),
        ("%_*", []), ("+", []), ("0", ["0"]), ("...", []), ("", []),
    ])
    func `a search is the beginnings of words, a number or an address`(
        text: String,
        words: [String]
    ) {
        #expect(Set(LeadWords.beginnings(inSearch: text)) == Set(words))
    }

    @Test func `what a lead is called is what it is found by`() throws {
        let number = try PhoneNumber(parsing: "+14155552671", defaultRegion: "IN")
        let words = LeadWords.words(
            name: "Zoë d’Arcy",
            number: number,
            email: "Zoe@Example.com"
        )
        #expect(
            words == ["zoe", "d", "arcy", "14155552671", "4155552671", "zoe@example.com"]
        )
    }

    @Test func `endless words are cut, never in the middle of a character`() throws {
        let number = try PhoneNumber(parsing: "+919876543210", defaultRegion: "IN")
        let words = LeadWords.words(
            name: String(repeating: "नि", count: 100),
            number: number,
            email: nil
        )
        #expect(words.allSatisfy { $0.utf8.count <= 64 })
        #expect(
            LeadWords.beginnings(inSearch: String(repeating: "q", count: 200)) == [
                String(repeating: "q", count: 64)
            ]
        )
    }
}
