/// What a calendar and a clock on the wall show: the Gregorian date and the time of day.
///
/// It says nothing about where the wall is; ``Zone`` translates it to and from an ``Instant``. A
/// time of day that is set beyond its range carries over: hour 24 is the next midnight.
public struct LocalTime: Sendable, Hashable, Comparable {
    /// The calendar year; 0 is 1 BC.
    public var year: Int
    /// The month, 1 to 12.
    public var month: Int
    /// The day of the month, 1 to 31.
    public var day: Int
    /// The hour, 0 to 23.
    public var hour: Int
    /// The minute, 0 to 59.
    public var minute: Int
    /// The second, 0 to 59.
    public var second: Int

    /// Creates a date and time, or nil if there is no such day or time (30 February, 24:00).
    public init?(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        guard (-9999...9999).contains(year), (1...12).contains(month),
            (1...LocalTime.days(inMonth: month, of: year)).contains(day),
            (0...23).contains(hour), (0...59).contains(minute), (0...59).contains(second)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
    }

    /// Reads a day written as `2026-11-22` as its midnight, or returns nil.
    public init?(date text: String) {
        var reader = FieldReader(text)
        guard let (year, month, day) = reader.date(), reader.isAtEnd else { return nil }
        self.init(year: year, month: month, day: day)
    }

    /// The day of the week, 1 for Monday to 7 for Sunday, as ISO 8601 counts.
    public var weekday: Int {
        // Day 0, 1 January 1970, was a Thursday.
        let days = LocalTime.daysSinceEpoch(year: year, month: month, day: day)
        return Int(days + 3 - (days + 3).dividedRoundingDown(by: 7) * 7) + 1
    }

    /// The same time of day so many calendar days later, or earlier if negative.
    public func addingDays(_ days: Int) -> LocalTime {
        LocalTime(secondsSinceEpoch: secondsSinceEpoch.addingSaturated(Int64(days) * 86_400))
    }

    public static func < (left: LocalTime, right: LocalTime) -> Bool {
        left.secondsSinceEpoch < right.secondsSinceEpoch
    }

    static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    static func isLeap(_ year: Int) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }
}

// The number of seconds is what the wall would have counted since 1970 had it always hung in
// Greenwich. Both directions follow Howard Hinnant's "chrono-compatible low-level date algorithms":
// years begin on 1 March, so the leap day is the last, and repeat every 400 years (146,097 days).
extension LocalTime {
    init(secondsSinceEpoch seconds: Int64) {
        let days = seconds.dividedRoundingDown(by: 86_400)
        let time = Int(seconds - days * 86_400)
        let shifted = days + 719_468  // days since 1 March of the year 0
        let era = shifted.dividedRoundingDown(by: 146_097)
        let dayOfEra = Int(shifted - era * 146_097)
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        year = yearOfEra + Int(era) * 400 + (month <= 2 ? 1 : 0)
        hour = time / 3600
        minute = time / 60 % 60
        second = time % 60
    }

    var secondsSinceEpoch: Int64 {
        LocalTime.daysSinceEpoch(year: year, month: month, day: day) * 86_400
            + Int64(hour * 3600 + minute * 60 + second)
    }

    static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int64 {
        let yearFromMarch = Int64(month <= 2 ? year - 1 : year)
        let era = yearFromMarch.dividedRoundingDown(by: 400)
        let yearOfEra = yearFromMarch - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// Writes `2026-11-22T10:00:00`.
    @inline(__always)
    func write(to put: (UInt8) -> Void) {
        if year < 0 { put(UInt8(ascii: "-")) }
        writeDigits(abs(year), count: 4, to: put)
        put(UInt8(ascii: "-"))
        writeDigits(month, count: 2, to: put)
        put(UInt8(ascii: "-"))
        writeDigits(day, count: 2, to: put)
        put(UInt8(ascii: "T"))
        writeDigits(hour, count: 2, to: put)
        put(UInt8(ascii: ":"))
        writeDigits(minute, count: 2, to: put)
        put(UInt8(ascii: ":"))
        writeDigits(second, count: 2, to: put)
    }
}
