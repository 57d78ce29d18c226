/// Reads the rows of one sheet of a workbook.
final class SheetReader: XMLReceiver {
    private let texts: SharedTexts
    private let formats: CellFormats
    private let limits: TableRow.Limits
    private let receive: (TableRow) throws -> Void

    private var row = TableRow()
    /// The column of the current cell, counted from 0, or of the last one.
    private var column = -1
    private var kind = Kind.number
    private var format = 0
    private var isInCell = false
    private var isValue = false
    private var value: [UInt8] = []
    private var inlineText = RichText()

    /// How a cell writes what it holds.
    private enum Kind: String {
        case number = "n"
        case sharedText = "s"
        case inlineText = "inlineStr"
        /// The text that a formula gave.
        case text = "str"
        case truth = "b"
        case date = "d"
        case error = "e"
    }

    /// The number of the last row that a spreadsheet has.
    private static let lastRow = 1_048_576

    /// Creates a receiver of one sheet, which calls `receive` with each row.
    init(
        texts: SharedTexts,
        formats: CellFormats,
        limits: TableRow.Limits,
        receive: @escaping (TableRow) throws -> Void
    ) {
        self.texts = texts
        self.formats = formats
        self.limits = limits
        self.receive = receive
        row.line = 0
        row.isPlaced = true
    }

    func begin(_ element: XMLElement) throws {
        if element.name == "c" {
            try beginCell(element)
        } else if element.name == "v" {
            isValue = isInCell
        } else if element.name == "row" {
            try beginRow(element)
        } else if isInCell {
            inlineText.begin(element.name)
        }
    }

    func text(_ bytes: UnsafeBufferPointer<UInt8>) throws {
        guard isInCell else { return }
        // One byte beyond the limit is kept, so that it is found to be too long.
        if isValue { value += bytes.prefix(limits.fieldBytes + 1 - value.count) }
        inlineText.append(bytes, limit: limits.fieldBytes + 1)
    }

    func end(_ name: XMLName) throws {
        if name == "c" {
            isInCell = false
            try addField()
        } else if name == "v" {
            isValue = false
        } else if name == "row" {
            try receive(row)
        } else if isInCell {
            inlineText.end(name)
        }
    }

    private func beginRow(_ element: XMLElement) throws {
        let number = element.attribute("r").map { Int($0) } ?? row.line + 1
        guard let number, number > row.line, number <= SheetReader.lastRow else {
            throw Workbook.Failure.damaged
        }
        row.line = number
        row.removeFields()
        column = -1
        isInCell = false
    }

    private func beginCell(_ element: XMLElement) throws {
        let place = element.attribute("r").map(SheetReader.column) ?? column + 1
        guard let place, place > column else { throw Workbook.Failure.damaged }
        column = place
        kind = element.attribute("t").flatMap(Kind.init(rawValue:)) ?? .number
        format = element.attribute("s").flatMap { Int($0) } ?? 0
        (isInCell, isValue) = (true, false)
        value.removeAll(keepingCapacity: true)
        inlineText.removeAll()
    }

    /// Adds the cell's text to the row; a cell without one leaves no trace, as formats of whole rows
    /// reach far to the right.
    private func addField() throws {
        let text = try cellText()
        if text.isEmpty { return }
        guard column < limits.columns else {
            throw Workbook.Failure.tooManyColumns(line: row.line, limit: limits.columns)
        }
        guard text.count <= limits.fieldBytes else {
            throw Workbook.Failure.fieldTooLong(line: row.line, limit: limits.fieldBytes)
        }
        guard row.bytes.count + text.count <= limits.rowBytes else {
            throw Workbook.Failure.rowTooLong(line: row.line, limit: limits.rowBytes)
        }
        while row.ends.count < column { row.ends.append(row.bytes.count) }
        row.bytes += text
        row.ends.append(row.bytes.count)
    }

    private func cellText() throws -> ArraySlice<UInt8> {
        if kind == .inlineText { return RichText.unescaped(inlineText.bytes)[...] }
        if value.isEmpty { return [] }
        let text = String(decoding: value, as: UTF8.self)
        let found: ArraySlice<UInt8>? =
            switch kind {
            case .inlineText, .date, .error: value[...]
            case .text: RichText.unescaped(value)[...]
            case .truth: Array((text == "1" ? "TRUE" : "FALSE").utf8)[...]
            case .sharedText: Int(text).flatMap { texts[$0] }
            case .number: formats.text(ofNumber: text, format: format).map { Array($0.utf8)[...] }
            }
        guard let found else { throw Workbook.Failure.damaged }
        return found
    }

    /// The column of a cell such as `AB12`, counted from 0; nil when it is no such name.
    private static func column(of name: String) -> Int? {
        let letters = name.utf8.prefix { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
        guard (1...3).contains(letters.count) else { return nil }
        return letters.reduce(0) { $0 * 26 + Int($1 - UInt8(ascii: "A")) + 1 } - 1
    }
}
