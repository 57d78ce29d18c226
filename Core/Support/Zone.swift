import Glibc

/// A time zone of the IANA database: which offset its clocks keep at each moment, past and future.
///
/// Read from the system's compiled files (TZif, RFC 9636), the ones that `date` and Python's
/// `zoneinfo` use: a `tzdata` update is enough when a country changes its clocks. Two zones are
/// equal when their identifiers are.
public struct Zone: Sendable {
    /// The name in the IANA database, such as `Asia/Kolkata`.
    public let identifier: String
    private let clock: ZoneClock

    /// Finds the zone with this identifier, or nil if the database has none.
    ///
    /// Files are looked for in the directory that the environment's `TZDIR` names, else in
    /// `/usr/share/zoneinfo`. A file is read once in the life of a process.
    public init?(identifier: String) {
        guard let clock = ZoneDirectory.clock(of: identifier) else { return nil }
        self.identifier = identifier
        self.clock = clock
    }

    /// Creates a zone from the bytes of a file, or nil if they are no TZif file.
    init?(identifier: String, tzif bytes: [UInt8]) {
        guard let clock = ZoneClock(tzif: bytes) else { return nil }
        self.identifier = identifier
        self.clock = clock
    }

    /// The bytes of a file that comes with the database, such as `zone.tab`; nil if it is missing.
    static func databaseFile(named name: String) -> [UInt8]? {
        ZoneDirectory.contents(of: name)
    }

    /// Seconds that the zone's clocks are ahead of UTC (negative: behind) at a moment.
    public func offset(at instant: Instant) -> Int {
        clock.period(at: instant.seconds).kind.offset
    }

    /// What people there call the time they keep at that moment, such as `IST`, `EDT` or `+03`.
    public func abbreviation(at instant: Instant) -> String {
        clock.period(at: instant.seconds).kind.abbreviation
    }

    /// What the zone's clocks show at a moment; its milliseconds are dropped.
    public func local(at instant: Instant) -> LocalTime {
        LocalTime(
            secondsSinceEpoch: instant.seconds.addingSaturated(Int64(offset(at: instant)))
        )
    }

    /// When the zone's clocks show `local`.
    ///
    /// A time that the clocks show twice means the first time. A time that they skip means the
    /// first moment after the gap: 02:30 is 03:00 on the night that goes from 02:00 to 03:00.
    public func instant(of local: LocalTime) -> Instant {
        instants(of: local).lowerBound
    }

    /// The first and the last moment at which the zone's clocks show `local`.
    ///
    /// They differ only where clocks go back and show a time twice. For a time that the clocks
    /// skip both are the first moment after the gap.
    public func instants(of local: LocalTime) -> ClosedRange<Instant> {
        let wall = local.secondsSinceEpoch
        // Offsets are less than a day, so the answer lies less than a day from `wall`.
        let latest = wall + 86_400
        var period = clock.period(at: wall - 86_400)
        var first: Int64?
        var last: Int64?
        var gapEnd = latest
        while true {
            let moment = wall - Int64(period.kind.offset)
            if moment >= period.end {
                gapEnd = period.end
            } else if moment >= period.start {
                first = first ?? moment
                last = moment
            }
            guard period.end <= latest else { break }
            period = clock.period(at: period.end)
        }
        return Instant(seconds: first ?? gapEnd)...Instant(seconds: last ?? gapEnd)
    }
}

extension Zone: Hashable {
    public static func == (left: Zone, right: Zone) -> Bool {
        left.identifier == right.identifier
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(identifier)
    }
}

extension Instant {
    fileprivate init(seconds: Int64) {
        self.init(milliseconds: min(max(seconds, .min / 1000), .max / 1000) * 1000)
    }
}

// MARK: - The database on disk

private enum ZoneDirectory {
    /// The clocks read so far; only zones that exist, so their number is bounded.
    private static let clocks = Lock<[String: ZoneClock]>([:])
    private static let largestFile = 1 << 20

    private static var path: String {
        guard let path = getenv("TZDIR") else { return "/usr/share/zoneinfo" }
        return String(cString: path)
    }

