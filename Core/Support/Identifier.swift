/// Identifiers that nobody can guess.
public enum Identifier {
    /// A new version 4 UUID in lower case, from the system's secure source (RFC 9562, 5.4).
    public static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        return text(generator.next() & ~0xF000 | 0x4000, generator.next())
    }

    /// A new version 7 UUID in lower case: the milliseconds, then 74 bits from the system's secure
    /// source (RFC 9562, 5.7).
    ///
    /// Rows that come one after the other lie side by side in the index.
    public static func timeOrdered(at now: Instant) -> String {
        var generator = SystemRandomNumberGenerator()
        let milliseconds = UInt64(clamping: now.milliseconds) << 16
        return text(milliseconds | 0x7000 | generator.next() & 0xFFF, generator.next())
    }

    /// The two halves as text, with the variant's bits set in the second.
    private static func text(_ high: UInt64, _ low: UInt64) -> String {
        let halves = (high, low & ~(3 << 62) | 1 << 63)
        return String(unsafeUninitializedCapacity: 36) { text in
            var place = 0
            for index in 0..<32 {
                if index == 8 || index == 12 || index == 16 || index == 20 {
                    text[place] = UInt8(ascii: "-")
                    place += 1
                }
                let half = index < 16 ? halves.0 : halves.1
                let digit = UInt8(truncatingIfNeeded: half >> UInt64(60 - index % 16 * 4) & 0xF)
                text[place] = digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
                place += 1
            }
            return place
        }
    }

    /// Whether a text has the form of a UUID.
    public static func isUUID(_ text: String) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        return parts.map(\.count) == [8, 4, 4, 4, 12]
            && parts.allSatisfy { $0.allSatisfy { $0.isASCII && $0.isHexDigit } }
    }
}
