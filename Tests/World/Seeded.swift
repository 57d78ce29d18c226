@testable import Core

/// Random numbers that can be had again: a failing test prints the seed.
final class Seeded: Sendable {
    let seed: UInt64
    private let state: Lock<UInt64>

    init(seed: UInt64) {
        self.seed = seed
        state = Lock(seed)
    }

    static func random() -> Seeded { Seeded(seed: UInt64.random(in: 1...UInt64.max)) }

    /// The next number (splitmix64).
    func next() -> UInt64 {
        state.withLock { state in
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    /// A number from 0 to `limit - 1`.
    func next(below limit: Int) -> Int { Int(next() % UInt64(limit)) }
}
