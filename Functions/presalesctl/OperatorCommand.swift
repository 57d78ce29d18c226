import ArgumentParser
import Core

/// A command that works with the installation's settings.
protocol OperatorCommand: ParsableCommand {
    mutating func run(with environment: Environment) throws
}

/// Why a command was not carried out: a sentence for the operator.
struct Refused: LogSafeError {
    let logDescription: String
    init(_ sentence: String) { logDescription = sentence }
}

extension Environment {
    /// The name under which changes by hand stand in the audit log.
    static let actor = "presalesctl"

    /// Opens the database for a command and says what to do when it cannot be used.
    func withDatabase<T>(_ body: (Database) throws -> T) throws -> T {
        do {
            return try body(try Database(environment: self))
        } catch let error as Database.Unavailable {
            throw Refused(
                "The database of DATABASE_URL cannot be used (\(error.logDescription)). "
                    + "Run presalesctl migrate, or presalesctl doctor to find out more."
            )
        }
    }

    /// Opens the database of a rehearsal; what a command does there is never done to a real one.
    func withRehearsal<T>(_ body: (Database) throws -> T) throws -> T {
        try withDatabase { database in
            guard try database.read({ try Rehearsal.isMarked(in: $0) }) else {
                throw Refused(
                    "This is done in rehearsals only, and this database is not a rehearsal's."
                )
            }
            return try body(database)
        }
    }
}
