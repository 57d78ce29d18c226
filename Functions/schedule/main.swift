// schedule: what is planned, and the rules by which it is.
//
//   GET, POST /api/pause          whether all dialing is paused; pauses and resumes it
//   GET, POST /api/retry-config   when leads that were not reached are called again
//   GET  /api/journey             the journey of every lead as a graph
//   POST /api/schedule-bulk-calls            plans calls to many leads in batches
//   GET  /api/scheduled-bulk-calls           the plans, newest first, and how far each is
//   POST /api/cancel-bulk-schedule/:id       stops whatever of a plan is not dialed yet
//   POST /api/leads/:uuid/callback           promises one lead a call at a time
import Core

Program.run { environment in
    let clock = try Clock(environment: environment)
    let database = try Database(environment: environment)
    let journey = try Journey(environment: environment)
    let planning = Planning(
        database: database,
        clock: clock,
        zone: journey.zone,
        retryPolicy: journey.retryPolicy,
        triggers: Triggers(environment: environment)
    )
    let schedules = Schedules(
        schedules: BulkSchedules(database: database, clock: clock),
        callbacks: Callbacks(database: database, journey: journey, clock: clock),
        clock: clock,
        zone: journey.zone
    )
    let router = Router(planning.routes + schedules.routes)
    try FastCGI.serve(log: Log(program: Program.name, clock: clock), handler: router.respond)
}
