/// Values that people change at run time, each a JSON text under a name.
enum Settings {
    static func value(_ name: String, in connection: Connection) throws -> JSON? {
        let text: String? = try connection.value(
            "SELECT value FROM settings WHERE name = \(name)"
        )
        return text.flatMap { try? JSON(parsing: $0) }
    }

    static func set(_ name: String, _ value: JSON?, now: Instant, in connection: Connection) throws
    {
        guard let value else {
            try connection.execute("DELETE FROM settings WHERE name = \(name)")
            return
        }
        try connection.execute(
            """
            INSERT INTO settings (name, value, updated_at) VALUES (\(name), \(value.text), \(now))
            ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
            """
        )
    }
}

/// Who changed what, for the day somebody asks.
///
/// Append-only.
enum AuditLog {
    static func add(
        _ action: String,
        by actor: String,
        detail: JSON,
        now: Instant,
        in connection: Connection
    ) throws {
        try connection.execute(
            """
            INSERT INTO audit_log (at, actor, action, detail)
            VALUES (\(now), \(actor), \(action), \(detail.text))
            """
        )
    }
}

/// The global pause: while it lasts nobody is dialed.
///
/// People set it, and so does a refusal that would befall every call (our key, our credits, our
/// configuration): our own faults must not burn people.
public struct Pause: Sendable, Equatable {
    /// Why, as a sentence.
    public let reason: String
    public let since: Instant
    /// When it ends by itself, if it does.
    public let until: Instant?

    private static let name = "pause"

    /// The pause in force, or `nil`.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func current(in connection: Connection, now: Instant) throws -> Pause? {
        guard let value = try Settings.value(name, in: connection),
            let reason = value["reason"]?.string, let since = value["since"]?.integer
        else { return nil }
        let until = value["until"]?.integer.map(Instant.init(milliseconds:))
        if let until, until <= now { return nil }
        return Pause(reason: reason, since: Instant(milliseconds: since), until: until)
    }

    /// Pauses all dialing; a pause in force stays as it is.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func set(
        because reason: String,
        until: Instant? = nil,
        by actor: String,
        now: Instant,
        in connection: Connection
    ) throws {
        guard try current(in: connection, now: now) == nil else { return }
        try Settings.set(
            name,
            [
                "reason": .string(reason), "since": .integer(now.milliseconds),
                "until": JSON(until?.milliseconds),
            ],
            now: now,
            in: connection
        )
        try AuditLog.add(
            "pause",
            by: actor,
            detail: ["reason": .string(reason)],
            now: now,
            in: connection
        )
    }

    /// Resumes dialing.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func end(by actor: String, now: Instant, in connection: Connection) throws {
        guard try Settings.value(name, in: connection) != nil else { return }
        try Settings.set(name, nil, now: now, in: connection)
        try AuditLog.add("resume", by: actor, detail: [:], now: now, in: connection)
    }
}
