// webhook-whatsapp: what people write to us on WhatsApp, and what became of our messages to them.
//
//   GET  /webhook/whatsapp   Meta's handshake: the challenge for the right token, else 403
//   POST /webhook/whatsapp   200 also for what we have already; 401 without Meta's signature,
//                            503 when it cannot be stored, so that Meta sends it again
import Core

Program.run { environment in
    let clock = try Clock(environment: environment)
    let webhook = WhatsAppWebhook(
        webhooks: WhatsAppWebhooks(
            database: try Database(environment: environment),
            journey: try Journey(environment: environment)
        ),
        appSecret: environment.secret("WHATSAPP_APP_SECRET"),
        verifyToken: environment.secret("WHATSAPP_VERIFY_TOKEN"),
        triggers: Triggers(environment: environment),
        clock: clock
    )
    try FastCGI.serve(
        log: Log(program: Program.name, clock: clock),
        handler: webhook.router.respond
    )
}