    static func clock(of identifier: String) -> ZoneClock? {
        guard isIdentifier(identifier) else { return nil }
        if let known = clocks.withLock({ $0[identifier] }) { return known }
        guard let bytes = contents(of: identifier),
            let clock = ZoneClock(tzif: bytes)
        else { return nil }
        clocks.withLock { $0[identifier] = clock }
        return clock
    }

    /// Whether it has the form of a zone's name, and so cannot lead out of the directory.
    ///
    /// Names begin with a capital; what does not (`posix/`, `right/`, `localtime`, `zone.tab`) is
    /// no zone.
    private static func isIdentifier(_ text: String) -> Bool {
        guard text.utf8.count <= 64, let first = text.utf8.first,
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first)
        else { return false }
        return text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .allSatisfy { part in !part.isEmpty && part.allSatisfy(isNameByte) }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"):
            true
        default: false
        }
    }

    static func contents(of file: String) -> [UInt8]? {
        try? File.read("\(path)/\(file)", limit: largestFile)
    }
}

// MARK: - What a TZif file says

/// All periods of a zone's clocks: a table of changes and, after its end, a yearly rule.
private final class ZoneClock: Sendable {
    /// A stretch of time, in seconds since 1970, during which the clocks keep one offset.
    struct Period {
        let start: Int64
        let end: Int64
        let kind: Kind
    }

    struct Kind {
        /// Seconds ahead of UTC.
        let offset: Int
        let abbreviation: String
    }

    private let changes: [Int64]
    /// `kinds[0]` holds before the first change, `kinds[n]` from change n - 1 on.
    private let kinds: [Kind]
    private let rule: YearlyRule?

    init?(tzif bytes: [UInt8]) {
        var reader = TZifReader(bytes)
        guard var header = reader.header() else { return nil }
        var timeSize = 4
        if header.version >= UInt8(ascii: "2") {
            // The first block repeats what fits into 32 bits, for programs of before 2005.
            guard reader.skip(header.dataSize(timeSize: 4)), let second = reader.header()
            else { return nil }
            header = second
            timeSize = 8
        }
        // A file with leap seconds does not count in Unix time.
        guard header.leapCount == 0, header.kindCount > 0,
            let table = reader.table(header, timeSize: timeSize)
        else { return nil }
        changes = table.changes
        kinds = table.kinds
        if timeSize == 8, let footer = reader.footer(), !footer.isEmpty {
            guard let rule = YearlyRule(footer) else { return nil }
            self.rule = rule
        } else {
            rule = nil
        }
    }

    func period(at seconds: Int64) -> Period {
        let index = numberOfChanges(upTo: seconds)
        if index == changes.count, let rule {
            return rule.period(at: seconds, since: changes.last ?? .min)
        }
        return Period(
            start: index == 0 ? .min : changes[index - 1],
            end: index == changes.count ? .max : changes[index],
            kind: kinds[index]
        )
    }

