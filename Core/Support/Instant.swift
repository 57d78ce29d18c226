/// A moment: whole milliseconds since 1 January 1970 UTC, which is also how the database holds it.
///
/// Arithmetic saturates at the ends of `Int64`, so an absurd time from outside cannot stop the
/// program. As `Codable` it is the bare integer.
public struct Instant: Sendable, Hashable, Comparable {
    /// Milliseconds since 1970-01-01T00:00:00Z; negative before it.
    public var milliseconds: Int64

    /// Creates the moment so many milliseconds after 1970-01-01T00:00:00Z.
    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    public var seconds: Int64 {
        milliseconds.dividedRoundingDown(by: 1000)
    }

    public static func < (left: Instant, right: Instant) -> Bool {
        left.milliseconds < right.milliseconds
    }

    public static func + (instant: Instant, duration: Duration) -> Instant {
        Instant(milliseconds: instant.milliseconds.addingSaturated(duration.milliseconds))
    }

    public static func - (instant: Instant, duration: Duration) -> Instant {
        Instant(milliseconds: instant.milliseconds.subtractingSaturated(duration.milliseconds))
    }

    public static func - (left: Instant, right: Instant) -> Duration {
        .milliseconds(left.milliseconds.subtractingSaturated(right.milliseconds))
    }

    public static func += (instant: inout Instant, duration: Duration) {
        instant = instant + duration
    }

    public static func -= (instant: inout Instant, duration: Duration) {
        instant = instant - duration
    }
}

extension Instant: Codable {
    public init(from decoder: any Decoder) throws {
        milliseconds = try decoder.singleValueContainer().decode(Int64.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(milliseconds)
    }
}

// MARK: - ISO 8601

extension Instant: CustomStringConvertible {
    /// The moment as `2026-11-22T10:00:00+05:30`: local to `zone`, whole seconds, with the offset.
    ///
    /// An offset with seconds, which only clocks of the 19th and early 20th century had, is written
    /// as `+05:53:28`.
    public func formatted(in zone: Zone) -> String {
        String(unsafeUninitializedCapacity: 40) { buffer in
            var length = 0
            write(in: zone) { byte in
                buffer[length] = byte
                length += 1
            }
            return length
        }
    }

    /// Appends what ``formatted(in:)`` returns, without making a string.
    public func append(to bytes: inout [UInt8], in zone: Zone) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 40) { buffer in
            var length = 0
            write(in: zone) { byte in
                buffer[length] = byte
                length += 1
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[..<length]))
        }
    }

    /// The moment as `2026-11-22T04:30:00.145Z`: UTC with milliseconds, exact, as Vapi writes times.
    public var iso8601: String {
        String(unsafeUninitializedCapacity: 40) { buffer in
            var length = 0
            let put = { (byte: UInt8) in
                buffer[length] = byte
                length += 1
            }
            LocalTime(secondsSinceEpoch: seconds).write(to: put)
            put(UInt8(ascii: "."))
            // Wrapping: near `Int64.min` the rounded seconds are out of range, the difference is not.
            writeDigits(Int(milliseconds &- seconds &* 1000), count: 3, to: put)
            put(UInt8(ascii: "Z"))
            return length
        }
    }

    public var description: String { iso8601 }

    @inline(__always)
    private func write(in zone: Zone, to put: (UInt8) -> Void) {
        let offset = zone.offset(at: self)
        LocalTime(secondsSinceEpoch: seconds.addingSaturated(Int64(offset))).write(to: put)
        put(UInt8(ascii: offset < 0 ? "-" : "+"))
        writeDigits(abs(offset) / 3600, count: 2, to: put)
        put(UInt8(ascii: ":"))
        writeDigits(abs(offset) / 60 % 60, count: 2, to: put)
        if offset % 60 != 0 {
            put(UInt8(ascii: ":"))
            writeDigits(abs(offset) % 60, count: 2, to: put)
        }
    }

    /// Reads `2026-11-22T10:00:00+05:30`, or returns nil.
    ///
    /// Between date and time stands `T` or a space; seconds and their fraction are optional
    /// (digits beyond the millisecond are dropped); the offset is `Z`, `±hh:mm` or `±hhmm` and must
    /// be there. The date must exist: no 29 February in 2025, no 24:00, no leap second.
    public init?(iso8601 text: String) {
        guard let time = WrittenTime(text), let offset = time.offset else { return nil }
        self = time.instant(offset: offset)
    }

    /// Reads what ``init(iso8601:)`` reads, and also a time without an offset, which is then local
    /// to `zone` (see ``Zone/instant(of:)`` for local times that a clock change skips or repeats).
    public init?(iso8601 text: String, assuming zone: Zone) {
        guard let time = WrittenTime(text) else { return nil }
        if let offset = time.offset {
            self = time.instant(offset: offset)
        } else {
            self = zone.instant(of: time.local) + .milliseconds(time.millisecond)
        }
    }
}

