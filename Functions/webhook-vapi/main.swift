// webhook-vapi: what Vapi reports of a call, while it runs and when it ends.
//
//   POST /webhook/vapi   200 also for an event that we have already; tool calls get their results;
//                        401 without Vapi's secret, 400 for what is no event, 503 when it cannot be
//                        stored, so that Vapi sends it again
import Core

Program.run { environment in
    let clock = try Clock(environment: environment)
    let log = Log(program: Program.name, clock: clock)
    let webhook = VapiWebhook(
        webhooks: VapiWebhooks(
            database: try Database(environment: environment),
            journey: try Journey(environment: environment)
        ),
        signature: environment.secret("VAPI_WEBHOOK_SECRET").map(WebhookSignature.init),
        triggers: Triggers(environment: environment),
        clock: clock,
        log: log
    )
    // Most of them wait for the disk together: the more do, the more events one wait stores.
    try FastCGI.serve(threads: 32, log: log, handler: webhook.router.respond)
}
