/// Adds, changes and deletes leads; each method is one whole step of the caller's transaction.
public struct LeadStore: Sendable {
    /// Where a lead's fields come from.
    public enum Source: String, Sendable {
        /// Somebody typed them.
        case person
        /// They stood in an uploaded list.
        case list
    }

    /// A lead that was added.
    public struct Added: Sendable, Equatable {
        public let id: Int64
        public let uuid: String
        /// The lead's row in the sheet, whose first row is the heading.
        public var rowIndex: Int64 { LeadStore.rowIndex(ofID: id) }
    }

    /// Whether new leads are called without anybody asking for it (`AUTO_CALL_NEW_LEADS`).
    private let callsNewLeads: Bool

    /// Creates a store.
    public init(callsNewLeads: Bool) { self.callsNewLeads = callsNewLeads }

    /// Reads `AUTO_CALL_NEW_LEADS`.
    ///
    /// - Throws: ``Environment/Invalid``.
    public init(environment: Environment) throws {
        self.init(callsNewLeads: try environment.flag("AUTO_CALL_NEW_LEADS", default: false))
    }

    /// The row of the sheet in which a lead stands.
    static func rowIndex(ofID id: Int64) -> Int64 { id + 1 }

    // MARK: Add

    /// Adds a lead.
    ///
    /// - Returns: nil when a lead has the number already; nothing is changed then.
    /// - Throws: ``Database/Unavailable``.
    public func insert(
        _ fields: LeadFields,
        from source: Source,
        now: Instant,
        in connection: Connection
    ) throws -> Added? {
        var batch = Batch()
        batch.append(fields, now: now)
        return try insert(batch, from: source, now: now, in: connection)[0]
    }

    /// New leads on their way into the database, written down as its statement reads them, which can
    /// be done while others write.
    public struct Batch: Sendable {
        fileprivate private(set) var uuids: [String] = []
        /// A JSON array with an array of columns for each lead, but for its last bracket.
        private var columns: [UInt8] = []

        /// Creates a batch without leads.
        public init() {}

        fileprivate var text: String {
            columns.isEmpty ? "[]" : String(decoding: columns, as: UTF8.self) + "]"
        }

        /// Adds a lead.
        public mutating func append(_ lead: LeadFields, now: Instant) {
            let lead = lead.withoutNUL
            let uuid = Identifier.timeOrdered(at: now)
            uuids.append(uuid)
            columns.append(UInt8(ascii: columns.isEmpty ? "[" : ","))
            let values: JSON = [
                .string(uuid), .string(lead.name), .string(lead.number.e164),
                .string(lead.numberRaw), JSON(lead.number.isValid),
                .string(LeadStore.region(of: lead.number)), JSON(lead.email),
                JSON(lead.whatsappNumber?.e164), JSON(lead.partner),
                LeadWords.column(name: lead.name, number: lead.number, email: lead.email),
                JSON(lead.zone?.identifier), JSON(lead.consentAt?.milliseconds),
                JSON(lead.consentText), JSON(lead.consentSource),
            ]
            values.write(to: &columns)
        }
    }

    /// Adds the leads of a batch.
    ///
    /// Somebody who opted out or declined before comes back so, and nothing is planned.
    /// - Returns: For each of them what was added, or nil when a lead, or one before it, has the
    ///   number already.
    /// - Throws: ``Database/Unavailable``.
    public func insert(
        _ batch: Batch,
        from source: Source,
        now: Instant,
        in connection: Connection
    ) throws -> [Added?] {
        let before: Int64 = try connection.value("SELECT max(id) FROM leads") ?? 0
        // One statement for all: each by itself took twice as long, with the indexes opened for every
        // lead. Whatever breaks a rule takes back the whole write (OR FAIL), so SQLite need not
        // remember every page as it was before the statement.
        try connection.execute(
            """
            INSERT OR FAIL INTO leads (lead_uuid, name, number, number_raw, number_valid, region,
            email, whatsapp_number, partner, words, timezone, timezone_source, consent_at,
            consent_text, consent_source, opted_out_at, declined_at, journey_state, change_seq,
            created_at, last_updated_at)
            SELECT l.value ->> 0, l.value ->> 1, l.value ->> 2, l.value ->> 3, l.value ->> 4,
            l.value ->> 5, l.value ->> 6, l.value ->> 7, l.value ->> 8, l.value -> 9,
            l.value ->> 10, iif(l.value ->> 10 IS NULL, NULL, \(source.rawValue)),
            l.value ->> 11, l.value ->> 12, l.value ->> 13,
            iif(s.reason = \(Suppressions.Reason.optedOut), s.at, NULL),
            iif(s.reason = \(Suppressions.Reason.declined), s.at, NULL),
            CASE s.reason WHEN \(Suppressions.Reason.optedOut) THEN \(JourneyState.optedOut)
            WHEN \(Suppressions.Reason.declined) THEN \(JourneyState.declined)
            ELSE \(callsNewLeads ? JourneyState.waiting : .new) END,
            (SELECT value + 1 - is_taken FROM change_counter), \(now), \(now)
            FROM json_each(\(batch.text)) AS l LEFT JOIN suppressions AS s
            ON s.kind = 'number' AND s.value = l.value ->> 2 WHERE true
            ON CONFLICT (number) WHERE deleted_at IS NULL DO NOTHING
            """
        )
        var results = [Added?](repeating: nil, count: batch.uuids.count)
        var next = 0
        var states: [(leadID: Int64, state: JourneyState)] = []
        try connection.forEachRow(
            of: "SELECT id, lead_uuid, journey_state FROM leads WHERE id > \(before) ORDER BY id"
        ) { row in
            let id = row.integer(0)
            let uuid = row.string(1)
            while next < batch.uuids.count, batch.uuids[next] != uuid { next += 1 }
            guard next < batch.uuids.count else { return }
            results[next] = Added(id: id, uuid: batch.uuids[next])
            if let state = row.string(2).flatMap(JourneyState.init), state != .new {
                states.append((id, state))
            }
        }
        for (leadID, state) in states { try begin(leadID, state, now, connection) }
        return results
    }

