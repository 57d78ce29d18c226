import Glibc

/// A thread beside its owner's, which does one piece of work after another.
///
/// It ends with its owner, who waits for the work that was begun.
final class Worker: Sendable {
    private typealias Work = @Sendable () -> Void

    /// What both threads hold.
    private final class Queue: Sendable {
        /// Nil stands for the end.
        private let waiting = Lock<[Work?]>([])
        private let isThereWork = Semaphore()
        let isOver = Semaphore()

        func append(_ work: Work?) {
            waiting.withLock { $0.append(work) }
            isThereWork.signal()
        }

        func run() {
            while true {
                isThereWork.wait()
                guard let work = waiting.withLock({ $0.removeFirst() }) else { break }
                work()
            }
            isOver.signal()
        }
    }

    private let queue = Queue()

    /// Starts the thread; nil when the system has none to spare, which Foundation's does not tell.
    init?() {
        let context = Unmanaged.passRetained(queue)
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            nil,
            { context in
                if let context { Unmanaged<Queue>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            },
            context.toOpaque()
        )
        guard code == 0 else {
            context.release()
            queue.isOver.signal()
            return nil
        }
        pthread_detach(thread)
    }

    deinit {
        queue.append(nil)
        queue.isOver.wait()
    }

    /// Work that was begun, and what comes of it.
    final class Result<Value: Sendable>: Sendable {
        private let result = Lock<Swift.Result<Value, any Error>?>(nil)
        private let isKnown = Semaphore()

        fileprivate init() {}

        fileprivate func become(_ result: Swift.Result<Value, any Error>) {
            self.result.withLock { $0 = result }
            isKnown.signal()
        }

        /// Waits for the work to end; may be asked once.
        ///
        /// - Throws: What the work threw.
        func wait() throws -> Value? {
            isKnown.wait()
            return try result.withLock { $0 }?.get()
        }
    }

    /// Does some work once what was begun before is done.
    func begin<Value>(_ work: @escaping @Sendable () throws -> Value) -> Result<Value> {
        let result = Result<Value>()
        queue.append { result.become(Swift.Result { try work() }) }
        return result
    }
}
