/// The lead's journey as data: the code runs it, a test walks it, the dashboard draws it.
///
///     start → initiate_call → check_retry ─ completed, declined, opted out ──► end
///                                 ├─ a retry is left → increment_retry ──────► end
///                                 ├─ retries used up → whatsapp_fallback ────► end
///                                 │            └ impossible or failed → email_fallback ► end
///                                 ├─ number bad → email_fallback ────────────► end
///                                 ├─ used up, and written to before → end
///                                 ├─ a person must look, or go on with it → end
///                                 └─ cancelled, our own fault → end
///
/// No node leads back to the dial: `increment_retry` promises another call for later and ends, so
/// that a loop which calls somebody again at once cannot be written down.
public struct Workflow: Sendable {
    /// A step of the journey.
    public enum Node: String, Sendable, CaseIterable {
        case start
        case initiateCall = "initiate_call"
        case checkRetry = "check_retry"
        case incrementRetry = "increment_retry"
        case whatsAppFallback = "whatsapp_fallback"
        case emailFallback = "email_fallback"
        case end
    }

    /// What must be true for an edge to be taken.
    public enum Guard: String, Sendable, CaseIterable {
        case always
        case completed, declined
        case handedOver = "handed_over"
        case optedOut = "opted_out"
        case cancelled
        case ourFault = "our_fault"
        case numberBad = "number_bad"
        case needsPerson = "needs_person"
        case retryLeft = "retry_left"
        case retriesUsedUp = "retries_used_up"
        case alreadyWritten = "already_written"
        case whatsAppPossible = "whatsapp_possible"
        case whatsAppImpossible = "whatsapp_impossible"
        case whatsAppFailed = "whatsapp_failed"

        /// Whether the guard holds for the facts.
        public func holds(for facts: Facts) -> Bool {
            switch self {
            case .always: true
            case .completed: facts.result == .completed
            case .handedOver: facts.result == .handedOver
            case .declined: facts.isDeclined
            case .optedOut: facts.isOptedOut
            case .cancelled: facts.result == .cancelled
            case .ourFault: facts.result == .ourFault
            case .numberBad: facts.result == .numberBad
            case .needsPerson: facts.result == .needsPerson
            case .retryLeft: facts.result == .notReached && facts.retriesUsed < facts.retriesAllowed
            case .retriesUsedUp:
                facts.result == .notReached && facts.retriesUsed >= facts.retriesAllowed
            case .alreadyWritten: Guard.retriesUsedUp.holds(for: facts) && facts.isWrittenTo
            case .whatsAppPossible: facts.canWhatsApp
            case .whatsAppImpossible: !facts.canWhatsApp
            case .whatsAppFailed: facts.hasWhatsAppFailed
            }
        }
    }

    /// A way from one node to the next.
    public struct Edge: Sendable {
        public let from: Node
        public let when: Guard
        public let to: Node
    }

    /// What is known when a call is over, or when the message that followed it has failed.
    public struct Facts: Sendable {
        /// What became of the call.
        public enum Result: String, Sendable, CaseIterable {
            case completed
            /// Spoken to, and a person is to go on with it, such as a colleague to whom the call could
            /// not be passed on.
            case handedOver = "handed_over"
            /// Nobody was spoken to; another try makes sense.
            case notReached = "not_reached"
            /// The call broke after words were exchanged, or cannot be judged: calling again by
            /// ourselves could be the second call for one conversation.
            case needsPerson = "needs_person"
            case numberBad = "number_bad"
            case cancelled
            /// The attempt goes back uncounted.
            case ourFault = "our_fault"
        }
        public var result: Result
        public var isDeclined: Bool
        public var isOptedOut: Bool
        public var retriesUsed: Int
        public var retriesAllowed: Int
        public var canWhatsApp: Bool
        /// Whether the message that follows the last retry was queued after an earlier call.
        public var isWrittenTo: Bool
        /// Whether WhatsApp refused or could not deliver the message of ``Node/whatsAppFallback``.
        public var hasWhatsAppFailed: Bool

