import Foundation

@testable import struct Core.Lock
@testable import sandbox

/// The sandbox's Vapi on a clock of the test's own: its requests, conversations and payloads, but
/// weeks pass in minutes, because the moments of a call wait in the test's queue and not in real time.
///
/// The number's last digit decides how a call goes, as in the sandbox. On top of that things go wrong
/// at random: answers are lost, messages come late, twice or never.
final class SimulatedExchange: Sendable {
    /// Something that happens at a moment (in milliseconds).
    struct Event: Sendable {
        enum Action: Sendable {
            /// A call goes one step on.
            case advance(call: String)
            /// A server message arrives.
            case deliver([UInt8])
        }
        let at: Int64
        let action: Action
    }

    /// What came of a request.
    enum Answer: Sendable {
        case answer(status: Int, body: [UInt8], retryAfter: Int?)
        /// Nobody is reached, so nothing is sent.
        case unreachable
        /// The connection breaks; the request may have been heard.
        case broken
    }

    /// What must never happen, and figures for the reader.
    struct Findings: Sendable {
        var accepted = 0
        var most = 0
        var faults: [String] = []
        var lostMessages = 0
        var lateMessages = 0
        var lostAnswers = 0
        var refused = 0
    }

    private struct Line {
        var call: PhoneCall
        var isLive: Bool { call.status != .ended }
    }

    private struct State {
        var random: SplitMix
        var lines: [String: Line] = [:]
        var order: [String] = []
        var live: Set<String> = []
        var liveNumbers: [String: String] = [:]
        var conversations: [String: Int] = [:]
        var pending: [Event] = []
        var findings = Findings()
    }

