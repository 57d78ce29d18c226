/// Finds the leads of a query by the database's indexes, so that the work depends on the page, not on
/// how many leads there are.
///
/// - Each ``LeadQuery/Key`` has an index in whose order leads are read until the page is full.
/// - A filter by status, qualification or partner means a few of the groups of `lead_counts`; each
///   group has an index in the order of every time, and the page is the merge of the groups' first
///   leads.
/// - Days and words are tested along the way, unless few leads (``few``) meet one of them: then
///   those are looked up and sorted.
///
/// Only a filter whose parts are each met by many leads and all together by hardly one costs more:
/// the leads of its smallest part are gone through.
///
/// `INDEXED BY` and `CROSS JOIN` hold SQLite to this plan. Without statistics it would guess, and
/// with them its guess would change from one day to the next.
struct LeadIndex {
    let query: LeadQuery
    /// How many leads are looked up and sorted rather than read in order; and the highest total that
    /// is counted where it is not known anyway.
    let few: Int
    /// The parts of the filter, the one with the fewest leads first.
    private let drivers: [Driver]

    /// Sees how many leads each part of the filter has.
    ///
    /// - Throws: ``Database/Unavailable``.
    init(_ query: LeadQuery, few: Int = 10_000, in connection: Connection) throws {
        self.query = query
        self.few = few
        // One that was not counted to its end may be any size, so it comes last.
        drivers = try query.filter.drivers(countingTo: few, in: connection).sorted {
            ($0.isCounted(to: few) ? $0.count : .max) < ($1.isCounted(to: few) ? $1.count : .max)
        }
    }

    private var filter: LeadQuery.Filter { query.filter }

    // MARK: Total

    /// How many leads a filter has.
    struct Total: Equatable {
        let count: Int
        /// Whether there are more, which were not counted.
        let isCapped: Bool
    }

    /// Counts the leads of the filter.
    ///
    /// - Throws: ``Database/Unavailable``.
    func total(in connection: Connection) throws -> Total {
        guard let driver = drivers.first else {
            let all: Int? = try connection.value("SELECT sum(leads) FROM lead_counts")
            return Total(count: all ?? 0, isCapped: false)
        }
        if drivers.count == 1, driver.word == nil {
            return driver.isCounted(to: few)
                ? Total(count: driver.count, isCapped: false) : Total(count: few, isCapped: true)
        }
        let matches: SQL
        if drivers.count == 1 {
            matches = driver.ids  // nobody who was deleted has words
        } else if filter.hasDays, filter.hasGroups, driver.word == nil {
            matches = """
                SELECT 1 FROM lead_counts AS c CROSS JOIN leads AS l INDEXED BY leads_group_created
                WHERE \(sql: filter.groups) AND \(sql: LeadQuery.Filter.isInGroup)
                AND \(sql: filter.days) AND \(sql: filter.hasWords())
                """
        } else {
            matches = """
                SELECT 1 FROM (\(sql: driver.ids)) AS p CROSS JOIN leads AS l ON l.id = p.id
                WHERE \(sql: filter.conditions(besides: driver.word))
                """
        }
        let count = try connection.count(matches, upTo: few + 1)
        return Total(count: min(count, few), isCapped: count > few)
    }

    // MARK: Page

    /// Reads the page's leads in order, and one lead more where there is one.
    ///
    /// The columns are those of `l`, the lead, and of what is joined to it, such as ``nextPromise``.
    /// - Throws: ``Database/Unavailable``; what `receive` throws.
    func forEachLead(
        selecting columns: SQL,
        joining others: SQL = "",
        in connection: Connection,
        _ receive: (Columns) throws -> Void
    ) throws {
        let access = access
        var wanted = query.limit + 1
        for stretch in stretches() where wanted > 0 {
            let statement = statement(columns, others, stretch, access, limit: wanted)
            try connection.forEachRow(of: statement) { row in
                wanted -= 1
                try receive(row)
            }
        }
    }

    /// How the leads of a page are come by.
    private enum Access {
        /// Along an index of all leads.
        case index
        /// Along the groups' indexes.
        case groups
        /// By looking up the leads that a statement names.
        case ids(Driver)
        case none
    }

    private var access: Access {
        let isSortedByCreation = query.order.key == .created || query.order.key == .status
        // There is no index of the groups by name.
        let canMergeGroups = query.order.key != .name
        let isServedInOrder =
            filter.words.isEmpty && (isSortedByCreation || !filter.hasDays)
            && (canMergeGroups || !filter.hasGroups)
        if let driver = drivers.first {
            if driver.count == 0 { return .none }
            if !isServedInOrder, driver.count <= few { return .ids(driver) }
        }
        let needsGroups = filter.hasGroups || query.order.key == .status
        return needsGroups && canMergeGroups ? .groups : .index
    }

    /// A part of an ordered list that one index search finds.
    private struct Stretch {
        var condition: SQL
        var order: SQL
        /// The lead's status, in a list that is ordered by it.
        var status: LeadStatus?
    }

