import Core
import Foundation

/// One run: the database's own way, then stock SQLite's.
struct Stress {
    static let writers = 8
    static let readers = 2

    let folder: String
    let seconds: Int
    private let seed = UInt64.random(in: 0...UInt64(Int64.max))

    init(folder: String, seconds: Int) {
        self.folder = folder
        self.seconds = seconds
    }

    /// Whether everything holds.
    func run() throws -> Bool {
        print("# \(Stress.writers) writers, \(Stress.readers) readers, \(seconds) s, seed \(seed)")
        let ours = try runOurs()
        // Its longest wait shows within seconds, and only grows with time.
        let stock = try runStock(seconds: min(seconds, 20))

        let clean = ours.clean && !ours.died
        let longest = ours.report.waits.longest
        let stockLongest = stock.waits.longest
        print(
            "# ours: \(ours.report.transactions) transactions, wait p50 "
                + "\(ours.report.waits.quantile(0.5)) ms, longest \(longest) ms"
        )
        print(
            "# stock: \(stock.transactions) transactions, wait p50 \(stock.waits.quantile(0.5)) ms, "
                + "p99 \(stock.waits.quantile(0.99)) ms, longest \(stockLongest) ms"
        )
        let ratio = longest / max(stockLongest, 0.1)
        return [
            // A bare time says more about a busy machine than about us, but for a long run.
            verdict(
                "write-wait-p99-ms",
                ours.report.waits.quantile(0.99),
                atMost: seconds < 60 ? 250 : 50
            ),
            verdict("write-wait-longest-of-stock", (ratio * 1000).rounded() / 1000, atMost: 0.1),
            verdict("wal-mb", Double(ours.largestWAL / 100_000) / 10, atMost: 64),
            verdict("database", clean ? "CLEAN" : "CORRUPT", target: "CLEAN", holds: clean),
        ].allSatisfy { $0 }
    }

    private func verdict(_ name: String, _ value: Double, atMost target: Double) -> Bool {
        verdict(name, "\(value)", target: "\(target)", holds: value <= target)
    }

    private func verdict(_ name: String, _ value: String, target: String, holds: Bool) -> Bool {
        print("\(name) \(value) \(target) \(holds ? "pass" : "fail")")
        return holds
    }

    private struct Outcome {
        var report: Report
        var largestWAL: Int
        var died: Bool
        var clean: Bool
    }

    private func runOurs() throws -> Outcome {
        let path = "\(folder)/ours.db"
        let database = Database(path: path, requiredVersion: nil)
        try fill(database)
        let roles =
            [Role](repeating: .writer, count: Stress.writers)
            + [Role](repeating: .reader, count: Stress.readers)
        var outcome = try run(roles, on: path, seconds: seconds)
        outcome.clean = try isClean(database, outcome.report)
        return outcome
    }

    private func runStock(seconds: Int) throws -> Report {
        let path = "\(folder)/stock.db"
        // A file like ours, but closed, so that only stock connections use it.
        do {
            let database = Database(path: path, requiredVersion: nil)
            try fill(database)
        }
        let roles = [Role](repeating: .stock, count: Stress.writers)
        return try run(roles, on: path, seconds: seconds).report
    }

    private func fill(_ database: Database) throws {
        try database.write { connection in
            for statement in Load.schema { try connection.execute(SQL(stringLiteral: statement)) }
        }
    }

    /// Lets the processes work, looks at the WAL's size all the while, and adds up what they report.
    private func run(_ roles: [Role], on path: String, seconds: Int) throws -> Outcome {
        var processes: [(process: Process, report: String)] = []
        for (index, role) in roles.enumerated() {
            let report = "\(path).\(role.rawValue).\(index)"
            let process = Process()
            process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
            process.arguments = [
                role.rawValue, path, report, "\(seconds)", "\(seed &+ UInt64(index))",
            ]
            try process.run()
            processes.append((process, report))
        }
        var largest = 0
        while processes.contains(where: \.process.isRunning) {
            var status = stat()
            if stat("\(path)-wal", &status) == 0 { largest = max(largest, Int(status.st_size)) }
            usleep(20_000)
        }
        var outcome = Outcome(report: Report(), largestWAL: largest, died: false, clean: false)
        for (process, file) in processes {
            process.waitUntilExit()
            let text = try? String(contentsOfFile: file, encoding: .utf8)
            if process.terminationStatus == 0, let report = text.flatMap(Report.init) {
                outcome.report = outcome.report + report
            } else {
                outcome.died = true
            }
        }
        return outcome
    }

    /// Whether the file is sound and holds exactly the updates that the writers were told of.
    private func isClean(_ database: Database, _ report: Report) throws -> Bool {
        try database.read { connection in
            var isClean = true
            try connection.forEach("PRAGMA integrity_check(10)") { row in
                let finding: String? = row.value(at: 0)
                guard finding != "ok" else { return }
                print("# \(finding ?? "?")")
                isClean = false
            }
            try connection.forEach("SELECT id, n FROM t NOT INDEXED") { row in
                guard let id: Int = row.value(at: 0), let n: Int = row.value(at: 1) else { return }
                guard n != report.updates[id] else { return }
                print("# row \(id) holds \(n) updates, \(report.updates[id]) were acknowledged")
                isClean = false
            }
            return isClean
        }
    }
}
