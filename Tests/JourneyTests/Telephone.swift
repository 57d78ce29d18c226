@testable import Core
@testable import World

/// A Vapi whose calls go on when the test says so, and whose messages wait until it delivers, repeats,
/// reorders or loses them.
final class Telephone: Sendable {
    /// How a call will end, and what Core is to make of it by the contract.
    struct Ending: Sendable {
        let reason: String
        /// Whether somebody, or a voicemail, picks up.
        var isConnected = false
        /// Whether words are exchanged.
        var isSpoken = false
        var seconds = 60
        let outcome: EndedReason.Outcome
        let result: Workflow.Facts.Result
        var pauses = false
        var isUntilTomorrow = false

        static let all: [Ending] = [
            Ending(
                reason: "customer-ended-call",
                isConnected: true,
                isSpoken: true,
                outcome: .completed,
                result: .completed
            ),
            Ending(
                reason: "customer-ended-call",
                isConnected: true,
                outcome: .missed,
                result: .notReached
            ),
            Ending(
                reason: "customer-ended-call",
                isConnected: true,
                isSpoken: true,
                seconds: 5,
                outcome: .missed,
                result: .notReached
            ),
            Ending(
                reason: "assistant-ended-call",
                isConnected: true,
                isSpoken: true,
                outcome: .completed,
                result: .completed
            ),
            Ending(reason: "customer-did-not-answer", outcome: .missed, result: .notReached),
            Ending(reason: "customer-did-not-answer", outcome: .missed, result: .notReached),
            Ending(reason: "customer-busy", outcome: .missed, result: .notReached),
            Ending(reason: "voicemail", isConnected: true, outcome: .missed, result: .notReached),
            Ending(reason: "twilio-failed-to-connect-call", outcome: .failed, result: .notReached),
            Ending(
                reason: "call.in-progress.error-providerfault-outbound-sip-503-service-unavailable",
                outcome: .failed,
                result: .notReached
            ),
            Ending(
                reason: "call.in-progress.error-vapifault-worker-died",
                isConnected: true,
                outcome: .failed,
                result: .notReached
            ),
            Ending(
                reason: "pipeline-error-openai-500-server-error",
                isConnected: true,
                isSpoken: true,
                outcome: .failed,
                result: .needsPerson
            ),
            Ending(
                reason: "pipeline-error-openai-500-server-error",
                isConnected: true,
                outcome: .failed,
                result: .notReached
            ),
            Ending(
                reason: "pipeline-error-openai-401-incorrect-api-key",
                isConnected: true,
                isSpoken: true,
                outcome: .failed,
                result: .needsPerson
            ),
            Ending(
                reason: "pipeline-error-openai-401-incorrect-api-key",
                isConnected: true,
                outcome: .failed,
                result: .ourFault,
                pauses: true
            ),
            Ending(
                reason: "assistant-not-found",
                outcome: .failed,
                result: .ourFault,
                pauses: true
            ),
            Ending(
                reason: "call.start.error-vapi-number-outbound-daily-limit",
                outcome: .failed,
                result: .ourFault,
                pauses: true,
                isUntilTomorrow: true
            ),
            Ending(
                reason: "call.start.error-subscription-concurrency-limit-reached",
                outcome: .failed,
                result: .ourFault
            ),
            Ending(
                reason: "twilio-reported-customer-misdialed",
                outcome: .failed,
                result: .numberBad
            ),
            Ending(reason: "manually-canceled", outcome: .failed, result: .cancelled),
            Ending(
                reason: "call.forwarding.no-answer",
                isConnected: true,
                isSpoken: true,
                outcome: .completed,
                result: .handedOver
            ),
            Ending(
                reason: "something-that-vapi-has-added-since",
                outcome: .failed,
                result: .needsPerson
            ),
        ]
    }

    /// A call as Vapi knows it.
    struct Call: Sendable {
        let attemptID: String
        let leadUUID: String
        let createdAt: Instant
        let ending: Ending
        let isDeclined: Bool
        let callback: Instant?
        var status = "queued"
        var startedAt: Instant?
        var endedAt: Instant?
        var isAnalysed = false
        /// Vapi has lost it.
        var isDeleted = false

        var id: String { "vapi-\(attemptID)" }
    }

    /// A server message on its way.
    struct Message: Sendable {
        let call: Int
        let body: JSON
        /// The status it tells; nil for the report.
        let status: String?
        let sentAt: Instant
        var deliveries = 0
    }

    private struct State {
        var calls: [Call] = []
        var messages: [Message] = []
        var unreachable: Set<String> = []
        var canList = true
        var answer: Vapi.Placement?
        var orders = 0
    }

    private let state = Lock(State())
    private let take: @Sendable (Vapi.Order) -> Call

    /// Creates a telephone; `take` decides how an accepted call will go.
    init(take: @escaping @Sendable (Vapi.Order) -> Call) { self.take = take }

    var calls: [Call] { state.withLock { $0.calls } }
    var messages: [Message] { state.withLock { $0.messages } }
    /// How many times `POST /call` was heard.
    var orders: Int { state.withLock { $0.orders } }

    /// What the next order is answered: nil is 201.
    func answer(_ placement: Vapi.Placement?) { state.withLock { $0.answer = placement } }

    /// Whose look-ups fail, and whether calls can be listed, from now on.
    func fail(lookUps: Set<String>, canList: Bool) {
        state.withLock {
            $0.unreachable = lookUps
            $0.canList = canList
        }
    }

