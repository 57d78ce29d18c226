import Foundation
import Testing

@testable import Core

@Suite struct ZoneTests {
    @Test(arguments: [
        ("Asia/Kolkata", "2026-11-22T04:30:00Z", 19_800, "IST"),
        ("America/New_York", "2026-03-08T06:59:59Z", -18_000, "EST"),
        ("America/New_York", "2026-03-08T07:00:00Z", -14_400, "EDT"),
        ("America/New_York", "2026-11-01T05:59:59Z", -14_400, "EDT"),
        ("America/New_York", "2026-11-01T06:00:00Z", -18_000, "EST"),
        ("Australia/Lord_Howe", "2026-04-04T14:59:59Z", 39_600, "+11"),
        ("Australia/Lord_Howe", "2026-04-04T15:00:00Z", 37_800, "+1030"),
        ("Europe/Dublin", "2026-07-01T00:00:00Z", 3600, "IST"),
        ("Etc/GMT-14", "2026-07-01T00:00:00Z", 50_400, "+14"),
        // Far beyond any table: the rule at the end of the file.
        ("America/New_York", "2500-07-01T00:00:00Z", -14_400, "EDT"),
        ("America/New_York", "2500-12-31T23:59:59Z", -18_000, "EST"),
        ("Australia/Sydney", "2500-01-01T00:00:00Z", 39_600, "AEDT"),
        ("Asia/Kolkata", "2500-07-01T00:00:00Z", 19_800, "IST"),
    ])
    func `a zone's clocks are ahead by`(
        identifier: String,
        time: String,
        offset: Int,
        abbreviation: String
    ) throws {
        let zone = try #require(Zone(identifier: identifier))
        let instant = try #require(Instant(iso8601: time))
        #expect(zone.offset(at: instant) == offset)
        #expect(zone.abbreviation(at: instant) == abbreviation)
    }