    /// Random numbers that a seed gives again.
    private struct SplitMix: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        /// Whether something happens that happens so many times in a thousand.
        mutating func happens(_ perMille: Int) -> Bool { next() % 1000 < UInt64(perMille) }
        mutating func number(_ range: ClosedRange<Int64>) -> Int64 {
            Int64.random(in: range, using: &self)
        }
    }

    private let limit: Int
    /// When nothing works at all, and when our key is not accepted.
    private let outages: [Range<Int64>]
    private let badKey: Range<Int64>
    private let state: Lock<State>
    private let base = "http://127.0.0.1:1"

    init(seed: UInt64, limit: Int, outages: [Range<Int64>], badKey: Range<Int64>) {
        self.limit = limit
        self.outages = outages
        self.badKey = badKey
        state = Lock(State(random: SplitMix(state: seed)))
    }

    var findings: Findings { state.withLock { $0.findings } }
    var live: Int { state.withLock { $0.live.count } }

    /// What has been planned since it was last asked.
    func takeEvents() -> [Event] {
        state.withLock { state in
            let events = state.pending
            state.pending = []
            return events
        }
    }

    // MARK: Requests

    /// Answers `POST /call`, `GET /call/:id` and `GET /call?…`.
    func answer(_ method: String, _ path: String, _ body: [UInt8]?, now: Int64) -> Answer {
        state.withLock { state in
            if outages.contains(where: { $0.contains(now) }) {
                return state.random.happens(500)
                    ? .unreachable : reply(503, Refusal(503, "Down").body)
            }
            if badKey.contains(now) { return reply(401, Refusal.key.body) }
            if method == "POST" { return place(body ?? [], now, &state) }
            guard path.hasPrefix("/call?") else {
                return look(up: String(path.dropFirst("/call/".count)), &state)
            }
            return list(path, &state)
        }
    }

    private func reply(_ status: Int, _ body: JSON, retryAfter: Int? = nil) -> Answer {
        .answer(status: status, body: [UInt8](body.data), retryAfter: retryAfter)
    }

    private func place(_ body: [UInt8], _ now: Int64, _ state: inout State) -> Answer {
        do {
            let (requests, _) = try CallRequest.parse(try JSON(parsing: Data(body)))
            guard let request = requests.first else {
                return reply(400, Refusal(400, "Empty").body)
            }
            // Numbers that end in 77 turn out to be impossible.
            if request.number.hasSuffix("77") { throw Refusal.number(at: "customer") }
            if state.random.happens(5) { throw Refusal.rate(retryAfter: 5) }
            if state.random.happens(3) { return .unreachable }
            if state.random.happens(3) { throw Refusal(500, "Internal server error") }
            let call = accept(request, now, &state)
            if state.random.happens(8) {
                state.findings.lostAnswers += 1
                return state.random.happens(500)
                    ? .broken : reply(500, Refusal(500, "Internal server error").body)
            }
            return reply(201, .object(call.snapshot(status: call.status, base: base)))
        } catch let refusal as Refusal {
            state.findings.refused += 1
            return reply(refusal.status, refusal.body, retryAfter: refusal.retryAfter)
        } catch {
            return reply(400, Refusal(400, "Malformed").body)
        }
    }

    private func accept(_ request: CallRequest, _ now: Int64, _ state: inout State) -> PhoneCall {
        var call = PhoneCall(
            sequence: state.order.count,
            request: request,
            at: now,
            ending: state.random.happens(15)
                ? Ending(reason: "pipeline-error-openai-500-server-error", isConnected: false) : nil
        )
        // Who was called back has the time to talk, and who never answers does so once in a while.
        let earlier = state.conversations[request.number, default: 0]
        let digit = request.number.last?.wholeNumberValue ?? 0
        if digit == 9 && earlier > 0 || digit == 4 && state.random.happens(150) {
            call.conversation = Conversation(for: request.answering, callback: ("", ""))
        }
        if call.conversation.ending.isConnected {
            state.conversations[request.number, default: 0] += 1
        }
        state.findings.accepted += 1
        if let other = state.liveNumbers[request.number] {
            state.findings.faults.append("two calls at once to one number: \(other), \(call.id)")
        }
        if state.live.count >= limit { state.findings.faults.append("more calls than lines") }
        state.lines[call.id] = Line(call: call)
        state.order.append(call.id)
        state.live.insert(call.id)
        state.liveNumbers[request.number] = call.id
        state.findings.most = max(state.findings.most, state.live.count)
        state.pending.append(Event(at: now + 400, action: .advance(call: call.id)))
        return call
    }

    private func look(up id: String, _ state: inout State) -> Answer {
        guard let line = state.lines[id] else { return reply(404, Refusal(404, "Not found").body) }
        return reply(200, body(of: line.call))
    }

    private func list(_ path: String, _ state: inout State) -> Answer {
        var query: [String: String] = [:]
        for pair in path.dropFirst("/call?".count).split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2 { query[parts[0]] = parts[1] }
        }
        let since = query["createdAtGe"].flatMap(ISO8601.parse) ?? 0
        let before = query["createdAtLt"].flatMap(ISO8601.parse) ?? .max
        let size = query["limit"].flatMap(Int.init) ?? 100
        var found: [JSON] = []
        for id in state.order.reversed() {
            guard let call = state.lines[id]?.call, call.createdAt >= since else { break }
            if call.createdAt < before { found.append(body(of: call)) }
            if found.count == size { break }
        }
        return reply(200, .array(found))
    }

    private func body(of call: PhoneCall) -> JSON {
        call.body(base: base) { channel in ("\(base)/storage/\(channel)", call.createdAt) }
    }

    // MARK: The course of a call

    /// Takes a call one step on.
    func advance(_ id: String, now: Int64) {
        state.withLock { state in
            guard var call = state.lines[id]?.call else { return }
            call.updatedAt = now
            let ending = call.conversation.ending
            var next: Int64?
            switch call.status {
            case .queued where ending.isConnected || ending.reason.hasPrefix("customer-"):
                call.status = .ringing
                next = state.random.number(2000...25_000)
            case .ringing where ending.isConnected:
                call.status = .inProgress
                call.startedAt = now
                let length = Int64((call.duration * 1000).rounded())
                // Now and then somebody has much to say.
                next = state.random.happens(30) ? length + 400_000 : length
            case .queued, .ringing, .inProgress, .scheduled:
                call.status = .ended
                call.endedReason = ending.reason
                call.endedAt = now
                state.live.remove(id)
                state.liveNumbers[call.request.number] = nil
                next =
                    state.random.happens(20)
                    ? state.random.number(120_000...600_000) : state.random.number(2000...9000)
            case .ended:
                guard !call.isAnalysed else { return }
                call.isAnalysed = true
                state.lines[id] = Line(call: call)
                let report = call.report(at: now, base: base) { channel in
                    ("\(base)/storage/\(channel)?\(now)", now + 3_600_000)
                }
                send(report, now, &state)
                return
            }
            state.lines[id] = Line(call: call)
            send(call.statusUpdate(at: now, base: base), now, &state)
            if call.status == .inProgress { useTool(call, now, &state) }
            if let next { state.pending.append(Event(at: now + next, action: .advance(call: id))) }
        }
    }

    /// Half of those who decline say so in words that the assistant acts on at once.
    private func useTool(_ call: PhoneCall, _ now: Int64, _ state: inout State) {
        guard call.conversation.tool?.name == "opt_out", state.random.happens(500) else { return }
        let tool: JSON = ["type": "function", "function": ["name": "opt_out"]]
        let message = call.toolCalls(
            id: "call_\(call.sequence)",
            tool: tool,
            arguments: ["reason": "Does not want calls."],
            at: now + 9000,
            base: base
        )
        state.pending.append(Event(at: now + 9000, action: .deliver([UInt8](message.data))))
    }

    /// Sends a server message, which may be lost, late or doubled.
    private func send(_ message: JSON, _ now: Int64, _ state: inout State) {
        guard !state.random.happens(20) else {
            state.findings.lostMessages += 1
            return
        }
        let body = [UInt8](message.data)
        var delay = state.random.number(30...900)
        if state.random.happens(20) {
            state.findings.lateMessages += 1
            delay = state.random.number(5000...900_000)
        }
        state.pending.append(Event(at: now + delay, action: .deliver(body)))
        if state.random.happens(20) {
            state.pending.append(
                Event(at: now + delay + state.random.number(0...60_000), action: .deliver(body))
            )
        }
    }
}

extension CallRequest {
    /// The same request to somebody who answers: the last digit decides.
    fileprivate var answering: CallRequest {
        var members = body.object ?? [:]
        var customer = members["customer"]?.object ?? [:]
        customer["number"] = .string(String(number.dropLast()) + "\(number.utf8.count % 4)")
        members["customer"] = .object(customer)
        return CallRequest(body: .object(members))
    }
}
