import Foundation

/// One call: what was asked for, what was planned, and how far it has come.
struct PhoneCall: Sendable {
    enum Status: String, Sendable {
        case scheduled, queued, ringing
        case inProgress = "in-progress"
        case ended
    }

    /// The use of a function tool, as it happened.
    struct ToolExchange: Sendable {
        var id: String
        var name: String
        var arguments: JSON
        var result: String
        var hasFailed: Bool
        /// How many lines had been spoken.
        var after: Int
    }

    let id: String
    /// Counts the accepted calls; the later of two calls in one millisecond has the higher.
    let sequence: Int
    let request: CallRequest
    /// Part of the control URL, which is the only proof that a controller may control.
    let controlToken: String
    let createdAt: Milliseconds
    var conversation: Conversation
    var status: Status
    /// Over the limit: the call exists, but never takes a line.
    var isBlocked = false
    var name: String?
    var updatedAt: Milliseconds
    var startedAt: Milliseconds?
    var endedAt: Milliseconds?
    var endedReason: String?
    /// Seconds of the conversation that took place; `nil`: all of it.
    var spoken: Double?
    var tool: ToolExchange?
    /// What the operator made the assistant say, after everything else.
    var said: [String] = []
    /// Deleted calls go on, and are told about, but cannot be asked for any more.
    var isDeleted = false
    /// Whether the analysis is there, which takes Vapi some seconds.
    var isAnalysed = false

    /// The organisation every call belongs to.
    static let organisation = "be2fa99a-b5f1-4b5a-8cfd-55c085a5ad41"
    private static let qualificationID = "7c4b6f2e-9d4f-4a2e-8a1e-2f3b4c5d6e7f"

    init(
        sequence: Int,
        request: CallRequest,
        at time: Milliseconds,
        ending: Ending?
    ) {
        id = UUID().uuidString.lowercased()
        controlToken = UUID().uuidString.lowercased()
        self.sequence = sequence
        self.request = request
        createdAt = time
        updatedAt = time
        name = request.body["name"]?.string
        conversation = Conversation(
            for: request,
            callback: PhoneCall.callback(after: time, number: request.number),
            forced: ending
        )
        status = .queued
    }

    /// This afternoon while it is morning, else tomorrow at eleven, on the customer's clock.
    private static func callback(after time: Milliseconds, number: String) -> (String, String) {
        let prefixes = [("+91", 330), ("+971", 240), ("+65", 480), ("+61", 600), ("+1", -300)]
        let offset = prefixes.first { number.hasPrefix($0.0) }?.1 ?? 0
        let today = ISO8601.startOfDay(time, offsetMinutes: offset)
        let isMorning = ISO8601.hour(time, offsetMinutes: offset) < 13
        let callback = today + (isMorning ? 15 : 24 + 11) * 3_600_000
        return (
            ISO8601.local(callback, offsetMinutes: offset),
            isMorning ? "today at 3 PM" : "tomorrow at 11 AM"
        )
    }

    // MARK: What was said

    /// Seconds that the conversation lasted, or lasts so far.
    var duration: Double {
        guard startedAt != nil else { return 0 }
        let length = spoken ?? conversation.duration
        return ((length + Double(said.count) * 3) * 1000).rounded() / 1000
    }

    private var lines: [Conversation.Line] {
        guard startedAt != nil else { return [] }
        var lines = conversation.lines.filter { $0.start < spoken ?? .infinity }
        if let tool, tool.hasFailed, lines.count > tool.after {
            lines[tool.after].text = "I'm sorry, that did not work. \(tool.result)"
        }
        for text in said {
            let start = (lines.last?.end ?? 0) + 0.5
            lines.append(
                Conversation.Line(speaker: .assistant, text: text, start: start, end: start + 2.5)
            )
        }
        return lines
    }

    /// Whether the customer said enough for the conversation to have a result.
    private var isConclusive: Bool { (spoken ?? .infinity) >= conversation.duration / 2 }

    private var hasCustomerSpoken: Bool { lines.contains { $0.speaker == .customer } }

