import CFileLock
import Glibc
import Synchronization

/// The turn to write, of which there is one for all processes that use a database.
///
/// It takes the place of SQLite's own waiting, whose back-off starves the oldest waiter for seconds.
/// A lock on the file is the turn itself. Locks alone are not fair: whoever happens to run when one
/// comes free takes it, and with more processes than cores that is who had it last. So each process
/// draws a ticket, locks the byte of the file that bears its number, and waits for the byte before
/// its own: the kernel wakes exactly the next in line. It also frees all locks of a process that
/// dies; should one die in line, those behind it may overtake, but there is still one turn.
final class WriteTurn: Sendable {
    private let descriptor: Int32
    /// The ticket of whoever has the turn in this process.
    private let held = Atomic(0)

    /// - Throws: ``Database/Unavailable``.
    init(ofDatabaseAt path: String) throws {
        descriptor = open("\(path).turn", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw WriteTurn.unavailable(code: errno) }
    }

    deinit { close(descriptor) }

    /// Runs `body` while no other process writes.
    ///
    /// Threads of one process must take care of each other: the locks are the process's.
    /// - Throws: ``Database/Unavailable`` when the turn has not come by the deadline; what `body`
    ///   throws.
    func hold<T>(by deadline: ContinuousClock.Instant, _ body: () throws -> T) throws -> T {
        try take(by: deadline)
        defer { release() }
        return try body()
    }

    /// Waits for the turn; whoever gets it must ``release()`` it.
    ///
    /// - Throws: ``Database/Unavailable`` when the turn has not come by the deadline.
    func take(by deadline: ContinuousClock.Instant) throws {
        let ticket = try drawTicket(by: deadline)
        do {
            try lock(place(of: ticket - 1), by: deadline)
            CFileLockGive(descriptor, place(of: ticket - 1))
            try lock(WriteTurn.wholeFile, by: deadline)
            held.store(ticket, ordering: .relaxed)
        } catch {
            CFileLockGive(descriptor, place(of: ticket))
            throw error
        }
    }

    /// Gives the turn to the next in line.
    func release() {
        CFileLockGive(descriptor, WriteTurn.wholeFile)
        CFileLockGive(descriptor, place(of: held.load(ordering: .relaxed)))
    }

    /// The number after the last one drawn, which the file holds.
    private func drawTicket(by deadline: ContinuousClock.Instant) throws -> Int {
        try lock(WriteTurn.dispenser, by: deadline)
        defer { CFileLockGive(descriptor, WriteTurn.dispenser) }
        var ticket = 0
        pread(descriptor, &ticket, MemoryLayout<Int>.size, 0)
        ticket = abs(ticket % (1 << 40)) + 1
        pwrite(descriptor, &ticket, MemoryLayout<Int>.size, 0)
        try lock(place(of: ticket), by: deadline)
        return ticket
    }

    private func place(of ticket: Int) -> Int { WriteTurn.dispenser + 1 + ticket }

    private func lock(_ place: Int, by deadline: ContinuousClock.Instant) throws {
        let patience = max(.zero, deadline - .now)
        let code = CFileLockTake(descriptor, place, Int(patience.milliseconds))
        guard code == 0 else { throw WriteTurn.unavailable(code: code) }
    }

    private static let wholeFile = CFileLockWholeFile
    /// The byte that who draws a ticket locks.
    private static let dispenser = 0

    private static func unavailable(code: Int32) -> Database.Unavailable {
        .init(cause: "no write turn: \(String(cString: strerror(code)))")
    }
}
