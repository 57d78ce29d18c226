import Foundation
import Synchronization
import Testing

@testable import Core

@Suite struct WriteTurnTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func `who waits too long for the turn is told so in a sentence`() throws {
        let holder = try Running("store-probe", "hold", scratch.file("test.db"))
        #expect(holder.line() == "holding")
        let database = Database(
            path: scratch.file("test.db"),
            requiredVersion: nil,
            patience: .milliseconds(50)
        )
        let started = ContinuousClock.now
        do {
            try database.write { try $0.execute("CREATE TABLE t (n INTEGER)") }
            Issue.record("it was written")
        } catch let error as Database.Unavailable {
            #expect(error.sentence.hasSuffix("Try again shortly."))
            #expect(error.logDescription.hasPrefix("no write turn"))
        }
        #expect(ContinuousClock.now - started > .milliseconds(40))
    }

    @Test func `a process that is killed gives the turn free at once`() throws {
        let holder = try Running("store-probe", "hold", scratch.file("test.db"))
        #expect(holder.line() == "holding")
        let waiter = try Running("store-probe", "append", scratch.file("test.db"), "1")
        holder.kill()
        let (lines, status) = waiter.end()
        #expect(lines == ["1"])
        #expect(status == 0)
    }

    @Test func `the threads of one process do not wait one after the other beyond the patience`()
        throws
    {
        let database = Database(
            path: scratch.file("test.db"),
            requiredVersion: nil,
            patience: .seconds(1)
        )
        try database.write { try $0.execute("CREATE TABLE t (n INTEGER)") }
        let holder = try Running("store-probe", "hold", scratch.file("test.db"))
        #expect(holder.line() == "holding")
        let started = ContinuousClock.now
        let waiters = (0..<8).compactMap { _ in Core.Worker() }
        try #require(waiters.count == 8)
        let writes = waiters.map { waiter in
            waiter.begin { try database.write { try $0.execute("INSERT INTO t VALUES (1)") } }
        }
        for write in writes {
            #expect(throws: Database.Unavailable.self) { try write.wait() }
        }
        // One after the other they would need 8 seconds.
        #expect(ContinuousClock.now - started < .seconds(6))
    }

    @Test func `the turn comes to those who wait in the order in which they came`() throws {
        let path = scratch.file("test.db")
        let deadline = ContinuousClock.now + .seconds(60)
        let order = Lock<[Int]>([])
        let waiters = DispatchGroup()
        try WriteTurn(ofDatabaseAt: path).hold(by: deadline) {
            for number in 0..<12 {
                let turn = try WriteTurn(ofDatabaseAt: path)
                let drawn = drawnTickets(path)
                let thread = Thread {
                    try? turn.hold(by: deadline) { order.withLock { $0.append(number) } }
                    waiters.leave()
                }
                waiters.enter()
                thread.start()
                while drawnTickets(path) == drawn { usleep(500) }
            }
        }
        waiters.wait()
        #expect(order.withLock { $0 } == Array(0..<12))
    }

    @Test func `those behind a waiter who gives up or dies still get their turn`() throws {
        let path = scratch.file("test.db")
        let holder = try Running("store-probe", "hold", path)
        #expect(holder.line() == "holding")
        let dying = try Running("store-probe", "append", path, "1")
        let impatient = Thread {
            let turn = try? WriteTurn(ofDatabaseAt: path)
            try? turn?.hold(by: .now + .milliseconds(20)) {}
        }
        impatient.start()
        let waiter = try Running("store-probe", "append", path, "1")
        dying.kill()
        holder.kill()
        #expect(waiter.end().status == 0)
    }

    @Test func `no two hold the turn at once`() throws {
        let path = scratch.file("test.db")
        let inside = Atomic(0)
        let most = Atomic(0)
        let total = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            guard let turn = try? WriteTurn(ofDatabaseAt: path) else { return }
            for _ in 0..<200 {
                try? turn.hold(by: .now + .seconds(60)) {
                    let now = inside.add(1, ordering: .sequentiallyConsistent).newValue
                    most.max(now, ordering: .relaxed)
                    total.add(1, ordering: .relaxed)
                    inside.subtract(1, ordering: .sequentiallyConsistent)
                }
            }
        }
        #expect(most.load(ordering: .relaxed) == 1)
        #expect(total.load(ordering: .relaxed) == 1600)
    }

    /// How many tickets were drawn; the file may be opened by other means, its locks are not POSIX's.
    private func drawnTickets(_ path: String) -> [UInt8] {
        (try? File.read("\(path).turn", limit: 8)) ?? []
    }
}
