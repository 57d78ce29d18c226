/// A lead as the API shows it, written straight from the database's columns.
struct LeadFormat: Sendable {
    /// One member of the lead's object.
    struct Member: Sendable {
        /// What the column holds and how it is shown; NULL is `null` everywhere but for ``isSet``.
        enum Form: Sendable {
            case text, integer, flag
            /// A time, ISO 8601.
            case time
            /// Seconds, as `"120s"`.
            case seconds
            /// JSON text, put in as it is.
            case json
            /// True when there is a value.
            case isSet
            /// The id as the row of the sheet.
            case rowIndex
            case maximumRetries, nextAction
        }

        let name: String
        let column: String
        let form: Form
        /// Whether a table shows it too.
        let isInTable: Bool

        init(_ name: String, _ form: Form, of column: String? = nil, isInTable: Bool = true) {
            self.name = name
            self.form = form
            self.column = column ?? "l.\(name)"
            self.isInTable = isInTable
        }
    }

    static let members = [
        Member("lead_uuid", .text),
        Member("row_index", .rowIndex, of: "l.id"),
        Member("name", .text),
        Member("number", .text),
        Member("number_valid", .flag),
        Member("number_invalid", .flag),
        Member("email", .text),
        Member("whatsapp_number", .text),
        Member("partner", .text),
        Member("call_status", .text),
        Member("success_status", .text),
        Member("retry_count", .integer),
        Member("max_retry_count", .maximumRetries, of: "0"),
        Member("next_retry_time", .time),
        Member("vapi_call_id", .text),
        Member("last_call_time", .time),
        Member("call_duration", .seconds),
        Member("recording_url", .text, isInTable: false),
        Member("summary", .text, isInTable: false),
        Member("structured_data", .json, isInTable: false),
        Member("country", .text),
        Member("university", .text),
        Member("intake", .text),
        Member("visa_status", .text),
        Member("budget", .text),
        Member("transcript", .text, isInTable: false),
        Member("analysis_received_at", .time),
        Member("whatsapp_sent", .flag),
        Member("email_sent", .flag),
        Member("declined", .isSet, of: "l.declined_at"),
        Member("opted_out", .isSet, of: "l.opted_out_at"),
        Member("journey_state", .text),
        Member("next_action", .nextAction, of: "0"),
        Member("timezone", .text),
        Member("consent_at", .time),
        Member("consent_text", .text, isInTable: false),
        Member("consent_source", .text),
        Member("created_at", .time),
        Member("last_updated_at", .time),
        Member("change_seq", .integer),
    ]

    /// Raised whenever the same rows are written differently, so that no browser keeps an old form.
    static let version = 2

    let zone: Zone
    let maximumRetries: Int
    private let layout: Layout

    /// Creates a format.
    ///
    /// - Parameters:
    ///   - zone: the zone of the times.
    ///   - maximumRetries: how many retries a lead gets, as it is now.
    ///   - isTable: whether to leave out what no table shows.
    init(zone: Zone, maximumRetries: Int, isTable: Bool = false) {
        self.zone = zone
        self.maximumRetries = maximumRetries
        layout = isTable ? LeadFormat.table : LeadFormat.whole
    }

    /// What to select: first the columns that ``Place`` names, then those that only members need.
    var columns: SQL { layout.columns }

    /// Positions of the columns that stand before the members'.
    enum Place: Int, CaseIterable {
        // What a place in a list is made of, and the state of a lead.
        case id, changeSequence, createdAt, name, lastCallTime, nextRetryTime, status
        // What the next action is made of.
        case promiseKind, dueAt, promisedAt, state, isNumberInvalid, retryCount

        fileprivate var column: String {
            switch self {
            case .id: "l.id"
            case .changeSequence: "l.change_seq"
            case .createdAt: "l.created_at"
            case .name: "l.name"
            case .lastCallTime: "l.last_call_time"
            case .nextRetryTime: "l.next_retry_time"
            case .status: "l.call_status"
            case .promiseKind: "r.kind"
            case .dueAt: "r.due_at"
            case .promisedAt: "r.promised_at"
            case .state: "l.journey_state"
            case .isNumberInvalid: "l.number_invalid"
            case .retryCount: "l.retry_count"
            }
        }
    }

    /// The first of the columns, up to the lead's status, which are all that ``LeadCursor`` and
    /// ``version(of:)`` need.
    static let placeColumns = SQL(
        stringLiteral: Place.allCases.prefix(through: Place.status.rawValue).map(\.column)
            .joined(separator: ", ")
    )

    private static let whole = Layout(members)
    private static let table = Layout(members.filter(\.isInTable))

    /// Members as they are selected and written.
    private struct Layout: Sendable {
        /// A member while a row is written; it refers to nothing, so that nothing is retained and
        /// released two thousand times a page.
        struct Slot {
            let form: Member.Form
            let column: Int
            /// Where the name ends that stands before the value; it begins where the one before ends.
            let nameEnd: Int
        }

        let members: [Member]
        let columns: SQL
        let slots: [Slot]
        /// The comma and the name before each value, one after the other.
        let names: [UInt8]

        init(_ members: [Member]) {
            var columns = Place.allCases.map(\.column)
            var slots: [Slot] = []
            var names: [UInt8] = []
            for member in members {
                let column = columns.firstIndex(of: member.column) ?? columns.endIndex
                if column == columns.endIndex { columns.append(member.column) }
                names += ",\"\(member.name)\":".utf8
                slots.append(Slot(form: member.form, column: column, nameEnd: names.count))
            }
            self.members = members
            self.slots = slots
            self.names = names
            self.columns = SQL(stringLiteral: columns.joined(separator: ", "))
        }
    }

