import Testing

@testable import Core
@testable import World

@Suite struct CallbackTimeTests {
    /// Monday 2026-11-23, 11:00 in India.
    let now = World.monday

    private func resolve(_ phrase: String, in zone: String = "Asia/Kolkata") throws -> String? {
        let zone = try unwrap(Zone(identifier: zone))
        return CallbackTime.resolve(phrase, now: now, in: zone)?.formatted(in: zone)
    }

    @Test(arguments: [
        ("2026-11-24T15:00:00+05:30", "2026-11-24T15:00:00+05:30"),
        ("2026-11-24T15:00:00Z", "2026-11-24T20:30:00+05:30"),
        ("2026-11-24T15:00", "2026-11-24T15:00:00+05:30"),
        ("3 PM today", "2026-11-23T15:00:00+05:30"),
        ("today at 3 PM", "2026-11-23T15:00:00+05:30"),
        ("3:30pm", "2026-11-23T15:30:00+05:30"),
        ("15:00", "2026-11-23T15:00:00+05:30"),
        ("tomorrow morning", "2026-11-24T10:30:00+05:30"),
        ("Tomorrow, in the evening please", "2026-11-24T18:00:00+05:30"),
        ("tomorrow at noon", "2026-11-24T12:00:00+05:30"),
        ("day after tomorrow at 12 pm", "2026-11-25T12:00:00+05:30"),
        ("on Friday at 4 pm", "2026-11-27T16:00:00+05:30"),
        ("Friday 4 pm", "2026-11-27T16:00:00+05:30"),
        ("Monday 4 pm", "2026-11-30T16:00:00+05:30"),
        ("next Monday 4 pm", "2026-11-30T16:00:00+05:30"),
        ("2026-11-25 at 11 am", "2026-11-25T11:00:00+05:30"),
        ("in two hours", "2026-11-23T13:00:00+05:30"),
        ("call me back in 30 minutes", "2026-11-23T11:30:00+05:30"),
        ("after half an hour", "2026-11-23T11:30:00+05:30"),
        ("an hour later", "2026-11-23T12:00:00+05:30"),
    ])
    func `a clear phrase is read on the lead's own clock`(phrase: String, time: String?) throws {
        #expect(try resolve(phrase) == time)
    }

    @Test(arguments: [
        "", "later", "sometime", "tomorrow", "at 3", "3", "Friday", "9:61 pm", "13 pm", "0 am",
        "10 am", "today 9 am", "in 0 minutes", "in two fortnights", "3 pm or 4 pm",
        "tomorrow 3 pm Dubai time", "when my father is home", "2026-11-20T15:00:00+05:30",
        "2026-13-40 3 pm", "yesterday 3 pm", "tomorrow tomorrow 3 pm", "not before 3 pm",
    ])
    func `what is not clear, or past, is never guessed`(phrase: String) throws {
        #expect(try resolve(phrase) == nil)
    }

    @Test func `the lead's zone counts, and a day with a change of clocks has its own length`()
        throws
    {
        #expect(
            try resolve("tomorrow 9 am", in: "America/New_York") == "2026-11-24T09:00:00-05:00"
        )
        let berlin = try unwrap(Zone(identifier: "Europe/Berlin"))
        let saturday = try unwrap(Instant(iso8601: "2026-10-24T23:30:00+02:00"))
        let sunday = CallbackTime.resolve("tomorrow 3 pm", now: saturday, in: berlin)
        #expect(sunday?.formatted(in: berlin) == "2026-10-25T15:00:00+01:00")
    }

    @Test func `no text, whatever it is, stops the program or means the past`() throws {
        let generator = Seeded.random()
        let words = [
            "in", "at", "3", "pm", "am", "15:00", "tomorrow", "today", "monday", "next", "half",
            "an", "hour", "hours", "minutes", "after", "day", "later", "noon", "morning", ":", "-",
            "2026-11-25", "99999999999", "é", "\u{0}",
        ]
        for _ in 0..<20_000 {
            let phrase = (0..<generator.next(below: 6))
                .map { _ in words[generator.next(below: words.count)] }.joined(separator: " ")
            let zone = try unwrap(Zone(identifier: "Asia/Kolkata"))
            if let time = CallbackTime.resolve(phrase, now: now, in: zone) {
                #expect(time > now, "seed \(generator.seed): \(phrase)")
            }
        }
    }
}
