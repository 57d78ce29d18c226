/// A message that Vapi posts to our webhook, read from the `message` object of its body.
///
/// Vapi adds fields and kinds without notice and sent other shapes in 2024, so reading is tolerant:
/// what is missing or of a wrong type counts as absent. A call that `GET /call/{id}` returns holds
/// the same facts one level higher and is read by the same code.
public enum VapiMessage: Sendable {
    /// A call changed its status.
    case statusUpdate(StatusUpdate)
    /// A call is over and has been analysed.
    case endOfCallReport(CallReport)
    /// The assistant wants tools to run, and waits for their answers.
    case toolCalls(ToolCalls)
    /// Any other kind, which needs no action.
    case other(type: String, identity: Identity?)

    /// Reads a webhook's body; nil if it has no `message` with a `type`.
    public init?(_ body: JSON) {
        guard let message = body["message"], let type = message["type"]?.string else { return nil }
        let identity = Identity(message: message)
        switch type {
        case "status-update":
            guard let update = StatusUpdate(message: message, identity: identity) else {
                self = .other(type: type, identity: identity)
                return
            }
            self = .statusUpdate(update)
        case "end-of-call-report":
            self = .endOfCallReport(
                CallReport(facts: message, call: message["call"], identity: identity)
            )
        case "tool-calls":
            self = .toolCalls(ToolCalls(message: message, identity: identity))
        default:
            self = .other(type: type, identity: identity)
        }
    }

    /// The kind of message, as Vapi names it.
    public var type: String {
        switch self {
        case .statusUpdate: "status-update"
        case .endOfCallReport: "end-of-call-report"
        case .toolCalls: "tool-calls"
        case .other(let type, _): type
        }
    }

    /// Which call it is about; nil if it names none.
    public var identity: Identity? {
        let identity: Identity? =
            switch self {
            case .statusUpdate(let update): update.identity
            case .endOfCallReport(let report): report.identity
            case .toolCalls(let calls): calls.identity
            case .other(_, let identity): identity
            }
        return identity.flatMap { $0.callID == nil && $0.attemptID == nil ? nil : $0 }
    }
}

// MARK: - Which call

extension VapiMessage {
    /// What tells which call is meant.
    public struct Identity: Sendable, Equatable {
        /// Vapi's id of the call.
        public let callID: String?
        /// Our id of the attempt, which we sent as metadata.
        public let attemptID: String?
        /// Our lead, which we sent as metadata.
        public let leadUUID: String?
        /// Where a live call can be ended, by whoever knows this address: a secret.
        public let controlURL: String?

        /// Reads a call as `GET /call/{id}` and `GET /call` return it.
        public init(callObject call: JSON) {
            self.init(call: call, fallback: nil)
        }

        fileprivate init(message: JSON) {
            self.init(call: message["call"], fallback: message["assistant"]?["metadata"])
        }

        private init(call: JSON?, fallback: JSON?) {
            let places = [
                call?["assistantOverrides"]?["metadata"], call?["assistant"]?["metadata"], fallback,
            ]
            func ours(_ key: String) -> String? {
                places.lazy.compactMap { $0?[key]?.nonEmptyString }.first
            }
            callID = call?["id"]?.nonEmptyString
            attemptID = ours("attemptId")
            leadUUID = ours("lead_uuid")
            controlURL = call?["monitor"]?["controlUrl"]?.webAddress
        }

        fileprivate init(callID: String?) {
            self.callID = callID
            attemptID = nil
            leadUUID = nil
            controlURL = nil
        }
    }
}

// MARK: - Status

extension VapiMessage {
    /// A `status-update`.
    public struct StatusUpdate: Sendable, Equatable {
        public let identity: Identity
        /// `scheduled`, `queued`, `ringing`, `in-progress`, `forwarding`, `ended`, `not-found`,
        /// `deletion-failed`, or what Vapi has added since.
        public let status: String
        /// Only with `ended`; see ``EndedReason``.
        public let endedReason: String?
        /// When Vapi sent it.
        public let timestamp: Instant?

        /// Creates an update from what was learned by other ways.
        public init(
            identity: Identity,
            status: String,
            endedReason: String? = nil,
            timestamp: Instant? = nil
        ) {
            self.identity = identity
            self.status = status
            self.endedReason = endedReason
            self.timestamp = timestamp
        }

