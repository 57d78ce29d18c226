/// Reads a comma-separated file that is fed in chunks of any size, and hands out its rows.
///
/// The form is RFC 4180, read as leniently as Excel and Python's `csv` do: a quotation mark counts
/// only at the start of a field, any of CRLF, LF and CR ends a line, blank lines are passed over.
/// The separator (`,` `;` or tab) is found in the first line, or told by Excel's own `sep=;` line.
/// UTF-8, UTF-16 and Windows-1252 are told apart (see ``TextDecoder``). Memory is bounded by the
/// limits, whatever the input. After an error the reader must not be fed again.
public struct CSVReader {
    /// The character between fields; nil until the first line is known.
    public var separator: Character? { parser.map { Character(Unicode.Scalar($0.separator)) } }

    private let limits: TableRow.Limits
    /// The first bytes of the file, until there are enough to tell its encoding.
    private var head: [UInt8] = []
    private var decoder: TextDecoder?
    /// The first line of the text, until it is complete.
    private var firstLine = FirstLine()
    private var parser: Parser?
    /// The decoded text of one chunk; kept to reuse its memory.
    private var text: [UInt8] = []

    /// Creates a reader for one file.
    public init(limits: TableRow.Limits = TableRow.Limits()) {
        self.limits = limits
    }

    /// Reads on, and calls `receive` with each row that is complete.
    ///
    /// - Throws: ``Failure``, or what `receive` throws.
    public mutating func feed(_ bytes: Span<UInt8>, receive: (TableRow) throws -> Void) throws {
        // Large chunks are taken in pieces, so that the decoded text is never large.
        let piece = 64 * 1024
        var start = 0
        while start < bytes.count {
            let end = min(start + piece, bytes.count)
            try read(bytes.extracting(start..<end), receive: receive)
            start = end
        }
    }

    /// Reads the end of the file, and calls `receive` with a last row that no line break ended.
    ///
    /// - Throws: ``Failure``, or what `receive` throws.
    public mutating func finish(receive: (TableRow) throws -> Void) throws {
        if decoder == nil { try decideEncoding(receive: receive) }
        text.removeAll(keepingCapacity: true)
        decoder?.finish(into: &text)
        try parse(text, receive: receive)
        if parser == nil { try startParser(receive: receive) }
        try parser?.finish(receive: receive)
    }

    private mutating func read(_ bytes: Span<UInt8>, receive: (TableRow) throws -> Void) throws {
        guard decoder == nil else { return try decode(bytes, receive: receive) }
        for index in bytes.indices { head.append(bytes[index]) }
        if head.count >= FileStart.length { try decideEncoding(receive: receive) }
    }

    private mutating func decideEncoding(receive: (TableRow) throws -> Void) throws {
        let start = FileStart(head)
        if let kind = start.binaryKind { throw Failure.notText(kind) }
        decoder = TextDecoder(encoding: start.encoding)
        let rest = Array(head.dropFirst(start.markLength))
        head = []
        try decode(rest.span, receive: receive)
    }

    private mutating func decode(_ bytes: Span<UInt8>, receive: (TableRow) throws -> Void) throws {
        text.removeAll(keepingCapacity: true)
        decoder?.decode(bytes, into: &text)
        try parse(text, receive: receive)
    }

    private mutating func parse(_ text: [UInt8], receive: (TableRow) throws -> Void) throws {
        if parser != nil {
            try parser?.parse(text, receive: receive)
        } else if firstLine.append(text, limit: limits.rowBytes) {
            try startParser(receive: receive)
        }
    }

    private mutating func startParser(receive: (TableRow) throws -> Void) throws {
        let (separator, rest, line) = firstLine.separated()
        firstLine = FirstLine()
        parser = Parser(separator: separator, line: line, limits: limits)
        try parser?.parse(rest, receive: receive)
    }
}

extension CSVReader {
    /// Why a file cannot be read (further).
    public enum Failure: UnreadableFile, Sendable, Equatable {
        /// The file is something else, such as "a PNG image".
        case notText(String)
        /// There is a NUL character in the text.
        case nul(line: Int)
        /// A field of the row in `line` is longer than the limit in bytes.
        case fieldTooLong(line: Int, limit: Int)
        /// A field's opening quotation mark, in the row of `line`, was not closed within the limit.
        case quoteTooLong(line: Int, limit: Int)
        case rowTooLong(line: Int, limit: Int)
        case tooManyColumns(line: Int, limit: Int)
        /// The file ends within quotation marks that opened in the row of `line`.
        case unterminatedQuote(line: Int)

        /// The machine word for the API, such as `csv_unterminated_quote`.
        public var code: String {
            switch self {
            case .notText: "csv_not_text"
            case .nul: "csv_nul"
            case .fieldTooLong: "csv_field_too_long"
            case .quoteTooLong, .unterminatedQuote: "csv_unterminated_quote"
            case .rowTooLong: "csv_row_too_long"
            case .tooManyColumns: "csv_too_many_columns"
            }
        }

