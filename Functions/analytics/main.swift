// analytics: the figures at the top of the dashboard.
//
//   GET /api/analytics/summary   counts, rates, partners, the pause, the time; 304 while unchanged
import Core

Program.run { environment in
    let clock = try Clock(environment: environment)
    let analytics = Analytics(
        database: try Database(environment: environment),
        clock: clock,
        zone: try environment.zone(),
        lines: try ContactRules.lines(environment: environment),
        isSimulated: environment["CLOCK_OFFSET_FILE"] != nil,
        canCall: environment["VAPI_API_KEY"] != nil && environment["VAPI_ASSISTANT_ID"] != nil
            && environment["VAPI_PHONE_NUMBER_ID"] != nil,
        channels: Journey.Channels(environment: environment)
    )
    try FastCGI.serve(
        log: Log(program: Program.name, clock: clock),
        handler: analytics.router.respond
    )
}
