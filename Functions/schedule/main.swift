// schedule: what is planned, and the rules by which it is.
//
//   GET, POST /api/pause          what is paused, everything or a partner; pauses and resumes
//   GET, POST /api/retry-config   when leads that were not reached are called again
//   GET  /api/journey             the journey of every lead as a graph
//   POST /api/schedule-bulk-calls            plans calls to many leads in batches; ?dry_run=true shows
//                                            who will be called when, and who will not and why
//   GET  /api/scheduled-bulk-calls           the plans, newest first, and how far each is
//   POST /api/pause-bulk-schedule/:id        holds what of a plan is not dialed yet; resume-… goes on
//   POST /api/cancel-bulk-schedule/:id       stops whatever of a plan is not dialed yet
//   POST /api/leads/:uuid/callback           promises one lead a call at a time
import Core

Program.run { environment in
    let clock = try Clock(environment: environment)
    let database = try Database(environment: environment)
    let journey = try Journey(environment: environment)
    let triggers = Triggers(environment: environment)
    let planning = Planning(
        database: database,
        clock: clock,
        zone: journey.zone,
        retryPolicy: journey.retryPolicy,
        guardRails: journey.guardRails,
        triggers: triggers
    )
    let schedules = Schedules(
        schedules: BulkSchedules(database: database, clock: clock),
        callbacks: Callbacks(database: database, journey: journey, clock: clock),
        journey: journey,
        clock: clock,
        zone: journey.zone,
        triggers: triggers
    )
    let router = Router(planning.routes + schedules.routes)
    try FastCGI.serve(log: Log(program: Program.name, clock: clock), handler: router.respond)
}
