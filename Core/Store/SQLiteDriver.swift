import CSQLite
import Foundation
import GRDB
import Glibc
import Synchronization

/// SQLite through GRDB, made safe for many processes on one file.
///
/// Debian 12's SQLite (3.40.1) corrupts a WAL file that one process resets while another
/// checkpoints it (the WAL-reset bug, fixed in 3.51.3). So nobody checkpoints but the committer that
/// holds both the write turn and `BEGIN IMMEDIATE`: automatic checkpoints and those on closing are
/// off on every connection.
///
/// The write turn is two lock files in place of SQLite's own waiting, whose back-off starves the
/// oldest waiter for seconds: a process waits for `next` in the kernel's queue, holding it waits for
/// `turn`, and gives `next` free once the turn is its own. The kernel frees both when a process dies.
final class SQLiteDriver: Sendable {
    static let sentence = "The database cannot be used at the moment. Try again shortly."

    /// How long a writer waits for its turn.
    static let patience = Duration.seconds(5)
    /// How many pages the WAL may hold before a committer checkpoints it.
    static let checkpointPages = 1000

    private let pool: DatabasePool
    private let path: String
    private let next: Int32
    private let turn: Int32
    private let checkpointer: Checkpointer

    init(path: String) throws {
        self.path = path
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 8
        configuration.prepareDatabase { connection in
            try connection.execute(
                sql: """
                    PRAGMA wal_autocheckpoint = 0;
                    PRAGMA temp_store = MEMORY;
                    PRAGMA cache_size = -8000;
                    """
            )
            _ = presales_sqlite_no_checkpoint_on_close(connection.sqliteConnection)
        }
        pool = try translating { try DatabasePool(path: path, configuration: configuration) }
        next = try SQLiteDriver.lockFile("\(path).next")
        turn = try SQLiteDriver.lockFile("\(path).turn")
        checkpointer = try Checkpointer(path: path)
        // GRDB's pool sets NORMAL after prepareDatabase has run; NORMAL forgets acknowledged
        // commits when the power fails.
        try translating {
            try pool.writeWithoutTransaction { handle in
                try handle.execute(sql: "PRAGMA synchronous = FULL")
                checkpointer.watch(handle)
            }
        }
    }

    deinit {
        close(next)
        close(turn)
    }

    func read<T>(_ body: (Connection) throws -> T) throws -> T {
        try translating { try pool.read { try body(Connection(handle: $0)) } }
    }

    func write<T>(_ body: (Connection) throws -> T) throws -> T {
        try translating {
            try pool.writeWithoutTransaction { handle in
                try takeTurn()
                defer { flock(turn, LOCK_UN) }
                var result: T?
                try handle.inTransaction(.immediate) {
                    result = try body(Connection(handle: handle))
                    return .commit
                }
                try checkpointer.afterCommit(on: handle)
                guard let result else {
                    throw Database.Unavailable(
                        cause: "no transaction",
                        sentence: SQLiteDriver.sentence
                    )
                }
                return result
            }
        }
    }

    func version() throws -> Int {
        try read { try $0.value("PRAGMA user_version") ?? 0 }
    }

    func backUp(to target: String) throws {
        try translating {
            try pool.writeWithoutTransaction {
                try $0.execute(sql: "VACUUM INTO ?", arguments: [target])
            }
        }
    }

    private func takeTurn() throws {
        let milliseconds = Int(SQLiteDriver.patience.milliseconds)
        var code = presales_flock_within(next, milliseconds)
        if code == 0 {
            code = presales_flock_within(turn, milliseconds)
            flock(next, LOCK_UN)
        }
        guard code == 0 else {
            throw Database.Unavailable(
                cause: "no write turn: \(String(cString: strerror(code)))",
                sentence: SQLiteDriver.sentence
            )
        }
    }

    private static func lockFile(_ path: String) throws -> Int32 {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw Database.Unavailable(
                cause: "lock file: \(String(cString: strerror(errno)))",
                sentence: SQLiteDriver.sentence
            )
        }
        return descriptor
    }
}

/// Moves the WAL's pages into the database file, on a connection of its own.
private final class Checkpointer: Sendable {
    /// How many pages the WAL held after the writer's last commit, as SQLite's own hook says.
    private final class Pages: Sendable {
        let count = Atomic<Int32>(0)
    }

    private let connection: DatabaseQueue
    private let pages = Pages()
    private let checkpointed = Atomic<Int32>(0)

    init(path: String) throws {
        var configuration = Configuration()
        configuration.busyMode = .immediateError
        configuration.prepareDatabase { connection in
            try connection.execute(sql: "PRAGMA wal_autocheckpoint = 0")
            _ = presales_sqlite_no_checkpoint_on_close(connection.sqliteConnection)
        }
        connection = try translating { try DatabaseQueue(path: path, configuration: configuration) }
    }

    /// Lets the writer's commits be counted. `self` must live as long as the writer.
    func watch(_ writer: GRDB.Database) {
        sqlite3_wal_hook(
            writer.sqliteConnection,
            { context, _, _, pages in
                guard let context else { return SQLITE_OK }
                Unmanaged<Pages>.fromOpaque(context).takeUnretainedValue()
                    .count.store(pages, ordering: .relaxed)
                return SQLITE_OK
            },
            Unmanaged.passUnretained(pages).toOpaque()
        )
    }

    /// Checkpoints when the WAL has grown by ``SQLiteDriver/checkpointPages`` since the last time.
    ///
    /// The caller holds the write turn. While this holds `BEGIN IMMEDIATE` on the writer no other
    /// connection can begin to write, and so none can reset the WAL under the checkpoint.
    func afterCommit(on writer: GRDB.Database) throws {
        let count = pages.count.load(ordering: .relaxed)
        var done = checkpointed.load(ordering: .relaxed)
        if count < done { done = 0 }  // the WAL has begun anew
        guard count - done >= SQLiteDriver.checkpointPages else { return }
        try writer.execute(sql: "BEGIN IMMEDIATE")
        defer { try? writer.execute(sql: "ROLLBACK") }
        try connection.writeWithoutTransaction { handle in
            // A connection that has not read yet would checkpoint nothing, and say nothing.
            try handle.execute(sql: "SELECT 1 FROM sqlite_schema LIMIT 1")
            _ = sqlite3_wal_checkpoint_v2(
                handle.sqliteConnection,
                nil,
                SQLITE_CHECKPOINT_PASSIVE,
                nil,
                nil
            )
        }
        checkpointed.store(count, ordering: .relaxed)
    }
}

/// Runs `body` and turns GRDB's errors into the seam's.
func translating<T>(_ body: () throws -> T) throws -> T {
    do {
        return try body()
    } catch let error as DatabaseError {
        if error.resultCode == .SQLITE_CONSTRAINT {
            // "UNIQUE constraint failed: leads.number": the names are the schema's, not a person's.
            let name = error.message?.split(separator: ": ", maxSplits: 1).last.map(String.init)
            throw Database.ConstraintViolation(constraint: name ?? "unknown")
        }
        throw Database.Unavailable(
            cause: "SQLite \(error.extendedResultCode.rawValue)",
            sentence: SQLiteDriver.sentence
        )
    }
}
