import Glibc

/// Where a program gets the time from; everything below `main` is given an ``Instant``.
public struct Clock: Sendable {
    /// The time now.
    public var now: @Sendable () -> Instant

    /// Creates a clock from a closure.
    public init(now: @escaping @Sendable () -> Instant) { self.now = now }

    /// A clock that stands still.
    public static func fixed(_ instant: Instant) -> Clock { Clock { instant } }

    /// The system's clock.
    public static let system = Clock {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// The system's clock plus the milliseconds that a file holds, read anew each time, so that one
    /// file moves every process of a rehearsal together.
    ///
    /// An unreadable file adds nothing.
    public static func offset(byFile path: String) -> Clock {
        Clock {
            let text = (try? File.read(path, limit: 32)).map { String(decoding: $0, as: UTF8.self) }
            let offset = text.flatMap { Int64($0.trimmingSpace()) } ?? 0
            return Instant(milliseconds: system.now().milliseconds + offset)
        }
    }

    /// The clock that the configuration asks for: `CLOCK_OFFSET_FILE`, else the system's.
    ///
    /// - Throws: ``Environment/Invalid`` when time is moved although calls would reach real people.
    public init(environment: Environment) throws {
        guard let path = environment["CLOCK_OFFSET_FILE"] else {
            self = .system
            return
        }
        let provider = try environment.address("VAPI_BASE_URL", default: Vapi.publicAddress)
        guard Rehearsal.isLoopback(provider) else {
            throw Environment.Invalid(
                "CLOCK_OFFSET_FILE is for rehearsals; VAPI_BASE_URL must then be on this machine."
            )
        }
        self = .offset(byFile: path)
    }
}
