/// Whether a text can be an e-mail address that mail servers everywhere accept.
public enum EmailAddress {
    /// Checks the form `local@domain` in ASCII: at most 64 and 254 characters (RFC 5321), a dot in
    /// the domain, its labels of letters, digits and inner hyphens.
    ///
    /// Quoted local parts, address literals and non-ASCII addresses are refused: they are real, but
    /// in a list of leads they are mistakes far more often.
    public static func isPlausible(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count <= 254, let at = bytes.lastIndex(of: UInt8(ascii: "@")) else {
            return false
        }
        let local = bytes[..<at]
        guard (1...64).contains(local.count), local.first != dot, local.last != dot,
            local.allSatisfy({ $0.isLetterOrDigit || localMarks.contains($0) }),
            !zip(local, local.dropFirst()).contains(where: { $0 == dot && $1 == dot })
        else { return false }

        let labels = bytes[(at + 1)...].split(separator: dot, omittingEmptySubsequences: false)
        guard labels.count >= 2, let top = labels.last, top.count >= 2,
            !top.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains)
        else { return false }
        return labels.allSatisfy { label in
            (1...63).contains(label.count) && label.first != hyphen && label.last != hyphen
                && label.allSatisfy { $0.isLetterOrDigit || $0 == hyphen }
        }
    }

    private static let dot = UInt8(ascii: ".")
    private static let hyphen = UInt8(ascii: "-")
    /// RFC 5322's `atext` beside letters and digits, and the dot.
    private static let localMarks = Set("!#$%&'*+-/=?^_`{|}~.".utf8)
}

extension UInt8 {
    fileprivate var isLetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}
