/// One row of a table that came as a file: a record of a CSV file, or a row of a workbook's sheet.
public struct TableRow: Sendable {
    /// How large a row may be; beyond it reading stops with a failure.
    public struct Limits: Sendable {
        /// Bytes of UTF-8 in one field.
        public var fieldBytes = 16 * 1024
        /// Bytes of UTF-8 in all fields of one row together.
        public var rowBytes = 64 * 1024
        /// Fields in one row.
        public var columns = 256

        /// Creates the limits that suit a list of people.
        public init() {}
    }

    /// Where the row starts, counted from 1: the physical line of a text, the number that a
    /// spreadsheet program shows beside the row.
    public internal(set) var line = 1
    /// Whether each field says itself where it belongs, as cells do; otherwise separators count it
    /// off, and one too many moves all that follows.
    var isPlaced = false
    /// The text of all fields, one after the other.
    var bytes: [UInt8] = []
    /// Where each field ends in `bytes`.
    var ends: [Int] = []

    /// How many fields the row has.
    public var count: Int { ends.count }

    /// The text of the field at `column`, counted from 0; empty beyond the last one.
    public subscript(column: Int) -> String {
        String(decoding: bytes[range(of: column)], as: UTF8.self)
    }

    /// Whether the field at `column` is missing, empty or only ASCII white space.
    public func isBlank(_ column: Int) -> Bool {
        bytes[range(of: column)].allSatisfy { $0 == UInt8(ascii: " ") || (9...13).contains($0) }
    }

    /// Whether every field is blank.
    public var isBlank: Bool { ends.indices.allSatisfy(isBlank) }

    /// Makes it a row without fields, and keeps its memory for the next ones.
    mutating func removeFields() {
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }

    private func range(of column: Int) -> Range<Int> {
        guard ends.indices.contains(column) else { return 0..<0 }
        return (column == 0 ? 0 : ends[column - 1])..<ends[column]
    }
}