    @Test(arguments: [
        // An ordinary time.
        ("America/New_York", "2026-07-01T12:00:00", "2026-07-01T16:00:00Z", "2026-07-01T16:00:00Z"),
        // Shown twice.
        ("America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"),
        ("America/New_York", "2026-11-01T01:00:00", "2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z"),
        ("America/New_York", "2026-11-01T02:00:00", "2026-11-01T07:00:00Z", "2026-11-01T07:00:00Z"),
        // Skipped.
        ("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:00:00Z", "2026-03-08T07:00:00Z"),
        ("America/New_York", "2026-03-08T02:00:00", "2026-03-08T07:00:00Z", "2026-03-08T07:00:00Z"),
        ("America/New_York", "2500-03-14T02:30:00", "2500-03-14T07:00:00Z", "2500-03-14T07:00:00Z"),
        // A whole day that Samoa skipped, and one that Kwajalein did.
        ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"),
        (
            "Pacific/Kwajalein", "1993-08-21T09:00:00", "1993-08-21T12:00:00Z",
            "1993-08-21T12:00:00Z"
        ),
    ])
    func `a time on the wall is one instant, or two`(
        identifier: String,
        text: String,
        first: String,
        last: String
    ) throws {
        let zone = try #require(Zone(identifier: identifier))
        let utc = try #require(Zone(identifier: "UTC"))
        let local = utc.local(at: try #require(Instant(iso8601: text + "Z")))
        #expect(zone.instants(of: local).lowerBound == Instant(iso8601: first))
        #expect(zone.instants(of: local).upperBound == Instant(iso8601: last))
        #expect(zone.instant(of: local) == Instant(iso8601: first))
    }

    @Test func `what a zone's clocks show leads back to the instant`() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        for identifier in ["Asia/Kolkata", "America/St_Johns", "Pacific/Apia", "Africa/Casablanca"]
        {
            let zone = try #require(Zone(identifier: identifier))
            for _ in 0..<5000 {
                let seconds = Int64.random(in: -2_000_000_000...20_000_000_000, using: &random)
                let instant = Instant(milliseconds: seconds * 1000)
                let shown = zone.instants(of: zone.local(at: instant))
                #expect(
                    shown.lowerBound == instant || shown.upperBound == instant,
                    "\(identifier) \(instant) seed \(seed)"
                )
            }
        }
    }

    @Test(arguments: [
        "", "asia/kolkata", "Asia", "Asia/Atlantis", "../../../etc/passwd", "Asia/../Asia/Kolkata",
        "/usr/share/zoneinfo/Asia/Kolkata", "Asia/Kolkata/", "Asia//Kolkata", "./Asia/Kolkata",
        "zone.tab", "posix/Asia/Kolkata", "right/Asia/Kolkata", "localtime", "Asia/Kolkata\0",
        "Asia/Kolkata ", String(repeating: "A", count: 5000), "IST",
    ])
    func `no zone is found by any other name`(identifier: String) {
        #expect(Zone(identifier: identifier) == nil)
    }

    @Test func `zones with one identifier are equal`() throws {
        let zones = Set(["UTC", "Asia/Kolkata", "UTC"].compactMap(Zone.init(identifier:)))
        #expect(zones.count == 2)
    }

    @Test(arguments: [
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2500-03-28T00:59:59Z", -7200),
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2500-03-28T01:00:00Z", -3600),
        ("EET-2EEST,M3.4.4/50,M10.4.4/50", "2500-03-26T23:59:59Z", 7200),
        ("EET-2EEST,M3.4.4/50,M10.4.4/50", "2500-03-27T00:00:00Z", 10_800),
        // Summer all year (RFC 9636), by ordinal and by Julian days.
        ("XXX3EDT4,0/0,J365/23", "2500-01-01T02:59:59Z", -14_400),
        ("XXX3EDT4,0/0,J365/23", "2500-01-01T03:00:00Z", -14_400),
        ("AAA0BBB,J60/0,J61/0", "2504-02-29T12:00:00Z", 0),
        ("AAA0BBB,J60/0,J61/0", "2504-03-01T12:00:00Z", 3600),
        ("AAA0BBB,59/0,60/0", "2504-02-29T12:00:00Z", 3600),
        ("AAA-12:59:59", "2504-02-29T12:00:00Z", 46_799),
    ])
    func `a rule at the end of the file is followed`(
        rule: String,
        time: String,
        offset: Int
    ) throws {
        let zone = try #require(Zone(identifier: "Test/Rule", tzif: tzif(rule: rule)))
        #expect(zone.offset(at: try #require(Instant(iso8601: time))) == offset)
    }

    @Test(arguments: ["AAA", "AAA5BBB", "AAA5BBB,M3.2.0", "AAA5BBB,M13.2.0,M11.1.0", "<A5", "5"])
    func `a file with a rule that is none is not a zone`(rule: String) {
        #expect(Zone(identifier: "Test/Rule", tzif: tzif(rule: rule)) == nil)
    }

    @Test func `a file that counts leap seconds is not a zone`() {
        var bytes = tzif(rule: "UTC0")
        bytes[54 + 31] = 1  // the second header's count of leap seconds, and one of them
        bytes.insert(contentsOf: [UInt8](repeating: 0, count: 12), at: bytes.count - 6)
        #expect(Zone(identifier: "Test/Leap", tzif: bytes) == nil)
    }

    @Test func `a file that is cut off or changed never does worse than to be no zone`() throws {
        let path = "/usr/share/zoneinfo/America/New_York"
        let whole = [UInt8](try Data(contentsOf: URL(filePath: path)))
        for length in 0..<whole.count {
            #expect(
                Zone(identifier: "Test/Cut", tzif: Array(whole[..<length])) == nil
                    || length > whole.count - 40
            )
        }
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<3000 {
            var bytes = whole
            for _ in 0..<4 {
                bytes[Int.random(in: bytes.indices, using: &random)] = random.next()
            }
            guard let zone = Zone(identifier: "Test/Changed", tzif: bytes) else { continue }
            for year in stride(from: 1900, to: 2200, by: 7) {
                let local = try #require(LocalTime(year: year, month: 3, day: 9))
                let instants = zone.instants(of: local)
                #expect(instants.lowerBound <= instants.upperBound, "seed \(seed)")
            }
        }
    }
}

/// A version 2 file with no changes and one kind of time, UTC, and a rule.
func tzif(rule: String) -> [UInt8] {
    let header: [UInt8] =
        Array("TZif2".utf8) + [UInt8](repeating: 0, count: 15)
        + [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4]
    let kind: [UInt8] = [0, 0, 0, 0, 0, 0] + Array("UTC\0".utf8)
    return header + kind + header + kind + Array("\n\(rule)\n".utf8)
}
