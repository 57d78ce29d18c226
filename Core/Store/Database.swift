import Synchronization

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
        public init(cause: String, sentence: String) {
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

    private let path: String
    private let requiredVersion: Int
    private let driver = Mutex<SQLiteDriver?>(nil)

    /// Creates the database of a file.
    ///
    /// - Parameter requiredVersion: How many migrations it must have; `nil` for the migrator itself.
    public init(path: String, requiredVersion: Int? = Migrations.all.count) {
        self.path = path
        self.requiredVersion = requiredVersion ?? 0
    }

    /// The database that `DATABASE_URL` names (`sqlite:PATH`).
    ///
    /// - Throws: ``Environment/Invalid``.
    public convenience init(environment: Environment) throws {
        let address = try environment.required("DATABASE_URL")
        guard address.hasPrefix("sqlite:"), address.count > 7 else {
            throw Environment.Invalid("DATABASE_URL must be sqlite: followed by a file's path.")
        }
        self.init(path: String(address.dropFirst(7)))
    }

    /// The path of a file that belongs beside the database, for example its attempts' locks.
    public func companion(_ suffix: String) -> String { "\(path).\(suffix)" }

    /// Reads from one state.
    ///
    /// - Throws: ``Unavailable``; what `body` throws.
    public func read<T>(_ body: (Connection) throws -> T) throws -> T {
        try open().read(body)
    }

    /// Writes in one transaction; an error rolls it back.
    ///
    /// - Throws: ``Unavailable``, ``ConstraintViolation``; what `body` throws.
    public func write<T>(_ body: (Connection) throws -> T) throws -> T {
        try open().write(body)
    }

    /// How many migrations the file has.
    ///
    /// - Throws: ``Unavailable``.
    public func version() throws -> Int {
        try driver.withLock { try opened(&$0) }.version()
    }

    /// Copies one consistent state to a new file.
    ///
    /// - Throws: ``Unavailable``, also when the file exists.
    public func backUp(to target: String) throws {
        try open().backUp(to: target)
    }

    private func open() throws -> SQLiteDriver {
        try driver.withLock { driver in
            if let driver { return driver }
            let opened = try self.opened(&driver)
            guard try opened.version() >= requiredVersion else {
                driver = nil
                throw Unavailable(
                    cause: "the schema is older than the program",
                    sentence: "The database is being upgraded. Try again in a moment."
                )
            }
            return opened
        }
    }

    private func opened(_ driver: inout SQLiteDriver?) throws -> SQLiteDriver {
        if let driver { return driver }
        let opened = try SQLiteDriver(path: path)
        driver = opened
        return opened
    }
}
