/// What keeps a rehearsal away from real people.
///
/// Its database is marked once, before it holds anybody, and never unmarked. From then on nobody is
/// dialed from it unless the provider is on this very machine; and invented leads and a moved clock
/// exist only there.
public enum Rehearsal {
    /// Why a database cannot become a rehearsal's: it already holds leads, who may be real people.
    public struct HasLeads: LogSafeError, Equatable {
        public let logDescription =
            "The database already holds leads, so it cannot become a rehearsal's. Use a new one."
    }

    private static let setting = "rehearsal"

    /// Marks a database that holds nobody yet; marking it again changes nothing.
    ///
    /// - Throws: ``HasLeads``, ``Database/Unavailable``.
    public static func mark(_ database: Database, now: Instant) throws {
        try database.write { connection in
            guard try !isMarked(in: connection) else { return }
            // Deleted leads count: their histories and opt-outs are real.
            let lead: Int64? = try connection.value("SELECT id FROM leads LIMIT 1")
            guard lead == nil else { throw HasLeads() }
            try Settings.set(setting, true, now: now, in: connection)
            try AuditLog.add(
                "mark_rehearsal",
                by: "presalesctl",
                detail: [:],
                now: now,
                in: connection
            )
        }
    }

    /// Whether a database is a rehearsal's.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func isMarked(in connection: Connection) throws -> Bool {
        try Settings.value(setting, in: connection) == true
    }

    /// Refuses to dial for real from a rehearsal's database; asked in the transaction that would.
    ///
    /// - Throws: ``Database/Unavailable`` with a sentence that names the setting to correct.
    static func refuse(in connection: Connection) throws {
        guard try !isMarked(in: connection) else {
            throw Database.Unavailable(cause: "a rehearsal's database", sentence: contradiction)
        }
    }

    /// Finds out beforehand whether ``refuse(in:)`` would refuse.
    ///
    /// - Throws: ``Environment/Invalid`` for a rehearsal's database beside a provider elsewhere;
    ///   ``Database/Unavailable``.
    public static func check(_ database: Database, dialsAt address: String) throws {
        guard !isLoopback(address), try database.read({ try isMarked(in: $0) }) else { return }
        throw Environment.Invalid(contradiction)
    }

    private static let contradiction =
        "DATABASE_URL names a rehearsal's database, from which nobody real is called; VAPI_BASE_URL "
        + "must then be on this machine."

    /// Whether an address points at this very machine.
    public static func isLoopback(_ address: String) -> Bool {
        guard let scheme = address.firstRange(of: "://") else { return false }
        let rest = address[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@") else { return false }
        if authority.hasPrefix("[") { return authority.prefix { $0 != "]" } == "[::1" }
        let host = authority.prefix { $0 != ":" }
        if host == "localhost" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
