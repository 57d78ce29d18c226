/// Text as a field of a CSV file that people open in a spreadsheet.
enum CSVText {
    /// Appends a field (RFC 4180), guarded against being taken for a formula.
    ///
    /// A spreadsheet runs what begins with `=`, `+`, `-` or `@`, and skips TAB, CR and NUL before it
    /// (OWASP ASVS 5.0, 1.2.10); some read the full-width forms alike. So such a field gets a single
    /// quote at its front, which makes it text. That goes for phone numbers too: as a number
    /// `+919876543210` would lose its `+`, and in a narrow column its last digits. A field that has
    /// such quotes already gets one more, so that ``unguarded(_:)`` gives back the very same text.
    static func write(_ field: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) {
        let isQuoted = field.contains { byte in
            switch byte {
            case UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\""), 0..<0x20: true
            default: false
            }
        }
        if isQuoted { bytes.append(UInt8(ascii: "\"")) }
        if isFormula(field) { bytes.append(UInt8(ascii: "'")) }
        for byte in field {
            if byte == UInt8(ascii: "\"") { bytes.append(byte) }
            bytes.append(byte)
        }
        if isQuoted { bytes.append(UInt8(ascii: "\"")) }
    }

    /// Appends a string as a field.
    static func write(_ field: String, to bytes: inout [UInt8]) {
        var field = field
        field.withUTF8 { write($0, to: &bytes) }
    }

    /// The text without the quote that guarded it, if one did.
    static func unguarded(_ text: String) -> String {
        guard text.utf8.first == UInt8(ascii: "'") else { return text }
        var rest = String(text.dropFirst())
        return rest.withUTF8 { isFormula($0) } ? rest : text
    }

    /// Whether a spreadsheet could take a text for a formula, the quotes at its front aside.
    private static func isFormula(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        let rest = text.drop { $0 == UInt8(ascii: "'") || $0 == UInt8(ascii: " ") }
        switch rest.first {
        case UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "@"), 9, 10, 13,
            0:
            return true
        case 0xEF:
            // U+FF0B ＋, U+FF0D －, U+FF1D ＝, U+FF20 ＠
            return [[0xBC, 0x8B], [0xBC, 0x8D], [0xBC, 0x9D], [0xBC, 0xA0]]
                .contains(Array(rest.dropFirst().prefix(2)))
        default: return false
        }
    }
}
