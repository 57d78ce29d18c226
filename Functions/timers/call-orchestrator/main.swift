// call-orchestrator: dials what is due, in order of promise, as far as lines are free. Every 30 s.
import Core

Program.run { environment in
    let clock = try Clock(environment: environment)
    let database = try Database(environment: environment)
    let account = try Vapi.Account(environment: environment)
    let dialer = Dialer(
        database: database,
        vapi: Vapi(account: account),
        journey: try Journey(environment: environment),
        locks: try AttemptLocks(path: database.companion("attempts")),
        clock: clock
    )
    let triggers = Triggers(environment: environment)
    try JobRuns(database: database, clock: clock).run(.callOrchestrator) {
        let counts = try Orchestrator(dialer: dialer).run()
        let needsReconciler = try database.read {
            try Reconciler.isNeeded(at: clock.now(), in: $0)
        }
        if needsReconciler { triggers.fire(.callReconciler) }
        return counts.named
    }
}