    /// What is left of the list from the cursor on.
    ///
    /// Leads that tie with the cursor's come first, by their ids: a search by key and id at once
    /// would read all that tie.
    private func stretches() -> [Stretch] {
        let isDescending = query.order.isDescending
        switch query.order.key {
        case .created:
            return stretches(by: "l.created_at", isDescending, from: query.cursor)
        case .name:
            return stretches(by: "l.name COLLATE NOCASE", isDescending, from: query.cursor)
        case .lastCall, .nextRetry:
            let key: SQL = query.order.key == .lastCall ? "l.last_call_time" : "l.next_retry_time"
            let ids: SQL = isDescending ? "l.id DESC" : "l.id"
            var missing = Stretch(condition: "\(sql: key) IS NULL", order: ids)
            if let cursor = query.cursor, cursor.key == .null {
                missing.condition =
                    "\(sql: missing.condition) AND \(sql: beyond("l.id", cursor.id, isDescending))"
                return [missing]
            }
            return stretches(by: key, isDescending, from: query.cursor) + [missing]
        case .status:
            var statuses = isDescending ? LeadStatus.allCases.reversed() : LeadStatus.allCases
            if let status = query.cursor?.status {
                statuses.removeFirst(statuses.firstIndex(of: status) ?? 0)
            }
            if !filter.statuses.isEmpty { statuses.removeAll { !filter.statuses.contains($0) } }
            return statuses.flatMap { status in
                let isCursors = status == query.cursor?.status
                return stretches(by: "l.created_at", true, from: isCursors ? query.cursor : nil)
                    .map { Stretch(condition: $0.condition, order: $0.order, status: status) }
            }
        }
    }

    private func stretches(by key: SQL, _ isDescending: Bool, from cursor: LeadCursor?) -> [Stretch]
    {
        let order: SQL =
            isDescending ? "\(sql: key) DESC, l.id DESC" : "\(sql: key), l.id"
        guard let cursor else {
            return [Stretch(condition: "\(sql: key) IS NOT NULL", order: order)]
        }
        let tied: SQL = """
            \(sql: key) = \(cursor.key) AND \(sql: beyond("l.id", cursor.id, isDescending))
            """
        return [
            Stretch(condition: tied, order: isDescending ? "l.id DESC" : "l.id"),
            Stretch(condition: beyond(key, cursor.key, isDescending), order: order),
        ]
    }

    private func beyond(_ key: SQL, _ value: some SQLConvertible, _ isDescending: Bool) -> SQL {
        isDescending ? "\(sql: key) < \(value)" : "\(sql: key) > \(value)"
    }

    private func statement(
        _ columns: SQL,
        _ others: SQL,
        _ stretch: Stretch,
        _ access: Access,
        limit: Int
    ) -> SQL {
        let inOrder: SQL = "ORDER BY \(sql: stretch.order) LIMIT \(limit)"
        let ids: SQL
        switch access {
        case .none:
            ids = "SELECT NULL AS id WHERE 0"
        case .index:
            return """
                SELECT \(sql: columns) FROM leads AS l INDEXED BY \(sql: plainIndex)
                \(sql: others) WHERE \(sql: stretch.condition)
                AND \(sql: filter.conditions()) \(sql: inOrder)
                """
        case .groups:
            // The innermost statement reads one group's first leads in order, the one around it
            // merges the groups.
            var groups = filter.groups
            if let status = stretch.status {
                groups = "\(sql: groups) AND c.call_status = \(status)"
            }
            ids = """
                SELECT l.id FROM lead_counts AS c CROSS JOIN leads AS l WHERE \(sql: groups)
                AND l.id IN (SELECT l.id FROM leads AS l INDEXED BY \(sql: groupIndex)
                WHERE \(sql: LeadQuery.Filter.isInGroup) AND \(sql: stretch.condition)
                AND \(sql: filter.days) AND \(sql: filter.hasWords()) \(sql: inOrder))
                \(sql: inOrder)
                """
        case .ids(let driver):
            let parts = filter.conditions(besides: driver.word)
            var all: SQL = "\(sql: parts) AND \(sql: stretch.condition)"
            if let status = stretch.status { all = "\(sql: all) AND l.call_status = \(status)" }
            ids = """
                SELECT l.id FROM (\(sql: driver.ids)) AS p CROSS JOIN leads AS l ON l.id = p.id
                WHERE \(sql: all) \(sql: inOrder)
                """
        }
        return """
            SELECT \(sql: columns) FROM (\(sql: ids)) AS p CROSS JOIN leads AS l ON l.id = p.id
            \(sql: others) ORDER BY \(sql: stretch.order)
            """
    }

    /// Joins the promise that is due first, as `r`.
    static let nextPromise: SQL = """
        LEFT JOIN dial_requests AS r ON r.id = (SELECT id FROM dial_requests
        WHERE lead_id = l.id AND state = 'waiting' ORDER BY due_at LIMIT 1)
        """

