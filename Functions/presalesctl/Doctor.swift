import ArgumentParser
import Core

/// Checks every setting and reaches out to what is configured.
struct Doctor: OperatorCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks the settings, the database and Vapi, and says what to do.",
        discussion: "Prints a line for each check; exit code 1 when one of them is wrong."
    )

    mutating func run(with environment: Environment) throws {
        let findings = Examination(environment: environment, http: .network).findings
        for finding in findings { print(finding.line) }
        if findings.contains(where: { $0.verdict == .wrong }) { throw ExitCode(1) }
    }
}

/// The checks of ``Doctor``, one finding each.
struct Examination {
    /// What a check found.
    struct Finding: Equatable {
        enum Verdict: String {
            case fine = "ok"
            /// Not configured, and nobody needs it.
            case off
            case wrong
        }
        let verdict: Verdict
        let subject: String
        let sentence: String

        var line: String {
            let word = verdict.rawValue
            return "\(word)\(String(repeating: " ", count: 6 - word.count))\(subject): \(sentence)"
        }
    }

    let environment: Environment
    let http: HTTP

    /// What all checks found, in the order in which one would mend it.
    var findings: [Finding] { settings + database + vapi + messages }

    /// The finding of a check: `body` returns a sentence, or `nil` for what is off, or throws what is
    /// wrong.
    private func check(_ subject: String, _ body: () throws -> String?) -> Finding {
        do {
            guard let sentence = try body() else {
                return Finding(verdict: .off, subject: subject, sentence: "not configured.")
            }
            return Finding(verdict: .fine, subject: subject, sentence: sentence)
        } catch {
            let sentence =
                switch error {
                case let error as Database.Unavailable:
                    "\(error.sentence) (\(error.logDescription))"
                case let error as any LogSafeError: error.logDescription
                default: "\(error)"
                }
            return Finding(verdict: .wrong, subject: subject, sentence: sentence)
        }
    }

    // MARK: Settings

    private var settings: [Finding] {
        [
            check("TIMEZONE") {
                let zone = try environment.zone()
                let now = try Clock(environment: environment).now()
                return "\(zone.identifier), where it is \(now.formatted(in: zone))."
            },
            check("CLOCK_OFFSET_FILE") {
                guard environment["CLOCK_OFFSET_FILE"] != nil else { return nil }
                let clock = try Clock(environment: environment)
                let seconds = (clock.now() - Clock.system.now()).milliseconds / 1000
                return "time is moved by \(seconds) seconds."
            },
            check("DEFAULT_REGION") {
                let region = environment["DEFAULT_REGION"] ?? "IN"
                guard PhoneNumber.isKnown(region: region) else {
                    throw Environment.Invalid("it must be two letters of a country such as IN.")
                }
                return "numbers without a country code are read as dialed in \(region)."
            },
            check("CALLING_WINDOW, CONTACT_*, CONSENT_REQUIRED_REGIONS") {
                let rules = try ContactRules(environment: environment)
                return
                    "\(rules.lines) lines; a number is dialed at most \(rules.dialsPerDay) times a day "
                    + "and \(rules.dialsPerMonth) times in 30 days."
            },
            check("MAX_RETRY_COUNT, RETRY_INTERVALS, RETRY_UNITS") {
                let policy = try RetryPolicy(environment: environment)
                let intervals = policy.intervals.map(String.init).joined(separator: ", ")
                return
                    "up to \(policy.maximum) retries, after \(intervals) \(policy.unit.rawValue)."
            },
            check("TIMER_PERIODS") {
                let unknown = try Job.Periods.unknownNames(in: environment)
                guard unknown.isEmpty else {
                    throw Environment.Invalid("there is no job \(unknown.joined(separator: ", ")).")
                }
                let periods = try Job.Periods(environment: environment)
                return Job.allCases.map {
                    "\($0.rawValue) every \(periods[$0].milliseconds / 1000) s"
                }.joined(separator: ", ") + "."
            },
            check("TRIGGERS") {
                guard let folder = environment["TRIGGERS"] else { return nil }
                // Touching a name that nobody watches shows that the folder can be written.
                let probe = "\(folder)/.doctor"
                do {
                    try File.touch(probe)
                    try File.remove(probe)
                } catch {
                    throw Environment.Invalid("the folder cannot be written: \(error).")
                }
                return "jobs can be started early."
            },
        ]
    }

    // MARK: Database

    private var database: [Finding] {
        [
            check("DATABASE_URL") {
                let path = try Database.path(environment: environment)
                guard (try? File.status(path)) != nil else {
                    throw Environment.Invalid("there is no database. Run presalesctl migrate.")
                }
                let database = Database(path: path, requiredVersion: nil)
                let version = try database.version()
                guard version >= Migrations.all.count else {
                    throw Environment.Invalid(
                        "the schema has version \(version) of \(Migrations.all.count). "
                            + "Run presalesctl migrate."
                    )
                }
                let account = try? Vapi.Account(environment: environment)
                if let account { try Rehearsal.check(database, dialsAt: account.address) }
                let isRehearsal = try database.read { try Rehearsal.isMarked(in: $0) }
                return "version \(version)\(isRehearsal ? ", a rehearsal's" : "")."
            },
            check("Calling") {
                let database = try Database(environment: environment)
                let now = try Clock(environment: environment).now()
                guard let pause = try database.read({ try Pause.current(in: $0, now: now) }) else {
                    return "not paused."
                }
                throw Environment.Invalid("paused: \(pause.reason) Then run presalesctl resume.")
            },
        ]
    }

    // MARK: Vapi

    private var vapi: [Finding] {
        [
            check("VAPI_API_KEY, VAPI_ASSISTANT_ID, VAPI_PHONE_NUMBER_ID") {
                let account = try Vapi.Account(environment: environment)
                return try greeting(of: account)
            },
            check("VAPI_WEBHOOK_SECRET") {
                guard environment["VAPI_WEBHOOK_SECRET"] != nil else {
                    throw Environment.Invalid(
                        "it is not set, so every event from Vapi is refused. Set it here and at Vapi."
                    )
                }
                return "set."
            },
            check("PUBLIC_URL") {
                let address = try environment.address("PUBLIC_URL")
                guard address.hasPrefix("https://") || Rehearsal.isLoopback(address) else {
                    throw Environment.Invalid(
                        "it must begin with https://, or events travel unprotected."
                    )
                }
                return "Vapi reports to \(address)/webhook/vapi."
            },
        ]
    }

    /// What Vapi says to our key.
    private func greeting(of account: Vapi.Account) throws -> String {
        let call = HTTP.Call(
            "GET",
            "\(account.address)/call?limit=1",
            headers: [("Authorization", "Bearer \(account.key.revealed)")]
        )
        let answer: HTTP.Answer
        do throws(HTTP.Failure) {
            answer = try http.send(call)
        } catch {
            throw Environment.Invalid(
                "\(account.address) cannot be reached (\(error.rawValue)). Check VAPI_BASE_URL and the "
                    + "network."
            )
        }
        switch answer.status {
        case 200: return "\(account.address) answers and accepts the key."
        case 401, 403:
            throw Environment.Invalid("\(account.address) refuses the key. Correct VAPI_API_KEY.")
        default:
            throw Environment.Invalid(
                "\(account.address) answers with status \(answer.status). Try again later."
            )
        }
    }

    // MARK: Messages

    private var messages: [Finding] {
        let channels = Journey.Channels(environment: environment)
        return [
            check("WhatsApp") { channels.whatsApp ? "configured." : nil },
            check("E-mail") { channels.email ? "configured." : nil },
        ]
    }
}
