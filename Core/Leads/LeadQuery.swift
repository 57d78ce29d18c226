/// Which leads a list shows, and in what order.
public struct LeadQuery: Sendable, Equatable {
    /// What is known of the leads that are wanted; an empty filter wants all of them.
    public struct Filter: Sendable, Equatable {
        /// Any of these; empty for all.
        public var statuses: [LeadStatus] = []
        /// Any of these; empty for all, also those without one.
        public var successStatuses: [Qualification.Status] = []
        public var partner: String?
        /// When the lead was created: from this moment on.
        public var from: Instant?
        /// When the lead was created: before this moment.
        public var until: Instant?
        /// Beginnings of words, all of which must be there (``LeadWords``).
        public var words: [String] = []

        /// Creates a filter that wants every lead.
        public init() {}
    }

    /// What a list is ordered by.
    ///
    /// Leads that have no such time come last either way.
    public enum Key: String, Sendable, CaseIterable {
        case created, name
        /// From pending to completed; within one status the newest first.
        case status
        case lastCall = "last_call"
        case nextRetry = "next_retry"
    }

    /// An order: a key and its direction.
    public struct Order: Sendable, Equatable {
        public var key: Key
        public var isDescending: Bool

        /// Creates an order.
        public init(_ key: Key, descending isDescending: Bool = false) {
            self.key = key
            self.isDescending = isDescending
        }

        /// The newest first.
        public static let newest = Order(.created, descending: true)

        /// Reads `name`, or `-name` for the other direction.
        init?(_ text: String) {
            let isDescending = text.hasPrefix("-")
            guard let key = Key(rawValue: isDescending ? String(text.dropFirst()) : text) else {
                return nil
            }
            self.init(key, descending: isDescending)
        }

        var text: String { (isDescending ? "-" : "") + key.rawValue }
    }

    public var filter = Filter()
    public var order = Order.newest
    /// How many leads a page has at most.
    public var limit = 50
    /// The lead after which the page begins; nil for the first page.
    public var cursor: LeadCursor?

    /// Creates a query for the newest 50 leads.
    public init() {}

    /// How many leads a page may have.
    public static let limits = 1...500

    /// The names of the parameters that a list's address may have.
    public static let parameters = [
        "status", "success_status", "partner", "from", "to", "q", "sort", "limit", "cursor",
    ]

    /// Reads the parameters of a list's address.
    ///
    /// The days `from` and `to` are days of the zone, and both are included.
    /// - Throws: ``Failure`` 400 that names the parameter which is unknown or cannot be used.
    public init(_ query: Request.Query, zone: Zone) throws {
        filter = try Filter(query, zone: zone)
        if let text = try query.value("sort") {
            guard let order = Order(text) else {
                let keys = Key.allCases.map(\.rawValue).joined(separator: ", ")
                throw Filter.unusable("sort", "sort must be one of \(keys), or begin with -.")
            }
            self.order = order
        }
        if let text = try query.value("limit") {
            guard let limit = Int(text), LeadQuery.limits.contains(limit) else {
                throw Filter.unusable("limit", "limit must be a whole number from 1 to 500.")
            }
            self.limit = limit
        }
        if let text = try query.value("cursor") {
            guard let cursor = LeadCursor(text, for: self) else {
                throw Filter.unusable(
                    "cursor",
                    "This page does not belong to these filters. Start again from the first page."
                )
            }
            self.cursor = cursor
        }
    }

    /// The query without its place in the list: two pages of one list have the same.
    var fingerprint: UInt64 {
        var hash = Fingerprint()
        hash.add(order.text)
        filter.add(to: &hash)
        return hash.value
    }
}

extension LeadQuery.Filter {
    /// Reads the parameters that filter; others are not looked at.
    ///
    /// - Throws: ``Failure`` 400 that names the parameter which cannot be used.
    public init(_ query: Request.Query, zone: Zone) throws {
        statuses = try Self.choices("status", query)
        successStatuses = try Self.choices("success_status", query)
        partner = try query.value("partner")?.singleLine
        from = try Self.day("from", query).map { zone.instant(of: $0) }
        until = try Self.day("to", query).map { zone.instant(of: $0.addingDays(1)) }
        if let from, let until, from >= until {
            throw Self.unusable("to", "The last day lies before the first.")
        }
        guard let text = try query.value("q")?.singleLine, !text.isEmpty else { return }
        guard text.utf8.count <= 400 else {
            throw Self.unusable("q", "This search is too long. A few words are enough.")
        }
        words = LeadWords.beginnings(inSearch: text)
        guard !words.isEmpty else {
            throw Self.unusable("q", "A search needs at least one letter or digit.")
        }
    }

