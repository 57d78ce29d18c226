import Testing

@testable import Core

@Suite struct CallingWindowTests {
    // 22 November 2026 is a Sunday.
    @Test(arguments: [
        ("IN", "2026-11-22T09:59:59+05:30", false, "2026-11-22T10:00:00+05:30"),
        ("IN", "2026-11-22T10:00:00+05:30", true, "2026-11-22T20:45:00+05:30"),
        ("IN", "2026-11-22T20:44:59+05:30", true, "2026-11-22T20:45:00+05:30"),
        ("IN", "2026-11-22T20:45:00+05:30", false, "2026-11-23T10:00:00+05:30"),
        // Everywhere else not on Sundays.
        ("GB", "2026-11-21T19:59:59Z", true, "2026-11-21T20:00:00Z"),
        ("GB", "2026-11-21T20:00:00Z", false, "2026-11-23T09:00:00Z"),
        ("GB", "2026-11-22T12:00:00Z", false, "2026-11-23T09:00:00Z"),
        // Summer time: nine o'clock moves.
        ("GB", "2026-03-28T12:00:00Z", true, "2026-03-28T20:00:00Z"),
        ("GB", "2026-03-28T20:00:00Z", false, "2026-03-30T08:00:00Z"),
        // The United States: weekdays, from nine in Honolulu to eight in New York.
        ("US", "2026-11-20T18:59:59Z", false, "2026-11-20T19:00:00Z"),
        ("US", "2026-11-20T19:00:00Z", true, "2026-11-21T01:00:00Z"),
        ("US", "2026-11-21T01:00:00Z", false, "2026-11-23T19:00:00Z"),
        ("PR", "2026-11-21T15:00:00Z", false, "2026-11-23T13:00:00Z"),
        ("AS", "2026-11-21T22:00:00Z", false, "2026-11-23T20:00:00Z"),
        // Russia: from nine in Kaliningrad to eight in Kamchatka, one hour.
        ("RU", "2026-11-20T06:59:59Z", false, "2026-11-20T07:00:00Z"),
        ("RU", "2026-11-20T07:00:00Z", true, "2026-11-20T08:00:00Z"),
        // Only the calling code is known: Hawaii and Newfoundland count.
        ("+1", "2026-11-20T18:59:59Z", false, "2026-11-20T19:00:00Z"),
        ("+1", "2026-11-20T19:00:00Z", true, "2026-11-20T23:30:00Z"),
        ("+44", "2026-11-20T09:00:00Z", true, "2026-11-20T20:00:00Z"),
    ])
    func `people are called in their region's hours`(
        region: String,
        time: String,
        isOpen: Bool,
        changes: String
    ) throws {
        let window = try CallingWindow(setting: "auto")
        let instant = try #require(Instant(iso8601: time))
        let change = try #require(Instant(iso8601: changes))
        let expected: CallingWindow.Decision =
            isOpen ? .open(closesAt: change) : .closed(opensAt: change)
        #expect(window.decision(region: region, at: instant) == expected)
    }

