import Foundation

/// A moment in unix milliseconds, of the simulated clock unless said otherwise.
typealias Milliseconds = Int64

/// The clock every process of a rehearsal shares: the real one plus the milliseconds in a file.
struct SimulatedClock: Sendable {
    /// `nil`: the real clock.
    var offsetFile: String?

    /// The real clock, in unix milliseconds.
    static func real() -> Milliseconds {
        Milliseconds((Date().timeIntervalSince1970 * 1000).rounded(.down))
    }

    /// The simulated time.
    ///
    /// The file is read again each time; a missing or malformed one adds nothing.
    func now() -> Milliseconds {
        guard let offsetFile, let text = try? String(contentsOfFile: offsetFile, encoding: .utf8),
            let offset = Milliseconds(text.trimmingCharacters(in: .whitespacesAndNewlines))
        else { return SimulatedClock.real() }
        return SimulatedClock.real() + offset
    }
}

/// ISO 8601, without Foundation's calendars: those are slow, and `Date` loses milliseconds.
enum ISO8601 {
    /// Writes `2026-11-22T07:30:00.145Z`, as Vapi does.
    static func utc(_ time: Milliseconds) -> String {
        let (date, clock, milliseconds) = parts(of: time)
        return "\(date)T\(clock).\(padded(milliseconds, 3))Z"
    }

    /// Writes `2026-11-22T15:00:00+05:30`.
    static func local(_ time: Milliseconds, offsetMinutes: Int) -> String {
        let (date, clock, _) = parts(of: time + Milliseconds(offsetMinutes) * 60_000)
        let sign = offsetMinutes < 0 ? "-" : "+"
        let minutes = abs(offsetMinutes)
        return "\(date)T\(clock)\(sign)\(padded(minutes / 60, 2)):\(padded(minutes % 60, 2))"
    }

    /// Reads a date, or a date and time; without an offset it is taken as UTC.
    static func parse(_ text: String) -> Milliseconds? {
        let form =
            /(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:(Z)|([+-])(\d\d):?(\d\d))?)?/
        guard let match = text.wholeMatch(of: form)?.output,
            let year = Int(match.1), let month = Int(match.2), let day = Int(match.3),
            (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        let hour = match.4.flatMap { Int($0) } ?? 0
        let minute = match.5.flatMap { Int($0) } ?? 0
        let second = match.6.flatMap { Int($0) } ?? 0
        guard hour < 24, minute < 60, second < 60 else { return nil }
        let fraction = match.7.flatMap {
            Int($0.prefix(3) + repeatElement("0", count: max(0, 3 - $0.count)))
        }
        var offset = 0
        if let hours = match.10.flatMap({ Int($0) }), let minutes = match.11.flatMap({ Int($0) }) {
            offset = (hours * 60 + minutes) * (match.9 == "-" ? -1 : 1)
        }
        let days = daysSinceEpoch(year: year, month: month, day: day)
        let seconds = ((days * 24 + hour) * 60 + minute - offset) * 60 + second
        return Milliseconds(seconds * 1000 + (fraction ?? 0))
    }

    /// The hour of the day, 0 to 23, where the clocks are that far from UTC.
    static func hour(_ time: Milliseconds, offsetMinutes: Int) -> Int {
        floorDivide(Int(time / 60_000) + offsetMinutes, 60).remainder(24)
    }

    /// The first moment of that day, where the clocks are that far from UTC.
    static func startOfDay(_ time: Milliseconds, offsetMinutes: Int) -> Milliseconds {
        let shift = Milliseconds(offsetMinutes) * 60_000
        return Milliseconds(floorDivide(Int(time + shift), 86_400_000)) * 86_400_000 - shift
    }

    private static func parts(of time: Milliseconds) -> (String, String, Int) {
        let days = floorDivide(Int(time), 86_400_000)
        let inDay = Int(time) - days * 86_400_000
        let (year, month, day) = civil(days)
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
        let second = inDay / 1000
        let clock =
            "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
        return (date, clock, inDay % 1000)
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func floorDivide(_ dividend: Int, _ divisor: Int) -> Int {
        dividend / divisor - (dividend % divisor < 0 ? 1 : 0)
    }

    // Both from Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
    private static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int {
        let shifted = month > 2 ? year : year - 1
        let era = floorDivide(shifted, 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
            - 719_468
    }

    private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        return (
            yearOfEra + era * 400 + (month < 10 ? 0 : 1), month < 10 ? month + 3 : month - 9, day
        )
    }
}

extension Int {
    fileprivate func remainder(_ divisor: Int) -> Int { ((self % divisor) + divisor) % divisor }
}