    /// Notes how a new lead's journey begins, where there is something to say.
    private func begin(
        _ leadID: Int64,
        _ state: JourneyState,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        switch state {
        case .optedOut:
            try log(
                leadID,
                "opted_out",
                "This number asked not to be contacted before, so nothing is planned.",
                now,
                connection
            )
        case .declined:
            try log(
                leadID,
                "declined",
                "The owner of this number declined before, so nothing is planned.",
                now,
                connection
            )
        case .waiting:
            try DialRequests.add(leadID, .new, dueAt: now, now: now, in: connection)
            try log(
                leadID,
                "promised",
                "New leads are called by themselves, so a call is planned.",
                now,
                connection
            )
        default: break
        }
    }

    // MARK: Change

    /// Changes a lead's fields.
    ///
    /// A new number is a new start for what was known about the old one: it is no longer known to be
    /// out of service. It may not be another lead's, nor change under a call.
    ///
    /// `change` makes the new fields of the present ones. The lead must have one of the `expected`
    /// change numbers, where there are any.
    /// - Throws: ``Failure`` 404 for an unknown or deleted lead, 412 when it has changed, 409
    ///   `duplicate_number` or `call_in_progress`; ``Database/Unavailable``; what `change` throws.
    public func edit(
        _ uuid: String,
        expecting expected: Set<Int64>? = nil,
        now: Instant,
        in connection: Connection,
        _ change: (LeadFields) throws -> LeadFields
    ) throws {
        let lead = try LeadStore.lead(uuid, in: connection)
        guard
            let row = try connection.first(
                """
                SELECT number_raw, consent_text, consent_source, change_seq FROM leads
                WHERE id = \(lead.id)
                """
            )
        else { throw LeadStore.unknown }
        if let expected, !expected.contains(try row.required("change_seq")) {
            throw Failure(
                412,
                "changed",
                "This lead has changed since you opened it. Look at it again before you save."
            )
        }
        var current = LeadFields(
            name: lead.name,
            number: lead.number,
            numberRaw: row["number_raw"] ?? lead.number.e164
        )
        current.email = lead.email
        current.whatsappNumber = lead.whatsappNumber.flatMap(PhoneNumber.init(e164:))
        current.partner = lead.partner
        current.zone = lead.zone
        current.consentAt = lead.consentAt
        current.consentText = row["consent_text"]
        current.consentSource = row["consent_source"]

        let fields = try change(current)
        guard fields != current else { return }
        if fields.number != current.number {
            try takeNumber(fields.number, for: lead, now: now, in: connection)
        }
        let words = LeadWords.column(
            name: fields.name,
            number: fields.number,
            email: fields.email
        )
        try connection.execute(
            """
            UPDATE leads SET name = \(fields.name), number = \(fields.number.e164),
            number_raw = \(fields.numberRaw), email = \(fields.email),
            whatsapp_number = \(fields.whatsappNumber?.e164), partner = \(fields.partner),
            timezone = \(fields.zone?.identifier), consent_at = \(fields.consentAt),
            consent_text = \(fields.consentText), consent_source = \(fields.consentSource),
            words = \(words.text), last_updated_at = \(now) WHERE id = \(lead.id)
            """
        )
        if fields.zone != current.zone {
            let source = fields.zone == nil ? nil : Source.person.rawValue
            try connection.execute(
                "UPDATE leads SET timezone_source = \(source) WHERE id = \(lead.id)"
            )
        }
    }