    @Test func `a lead's own zone is the only one that counts`() throws {
        let window = try CallingWindow(setting: "auto")
        let losAngeles = try #require(Zone(identifier: "America/Los_Angeles"))
        let nine = try #require(Instant(iso8601: "2026-11-20T09:00:00-08:00"))
        let eight = try #require(Instant(iso8601: "2026-11-20T20:00:00-08:00"))
        #expect(
            window.decision(region: "US", zone: losAngeles, at: nine) == .open(closesAt: eight)
        )
        // The week's end is that of the region's rule, on that zone's clocks.
        let monday = try #require(Instant(iso8601: "2026-11-23T09:00:00-08:00"))
        #expect(
            window.decision(region: "US", zone: losAngeles, at: eight) == .closed(opensAt: monday)
        )
    }

    @Test(arguments: ["", "ZZ", "001", "+999", "in", "Asia/Kolkata"])
    func `nobody is called in a region that is unknown`(region: String) throws {
        let window = try CallingWindow(setting: "auto")
        let noon = try #require(Instant(iso8601: "2026-11-20T12:00:00Z"))
        #expect(window.decision(region: region, at: noon) == .closed(opensAt: nil))
    }

    @Test(arguments: ["10:00-18:00", "09:00-19:10"])
    func `zones that are not all open for a quarter of an hour are never called`(
        setting: String
    ) throws {
        // Kaliningrad and Kamchatka are ten hours apart.
        let window = try CallingWindow(setting: setting)
        let noon = try #require(Instant(iso8601: "2026-11-20T12:00:00Z"))
        #expect(window.decision(region: "RU", at: noon) == .closed(opensAt: nil))
    }

    @Test(arguments: [
        // Clocks that go back from 09:30 to 08:30 show nine o'clock twice: the second counts.
        (
            "AAA0BBB-1,J60/2,J201/9:30", "2026-07-20T07:59:59Z", "2026-07-20T09:00:00Z",
            "2026-07-20T20:00:00Z"
        ),
        // Clocks that go back from 20:30 to 19:30 show eight o'clock twice: the first counts.
        (
            "AAA0BBB-1,J60/2,J201/20:30", "2026-07-20T07:59:59Z", "2026-07-20T08:00:00Z",
            "2026-07-20T19:00:00Z"
        ),
        // Clocks that go forward from 08:30 to 09:30 skip nine o'clock.
        (
            "AAA0BBB-1,J201/8:30,J300/2", "2026-07-20T07:59:59Z", "2026-07-20T08:30:00Z",
            "2026-07-20T19:00:00Z"
        ),
    ])
    func `clocks that change during calling hours never show another time`(
        rule: String,
        before: String,
        opens: String,
        closes: String
    ) throws {
        let zone = try #require(Zone(identifier: "Test/Rule", tzif: tzif(rule: rule)))
        let window = try CallingWindow(setting: "auto")
        let early = try #require(Instant(iso8601: before))
        let opensAt = try #require(Instant(iso8601: opens))
        let closesAt = try #require(Instant(iso8601: closes))
        #expect(
            window.decision(region: "GB", zone: zone, at: early) == .closed(opensAt: opensAt)
        )
        #expect(
            window.decision(region: "GB", zone: zone, at: opensAt) == .open(closesAt: closesAt)
        )
    }

    @Test(arguments: [
        ("11:00-18:30", "IN", "2026-11-20T11:00:00+05:30", "2026-11-20T18:30:00+05:30"),
        // Wider than the usual hours, but never than the hard limits.
        ("08:00-22:00", "IN", "2026-11-20T09:00:00+05:30", "2026-11-20T21:00:00+05:30"),
        ("00:00-24:00", "GB", "2026-11-20T09:00:00Z", "2026-11-20T20:00:00Z"),
        ("10:00-10:15", "GB", "2026-11-20T10:00:00Z", "2026-11-20T10:15:00Z"),
    ])
    func `a setting narrows the hours and never passes the hard limits`(
        setting: String,
        region: String,
        opens: String,
        closes: String
    ) throws {
        let window = try CallingWindow(setting: setting)
        let opensAt = try #require(Instant(iso8601: opens))
        let closesAt = try #require(Instant(iso8601: closes))
        let before = opensAt - .milliseconds(1)
        #expect(window.decision(region: region, at: before) == .closed(opensAt: opensAt))
        #expect(window.decision(region: region, at: opensAt) == .open(closesAt: closesAt))
        let last = closesAt - .milliseconds(1)
        #expect(window.decision(region: region, at: last) == .open(closesAt: closesAt))
        #expect(
            window.decision(region: region, at: closesAt)
                == .closed(opensAt: opensAt + .days(1))
        )
    }

    @Test func `a setting outside a region's hard limits closes that region only`() throws {
        let window = try CallingWindow(setting: "20:00-20:45")
        let noon = try #require(Instant(iso8601: "2026-11-20T12:00:00Z"))
        #expect(window.decision(region: "GB", at: noon) == .closed(opensAt: nil))
        #expect(window.decision(region: "IN", at: noon) != .closed(opensAt: nil))
    }

    @Test(arguments: [
        ("", CallingWindow.InvalidSetting.malformed),
        ("Auto", .malformed), ("10-18", .malformed), ("10:00", .malformed),
        ("9:00-18:00", .malformed), ("10:00-18:00 ", .malformed), ("10:60-18:00", .malformed),
        ("10:00-24:01", .malformed), ("10:00–18:00", .malformed), ("10:00-18:00-19:00", .malformed),
        ("22:00-06:00", .crossesMidnight), ("18:00-10:00", .crossesMidnight),
        ("10:00-10:00", .tooShort), ("10:00-10:14", .tooShort),
        ("05:00-09:10", .outsideHardLimits), ("21:00-23:00", .outsideHardLimits),
    ])
    func `a setting that cannot be used is refused by name`(
        setting: String,
        problem: CallingWindow.InvalidSetting
    ) {
        #expect(throws: problem) { try CallingWindow(setting: setting) }
        #expect(problem.description.contains("CALLING_WINDOW"))
    }

    @Test func `a call that the lead asked for is held to the hard limits only`() throws {
        let window = try CallingWindow(setting: "12:00-13:00")
        let nine = try #require(Instant(iso8601: "2026-11-22T09:00:00+05:30"))
        let late = try #require(Instant(iso8601: "2026-11-22T21:00:00+05:30"))
        func decision(_ instant: Instant) -> CallingWindow.Decision {
            window.decision(region: "IN", at: instant, hardLimitsOnly: true)
        }
        #expect(decision(nine - .milliseconds(1)) == .closed(opensAt: nine))
        #expect(decision(nine) == .open(closesAt: late))
        #expect(decision(late) == .closed(opensAt: nine + .days(1)))
    }

    @Test func `held calls spread over the first quarter of an hour`() throws {
        let window = try CallingWindow(setting: "auto")
        let opensAt = try #require(Instant(iso8601: "2026-11-22T10:00:00+05:30"))
        var minutes = [Int](repeating: 0, count: 15)
        for number in 0..<15_000 {
            let key = "attempt-\(number)"
            let moment = window.spread(opensAt, key: key)
            #expect(moment == window.spread(opensAt, key: key))
            minutes[Int((moment - opensAt).milliseconds / 60_000)] += 1
        }
        #expect(minutes.allSatisfy { (850...1150).contains($0) }, "\(minutes)")
    }

    @Test func `every region of tzdata has zones`() {
        for region in ["IN", "US", "GB", "AE", "AU", "XK", "AC", "+7", "+61", "+1"] {
            #expect(!RegionZones.zones(of: region).isEmpty, "\(region)")
        }
        #expect(RegionZones.zones(of: "IN").map(\.identifier) == ["Asia/Kolkata"])
        #expect(RegionZones.zones(of: "US").count > 20)
        #expect(RegionZones.zones(of: "#").isEmpty)
    }

    @Test(
        arguments: [
            ("+12025550123", "+1"), ("+77012345678", "+7"), ("+447400123456", "+44"),
            ("+3580912345", "+358"), ("+919876543210", nil), ("+35312345678", nil), ("", nil),
        ] as [(String, String?)]
    )
    func `a number tells the calling code that regions share`(number: String, code: String?) {
        #expect(RegionZones.sharedCallingCode(of: number) == code)
        if let code { #expect(RegionZones.regions(of: code).count > 1) }
    }

    @Test func `a region of which a zone cannot be read has none`() {
        let text = """
            # a comment
            QA\t+0000+00000\tAsia/Qatar
            QQ\t+0000+00000\tAsia/Kolkata\tone that exists
            QQ\t+0000+00000\tAsia/Atlantis
            broken
            """
        let zones = RegionZones.zones(listedIn: Array(text.utf8))
        #expect(zones["QA"]?.map(\.identifier) == ["Asia/Qatar"])
        #expect(zones["QQ"] == nil)
    }
}
