/// When somebody consented to be called, as people write it.
enum ConsentTime {
    /// Reads a day, which is its first moment, or a time; without an offset both are local to `zone`.
    ///
    /// - Returns: `nil` for what is neither, and for what lies before the year 2000, which is a slip
    ///   of the keyboard and nobody's consent.
    static func parse(_ text: String, in zone: Zone) -> Instant? {
        let instant =
            Instant(iso8601: text, assuming: zone)
            ?? Instant(iso8601: text + "T00:00", assuming: zone)
        return instant.flatMap { $0 >= earliest ? $0 : nil }
    }

    /// 2000-01-01T00:00:00Z.
    private static let earliest = Instant(milliseconds: 946_684_800_000)
}