    /// `artifact.messages`: system prompt first, then who said what when, in simulated milliseconds.
    private var messages: [JSON] {
        guard let startedAt else { return [] }
        func time(_ seconds: Double) -> JSON {
            .integer(startedAt + Milliseconds((seconds * 1000).rounded()))
        }
        var messages: [JSON] = [
            [
                "role": "system", "message": .string(conversation.systemPrompt), "time": time(0),
                "secondsFromStart": 0,
            ]
        ]
        for (index, line) in lines.enumerated() {
            if let tool, tool.after == index {
                messages += toolMessages(tool, at: line.start - 0.3, time)
            }
            var message: [String: JSON] = [
                "role": line.speaker == .assistant ? "bot" : "user", "message": .string(line.text),
                "time": time(line.start), "endTime": time(line.end),
                "secondsFromStart": .number(line.start),
                "duration": .number(((line.end - line.start) * 1000).rounded()),
            ]
            if line.speaker == .assistant { message["source"] = "" }
            messages.append(.object(message))
        }
        if let tool, tool.after >= lines.count {
            messages += toolMessages(tool, at: lines.last?.end ?? 0, time)
        }
        return messages
    }

    private func toolMessages(
        _ tool: ToolExchange,
        at seconds: Double,
        _ time: (Double) -> JSON
    ) -> [JSON] {
        let arguments = String(decoding: tool.arguments.data, as: UTF8.self)
        return [
            [
                "role": "tool_calls", "message": "", "time": time(seconds),
                "secondsFromStart": .number(seconds),
                "toolCalls": [
                    [
                        "id": .string(tool.id), "type": "function",
                        "function": ["name": .string(tool.name), "arguments": .string(arguments)],
                    ]
                ],
            ],
            [
                "role": "tool_call_result", "toolCallId": .string(tool.id),
                "name": .string(tool.name),
                "result": .string(tool.result), "time": time(seconds + 0.2),
                "secondsFromStart": .number(seconds + 0.2),
            ],
        ]
    }

    private var openAIMessages: [JSON] {
        guard startedAt != nil else { return [] }
        return [["role": "system", "content": .string(conversation.systemPrompt)]]
            + lines.map { line in
                [
                    "role": line.speaker == .assistant ? "assistant" : "user",
                    "content": .string(line.text),
                ]
            }
    }

    private var transcript: String {
        lines.map { "\($0.speaker == .assistant ? "AI" : "User"): \($0.text)\n" }.joined()
    }

    // MARK: What it cost and what came of it

    private var costs: [String: Double] {
        let minutes = duration / 60
        func dollars(_ amount: Double) -> Double { (amount * 10_000).rounded() / 10_000 }
        var costs = [
            "transport": dollars(minutes * 0.0152), "stt": dollars(minutes * 0.0104),
            "llm": dollars(minutes * 0.0212), "tts": dollars(minutes * 0.0361),
            "vapi": dollars(minutes * 0.05),
        ]
        costs["total"] = dollars(costs.values.reduce(0, +))
        return costs
    }

    private func cost(_ part: String) -> JSON { .number(costs[part] ?? 0) }

    private var costBreakdown: JSON {
        let words = lines.map(\.text).joined(separator: " ")
        var breakdown = costs.mapValues(JSON.number)
        breakdown["chat"] = 0
        breakdown["llmPromptTokens"] = .integer(Int64(lines.count) * 640)
        breakdown["llmCompletionTokens"] = .integer(Int64(words.utf8.count / 8))
        breakdown["llmCachedPromptTokens"] = 0
        breakdown["ttsCharacters"] = .integer(Int64(words.count / 2))
        return .object(breakdown)
    }

    private var costItems: JSON {
        guard startedAt != nil else { return [] }
        let minutes = JSON.number((duration / 60 * 10_000).rounded() / 10_000)
        return [
            [
                "type": "transport", "provider": "twilio", "minutes": minutes,
                "cost": cost("transport"),
            ],
            ["type": "vapi", "subType": "normal", "minutes": minutes, "cost": cost("vapi")],
        ]
    }

