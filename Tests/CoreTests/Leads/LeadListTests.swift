import Testing

@testable import Core
@testable import World

/// The list beside a plain one: all leads filtered, sorted and cut in Swift.
@Suite struct LeadListTests {
    let world: World

    init() throws { world = try World() }

    @Test(arguments: 0..<4)
    func `paging through any list shows each of its leads once and in order`(round: Int) throws {
        let random = Seeded.random()
        let leads = try fill(random, count: 160)
        for _ in 0..<60 {
            let query = randomQuery(random, leads)
            // All three ways to find a page must agree, however many leads count as few.
            for few in [0, 7, 10_000] {
                let expected = plain(leads, query)
                let found = try pages(query, few: few)
                try #require(
                    found.ids == expected.map(\.id),
                    "seed \(random.seed) few \(few) \(query)"
                )
                try #require(
                    found.total == .init(count: expected.count, isCapped: false)
                        || expected.count > few && found.total == .init(count: few, isCapped: true),
                    "seed \(random.seed) few \(few) \(query)"
                )
            }
        }
    }

    @Test(arguments: LeadQuery.Key.allCases, [false, true])
    func `leads that come and go between two pages move no other`(
        key: LeadQuery.Key,
        isDescending: Bool
    ) throws {
        let random = Seeded.random()
        let before = try fill(random, count: 60)
        var query = LeadQuery()
        query.order = .init(key, descending: isDescending)
        query.limit = 7
        var seen: [Int64] = []
        var gone: Set<Int64> = []
        var number = 500
        while true {
            let page = try self.page(query)
            seen += page.ids
            guard let next = page.next else { break }
            query.cursor = next
            try add(random, number, at: random.next(below: 3))
            number += 1
            let victim = before[random.next(below: before.count)].id
            gone.insert(victim)
            try world.database.write {
                try $0.execute("UPDATE leads SET deleted_at = 1 WHERE id = \(victim)")
            }
        }
        #expect(Set(seen).count == seen.count, "seed \(random.seed)")
        let stayed = Set(before.map(\.id)).subtracting(gone)
        #expect(stayed.isSubset(of: seen), "seed \(random.seed)")
    }

    @Test func `a total is capped only where it had to be counted`() throws {
        for number in 0..<12 { try add(Seeded(seed: 1), number, at: 0) }
        var query = LeadQuery()
        #expect(try pages(query, few: 5).total == .init(count: 12, isCapped: false))
        query.filter.statuses = LeadStatus.allCases
        #expect(try pages(query, few: 5).total == .init(count: 12, isCapped: false))
        query.filter.from = Instant(milliseconds: 0)
        #expect(try pages(query, few: 5).total == .init(count: 5, isCapped: true))
        query.filter = .init()
        query.filter.words = ["91"]
        #expect(try pages(query, few: 5).total == .init(count: 5, isCapped: true))
        #expect(try pages(query, few: 12).total == .init(count: 12, isCapped: false))
    }

    // MARK: A plain list

    private struct Lead {
        var id: Int64
        var name: String
        var number: PhoneNumber
        var status: LeadStatus
        var success: Qualification.Status?
        var partner: String?
        var createdAt: Int64
        var lastCall: Int64?
        var nextRetry: Int64?

        var words: Set<String> { LeadWords.words(name: name, number: number, email: nil) }
        var wordsColumn: String {
            LeadWords.column(name: name, number: number, email: nil).text
        }
    }

    private func plain(_ leads: [Lead], _ query: LeadQuery) -> [Lead] {
        let filter = query.filter
        return leads.filter { lead in
            (filter.statuses.isEmpty || filter.statuses.contains(lead.status))
                && (filter.successStatuses.isEmpty
                    || lead.success.map(filter.successStatuses.contains) == true)
                && (filter.partner == nil || filter.partner == lead.partner)
                && (filter.from.map { lead.createdAt >= $0.milliseconds } ?? true)
                && (filter.until.map { lead.createdAt < $0.milliseconds } ?? true)
                && filter.words.allSatisfy { word in
                    lead.words.contains { $0.hasPrefix(word) }
                }
        }.sorted { left, right in
            let isDescending = query.order.isDescending
            func ordered<T: Comparable>(_ a: T?, _ b: T?, _ isDescending: Bool) -> Bool {
                switch (a, b) {
                case (nil, nil): break
                case (nil, _): return false
                case (_, nil): return true
                case (let a?, let b?) where a != b: return isDescending ? a > b : a < b
                default: break
                }
                return isDescending ? left.id > right.id : left.id < right.id
            }
            switch query.order.key {
            case .created: return ordered(left.createdAt, right.createdAt, isDescending)
            case .name:
                return ordered(left.name.lowercased(), right.name.lowercased(), isDescending)
            case .lastCall: return ordered(left.lastCall, right.lastCall, isDescending)
            case .nextRetry: return ordered(left.nextRetry, right.nextRetry, isDescending)
            case .status:
                let places = [left, right].map {
                    LeadStatus.allCases.firstIndex(of: $0.status) ?? 0
                }
                guard places[0] == places[1] else {
                    return isDescending ? places[0] > places[1] : places[0] < places[1]
                }
                return ordered(left.createdAt, right.createdAt, true)
            }
        }
    }

    private static let names = [
        "", "asha rao", "Asha Rao", "Bela", "ravi KUMAR", "Ravi", "Zed Asha",
    ]

    private func randomQuery(_ random: Seeded, _ leads: [Lead]) -> LeadQuery {
        var query = LeadQuery()
        func sometimes(_ body: () -> Void) { if random.next(below: 3) == 0 { body() } }
        sometimes { query.filter.statuses = some(LeadStatus.allCases, random) }
        sometimes { query.filter.successStatuses = some(Qualification.Status.allCases, random) }
        sometimes { query.filter.partner = ["A", "B", "C"][random.next(below: 3)] }
        sometimes { query.filter.from = Instant(milliseconds: Int64(random.next(below: 8))) }
        sometimes { query.filter.until = Instant(milliseconds: Int64(random.next(below: 9))) }
        sometimes {
            query.filter.words = some(["a", "asha", "ravi", "k", "91", "98", "9198765000"], random)
        }
        query.order = .init(
            LeadQuery.Key.allCases[random.next(below: 5)],
            descending: random.next(below: 2) == 0
        )
        query.limit = 1 + random.next(below: 40)
        return query
    }

    private func some<Choice>(_ all: [Choice], _ random: Seeded) -> [Choice] {
        let few = all.filter { _ in random.next(below: 3) == 0 }
        return few.isEmpty ? [all[random.next(below: all.count)]] : few
    }

    private func fill(_ random: Seeded, count: Int) throws -> [Lead] {
        try (0..<count).map { try add(random, $0, at: Int64(random.next(below: 8))) }
    }

    @discardableResult
    private func add(_ random: Seeded, _ index: Int, at time: some BinaryInteger) throws -> Lead {
        func optional(_ limit: Int) -> Int64? {
            let value = random.next(below: limit * 2)
            return value < limit ? Int64(value) : nil
        }
        let digits = String(9_876_500_000 + index)
        var lead = Lead(
            id: 0,
            name: LeadListTests.names[random.next(below: LeadListTests.names.count)],
            number: try unwrap(PhoneNumber(e164: "+91" + digits)),
            status: LeadStatus.allCases[random.next(below: 6)],
            success: optional(3).map { Qualification.Status.allCases[Int($0)] },
            partner: optional(2).map { ["A", "B"][Int($0)] },
            createdAt: Int64(time),
            lastCall: optional(4),
            nextRetry: optional(4)
        )
        lead.id = try world.database.write { connection in
            try connection.execute(
                """
                INSERT INTO leads (lead_uuid, name, number, region, partner, words, call_status,
                success_status, last_call_time, next_retry_time, created_at, last_updated_at)
                VALUES (\(digits), \(lead.name), \(lead.number.e164), 'IN', \(lead.partner),
                \(lead.wordsColumn), \(lead.status), \(lead.success?.rawValue), \(lead.lastCall), \(lead.nextRetry),
                \(lead.createdAt), 0)
                """
            )
            return connection.lastInsertedID
        }
        return lead
    }

    // MARK: The list

    private func page(_ query: LeadQuery, few: Int = 10_000) throws -> (
        ids: [Int64], next: LeadCursor?, total: LeadIndex.Total
    ) {
        try world.database.read { connection in
            let index = try LeadIndex(query, few: few, in: connection)
            var page = Page(query: query)
            var ids: [Int64] = []
            try index.forEachLead(selecting: LeadFormat.placeColumns, in: connection) { row in
                if page.takes(row) { ids.append(row.integer(LeadFormat.Place.id.rawValue)) }
            }
            return (ids, page.next, try index.total(in: connection))
        }
    }

    private func pages(_ query: LeadQuery, few: Int) throws -> (
        ids: [Int64], total: LeadIndex.Total
    ) {
        var query = query
        var ids: [Int64] = []
        while true {
            let page = try page(query, few: few)
            ids += page.ids
            // As a caller does: by the text alone.
            guard let next = page.next else { return (ids, page.total) }
            query.cursor = try unwrap(LeadCursor(next.text(for: query), for: query))
            try #require(page.ids.count == query.limit && ids.count < 10_000)
        }
    }
}