    private func numberOfChanges(upTo seconds: Int64) -> Int {
        var low = 0
        var high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle] <= seconds { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Reads the blocks of a TZif file in order; nil or false where the file is cut off or malformed.
private struct TZifReader {
    struct Header {
        let version: UInt8
        let utcFlagCount: Int
        let standardFlagCount: Int
        let leapCount: Int
        let changeCount: Int
        let kindCount: Int
        let nameSize: Int

        func dataSize(timeSize: Int) -> Int {
            changeCount * (timeSize + 1) + kindCount * 6 + nameSize + leapCount * (timeSize + 4)
                + standardFlagCount + utcFlagCount
        }
    }

    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func skip(_ count: Int) -> Bool {
        guard count <= bytes.count - position else { return false }
        position += count
        return true
    }

    mutating func header() -> Header? {
        let start = position
        guard skip(44), bytes[start..<start + 4].elementsEqual("TZif".utf8) else { return nil }
        func count(_ index: Int) -> Int { Int(integer(at: start + 20 + 4 * index, size: 4)) }
        let header = Header(
            version: bytes[start + 4],
            utcFlagCount: count(0),
            standardFlagCount: count(1),
            leapCount: count(2),
            changeCount: count(3),
            kindCount: count(4),
            nameSize: count(5)
        )
        let counts = [
            header.utcFlagCount, header.standardFlagCount, header.leapCount, header.changeCount,
            header.kindCount, header.nameSize,
        ]
        return counts.allSatisfy { (0...bytes.count).contains($0) } ? header : nil
    }

    mutating func table(
        _ header: Header,
        timeSize: Int
    ) -> (changes: [Int64], kinds: [ZoneClock.Kind])? {
        let start = position
        guard skip(header.dataSize(timeSize: timeSize)) else { return nil }
        let changes = (0..<header.changeCount).map {
            integer(at: start + $0 * timeSize, size: timeSize)
        }
        guard zip(changes, changes.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
        let indexes = start + header.changeCount * timeSize
        let records = indexes + header.changeCount
        let names = records + header.kindCount * 6
        var known: [ZoneClock.Kind] = []
        for record in stride(from: records, to: names, by: 6) {
            let offset = Int(integer(at: record, size: 4))
            let name = Int(bytes[record + 5])
            guard abs(offset) < 86_400, name < header.nameSize else { return nil }
            let abbreviation = bytes[(names + name)..<(names + header.nameSize)]
                .prefix { $0 != 0 }
            known.append(
                ZoneClock.Kind(
                    offset: offset,
                    abbreviation: String(decoding: abbreviation, as: UTF8.self)
                )
            )
        }
        var kinds = [known[0]]
        for index in bytes[indexes..<records] {
            guard Int(index) < known.count else { return nil }
            kinds.append(known[Int(index)])
        }
        return (changes, kinds)
    }

    /// The rule for the time after the table, which stands between two line ends.
    func footer() -> String? {
        let rest = bytes[position...]
        guard rest.first == UInt8(ascii: "\n"),
            let end = rest.dropFirst().firstIndex(of: UInt8(ascii: "\n"))
        else { return nil }
        return String(decoding: rest[(position + 1)..<end], as: UTF8.self)
    }

    /// A signed big-endian integer of 4 or 8 bytes.
    private func integer(at start: Int, size: Int) -> Int64 {
        let value = bytes[start..<start + size].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return size == 4
            ? Int64(Int32(truncatingIfNeeded: value)) : Int64(truncatingIfNeeded: value)
    }
}

// MARK: - The yearly rule

/// A rule such as `EST5EDT,M3.2.0,M11.1.0`: POSIX's TZ, with the hours -167 to 167 of RFC 9636.
private struct YearlyRule {
    struct Day {
        enum Form {
            /// The day of the year from 1 to 365; 29 February is never counted.
            case julian(Int)
            /// The day of the year from 0 to 365.
            case ordinal(Int)
            /// The nth (5: the last) such weekday, 0 for Sunday, of a month.
            case weekday(month: Int, week: Int, day: Int)
        }

        let form: Form
        /// Seconds after local midnight.
        let time: Int

        /// Seconds since 1970 on the wall.
        func wall(in year: Int) -> Int64 {
            let newYear = LocalTime.daysSinceEpoch(year: year, month: 1, day: 1)
            let day: Int64
            switch form {
            case .julian(let number):
                day = newYear + Int64(number - (LocalTime.isLeap(year) && number > 59 ? 0 : 1))
            case .ordinal(let number):
                day = newYear + Int64(number)
            case .weekday(let month, let week, let weekday):
                let first = LocalTime.daysSinceEpoch(year: year, month: month, day: 1)
                // Day 0, 1 January 1970, was a Thursday: 4 when Sunday is 0.
                let firstWeekday = first + 4 - (first + 4).dividedRoundingDown(by: 7) * 7
                var inMonth = (weekday - Int(firstWeekday) + 7) % 7 + 7 * (week - 1)
                if inMonth >= LocalTime.days(inMonth: month, of: year) { inMonth -= 7 }
                day = first + Int64(inMonth)
            }
            return day * 86_400 + Int64(time)
        }
    }

    private struct Summer {
        let kind: ZoneClock.Kind
        let start: Day
        let end: Day
    }

    private let standard: ZoneClock.Kind
    private let summer: Summer?

    init?(_ text: String) {
        var reader = FieldReader(text)
        guard let name = reader.abbreviation(), let west = reader.clockTime() else { return nil }
        standard = ZoneClock.Kind(offset: -west, abbreviation: name)
        if reader.isAtEnd {
            summer = nil
            return
        }
        guard let summerName = reader.abbreviation() else { return nil }
        // Without an offset of its own, summer time is an hour ahead.
        let summerOffset = reader.clockTime().map { -$0 } ?? standard.offset + 3600
        guard let start = reader.changeDay(), let end = reader.changeDay(), reader.isAtEnd
        else { return nil }
        summer = Summer(
            kind: ZoneClock.Kind(offset: summerOffset, abbreviation: summerName),
            start: start,
            end: end
        )
    }

    /// The period around a moment that lies after the table, whose last change was at `floor`.
    func period(at seconds: Int64, since floor: Int64) -> ZoneClock.Period {
        guard let summer else {
            return ZoneClock.Period(start: floor, end: .max, kind: standard)
        }
        var latest = Int64.min
        var isSummer = false
        var end = Int64.max
        let year = LocalTime(secondsSinceEpoch: seconds).year
        for year in (year - 1)...(year + 1) {
            let start = summer.start.wall(in: year) - Int64(standard.offset)
            let stop = summer.end.wall(in: year) - Int64(summer.kind.offset)
            for (moment, beginsSummer) in [(start, true), (stop, false)] {
                if moment > seconds {
                    end = min(end, moment)
                } else if moment > latest || (moment == latest && beginsSummer) {
                    // Where a summer ends as the next begins (summer all year), the beginning wins.
                    latest = moment
                    isSummer = beginsSummer
                }
            }
        }
        return ZoneClock.Period(
            start: max(floor, latest),
            end: end,
            kind: isSummer ? summer.kind : standard
        )
    }
}

extension FieldReader {
    /// Reads a zone's abbreviation: letters, or anything between `<` and `>`.
    fileprivate mutating func abbreviation() -> String? {
        guard skip("<") else {
            let name = prefix { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
                    true
                default: false
                }
            }
            return name.isEmpty ? nil : name
        }
        let name = prefix { $0 != UInt8(ascii: ">") }
        return skip(">") ? name : nil
    }

    /// Reads `[+|-]hours[:minutes[:seconds]]` as seconds.
    fileprivate mutating func clockTime() -> Int? {
        let sign = skip("-") ? -1 : 1
        if sign == 1 { _ = skip("+") }
        guard let hours = number(upTo: 167) else { return nil }
        var seconds = hours * 3600
        if skip(":") {
            guard let minutes = number(upTo: 59) else { return nil }
            seconds += minutes * 60
            if skip(":") {
                guard let rest = number(upTo: 59) else { return nil }
                seconds += rest
            }
        }
        return sign * seconds
    }

    /// Reads `,` and the day and time of a change: `M3.2.0/2`, `J60` or `59`, at 02:00 by default.
    fileprivate mutating func changeDay() -> YearlyRule.Day? {
        guard skip(",") else { return nil }
        let form: YearlyRule.Day.Form
        if skip("M") {
            guard let month = number(upTo: 12), month > 0, skip("."),
                let week = number(upTo: 5), week > 0, skip("."),
                let day = number(upTo: 6)
            else { return nil }
            form = .weekday(month: month, week: week, day: day)
        } else if skip("J") {
            guard let day = number(upTo: 365), day > 0 else { return nil }
            form = .julian(day)
        } else {
            guard let day = number(upTo: 365) else { return nil }
            form = .ordinal(day)
        }
        guard skip("/") else { return YearlyRule.Day(form: form, time: 7200) }
        guard let time = clockTime() else { return nil }
        return YearlyRule.Day(form: form, time: time)
    }
}