    private var analysis: JSON {
        guard let summary = conversation.summary, hasCustomerSpoken else { return [:] }
        guard let qualification = conversation.qualification else {
            return ["summary": .string(summary)]
        }
        guard isConclusive else {
            return [
                "summary": "The call ended before anything could be found out.",
                "successEvaluation": "false",
            ]
        }
        return [
            "summary": .string(summary),
            "successEvaluation": qualification.status == "Qualified" ? "true" : "false",
        ]
    }

    /// The structured outputs, or why there are none.
    private var outputs: (made: JSON, skipped: JSON) {
        let wanted = request.overrides["artifactPlan"]?["structuredOutputIds"]?.array?.first?.string
        let id = wanted ?? PhoneCall.qualificationID
        let name: JSON = "Lead qualification"
        guard let qualification = conversation.qualification, hasCustomerSpoken else {
            guard startedAt != nil else { return ([:], [:]) }
            return ([:], [id: ["name": name, "reason": "Too few messages for an analysis."]])
        }
        let result = isConclusive ? qualification : Conversation.Qualification(status: "Potential")
        return ([id: ["name": name, "result": result.result]], [:])
    }

    /// Everything a call leaves behind.
    ///
    /// - Parameters:
    ///   - base: This server, `http://127.0.0.1:PORT`.
    ///   - storage: Signs a short-lived URL, which differs from delivery to delivery.
    /// - Returns: The `artifact` of reports and of `GET /call/:id`.
    func artifact(base: String, storage: (Recording.Channel) -> (url: String, expiry: Milliseconds))
        -> JSON
    {
        guard startedAt != nil else { return ["messages": [], "messagesOpenAIFormatted": []] }
        func url(_ channel: Recording.Channel) -> JSON {
            .string("\(base)/recordings/\(id)-\(channel.rawValue).wav")
        }
        let presigned = storage(.mono)
        var artifact: [String: JSON] = [
            "messages": .array(messages), "messagesOpenAIFormatted": .array(openAIMessages),
            "transcript": .string(transcript), "recordingUrl": url(.mono),
            "stereoRecordingUrl": url(.stereo),
            "recording": [
                "stereoUrl": url(.stereo),
                "mono": [
                    "combinedUrl": url(.mono), "assistantUrl": url(.assistant),
                    "customerUrl": url(.customer),
                ],
            ],
            "presignedMonoUrl": .string(presigned.url),
            "presignedStereoUrl": .string(storage(.stereo).url),
            "presignedUrlsExpiresAt": .string(ISO8601.utc(presigned.expiry)),
            "variableValues": request.overrides["variableValues"] ?? [:],
        ]
        if isAnalysed {
            artifact["structuredOutputs"] = outputs.made
            artifact["skippedStructuredOutputs"] = outputs.skipped
        }
        return .object(artifact)
    }

    // MARK: What Vapi tells about it

    /// The fields a call has from the start.
    ///
    /// The overrides come back without their `server`: it may carry secrets.
    func snapshot(status: Status, base: String) -> [String: JSON] {
        var call: [String: JSON] = [
            "id": .string(id), "orgId": .string(PhoneCall.organisation),
            "type": "outboundPhoneCall",
            "status": .string(status.rawValue), "createdAt": .string(ISO8601.utc(createdAt)),
            "updatedAt": .string(ISO8601.utc(updatedAt)), "phoneCallProvider": "twilio",
            "phoneCallTransport": "pstn", "cost": 0,
            "monitor": [
                "listenUrl": .string("\(base.replacing("http:", with: "ws:"))/listen/\(id)"),
                "controlUrl": .string("\(base)/control/\(id)/\(controlToken)"),
            ],
        ]
        for key in [
            "assistantId", "squadId", "phoneNumberId", "customerId", "customer", "schedulePlan",
        ] {
            call[key] = request.body[key]
        }
        if let overrides = request.body["assistantOverrides"] {
            call["assistantOverrides"] = PhoneCall.withoutServers(overrides)
        }
        if let customer = call["customer"] { call["customer"] = PhoneCall.withoutServers(customer) }
        call["name"] = name.map(JSON.string)
        return call
    }

