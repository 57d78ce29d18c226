import ArgumentParser
import Core

/// Brings the schema up to date.
struct Migrate: OperatorCommand {
    static let configuration = CommandConfiguration(
        abstract: "Brings the database up to date, and creates it where there is none."
    )

    mutating func run(with environment: Environment) throws {
        let path = try Database.path(environment: environment)
        do {
            let applied = try Migrations.apply(toDatabaseAt: path)
            for name in applied { print("Applied: \(name)") }
            print("The database is up to date (version \(Migrations.all.count)).")
        } catch let error as Database.Unavailable {
            throw Refused(
                "The database of DATABASE_URL could not be brought up to date "
                    + "(\(error.logDescription)). Its folder must exist and be ours to write."
            )
        }
    }
}

/// Pauses all dialing.
struct PauseCalls: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Pauses dialing until somebody resumes it. Calls under way go on."
    )

    @Argument(help: "Why, as the dashboard shows it.")
    var reason = "Paused by hand."

    @Option(help: "Pauses the leads of this partner only.")
    var partner: String?

    mutating func run(with environment: Environment) throws {
        let now = try Clock(environment: environment).now()
        let pause = try environment.withDatabase { database in
            try database.write { [reason, partner] connection in
                try Pause.set(
                    of: partner,
                    because: reason.singleLine,
                    by: Environment.actor,
                    now: now,
                    in: connection
                )
                return try Pause.current(of: partner, in: connection, now: now)
            }
        }
        let what = partner.map { " for \($0)" } ?? ""
        print("Calling is paused\(what): \(pause?.reason ?? reason)")
    }
}

/// Resumes dialing.
struct ResumeCalls: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Resumes dialing."
    )

    @Option(help: "Resumes the leads of this partner, which were paused alone.")
    var partner: String?

    mutating func run(with environment: Environment) throws {
        let now = try Clock(environment: environment).now()
        try environment.withDatabase { database in
            try database.write { [partner] in
                try Pause.end(of: partner, by: Environment.actor, now: now, in: $0)
            }
        }
        Triggers(environment: environment).fire(.callOrchestrator)
        print("Calling goes on\(partner.map { " for \($0)" } ?? "").")
    }
}

/// Records that somebody must not be contacted any more.
struct OptOut: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "optout",
        abstract: "Records that a number must not be contacted any more, on any channel, for good."
    )

    @Argument(help: "The phone number, whether or not a lead has it.")
    var number: String

    @Option(help: "What the person said or wrote, kept as proof.")
    var words: String?

    mutating func run(with environment: Environment) throws {
        let region = environment["DEFAULT_REGION"] ?? "IN"
        let number: PhoneNumber
        do {
            number = try PhoneNumber(parsing: self.number, defaultRegion: region)
        } catch { throw Refused("\(error)") }
        let now = try Clock(environment: environment).now()
        let liveCall = try environment.withDatabase { database in
            try database.write { [words] connection in
                try Suppressions.optOut(
                    number,
                    channel: .call,
                    words: words,
                    now: now,
                    in: connection
                )
                return try LiveCall.find(number: number, in: connection)
            }
        }
        // In full, so that whoever typed it sees how it was read; a number by itself prints shortened.
        print("\(number.e164) is not contacted any more.")
        if let liveCall { try end(liveCall, environment) }
    }

    /// Hangs up: an opt-out holds from its commit on, also in the middle of a call.
    private func end(_ call: LiveCall, _ environment: Environment) throws {
        do {
            guard let address = call.controlURL else { throw Vapi.Unreachable("no address") }
            try Vapi(account: Vapi.Account(environment: environment)).end(address)
            print("The call under way was ended.")
        } catch is Vapi.Unreachable {
            throw Refused(
                "The opt-out is recorded, but the call under way could not be ended. End it in Vapi's "
                    + "dashboard."
            )
        }
    }
}

/// Shows who must not be contacted.
struct OptOuts: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "optouts",
        abstract:
            "Writes who must not be contacted as CSV, with the proof: when, where and the words."
    )

    mutating func run(with environment: Environment) throws {
        let zone = try environment.zone()
        try environment.withDatabase { database in
            var start: Int64?
            repeat {
                let page = try database.read { [start] in
                    try OptOutExport.page(after: start, in: zone, $0)
                }
                print(String(decoding: page.text, as: UTF8.self), terminator: "")
                start = page.next
            } while start != nil
        }
    }
}

/// Copies the database.
struct Backup: OperatorCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copies one consistent state of the database to a new file, while all goes on."
    )

    @Argument(help: "The file to write. It must not exist yet.")
    var path: String

    mutating func run(with environment: Environment) throws {
        guard (try? File.status(path)) == nil else {
            throw Refused("\(path) exists already. Name a new file.")
        }
        try environment.withDatabase { database in
            // Whoever asks for a copy must not get an empty one of a database that is not there.
            _ = try database.read { try $0.value("SELECT 1", as: Int.self) }
            try database.backUp(to: path)
        }
        print("The database was copied to \(path).")
    }
}

/// Shows the journey of every lead.
struct ShowJourney: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "journey",
        abstract: "Shows the journey of every lead as a graph in Mermaid's notation."
    )

    @Flag(help: "Shows it as JSON instead.")
    var json = false

    mutating func run(with environment: Environment) throws {
        if json {
            print(Workflow.lead.json.text)
        } else {
            print(Workflow.lead.mermaid, terminator: "")
        }
    }
}
