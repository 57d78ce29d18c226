/// A program that a timer starts: it does its work once and ends.
public enum Job: String, Sendable, CaseIterable, SQLConvertible {
    case callOrchestrator = "call-orchestrator"
    case callReconciler = "call-reconciler"

    /// The job of a name, written with `-` or with `_`.
    public init?(named name: String) {
        self.init(rawValue: name.replacing("_", with: "-"))
    }

    /// The name as the API shows it: `call_orchestrator`.
    public var publicName: String { rawValue.replacing("-", with: "_") }

    /// What it does, as a sentence.
    public var purpose: String {
        switch self {
        case .callOrchestrator: "Dials the calls that are due."
        case .callReconciler: "Asks Vapi about calls that went quiet and repeats failed webhooks."
        }
    }

    /// How often it runs unless `TIMER_PERIODS` says otherwise.
    public var usualPeriod: Duration {
        switch self {
        case .callOrchestrator: .seconds(30)
        case .callReconciler: .minutes(10)
        }
    }

    /// How often each job runs.
    public struct Periods: Sendable, Equatable {
        private let changed: [Job: Duration]

        /// The usual periods.
        public init() { changed = [:] }

        /// Reads `TIMER_PERIODS`, for example `call-orchestrator=1,call-reconciler=5`.
        ///
        /// Periods are whole seconds from 1 to 86400. A name that this version does not know is passed
        /// over, because the variable is shared with other versions; `presalesctl doctor` names it.
        ///
        /// - Throws: ``Environment/Invalid``.
        public init(environment: Environment) throws {
            var changed: [Job: Duration] = [:]
            for (name, seconds) in try Periods.entries(environment) {
                if let job = Job(named: name) { changed[job] = .seconds(seconds) }
            }
            self.changed = changed
        }

        /// The names in `TIMER_PERIODS` that are no job's.
        ///
        /// - Throws: ``Environment/Invalid``.
        public static func unknownNames(in environment: Environment) throws -> [String] {
            try entries(environment).map(\.name).filter { Job(named: $0) == nil }
        }

        private static func entries(
            _ environment: Environment
        ) throws -> [(name: String, seconds: Int)] {
            try (environment["TIMER_PERIODS"] ?? "").split(separator: ",").map { entry in
                let parts = entry.split(separator: "=", omittingEmptySubsequences: false)
                    .map { String($0).trimmingSpace() }
                guard parts.count == 2, !parts[0].isEmpty, let seconds = Int(parts[1]),
                    1...86_400 ~= seconds
                else {
                    throw Environment.Invalid(
                        "TIMER_PERIODS must be names with seconds from 1 to 86400, such as "
                            + "call-orchestrator=30,call-reconciler=600."
                    )
                }
                return (name: parts[0], seconds: seconds)
            }
        }

        /// How often a job runs.
        public subscript(job: Job) -> Duration { changed[job] ?? job.usualPeriod }
    }
}
