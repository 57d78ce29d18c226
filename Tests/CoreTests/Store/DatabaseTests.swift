import Foundation
import Synchronization
import Testing

@testable import Core

@Suite struct DatabaseTests {
    private let scratch: Scratch
    private let database: Database

    init() throws {
        scratch = try Scratch()
        database = Database(path: scratch.file("test.db"), requiredVersion: nil)
        try database.write { connection in
            try connection.executeScript(
                """
                CREATE TABLE people (
                    id INTEGER PRIMARY KEY,
                    name TEXT NOT NULL CHECK (name <> ''),
                    number TEXT UNIQUE
                ) STRICT;
                CREATE TABLE pets (
                    name TEXT NOT NULL,
                    owner INTEGER REFERENCES people (id)
                ) STRICT;
                """
            )
        }
    }

    @Test(arguments: [
        ("synchronous", 2),  // FULL
        ("wal_autocheckpoint", 0),
        ("foreign_keys", 1),
        ("mmap_size", 0),
    ])
    func `the writer is durable, checkpoints only on purpose and keeps references`(
        pragma: String,
        expected: Int
    ) throws {
        let sql = SQL(stringLiteral: "PRAGMA \(pragma)")
        #expect(try database.write { try $0.value(sql) } == expected)
    }

    @Test(arguments: [("wal_autocheckpoint", 0), ("foreign_keys", 1), ("mmap_size", 0)])
    func `readers never checkpoint by themselves`(pragma: String, expected: Int) throws {
        let sql = SQL(stringLiteral: "PRAGMA \(pragma)")
        #expect(try database.read { try $0.value(sql) } == expected)
    }

    @Test(arguments: [true, false])
    func `closing the last connection leaves the WAL as it is`(writes: Bool) throws {
        let scratch = try Scratch()
        let path = scratch.file("closed.db")
        do {
            let database = Database(path: path, requiredVersion: nil)
            try database.write { try $0.execute("CREATE TABLE t (n INTEGER)") }
        }
        let size = scratch.size(of: "closed.db-wal")
        #expect(size > 0)
        do {
            let database = Database(path: path, requiredVersion: nil)
            if writes { try database.write { try $0.execute("INSERT INTO t VALUES (1)") } }
            let count: Int? = try database.read { try $0.value("SELECT count(*) FROM t") }
            #expect(count == (writes ? 1 : 0))
        }
        #expect(scratch.size(of: "closed.db-wal") >= size)
    }

    @Test(arguments: [
        "Robert'); DROP TABLE people; --", "\"", "?", ":name", "अनुष्का", "😀", "a\nb", "",
    ])
    func `an interpolated value is bound, never read as SQL`(text: String) throws {
        try database.write { connection in
            try connection.execute("INSERT INTO pets VALUES (\(text), NULL)")
            let found: String? = try connection.value("SELECT name FROM pets WHERE name = \(text)")
            #expect(found == text)
        }
    }

    @Test func `a statement's text has a place for each value and no value`() {
        let fragment: SQL = "name = \("Asha")"
        let sql: SQL = "\(sql: fragment) AND id IN \(list: [1, 2]) AND x = \(nil as Int?)"
        #expect(sql.text == "name = ? AND id IN (?,?) AND x = ?")
        #expect(sql.arguments == [.text("Asha"), .integer(1), .integer(2), .null])
        #expect(SQL.joined(["a = \(1)", "b = \(2)"], by: " AND ").text == "a = ? AND b = ?")
    }

    @Test func `a text is kept whole, with a mark in the place of a NUL`() throws {
        let found: String? = try database.read { try $0.value("SELECT \("before\0after")") }
        #expect(found == "before\u{FFFD}after")
    }

    @Test(arguments: [
        ("INSERT INTO people VALUES (2, 'Ravi', '1')", "people.number"),
        ("INSERT INTO people VALUES (1, 'Ravi', '2')", "people.id"),
        ("INSERT INTO people VALUES (2, NULL, '2')", "people.name"),
        ("INSERT INTO people VALUES (2, '', '2')", "name <> ''"),
        ("INSERT INTO people VALUES ('x', 'Ravi', '2')", "datatype mismatch"),
        ("INSERT INTO pets VALUES ('Rex', 7)", "FOREIGN KEY constraint failed"),
    ])
    func `what the schema forbids is named`(statement: String, name: String) throws {
        try database.write { try $0.execute("INSERT INTO people VALUES (1, 'Asha', '1')") }
        do {
            try database.write { try $0.execute(SQL(stringLiteral: statement)) }
            Issue.record("it was taken")
        } catch let violation as Database.ConstraintViolation {
            #expect(violation.constraint == name)
        } catch let failed as Database.StatementFailed {
            #expect(failed.logDescription == "SQLite: \(name)")
        }
    }

