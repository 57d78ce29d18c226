import Core

/// Receives Vapi's events: authenticate, store, process, answer.
struct VapiWebhook: Sendable {
    /// How large an event may be: a long call's transcript in three formats fits several times.
    static let limit = 3 << 20

    var webhooks: VapiWebhooks
    /// `nil` when no secret is configured: then nobody may come in.
    var signature: WebhookSignature?
    var triggers: Triggers
    var clock: Clock
    var log: Log

    var router: Router { Router([.init("POST", "/webhook/vapi", for: .machine, receive)]) }

    private func receive(_ request: Request) throws -> Response {
        guard let signature else {
            throw Failure.unavailable("This webhook is not configured. Set VAPI_WEBHOOK_SECRET.")
        }
        let now = clock.now()
        let body = try request.bytes(limit: VapiWebhook.limit)
        guard signature.accepts(request, body: body, now: now) else {
            throw Failure(401, "unauthorized", "The webhook's credentials are missing or wrong.")
        }
        let receipt = try webhooks.receive(try message(body), body: body, now: now)
        if receipt.freedLine { triggers.fire(.callOrchestrator) }
        if receipt.failed {
            log.write(.error, "webhook_not_processed", .lead(receipt.leadUUID ?? "-"))
        }
        return .json(receipt.answer)
    }

    private func message(_ body: [UInt8]) throws -> VapiMessage {
        let json: JSON
        do {
            json = try JSON(parsing: body)
        } catch {
            throw Failure.malformed("The event is not valid JSON: \(error).")
        }
        guard let message = VapiMessage(json) else {
            throw Failure.malformed("The event has no message with a type.")
        }
        return message
    }
}
