import CSanitizer
import Foundation
import Synchronization

/// A value that one thread at a time uses: Synchronization's `Mutex`, of which ThreadSanitizer knows.
///
/// On Linux that one and libdispatch wait in the kernel by themselves, so the sanitizer takes whatever
/// they guard for a race.
struct Lock<Value: ~Copyable>: ~Copyable, Sendable {
    private let mutex: Mutex<Value>
    private let mark = Mark()

    init(_ value: consuming sending Value) { mutex = Mutex(value) }

    /// Runs `body` while no other thread uses the value.
    borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try mutex.withLock { value throws(Failure) -> sending Result in
            mark.acquire()
            defer { mark.release() }
            return try body(&value)
        }
    }
}

/// A semaphore of whose order ThreadSanitizer knows.
final class Semaphore: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let mark = Mark()

    /// Lets one thread through that waits, or will.
    func signal() {
        mark.release()
        semaphore.signal()
    }

    /// Waits for a ``signal()`` that lets nobody else through.
    func wait() {
        semaphore.wait()
        mark.acquire()
    }
}

/// What ThreadSanitizer goes by: an address that is nobody else's.
private final class Mark: Sendable {
    func acquire() { CSanitizerAcquire(address) }
    func release() { CSanitizerRelease(address) }

    private var address: UnsafeRawPointer {
        UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
    }
}