    /// Checks that a lead may have a number, and starts anew with what depends on it.
    private func takeNumber(
        _ number: PhoneNumber,
        for lead: Contact,
        now: Instant,
        in connection: Connection
    ) throws {
        let live: Int? = try connection.value(
            """
            SELECT 1 FROM calls WHERE lead_id = \(lead.id) AND \(sql: CallState.liveCondition)
            LIMIT 1
            """
        )
        guard live == nil else {
            throw Failure(
                409,
                "call_in_progress",
                "A call with this person is under way. Change the number when it is over.",
                field: "number"
            )
        }
        if let other = try Contact.find(number: number, in: connection) {
            throw LeadStore.duplicate(of: other.uuid)
        }
        try connection.execute(
            """
            UPDATE leads SET number_valid = \(number.isValid), number_invalid = 0,
            region = \(LeadStore.region(of: number)), journey_state = CASE journey_state
            WHEN \(JourneyState.unreachable) THEN \(JourneyState.new) ELSE journey_state END
            WHERE id = \(lead.id)
            """
        )
        try log(
            lead.id,
            "number_changed",
            "The phone number was corrected by hand. What was known about the old one no longer counts.",
            now,
            connection
        )
        if lead.optedOutAt == nil,
            let optedOutAt = try Suppressions.date(ofNumber: number, in: connection)
        {
            try connection.execute(
                """
                UPDATE leads SET opted_out_at = \(optedOutAt), next_retry_time = NULL,
                journey_state = \(JourneyState.optedOut) WHERE id = \(lead.id)
                """
            )
            try forgo(lead, .optedOut, "asked not to be contacted before", now, connection)
        } else if lead.declinedAt == nil,
            let declinedAt = try Suppressions.date(
                ofNumber: number,
                because: .declined,
                in: connection
            )
        {
            try connection.execute(
                """
                UPDATE leads SET declined_at = \(declinedAt), next_retry_time = NULL,
                journey_state = iif(opted_out_at IS NULL, \(JourneyState.declined), journey_state)
                WHERE id = \(lead.id)
                """
            )
            try forgo(lead, .declined, "declined before", now, connection)
        }
    }

    /// Cancels what was planned with somebody whose new number speaks against it.
    private func forgo(
        _ lead: Contact,
        _ reason: ContactGate.Reason,
        _ what: String,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        try cancelPlans(of: lead.id, because: reason.rawValue, now: now, in: connection)
        try log(
            lead.id,
            reason.rawValue,
            "The owner of the new number \(what). Every planned contact is cancelled.",
            now,
            connection
        )
    }

    // MARK: Delete

    /// Deletes a lead softly.
    ///
    /// It leaves the list and the search, its number is free, everything that was planned is
    /// cancelled. Reports that still come in about it are stored.
    ///
    /// - Throws: ``Failure`` 404 for an unknown or deleted lead; ``Database/Unavailable``.
    public func delete(_ uuid: String, now: Instant, in connection: Connection) throws {
        let lead = try LeadStore.lead(uuid, in: connection)
        try connection.execute(
            """
            UPDATE leads SET deleted_at = \(now), next_retry_time = NULL, last_updated_at = \(now)
            WHERE id = \(lead.id)
            """
        )
        try cancelPlans(
            of: lead.id,
            because: ContactGate.Reason.deleted.rawValue,
            now: now,
            in: connection
        )
        try log(
            lead.id,
            "deleted",
            "The lead was deleted by hand. Every planned contact is cancelled.",
            now,
            connection
        )
    }

    // MARK: Parts

    /// The lead of a uuid.
    ///
    /// - Throws: ``Failure`` 404 when there is none or it was deleted; ``Database/Unavailable``.
    static func lead(_ uuid: String, in connection: Connection) throws -> Contact {
        guard let lead = try Contact.find(uuid: uuid.lowercased(), in: connection), !lead.isDeleted
        else { throw unknown }
        return lead
    }

    /// 404: there is no such lead.
    static let unknown = Failure.notFound(
        "There is no such lead. It may have been deleted; reload the list."
    )

    /// 409: another lead, with this uuid, has the number.
    public static func duplicate(of uuid: String?) -> Failure {
        var details = JSON.Object()
        details["lead_uuid"] = JSON(uuid)
        return Failure(
            409,
            "duplicate_number",
            "Another lead already has this number.",
            field: "number",
            details: details
        )
    }

    /// ISO 3166 letters of the number's country; `ZZ`, where nobody is called, when it is not known.
    private static func region(of number: PhoneNumber) -> String { number.region ?? "ZZ" }

    private func cancelPlans(
        of leadID: Int64,
        because reason: String,
        now: Instant,
        in connection: Connection
    ) throws {
        try DialRequests.cancelAll(of: leadID, because: reason, now: now, in: connection)
        try connection.execute(
            "UPDATE outbox SET state = 'cancelled' WHERE lead_id = \(leadID) AND state = 'queued'"
        )
    }

    private func log(
        _ leadID: Int64,
        _ decision: String,
        _ reason: String,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        try JourneyLog.add(
            leadID,
            node: Workflow.Node.start.rawValue,
            decision: decision,
            reason: reason,
            at: now,
            in: connection
        )
    }
}
