import Foundation
import GRDB
import Synchronization

/// Writes that come at the same time share one transaction, and so one wait for the disk.
///
/// Each runs in a savepoint of its own, on its own thread: one that fails takes back what it did and
/// nothing else. Whoever sees nobody behind itself commits for all, and none of them returns before
/// that. A write that comes alone costs what it would without this.
final class GroupCommit: Sendable {
    /// How many writes one transaction takes, and how long it goes on taking them: writers of other
    /// processes wait meanwhile.
    private static let limit = (writes: 32, time: Duration.milliseconds(10))

    private let writer: DatabaseQueue
    private let turn: WriteTurn
    private let checkpointer: Checkpointer
    /// How many threads have yet to get hold of the writer.
    private let waiting = Atomic(0)
    private let current = Mutex<Group?>(nil)

    init(writer: DatabaseQueue, turn: WriteTurn, checkpointer: Checkpointer) {
        self.writer = writer
        self.turn = turn
        self.checkpointer = checkpointer
    }

    /// Runs `body` in a transaction that is durable when this returns.
    ///
    /// - Throws: ``Database/Unavailable``; what `body` throws.
    func write<T>(by deadline: ContinuousClock.Instant, _ body: (Connection) throws -> T) throws
        -> T
    {
        waiting.add(1, ordering: .sequentiallyConsistent)
        let (result, group) = try writer.writeWithoutTransaction { handle in
            waiting.subtract(1, ordering: .sequentiallyConsistent)
            let connection = Connection(handle: handle)
            let group = try current.withLock { $0 } ?? begun(by: deadline, connection)
            let result = Result { try group.add(body, in: connection) }
            let isUndone = !connection.isInTransaction
            let isFull =
                group.writes == GroupCommit.limit.writes
                || ContinuousClock.now - group.begun > GroupCommit.limit.time
            if isUndone || isFull || waiting.load(ordering: .sequentiallyConsistent) == 0 {
                end(group, connection)
            }
            return (result, group)
        }
        let value = try result.get()
        try group.wait()
        return value
    }

    private func begun(by deadline: ContinuousClock.Instant, _ connection: Connection) throws
        -> Group
    {
        try turn.take(by: deadline)
        do {
            try connection.begin()
        } catch {
            turn.release()
            throw error
        }
        let group = Group()
        current.withLock { $0 = group }
        return group
    }

    private func end(_ group: Group, _ connection: Connection) {
        current.withLock { $0 = nil }
        let outcome = Result { try connection.commit() }
        group.end(outcome)
        if case .success = outcome { checkpointer.afterCommit(on: connection.handle) }
        turn.release()
    }
}

/// The writes that share a transaction.
private final class Group: Sendable {
    let begun = ContinuousClock.now
    private let count = Atomic(0)
    private let outcome = Mutex<Result<Void, any Error>?>(nil)
    private let isOver = DispatchSemaphore(value: 0)

    var writes: Int { count.load(ordering: .relaxed) }

    /// Runs a write; one that fails leaves no trace.
    func add<T>(_ body: (Connection) throws -> T, in connection: Connection) throws -> T {
        let isFirst = count.add(1, ordering: .relaxed).oldValue == 0
        // The first needs no savepoint: what it did is undone with the transaction.
        guard isFirst else { return try connection.savepoint { try body(connection) } }
        do {
            return try body(connection)
        } catch {
            connection.rollBack()
            throw error
        }
    }

    func end(_ outcome: Result<Void, any Error>) {
        self.outcome.withLock { $0 = outcome }
        isOver.signal()
    }

    /// Waits until the transaction is on the disk.
    ///
    /// - Throws: ``Database/Unavailable`` when it could not be committed.
    func wait() throws {
        isOver.wait()
        isOver.signal()  // for the next who waits
        try outcome.withLock { $0 }?.get()
    }
}
