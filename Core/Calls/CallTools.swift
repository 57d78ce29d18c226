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
            let wish = tool.arguments["when_iso"]?.string ?? tool.arguments["callback_time"]?.string
            let zone = lead.zone ?? journey.zone
            guard let wish, let time = CallbackTime.resolve(wish, now: now, in: zone) else {
                return reply(
                    "error",
                    "I need the day and the time. When exactly should we call you back?"
                )
            }
            return try book(time, lead, call, now: now, in: connection, reply: reply)
        default:
            return reply("error", "I cannot do that during this call.")
        }
    }

    private func book(
        _ time: Instant,
        _ lead: Contact,
        _ call: CallStore.Stored,
        now: Instant,
        in connection: Connection,
        reply: (_ key: String, _ sentence: String) -> JSON
    ) throws -> JSON {
        guard lead.optedOutAt == nil else {
            return reply("error", "You asked us not to call, so I cannot book a call.")
        }
        guard case .open = journey.gate.openness(for: lead, .callback, at: time) else {
            return reply(
                "error",
                "That time is outside the hours in which we may call. Which other time suits you?"
            )
        }
        try journey.callbackWished(
            lead,
            time.iso8601,
            callID: call.id,
            now: now,
            in: connection
        )
        let zone = lead.zone ?? journey.zone
        return reply("result", "Your callback is booked for \(time.spoken(in: zone)).")
    }
}
