/// What the rules need to know of a lead.
public struct Contact: Sendable {
    public let id: Int64
    public let uuid: String
    public let name: String
    public let number: PhoneNumber
    /// The number's region, for example `IN`.
    public let region: String
    public let email: String?
    public let whatsappNumber: String?
    public let whatsAppUserID: String?
    public let partner: String?
    /// The lead's own time zone, where it is known.
    public let zone: Zone?
    public let status: LeadStatus
    public let journeyState: JourneyState
    public let retryCount: Int
    public let isNumberInvalid: Bool
    public let isDeleted: Bool
    public let declinedAt: Instant?
    public let optedOutAt: Instant?
    public let consentAt: Instant?

    /// The zone of the lead's clocks where there can be no doubt: the lead's own, or that of a region
    /// with only one.
    public var certainZone: Zone? {
        if let zone { return zone }
        let zones = RegionZones.zones(of: region)
        return zones.count == 1 ? zones[0] : nil
    }

    /// Why nothing at all may be planned for this person any more, if so.
    var closedBecause: ContactGate.Reason? {
        if isDeleted { return .deleted }
        if optedOutAt != nil { return .optedOut }
        return declinedAt == nil ? nil : .declined
    }

    private static let columns: SQL = """
        SELECT id, lead_uuid, name, number, region, email, whatsapp_number, whatsapp_user_id,
        partner, timezone,
        call_status, journey_state, retry_count, number_invalid, deleted_at, declined_at,
        opted_out_at, consent_at FROM leads
        """

    /// The lead of a uuid, also a deleted one; `nil` when there never was one.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func find(uuid: String, in connection: Connection) throws -> Contact? {
        try connection.first("\(sql: columns) WHERE lead_uuid = \(uuid)").map(Contact.init)
    }

    /// The lead of an id.
    ///
    /// - Throws: ``Database/Unavailable``.
    static func find(id: Int64, in connection: Connection) throws -> Contact? {
        try connection.first("\(sql: columns) WHERE id = \(id)").map(Contact.init)
    }

    /// The lead of a number, deleted ones aside.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func find(number: PhoneNumber, in connection: Connection) throws -> Contact? {
        try connection.first(
            "\(sql: columns) WHERE number = \(number.e164) AND deleted_at IS NULL"
        ).map(Contact.init)
    }

    private init(row: Row) throws {
        id = try row.required("id")
        uuid = try row.required("lead_uuid")
        name = try row.required("name")
        guard let number = PhoneNumber(e164: try row.required("number")) else {
            throw Database.Unavailable(
                cause: "a stored number is not E.164",
                sentence: "A lead's number is damaged. Look into the log."
            )
        }
        self.number = number
        region = try row.required("region")
        email = row["email"]
        whatsappNumber = row["whatsapp_number"]
        whatsAppUserID = row["whatsapp_user_id"]
        partner = row["partner"]
        zone = (row["timezone"] as String?).flatMap(Zone.init(identifier:))
        status = try row.required("call_status")
        journeyState = try row.required("journey_state")
        retryCount = try row.required("retry_count")
        isNumberInvalid = try row.required("number_invalid")
        isDeleted = (row["deleted_at"] as Instant?) != nil
        declinedAt = row["declined_at"]
        optedOutAt = row["opted_out_at"]
        consentAt = row["consent_at"]
    }
}
