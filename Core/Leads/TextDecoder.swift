/// Turns the bytes of a text file, fed in chunks, into UTF-8.
///
/// Files without a mark are read as UTF-8, and each byte that is not UTF-8 as Windows-1252, the
/// encoding in which Excel saves "CSV": a decision per byte needs no look at the rest of the file.
struct TextDecoder {
    enum Encoding: Sendable, Equatable {
        case utf8OrWindows1252
        case utf16LittleEndian
        case utf16BigEndian
    }

    private let encoding: Encoding
    /// The bytes of a UTF-8 sequence that is not complete yet.
    private var sequence: [UInt8] = []
    /// How many bytes the sequence still lacks, and between which bounds the next one must lie.
    private var missing = 0
    private var bounds: ClosedRange<UInt8> = 0x80...0xBF
    /// The first byte of a UTF-16 unit, and the first unit of a surrogate pair.
    private var halfUnit: UInt8?
    private var highSurrogate: UInt16?

    init(encoding: Encoding) {
        self.encoding = encoding
    }

    /// Appends the text of `bytes` to `text`; what the chunk's end cuts in two waits for the next.
    mutating func decode(_ bytes: Span<UInt8>, into text: inout [UInt8]) {
        switch encoding {
        case .utf8OrWindows1252:
            for index in bytes.indices {
                let byte = bytes[index]
                if byte < 0x80, missing == 0 {
                    text.append(byte)
                } else {
                    decodeUTF8(byte, into: &text)
                }
            }
        case .utf16LittleEndian, .utf16BigEndian:
            for index in bytes.indices { decodeUTF16(bytes[index], into: &text) }
        }
    }

    /// Appends what was still waiting for a next chunk.
    mutating func finish(into text: inout [UInt8]) {
        giveUpSequence(into: &text)
        if halfUnit != nil || highSurrogate != nil { Self.append(0xFFFD, to: &text) }
        halfUnit = nil
        highSurrogate = nil
    }

    /// The well-formed sequences of the Unicode standard, table 3-7.
    private mutating func decodeUTF8(_ byte: UInt8, into text: inout [UInt8]) {
        if missing > 0 {
            if bounds.contains(byte) {
                sequence.append(byte)
                missing -= 1
                bounds = 0x80...0xBF
                if missing == 0 {
                    text += sequence
                    sequence.removeAll(keepingCapacity: true)
                }
                return
            }
            giveUpSequence(into: &text)
        }
        switch byte {
        case 0..<0x80: text.append(byte)
        case 0xC2...0xDF: begin(byte, missing: 1, 0x80...0xBF)
        case 0xE0: begin(byte, missing: 2, 0xA0...0xBF)
        case 0xED: begin(byte, missing: 2, 0x80...0x9F)
        case 0xE1...0xEF: begin(byte, missing: 2, 0x80...0xBF)
        case 0xF0: begin(byte, missing: 3, 0x90...0xBF)
        case 0xF1...0xF3: begin(byte, missing: 3, 0x80...0xBF)
        case 0xF4: begin(byte, missing: 3, 0x80...0x8F)
        default: Self.append(Self.windows1252(byte), to: &text)
        }
    }

    private mutating func begin(_ byte: UInt8, missing: Int, _ bounds: ClosedRange<UInt8>) {
        sequence.append(byte)
        self.missing = missing
        self.bounds = bounds
    }

    private mutating func giveUpSequence(into text: inout [UInt8]) {
        for byte in sequence { Self.append(Self.windows1252(byte), to: &text) }
        sequence.removeAll(keepingCapacity: true)
        missing = 0
    }

    private mutating func decodeUTF16(_ byte: UInt8, into text: inout [UInt8]) {
        guard let first = halfUnit else {
            halfUnit = byte
            return
        }
        halfUnit = nil
        let (high, low) = encoding == .utf16LittleEndian ? (byte, first) : (first, byte)
        let unit = UInt16(high) << 8 | UInt16(low)
        if let high = highSurrogate {
            highSurrogate = nil
            if UTF16.isTrailSurrogate(unit) {
                let pair = UInt32(high - 0xD800) << 10 | UInt32(unit - 0xDC00)
                Self.append(0x10000 + pair, to: &text)
                return
            }
            Self.append(0xFFFD, to: &text)
        }
        if UTF16.isLeadSurrogate(unit) {
            highSurrogate = unit
        } else {
            Self.append(UTF16.isTrailSurrogate(unit) ? 0xFFFD : UInt32(unit), to: &text)
        }
    }

    private static func append(_ codePoint: UInt32, to text: inout [UInt8]) {
        let scalar = Unicode.Scalar(codePoint) ?? "\u{FFFD}"
        text.append(contentsOf: String(scalar).utf8)
    }

    /// The code point of a byte; U+FFFD for the five that Windows-1252 leaves free.
    private static func windows1252(_ byte: UInt8) -> UInt32 {
        guard (0x80...0x9F).contains(byte) else { return UInt32(byte) }
        return upperControls[Int(byte) - 0x80]
    }

    /// Windows-1252 from 0x80 to 0x9F (Unicode consortium, CP1252.TXT); the rest is Latin-1.
    private static let upperControls: [UInt32] = [
        0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
        0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD,
        0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
        0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178,
    ]
}
