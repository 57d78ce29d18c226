/// Rows that count their updates.
///
/// There are 4,000 of them on a thousand pages, with an index that moves with every update. Each
/// sixth transaction updates 300 rows, the others one.
struct Load {
    static let rows = 4000
    static let schema = [
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, pad BLOB NOT NULL)",
        "CREATE INDEX t_n ON t (n, id)",
        """
        WITH RECURSIVE q (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM q WHERE i < 3999)
        INSERT INTO t SELECT i, 0, zeroblob(900) FROM q
        """,
    ]

    private var state: UInt64
    private var transactions = 0

    init(seed: UInt64) { state = seed }

    /// The rows that the next transaction updates.
    mutating func next() -> [Int] {
        let count = transactions % 6 == 0 ? 300 : 1
        transactions += 1
        return (0..<count).map { _ in Int(random() % UInt64(Load.rows)) }
    }

    /// SplitMix64.
    private mutating func random() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// How long writers waited before they could write, to a tenth of a millisecond.
struct Waits {
    private(set) var counts: [Int: Int] = [:]

    mutating func add(_ wait: Duration) { counts[Int(wait / .microseconds(100)), default: 0] += 1 }

    mutating func add(tenths: Int, count: Int) { counts[tenths, default: 0] += count }

    var count: Int { counts.values.reduce(0, +) }

    var longest: Double { Double(counts.keys.max() ?? 0) / 10 }

    /// The wait in milliseconds that this share of the waits does not exceed.
    func quantile(_ share: Double) -> Double {
        var left = Int(Double(count) * share)
        for (tenths, count) in counts.sorted(by: { $0.key < $1.key }) {
            left -= count
            if left < 0 { return Double(tenths) / 10 }
        }
        return longest
    }
}

/// What one process did: how often it updated each row and was told so, and how long it waited.
struct Report {
    var updates = [Int](repeating: 0, count: Load.rows)
    var transactions = 0
    var waits = Waits()

    init() {}

    /// Reads what ``text`` wrote.
    init?(text: String) {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count == 3, let key = Int(fields[1]), let value = Int(fields[2]) else {
                return nil
            }
            switch fields[0] {
            case "row" where updates.indices.contains(key): updates[key] = value
            case "wait": waits.add(tenths: key, count: value)
            case "transactions": transactions = value
            default: return nil
            }
        }
    }

    var text: String {
        var lines = ["transactions 0 \(transactions)"]
        for (row, count) in updates.enumerated() { lines.append("row \(row) \(count)") }
        for (tenths, count) in waits.counts { lines.append("wait \(tenths) \(count)") }
        return lines.joined(separator: "\n")
    }

    static func + (left: Report, right: Report) -> Report {
        var sum = left
        for (row, count) in right.updates.enumerated() { sum.updates[row] += count }
        for (tenths, count) in right.waits.counts { sum.waits.add(tenths: tenths, count: count) }
        sum.transactions += right.transactions
        return sum
    }
}
