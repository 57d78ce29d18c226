import Testing

@testable import Core
@testable import World

/// The work of each query, counted in steps of SQLite's virtual machine over 200,000 leads, or as many
/// as `STEPS_LEADS` says: no limit but one has room for a table's length.
///
/// Partners are 40, two thirds of the leads are pending, everybody's number begins with 91, and all
/// of one upload (5,000 leads) tie in their creation.
@Suite struct LeadStepsTests {
    /// One page in order, with its leads' next promises.
    static let page = 6_000
    /// A page merged from the groups of a filter.
    static let merge = 80_000
    /// Ten thousand leads looked up and sorted, or counted.
    static let few = 450_000
    /// The worst there is: many leads meet each part of the filter, none meets all.
    ///
    /// Those of the smaller part, a sixth of all, are gone through twice: for page and total.
    static let contradiction = 10 * leads

    static let cases: [(String, Int)] = [
        ("", page), ("sort=created", page), ("sort=name", page), ("sort=-name", page),
        ("sort=last_call", page), ("sort=-last_call", page), ("sort=next_retry", page),
        ("sort=-next_retry", page), ("limit=500", 10 * page),
        ("sort=status", merge * 2), ("sort=-status", merge * 2),
        ("status=pending", merge), ("status=completed", merge), ("status=answered", merge),
        ("status=pending,missed&sort=created", merge * 2),
        ("success_status=Qualified", merge), ("partner=Partner 7", merge),
        ("partner=Nobody", page), ("status=pending&partner=Partner 7", merge),
        // Those who are pending were never called, and those who completed wait for nothing.
        ("status=pending&sort=-last_call", merge), ("status=completed&sort=next_retry", merge),
        ("status=completed&success_status=Qualified&partner=Partner 3&sort=-last_call", merge),
        ("status=pending&sort=name", merge), ("partner=Partner 7&sort=name", few / 3),
        ("from=2026-01-01&to=2026-01-03", few), ("from=2026-01-01&status=completed", few),
        ("from=2026-01-01&to=2026-01-03&sort=name", few), ("from=2026-01-01&sort=-name", few),
        ("from=2025-01-01&sort=-last_call", few),
        ("q=lead 77", few * 2), ("q=lead", few), ("q=9", few), ("q=9198765", few),
        ("q=student77123@example.in", page), ("q=nobody", page), ("q=9&sort=name", few),
        ("q=9&status=answered", few), ("q=lead&status=completed&sort=-last_call", contradiction),
        ("q=lead&partner=Partner 3&from=2026-01-02&sort=next_retry", few),
    ]

    @Test func `no work grows with the number of leads`() throws {
        let world = try World()
        try fill(world)
        let reader = LeadReader(
            zone: try unwrap(Zone(identifier: "Asia/Kolkata")),
            retryPolicy: RetryPolicy()
        )
        try checkLists(reader, world)
        try checkSingleLeads(reader, world)
    }

    private func checkLists(_ reader: LeadReader, _ world: World) throws {
        for (text, limit) in LeadStepsTests.cases {
            let parameters = try Request.Query(parsing: text.replacing(" ", with: "+"))
            var query = try LeadQuery(parameters, zone: reader.zone)
            // The first page, one in the midst of many that tie, and one far behind.
            for pages in [1, 3, 40] {
                // A reader that has not written any of these leads before.
                let reader = LeadReader(zone: reader.zone, retryPolicy: reader.retryPolicy)
                let steps = try world.database.read { connection in
                    _ = connection.takeStepCount()
                    _ = try reader.list(query, isTable: true, in: connection)
                    return connection.takeStepCount()
                }
                #expect(steps <= limit, "\(text), page \(pages)")
                guard let cursor = try cursor(after: pages, query, reader, world) else { break }
                query.cursor = cursor
            }
        }
    }

