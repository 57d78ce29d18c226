import Core

/// Receives WhatsApp's events: verify the signature, store, process, answer.
struct WhatsAppWebhook: Sendable {
    /// Meta sends at most 3 MB.
    static let limit = 3 << 20

    var webhooks: WhatsAppWebhooks
    /// `nil` when WhatsApp is not configured: then nobody may come in.
    var appSecret: Secret?
    var verifyToken: Secret?
    var triggers: Triggers
    var clock: Clock

    var router: Router {
        Router([
            .init("GET", "/webhook/whatsapp", for: .machine, handshake),
            .init("POST", "/webhook/whatsapp", for: .machine, receive),
        ])
    }

    private func handshake(_ request: Request) throws -> Response {
        guard let verifyToken else {
            throw Failure.unavailable("WhatsApp is not configured. Set WHATSAPP_VERIFY_TOKEN.")
        }
        guard try request.query.value("hub.mode") == "subscribe",
            let token = try request.query.value("hub.verify_token"), verifyToken.matches(token),
            let challenge = try request.query.value("hub.challenge"), challenge.utf8.count <= 256
        else { throw Failure(403, "forbidden", "The verification token is missing or wrong.") }
        return .text(challenge)
    }

    private func receive(_ request: Request) throws -> Response {
        guard let appSecret else {
            throw Failure.unavailable("WhatsApp is not configured. Set WHATSAPP_APP_SECRET.")
        }
        let body = try request.bytes(limit: WhatsAppWebhook.limit)
        let signature = request.header("x-hub-signature-256")
        guard WhatsAppWebhooks.accepts(signature, body: body, appSecret: appSecret) else {
            throw Failure(401, "unauthorized", "The webhook's signature is missing or wrong.")
        }
        guard let json = try? JSON(parsing: body) else {
            throw Failure.malformed("The event is not valid JSON.")
        }
        if let update = WhatsAppUpdate(json) {
            let receipt = try webhooks.receive(update, now: clock.now())
            // The orchestrator ends a call under way with somebody who has just opted out.
            if receipt.optOuts > 0 { triggers.fire(.callOrchestrator) }
        } else {
            try webhooks.keep(body, now: clock.now())
        }
        return .json(["success": true])
    }
}