    private var plainIndex: SQL {
        switch query.order.key {
        case .created, .status: "leads_created"
        case .name: "leads_name"
        case .lastCall: "leads_last_call"
        case .nextRetry: "leads_next_retry"
        }
    }

    private var groupIndex: SQL {
        switch query.order.key {
        case .created, .status, .name: "leads_group_created"
        case .lastCall: "leads_group_last_call"
        case .nextRetry: "leads_group_next_retry"
        }
    }
}

/// A part of the filter that names its leads by itself.
private struct Driver {
    /// A statement whose only column is `id`.
    let ids: SQL
    /// How many they are; where that had to be counted, at most one more than ``LeadIndex/few``.
    let count: Int
    var isExact = false
    /// The beginning of a word that they have, if that is the part.
    var word: String?

    /// Whether the count is the whole truth.
    func isCounted(to few: Int) -> Bool { isExact || count <= few }
}

extension LeadQuery.Filter {
    fileprivate var hasGroups: Bool {
        !statuses.isEmpty || !successStatuses.isEmpty || partner != nil
    }

    fileprivate var hasDays: Bool { from != nil || until != nil }

    /// The groups of the filter, as conditions on `c`.
    ///
    /// Both lists stand there in any case, because they are the head of the key of `lead_counts`.
    fileprivate var groups: SQL {
        let statuses = statuses.isEmpty ? LeadStatus.allCases : statuses
        var successes = successStatuses.map(\.rawValue)
        if successes.isEmpty { successes = [""] + Qualification.Status.allCases.map(\.rawValue) }
        var groups: SQL = """
            c.leads > 0 AND c.call_status IN \(list: statuses)
            AND c.success_status IN \(list: successes)
            """
        if let partner { groups = "\(sql: groups) AND c.partner = \(partner)" }
        return groups
    }

    /// Whether the lead `l` is in the group `c`.
    fileprivate static let isInGroup: SQL = """
        l.deleted_at IS NULL AND l.call_status = c.call_status
        AND l.success_status IS nullif(c.success_status, '')
        AND l.partner IS nullif(c.partner, '')
        """

    /// The whole filter as conditions on the lead `l`, but for one word that is known to be there.
    fileprivate func conditions(besides word: String? = nil) -> SQL {
        var conditions: [SQL] = ["l.deleted_at IS NULL"]
        if !statuses.isEmpty { conditions.append("l.call_status IN \(list: statuses)") }
        if !successStatuses.isEmpty {
            conditions.append("l.success_status IN \(list: successStatuses.map(\.rawValue))")
        }
        if let partner { conditions.append("l.partner = \(partner)") }
        if hasDays { conditions.append(days) }
        if words.contains(where: { $0 != word }) { conditions.append(hasWords(besides: word)) }
        return .joined(conditions, by: " AND ")
    }

    fileprivate var days: SQL {
        var days: [SQL] = []
        if let from { days.append("l.created_at >= \(from)") }
        if let until { days.append("l.created_at < \(until)") }
        return days.isEmpty ? "1" : .joined(days, by: " AND ")
    }

    fileprivate func hasWords(besides known: String? = nil) -> SQL {
        let conditions = words.filter { $0 != known }.map {
            LeadWords.condition(in: "l.words", beginning: $0)
        }
        return conditions.isEmpty ? "1" : .joined(conditions, by: " AND ")
    }

    fileprivate func drivers(countingTo few: Int, in connection: Connection) throws -> [Driver] {
        var drivers: [Driver] = []
        if hasGroups {
            let ids: SQL = """
                SELECT l.id FROM lead_counts AS c CROSS JOIN leads AS l
                INDEXED BY leads_group_created WHERE \(sql: groups) AND \(sql: Self.isInGroup)
                """
            let count: Int? = try connection.value(
                "SELECT sum(c.leads) FROM lead_counts AS c WHERE \(sql: groups)"
            )
            drivers.append(Driver(ids: ids, count: count ?? 0, isExact: true))
        }
        if hasDays {
            let ids: SQL = """
                SELECT l.id FROM leads AS l INDEXED BY leads_created
                WHERE l.deleted_at IS NULL AND \(sql: days)
                """
            drivers.append(Driver(ids: ids, count: try connection.count(ids, upTo: few + 1)))
        }
        for word in words {
            let found: SQL = """
                SELECT lead_id AS id FROM lead_words WHERE \(sql: LeadWords.condition(beginning: word))
                """
            // A lead may have several words that begin alike.
            let ids: SQL = "SELECT DISTINCT id FROM (\(sql: found))"
            let count = try connection.count(found, upTo: few + 1)
            drivers.append(Driver(ids: ids, count: count, word: word))
        }
        return drivers
    }
}

extension Connection {
    fileprivate func count(_ matches: SQL, upTo limit: Int) throws -> Int {
        try value("SELECT count(*) FROM (SELECT 1 FROM (\(sql: matches)) LIMIT \(limit))") ?? 0
    }
}

extension SQLValue: SQLConvertible {
    public var sqlValue: SQLValue { self }
    public init?(sqlValue: SQLValue) { self = sqlValue }
}
