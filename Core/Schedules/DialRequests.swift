/// The one table of promises to call somebody.
public enum DialRequests {
    /// One promise.
    public struct Request: Sendable {
        public let id: Int64
        public let leadID: Int64
        public let kind: DialKind
        /// When it may be dialed; moves when the gate holds it.
        public let dueAt: Instant
        /// When it was promised for.
        public let promisedAt: Instant
        public let scheduleID: Int64?
        /// When it was promised, or promised anew.
        public let createdAt: Instant
        /// Why it was moved to a later time, if it was.
        public let heldBecause: String?
    }

    /// Why a promise is dropped when another call to the same person takes its place.
    static let superseded = "superseded"

    private static let columns: SQL =
        """
        SELECT id, lead_id, kind, due_at, promised_at, schedule_id, created_at, reason
        FROM dial_requests
        """

    /// Promises a call.
    ///
    /// A lead has at most one waiting promise of the kinds operator, retry and new: a second one
    /// moves the first. Two callbacks for the same time are one.
    ///
    /// - Returns: the id of the promise.
    /// - Throws: ``Database/Unavailable``.
    @discardableResult
    public static func add(
        _ leadID: Int64,
        _ kind: DialKind,
        dueAt: Instant,
        promisedAt: Instant? = nil,
        scheduleID: Int64? = nil,
        now: Instant,
        in connection: Connection
    ) throws -> Int64 {
        var same: SQL = "lead_id = \(leadID) AND kind = \(kind) AND state = 'waiting'"
        switch kind {
        case .operator, .retry, .new: break
        case .callback: same = "\(sql: same) AND promised_at = \(promisedAt ?? dueAt)"
        case .schedule: same = "\(sql: same) AND schedule_id = \(scheduleID)"
        }
        if let id: Int64 = try connection.value("SELECT id FROM dial_requests WHERE \(sql: same)") {
            try connection.execute(
                """
                UPDATE dial_requests SET due_at = \(dueAt), promised_at = \(promisedAt ?? dueAt),
                created_at = \(now) WHERE id = \(id)
                """
            )
            return id
        }
        try connection.execute(
            """
            INSERT INTO dial_requests
            (lead_id, kind, rank, due_at, promised_at, schedule_id, created_at)
            VALUES (\(leadID), \(kind), \(kind.rank), \(dueAt), \(promisedAt ?? dueAt),
            \(scheduleID), \(now))
            """
        )
        return connection.lastInsertedID
    }

    /// The promise to keep next: the first kind in order of promise that has one due.
    ///
    /// One index search a kind, so that what lies in the future costs nothing.
    /// - Throws: ``Database/Unavailable``.
    static func nextDue(at now: Instant, in connection: Connection) throws -> Request? {
        for kind in DialKind.allCases {
            let row = try connection.first(
                """
                \(sql: columns) WHERE state = 'waiting' AND parked IS NULL AND rank = \(kind.rank)
                AND due_at <= \(now) ORDER BY due_at, id LIMIT 1
                """
            )
            if let row { return try Request(row: row) }
        }
        return nil
    }

    // MARK: Paused promises

    /// How many promises are parked, or made due again, in one transaction.
    static let parkingStep = 200

    /// Whether the schedule that a promise belongs to is paused.
    ///
    /// - Throws: ``Database/Unavailable``.
    static func isSchedulePaused(of request: Request, in connection: Connection) throws -> Bool {
        guard let id = request.scheduleID else { return false }
        let found: Int? = try connection.value(
            "SELECT 1 FROM schedules WHERE id = \(id) AND state = 'paused'"
        )
        return found != nil
    }

    /// Takes a promise whose schedule or partner is paused out of those that are due, and with it
    /// others like it that come next.
    ///
    /// Each is read past once and not again, however long the pause: nobody waits behind them.
    /// - Throws: ``Database/Unavailable``.
    static func park(
        _ request: Request,
        now: Instant,
        in connection: Connection
    ) throws {
        let partners = Set(try Pause.partners(in: connection, now: now).map(\.partner))
        let next = try connection.rows(
            """
            SELECT r.id, r.schedule_id, s.state, l.partner FROM dial_requests r
            JOIN leads l ON l.id = r.lead_id LEFT JOIN schedules s ON s.id = r.schedule_id
            WHERE r.state = 'waiting' AND r.parked IS NULL AND r.rank = \(request.kind.rank)
            AND r.due_at <= \(now) ORDER BY r.due_at, r.id LIMIT \(parkingStep)
            """
        )
        for row in next {
            let id: Int64 = try row.required("id")
            var place: String?
            if row["state"] == "paused", let schedule: Int64 = row["schedule_id"] {
                place = Parking.schedule(schedule)
            } else if let partner: String = row["partner"],
                partners.contains(partner) || id == request.id
            {
                place = Parking.partner(partner)
            }
            guard let place else { continue }
            try connection.execute("UPDATE dial_requests SET parked = \(place) WHERE id = \(id)")
        }
    }

