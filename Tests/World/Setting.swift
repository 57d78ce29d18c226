import Foundation

/// What somebody asked of a test from outside, for example `TIME_TRAVEL_LEADS=10000`.
enum Setting {
    /// A whole number; nil where there is none.
    static func integer<Number: FixedWidthInteger>(
        _ name: String,
        as type: Number.Type = Number.self
    )
        -> Number?
    {
        ProcessInfo.processInfo.environment[name].flatMap { Number($0) }
    }
}
