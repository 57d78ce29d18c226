/// Why a call ended, in Vapi's words, and what that means for the lead.
///
/// The meaning comes from a table of the 604 reasons that Vapi documents; newer and older ones are
/// judged by their form, cautiously: what is not understood is not dialed again.
public struct EndedReason: Sendable, Hashable {
    /// What became of the call.
    public enum Outcome: String, Sendable, CaseIterable {
        case completed, missed, failed
    }

    /// Whether to dial again.
    public enum Retry: String, Sendable, CaseIterable {
        case never = "no"
        case later = "yes"
        case nextDay = "next-day"
        /// Later if the conversation had not begun. If it had, a person should take over, so that
        /// nobody is called twice for one conversation.
        case unlessSpoken = "yes*"
    }

    /// Whose doing it was.
    public enum Group: String, Sendable, CaseIterable {
        case endedNormally = "ended-normally"
        /// A normal end, unless nothing was said: then nobody was there.
        case endedNormallyIfSpoken = "ended-normally*"
        case transferred
        case transferIncomplete = "transfer-incomplete"
        case noAnswer = "no-answer"
        case voicemail
        case badNumber = "bad-number"
        case cancelled
        case capacity
        case carrier
        case infra
        case config
        case pipelineConfig = "pipeline-config"
        case pipelineTransient = "pipeline-transient"
        case inboundOnly = "inbound-only"
        case webOnly = "web-only"
        case unknown
    }

    /// The reason as Vapi wrote it.
    public let raw: String
    public let group: Group
    /// The outcome by the reason alone; see ``outcome(spoken:duration:)``.
    public let outcome: Outcome
    /// The retry by the reason alone; see ``retry(spoken:duration:)``.
    public let retry: Retry

    /// Creates the reason with this name, whatever it is.
    public init(_ raw: String) {
        self.raw = raw
        (outcome, retry, group) = EndedReason.known[raw] ?? EndedReason.guess(raw)
    }

    public static func == (left: EndedReason, right: EndedReason) -> Bool {
        left.raw == right.raw
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(raw)
    }

    /// A shorter conversation is none: whoever picked up hung up again.
    public static let shortestConversation: Duration = .seconds(8)

    /// What became of the call, judged by what happened in it as well.
    ///
    /// - Parameters:
    ///   - spoken: whether the person called said anything.
    ///   - duration: how long the call lasted, if that is known.
    /// - Returns: `missed` for a normal end of a call in which nothing was said.
    public func outcome(spoken: Bool, duration: Duration?) -> Outcome {
        isSilentEnd(spoken, duration) ? .missed : outcome
    }

    /// Whether to dial again, judged by what happened in the call as well.
    ///
    /// - Parameters:
    ///   - spoken: whether the person called said anything.
    ///   - duration: how long the call lasted, if that is known.
    /// - Returns: never ``Retry/unlessSpoken``, which this decides.
    public func retry(spoken: Bool, duration: Duration?) -> Retry {
        if isSilentEnd(spoken, duration) { return .later }
        guard retry == .unlessSpoken else { return retry }
        return spoken ? .never : .later
    }

    private func isSilentEnd(_ spoken: Bool, _ duration: Duration?) -> Bool {
        guard group == .endedNormallyIfSpoken else { return false }
        guard spoken, let duration else { return !spoken }
        return duration < EndedReason.shortestConversation
    }

    /// Whether the fault is ours (account, settings, lines): the attempt is put back and not
    /// counted against the lead.
    public var isOurFault: Bool {
        switch group {
        case .config, .pipelineConfig, .capacity: true
        default: false
        }
    }

    /// Whether all calling should pause until a person has looked: every fault of ours but a lack
    /// of free lines, which passes by itself.
    public var pausesCalling: Bool {
        isOurFault && raw != EndedReason.noFreeLine
    }

    private static let noFreeLine = "call.start.error-subscription-concurrency-limit-reached"
}

// MARK: - What a name means

extension EndedReason {
    private typealias Meaning = (outcome: Outcome, retry: Retry, group: Group)

    private static let known: [String: Meaning] = {
        var meanings: [String: Meaning] = [:]
        for row in rows {
            for name in row.names.split(separator: "\n") {
                meanings[String(name)] = (row.outcome, row.retry, row.group)
            }
        }
        return meanings
    }()

