import Foundation
import Synchronization

/// A value that one thread at a time uses.
///
/// Synchronization's `Mutex` alone hands itself over to the thread that waits longest, so once two have
/// met each of them has to be woken in turn, which was an eighth of a list's time. Whoever runs takes
/// `NSLock`, and ThreadSanitizer knows of it.
struct Lock<Value: ~Copyable>: ~Copyable, Sendable {
    private let lock = NSLock()
    /// Makes the value safe in the compiler's eyes; nobody ever waits for it.
    private let value: Mutex<Value>

    init(_ value: consuming sending Value) { self.value = Mutex(value) }

    /// Runs `body` while no other thread uses the value.
    borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        lock.lock()
        defer { lock.unlock() }
        return try value.withLock(body)
    }
}

/// Lets through as many threads as it is told to.
///
/// libdispatch's does so, too, but not for ThreadSanitizer, which takes whatever it guards for a race.
final class Semaphore: Sendable {
    private let condition = NSCondition()
    private let permits = Mutex(0)

    /// Lets one thread through that waits, or will.
    func signal() {
        condition.lock()
        permits.withLock { $0 += 1 }
        condition.signal()
        condition.unlock()
    }

    /// Waits for a ``signal()`` that lets nobody else through.
    func wait() {
        condition.lock()
        while permits.withLock({ $0 == 0 }) { condition.wait() }
        permits.withLock { $0 -= 1 }
        condition.unlock()
    }
}