        /// The physical line of the row in question.
        public var line: Int? {
            switch self {
            case .notText: nil
            case .nul(let line), .unterminatedQuote(let line), .fieldTooLong(let line, _),
                .quoteTooLong(let line, _), .rowTooLong(let line, _), .tooManyColumns(let line, _):
                line
            }
        }

        /// A sentence for a person.
        public var description: String {
            switch self {
            case .notText(let kind):
                "This file is \(kind), not a list. Save or export the list as a CSV file or as an Excel "
                    + "workbook (.xlsx) and upload that."
            case .nul(let line):
                "Line \(line) has a NUL character, so this is not a text file or it is damaged."
            case .fieldTooLong(let line, let limit):
                "A field in line \(line) is longer than \(limit) bytes."
            case .quoteTooLong(let line, _), .unterminatedQuote(let line):
                "A quotation mark opens a field in line \(line) and is never closed."
            case .rowTooLong(let line, let limit):
                "The row in line \(line) is longer than \(limit) bytes."
            case .tooManyColumns(let line, let limit):
                "The row in line \(line) has more than \(limit) columns."
            }
        }
    }
}

/// What the first bytes of a file tell about it.
private struct FileStart {
    /// How many bytes are looked at, if the file has as many.
    static let length = 512

    let encoding: TextDecoder.Encoding
    /// The length of the byte order mark.
    let markLength: Int
    /// What the file is, in words, when it is no text.
    let binaryKind: String?

    init(_ bytes: [UInt8]) {
        let bytes = bytes.prefix(Self.length)
        binaryKind = Self.signatures.first { bytes.starts(with: $0.bytes) }?.kind
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            (encoding, markLength) = (.utf8OrWindows1252, 3)
        } else if bytes.starts(with: [0xFF, 0xFE]) {
            (encoding, markLength) = (.utf16LittleEndian, 2)
        } else if bytes.starts(with: [0xFE, 0xFF]) {
            (encoding, markLength) = (.utf16BigEndian, 2)
        } else {
            (encoding, markLength) = (Self.unmarkedEncoding(of: bytes), 0)
        }
    }

    /// UTF-16 when the first two characters are Latin letters in it; other text has no NUL at all.
    private static func unmarkedEncoding(of bytes: ArraySlice<UInt8>) -> TextDecoder.Encoding {
        switch bytes.prefix(4).map({ $0 == 0 }) {
        case [false, true, false, true]: .utf16LittleEndian
        case [true, false, true, false]: .utf16BigEndian
        default: .utf8OrWindows1252
        }
    }

    private static let signatures: [(bytes: [UInt8], kind: String)] = [
        (Array("PK\u{5}\u{6}".utf8), "an empty ZIP archive"),
        ([0x89, 0x50, 0x4E, 0x47], "a PNG image"),
        ([0xFF, 0xD8, 0xFF], "a JPEG image"),
        (Array("GIF8".utf8), "a GIF image"),
        (Array("%PDF-".utf8), "a PDF document"),
        ([0x1F, 0x8B], "a gzip archive"),
        ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], "a 7-Zip archive"),
        (Array("Rar!".utf8), "a RAR archive"),
        (Array("SQLite format 3".utf8), "an SQLite database"),
        (Array("{\\rtf".utf8), "an RTF document"),
        (Array("<?xml".utf8), "an XML document"),
        (Array("<!DOCTYPE".utf8), "a web page"),
        (Array("<!doctype".utf8), "a web page"),
        (Array("<html".utf8), "a web page"),
        ([0x7F, 0x45, 0x4C, 0x46], "a program"),
        ([0xFF, 0xFE, 0, 0], "text in UTF-32"),
        ([0, 0, 0xFE, 0xFF], "text in UTF-32"),
    ]
}

/// The text up to the end of the first line that is not blank, in which the separator shows.
private struct FirstLine {
    private var text: [UInt8] = []
    /// Blank lines before it, whose breaks are not in `text`.
    private var blankLines = 0
    private var endedInCR = false
    /// The end of the line in `text`, without its line break.
    private var end: Int?
    private var isQuoted = false
    private var mayReopen = false
    private var isFieldStart = true
    private var counts: [UInt8: Int] = [:]

    /// In order of preference when a line has as many of several.
    private static let separators = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")]

    /// Takes more text; returns whether the line is complete, or longer than any line may be, and
    /// nothing more should be appended.
    mutating func append(_ more: [UInt8], limit: Int) -> Bool {
        for byte in more {
            let isBreak = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
            if text.isEmpty, isBreak {
                if byte == UInt8(ascii: "\r") || !endedInCR { blankLines += 1 }
                endedInCR = byte == UInt8(ascii: "\r")
                continue
            }
            if end == nil { inspect(byte, isBreak: isBreak) }
            text.append(byte)
        }
        return end != nil || text.count > limit
    }

