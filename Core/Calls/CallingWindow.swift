/// The hours in which people may be called, on the called person's clocks.
///
/// A region with several zones is called only while the window is open in all of them, unless the
/// lead's own zone is known. Sources of the hours: TRAI's band of 09:00 to 21:00 for India, 47 CFR
/// 64.1200(c)(1) and stricter states for the US, ePrivacy practice (no Sundays) elsewhere.
public struct CallingWindow: Sendable, Equatable {
    /// Whether a call may start, and when that changes.
    public enum Decision: Sendable, Equatable {
        /// A call may start before `closesAt`.
        case open(closesAt: Instant)
        /// No call before `opensAt`; nil if the window opens at no time in the next eight days, or
        /// the region is unknown.
        case closed(opensAt: Instant?)
    }

    /// Why a `CALLING_WINDOW` cannot be used; with one of these nobody may be called.
    public enum InvalidSetting: Error, Sendable, Equatable, CustomStringConvertible {
        case malformed
        case crossesMidnight
        case tooShort
        case outsideHardLimits

        public var description: String {
            switch self {
            case .malformed: "CALLING_WINDOW must be auto or two times such as 10:00-18:30."
            case .crossesMidnight: "CALLING_WINDOW must not cross midnight."
            case .tooShort: "CALLING_WINDOW must be at least 15 minutes long."
            case .outsideHardLimits:
                "CALLING_WINDOW leaves less than 15 minutes between 09:00 and 21:00."
            }
        }
    }

    /// An opening shorter than this is none: held calls could not be spread over it.
    static let spread: Duration = .minutes(15)
    /// How far ahead an opening is looked for.
    static let horizon: Duration = .days(8)

    /// What the setting asks for; nil for `auto`.
    private let wanted: Range<Int>?

    /// Reads the configuration's `CALLING_WINDOW`.
    ///
    /// - Parameter setting: `auto` for each region's usual hours, or `HH:MM-HH:MM` for the hours
    ///   between those two times, as far as each region's hard limits allow. The days remain the
    ///   region's.
    /// - Throws: ``InvalidSetting``.
    public init(setting: String) throws(InvalidSetting) {
        if setting == "auto" {
            wanted = nil
            return
        }
        var reader = FieldReader(setting)
        guard let opens = reader.minutes(), reader.skip("-"), let closes = reader.minutes(),
            reader.isAtEnd
        else { throw .malformed }
        guard opens <= closes else { throw .crossesMidnight }
        guard closes - opens >= CallingWindow.shortest else { throw .tooShort }
        guard (opens..<closes).clamped(to: Hours.india.hard).count >= CallingWindow.shortest
        else { throw .outsideHardLimits }
        wanted = opens..<closes
    }

    private static let shortest = Int(spread.milliseconds / 60_000)

    /// Whether somebody may be called at a moment, and when that changes.
    ///
    /// - Parameters:
    ///   - region: the number's region as in ``RegionZones/zones(of:)``.
    ///   - zone: the lead's own zone, if it is known.
    ///   - instant: the moment in question.
    ///   - hardLimitsOnly: true for a call that the lead asked for: only the region's hard limits
    ///     count, neither its usual hours nor the setting.
    /// - Returns: the state of the window at `instant`, exact to the millisecond.
    public func decision(
        region: String,
        zone: Zone? = nil,
        at instant: Instant,
        hardLimitsOnly: Bool = false
    ) -> Decision {
        let clocks = clocks(region: region, zone: zone, hardLimitsOnly: hardLimitsOnly)
        let limit = instant + CallingWindow.horizon
        var moment = instant
        while moment <= limit, !clocks.isEmpty {
            // The first opening of each clock that is not over yet; where they overlap, all are open.
            var opens = Instant(milliseconds: .min)
            var closes = Instant(milliseconds: .max)
            for clock in clocks {
                guard let opening = clock.opening(notOverAt: moment) else {
                    return .closed(opensAt: nil)
                }
                opens = max(opens, opening.lowerBound)
                closes = min(closes, opening.upperBound)
            }
            if opens < closes, closes - opens >= CallingWindow.spread {
                if opens <= instant { return .open(closesAt: closes) }
                return .closed(opensAt: opens <= limit ? opens : nil)
            }
            // Some clock closes before another opens: go on behind that closing.
            moment = closes
        }
        return .closed(opensAt: nil)
    }

