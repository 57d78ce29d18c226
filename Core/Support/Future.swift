import Foundation

/// Work that a thread of its own does, and what comes of it.
final class Future<Value: Sendable>: Sendable {
    private let result = Lock<Result<Value, any Error>?>(nil)
    private let isDone = Semaphore()

    /// Begins to work.
    init(_ work: @escaping @Sendable () throws -> Value) {
        Thread.detachNewThread { [self] in
            let result = Result { try work() }
            self.result.withLock { $0 = result }
            isDone.signal()
        }
    }

    /// Waits for the work to end, and returns what came of it; asked once.
    ///
    /// - Throws: What the work threw.
    func wait() throws -> Value? {
        isDone.wait()
        return try result.withLock { $0 }?.get()
    }
}
