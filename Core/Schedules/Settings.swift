/// Values that people change at run time, each a JSON text under a name.
enum Settings {
    static func value(_ name: String, in connection: Connection) throws -> JSON? {
        let text: String? = try connection.value(
            "SELECT value FROM settings WHERE name = \(name)"
        )
        return text.flatMap { try? JSON(parsing: $0) }
    }

    /// All values whose names begin alike, in the order of their names.
    static func values(
        withPrefix prefix: String,
        in connection: Connection
    ) throws -> [(name: String, value: JSON)] {
        try connection.rows(
            """
            SELECT name, value FROM settings
            WHERE name >= \(prefix) AND name < \(prefix + "\u{10FFFF}") ORDER BY name
            """
        ).compactMap { row in
            guard let value = try? JSON(parsing: row.required("value", as: String.self))
            else { return nil }
            return (try row.required("name"), value)
        }
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
