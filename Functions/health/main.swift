// health: whether everything works, for machines and for the people who look after them.
//
//   GET  /health                 200 ok or degraded, 503 down; open to everybody, so it tells no more
//   GET  /api/version            which release this is, and that phone numbers are read rightly
//   GET  /api/jobs               the timers' jobs: when each ran, how that ended, when it runs next
//   POST /api/jobs/:id/trigger   202; the job runs within seconds. 404 for an unknown one
//   GET  /metrics                figures for Prometheus
import Core

Program.run { environment in
    let clock = try Clock(environment: environment)
    let database = try Database(environment: environment)
    let health = Health(
        database: database,
        clock: clock,
        zone: try environment.zone(),
        lines: try ContactRules.lines(environment: environment),
        jobs: JobRuns(database: database, clock: clock),
        periods: try Job.Periods(environment: environment),
        triggers: Triggers(environment: environment),
        release: { Release.find(environment: environment) }
    )
    try FastCGI.serve(log: Log(program: Program.name, clock: clock), handler: health.router.respond)
}
