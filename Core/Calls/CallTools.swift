/// What the assistant can do during a call: each answer is a sentence that it can say.
struct CallTools: Sendable {
    private let journey: Journey

    init(journey: Journey) { self.journey = journey }

    /// Runs a tool and returns Vapi's result object: `toolCallId` with `result` or `error`, both on
    /// one line.
    ///
    /// The lead is the call's, whatever the arguments say.
    func run(
        _ tool: VapiMessage.ToolCall,
        of identity: VapiMessage.Identity,
        now: Instant,
        in connection: Connection
    ) throws -> JSON {
        func reply(_ key: String, _ sentence: String) -> JSON {
            [
                "name": .string(tool.name), "toolCallId": .string(tool.id), key: .string(sentence),
            ]
        }
        guard
            let call = try CallStore.find(
                vapiCallID: identity.callID,
                attemptID: identity.attemptID,
                in: connection
            ), let lead = try Contact.find(id: call.leadID, in: connection)
        else { return reply("error", "I cannot find this call in our records.") }
        switch tool.name {
        case "opt_out":
            try Suppressions.optOut(
                lead,
                channel: .call,
                words: tool.arguments["words"]?.string ?? tool.arguments["reason"]?.string,
                now: now,
                in: connection
            )
            return reply("result", "Understood. We will not contact you again.")
        case "book_callback":
            return try book(tool, lead, call, now: now, in: connection, reply: reply)
        default:
            return reply("error", "I cannot do that during this call.")
        }
    }

    private func book(
        _ tool: VapiMessage.ToolCall,
        _ lead: Contact,
        _ call: CallStore.Stored,
        now: Instant,
        in connection: Connection,
        reply: (_ key: String, _ sentence: String) -> JSON
    ) throws -> JSON {
        func askAgain(_ reason: String, _ sentence: String) throws -> JSON {
            try journey.callbackUnclear(
                lead,
                reason,
                callID: call.id,
                now: now,
                in: connection
            )
            return reply("error", sentence)
        }
        if let reason = try journey.gate.refusal(of: lead, .call, .callback, connection) {
            return reply(
                "error",
                reason == .optedOut
                    ? "You asked us not to call, so I cannot book a call."
                    : "I cannot book a call. A colleague will look into it."
            )
        }
        let wish = tool.arguments["when_iso"]?.string ?? tool.arguments["callback_time"]?.string
        let zone = lead.certainZone
        guard let wish, let time = CallbackTime.resolve(wish, now: now, in: zone) else {
            return try askAgain(
                "A callback was asked for during the call, but not for a clear time "
                    + "(\((wish ?? "-").singleLine.prefix(80))).",
                "I need the day and the time. When exactly should we call you back?"
            )
        }
        guard case .open = journey.gate.openness(for: lead, .callback, at: time) else {
            return try askAgain(
                "A callback was asked for at \(time.spoken(in: journey.zone)), outside the hours in "
                    + "which this person may be called.",
                "That time is outside the hours in which we may call. Which other time suits you?"
            )
        }
        let answer = try journey.callbackWished(
            lead,
            time.iso8601,
            saidAt: now,
            callID: call.id,
            now: now,
            in: connection
        )
        guard case .promised = answer else {
            return reply("error", "That is too far ahead. Which earlier time suits you?")
        }
        return reply(
            "result",
            "Your callback is booked for \(time.spoken(in: zone ?? journey.zone))."
        )
    }
}