@Suite struct LeadQueryTests {
    let zone: Zone

    init() throws { zone = try unwrap(Zone(identifier: "Asia/Kolkata")) }

    @Test func `every parameter is read`() throws {
        let query = try LeadQuery(
            [
                "status": "missed, pending", "success_status": "Qualified,Not Qualified",
                "partner": " Physics  wallah ", "from": "2026-11-22", "to": "2026-11-23",
                "q": "Rao asha", "sort": "-last_call", "limit": "500",
            ],
            zone: zone
        )
        #expect(query.filter.statuses == [.pending, .missed])
        #expect(query.filter.successStatuses == [.qualified, .notQualified])
        #expect(query.filter.partner == "Physics wallah")
        #expect(query.filter.from == Instant(iso8601: "2026-11-22T00:00:00+05:30"))
        #expect(query.filter.until == Instant(iso8601: "2026-11-24T00:00:00+05:30"))
        #expect(Set(query.filter.words) == ["asha", "rao"])
        #expect(query.order == .init(.lastCall, descending: true))
        #expect(query.limit == 500)
    }

    @Test func `without parameters it is the newest fifty`() throws {
        #expect(try LeadQuery([:], zone: zone) == LeadQuery())
    }

    @Test(arguments: [
        ("status", "done"), ("status", "pending;missed"), ("success_status", "qualified"),
        ("from", "yesterday"), ("from", "2026-02-30"), ("to", "2026-11-22T10:00:00"),
        ("sort", "--created"), ("sort", "number"), ("sort", "-"), ("limit", "0"), ("limit", "501"),
        ("limit", "-1"), ("limit", "ten"), ("limit", "99999999999999999999"), ("q", "%"),
        ("q", String(repeating: "a", count: 401)), ("cursor", "x"), ("cursor", "!!!!"),
        ("cursor", "bnVsbA"), ("cursor", "WzEsMiwzXQ"),
    ])
    func `a parameter that cannot be used is named`(name: String, value: String) throws {
        var parameters = Request.Query()
        parameters = try .init(parsing: "\(name)=\(value.replacing("%", with: "%25"))")
        let failure = #expect(throws: Failure.self) { try LeadQuery(parameters, zone: zone) }
        #expect(failure?.status == 400)
        #expect(failure?.field == name)
    }

