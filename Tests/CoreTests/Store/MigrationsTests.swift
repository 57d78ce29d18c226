import Foundation
import Synchronization
import Testing

@testable import Core

@Suite struct MigrationsTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let steps = [
        // Every write looks at the counter of changes.
        Migrations.Migration(
            name: "first",
            statements: """
                CREATE TABLE a (n INTEGER) STRICT;
                CREATE TABLE change_counter (is_taken INTEGER) STRICT;
                """
        ),
        Migrations.Migration(
            name: "second",
            statements: "CREATE TABLE b (n INTEGER) STRICT; INSERT INTO b VALUES (1), (2);"
        ),
    ]

    @Test func `each step is applied once, in order`() throws {
        let path = scratch.file("test.db")
        #expect(try Migrations.apply(Array(Self.steps.prefix(1)), toDatabaseAt: path) == ["first"])
        #expect(try Migrations.apply(Self.steps, toDatabaseAt: path) == ["second"])
        #expect(try Migrations.apply(Self.steps, toDatabaseAt: path) == [])
        let database = Database(path: path, requiredVersion: 2)
        #expect(try database.read { try $0.value("SELECT count(*) FROM b") } == 2)
    }

    @Test func `a step that fails leaves nothing behind and the steps before it applied`() throws {
        let path = scratch.file("test.db")
        let broken = Migrations.Migration(
            name: "broken",
            statements: "CREATE TABLE b (n INTEGER) STRICT; INSERT INTO nowhere VALUES (1);"
        )
        #expect(throws: Database.StatementFailed.self) {
            try Migrations.apply([Self.steps[0], broken], toDatabaseAt: path)
        }
        #expect(try Migrations.apply(Self.steps, toDatabaseAt: path) == ["second"])
    }

    @Test func `a program refuses an older schema until it is migrated, and says so`() throws {
        let path = scratch.file("test.db")
        try Migrations.apply(Array(Self.steps.prefix(1)), toDatabaseAt: path)
        let database = Database(path: path, requiredVersion: 2)
        for _ in 0..<2 {
            #expect(try database.version() == 1)
            do {
                try database.read { _ in }
                Issue.record("it was read")
            } catch let error as Database.Unavailable {
                let response = FastCGI.answer(to: error)
                #expect(response.status == 503)
                #expect(error.sentence == "The database is being upgraded. Try again in a moment.")
            }
        }
        try Migrations.apply(Self.steps, toDatabaseAt: path)
        #expect(try database.read { try $0.value("SELECT count(*) FROM b") } == 2)
    }

    @Test func `a program works on a schema that is newer than it knows`() throws {
        let path = scratch.file("test.db")
        try Migrations.apply(Self.steps, toDatabaseAt: path)
        let database = Database(path: path, requiredVersion: 1)
        try database.write { try $0.execute("INSERT INTO a VALUES (7)") }
        #expect(try database.read { try $0.value("SELECT n FROM a") } == 7)
    }

    @Test func `several migrators at once apply each step once`() throws {
        let path = scratch.file("test.db")
        let applied = Lock<[String]>([])
        let failures = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: 6) { _ in
            do {
                let names = try Migrations.apply(Self.steps, toDatabaseAt: path)
                applied.withLock { $0 += names }
            } catch {
                failures.add(1, ordering: .relaxed)
            }
        }
        #expect(failures.load(ordering: .relaxed) == 0)
        #expect(applied.withLock { $0.sorted() } == ["first", "second"])
    }

    @Test func `two migrator processes on a new file both succeed`() throws {
        let path = scratch.file("test.db")
        let migrators = try (0..<3).map { _ in try Running("store-probe", "migrate", path) }
        for migrator in migrators { #expect(migrator.end().status == 0) }
        #expect(try Database(path: path).version() == Migrations.all.count)
    }

    /// The calls by which SQLite changes files: killed before each of them once, the migrator has been
    /// killed at every point that can make a difference.
    @Test(.enabled(if: Tracer.works), arguments: ["pwrite64", "fdatasync", "ftruncate,unlink"])
    func `killed at any point, a migration is finished by the next`(calls: String) throws {
        for number in 1... {
            let path = scratch.file("\(calls)-\(number).db")
            let injection = "inject=\(calls):signal=SIGKILL:when=\(number)"
            let migrator = try Running(
                "/usr/bin/strace",
                "-f",
                "-o",
                "/dev/null",
                "-e",
                "trace=\(calls)",
                "-e",
                injection,
                try Running.path(of: "store-probe"),
                "migrate",
                path
            )
            let isOver = migrator.end().status == 0
            try Migrations.apply(toDatabaseAt: path)
            let database = Database(path: path)
            #expect(try database.version() == Migrations.all.count)
            #expect(try database.read { try $0.value("PRAGMA integrity_check") } == "ok")
            try database.write { try $0.execute("INSERT INTO settings VALUES ('a', 'b', 0)") }
            if isOver { return }
        }
    }
}

/// Whether this machine lets a program be traced.
enum Tracer {
    static let works: Bool = {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/strace") else { return false }
        let traced = try? Running("/usr/bin/strace", "-o", "/dev/null", "/bin/true")
        return traced?.end().status == 0
    }()
}