    /// Accepts an order; what the caller hears of it is another matter.
    func accept(_ order: Vapi.Order) {
        let call = take(order)
        state.withLock { $0.calls.append(call) }
    }

    /// Loses what is known of a call.
    func delete(_ call: Int) { state.withLock { $0.calls[call].isDeleted = true } }

    /// Takes a call one step on and sends the message that tells of it.
    func advance(_ index: Int, now: Instant) {
        state.withLock { state in
            var call = state.calls[index]
            switch call.status {
            case "queued" where call.ending.isConnected || call.ending.reason.hasPrefix("customer"):
                call.status = "ringing"
            case "ringing" where call.ending.isConnected:
                call.status = "in-progress"
                call.startedAt = now
            case "queued", "ringing", "in-progress":
                call.status = "ended"
                call.endedAt = now
            default:
                guard !call.isAnalysed else { return }
                call.isAnalysed = true
                state.calls[index] = call
                state.messages.append(
                    Message(call: index, body: call.report(at: now), status: nil, sentAt: now)
                )
                return
            }
            state.calls[index] = call
            state.messages.append(
                Message(
                    call: index,
                    body: call.statusUpdate(at: now),
                    status: call.status,
                    sentAt: now
                )
            )
        }
    }

    func noteDelivery(of message: Int) { state.withLock { $0.messages[message].deliveries += 1 } }

    func lose(_ message: Int) { state.withLock { _ = $0.messages.remove(at: message) } }

    var vapi: Vapi {
        Vapi(
            isSimulated: true,
            place: { order, departure in
                var hasLeft = false
                departure { hasLeft = true }
                guard hasLeft else { return .notSent(.calledOff) }
                let answer = self.state.withLock { state in
                    state.orders += 1
                    return state.answer
                }
                switch answer {
                case nil:
                    self.accept(order)
                    return .placed(callID: "vapi-\(order.attemptID)", controlURL: nil)
                case .unknown("accepted"):
                    self.accept(order)
                    return .unknown(cause: "timed_out")
                case .some(let placement): return placement
                }
            },
            call: { id throws(Vapi.Unreachable) in
                guard !self.state.withLock({ $0.unreachable.contains(id) }) else {
                    throw Vapi.Unreachable("test")
                }
                return self.calls.first { $0.id == id && !$0.isDeleted }?.body
            },
            calls: { since throws(Vapi.Unreachable) in
                guard self.state.withLock({ $0.canList }) else { throw Vapi.Unreachable("test") }
                return self.calls.filter { !$0.isDeleted && $0.createdAt >= since }.map(\.body)
            },
            end: { _ in }
        )
    }
}

// MARK: - On the wire

extension Telephone.Call {
    private var identity: JSON.Object {
        var call = JSON.Object()
        call["id"] = .string(id)
        call["createdAt"] = .string(createdAt.iso8601)
        call["assistantOverrides"] = [
            "metadata": ["attemptId": .string(attemptID), "lead_uuid": .string(leadUUID)]
        ]
        return call
    }

    /// What ended calls tell, in reports and when they are looked up.
    private var facts: JSON.Object {
        var facts = JSON.Object()
        facts["endedReason"] = .string(ending.reason)
        if let startedAt {
            facts["startedAt"] = .string(startedAt.iso8601)
            facts["durationSeconds"] = .integer(Int64(ending.seconds))
        }
        if let endedAt { facts["endedAt"] = .string(endedAt.iso8601) }
        var messages: [JSON] = []
        if ending.isConnected { messages.append(["role": "bot", "message": "Good morning."]) }
        if ending.isSpoken { messages.append(["role": "user", "message": "Good morning to you."]) }
        var artifact = JSON.Object()
        artifact["messages"] = .array(messages)
        if isAnalysed, isDeclined || callback != nil {
            artifact["structuredOutputs"] = [
                "7c4b": [
                    "name": "Lead qualification",
                    "result": [
                        "success_status": "Potential", "declined": .bool(isDeclined),
                        "callback_time": JSON(callback?.iso8601),
                    ],
                ]
            ]
        }
        facts["artifact"] = .object(artifact)
        return facts
    }

    /// The body of `GET /call/:id`.
    var body: JSON {
        var body = status == "ended" ? facts : JSON.Object()
        for (name, value) in identity.members { body[name] = value }
        body["status"] = .string(status)
        return .object(body)
    }

    fileprivate func statusUpdate(at now: Instant) -> JSON {
        var message = JSON.Object()
        message["type"] = "status-update"
        message["timestamp"] = .integer(now.milliseconds)
        message["status"] = .string(status)
        if status == "ended" { message["endedReason"] = .string(ending.reason) }
        message["call"] = .object(identity)
        return ["message": .object(message)]
    }

    fileprivate func report(at now: Instant) -> JSON {
        var message = facts
        message["type"] = "end-of-call-report"
        message["timestamp"] = .integer(now.milliseconds)
        message["call"] = .object(identity)
        return ["message": .object(message)]
    }

    /// A use of a tool during the call.
    func toolCall(_ name: String, _ arguments: JSON, id toolCall: String, now: Instant) -> JSON {
        [
            "message": [
                "type": "tool-calls", "timestamp": .integer(now.milliseconds),
                "call": .object(identity),
                "toolCallList": [
                    [
                        "id": .string(toolCall), "type": "function",
                        "function": ["name": .string(name), "arguments": arguments],
                    ]
                ],
            ]
        ]
    }
}
