import Foundation
import Testing

@testable import Core

/// What a program says and what its file holds when the disk fails it.
@Suite struct BrokenDiskTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test(.enabled(if: SmallDisk.works))
    func `a full disk loses nothing that was acknowledged, and heals`() throws {
        let run = try SmallDisk.run(
            """
            "$0" append disk/test.db 100000; echo "exit $?"
            "$0" count disk/test.db
            rm disk/ballast
            "$0" append disk/test.db 20 >more; echo "exit $?"
            "$0" count disk/test.db
            """,
            in: scratch
        )
        let acknowledged = run.count { Int($0) != nil } - 2
        #expect(acknowledged > 50)
        #expect(
            run.dropFirst(acknowledged) == [
                "The database cannot be used at the moment. Try again shortly.", "exit 69",
                "\(acknowledged)", "exit 0", "\(acknowledged + 20)",
            ]
        )
    }

    @Test(.enabled(if: Tracer.works), arguments: ["fdatasync", "pwrite64"], [9, 40, 80])
    func `a disk that fails loses nothing that was acknowledged`(call: String, from: Int) throws {
        let path = scratch.file("test.db")
        let probe = try Running(
            "/usr/bin/strace",
            "-f",
            "-o",
            "/dev/null",
            "-e",
            "trace=\(call)",
            "-e",
            "inject=\(call):error=EIO:when=\(from)+",
            try Running.path(of: "store-probe"),
            "append",
            path,
            "1000"
        )
        let (lines, status) = probe.end()
        #expect(status == 69)
        #expect(lines.last == "The database cannot be used at the moment. Try again shortly.")
        let acknowledged = lines.count - 1
        let count = try Running("store-probe", "count", path).end().lines.first
        // The row that was not acknowledged may be there, whole: the disk may have kept it.
        if acknowledged > 0 {
            #expect(["\(acknowledged)", "\(acknowledged + 1)"].contains(count))
        }
        #expect(try Running("store-probe", "append", path, "5").end().status == 0)
    }

    @Test func `a transaction that ran out of disk is not committed by who caught the error`()
        throws
    {
        let database = Database(path: scratch.file("test.db"), requiredVersion: nil)
        try database.write { connection in
            try connection.execute("CREATE TABLE t (content TEXT)")
            try connection.execute("CREATE TABLE log (word TEXT)")
        }
        try database.write { connection in
            let pages: Int = try connection.value("PRAGMA page_count") ?? 0
            try connection.executeScript("PRAGMA max_page_count = \(pages + 4)")
        }
        #expect(throws: Database.Unavailable.self) {
            try database.write { connection in
                try connection.execute("INSERT INTO log VALUES ('before')")
                do {
                    try connection.savepoint {
                        let content = String(repeating: "x", count: 100_000)
                        try connection.execute("INSERT INTO t VALUES (\(content))")
                    }
                } catch is Database.Unavailable {
                    try connection.execute("INSERT INTO log VALUES ('after')")
                }
            }
        }
        let words = try database.read { try $0.rows("SELECT word FROM log") }
        #expect(words.isEmpty)
    }

    @Test func `a file that is no database, or no file at all, is unavailable`() throws {
        try Data(repeating: 7, count: 8192).write(to: URL(filePath: scratch.file("noise.db")))
        try FileManager.default.createDirectory(
            atPath: scratch.file("folder.db"),
            withIntermediateDirectories: false
        )
        for name in ["noise.db", "no/such/folder.db", "folder.db"] {
            let database = Database(path: scratch.file(name), requiredVersion: nil)
            #expect(throws: Database.Unavailable.self) { try database.read { _ in } }
        }
    }
}

/// A disk of 4 MB in a mount namespace of its own, half of it taken by a file named ballast.
enum SmallDisk {
    static let works: Bool = {
        guard let scratch = try? Scratch() else { return false }
        return (try? run("echo ready", in: scratch)) == ["ready"]
    }()

    /// What a shell script prints; `$0` is the probe.
    static func run(_ script: String, in scratch: Scratch) throws -> [String] {
        let mount = """
            cd '\(scratch.path)' && mkdir disk && mount -t tmpfs -o size=4m none disk &&
            head -c 2000000 /dev/zero >disk/ballast || exit 1
            """
        let probe = try Running.path(of: "store-probe")
        return try withExtendedLifetime(scratch) {
            let shell = try Running(
                "/usr/bin/unshare",
                getuid() == 0 ? "-m" : "-rm",
                "/bin/sh",
                "-c",
                "\(mount)\n\(script)",
                probe
            )
            return shell.end().lines
        }
    }
}
