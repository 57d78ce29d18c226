import Foundation

/// Every call there is, from the request that started it to its report.
///
/// Calls move on in real time (see ``Pace``); what they tell about time is the simulated clock's.
actor Switchboard {
    /// How fast calls move.
    enum Pace: Sendable {
        /// Ringing 1 to 3 s, conversation 6 to 15 s, report 1 to 2 s later, divided by the speed.
        case speed(Double)
        /// No waiting: each message is sent as soon as the one before it was answered.
        case instant
    }

    private let base: String
    private let clock: SimulatedClock
    private let ledger: Ledger
    private let post: WebhookPost
    private let limit: Int
    private let pace: Pace
    /// Signs URLs of recordings; another after each start.
    private let storageKey = Array(UUID().uuidString.utf8)

    private var behaviour = Behaviour()
    private var calls: [String: PhoneCall] = [:]
    /// Until when the URL lives that was made last.
    private var lastExpiry: Milliseconds = 0
    private var newestLast: [String] = []
    private var live: Set<String> = []
    private var mostLive = 0
    private var tasks: [String: Task<Void, Never>] = [:]
    private var talkingSince: [String: (instant: ContinuousClock.Instant, planned: Double)] = [:]
    private var lastDelivery: [String: Task<Void, Never>] = [:]
    private var held: [String: [Delivery]] = [:]

    /// A server message on its way.
    private struct Delivery: Sendable {
        var event: String
        /// Made anew for each try of a duplicate, whose presigned URLs differ.
        var body: Data
        var server: WebhookServer
    }

    init(
        base: String,
        clock: SimulatedClock,
        ledger: Ledger,
        post: WebhookPost,
        limit: Int,
        pace: Pace
    ) {
        self.base = base
        self.clock = clock
        self.ledger = ledger
        self.post = post
        self.limit = limit
        self.pace = pace
    }

    // MARK: Starting calls

    /// What became of a `POST /call`.
    enum Reply: Sendable {
        case answer(status: Int, body: JSON, delay: Milliseconds)
        /// The connection stays open and silent.
        case silence
        /// The connection is closed without a word.
        case disconnect
    }

    /// Takes the body of `POST /call` as Vapi does.
    ///
    /// - Throws: ``Refusal``.
    func start(_ body: JSON) throws -> Reply {
        let (requests, isBatch) = try CallRequest.parse(body)
        let number = requests.first?.number ?? ""
        let (mode, ending) = behaviour.nextCall(to: number)
        do {
            try refuse(mode)
            if behaviour.refusesOverLimit, requests.first?.earliest == nil,
                live.count + requests.count > limit
            {
                throw Refusal.concurrency(limit: limit)
            }
        } catch let refusal as Refusal {
            note("call_refused", requests.first, status: refusal.status)
            throw refusal
        }
        if mode == .drop {
            note("call_refused", requests.first, status: nil)
            return .disconnect
        }
        let isAnswered = ![.hang, .acceptThenDrop].contains(mode)
        let status = mode == .acceptThen500 ? 500 : 201
        let accepted = requests.map { request in
            accept(
                request,
                ending: ending,
                isBlocked: mode == .blocked,
                status: isAnswered ? status : nil
            )
        }
        switch mode {
        case .hang: return .silence
        case .acceptThenDrop: return .disconnect
        case .acceptThen500:
            return .answer(
                status: 500,
                body: Refusal(500, "Internal server error").body,
                delay: 0
            )
        default: break
        }
        let delay = mode == .late ? behaviour.delay : 0
        let limits = subscriptionLimits(isBlocked: accepted.contains(where: \.isBlocked))
        let created = accepted.map { call in
            JSON.object(call.snapshot(status: call.status, base: base))
        }
        if isBatch {
            return .answer(
                status: 201,
                body: ["subscriptionLimits": limits, "results": .array(created), "errors": []],
                delay: delay
            )
        }
        var answer = created.first?.object ?? [:]
        answer["subscriptionLimits"] = limits
        return .answer(status: 201, body: .object(answer), delay: delay)
    }

    private func refuse(_ mode: Behaviour.Calls) throws(Refusal) {
        switch mode {
        case .refuseNumber: throw .number(at: "customer")
        case .refuseKey: throw .key
        case .refuseCredits: throw .credits
        case .overConcurrency: throw .concurrency(limit: limit)
        case .rateLimit: throw .rate(retryAfter: max(1, Int(behaviour.delay / 1000)))
        case .error500: throw Refusal(500, "Internal server error")
        default: break
        }
    }

    private func subscriptionLimits(isBlocked: Bool) -> JSON {
        [
            "concurrencyBlocked": .bool(isBlocked), "concurrencyLimit": .integer(Int64(limit)),
            "remainingConcurrentCalls": .integer(Int64(max(0, limit - live.count))),
        ]
    }

    private func accept(
        _ request: CallRequest,
        ending: Ending?,
        isBlocked: Bool,
        status: Int?
    ) -> PhoneCall {
        var call = PhoneCall(
            sequence: newestLast.count,
            request: request,
            at: clock.now(),
            ending: ending
        )
        let isScheduled = (request.earliest ?? 0) > call.createdAt
        call.isBlocked = isBlocked || (!isScheduled && live.count >= limit)
        call.status = isScheduled ? .scheduled : .queued
        calls[call.id] = call
        newestLast.append(call.id)
        note("call_accepted", call, status: status)
        if !isScheduled, !call.isBlocked { takeLine(call.id) }
        let id = call.id
        tasks[id] = Task { await self.run(id) }
        return call
    }

    private func takeLine(_ id: String) {
        live.insert(id)
        mostLive = max(mostLive, live.count)
        note("call_live", calls[id])
    }

    // MARK: The life of a call

    private func run(_ id: String) async {
        defer {
            tasks[id] = nil
            talkingSince[id] = nil
        }
        if calls[id]?.status == .scheduled { await waitForSchedule(id) }
        guard let call = calls[id], call.status != .ended else { return await farewell(id) }
        if call.isBlocked {
            await pause(0.5...1)
            end(id, because: "call.start.error-subscription-concurrency-limit-reached")
            return await farewell(id)
        }
        let ending = call.conversation.ending
        await pause(0.1...0.3)
        // A carrier that refuses does so before it rings.
        if ending.isConnected || ending.reason.hasPrefix("customer-") {
            await enter(.ringing, id)
        }
        await pause(1...3)
        if ending.isConnected {
            await enter(.inProgress, id)
            await talk(id)
        }
        end(id, because: ending.reason)
        await farewell(id)
    }

    private func waitForSchedule(_ id: String) async {
        while let call = calls[id], call.status == .scheduled {
            let now = clock.now()
            if now >= call.request.earliest ?? 0 {
                let isLate = now >= call.request.latest ?? 0
                if live.count < limit || isLate {
                    calls[id]?.isBlocked = live.count >= limit
                    calls[id]?.status = .queued
                    calls[id]?.updatedAt = now
                    if live.count < limit { takeLine(id) }
                    return
                }
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    private func enter(_ status: PhoneCall.Status, _ id: String) async {
        guard var call = calls[id], call.status != .ended else { return }
        call.status = status
        call.updatedAt = clock.now()
        if status == .inProgress { call.startedAt = call.updatedAt }
        calls[id] = call
        await tell("status-update", id, call.statusUpdate(at: call.updatedAt, base: base))
    }

    private func talk(_ id: String) async {
        guard let call = calls[id], call.status != .ended else { return }
        let planned = Double.random(in: 6...15)
        talkingSince[id] = (.now, planned)
        guard let use = call.conversation.tool, use.after < call.conversation.lines.count,
            let tool = call.request.tool(named: use.name)
        else { return await pause(planned...planned) }
        let share = call.conversation.lines[use.after].start / call.conversation.duration
        await pause(planned * share...planned * share)
        await self.use(tool, named: use.name, after: use.after, id)
        await pause(planned * (1 - share)...planned * (1 - share))
    }

    /// Sends tool-calls and remembers what came back.
    private func use(_ tool: JSON, named name: String, after: Int, _ id: String) async {
        guard let call = calls[id], call.status != .ended else { return }
        let toolCall = "call_" + UUID().uuidString.replacing("-", with: "").prefix(24)
        let arguments = PhoneCall.arguments(for: tool, in: call.conversation)
        let server = tool["server"].flatMap(WebhookServer.init) ?? call.request.server
        var exchange = PhoneCall.ToolExchange(
            id: toolCall,
            name: name,
            arguments: arguments,
            result: "No result returned.",
            hasFailed: true,
            after: after
        )
        calls[id]?.tool = exchange
        guard let server, tool["server"] != nil || call.request.wants("tool-calls") else { return }
        let mode = behaviour.nextWebhook("tool-calls", number: call.request.number)
        guard mode != .drop, mode != .none else { return }
        let delivery = Delivery(
            event: "tool-calls",
            body: call.toolCalls(
                id: toolCall,
                tool: tool,
                arguments: arguments,
                at: clock.now(),
                base: base
            ).data,
            server: server
        )
        var answer = await send(delivery, id, attempt: 1)
        if mode == .duplicate { answer = await send(delivery, id, attempt: 1) }
        if let answer, answer.status == 200, let body = try? JSON(parsing: answer.body),
            let result = body["results"]?.array?.first(where: {
                $0["toolCallId"]?.string == toolCall
            })
        {
            exchange.hasFailed = result["result"]?.string == nil
            exchange.result =
                result["result"]?.string ?? result["error"]?.string ?? exchange.result
        }
        calls[id]?.tool = exchange
    }

    /// Ends a call at this moment; nothing when it has ended before.
    private func end(_ id: String, because reason: String) {
        guard var call = calls[id], call.status != .ended else { return }
        let now = clock.now()
        call.status = .ended
        call.endedReason = reason
        call.updatedAt = now
        if let startedAt = call.startedAt {
            if let (instant, planned) = talkingSince[id], case .speed(let speed) = pace {
                let elapsed = instant.duration(to: .now) / .seconds(1) * speed
                // Timers are late rather than early: only a clear rest was cut off.
                if elapsed < planned - 0.05 {
                    call.spoken = call.conversation.duration * elapsed / planned
                }
            }
            call.endedAt = startedAt + Milliseconds((call.duration * 1000).rounded())
        } else {
            call.endedAt = now
        }
        calls[id] = call
        live.remove(id)
        note("call_ended", call, more: ["ended_reason": .string(reason)])
    }

    private func farewell(_ id: String) async {
        guard let call = calls[id] else { return }
        await tell("status-update", id, call.statusUpdate(at: clock.now(), base: base))
        // Not in this task, which is cancelled when a call is ended: the analysis takes its time.
        await Task { await pause(1...2) }.value
        calls[id]?.isAnalysed = true
        calls[id]?.updatedAt = clock.now()
        guard let call = calls[id] else { return }
        await tell("end-of-call-report", id, report(call))
        lastDelivery[id] = nil
    }

    private func report(_ call: PhoneCall) -> JSON {
        call.report(at: clock.now(), base: base) { storageURL(of: call.id, $0) }
    }

    /// Waits a random part of the range, in seconds at speed 1; ends early when the call is ended.
    private func pause(_ seconds: ClosedRange<Double>) async {
        guard case .speed(let speed) = pace else { return }
        try? await Task.sleep(for: .seconds(Double.random(in: seconds) / speed))
    }

    // MARK: Server messages

    private func tell(_ type: String, _ id: String, _ body: JSON) async {
        guard let call = calls[id], call.request.wants(type), let server = call.request.server
        else {
            return
        }
        let event = type == "status-update" ? "\(type):\(call.status.rawValue)" : type
        let delivery = Delivery(event: event, body: body.data, server: server)
        let mode = behaviour.nextWebhook(event, number: call.request.number)
        var deliveries = [delivery]
        switch mode {
        case .answer: break
        case .drop, .none: return
        case .duplicate:
            let again = type == "end-of-call-report" ? report(call).data : delivery.body
            deliveries.append(Delivery(event: event, body: again, server: server))
        case .reorder:
            if type != "end-of-call-report" {
                held[id, default: []].append(delivery)
                return
            }
        }
        if type == "end-of-call-report", let waiting = held.removeValue(forKey: id) {
            deliveries += waiting.reversed()
        }
        // In order, but a message that fails does not hold up the next.
        let before = lastDelivery[id]
        let sending = Task {
            await before?.value
            for delivery in deliveries { await deliver(delivery, id) }
        }
        lastDelivery[id] = sending
        if case .instant = pace { await sending.value }
    }

    private func deliver(_ delivery: Delivery, _ id: String) async {
        let answer = await send(delivery, id, attempt: 1)
        guard delivery.server.retries > 0, delivery.server.retries(after: answer?.status) else {
            return
        }
        Task {
            for retry in 1...delivery.server.retries {
                await pause(
                    delivery.server.delay(
                        beforeRetry: retry
                    )...delivery.server.delay(beforeRetry: retry)
                )
                let answer = await send(delivery, id, attempt: retry + 1)
                guard delivery.server.retries(after: answer?.status) else { return }
            }
        }
    }

    private func send(
        _ delivery: Delivery,
        _ id: String,
        attempt: Int
    ) async -> (status: Int, body: Data)? {
        // Not a child: a call that is ended meanwhile must not cut off its own messages.
        let answer = await Task { [post] in
            await post.send(delivery.body, to: delivery.server)
        }.value
        let isDelivered = answer.map { (200..<300).contains($0.status) } ?? false
        note(
            isDelivered ? "webhook_delivered" : "webhook_failed",
            calls[id],
            status: answer?.status,
            more: ["webhook": .string(delivery.event), "try": .integer(Int64(attempt))]
        )
        return answer
    }

    // MARK: Asking about calls

    /// The body of `GET /call/:id`.
    func body(of id: String) -> JSON? {
        known(id).map { call in call.body(base: base) { storageURL(of: id, $0) } }
    }

    private func known(_ id: String) -> PhoneCall? {
        calls[id].flatMap { $0.isDeleted ? nil : $0 }
    }

    /// Takes a turn of what `GET /call` does.
    func nextList() -> Behaviour.Lists { behaviour.nextList() }

    /// The calls that match, newest first.
    func list(limit: Int, where matches: (PhoneCall) -> Bool) -> JSON {
        let found = calls.values.filter { !$0.isDeleted && matches($0) }
            .sorted { ($0.createdAt, $0.sequence) > ($1.createdAt, $1.sequence) }
        return .array(
            found.prefix(limit).map { call in
                call.body(base: base) { storageURL(of: call.id, $0) }
            }
        )
    }

    /// Whether there is such a call.
    func has(_ id: String) -> Bool { known(id) != nil }

    /// Whether a recording of the call can be fetched.
    func hasRecording(_ id: String) -> Bool {
        known(id).map { $0.status == .ended && $0.startedAt != nil } ?? false
    }

    /// Gives a call another name, the only thing that can be changed.
    func rename(_ id: String, to name: String?) {
        calls[id]?.name = name
        calls[id]?.updatedAt = clock.now()
    }

    /// Deletes what is known of a call; a scheduled one does not take place, a live one goes on.
    func delete(_ id: String) -> JSON? {
        guard let call = known(id) else { return nil }
        if call.status == .scheduled { finish(id, because: "scheduled-call-deleted") }
        let body = body(of: id)
        calls[id]?.isDeleted = true
        note("control", call, more: ["control": "delete"])
        return body
    }

    /// A URL that shows a recording for an hour of simulated time; each is signed for a time of its own.
    func storageURL(of id: String, _ channel: Recording.Channel) -> (
        url: String, expiry: Milliseconds
    ) {
        let expiry = max(clock.now() + 3_600_000, lastExpiry + 1)
        lastExpiry = expiry
        let signature = sign(id, channel, expiry)
        return (
            "\(base)/storage/\(id)-\(channel.rawValue).wav?expires=\(expiry)&signature=\(signature)",
            expiry
        )
    }

    /// Whether a URL of ``storageURL(of:_:)`` still shows its recording.
    func permits(
        _ id: String,
        _ channel: Recording.Channel,
        expires: Milliseconds,
        signature: String
    )
        -> Bool
    {
        clock.now() <= expires && signature == sign(id, channel, expires)
    }

    private func sign(_ id: String, _ channel: Recording.Channel, _ expiry: Milliseconds) -> String
    {
        SHA256.hexHMAC(of: Array("\(id)-\(channel.rawValue)-\(expiry)".utf8), key: storageKey)
    }

    // MARK: Control

    /// Does what a message to a control URL asks.
    ///
    /// - Throws: ``Refusal``: 404 for another token or an ended call, 400 for an unknown message.
    func control(_ id: String, token: String, _ message: JSON, isAuthorized: Bool) throws {
        guard let call = calls[id], call.controlToken == token, call.status != .ended else {
            throw Refusal(404, "Call not found or already ended.")
        }
        let plan = call.request.overrides["monitorPlan"]
        guard isAuthorized || plan?["controlAuthenticationEnabled"]?.bool != true else {
            throw Refusal.key
        }
        let type = message["type"]?.string ?? ""
        switch type {
        case "end-call": finish(id, because: "manually-canceled")
        case "say":
            guard let text = message["content"]?.string, !text.isEmpty else {
                throw Refusal(400, ["content must be a string"])
            }
            guard call.status == .inProgress else {
                throw Refusal(400, "The call is not in progress.")
            }
            if message["endCallAfterSpoken"]?.bool == true {
                calls[id]?.said.append(text)
                finish(id, because: "assistant-ended-call-after-message-spoken")
            } else {
                calls[id]?.said.append(text)
            }
        case "add-message": break
        case "transfer": finish(id, because: "assistant-forwarded-call")
        default: throw Refusal(400, .string("Unknown control message \(type)."))
        }
        note("control", calls[id], status: 200, more: ["control": .string(type)])
    }

    private func finish(_ id: String, because reason: String) {
        end(id, because: reason)
        tasks[id]?.cancel()
    }

    // MARK: For tests

    /// Sets how the sandbox misbehaves from now on.
    func set(_ behaviour: Behaviour) { self.behaviour = behaviour }

    /// How the sandbox misbehaves.
    var currentBehaviour: JSON { behaviour.description }

    /// Ends one call, or all that are live, as the other side would.
    ///
    /// - Returns: The calls that were ended.
    /// - Throws: ``Refusal`` with status 404 for an unknown call.
    func finish(call id: String?, reason: String?) throws -> [String] {
        if let id, calls[id] == nil { throw Refusal(404, .string("There is no call \(id).")) }
        let ended = (id.map { [$0] } ?? newestLast).filter { calls[$0]?.status != .ended }
        for id in ended {
            let isConnected = calls[id]?.startedAt != nil
            finish(
                id,
                because: reason ?? (isConnected ? "customer-ended-call" : "customer-did-not-answer")
            )
        }
        return ended
    }

    /// What `GET /sandbox/state` shows.
    func state() -> JSON {
        [
            "now": .integer(clock.now()), "total_accepted": .integer(Int64(newestLast.count)),
            "live": .integer(Int64(live.count)), "max_live": .integer(Int64(mostLive)),
            "limit": .integer(Int64(limit)), "running": .integer(Int64(tasks.count)),
            "calls": .array(
                newestLast.compactMap { calls[$0] }.filter { $0.status != .ended }.map { call in
                    [
                        "call_id": .string(call.id), "attempt_id": JSON(call.request.attemptID),
                        "lead_uuid": JSON(call.request.leadUUID),
                        "number": .string(call.request.number),
                        "status": .string(call.status.rawValue),
                        "control_url": .string("\(base)/control/\(call.id)/\(call.controlToken)"),
                    ]
                }
            ),
        ]
    }

    private func note(
        _ event: String,
        _ call: PhoneCall?,
        status: Int? = nil,
        more: [String: JSON] = [:]
    ) {
        note(event, call?.request, id: call?.id, status: status, more: more)
    }

    private func note(
        _ event: String,
        _ request: CallRequest?,
        id: String? = nil,
        status: Int?,
        more: [String: JSON] = [:]
    ) {
        let line: [String: JSON] = [
            "at": .integer(clock.now()), "real_at": .integer(SimulatedClock.real()),
            "event": .string(event), "call_id": JSON(id), "attempt_id": JSON(request?.attemptID),
            "lead_uuid": JSON(request?.leadUUID), "number": JSON(request?.number),
            "live": .integer(Int64(live.count)),
            "status": status.map { .integer(Int64($0)) } ?? .null,
        ]
        ledger.append(.object(line.merging(more) { $1 }))
    }
}

extension PhoneCall {
    /// What the assistant passes to a tool, by the names of the parameters the tool declares.
    static func arguments(for tool: JSON, in conversation: Conversation) -> JSON {
        let callback = conversation.qualification?.callbackTime
        let declared = tool["function"]?["parameters"]?["properties"]?.object ?? [:]
        guard !declared.isEmpty else {
            return callback.map { ["when_iso": .string($0)] } ?? ["reason": "Does not want calls."]
        }
        return .object(
            declared.compactMapValues { property in
                switch property["type"]?.string {
                case "boolean": true
                case "string": "Asked for on the call."
                default: nil
                }
            }.merging(
                declared.keys.compactMap { name -> (String, JSON)? in
                    let isTime = ["when", "time", "iso", "date", "_at"].contains {
                        name.contains($0)
                    }
                    guard isTime, let callback else { return nil }
                    return (name, .string(callback))
                }
            ) { $1 }
        )
    }
}