    private static func withoutServers(_ value: JSON) -> JSON {
        switch value {
        case .object(let members):
            .object(members.filter { $0.key != "server" }.mapValues(withoutServers))
        case .array(let values): .array(values.map(withoutServers))
        default: value
        }
    }

    /// The body of `GET /call/:id`.
    func body(base: String, storage: (Recording.Channel) -> (url: String, expiry: Milliseconds))
        -> JSON
    {
        var call = snapshot(status: status, base: base)
        call["startedAt"] = startedAt.map { .string(ISO8601.utc($0)) }
        guard status == .ended else { return .object(call) }
        call["endedAt"] = endedAt.map { .string(ISO8601.utc($0)) }
        call["endedReason"] = JSON(endedReason)
        call["cost"] = cost("total")
        call["costs"] = costItems
        call["costBreakdown"] = costBreakdown
        call["artifact"] = artifact(base: base, storage: storage)
        call["messages"] = .array(messages)
        call["transcript"] = .string(transcript)
        if isAnalysed {
            call["analysis"] = analysis
            call["summary"] = analysis["summary"]
        }
        return .object(call)
    }

    /// What every server message has.
    ///
    /// `call` is an old snapshot, as in life: its status lags behind.
    private func message(_ type: String, at time: Milliseconds, base: String) -> [String: JSON] {
        var message: [String: JSON] = [
            "type": .string(type), "timestamp": .integer(time),
            "call": .object(snapshot(status: status == .ringing ? .queued : .ringing, base: base)),
            "assistant": ["name": "Eshwari"], "artifact": ["messages": .array(messages)],
        ]
        message["customer"] = request.body["customer"].map(PhoneCall.withoutServers)
        message["phoneNumber"] = request.body["phoneNumberId"].map { ["id": $0] }
        return message
    }

    /// The server message that tells of a new status.
    func statusUpdate(at time: Milliseconds, base: String) -> JSON {
        var message = message("status-update", at: time, base: base)
        message["status"] = .string(status.rawValue)
        if status == .ended { message["endedReason"] = JSON(endedReason) }
        return ["message": .object(message)]
    }

    /// The server message with everything the call was about.
    func report(
        at time: Milliseconds,
        base: String,
        storage: (Recording.Channel) -> (url: String, expiry: Milliseconds)
    ) -> JSON {
        var message = message("end-of-call-report", at: time, base: base)
        message["endedReason"] = JSON(endedReason)
        message["startedAt"] = startedAt.map { .string(ISO8601.utc($0)) }
        message["endedAt"] = endedAt.map { .string(ISO8601.utc($0)) }
        message["durationSeconds"] = .number(duration)
        message["durationMs"] = .integer(Int64((duration * 1000).rounded()))
        message["durationMinutes"] = .number((duration / 60 * 10_000).rounded() / 10_000)
        message["cost"] = cost("total")
        message["costs"] = costItems
        message["costBreakdown"] = costBreakdown
        message["analysis"] = analysis
        message["artifact"] = artifact(base: base, storage: storage)
        return ["message": .object(message)]
    }

    /// The server message that asks for a tool's work.
    func toolCalls(
        id toolCall: String,
        tool: JSON,
        arguments: JSON,
        at time: Milliseconds,
        base: String
    ) -> JSON {
        var message = message("tool-calls", at: time, base: base)
        let call: JSON = [
            "id": .string(toolCall), "type": "function",
            "function": ["name": tool["function"]?["name"] ?? .null, "arguments": arguments],
        ]
        message["toolCalls"] = [call]
        message["toolCallList"] = [call]
        var withCall = tool.object ?? [:]
        withCall["toolCall"] = call
        message["toolWithToolCallList"] = [.object(withCall)]
        return ["message": .object(message)]
    }
}
