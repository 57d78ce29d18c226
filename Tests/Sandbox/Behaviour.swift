/// How the sandbox misbehaves, as `PUT /sandbox/behaviour` set it.
struct Behaviour: Sendable {
    /// What happens to `POST /call`.
    enum Calls: String, CaseIterable, Sendable {
        /// 201, and the call takes place.
        case answer
        /// 400 about the number's form; 401 about the key; 400 about credits; 400 about concurrency.
        case refuseNumber = "refuse-number"
        case refuseKey = "refuse-key"
        case refuseCredits = "refuse-credits"
        case overConcurrency = "over-concurrency"
        /// 201 with `concurrencyBlocked`, whatever the number of live calls.
        case blocked
        /// 429 with `Retry-After` (`delay_ms` in seconds, at least 1).
        case rateLimit = "rate-limit"
        /// 500 and nothing accepted; 500 though the call takes place.
        case error500 = "error-500"
        case acceptThen500 = "accept-then-500"
        /// The call takes place, but nobody answers: the connection stays open, or is closed at once.
        case hang
        case acceptThenDrop = "accept-then-drop"
        /// 201 after `delay_ms`, while the call already runs.
        case late
        /// The connection is closed and nothing accepted.
        case drop
    }

    /// What happens to `GET /call`.
    enum Lists: String, CaseIterable, Sendable {
        case answer
        case error500 = "error-500"
        case hang
    }

    /// What happens to server messages.
    enum Webhooks: String, CaseIterable, Sendable {
        case answer
        /// Each is sent twice.
        case duplicate
        /// The last words are lost: `ended` and the report, or what `events` lists.
        case drop
        /// All but tool-calls wait for the report and are then sent in reverse.
        case reorder
        /// None is sent.
        case none
    }

    /// A behaviour with the number of times it still applies; `nil`: until changed.
    private struct Turn<Mode: Sendable>: Sendable {
        var mode: Mode
        var times: Int?
    }

    private var call = Turn(mode: Calls.answer)
    private var list = Turn(mode: Lists.answer)
    private var webhook = Turn(mode: Webhooks.answer)
    private var numbers: Set<String>?
    private var events: Set<String> = ["status-update:ended", "end-of-call-report"]

    /// How long a late answer takes, in real milliseconds.
    private(set) var delay: Milliseconds = 1000
    /// Over the organisation's own limit: true 400, false 201 with `concurrencyBlocked`.
    private(set) var refusesOverLimit = false
    /// The ended reason of the calls it applies to, in place of the last digit's.
    private var endedReason: String?
    /// Whether a call with a forced ended reason gets through to a person first.
    private var connected = true
    private var source: JSON = [:]

    init() {}

    /// Reads the body of `PUT /sandbox/behaviour`; what it leaves out is back to normal.
    ///
    /// - Throws: ``Refusal`` with status 400 that names the property.
    init(_ body: JSON) throws {
        let known = [
            "call", "list", "webhooks", "delay_ms", "times", "numbers", "events", "over_limit",
            "ended_reason", "connected",
        ]
        guard let members = body.object else {
            throw Refusal(400, "The behaviour must be an object.")
        }
        if let unknown = members.keys.first(where: { !known.contains($0) }) {
            throw Refusal(400, .string("property \(unknown) should not exist"))
        }
        let times = try members["times"].map { value -> Int in
            guard let times = value.double, times >= 1, times < 1e9 else {
                throw Refusal(400, "times must be at least 1")
            }
            return Int(times)
        }
        call = Turn(mode: try Behaviour.mode(members["call"], "call") ?? .answer, times: times)
        list = Turn(mode: try Behaviour.mode(members["list"], "list") ?? .answer, times: times)
        webhook = Turn(
            mode: try Behaviour.mode(members["webhooks"], "webhooks") ?? .answer,
            times: times
        )
        if let names = members["numbers"], names != .null {
            numbers = Set(try Behaviour.strings(names, "numbers"))
        }
        if let names = members["events"], names != .null {
            events = Set(try Behaviour.strings(names, "events"))
        }
        if let value = members["delay_ms"] {
            guard let milliseconds = value.double, (0...600_000).contains(milliseconds) else {
                throw Refusal(400, "delay_ms must be from 0 to 600000")
            }
            delay = Milliseconds(milliseconds)
        }
        switch members["over_limit"] {
        case nil, .string("blocked"): refusesOverLimit = false
        case .string("refuse"): refusesOverLimit = true
        default:
            throw Refusal(400, "over_limit must be one of the following values: blocked, refuse")
        }
        endedReason = members["ended_reason"]?.string
        connected = members["connected"]?.bool ?? true
        source = body
    }

    private static func mode<Mode: RawRepresentable<String> & CaseIterable>(
        _ value: JSON?,
        _ name: String
    ) throws -> Mode? {
        guard let value else { return nil }
        guard let mode = value.string.flatMap(Mode.init(rawValue:)) else {
            let names = Mode.allCases.map(\.rawValue).joined(separator: ", ")
            throw Refusal(400, .string("\(name) must be one of the following values: \(names)"))
        }
        return mode
    }

    private static func strings(_ value: JSON, _ name: String) throws -> [String] {
        guard let values = value.array, values.allSatisfy({ $0.string != nil }) else {
            throw Refusal(400, .string("\(name) must be an array of strings"))
        }
        return values.compactMap(\.string)
    }

    /// What was set, with the turns that are left.
    var description: JSON {
        var members = source.object ?? [:]
        for (name, times) in [
            ("call", call.times), ("list", list.times), ("webhooks", webhook.times),
        ]
        where members[name] != nil && times != nil {
            members["\(name)_times_left"] = .integer(Int64(times ?? 0))
        }
        return .object(members)
    }

    /// How a `POST /call` for this number is treated, and how it is to end; uses up one turn.
    mutating func nextCall(to number: String) -> (mode: Calls, ending: Ending?) {
        guard numbers?.contains(number) ?? true else { return (.answer, nil) }
        let ending = endedReason.map { Ending(reason: $0, isConnected: connected) }
        guard call.mode != .answer || ending != nil, Behaviour.use(&call.times) else {
            return (.answer, nil)
        }
        return (call.mode, ending)
    }

    /// How a `GET /call` is treated; uses up one turn.
    mutating func nextList() -> Lists {
        guard list.mode != .answer, Behaviour.use(&list.times) else { return .answer }
        return list.mode
    }

    /// How a server message of a call is treated; one that is touched uses up a turn.
    mutating func nextWebhook(_ event: String, number: String) -> Webhooks {
        guard webhook.mode != .answer, numbers?.contains(number) ?? true,
            webhook.mode != .drop || events.contains(event), Behaviour.use(&webhook.times)
        else { return .answer }
        return webhook.mode
    }

    private static func use(_ times: inout Int?) -> Bool {
        guard let left = times else { return true }
        times = max(0, left - 1)
        return left > 0
    }
}