    /// When to place one of many calls that waited for an opening: within its first 15 minutes.
    ///
    /// - Parameters:
    ///   - opensAt: an opening that ``decision(region:zone:at:hardLimitsOnly:)`` named.
    ///   - key: what tells the calls apart; the same key always gets the same moment.
    /// - Returns: a moment at which the window is still open.
    public func spread(_ opensAt: Instant, key: String) -> Instant {
        opensAt + Scatter.wait(below: CallingWindow.spread, key: key)
    }

    /// The clocks that must all show calling hours, each with its hours.
    private func clocks(region: String, zone: Zone?, hardLimitsOnly: Bool) -> [WallClock] {
        let regions = RegionZones.regions(of: region)
        return regions.flatMap { region in
            let hours = Hours.of(region: region)
            let minutes: Range<Int> =
                if hardLimitsOnly {
                    hours.hard
                } else {
                    wanted?.clamped(to: hours.hard) ?? hours.usual
                }
            return (zone.map { [$0] } ?? RegionZones.zones(of: region)).map {
                WallClock(zone: $0, minutes: minutes, days: hours.days)
            }
        }
    }

    /// A region's calling hours, in minutes after midnight.
    private struct Hours {
        let usual: Range<Int>
        let hard: Range<Int>
        /// The days of the week, 1 for Monday.
        let days: ClosedRange<Int>

        static let india = Hours(usual: 600..<1245, hard: 540..<1260, days: 1...7)
        static let unitedStates = Hours(usual: 540..<1200, hard: 540..<1200, days: 1...5)
        static let elsewhere = Hours(usual: 540..<1200, hard: 540..<1200, days: 1...6)

        static func of(region: String) -> Hours {
            switch region {
            case "IN": india
            // Federal law is the same in the territories.
            case "US", "AS", "GU", "MP", "PR", "VI": unitedStates
            default: elsewhere
            }
        }
    }

    /// One zone's clocks with the hours that count on them.
    private struct WallClock {
        let zone: Zone
        let minutes: Range<Int>
        let days: ClosedRange<Int>

        /// The opening that is under way at a moment, else the next one; nil if none comes soon.
        ///
        /// Where clocks go back within it, an opening begins when its first minute is shown for the
        /// last time and ends when its last is shown for the first time.
        func opening(notOverAt instant: Instant) -> Range<Instant>? {
            let shown = zone.local(at: instant)
            for daysAhead in 0...9 {
                let day = shown.addingDays(daysAhead)
                guard days.contains(day.weekday) else { continue }
                let opens = zone.instants(of: day.at(minute: minutes.lowerBound)).upperBound
                let closes = zone.instants(of: day.at(minute: minutes.upperBound)).lowerBound
                if opens < closes, closes > instant { return opens..<closes }
            }
            return nil
        }
    }
}

extension LocalTime {
    /// The same day, so many minutes after its midnight.
    fileprivate func at(minute: Int) -> LocalTime {
        let midnight = secondsSinceEpoch.dividedRoundingDown(by: 86_400) * 86_400
        return LocalTime(secondsSinceEpoch: midnight + Int64(minute) * 60)
    }
}

extension FieldReader {
    /// Reads `HH:MM`, 00:00 to 24:00, as minutes after midnight.
    fileprivate mutating func minutes() -> Int? {
        guard let hour = number(digits: 2), skip(":"), let minute = number(digits: 2),
            minute < 60, hour * 60 + minute <= 1440
        else { return nil }
        return hour * 60 + minute
    }
}
