/// A pause of all dialing, or of the dialing for one partner: while it lasts nobody concerned is dialed.
///
/// People set it, and so does a refusal that would befall every call (our key, our credits, our
/// configuration): our own faults must not burn people.
public struct Pause: Sendable, Equatable {
    /// The partner whose leads are not dialed; `nil` when nobody is.
    public let partner: String?
    /// Why, as a sentence.
    public let reason: String
    public let since: Instant
    /// When it ends by itself, if it does.
    public let until: Instant?
    /// Who set it: `staff`, `presalesctl`, `vapi`, or one of the guard rails.
    public let actor: String

    private static let name = "pause"
    private static let partnerPrefix = "pause:"

    private static func name(of partner: String?) -> String {
        partner.map { partnerPrefix + $0 } ?? name
    }

    private init?(_ value: JSON, of partner: String?, now: Instant) {
        guard let reason = value["reason"]?.string, let since = value["since"]?.integer
        else { return nil }
        let until = value["until"]?.integer.map(Instant.init(milliseconds:))
        if let until, until <= now { return nil }
        self.partner = partner
        self.reason = reason
        self.since = Instant(milliseconds: since)
        self.until = until
        actor = value["by"]?.string ?? "staff"
    }

    /// The pause in force for everybody, or for a partner alone; `nil` when there is none.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func current(
        of partner: String? = nil,
        in connection: Connection,
        now: Instant
    ) throws -> Pause? {
        try Settings.value(name(of: partner), in: connection)
            .flatMap { Pause($0, of: partner, now: now) }
    }

    /// The partners' pauses in force, in the order of their names.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func partners(in connection: Connection, now: Instant) throws -> [Pause] {
        try Settings.values(withPrefix: partnerPrefix, in: connection).compactMap { name, value in
            Pause(value, of: String(name.dropFirst(partnerPrefix.count)), now: now)
        }
    }

    /// Pauses dialing; a pause in force stays as it is.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func set(
        of partner: String? = nil,
        because reason: String,
        until: Instant? = nil,
        by actor: String,
        now: Instant,
        in connection: Connection
    ) throws {
        guard try current(of: partner, in: connection, now: now) == nil else { return }
        try Settings.set(
            name(of: partner),
            [
                "reason": .string(reason), "since": .integer(now.milliseconds),
                "until": JSON(until?.milliseconds), "by": .string(actor),
            ],
            now: now,
            in: connection
        )
        try audit("pause", partner, because: reason, by: actor, now: now, in: connection)
    }

    /// Resumes dialing.
    ///
    /// What waited for a partner's pause is due again when the orchestrator runs next.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func end(
        of partner: String? = nil,
        because reason: String? = nil,
        by actor: String,
        now: Instant,
        in connection: Connection
    ) throws {
        guard try Settings.value(name(of: partner), in: connection) != nil else { return }
        try Settings.set(name(of: partner), nil, now: now, in: connection)
        try audit("resume", partner, because: reason, by: actor, now: now, in: connection)
    }

    /// Only the global pause's actions are called `pause` and `resume`.
    private static func audit(
        _ action: String,
        _ partner: String?,
        because reason: String?,
        by actor: String,
        now: Instant,
        in connection: Connection
    ) throws {
        var detail = JSON.Object()
        if let reason { detail["reason"] = .string(reason) }
        if let partner { detail["partner"] = .string(partner) }
        try AuditLog.add(
            partner == nil ? action : "\(action)_partner",
            by: actor,
            detail: .object(detail),
            now: now,
            in: connection
        )
    }
}