    @Test func `days in the wrong order are refused`() throws {
        #expect(throws: Failure.self) {
            try LeadQuery(["from": "2026-11-23", "to": "2026-11-22"], zone: zone)
        }
        #expect(throws: Never.self) {
            try LeadQuery(["from": "2026-11-23", "to": "2026-11-23"], zone: zone)
        }
    }

    @Test(
        arguments: [
            ["status": "pending"], ["success_status": "Qualified"], ["partner": "A"],
            ["from": "2026-11-22"], ["to": "2026-11-22"], ["q": "asha"], ["sort": "created"],
        ] as [[String: String]]
    )
    func `a place in one list is no place in another`(parameters: [String: String]) throws {
        var text = ""
        for (name, value) in parameters { text += "\(name)=\(value)&" }
        let cursor = LeadCursor(key: .integer(5), id: 7, status: nil)
        let plain = cursor.text(for: LeadQuery())
        #expect(try LeadQuery(["cursor": plain], zone: zone).cursor == cursor)
        let elsewhere = try Request.Query(parsing: text + "cursor=\(plain)")
        #expect(throws: Failure.self) { try LeadQuery(elsewhere, zone: zone) }
    }

    @Test func `any bytes survive base 64 in an address, and no other text is taken`() throws {
        let random = Seeded.random()
        for length in 0..<80 {
            let bytes = (0..<length).map { _ in UInt8(random.next(below: 256)) }
            let text = Base64URL.encoded(bytes)
            #expect(Base64URL.decoded(text) == bytes, "seed \(random.seed)")
            #expect(text.utf8.allSatisfy { $0 != 0x2B && $0 != 0x2F && $0 != 0x3D })
        }
        #expect(Base64URL.decoded("a") == nil)
        #expect(Base64URL.decoded("ab=") == nil)
        #expect(Base64URL.decoded("a b") == nil)
    }
}
