// presalesctl: what the operator does by hand. `presalesctl help` tells everything.
//
// It works on the database that DATABASE_URL names, with the same settings as the functions. What goes
// wrong is one sentence on standard error: exit code 78 for settings, 64 for the command line, else 1.
import ArgumentParser
import Core

/// All commands.
struct Presalesctl: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "presalesctl",
        abstract: "Looks after a Presales installation.",
        subcommands: [
            Migrate.self, Doctor.self, PauseCalls.self, ResumeCalls.self, OptOut.self,
            OptOuts.self, Backup.self, ShowJourney.self, MarkRehearsal.self, DemoLeads.self,
            MoveClock.self,
        ]
    )
}

Program.run { environment in
    do {
        var command = try Presalesctl.parseAsRoot()
        if var command = command as? any OperatorCommand {
            try command.run(with: environment)
        } else {
            try command.run()
        }
    } catch let error as any LogSafeError {
        throw error
    } catch {
        Presalesctl.exit(withError: error)
    }
}
