import ArgumentParser
import Core

/// Marks the database as a rehearsal's.
struct MarkRehearsal: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "rehearsal",
        abstract: "Marks a new database as a rehearsal's, from which nobody real is ever called."
    )

    mutating func run(with environment: Environment) throws {
        let now = try Clock(environment: environment).now()
        try environment.withDatabase { try Rehearsal.mark($0, now: now) }
        print("The database is a rehearsal's.")
    }
}

/// Shows and moves the time of a rehearsal.
struct MoveClock: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clock",
        abstract: "Shows the time that the programs see, or moves a rehearsal's on.",
        subcommands: [Show.self, Advance.self, SetTime.self],
        defaultSubcommand: Show.self
    )

    /// Shows the time.
    struct Show: OperatorCommand {
        static let configuration = CommandConfiguration(abstract: "Shows the time.")

        mutating func run(with environment: Environment) throws {
            try environment.showTime()
        }
    }

    /// Moves the time on by a while.
    struct Advance: OperatorCommand {
        static let configuration = CommandConfiguration(
            abstract: "Moves a rehearsal's time on, for example by 90s, 45m, 1h, 1h30m or 2d."
        )

        @Argument(help: "How far: numbers with s, m, h or d.")
        var duration: String

        mutating func run(with environment: Environment) throws {
            guard let step = Duration(shortForm: duration) else {
                throw Refused("\(duration) is no duration. Write it like 90s, 45m, 1h30m or 2d.")
            }
            let now = try Clock(environment: environment).now()
            try environment.moveClock(to: now + step)
        }
    }

    /// Moves the time on to a moment.
    struct SetTime: OperatorCommand {
        static let configuration = CommandConfiguration(
            commandName: "set",
            abstract: "Moves a rehearsal's time on to a moment, for example 2026-11-23T11:00."
        )

        @Argument(help: "A day and time, of TIMEZONE unless it has an offset.")
        var time: String

        mutating func run(with environment: Environment) throws {
            guard let target = Instant(iso8601: time, assuming: try environment.zone()) else {
                throw Refused("\(time) is no day and time. Write it like 2026-11-23T11:00.")
            }
            try environment.moveClock(to: target)
        }
    }
}

extension Environment {
    fileprivate func showTime() throws {
        let now = try Clock(environment: self).now()
        let moved = self["CLOCK_OFFSET_FILE"] == nil ? "" : " (a rehearsal's)"
        print("\(now.formatted(in: try zone()))\(moved)")
    }

    /// Moves a rehearsal's time on to a moment; never back, because what was done later would then lie
    /// in the future.
    fileprivate func moveClock(to target: Instant) throws {
        guard let path = self["CLOCK_OFFSET_FILE"] else {
            throw Refused("CLOCK_OFFSET_FILE is not set: only a rehearsal's time can be moved.")
        }
        let clock = try Clock(environment: self)
        guard target > clock.now() else {
            throw Refused("Time moves on only; it is \(clock.now().formatted(in: try zone())) now.")
        }
        let offset = (target - Clock.system.now()).milliseconds
        try withRehearsal { _ in
            do {
                try File.replace(path, with: Array("\(offset)\n".utf8))
            } catch {
                throw Refused("The file of CLOCK_OFFSET_FILE cannot be written: \(error).")
            }
        }
        Triggers(environment: self).fire(.callOrchestrator)
        try showTime()
    }
}

extension Duration {
    /// Reads `90s`, `45m`, `1h30m` or `2d`; nil for anything else, and for nothing at all.
    init?(shortForm text: String) {
        var total = Duration.zero
        var number = 0
        var hasNumber = false
        for character in text {
            if let digit = character.wholeNumberValue, character.isASCII, number < 1_000_000 {
                number = number * 10 + digit
                hasNumber = true
                continue
            }
            guard hasNumber else { return nil }
            switch character {
            case "s": total += .seconds(number)
            case "m": total += .minutes(number)
            case "h": total += .hours(number)
            case "d": total += .days(number)
            default: return nil
            }
            number = 0
            hasNumber = false
        }
        guard !hasNumber, total > .zero else { return nil }
        self = total
    }
}
