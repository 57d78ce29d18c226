import Testing

@testable import Core

@Suite struct InstantTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-22T10:00:00+05:30", 1_795_321_800_000),
            ("2026-11-22 10:00:00+0530", 1_795_321_800_000),
            ("2026-11-22T10:00+05:30", 1_795_321_800_000),
            ("2026-11-22T07:27:32.712Z", 1_795_332_452_712),
            ("2026-11-22T07:27:32.7Z", 1_795_332_452_700),
            ("2026-11-22T07:27:32.712999999Z", 1_795_332_452_712),
            ("2024-02-29T23:59:59-11:00", 1_709_290_799_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("1969-12-31T23:59:59.999Z", -1),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
        ] as [(String, Int64)]
    )
    func `a time with an offset is read`(text: String, milliseconds: Int64) {
        #expect(Instant(iso8601: text)?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "2026-11-22", "2026-11-22T10:00:00", "2026-11-22T10:00:00+5:30",
        "2026-11-22T10:00:00+05", "2026-11-22T10:00:00+24:00", "2026-11-22T10:00:00+05:60",
        "2026-11-22T24:00:00Z", "2026-11-22T10:60:00Z", "2026-11-22T10:00:60Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-11-31T00:00:00Z",
        "2025-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-11-00T00:00:00Z",
        "2026-11-22T10:00:00.Z", "2026-11-22T10:00:00ZZ", "2026-11-22T10:00:00Z ",
        " 2026-11-22T10:00:00Z", "2026-11-22t10:00:00Z", "2026-11-22T10:00:00z",
        "+026-11-22T10:00:00Z", "２026-11-22T10:00:00Z", "2026-11-22T1:00:00Z",
        "20261122T100000Z", "tomorrow",
    ])
    func `anything else is not a time`(text: String) {
        #expect(Instant(iso8601: text) == nil)
    }

    @Test func `a time without an offset is local to the zone it is read in`() throws {
        let india = try #require(Zone(identifier: "Asia/Kolkata"))
        let expected = Instant(milliseconds: 1_795_321_800_250)
        #expect(Instant(iso8601: "2026-11-22T10:00:00.250", assuming: india) == expected)
        #expect(Instant(iso8601: "2026-11-22T04:30:00.250Z", assuming: india) == expected)
        #expect(Instant(iso8601: "2026-11-22", assuming: india) == nil)
    }

    @Test(arguments: [
        ("Asia/Kolkata", "2026-11-22T10:00:00+05:30"),
        ("America/New_York", "2026-11-21T23:30:00-05:00"),
        ("America/St_Johns", "2026-11-22T01:00:00-03:30"),
        ("UTC", "2026-11-22T04:30:00+00:00"),
    ])
    func `a time is written as the zone's clocks show it`(identifier: String, text: String) throws {
        let zone = try #require(Zone(identifier: identifier))
        let instant = Instant(milliseconds: 1_795_321_800_999)
        #expect(instant.formatted(in: zone) == text)
        var bytes = Array("at ".utf8)
        instant.append(to: &bytes, in: zone)
        #expect(bytes == Array("at \(text)".utf8))
    }

    @Test func `the exact form reads back as the same instant, whatever it is`() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<10_000 {
            // The years 0001 to 9999.
            let range: ClosedRange<Int64> = -62_135_596_800_000...253_402_300_799_999
            let instant = Instant(milliseconds: .random(in: range, using: &random))
            #expect(Instant(iso8601: instant.iso8601) == instant, "seed \(seed)")
        }
    }

    @Test(arguments: [Int64.min, .min + 1, -1, 0, .max - 1, .max])
    func `no time is too strange to be moved and written`(milliseconds: Int64) throws {
        let instant = Instant(milliseconds: milliseconds)
        let zone = try #require(Zone(identifier: "America/New_York"))
        #expect(!instant.iso8601.isEmpty)
        #expect(!instant.formatted(in: zone).isEmpty)
        _ = zone.instants(of: zone.local(at: instant))
    }

    @Test func `arithmetic stops at the ends of time`() {
        let first = Instant(milliseconds: .min)
        let last = Instant(milliseconds: .max)
        #expect(last + .seconds(1) == last)
        #expect(first - .seconds(1) == first)
        #expect(last - first == .milliseconds(Int64.max))
        #expect(first - last == .milliseconds(Int64.min))
        #expect(Instant(milliseconds: 0) + .seconds(Int64.max) == last)
    }

    @Test func `durations count in whole milliseconds`() {
        #expect(Duration.minutes(15).milliseconds == 900_000)
        #expect(Duration.hours(24) == .days(1))
        #expect(Duration.microseconds(-1500).milliseconds == -1)
        #expect((Instant(milliseconds: 5) - Instant(milliseconds: 7)).milliseconds == -2)
        #expect(Duration.seconds(Int64.max).milliseconds == .max)
    }
}

/// Random numbers that a failing test can repeat from its seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}