    @Test func `a mistake in a statement is no outage`() throws {
        #expect(throws: Database.StatementFailed.self) {
            try database.read { try $0.first("SELECT nothing FROM nowhere") }
        }
    }

    @Test func `an error takes back the whole transaction`() throws {
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            try database.write { connection in
                try connection.execute("INSERT INTO people VALUES (1, 'Asha', NULL)")
                throw Stop()
            }
        }
        #expect(try count("people") == 0)
    }

    @Test func `a savepoint takes back what was done in it and nothing else`() throws {
        struct Stop: Error {}
        try database.write { connection in
            try connection.execute("INSERT INTO people VALUES (1, 'Asha', NULL)")
            #expect(throws: Stop.self) {
                try connection.savepoint {
                    try connection.execute("INSERT INTO people VALUES (2, 'Ravi', NULL)")
                    try? connection.savepoint {
                        try connection.execute("INSERT INTO people VALUES (1, 'Asha', NULL)")
                    }
                    throw Stop()
                }
            }
            let kept = try connection.savepoint {
                try connection.execute("INSERT INTO people VALUES (3, 'Meera', NULL)")
                return 3
            }
            #expect(kept == 3)
        }
        let ids = try database.read { try $0.rows("SELECT id FROM people ORDER BY id") }
        #expect(try ids.map { try $0.required("id", as: Int.self) } == [1, 3])
    }

    @Test func `a query may be asked again while its rows are handed over`() throws {
        try database.write { connection in
            try connection.execute("INSERT INTO people (name) VALUES ('A'), ('B'), ('C')")
            let sql: SQL = "SELECT id FROM people ORDER BY id"
            var pairs: [[Int?]] = []
            try connection.forEach(sql) { outer in
                let first: Int? = outer.value(at: 0)
                try connection.forEach(sql) { inner in pairs.append([first, inner.value(at: 0)]) }
            }
            #expect(pairs.count == 9)
        }
    }

    @Test func `a statement that returns rows does its work once`() throws {
        try database.write { connection in
            let id: Int? = try connection.value(
                "INSERT INTO people (name) VALUES ('Asha'), ('Ravi') RETURNING id"
            )
            #expect(id == 1)
        }
        #expect(try count("people") == 2)
    }

    @Test func `a reader sees one state from beginning to end`() throws {
        let other = Database(path: scratch.file("test.db"), requiredVersion: nil)
        try database.read { connection in
            let before: Int? = try connection.value("SELECT count(*) FROM people")
            try other.write { try $0.execute("INSERT INTO people VALUES (1, 'Asha', NULL)") }
            let after: Int? = try connection.value("SELECT count(*) FROM people")
            #expect(before == after)
        }
        #expect(try count("people") == 1)
    }

    @Test func `the database and its WAL stay small while others read all the time`() throws {
        let isDone = Atomic(false)
        let path = scratch.file("test.db")
        try database.write { connection in
            for id in 1...200 {
                let name = String(repeating: "x", count: 3000)
                try connection.execute("INSERT INTO people VALUES (\(id), \(name), NULL)")
            }
        }
        let readers = DispatchGroup()
        for _ in 0..<2 {
            DispatchQueue.global().async(group: readers) {
                let database = Database(path: path, requiredVersion: nil)
                while !isDone.load(ordering: .relaxed) {
                    _ = try? database.read { try $0.rows("SELECT name FROM people LIMIT 50") }
                }
            }
        }
        for round in 0..<150 {
            let name = String(repeating: round % 2 == 0 ? "y" : "z", count: 3000)
            try database.write { try $0.execute("UPDATE people SET name = \(name)") }
        }
        isDone.store(true, ordering: .relaxed)
        readers.wait()
        // 30,000 pages were written, 120 MB; 64 MB is the limit that is promised.
        #expect(scratch.size(of: "test.db-wal") < 33_000_000)
        #expect(try database.read { try $0.value("PRAGMA integrity_check") } == "ok")
    }

    @Test func `a WAL that a slow reader let grow shrinks again`() throws {
        let scratch = try Scratch()
        let database = Database(path: scratch.file("slow.db"), requiredVersion: nil)
        try database.write { try $0.execute("CREATE TABLE t (content TEXT)") }
        func write(_ times: Int) throws {
            let content = String(repeating: "x", count: 400_000)
            for _ in 0..<times {
                try database.write { connection in
                    try connection.execute("INSERT INTO t VALUES (\(content))")
                    try connection.execute("DELETE FROM t")
                }
            }
        }
        try database.read { connection in
            _ = try connection.first("SELECT * FROM t")
            try write(120)
        }
        #expect(scratch.size(of: "slow.db-wal") > 33_554_432)
        try write(30)
        #expect(scratch.size(of: "slow.db-wal") <= 33_554_432)
    }

    private func count(_ table: String) throws -> Int? {
        try database.read { try $0.value(SQL(stringLiteral: "SELECT count(*) FROM \(table)")) }
    }
}
