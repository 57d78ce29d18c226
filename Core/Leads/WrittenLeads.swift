/// Leads as tables have shown them lately: a list that is looked at every two seconds reads and writes
/// only those of its leads that have changed since.
///
/// A lead's change number stands for everything that a table shows of it but the highest number of
/// retries, which is the same for all. What was written under both is never out of date.
final class WrittenLeads: Sendable {
    /// A lead in one of its states.
    struct Version: Sendable, Equatable {
        let id: Int64
        /// The number of its last change.
        let change: Int64
        /// How many retries a lead gets.
        let maximumRetries: Int
    }

    private struct Lead {
        let version: Version
        let json: [UInt8]
    }

    /// What was used lately, and what was used before that and goes next.
    private struct Shelf {
        var recent: [Int64: Lead] = [:]
        var older: [Int64: Lead] = [:]
        /// How many bytes the recent ones take.
        var size = 0

        mutating func put(_ lead: Lead, limit: Int) {
            if size + lead.json.count > limit {
                older = recent
                recent = [:]
                size = 0
            }
            size += lead.json.count - (recent[lead.version.id]?.json.count ?? 0)
            recent[lead.version.id] = lead
        }
    }

    private let shelf = Lock(Shelf())
    /// How many bytes either half may take.
    private let limit: Int

    /// Creates an empty store that takes up to twice as many bytes.
    init(limit: Int = 2 << 20) { self.limit = limit }

    /// The leads as JSON objects, nil for those that have not been written in this state.
    func find(_ versions: [Version]) -> [[UInt8]?] {
        shelf.withLock { shelf in
            versions.map { version in
                if let lead = shelf.recent[version.id], lead.version == version {
                    return lead.json
                }
                guard let lead = shelf.older[version.id], lead.version == version else {
                    return nil
                }
                shelf.put(lead, limit: limit)
                return lead.json
            }
        }
    }

    /// Keeps a lead as it was written.
    func keep(_ json: [UInt8], of version: Version) {
        guard json.count <= limit else { return }
        shelf.withLock { $0.put(Lead(version: version, json: json), limit: limit) }
    }
}
