// call-reconciler: asks Vapi about calls that went quiet, and tries unprocessed events again.
// Every 10 min, and sooner when the orchestrator sees that something waits for it.
import Core

Program.run { environment in
    let clock = try Clock(environment: environment)
    let database = try Database(environment: environment)
    let account = try Vapi.Account(environment: environment)
    let reconciler = Reconciler(
        database: database,
        vapi: Vapi(account: account),
        journey: try Journey(environment: environment),
        locks: try AttemptLocks(path: database.companion("attempts")),
        clock: clock
    )
    let triggers = Triggers(environment: environment)
    try JobRuns(database: database, clock: clock).run(.callReconciler) {
        let counts = try reconciler.run()
        if counts.repaired + counts.notPlaced > 0 { triggers.fire(.callOrchestrator) }
        return counts.named
    }
}