        /// The status is the message's own: that of its `call` is as old as the call.
        fileprivate init?(message: JSON, identity: Identity) {
            guard let status = message["status"]?.nonEmptyString else { return nil }
            self.init(
                identity: identity,
                status: status,
                endedReason: message["endedReason"]?.nonEmptyString,
                timestamp: message["timestamp"]?.instant
            )
        }
    }

    /// What a call that was looked up is doing.
    public enum CallState: Sendable {
        case live(StatusUpdate)
        case ended(CallReport)

        /// Reads a call as `GET /call/{id}` returns it; nil if it is no call.
        ///
        /// A status that is not known is not an end, but a call that has an end or a reason for it
        /// is over whatever its status says.
        public init?(callObject call: JSON) {
            let identity = Identity(callObject: call)
            guard identity.callID != nil else { return nil }
            let status = call["status"]?.nonEmptyString ?? ""
            let isOver = ["ended", "not-found", "deletion-failed"].contains(status)
            let report = CallReport(callObject: call)
            if isOver || report.endedReason != nil || call["endedAt"]?.instant != nil {
                self = .ended(report)
            } else {
                self = .live(StatusUpdate(identity: identity, status: status))
            }
        }
    }
}

// MARK: - Report

extension VapiMessage {
    /// An `end-of-call-report`, or the same facts of a call that was looked up.
    public struct CallReport: Sendable {
        public let identity: Identity
        /// Why it ended; see ``EndedReason``.
        public let endedReason: String?
        /// When Vapi sent the report.
        public let timestamp: Instant?
        public let startedAt: Instant?
        public let endedAt: Instant?
        /// How long it lasted; from start and end where Vapi does not say it.
        public let duration: Duration?
        /// What it cost, in US dollars.
        public let cost: Double?
        /// The cost by part (`transport`, `stt`, `llm`, `tts`, `vapi`, `total` …): an object.
        public let costBreakdown: JSON?
        /// Where the recording can be heard: the mixed one rather than the stereo one, a lasting
        /// address rather than one that expires.
        public let recordingURL: String?
        public let summary: String?
        /// What the conversation says of the lead; nil if it was not analysed.
        public let qualification: Qualification?
        /// What was said, message by message, with what Vapi puts between (tools, prompts).
        public let messages: [JSON]
        /// What was said as Vapi's own text (`AI: …\nUser: …`).
        public let transcript: String?

        /// Reads a call as `GET /call/{id}` returns it.
        public init(callObject call: JSON) {
            self.init(facts: call, call: nil, identity: Identity(callObject: call))
        }

        /// The report of a call that Vapi no longer knows.
        public static func lost(callID: String?) -> CallReport {
            CallReport(
                facts: ["endedReason": "call-deleted"],
                call: nil,
                identity: Identity(callID: callID)
            )
        }

        /// Reads the message, or the call that was looked up, and then what it lacks from the
        /// message's call.
        fileprivate init(facts: JSON, call: JSON?, identity: Identity) {
            let artifact = facts["artifact"]
            let analysis = facts["analysis"]
            self.identity = identity
            endedReason = facts["endedReason"]?.nonEmptyString
            timestamp = facts["timestamp"]?.instant
            startedAt = facts["startedAt"]?.instant ?? call?["startedAt"]?.instant
            let end = facts["endedAt"]?.instant ?? call?["endedAt"]?.instant
            duration = facts.statedDuration ?? CallReport.span(startedAt, end)
            if let end {
                endedAt = end
            } else if let startedAt, let duration {
                endedAt = startedAt + duration
            } else {
                endedAt = nil
            }
            let breakdown = [facts["costBreakdown"], call?["costBreakdown"]]
                .lazy.compactMap { $0 }.first { $0.object != nil }
            costBreakdown = breakdown
            cost = facts["cost"]?.amount ?? breakdown?["total"]?.amount ?? call?["cost"]?.amount
            recordingURL = CallReport.recording(in: [artifact, facts])
            summary = analysis?["summary"]?.nonEmptyString ?? facts["summary"]?.nonEmptyString
            qualification = Qualification(
                structuredOutputs: artifact?["structuredOutputs"],
                analysis: analysis
            )
            messages = artifact?["messages"]?.array ?? facts["messages"]?.array ?? []
            transcript =
                artifact?["transcript"]?.nonEmptyString ?? facts["transcript"]?.nonEmptyString
        }