    private func checkSingleLeads(_ reader: LeadReader, _ world: World) throws {
        let uuid = "lead-77123"
        func steps(_ body: (Connection) throws -> Void) throws -> Int {
            try world.database.write { connection in
                _ = connection.takeStepCount()
                try body(connection)
                return connection.takeStepCount()
            }
        }
        let store = LeadStore(callsNewLeads: true)
        #expect(try steps { _ = try reader.details(uuid, now: world.now, in: $0) } < 3_000)
        #expect(try steps { _ = try reader.messages(uuid, in: $0) } < 200)
        #expect(try steps { _ = try reader.tag(of: LeadQuery(), isTable: true, in: $0) } < 30)
        let number = try PhoneNumber(parsing: "+919999999999", defaultRegion: "IN")
        let fields = LeadFields(name: "Asha Rao", number: number, numberRaw: "")
        #expect(
            try steps { _ = try store.insert(fields, from: .list, now: world.now, in: $0) } < 1_500
        )
        #expect(
            try steps { connection in
                try store.edit(uuid, now: world.now, in: connection) { current in
                    var fields = current
                    fields.name = "Bela"
                    fields.number = try PhoneNumber(parsing: "+919999999998", defaultRegion: "IN")
                    return fields
                }
            } < 3_000
        )
        #expect(try steps { try store.delete(uuid, now: world.now, in: $0) } < 2_000)
        let export = LeadReader.export(of: .init())
        #expect(try steps { _ = try reader.export(export, in: $0) } < 60_000)
    }

    /// Pages on without counting, and returns the last cursor; nil when the list is over.
    private func cursor(
        after pages: Int,
        _ query: LeadQuery,
        _ reader: LeadReader,
        _ world: World
    ) throws -> LeadCursor? {
        var query = query
        for _ in 0..<pages {
            let json = try world.database.read {
                try JSON(parsing: try reader.list(query, isTable: true, in: $0))
            }
            guard let next = json["next_cursor"]?.string else { return nil }
            query.cursor = try unwrap(LeadCursor(next, for: query))
        }
        return query.cursor
    }

    static let leads = Setting.integer("STEPS_LEADS") ?? 200_000

    /// All leads, without the triggers that one by one would do what is done at the end.
    private func fill(_ world: World) throws {
        try world.database.write { connection in
            try connection.executeScript(
                """
                DROP TRIGGER leads_inserted;
                DROP TRIGGER lead_words_added;
                DROP TRIGGER leads_counted;
                INSERT INTO leads (lead_uuid, name, number, region, email, partner, call_status,
                    success_status, last_call_time, next_retry_time, change_seq, created_at,
                    last_updated_at, words)
                WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < \(Self.leads - 1))
                SELECT 'lead-' || i, CASE i % 3 WHEN 0 THEN '' ELSE 'Lead ' || (i * 7919 % \(Self.leads)) END,
                    '+9198' || printf('%08d', i), 'IN', 'student' || i || '@example.in',
                    'Partner ' || (i % 40),
                    CASE WHEN i = 5 THEN 'answered' WHEN i % 6 = 0 THEN 'completed'
                        WHEN i % 6 = 1 THEN 'missed' ELSE 'pending' END,
                    CASE WHEN i <> 5 AND i % 12 = 0 THEN 'Qualified'
                        WHEN i <> 5 AND i % 12 = 6 THEN 'Potential' END,
                    CASE WHEN i % 6 < 2 THEN 1767200000000 + i END,
                    CASE WHEN i % 6 = 1 THEN 1767900000000 + i % 1000 END,
                    i, 1767200000000 + i / 5000 * 7200000, 0, CASE i % 3 WHEN 0
                    THEN json_array('9198' || printf('%08d', i), '98' || printf('%08d', i),
                        'student' || i || '@example.in')
                    ELSE json_array('lead', '' || (i * 7919 % \(Self.leads)),
                        '9198' || printf('%08d', i), '98' || printf('%08d', i),
                        'student' || i || '@example.in') END FROM n;
                INSERT INTO lead_words SELECT w.value, l.id FROM leads AS l, json_each(l.words) AS w
                    ORDER BY 1, 2;
                INSERT INTO lead_counts SELECT call_status, ifnull(success_status, ''),
                    ifnull(partner, ''), count(*) FROM leads GROUP BY 1, 2, 3;
                INSERT INTO dial_requests (lead_id, kind, rank, due_at, promised_at, created_at)
                    SELECT id, 'retry', 3, next_retry_time, next_retry_time, 0 FROM leads
                    WHERE next_retry_time IS NOT NULL AND id < 2000;
                """
            )
        }
    }
}
