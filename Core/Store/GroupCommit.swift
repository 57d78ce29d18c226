import Foundation
import GRDB

/// Writes that come at the same time share one transaction, and so one wait for the disk.
///
/// One thread leads: it takes the turn, runs its own write and all that have come meanwhile, each in a
/// savepoint of its own, commits for all of them, and leaves the lead to the first that has come since.
/// A write that fails takes back what it did and nothing else, and no write returns before it is
/// durable. That one thread runs them all costs each of the others a single wait: passing the
/// connection from thread to thread took longer than the writes themselves. A write that comes alone
/// costs what it would without this.
final class GroupCommit: Sendable {
    /// How many writes one transaction takes, and how long it goes on taking them: writers of other
    /// processes wait meanwhile.
    private static let limit = (writes: 32, time: Duration.milliseconds(10))

    private struct State {
        /// Writes that nobody has run yet, in the order in which they came.
        var waiting: [Write.Reference] = []
        /// Whether a thread leads, or has been told to.
        var isLed = false
        /// The thread that runs writes now.
        var leader: pthread_t?
    }

    private let writer: DatabaseQueue
    private let turn: WriteTurn
    private let checkpointer: Checkpointer
    private let state = Lock(State())

    init(writer: DatabaseQueue, turn: WriteTurn, checkpointer: Checkpointer) {
        self.writer = writer
        self.turn = turn
        self.checkpointer = checkpointer
    }

    /// Runs `body` in a transaction that is durable when this returns.
    ///
    /// Another thread may run it, while this one waits.
    ///
    /// - Throws: ``Database/Unavailable``; ``Database/StatementFailed`` inside another write, which
    ///   would wait for itself; what `body` throws.
    func write<T>(by deadline: ContinuousClock.Instant, _ body: (Connection) throws -> T) throws
        -> T
    {
        var result: T?
        try withoutActuallyEscaping(body) { body in
            let write = Write(deadline: deadline) { result = try body($0) }
            let leads = try state.withLock { state in
                guard state.leader != pthread_self() else { throw GroupCommit.nested }
                state.waiting.append(write.reference)
                defer { state.isLed = true }
                return !state.isLed
            }
            if !leads { write.wait() }
            if !write.isDone { lead(write) }
            try write.finish()
        }
        guard let result else { throw Connection.undone }
        return result
    }

    /// Carries out the writes that wait, of which the leader's own is the first.
    private func lead(_ own: Write) {
        var group: [Write] = []
        state.withLock { $0.leader = pthread_self() }
        let outcome = Result {
            try writer.writeWithoutTransaction { handle in
                let connection = Connection(handle: handle)
                try turn.take(by: own.deadline)
                defer { turn.release() }
                try connection.begin()
                let begun = ContinuousClock.now
                while connection.isInTransaction, group.count < GroupCommit.limit.writes,
                    ContinuousClock.now - begun <= GroupCommit.limit.time || group.isEmpty,
                    let write = next()
                {
                    group.append(write)
                    write.run(in: connection, isFirst: group.count == 1)
                }
                try connection.commit()
                checkpointer.afterCommit(on: handle)
            }
        }
        // Where not even the turn was to be had.
        if group.isEmpty, let write = next() { group = [write] }
        // The next can begin while these return.
        leaveLead()?.wake()
        for write in group { write.end(outcome) }
    }

    private static let nested = Database.StatementFailed(
        logDescription: "a write inside another write"
    )

    private func next() -> Write? {
        state.withLock { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }?.write
    }

    /// Whose turn to lead it is, if anybody waits.
    private func leaveLead() -> Write? {
        state.withLock { state in
            state.leader = nil
            state.isLed = !state.waiting.isEmpty
            return state.waiting.first
        }?.write
    }
}

/// A write that waits to be carried out, on the stack of the thread that wants it.
private final class Write {
    /// Names a write to other threads, until the write has been ended: so long the thread waits whose
    /// it is.
    struct Reference: Sendable {
        fileprivate let address: UInt

        var write: Write {
            // Never 0: it was made of an object.
            let pointer = UnsafeRawPointer(bitPattern: address).unsafelyUnwrapped
            return Unmanaged<Write>.fromOpaque(pointer).takeUnretainedValue()
        }
    }

    let deadline: ContinuousClock.Instant
    private var body: ((Connection) throws -> Void)?
    private var failure: (any Error)?
    /// Whether it is over, for better or worse; what a leader does to it happens before ``wait()``
    /// returns.
    private(set) var isDone = false
    private let wakes = Semaphore()

    init(deadline: ContinuousClock.Instant, _ body: @escaping (Connection) throws -> Void) {
        self.deadline = deadline
        self.body = body
    }

    var reference: Reference {
        Reference(address: UInt(bitPattern: Unmanaged.passUnretained(self).toOpaque()))
    }

    /// Runs the write; one that fails leaves no trace.
    func run(in connection: Connection, isFirst: Bool) {
        do {
            // The first needs no savepoint: what it did is undone with the transaction.
            guard isFirst else { return try connection.savepoint { try body?(connection) } }
            try body?(connection)
        } catch {
            failure = error
            if isFirst { connection.rollBack() }
        }
    }

    /// Ends the write as the transaction ended; its own failure counts first.
    func end(_ outcome: Result<Void, any Error>) {
        if case .failure(let error) = outcome, failure == nil { failure = error }
        isDone = true
        wake()
    }

    func wake() { wakes.signal() }

    /// Waits until the write is done, or is to lead.
    func wait() { wakes.wait() }

    /// Lets go of what was to be done: a leader may hold on to this object a little longer.
    ///
    /// - Throws: what went wrong.
    func finish() throws {
        body = nil
        if let failure { throw failure }
    }
}