    /// The meaning of a name that is not in the table, from its form.
    private static func guess(_ name: String) -> Meaning {
        func begins(_ starts: String...) -> Bool { starts.contains { name.hasPrefix($0) } }
        func holds(_ parts: String...) -> Bool { parts.contains { name.contains($0) } }
        if begins("call.start.", "call-start-", "assistant-request-") {
            return (.failed, .never, .config)
        }
        if holds("-500-", "-502-", "-503-", "-504-", "-522-", "overloaded", "rate-limit")
            || holds("timed-out", "econnreset", "socket-hang-up", "system-busy")
        {
            return (.failed, .unlessSpoken, .pipelineTransient)
        }
        if holds("-400-", "-401-", "-403-", "-404-", "quota", "credits", "api-key")
            || holds("unauthorized", "access-denied", "not-found", "invalid")
        {
            return (.failed, .never, .pipelineConfig)
        }
        if begins("pipeline-", "call.in-progress.error-") {
            return (.failed, .unlessSpoken, .pipelineTransient)
        }
        switch name {
        case "hangup", "assistant-hung-up", "customer-hung-up":
            return (.completed, .never, .endedNormallyIfSpoken)
        case "db-error", "unknown-error", "assistant-error":
            return (.failed, .unlessSpoken, .infra)
        default:
            return (.failed, .never, .unknown)
        }
    }
}

// MARK: - For a person

extension EndedReason {
    /// The reason as a sentence for somebody who has never heard of Vapi's names.
    public var sentence: String {
        switch raw {
        case "customer-busy": "The line was busy."
        case "customer-ended-call": "The lead hung up."
        case "silence-timed-out": "Nothing was said for a while, so the call ended."
        case "exceeded-max-duration": "The call reached the longest time allowed."
        case "call-deleted": "Vapi has deleted the call, so nobody knows how it went."
        case "manually-canceled": "The call was cancelled by hand."
        case "assistant-ended-call", "assistant-said-end-call-phrase":
            "The assistant ended the call."
        case "call.in-progress.error-assistant-did-not-receive-customer-audio":
            "Somebody picked up, but nothing could be heard."
        case "call.in-progress.error-providerfault-outbound-sip-480-temporarily-unavailable":
            "The phone was switched off or out of reach."
        case "call.start.error-vapi-number-international":
            "Our phone number cannot call this country."
        case "call.start.error-vapi-number-outbound-daily-limit":
            "Our phone number has made all the calls it may make in a day."
        case EndedReason.noFreeLine: "All our lines at Vapi were busy."
        case "call.start.error-subscription-insufficient-credits":
            "Our Vapi account has no credits left."
        case "call.start.error-subscription-wallet-does-not-exist":
            "Our Vapi account has no way to pay."
        case "call.start.error-subscription-frozen": "Our Vapi account is frozen."
        case "call.start.error-fraud-check-failed": "Vapi refused the call as possible fraud."
        case "call.start.error-get-assistant", "assistant-not-found":
            "Vapi does not find our assistant. Check VAPI_ASSISTANT_ID."
        case "call.start.error-get-phone-number":
            "Vapi does not find our phone number. Check VAPI_PHONE_NUMBER_ID."
        case "call.in-progress.error-providerfault-outbound-sip-403-forbidden":
            "The phone company refused the call. Check our number and its credits."
        case "call.in-progress.error-providerfault-outbound-sip-407-proxy-authentication-required":
            "The phone company did not accept our credentials."
        default: group.sentence
        }
    }
}

extension EndedReason.Group {
    fileprivate var sentence: String {
        switch self {
        case .endedNormally, .endedNormallyIfSpoken: "The call ended normally."
        case .transferred: "The call was passed on to a colleague."
        case .transferIncomplete: "The call could not be passed on to a colleague."
        case .noAnswer: "Nobody answered."
        case .voicemail: "Voicemail answered."
        case .badNumber: "This number does not exist."
        case .cancelled: "The call was cancelled."
        case .capacity: "Our Vapi account allowed no further call."
        case .carrier: "The phone company could not connect the call."
        case .infra: "Vapi had a disturbance."
        case .config: "Vapi refused the call because of our settings there."
        case .pipelineConfig:
            "A service that the assistant needs refused to work: a key, its credits or a setting."
        case .pipelineTransient: "A service that the assistant needs failed for a moment."
        case .inboundOnly: "This is about an incoming call."
        case .webOnly: "The microphone was not allowed."
        case .unknown: "The call failed for a reason that is not known yet."
        }
    }
}
