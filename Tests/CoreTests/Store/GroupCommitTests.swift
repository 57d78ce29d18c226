import Foundation
import Synchronization
import Testing

@testable import Core

/// Writes of many threads, which share transactions as they happen to meet.
@Suite struct GroupCommitTests {
    private let scratch: Scratch
    private let database: Database

    private struct Refusal: Error {}

    init() throws {
        scratch = try Scratch()
        database = Database(path: scratch.file("test.db"), requiredVersion: nil)
        try database.write {
            try $0.executeScript("CREATE TABLE notes (text TEXT NOT NULL UNIQUE) STRICT")
        }
    }

    /// Runs a body on eight threads at once and returns how often it threw anything.
    private func onEightThreads(_ body: @escaping @Sendable (Int) throws -> Void) -> Int {
        let finished = DispatchGroup()
        let count = Counter()
        for index in 0..<8 {
            finished.enter()
            Thread {
                do { try body(index) } catch { count.add() }
                finished.leave()
            }.start()
        }
        finished.wait()
        return count.value
    }

    @Test func `a write that fails takes back what it did, and nothing of others`() throws {
        let failed = onEightThreads { [database] thread in
            for round in 0..<60 {
                do {
                    try database.write { connection in
                        try connection.execute("INSERT INTO notes VALUES (\("\(thread) \(round)"))")
                        if (thread + round) % 3 == 0 { throw Refusal() }
                    }
                } catch is Refusal {}
            }
        }
        #expect(failed == 0)
        let expected = (0..<8).flatMap { thread in
            (0..<60).filter { (thread + $0) % 3 != 0 }.map { "\(thread) \($0)" }
        }
        let stored = try database.read { connection in
            try connection.rows("SELECT text FROM notes").map {
                try $0.required("text", as: String.self)
            }
        }
        #expect(Set(stored) == Set(expected))
        #expect(stored.count == expected.count)
    }

    @Test func `whoever returned from a write finds it in the file`() throws {
        let elsewhere = Database(path: scratch.file("test.db"), requiredVersion: nil)
        let missing = onEightThreads { [database] thread in
            for round in 0..<40 {
                let text = "\(thread) \(round)"
                try database.write { try $0.execute("INSERT INTO notes VALUES (\(text))") }
                let found: Int? = try elsewhere.read {
                    try $0.value("SELECT 1 FROM notes WHERE text = \(text)")
                }
                guard found == 1 else { throw Refusal() }
            }
        }
        #expect(missing == 0)
    }

    @Test func `what a write sees is what those before it did, all or nothing`() throws {
        try database.write { connection in
            try connection.executeScript(
                "CREATE TABLE counter (value INTEGER) STRICT; INSERT INTO counter VALUES (0)"
            )
        }
        let failed = onEightThreads { [database] _ in
            for _ in 0..<50 {
                try database.write { connection in
                    let value: Int = try connection.value("SELECT value FROM counter") ?? 0
                    try connection.execute("UPDATE counter SET value = \(value + 1)")
                }
            }
        }
        #expect(failed == 0)
        #expect(try database.read { try $0.value("SELECT value FROM counter") } == 400)
    }

    @Test func `nothing runs by itself after an error that undid the transaction`() throws {
        #expect(throws: Database.Unavailable.self) {
            try database.write { connection in
                try connection.execute("INSERT INTO notes VALUES ('before')")
                connection.rollBack()
                try connection.execute("INSERT INTO notes VALUES ('after')")
            }
        }
        #expect(try database.read { try $0.value("SELECT count(*) FROM notes") } == 0)
        try database.write { try $0.execute("INSERT INTO notes VALUES ('later')") }
        #expect(try database.read { try $0.value("SELECT count(*) FROM notes") } == 1)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a write inside a write is refused, also one that another thread carries out`() throws {
        let refused = onEightThreads { [database] thread in
            for round in 0..<20 {
                try database.write { connection in
                    try connection.execute("INSERT INTO notes VALUES (\("\(thread) \(round)"))")
                    do {
                        try database.write { try $0.execute("DELETE FROM notes") }
                    } catch is Database.StatementFailed { return }
                    throw Refusal()
                }
            }
        }
        #expect(refused == 0)
        #expect(try database.read { try $0.value("SELECT count(*) FROM notes") } == 160)
    }
}

private final class Counter: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .relaxed) }
    func add() { count.add(1, ordering: .relaxed) }
}