    /// The pauses that promises still wait for although they are over.
    ///
    /// Looks once at each pause, not at each promise.
    /// - Throws: ``Database/Unavailable``.
    static func endedParkings(at now: Instant, in connection: Connection) throws -> [String] {
        try connection.rows(
            """
            WITH RECURSIVE places (place) AS (
                SELECT min(parked) FROM dial_requests
                WHERE state = 'waiting' AND parked IS NOT NULL
                UNION ALL
                SELECT (SELECT min(parked) FROM dial_requests
                    WHERE state = 'waiting' AND parked > place) FROM places WHERE place IS NOT NULL
            ) SELECT place FROM places WHERE place IS NOT NULL
            """
        ).map { try $0.required("place", as: String.self) }
            .filter { try !Parking.isInForce($0, at: now, in: connection) }
    }

    /// Makes some of the promises due again that waited for a pause.
    ///
    /// - Returns: whether there may be more.
    /// - Throws: ``Database/Unavailable``.
    static func unpark(_ place: String, in connection: Connection) throws -> Bool {
        try connection.execute(
            """
            UPDATE dial_requests SET parked = NULL WHERE id IN
            (SELECT id FROM dial_requests WHERE state = 'waiting' AND parked = \(place)
            LIMIT \(parkingStep))
            """
        )
        return connection.changes == parkingStep
    }

    /// The pause that a promise waits for, as it stands in the table.
    enum Parking {
        static func schedule(_ id: Int64) -> String { "schedule:\(id)" }
        static func partner(_ name: String) -> String { "partner:\(name)" }

        static func isInForce(_ place: String, at now: Instant, in connection: Connection) throws
            -> Bool
        {
            if place.hasPrefix("partner:") {
                let partner = String(place.dropFirst("partner:".count))
                return try Pause.current(of: partner, in: connection, now: now) != nil
            }
            let id = Int64(place.dropFirst("schedule:".count)) ?? 0
            let found: Int? = try connection.value(
                "SELECT 1 FROM schedules WHERE id = \(id) AND state = 'paused'"
            )
            return found != nil
        }
    }

    // MARK: One promise

    /// When a lead's promised retry is due, or NULL: what `leads.next_retry_time` has to say whenever
    /// a promise has changed.
    static func nextRetryTime(of leadID: Int64) -> SQL {
        """
        (SELECT due_at FROM dial_requests WHERE lead_id = \(leadID) AND state = 'waiting'
        AND kind = \(DialKind.retry))
        """
    }

    /// A waiting promise.
    ///
    /// - Throws: ``Database/Unavailable``.
    static func waiting(id: Int64, in connection: Connection) throws -> Request? {
        try connection.first("\(sql: columns) WHERE id = \(id) AND state = 'waiting'")
            .map(Request.init)
    }

