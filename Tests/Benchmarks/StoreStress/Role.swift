import CSQLite
import Core
import Foundation

/// What a process of the run is told.
struct Assignment {
    let database: String
    let report: String
    let seconds: Int
    let seed: UInt64

    init(arguments: [String]) throws {
        guard arguments.count == 4, let seconds = Int(arguments[2]), let seed = UInt64(arguments[3])
        else { throw Environment.Invalid("a role needs DATABASE REPORT SECONDS SEED") }
        database = arguments[0]
        report = arguments[1]
        self.seconds = seconds
        self.seed = seed
    }
}

/// One process's part.
enum Role: String {
    case writer, reader
    case stock

    /// A difference between two ways to read one state, or what SQLite said.
    struct Broken: LogSafeError {
        let logDescription: String
    }

    func run(_ assignment: Assignment) throws {
        let end = ContinuousClock.now + .seconds(assignment.seconds)
        let report =
            switch self {
            case .writer: try Role.write(assignment, until: end)
            case .reader: try Role.read(assignment, until: end)
            case .stock: try Role.writeStock(assignment, until: end)
            }
        try report.text.write(toFile: assignment.report, atomically: false, encoding: .utf8)
    }

    private static func write(
        _ assignment: Assignment,
        until end: ContinuousClock.Instant
    ) throws -> Report {
        let database = Database(path: assignment.database, requiredVersion: nil)
        var load = Load(seed: assignment.seed)
        var report = Report()
        while ContinuousClock.now < end {
            let rows = load.next()
            let asked = ContinuousClock.now
            let begun = try database.write { connection in
                let begun = ContinuousClock.now
                for row in rows {
                    try connection.execute("UPDATE t SET n = n + 1 WHERE id = \(row)")
                }
                return begun
            }
            report.waits.add(begun - asked)
            report.transactions += 1
            for row in rows { report.updates[row] += 1 }
        }
        return report
    }

    private static func read(
        _ assignment: Assignment,
        until end: ContinuousClock.Instant
    ) throws -> Report {
        let database = Database(path: assignment.database, requiredVersion: nil)
        var load = Load(seed: assignment.seed)
        while ContinuousClock.now < end {
            let rows = load.next()
            try database.read { connection in
                guard rows.count > 1 else {
                    _ = try connection.rows("SELECT * FROM t WHERE id IN \(list: rows)")
                    return
                }
                let rows: Int? = try connection.value("SELECT sum(n) FROM t NOT INDEXED")
                let index: Int? = try connection.value("SELECT sum(n) FROM t INDEXED BY t_n")
                guard rows == index else { throw Broken(logDescription: "index and rows differ") }
            }
            usleep(5000)
        }
        return Report()
    }

    /// Does the same work with what SQLite does by itself: `busy_timeout`, automatic checkpoints.
    ///
    /// It may end early, for this is what damages the file.
    private static func writeStock(
        _ assignment: Assignment,
        until end: ContinuousClock.Instant
    ) throws -> Report {
        var handle: OpaquePointer?
        guard sqlite3_open(assignment.database, &handle) == SQLITE_OK, let handle else {
            throw Broken(logDescription: "stock: cannot open")
        }
        defer { sqlite3_close(handle) }
        sqlite3_busy_timeout(handle, 60_000)
        sqlite3_exec(handle, "PRAGMA synchronous = FULL", nil, nil, nil)
        var update: OpaquePointer?
        sqlite3_prepare_v2(handle, "UPDATE t SET n = n + 1 WHERE id = ?", -1, &update, nil)
        defer { sqlite3_finalize(update) }
        var load = Load(seed: assignment.seed)
        var report = Report()
        while ContinuousClock.now < end {
            let rows = load.next()
            let asked = ContinuousClock.now
            guard sqlite3_exec(handle, "BEGIN IMMEDIATE", nil, nil, nil) == SQLITE_OK else { break }
            report.waits.add(ContinuousClock.now - asked)
            for row in rows {
                sqlite3_bind_int64(update, 1, Int64(row))
                guard sqlite3_step(update) == SQLITE_DONE else { return report }
                sqlite3_reset(update)
            }
            guard sqlite3_exec(handle, "COMMIT", nil, nil, nil) == SQLITE_OK else { break }
            report.transactions += 1
        }
        return report
    }
}
