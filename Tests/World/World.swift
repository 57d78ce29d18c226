import Foundation

@testable import Core

/// A small world for one test: a real database file, a clock that the test moves, and a Vapi that
/// the test scripts.
final class World: Sendable {
    let database: Database
    let folder: String
    private let time: Lock<Instant>
    private let placements = Lock<[Vapi.Order]>([])
    private let answer = Lock<@Sendable (Vapi.Order) -> Vapi.Placement>({ order in
        .placed(callID: "vapi-\(order.attemptID)", controlURL: nil)
    })
    private let beforeDeparture = Lock<@Sendable (Vapi.Order) -> Void>({ _ in })
    private let atDeparture = Lock<@Sendable (Vapi.Order) -> Void>({ _ in })
    private let known = Lock<[String: JSON]>([:])
    private let isListable = Lock(true)
    private let ended = Lock<[String]>([])

    /// Monday 2026-11-23, 11:00 in India.
    static let monday = Instant(milliseconds: 1_795_411_800_000)

    /// Where files live in memory, for tests of many commits that are not about the disk.
    static let memory =
        FileManager.default.isWritableFile(atPath: "/dev/shm")
        ? "/dev/shm/" : NSTemporaryDirectory()

    init(at start: Instant = World.monday, in place: String = NSTemporaryDirectory()) throws {
        folder = place + "presales-" + Identifier.random()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        time = Lock(start)
        let path = folder + "/test.db"
        try Migrations.apply(toDatabaseAt: path)
        // A busy machine is slow, not wrong.
        database = Database(path: path, patience: .seconds(60))
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    var now: Instant { time.withLock { $0 } }
    func move(by duration: Duration) { time.withLock { $0 += duration } }
    func move(to instant: Instant) { time.withLock { $0 = instant } }

    /// The orders that Vapi got, in order.
    var orders: [Vapi.Order] { placements.withLock { $0 } }

    /// The control addresses at which Vapi was told to end a call, in order.
    var endings: [String] { ended.withLock { $0 } }

    /// What Vapi answers from now on.
    func vapiAnswers(_ body: @escaping @Sendable (Vapi.Order) -> Vapi.Placement) {
        answer.withLock { $0 = body }
    }

    /// What happens while an order is on its way to the door, and while it passes it.
    func orders(
        beforeDeparture before: @escaping @Sendable (Vapi.Order) -> Void = { _ in },
        atDeparture departing: @escaping @Sendable (Vapi.Order) -> Void = { _ in }
    ) {
        beforeDeparture.withLock { $0 = before }
        atDeparture.withLock { $0 = departing }
    }

    /// What Vapi knows of a call, for look-ups and listings.
    func vapiKnows(_ call: JSON) {
        guard let id = call["id"]?.string else { return }
        known.withLock { $0[id] = call }
    }

    /// Whether listings and look-ups work.
    func vapiCanBeAsked(_ isPossible: Bool) { isListable.withLock { $0 = isPossible } }

    var vapi: Vapi {
        Vapi(
            isSimulated: true,
            place: { order, departure in
                self.beforeDeparture.withLock { $0 }(order)
                var hasLeft = false
                departure {
                    self.atDeparture.withLock { $0 }(order)
                    self.placements.withLock { $0.append(order) }
                    hasLeft = true
                }
                guard hasLeft else { return .notSent(.calledOff) }
                return self.answer.withLock { $0 }(order)
            },
            call: { id throws(Vapi.Unreachable) in
                guard self.isListable.withLock({ $0 }) else { throw Vapi.Unreachable("test") }
                return self.known.withLock { $0[id] }
            },
            calls: { _ throws(Vapi.Unreachable) in
                guard self.isListable.withLock({ $0 }) else { throw Vapi.Unreachable("test") }
                return self.known.withLock { Array($0.values) }
            },
            end: { address throws(Vapi.Unreachable) in
                guard self.isListable.withLock({ $0 }) else { throw Vapi.Unreachable("test") }
                self.ended.withLock { $0.append(address) }
            }
        )
    }

    func journey(
        lines: Int = 5,
        gap: Duration = .minutes(45),
        retryPolicy: RetryPolicy = RetryPolicy(),
        channels: Journey.Channels = .init(whatsApp: false, email: false)
    ) throws -> Journey {
        let rules = ContactRules(
            window: try CallingWindow(setting: "auto"),
            lines: lines,
            dialsPerDay: 3,
            dialsPerMonth: 6,
            gap: gap
        )
        let zone = try unwrap(Zone(identifier: "Asia/Kolkata"))
        return Journey(
            gate: ContactGate(rules: rules),
            retryPolicy: retryPolicy,
            channels: channels,
            zone: zone
        )
    }

    func dialer(lines: Int = 5, journey: Journey? = nil) throws -> Dialer {
        Dialer(
            database: database,
            vapi: vapi,
            journey: try journey ?? self.journey(lines: lines),
            locks: try AttemptLocks(path: database.companion("attempts")),
            clock: Clock { self.now }
        )
    }

    /// Adds a lead and returns its uuid.
    @discardableResult
    func lead(
        _ number: String = "+919876543210",
        name: String = "Asha Rao",
        region: String = "IN",
        partner: String? = nil,
        email: String? = nil
    ) throws -> String {
        let uuid = Identifier.random()
        try database.write { connection in
            try connection.execute(
                """
                INSERT INTO leads (lead_uuid, name, number, region, partner, email, created_at,
                last_updated_at) VALUES (\(uuid), \(name), \(number), \(region), \(partner),
                \(email), \(now), \(now))
                """
            )
        }
        return uuid
    }

    /// Promises a call to a lead.
    @discardableResult
    func promise(_ uuid: String, _ kind: DialKind, at dueAt: Instant? = nil) throws -> Int64 {
        try database.write { connection in
            let lead = try unwrap(Contact.find(uuid: uuid, in: connection))
            return try DialRequests.add(
                lead.id,
                kind,
                dueAt: dueAt ?? now,
                now: now,
                in: connection
            )
        }
    }

    func contact(_ uuid: String) throws -> Contact {
        try database.read { try unwrap(Contact.find(uuid: uuid, in: $0)) }
    }

    /// One value of the database.
    func value<T: SQLConvertible>(_ sql: SQL, as type: T.Type = T.self) throws -> T? {
        try database.read { try $0.value(sql) }
    }
}

/// What a test needs was not there.
struct Missing: Error {}

/// Unwraps a value that must be there.
func unwrap<T>(_ value: T?) throws -> T {
    guard let value else { throw Missing() }
    return value
}

/// Runs bodies on a thread each and throws the first error.
func inParallel(_ bodies: [@Sendable () throws -> Void]) throws {
    let failures = Lock<[any Error]>([])
    DispatchQueue.concurrentPerform(iterations: bodies.count) { index in
        do { try bodies[index]() } catch { failures.withLock { $0.append(error) } }
    }
    if let failure = failures.withLock({ $0.first }) { throw failure }
}
