extension String {
    /// The text as one tidy line: control characters, line breaks and runs of white space become
    /// single spaces, the ends are trimmed, and invisible marks go.
    ///
    /// Joiners (U+200C, U+200D) stay, because Indian scripts and emoji are spelled with them. Marks
    /// that turn the direction of writing go, because they can make one name look like another.
    public var singleLine: String {
        if utf8.isTidyASCII { return self }
        var line = String.UnicodeScalarView()
        var isSpaceDue = false
        for scalar in unicodeScalars {
            if scalar.properties.isWhitespace || scalar.properties.generalCategory == .control {
                isSpaceDue = !line.isEmpty
            } else if scalar.isInvisibleMark {
                continue
            } else {
                if isSpaceDue { line.append(" ") }
                isSpaceDue = false
                line.append(scalar)
            }
        }
        return String(line)
    }
}

extension String.UTF8View {
    /// Whether this is printable ASCII that already is a tidy line, as most texts are.
    fileprivate var isTidyASCII: Bool {
        let space = UInt8(ascii: " ")
        var previous = space
        for byte in self {
            guard (space...UInt8(ascii: "~")).contains(byte), byte != space || previous != space
            else { return false }
            previous = byte
        }
        return previous != space || isEmpty
    }
}

extension Unicode.Scalar {
    fileprivate var isInvisibleMark: Bool {
        properties.generalCategory == .format && self != "\u{200C}" && self != "\u{200D}"
    }
}