    /// Appends the lead of a row as a JSON object.
    func write(_ row: Columns, to bytes: inout [UInt8]) {
        let start = bytes.count
        layout.slots.withUnsafeBufferPointer { slots in
            layout.names.withUnsafeBufferPointer { names in
                var nameStart = 0
                for slot in slots {
                    bytes.append(contentsOf: names[nameStart..<slot.nameEnd])
                    nameStart = slot.nameEnd
                    write(row, slot.column, slot.form, to: &bytes)
                }
            }
        }
        bytes[start] = UInt8(ascii: "{")  // in the place of the first comma
        bytes.append(UInt8(ascii: "}"))
    }

    private func write(
        _ row: Columns,
        _ index: Int,
        _ form: Member.Form,
        to bytes: inout [UInt8]
    ) {
        switch form {
        // A text is NULL where there is none; of other columns it must be asked.
        case .text:
            if let text = row.text(index) { return JSON.write(utf8: text, to: &bytes) }
        case .json:
            if let text = row.text(index) { return bytes.append(contentsOf: text) }
        case .isSet: return append(row.isNull(index) ? "false" : "true", to: &bytes)
        case .maximumRetries: return append(Int64(maximumRetries), to: &bytes)
        case .nextAction:
            guard let sentence = nextAction(row) else { break }
            return JSON.write(sentence, to: &bytes)
        case _ where row.isNull(index): break
        case .integer: return append(row.integer(index), to: &bytes)
        case .rowIndex: return append(LeadStore.rowIndex(ofID: row.integer(index)), to: &bytes)
        case .flag: return append(row.integer(index) == 0 ? "false" : "true", to: &bytes)
        case .time:
            bytes.append(UInt8(ascii: "\""))
            Instant(milliseconds: row.integer(index)).append(to: &bytes, in: zone)
            return bytes.append(UInt8(ascii: "\""))
        case .seconds:
            bytes.append(UInt8(ascii: "\""))
            append(row.integer(index), to: &bytes)
            return append("s\"", to: &bytes)
        }
        append("null", to: &bytes)
    }

    /// A member's column, for ``writeCSV(_:_:to:)``.
    struct ColumnPlace {
        fileprivate let index: Int
        fileprivate let form: Member.Form
    }

    /// The column of a member that the format has.
    func place(of name: String) -> ColumnPlace? {
        layout.members.firstIndex { $0.name == name }.map {
            ColumnPlace(index: layout.slots[$0].column, form: layout.slots[$0].form)
        }
    }

    /// Appends a member as a field of a CSV file: empty for `null`, a duration as bare seconds.
    func writeCSV(_ row: Columns, _ place: ColumnPlace, to bytes: inout [UInt8]) {
        switch place.form {
        case .text, .json:
            if let text = row.text(place.index) { CSVText.write(text, to: &bytes) }
        case .time:
            if let time = row.instant(place.index) { time.append(to: &bytes, in: zone) }
        case .seconds:
            if !row.isNull(place.index) { append(row.integer(place.index), to: &bytes) }
        case .nextAction:
            CSVText.write(nextAction(row) ?? "", to: &bytes)
        case .integer, .flag, .isSet, .rowIndex, .maximumRetries:
            write(row, place.index, place.form, to: &bytes)
        }
    }

    private func append(_ text: StaticString, to bytes: inout [UInt8]) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private func append(_ number: Int64, to bytes: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var start = 20
            var rest = number.magnitude
            repeat {
                start -= 1
                digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            if number < 0 {
                start -= 1
                digits[start] = UInt8(ascii: "-")
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: digits[start...]))
        }
    }

    private func nextAction(_ row: Columns) -> String? {
        var promise: NextAction.Promise?
        if let kind = row.string(Place.promiseKind.rawValue).flatMap(DialKind.init),
            let dueAt = row.instant(Place.dueAt.rawValue),
            let promisedAt = row.instant(Place.promisedAt.rawValue)
        {
            promise = NextAction.Promise(kind: kind, dueAt: dueAt, promisedAt: promisedAt)
        }
        let state = row.string(Place.state.rawValue).flatMap(JourneyState.init)
        return NextAction(
            state: state ?? .new,
            isNumberInvalid: row.integer(Place.isNumberInvalid.rawValue) != 0,
            retryCount: Int(row.integer(Place.retryCount.rawValue)),
            promise: promise
        ).sentence(maximumRetries: maximumRetries, zone: zone)
    }

    /// The state of a row's lead.
    func version(of row: Columns) -> WrittenLeads.Version {
        WrittenLeads.Version(
            id: row.integer(Place.id.rawValue),
            change: row.integer(Place.changeSequence.rawValue),
            maximumRetries: maximumRetries
        )
    }
}

extension LeadCursor {
    /// The place of a row's lead in a list.
    init(at row: Columns, in order: LeadQuery.Order) {
        func time(_ place: LeadFormat.Place) -> SQLValue {
            row.instant(place.rawValue)?.sqlValue ?? .null
        }
        let key: SQLValue =
            switch order.key {
            case .created, .status: time(.createdAt)
            case .name: .text(row.string(LeadFormat.Place.name.rawValue) ?? "")
            case .lastCall: time(.lastCallTime)
            case .nextRetry: time(.nextRetryTime)
            }
        let status = row.string(LeadFormat.Place.status.rawValue).flatMap(LeadStatus.init)
        self.init(
            key: key,
            id: row.integer(LeadFormat.Place.id.rawValue),
            status: order.key == .status ? status : nil
        )
    }
}