    static func unusable(_ name: String, _ sentence: String) -> Failure {
        Failure(400, "invalid_\(name)", sentence, field: name)
    }

    private static func choices<Choice>(_ name: String, _ query: Request.Query) throws -> [Choice]
    where Choice: CaseIterable & RawRepresentable & Equatable, Choice.RawValue == String {
        guard let text = try query.value(name) else { return [] }
        let chosen = try text.split(separator: ",").map { part in
            guard let choice = Choice(rawValue: String(part).trimmingSpace()) else {
                let all = Choice.allCases.map(\.rawValue).joined(separator: ", ")
                throw unusable(name, "\(name) must be among \(all).")
            }
            return choice
        }
        // In one order and each once, so that one list has one fingerprint.
        return Choice.allCases.filter(chosen.contains)
    }

    private static func day(_ name: String, _ query: Request.Query) throws -> LocalTime? {
        guard let text = try query.value(name) else { return nil }
        guard let day = LocalTime(date: text) else {
            throw unusable(name, "\(name) must be a day such as 2025-01-15.")
        }
        return day
    }

    func add(to hash: inout Fingerprint) {
        for status in statuses { hash.add(status.rawValue) }
        hash.add("|")
        for status in successStatuses { hash.add(status.rawValue) }
        hash.add(partner.map { "partner \($0)" } ?? "|")
        hash.add("\(from?.milliseconds ?? 0) \(until?.milliseconds ?? 0)")
        for word in words { hash.add(word) }
    }
}

/// A lead's place in an ordered list, from which the next page goes on.
///
/// It names the lead that was shown last by its key and its id, so that leads which come, go or tie
/// meanwhile move nothing. To a caller it is an opaque text of letters, digits, `-` and `_`.
public struct LeadCursor: Sendable, Equatable {
    /// The key of the lead; NULL where it has none.
    let key: SQLValue
    let id: Int64
    /// The status of the lead, for a list ordered by it.
    let status: LeadStatus?

    private static let version = 1

    /// The place as text, bound to its list.
    func text(for query: LeadQuery) -> String {
        var parts: [JSON] = [
            .integer(Int64(LeadCursor.version)),
            .string(String(query.fingerprint, radix: 16)), .integer(id),
        ]
        switch key {
        case .integer(let value): parts.append(.integer(value))
        case .text(let value): parts.append(.string(value))
        default: parts.append(.null)
        }
        if let status { parts.append(.string(status.rawValue)) }
        return Base64URL.encoded(JSON.array(parts).encoded())
    }

    /// Creates a place in a list.
    init(key: SQLValue, id: Int64, status: LeadStatus?) {
        self.key = key
        self.id = id
        self.status = status
    }

    /// Reads a place; nil when the text is none, or one of another list.
    init?(_ text: String, for query: LeadQuery) {
        guard text.utf8.count <= 4096, let bytes = Base64URL.decoded(text),
            let parts = try? JSON(parsing: bytes),
            parts[0]?.integer == Int64(LeadCursor.version),
            parts[1]?.string == String(query.fingerprint, radix: 16),
            let id = parts[2]?.integer, let key = parts[3]
        else { return nil }
        self.id = id
        switch (key, query.order.key) {
        case (.integer(let value), .created), (.integer(let value), .status),
            (.integer(let value), .lastCall), (.integer(let value), .nextRetry):
            self.key = .integer(value)
        case (.string(let value), .name): self.key = .text(value)
        case (.null, .lastCall), (.null, .nextRetry): self.key = .null
        default: return nil
        }
        status = parts[4]?.string.flatMap(LeadStatus.init)
        if query.order.key == .status, status == nil { return nil }
    }
}

/// A 64-bit fingerprint of texts (FNV-1a): the same in every process, unlike Swift's own hash.
///
/// It tells lists apart by accident, not by attack.
struct Fingerprint {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ text: String) {
        for byte in text.utf8 { add(byte) }
        add(0xFF)  // stands in no UTF-8, so "ab" + "c" differs from "a" + "bc"
    }

    private mutating func add(_ byte: UInt8) {
        value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }
}

/// Base 64 with the alphabet for addresses, without padding (RFC 4648, section 5).
enum Base64URL {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8
    )

    static func encoded(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> UInt32(count) & 63)])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of a text, or nil when it has other characters or an impossible length.
    static func decoded(_ text: String) -> [UInt8]? {
        guard text.utf8.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for character in text.utf8 {
            guard let value = alphabet.firstIndex(of: character) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }
}