    /// The number of promises that are due.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func countDue(at now: Instant, in connection: Connection) throws -> Int {
        var count = 0
        for kind in DialKind.allCases {
            count +=
                try connection.value(
                    """
                    SELECT count(*) FROM (SELECT 1 FROM dial_requests WHERE state = 'waiting'
                    AND parked IS NULL AND rank = \(kind.rank) AND due_at <= \(now) LIMIT 10000)
                    """
                ) ?? 0
        }
        return count
    }

    /// For how long a call makes other planned calls to the same person needless.
    static let supersededSpan = Duration.hours(4)

    /// Marks a promise as taken by an attempt, and drops what that attempt makes needless: every
    /// other promise to the lead within four hours, but never a callback.
    ///
    /// - Returns: how many were dropped.
    /// - Throws: ``Database/Unavailable``.
    static func claim(_ request: Request, now: Instant, in connection: Connection) throws -> Int {
        try connection.execute(
            """
            UPDATE dial_requests SET state = 'claimed', reason = NULL, parked = NULL
            WHERE id = \(request.id)
            """
        )
        try connection.execute(
            """
            UPDATE dial_requests SET state = 'skipped', reason = \(superseded), settled_at = \(now)
            WHERE lead_id = \(request.leadID) AND state = 'waiting' AND id <> \(request.id)
            AND kind <> 'callback' AND due_at < \(now + supersededSpan)
            """
        )
        return connection.changes
    }

    /// Makes the promises wait again that an attempt had made needless, which came to nothing.
    ///
    /// One that was given anew, or whose schedule was cancelled, in the meantime stays as it is.
    ///
    /// - Throws: ``Database/Unavailable``.
    static func revive(
        supersededAt instant: Instant,
        of leadID: Int64,
        in connection: Connection
    ) throws {
        try connection.execute(
            """
            UPDATE OR IGNORE dial_requests SET state = 'waiting', reason = NULL, settled_at = NULL
            WHERE lead_id = \(leadID) AND state = 'skipped' AND reason = \(superseded)
            AND settled_at = \(instant) AND ifnull(schedule_id, 0) NOT IN
            (SELECT id FROM schedules WHERE state = 'cancelled')
            """
        )
    }

    /// Settles a promise for good.
    ///
    /// - Throws: ``Database/Unavailable``.
    static func settle(
        _ id: Int64,
        as state: Settlement,
        because reason: String? = nil,
        now: Instant,
        in connection: Connection
    ) throws {
        try connection.execute(
            """
            UPDATE dial_requests SET state = \(state), reason = \(reason), settled_at = \(now)
            WHERE id = \(id) AND settled_at IS NULL
            """
        )
    }

    /// How a promise ends.
    enum Settlement: String, SQLConvertible { case done, cancelled, skipped }

    /// Moves a waiting or claimed promise to a later time.
    ///
    /// Where the same promise was given anew in the meantime, that one stands and this one is
    /// dropped. Where its schedule was cancelled while it was being dialed, it is cancelled, too.
    ///
    /// - Throws: ``Database/Unavailable``.
    static func postpone(
        _ id: Int64,
        to dueAt: Instant,
        because reason: String,
        now: Instant,
        in connection: Connection
    ) throws {
        try connection.execute(
            """
            UPDATE dial_requests SET state = 'cancelled', reason = 'schedule_cancelled',
            settled_at = \(now) WHERE id = \(id) AND settled_at IS NULL AND schedule_id IN
            (SELECT id FROM schedules WHERE state = 'cancelled')
            """
        )
        guard connection.changes == 0 else { return }
        try connection.execute(
            """
            UPDATE OR IGNORE dial_requests SET state = 'waiting', due_at = \(dueAt),
            reason = \(reason) WHERE id = \(id) AND settled_at IS NULL
            """
        )
        guard connection.changes == 0 else { return }
        try settle(id, as: .skipped, because: superseded, now: now, in: connection)
    }

    /// Whether the schedule of a promise was cancelled.
    ///
    /// - Throws: ``Database/Unavailable``.
    static func isCalledOff(_ id: Int64, in connection: Connection) throws -> Bool {
        let found: Int? = try connection.value(
            """
            SELECT 1 FROM dial_requests WHERE id = \(id) AND schedule_id IN
            (SELECT id FROM schedules WHERE state = 'cancelled')
            """
        )
        return found != nil
    }

    /// Cancels everything that is planned for a lead.
    ///
    /// - Throws: ``Database/Unavailable``.
    static func cancelAll(
        of leadID: Int64,
        kinds: [DialKind] = DialKind.allCases,
        because reason: String,
        now: Instant,
        in connection: Connection
    ) throws {
        // One value, so that the statement stays prepared: with its triggers that costs more than it does.
        let kinds = kinds.map { "(\($0.rawValue))" }.joined()
        try connection.execute(
            """
            UPDATE dial_requests SET state = 'cancelled', reason = \(reason), settled_at = \(now)
            WHERE lead_id = \(leadID) AND state = 'waiting'
            AND instr(\(kinds), '(' || kind || ')')
            """
        )
    }
}

extension DialRequests.Request {
    init(row: Row) throws {
        id = try row.required("id")
        leadID = try row.required("lead_id")
        kind = try row.required("kind")
        dueAt = try row.required("due_at")
        promisedAt = try row.required("promised_at")
        scheduleID = row["schedule_id"]
        createdAt = try row.required("created_at")
        heldBecause = row["reason"]
    }
}
