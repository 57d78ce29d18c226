// call: calls leads now.
//
//   POST /api/leads/:uuid/call   200 with the call's id, 202 when it waits for a line,
//                                409 with the reason when the lead may not be called now
//   POST /api/leads/bulk-call    promises all of them, dials what the free lines allow
import Core

Program.run { environment in
    let clock = try Clock(environment: environment)
    let database = try Database(environment: environment)
    let account = try Vapi.Account(environment: environment)
    let calls = Calls(
        calls: OperatorCalls(
            dialer: Dialer(
                database: database,
                vapi: Vapi(account: account),
                journey: try Journey(environment: environment),
                locks: try AttemptLocks(path: database.companion("attempts")),
                clock: clock
            )
        ),
        zone: try environment.zone(),
        triggers: Triggers(environment: environment)
    )
    try FastCGI.serve(log: Log(program: Program.name, clock: clock), handler: calls.router.respond)
}
