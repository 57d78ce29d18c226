import Foundation
import Synchronization
import Testing

@testable import Core
@testable import World

/// Core against ``Rules``: random histories, in which everything that can go wrong does.
///
/// `MODEL_HISTORIES=5000` runs more of them than the tests have time for, `MODEL_SEED=…` repeats one.
@Suite struct ModelTests {
    @Test func `in random histories every decision is the one that the rules demand`() throws {
        let seed: UInt64? = Setting.integer("MODEL_SEED")
        let wanted: Int? = Setting.integer("MODEL_HISTORIES")
        let deadline = ContinuousClock.now + (wanted == nil ? .seconds(20) : .seconds(86_400))
        let first = seed ?? Seeded.random().next()
        let next = Atomic<Int>(0)
        let lived = Atomic<Int>(0)
        let count = seed == nil ? wanted ?? 120 : 1
        try inParallel(
            (0..<2).map { _ in
                {
                    while true {
                        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                        guard index < count, ContinuousClock.now < deadline else { return }
                        try ModelTests.live(seed: first &+ UInt64(index))
                        lived.wrappingAdd(1, ordering: .relaxed)
                    }
                }
            }
        )
        let done = lived.load(ordering: .relaxed)
        #expect(done > 0)
        if wanted != nil { print("\(done) histories without a difference, from seed \(first)") }
    }

    private static func live(seed: UInt64) throws {
        let history = try History(seed: seed)
        do {
            try history.run(steps: 120)
        } catch {
            throw History.Difference(
                description: """
                    MODEL_SEED=\(seed) repeats this history.
                    \(history.account.suffix(60).joined(separator: "\n"))
                    \(error)
                    """
            )
        }
    }
}
