/// The database: the only way to it, whatever stores it.
///
/// `read` sees one state from beginning to end. `write` is one immediate, serialisable transaction
/// across all processes, durable when it returns. Both are opened at first use, so a program that
/// serves nothing touches nothing.
public final class Database: Sendable {
    /// The database cannot be used now: a lock, the disk, or a schema that is not migrated yet.
    public struct Unavailable: LogSafeError {
        /// The cause, for the log.
        public let logDescription: String
        /// The sentence for a person.
        public let sentence: String
        /// Creates the error.
        public init(
            cause: String,
            sentence: String = "The database cannot be used at the moment. Try again shortly."
        ) {
            logDescription = cause
            self.sentence = sentence
        }
    }

    /// A row that the schema forbids: a constraint said no.
    public struct ConstraintViolation: LogSafeError, Equatable {
        /// The constraint, for example `leads.number`.
        public let constraint: String
        public var logDescription: String { "constraint \(constraint)" }
    }

    /// A statement that cannot be run: a mistake of ours, which trying again does not mend.
    public struct StatementFailed: LogSafeError {
        /// What is wrong with it, for the log.
        public let logDescription: String
    }

    private struct State {
        var driver: SQLiteDriver?
        /// The file that the driver has open.
        var file: File.Status?
        var hasRequiredVersion = false
    }

    private let path: String
    private let requiredVersion: Int
    private let patience: Duration
    private let state = Lock(State())

    /// Creates the database of a file.
    ///
    /// - Parameters:
    ///   - path: Where the file is.
    ///   - requiredVersion: How many migrations it must have; `nil` for the migrator itself.
    ///   - patience: How long a write waits for those before it.
    public init(
        path: String,
        requiredVersion: Int? = Migrations.all.count,
        patience: Duration = .seconds(5)
    ) {
        self.path = path
        self.requiredVersion = requiredVersion ?? 0
        self.patience = patience
    }

    /// The database that `DATABASE_URL` names (`sqlite:PATH`).
    ///
    /// - Throws: ``Environment/Invalid``.
    public convenience init(environment: Environment) throws {
        self.init(path: try Database.path(environment: environment))
    }

    /// The path of the file that `DATABASE_URL` names.
    ///
    /// - Throws: ``Environment/Invalid``.
    public static func path(environment: Environment) throws -> String {
        let address = try environment.required("DATABASE_URL")
        guard address.hasPrefix("sqlite:"), address.count > 7 else {
            throw Environment.Invalid("DATABASE_URL must be sqlite: followed by a file's path.")
        }
        return String(address.dropFirst(7))
    }

    /// The path of a file that belongs beside the database, for example its attempts' locks.
    public func companion(_ suffix: String) -> String { "\(path).\(suffix)" }

    /// Reads from one state.
    ///
    /// - Throws: ``Unavailable``, ``StatementFailed``; what `body` throws.
    public func read<T>(_ body: (Connection) throws -> T) throws -> T {
        try driver().read(body)
    }

    /// Writes in one transaction; an error rolls it back.
    ///
    /// - Throws: ``Unavailable``, ``ConstraintViolation``, ``StatementFailed``; what `body` throws.
    public func write<T>(_ body: (Connection) throws -> T) throws -> T {
        let hasSchema = requiredVersion > 0
        return try driver().write { connection in
            if hasSchema { try connection.execute(Migrations.beginning) }
            return try body(connection)
        }
    }

    /// Checks that the open file is still the one at the path: once it was moved away or replaced,
    /// this program would read and write what no other sees.
    ///
    /// It costs one system call, and opens nothing.
    /// - Throws: ``Unavailable``.
    public func checkPlace() throws {
        guard let opened = state.withLock({ $0.file }) else { return }
        guard let present = try? File.status(path), present.isSameFile(as: opened) else {
            throw Unavailable(
                cause: "the open file is no longer at its path",
                sentence: "The database's file was moved or replaced. Restart Presales."
            )
        }
    }

    /// How many migrations the file has, whether or not they are enough.
    ///
    /// - Throws: ``Unavailable``.
    public func version() throws -> Int {
        try state.withLock { try opened(&$0) }.version()
    }

    /// Copies one consistent state to a new file.
    ///
    /// - Throws: ``Unavailable``; ``StatementFailed`` when the file exists.
    public func backUp(to target: String) throws {
        try driver().backUp(to: target)
    }

    private func driver() throws -> SQLiteDriver {
        try state.withLock { state in
            let driver = try opened(&state)
            guard !state.hasRequiredVersion else { return driver }
            guard try driver.version() >= requiredVersion else {
                throw Unavailable(
                    cause: "the schema is older than the program",
                    sentence: "The database is being upgraded. Try again in a moment."
                )
            }
            state.hasRequiredVersion = true
            return driver
        }
    }

    private func opened(_ state: inout State) throws -> SQLiteDriver {
        if let driver = state.driver { return driver }
        let driver = try SQLiteDriver(path: path, patience: patience)
        state.driver = driver
        state.file = try? File.status(path)
        return driver
    }
}