    private mutating func inspect(_ byte: UInt8, isBreak: Bool) {
        let isQuote = byte == UInt8(ascii: "\"")
        if isQuoted {
            isQuoted = !isQuote
            mayReopen = isQuote
            return
        }
        if isBreak { end = text.count }
        // A mark after a closing one was not the end: two stand for one.
        if isQuote { isQuoted = isFieldStart || mayReopen }
        mayReopen = false
        isFieldStart = Self.separators.contains(byte)
        if isFieldStart { counts[byte, default: 0] += 1 }
    }

    /// The separator, the text that remains to be parsed with it, and the number of its first line.
    func separated() -> (separator: UInt8, rest: [UInt8], line: Int) {
        let line = text[..<(end ?? text.count)]
        if let told = Self.toldSeparator(in: line) {
            return (told, Array(text[line.endIndex...]), blankLines + 1)
        }
        // Of equals `max` takes the first.
        let best = Self.separators.max { counts[$0, default: 0] < counts[$1, default: 0] }
        return (best ?? UInt8(ascii: ","), text, blankLines + 1)
    }

    /// The separator in a line `sep=;`, with or without quotation marks, as Excel understands it.
    private static func toldSeparator(in line: ArraySlice<UInt8>) -> UInt8? {
        var line = line
        if line.count == 7, line.first == UInt8(ascii: "\""), line.last == UInt8(ascii: "\"") {
            line = line.dropFirst().dropLast()
        }
        guard line.count == 5, let separator = line.last,
            String(decoding: line.dropLast(), as: UTF8.self).lowercased() == "sep=",
            (1..<0x80).contains(separator), separator != UInt8(ascii: "\"")
        else { return nil }
        return separator
    }
}

/// Cuts decoded text into rows.
private struct Parser {
    private enum State {
        case rowStart, fieldStart, plain, quoted, afterQuote
    }

    let separator: UInt8
    private let limits: TableRow.Limits
    private var row = TableRow()
    private var state = State.rowStart
    /// The physical line of the next byte.
    private var line: Int
    private var endedInCR = false
    /// How long `row.bytes` may become within the current field.
    private var room: Int

    init(separator: UInt8, line: Int, limits: TableRow.Limits) {
        self.separator = separator
        self.line = line
        self.limits = limits
        room = min(limits.fieldBytes, limits.rowBytes)
    }

    mutating func parse(_ text: [UInt8], receive: (TableRow) throws -> Void) throws {
        for byte in text {
            let isBreak = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
            switch state {
            case .quoted where byte == UInt8(ascii: "\""): state = .afterQuote
            case .quoted: try append(byte)
            case .afterQuote where byte == UInt8(ascii: "\""):
                try append(byte)
                state = .quoted
            // At the start of a row it is a blank line, or the LF of a CRLF.
            case .rowStart where isBreak: break
            case _ where isBreak: try endRow(receive: receive)
            case _ where byte == separator:
                if state == .rowStart { row.line = line }
                try endField()
            case .rowStart, .fieldStart:
                if state == .rowStart { row.line = line }
                state = .plain
                if byte == UInt8(ascii: "\"") { state = .quoted } else { try append(byte) }
            case .plain, .afterQuote:
                state = .plain
                try append(byte)
            }
            if isBreak, byte == UInt8(ascii: "\r") || !endedInCR { line += 1 }
            endedInCR = byte == UInt8(ascii: "\r")
        }
    }

    mutating func finish(receive: (TableRow) throws -> Void) throws {
        switch state {
        case .rowStart: break
        case .quoted: throw CSVReader.Failure.unterminatedQuote(line: row.line)
        case .fieldStart, .plain, .afterQuote: try endRow(receive: receive)
        }
    }

    private mutating func append(_ byte: UInt8) throws {
        guard row.bytes.count < room, byte != 0 else { throw refusal(of: byte) }
        row.bytes.append(byte)
    }

    private mutating func endField() throws {
        guard row.ends.count < limits.columns else {
            throw CSVReader.Failure.tooManyColumns(line: row.line, limit: limits.columns)
        }
        row.ends.append(row.bytes.count)
        room = min(row.bytes.count + limits.fieldBytes, limits.rowBytes)
        state = .fieldStart
    }

    private mutating func endRow(receive: (TableRow) throws -> Void) throws {
        try endField()
        try receive(row)
        row.removeFields()
        room = min(limits.fieldBytes, limits.rowBytes)
        state = .rowStart
    }

    private func refusal(of byte: UInt8) -> CSVReader.Failure {
        if byte == 0 { return .nul(line: line) }
        if state == .quoted { return .quoteTooLong(line: row.line, limit: limits.fieldBytes) }
        if row.bytes.count == limits.rowBytes {
            return .rowTooLong(line: row.line, limit: limits.rowBytes)
        }
        return .fieldTooLong(line: row.line, limit: limits.fieldBytes)
    }
}