        /// Creates facts.
        public init(
            result: Result,
            isDeclined: Bool = false,
            isOptedOut: Bool = false,
            retriesUsed: Int = 0,
            retriesAllowed: Int = 3,
            canWhatsApp: Bool = false,
            isWrittenTo: Bool = false,
            hasWhatsAppFailed: Bool = false
        ) {
            self.result = result
            self.isDeclined = isDeclined
            self.isOptedOut = isOptedOut
            self.retriesUsed = retriesUsed
            self.retriesAllowed = retriesAllowed
            self.canWhatsApp = canWhatsApp
            self.isWrittenTo = isWrittenTo
            self.hasWhatsAppFailed = hasWhatsAppFailed
        }
    }

    /// The edges; of those that leave a node the first whose guard holds is taken.
    public let edges: [Edge]

    /// The journey of every lead.
    public static let lead = Workflow(edges: [
        Edge(from: .start, when: .always, to: .initiateCall),
        Edge(from: .initiateCall, when: .always, to: .checkRetry),
        Edge(from: .checkRetry, when: .optedOut, to: .end),
        Edge(from: .checkRetry, when: .declined, to: .end),
        Edge(from: .checkRetry, when: .completed, to: .end),
        Edge(from: .checkRetry, when: .handedOver, to: .end),
        Edge(from: .checkRetry, when: .cancelled, to: .end),
        Edge(from: .checkRetry, when: .ourFault, to: .end),
        Edge(from: .checkRetry, when: .needsPerson, to: .end),
        Edge(from: .checkRetry, when: .numberBad, to: .emailFallback),
        Edge(from: .checkRetry, when: .retryLeft, to: .incrementRetry),
        Edge(from: .checkRetry, when: .alreadyWritten, to: .end),
        Edge(from: .checkRetry, when: .retriesUsedUp, to: .whatsAppFallback),
        Edge(from: .incrementRetry, when: .always, to: .end),
        Edge(from: .whatsAppFallback, when: .whatsAppFailed, to: .emailFallback),
        Edge(from: .whatsAppFallback, when: .whatsAppPossible, to: .end),
        Edge(from: .whatsAppFallback, when: .whatsAppImpossible, to: .emailFallback),
        Edge(from: .emailFallback, when: .always, to: .end),
    ])

    /// The edge to take from a node, or `nil` at the end.
    public func next(from node: Node, given facts: Facts) -> Edge? {
        edges.first { $0.from == node && $0.when.holds(for: facts) }
    }

    /// The graph as Mermaid's flowchart.
    public var mermaid: String {
        let lines = edges.map { edge in
            edge.when == .always
                ? "    \(edge.from.rawValue) --> \(edge.to.rawValue)"
                : "    \(edge.from.rawValue) -- \(edge.when.rawValue) --> \(edge.to.rawValue)"
        }
        return (["flowchart TD"] + lines).joined(separator: "\n") + "\n"
    }

    /// The graph as JSON: `nodes` and `edges` with `from`, `when` and `to`.
    public var json: JSON {
        [
            "nodes": .array(Node.allCases.map { .string($0.rawValue) }),
            "edges": .array(
                edges.map {
                    [
                        "from": .string($0.from.rawValue), "when": .string($0.when.rawValue),
                        "to": .string($0.to.rawValue),
                    ]
                }
            ),
            "mermaid": .string(mermaid),
        ]
    }
}

/// Where a lead is on its journey.
public enum JourneyState: String, Sendable, SQLConvertible, CaseIterable {
    case new
    /// A call is under way.
    case calling
    /// A call is promised.
    case waiting
    case completed
    case declined
    case optedOut = "opted_out"
    /// A person must decide what to do next.
    case needsPerson = "needs_person"
    /// The number cannot be called.
    case unreachable
    /// Calls are used up; a message goes out.
    case fallback
    /// Calls are used up and there is no other way.
    case exhausted

    /// Whether no more calls are made by themselves.
    public var isExhausted: Bool { self == .fallback || self == .exhausted }
}
