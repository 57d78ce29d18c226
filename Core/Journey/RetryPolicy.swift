/// When a lead that was not reached is called again.
public struct RetryPolicy: Sendable, Equatable {
    /// The unit of ``intervals``.
    public enum Unit: String, Sendable, CaseIterable {
        case hours, minutes, seconds

        var milliseconds: Int64 {
            switch self {
            case .hours: 3_600_000
            case .minutes: 60_000
            case .seconds: 1000
            }
        }
    }

    /// How many calls follow the first.
    public var maximum: Int
    /// How long after a miss; the last one also stands for later misses.
    public var intervals: [Int]
    public var unit: Unit

    /// Creates a policy.
    public init(maximum: Int = 3, intervals: [Int] = [1, 4, 24], unit: Unit = .hours) {
        self.maximum = maximum
        self.intervals = intervals
        self.unit = unit
    }

    /// Reads `MAX_RETRY_COUNT`, `RETRY_INTERVALS` and `RETRY_UNITS`.
    ///
    /// - Throws: ``Environment/Invalid``.
    public init(environment: Environment) throws {
        maximum = try environment.integer("MAX_RETRY_COUNT", default: 3, in: 0...20)
        let texts = (environment["RETRY_INTERVALS"] ?? "1,4,24").split(separator: ",")
        intervals = texts.compactMap { Int(String($0).trimmingSpace()) }
        guard intervals.count == texts.count, RetryPolicy.areValid(intervals) else {
            throw Environment.Invalid("RETRY_INTERVALS must be whole numbers such as 1,4,24.")
        }
        guard let unit = Unit(rawValue: environment["RETRY_UNITS"] ?? "hours") else {
            throw Environment.Invalid("RETRY_UNITS must be hours, minutes or seconds.")
        }
        self.unit = unit
    }

    /// Whether intervals can be used: at least one, each from 1 to 8760 units.
    public static func areValid(_ intervals: [Int]) -> Bool {
        !intervals.isEmpty && intervals.count <= 20 && intervals.allSatisfy { 1...8760 ~= $0 }
    }

    /// How long after the miss that follows so many retries the next call is due; `nil` when the
    /// retries are used up.
    public func delay(afterRetries retries: Int) -> Duration? {
        guard retries < maximum, let last = intervals.last else { return nil }
        let interval = retries < intervals.count ? intervals[retries] : last
        return .milliseconds(Int64(interval) * unit.milliseconds)
    }

    /// How much later than that it really is, so that calls which failed together do not come back
    /// together: less than a sixtieth of the wait, and less than five minutes.
    ///
    /// The same key always gets the same.
    public static func jitter(of delay: Duration, key: String) -> Duration {
        let width = min(delay.milliseconds / 60, 300_000)
        return Scatter.wait(below: .milliseconds(width), key: key)
    }

    private static let setting = "retry_policy"

    /// The policy in force: what people set at run time, else `self`.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func current(in connection: Connection) throws -> RetryPolicy {
        guard let value = try Settings.value(RetryPolicy.setting, in: connection),
            let maximum = value["max_retry_count"]?.integer,
            let intervals = value["retry_intervals"]?.array?.compactMap(\.integer),
            let unit = value["retry_units"]?.string.flatMap(Unit.init)
        else { return self }
        return RetryPolicy(maximum: Int(maximum), intervals: intervals.map(Int.init), unit: unit)
    }

    /// Puts this policy in force from now on.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func save(by actor: String, now: Instant, in connection: Connection) throws {
        try Settings.set(RetryPolicy.setting, json, now: now, in: connection)
        try AuditLog.add("retry_policy", by: actor, detail: json, now: now, in: connection)
    }

    /// The policy as the API shows it.
    public var json: JSON {
        [
            "max_retry_count": .integer(Int64(maximum)),
            "retry_intervals": .array(intervals.map { .integer(Int64($0)) }),
            "retry_units": .string(unit.rawValue),
        ]
    }
}
