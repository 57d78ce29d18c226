import Foundation

@testable import Core

/// Where a lead of the model lives: what its number and its record say about clocks and consent.
enum Place: CaseIterable {
    case india, britain, newYork
    /// The United States, where exactly is not known: every clock there must show calling hours.
    case america
    /// The United States without consent: nobody may be called.
    case unasked

    var region: String {
        switch self {
        case .india: "IN"
        case .britain: "GB"
        case .newYork, .america, .unasked: "US"
        }
    }

    /// The zone on the lead's own record.
    var zone: String? { self == .newYork ? "America/New_York" : nil }
    var hasConsent: Bool { self == .newYork || self == .america }
    var needsConsent: Bool { region == "US" }

    /// The clocks that count; of America's those that are first and last suffice.
    fileprivate var clocks: [String] {
        switch self {
        case .india: ["Asia/Kolkata"]
        case .britain: ["Europe/London"]
        case .newYork: ["America/New_York"]
        case .america, .unasked:
            ["America/New_York", "America/Phoenix", "America/Adak", "Pacific/Honolulu"]
        }
    }

    /// Whether people there may be called when their clock shows this.
    fileprivate func allows(weekday: Int, minute: Int, isPromised: Bool) -> Bool {
        switch self {
        case .india: isPromised ? 540..<1260 ~= minute : 600..<1245 ~= minute
        case .britain: weekday != 7 && 540..<1200 ~= minute
        case .newYork, .america, .unasked: weekday < 6 && 540..<1200 ~= minute
        }
    }
}

/// All calling hours of a place from 2026 to early 2027, found by looking at its clocks every
/// quarter of an hour, with Foundation's time zones rather than Core's.
struct Openings {
    private let hours: [Range<Instant>]

    private init(_ place: Place, isPromised: Bool) {
        let zones = place.clocks.compactMap(TimeZone.init(identifier:))
        var hours: [Range<Instant>] = []
        var opened: Instant?
        var quarter = Instant(milliseconds: 1_767_225_600_000)  // 1 January 2026
        while quarter.milliseconds < 1_806_537_600_000 {  // 1 April 2027
            let date = Date(timeIntervalSince1970: Double(quarter.seconds))
            let isOpen = zones.allSatisfy { zone in
                let shown = Int(quarter.seconds) + zone.secondsFromGMT(for: date)
                return place.allows(
                    weekday: (shown / 86_400 + 3) % 7 + 1,  // 1 January 1970 was a Thursday
                    minute: shown / 60 % 1440,
                    isPromised: isPromised
                )
            }
            if isOpen, opened == nil { opened = quarter }
            if !isOpen, let opens = opened {
                hours.append(opens..<quarter)
                opened = nil
            }
            quarter += .minutes(15)
        }
        self.hours = hours
    }

    private static let all: [Place: [Bool: Openings]] = Dictionary(
        uniqueKeysWithValues: Place.allCases.map { place in
            (
                place,
                [
                    true: Openings(place, isPromised: true),
                    false: Openings(place, isPromised: false),
                ]
            )
        }
    )

    /// The hours in which a place may be called; for a promised callback the law's own.
    static func of(_ place: Place, isPromised: Bool) -> Openings {
        all[place]?[isPromised] ?? Openings(place, isPromised: isPromised)
    }

    func isOpen(at instant: Instant) -> Bool { hours.contains { $0.contains(instant) } }

    /// The opening at a moment, else the next one.
    func next(_ instant: Instant) -> Range<Instant> {
        hours.first { instant < $0.upperBound } ?? instant..<instant
    }
}
