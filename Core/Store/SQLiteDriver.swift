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
/// One connection writes, others read: as many as threads read at once, the one used last first. They
/// are used without GRDB's pool, whose bookkeeping costs a small read more than SQLite itself does.
final class SQLiteDriver: Sendable {
    private let path: String
    private let writer: DatabaseQueue
    private let idleReaders = Lock<[DatabaseQueue]>([])
    private let writes: GroupCommit
    private let patience: Duration

    /// - Throws: ``Database/Unavailable``.
    init(path: String, patience: Duration) throws {
        _ = SQLiteDriver.isSetUp
        self.path = path
        self.patience = patience
        let turn = try WriteTurn(ofDatabaseAt: path)
        // Opening a new file writes to it: it is given its WAL.
        (writer, writes) = try turn.hold(by: .now + patience) {
            try translating {
                var configuration = SQLiteDriver.configuration(patience: patience)
                configuration.allowsUnsafeTransactions = true  // they go from thread to thread
                // What a trigger needs while it runs: some kilobytes each time.
                configuration.prepareDatabase {
                    _ = presales_sqlite_set_aside($0.sqliteConnection, 8192, 64)
                }
                let writer = try DatabaseQueue(path: path, configuration: configuration)
                let checkpointer = Checkpointer(
                    connection: try DatabaseQueue(path: path, configuration: configuration)
                )
                try writer.writeWithoutTransaction { handle in
                    try handle.execute(sql: "PRAGMA journal_mode = WAL")
                    checkpointer.watch(handle)
                }
                return (
                    writer,
                    GroupCommit(writer: writer, turn: turn, checkpointer: checkpointer)
                )
            }
        }
    }

    func read<T>(_ body: (Connection) throws -> T) throws -> T {
        try translating {
            let reader = try idleReaders.withLock { $0.popLast() } ?? openedReader()
            defer { idleReaders.withLock { $0.append(reader) } }
            return try reader.writeWithoutTransaction { handle in
                let connection = Connection(handle: handle)
                return try connection.reading { try body(connection) }
            }
        }
    }

    func write<T>(_ body: (Connection) throws -> T) throws -> T {
        // Counted from here, where this process's own threads wait for each other.
        let deadline = ContinuousClock.now + patience
        return try translating { try writes.write(by: deadline, body) }
    }

    func version() throws -> Int {
        try read { try $0.value("PRAGMA user_version") ?? 0 }
    }

    func backUp(to target: String) throws {
        try translating {
            try writer.writeWithoutTransaction {
                try $0.execute(sql: "VACUUM INTO ?", arguments: [target])
            }
        }
    }

    /// What holds for all of SQLite; done once.
    private static let isSetUp: Bool = presales_sqlite_count_no_memory() == SQLITE_OK

    private func openedReader() throws -> DatabaseQueue {
        var configuration = SQLiteDriver.configuration(patience: patience)
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA query_only = ON") }
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    /// What holds for every connection: writer, readers and checkpointer.
    private static func configuration(patience: Duration) -> Configuration {
        var configuration = Configuration()
        configuration.busyMode = .timeout(Double(patience.milliseconds) / 1000)
        configuration.prepareDatabase { connection in
            try connection.execute(
                sql: """
                    PRAGMA synchronous = FULL;
                    PRAGMA wal_autocheckpoint = 0;
                    PRAGMA journal_size_limit = 33554432;
                    PRAGMA temp_store = MEMORY;
                    """
            )
            _ = presales_sqlite_no_checkpoint_on_close(connection.sqliteConnection)
        }
        return configuration
    }
}

/// Moves the WAL's pages into the database file, on a connection of its own.
final class Checkpointer: Sendable {
    /// How many pages the WAL may gain before a committer checkpoints it.
    private static let interval: Int32 = 1000
    /// How many pages the WAL may hold before a committer waits for readers to let it begin anew.
    private static let limit: Int32 = 4000

    /// How many pages the WAL held after the writer's last commit, as SQLite's own hook says.
    private final class Pages: Sendable {
        let count = Atomic<Int32>(0)
    }

    private let connection: DatabaseQueue
    private let pages = Pages()
    private let checkpointed = Atomic<Int32>(0)

    init(connection: DatabaseQueue) { self.connection = connection }

    /// Lets the writer's commits be counted.
    ///
    /// `self` must live as long as the writer.
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

    /// Checkpoints when the WAL has grown by ``interval`` since the last time.
    ///
    /// The caller holds the write turn. While this holds `BEGIN IMMEDIATE` on the writer no other
    /// connection can begin to write, and so none can reset the WAL under the checkpoint.
    ///
    /// A checkpoint that fails takes nothing back: the commit before it is durable, the WAL keeps
    /// its pages, and the next committer tries again.
    func afterCommit(on writer: GRDB.Database) {
        let count = pages.count.load(ordering: .relaxed)
        var done = checkpointed.load(ordering: .relaxed)
        if count < done { done = 0 }  // the WAL has begun anew
        guard count - done >= Checkpointer.interval else { return }
        do {
            try writer.inTransaction(.immediate) {
                var isComplete = try checkpoint()
                // The WAL begins anew when no reader needs it. Those that begin once all of it is in
                // the database file do not, and the others are short.
                var pauses = 0
                while count >= Checkpointer.limit, pauses < 4 {
                    usleep(5000)
                    if isComplete { break }
                    isComplete = try checkpoint()
                    pauses += 1
                }
                return .rollback
            }
            checkpointed.store(count, ordering: .relaxed)
        } catch {}
    }

    /// Copies what readers allow; `true` when that is everything.
    private func checkpoint() throws -> Bool {
        try connection.writeWithoutTransaction { handle in
            // A connection that has not read yet would checkpoint nothing, and say nothing.
            try handle.execute(sql: "SELECT 1 FROM sqlite_schema LIMIT 1")
            var pages: Int32 = 0
            var copied: Int32 = 0
            let code = sqlite3_wal_checkpoint_v2(
                handle.sqliteConnection,
                nil,
                SQLITE_CHECKPOINT_PASSIVE,
                &pages,
                &copied
            )
            return code == SQLITE_OK && pages == copied
        }
    }
}

/// Runs `body` and turns GRDB's errors into the seam's.
func translating<T>(_ body: () throws -> T) throws -> T {
    do {
        return try body()
    } catch let error as DatabaseError {
        // SQLite's messages name what the schema and our statements name; values are bound and never
        // quoted.
        let message = error.message ?? "no message"
        switch error.resultCode {
        case .SQLITE_CONSTRAINT:
            // "UNIQUE constraint failed: leads.number"
            let name = message.split(separator: ": ", maxSplits: 1).last.map(String.init)
            throw Database.ConstraintViolation(constraint: name ?? message)
        case .SQLITE_ERROR, .SQLITE_MISMATCH, .SQLITE_MISUSE, .SQLITE_RANGE, .SQLITE_TOOBIG:
            throw Database.StatementFailed(logDescription: "SQLite: \(message)")
        default:
            throw Database.Unavailable(
                cause: "SQLite \(error.extendedResultCode.rawValue): \(message)"
            )
        }
    }
}
