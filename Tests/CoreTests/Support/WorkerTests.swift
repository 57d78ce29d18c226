import Testing

@testable import Core
@testable import World

@Suite struct WorkerTests {
    @Test func `work is done in its order, and each piece tells what came of it`() throws {
        let worker = try unwrap(Core.Worker())
        let done = Lock<[Int]>([])
        let results = (0..<100).map { number in
            worker.begin {
                done.withLock { $0.append(number) }
                if number % 10 == 3 { throw Missing() }
                return number
            }
        }
        for (number, result) in results.enumerated() {
            if number % 10 == 3 {
                #expect(throws: Missing.self) { try result.wait() }
            } else {
                #expect(try result.wait() == number)
            }
        }
        #expect(done.withLock { $0 } == Array(0..<100))
    }

    @Test func `who lets a worker go waits for what was begun`() throws {
        let begun = Semaphore()
        let mayEnd = Semaphore()
        let isDone = Lock(false)
        var worker = Core.Worker()
        let result = worker?.begin {
            begun.signal()
            mayEnd.wait()
            // Long enough for the other thread to be done first, if it did not wait.
            var number: UInt64 = 1
            for _ in 0..<20_000_000 { number = number ^ number << 7 ^ number >> 9 }
            isDone.withLock { $0 = number != 0 }
        }
        begun.wait()
        mayEnd.signal()
        worker = nil
        #expect(isDone.withLock { $0 })
        _ = try result?.wait()
    }
}