        private static func span(_ start: Instant?, _ end: Instant?) -> Duration? {
            guard let start, let end, start <= end, end <= start + .days(1)
            else { return nil }
            return end - start
        }

        private static func recording(in places: [JSON?]) -> String? {
            let paths = [
                ["recordingUrl"], ["recording", "mono", "combinedUrl"], ["stereoRecordingUrl"],
                ["recording", "stereoUrl"], ["presignedMonoUrl"], ["presignedStereoUrl"],
            ]
            for path in paths {
                for place in places {
                    let value = path.reduce(place) { $0?[$1] }
                    if let address = value?.webAddress { return address }
                }
            }
            return nil
        }

        /// Whether the person called said anything.
        public var hasSpoken: Bool {
            guard messages.isEmpty else {
                return messages.contains { message in
                    Transcript.Role(of: message) == .lead && Transcript.words(of: message) != nil
                }
            }
            return transcript.map { Transcript.lines(of: $0).contains { $0.role == .lead } }
                ?? false
        }
    }
}

// MARK: - Tools

extension VapiMessage {
    /// A `tool-calls` message.
    public struct ToolCalls: Sendable {
        public let identity: Identity
        /// When Vapi sent it.
        public let timestamp: Instant?
        /// The tools to run, each id once; one without an id cannot be answered and is left out.
        public let calls: [ToolCall]

        fileprivate init(message: JSON, identity: Identity) {
            self.identity = identity
            timestamp = message["timestamp"]?.instant
            let wrapped = message["toolWithToolCallList"]?.array?.compactMap { $0["toolCall"] }
            let lists = [message["toolCallList"]?.array, message["toolCalls"]?.array, wrapped]
            let found = lists.lazy.compactMap { $0 }.first { !$0.isEmpty } ?? []
            var seen: Set<String> = []
            calls = found.compactMap(ToolCall.init).filter { seen.insert($0.id).inserted }
        }
    }

    /// One tool to run.
    public struct ToolCall: Sendable {
        /// What the answer must repeat.
        public let id: String
        public let name: String
        /// Its arguments, none if they are malformed.
        public let arguments: JSON.Object

        /// Reads `{id, function: {name, arguments}}` or the flat `{id, name, arguments}`, in which
        /// the arguments, also called parameters, are an object or the text of one.
        fileprivate init?(_ call: JSON) {
            guard let id = call["id"]?.nonEmptyString else { return nil }
            let function = call["function"] ?? call
            self.id = id
            name = function["name"]?.string ?? ""
            let values = [
                function["arguments"], function["parameters"], call["arguments"],
                call["parameters"],
            ]
            arguments = values.lazy.compactMap { $0?.argumentObject }.first ?? JSON.Object()
        }
    }
}

// MARK: - Values as Vapi writes them

extension JSON {
    /// A string with something in it, without the space around it.
    var nonEmptyString: String? {
        guard let string else { return nil }
        let trimmed = string.trimmingSpace()
        return trimmed.isEmpty ? nil : trimmed
    }

    /// A moment, written as a number of milliseconds or as ISO 8601, of this century.
    fileprivate var instant: Instant? {
        let instant: Instant? =
            if let text = string {
                Instant(iso8601: text)
            } else if let number = double, abs(number) < 1e15 {
                Instant(milliseconds: Int64(number))
            } else {
                nil
            }
        let century = 946_684_800_000..<4_102_444_800_000  // 2000 to 2099
        return instant.flatMap { century.contains(Int($0.milliseconds)) ? $0 : nil }
    }

    /// The duration a report states, at most a day.
    fileprivate var statedDuration: Duration? {
        let units = [("durationSeconds", 1000.0), ("durationMs", 1), ("durationMinutes", 60_000)]
        for (key, factor) in units {
            guard let number = self[key]?.double, (0...86_400_000).contains(number * factor)
            else { continue }
            return .milliseconds(Int64((number * factor).rounded()))
        }
        return nil
    }

    /// An amount of money that can be true.
    fileprivate var amount: Double? {
        double.flatMap { (0...1_000_000).contains($0) ? $0 : nil }
    }

    /// An address that a browser may be sent to.
    fileprivate var webAddress: String? {
        nonEmptyString.flatMap { $0.hasPrefix("https://") || $0.hasPrefix("http://") ? $0 : nil }
    }

    fileprivate var argumentObject: Object? {
        if let object { return object }
        return string.flatMap { (try? JSON(parsing: $0))?.object }
    }
}