/// A time as it stood in a text: the clock's face and, if it was written, the offset in seconds.
private struct WrittenTime {
    let local: LocalTime
    let millisecond: Int
    let offset: Int?

    init?(_ text: String) {
        var reader = FieldReader(text)
        guard let date = reader.date(),
            reader.skip("T") || reader.skip(" "),
            let hour = reader.number(digits: 2), reader.skip(":"),
            let minute = reader.number(digits: 2)
        else { return nil }
        var second = 0
        var millisecond = 0
        if reader.skip(":") {
            guard let number = reader.number(digits: 2) else { return nil }
            second = number
            if reader.skip(".") {
                guard let fraction = reader.milliseconds() else { return nil }
                millisecond = fraction
            }
        }
        guard
            let local = LocalTime(
                year: date.year,
                month: date.month,
                day: date.day,
                hour: hour,
                minute: minute,
                second: second
            )
        else { return nil }
        self.local = local
        self.millisecond = millisecond
        if reader.isAtEnd {
            offset = nil
        } else {
            guard let seconds = reader.offset(), reader.isAtEnd else { return nil }
            offset = seconds
        }
    }

    func instant(offset: Int) -> Instant {
        let seconds = local.secondsSinceEpoch - Int64(offset)
        return Instant(milliseconds: seconds * 1000 + Int64(millisecond))
    }
}

/// Writes a number that is not negative in at least `count` digits.
@inline(__always)
func writeDigits(_ value: Int, count: Int, to put: (UInt8) -> Void) {
    if value < 10, count == 2 {
        put(UInt8(ascii: "0"))
        put(UInt8(ascii: "0") + UInt8(value))
    } else if value < 100, count == 2 {
        put(UInt8(ascii: "0") + UInt8(value / 10))
        put(UInt8(ascii: "0") + UInt8(value % 10))
    } else {
        writeManyDigits(value, count: count, to: put)
    }
}

private func writeManyDigits(_ value: Int, count: Int, to put: (UInt8) -> Void) {
    if value >= 10 || count > 1 {
        writeManyDigits(value / 10, count: count - 1, to: put)
    }
    put(UInt8(ascii: "0") + UInt8(value % 10))
}

// MARK: - Durations

extension Duration {
    /// A duration of whole minutes.
    public static func minutes(_ minutes: some BinaryInteger) -> Duration {
        .seconds(minutes) * 60
    }

    /// A duration of whole hours.
    public static func hours(_ hours: some BinaryInteger) -> Duration {
        .seconds(hours) * 3600
    }

    /// A duration of days of 24 hours, whatever the clocks do meanwhile.
    public static func days(_ days: some BinaryInteger) -> Duration {
        .seconds(days) * 86_400
    }

    /// The duration in whole milliseconds, rounded towards zero, at most what `Int64` holds.
    public var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        return product.addingSaturated(attoseconds / 1_000_000_000_000_000)
    }
}

extension Int64 {
    /// The quotient rounded towards negative infinity; `divisor` must be positive.
    func dividedRoundingDown(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    func addingSaturated(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        guard overflow else { return sum }
        return other < 0 ? .min : .max
    }

    func subtractingSaturated(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        guard overflow else { return difference }
        return other < 0 ? .max : .min
    }
}
