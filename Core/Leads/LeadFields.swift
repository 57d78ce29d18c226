/// What people say about a lead: the fields that somebody types or a list brings.
public struct LeadFields: Sendable, Equatable {
    /// One tidy line; a list may lack it, a form may not.
    public var name: String
    public var number: PhoneNumber
    /// The number as it was typed.
    public var numberRaw: String
    public var email: String?
    public var whatsappNumber: PhoneNumber?
    public var partner: String?
    /// The lead's own zone, where somebody knows it.
    public var zone: Zone?
    public var consentAt: Instant?
    public var consentText: String?
    public var consentSource: String?

    /// Creates fields with what every lead has.
    public init(name: String, number: PhoneNumber, numberRaw: String) {
        self.name = name
        self.number = number
        self.numberRaw = numberRaw
    }

    /// The fields of a row of an uploaded list.
    public init(_ row: ImportedLead) {
        self.init(name: row.name, number: row.number, numberRaw: row.numberRaw)
        email = row.email
        whatsappNumber = row.whatsappNumber
        partner = row.partner
        zone = row.zone
        consentAt = row.consentAt
        consentText = row.consentText
        consentSource = row.consentSource
    }

    /// The fields as the database can hold them.
    var withoutNUL: LeadFields {
        var fields = self
        fields.name = name.withoutNUL
        fields.numberRaw = numberRaw.withoutNUL
        fields.email = email?.withoutNUL
        fields.partner = partner?.withoutNUL
        fields.consentText = consentText?.withoutNUL
        fields.consentSource = consentSource?.withoutNUL
        return fields
    }
}

/// A request's fields of a lead, named and of the right type, but not judged yet.
///
/// All fields are text; `null`, an empty text and white space alone mean "nothing there".
public struct LeadForm: Sendable {
    private enum Key: String, CaseIterable {
        case name, number, email
        case whatsappNumber = "whatsapp_number"
        case partner, timezone
        case consentAt = "consent_at"
        case consentText = "consent_text"
        case consentSource = "consent_source"
    }

    /// The fields that stand in the request; nil for those that are to be empty.
    private var values: [Key: String?] = [:]

    /// Takes a request's object.
    ///
    /// - Throws: ``Failure`` 422 that names a field which a lead does not have or which is no text.
    public init(_ object: JSON.Object) throws {
        for (name, value) in object.members {
            guard let key = Key(rawValue: name) else {
                throw Failure.invalid(
                    String(name.prefix(40)),
                    "A lead has no field “\(name.prefix(40))”. Its fields are "
                        + Key.allCases.map(\.rawValue).joined(separator: ", ") + ".",
                    code: "unknown_field"
                )
            }
            switch value {
            case .null: values.updateValue(nil, forKey: key)
            case .string(let text):
                // The number keeps its marks, because a rejection may name one.
                let line = key == .number ? text.trimmingSpace() : text.singleLine
                values.updateValue(line.isEmpty ? nil : line, forKey: key)
            default:
                throw Failure.invalid(
                    name,
                    "\(name) must be text in quotation marks.",
                    code: "wrong_type"
                )
            }
        }
    }

    /// Judges the fields and puts them in the place of a lead's present ones.
    ///
    /// - Parameters:
    ///   - current: the lead as it is; nil for a new one, which must have a name and a number.
    ///   - defaultRegion: where numbers without a country code are dialled, ISO 3166 letters.
    ///   - zone: the zone of times without an offset.
    ///   - now: the time, after which nobody can have consented.
    /// - Returns: the lead as it is to be.
    /// - Throws: ``Failure`` 422 that names the first field which cannot be accepted, and why.
    public func fields(
        changing current: LeadFields?,
        defaultRegion: String,
        zone: Zone,
        now: Instant
    ) throws -> LeadFields {
        let name = try text(.name, limit: PersonName.maximumLength)
        if name == .some(nil) || current == nil && name == nil {
            throw Failure.invalid("name", "The name is missing.", code: "name_missing")
        }
        let number = try number(.number, defaultRegion)
        if number == .some(nil) || current == nil && number == nil {
            let missing = PhoneNumber.Rejection.empty
            throw Failure.invalid("number", missing.description, code: missing.code)
        }
        guard
            var fields = current
                ?? number.flatMap({ $0 }).map({ LeadFields(name: "", number: $0, numberRaw: "") })
        else { throw Failure.malformed("The request has no number.") }
        if let name, let name { fields.name = name }
        if let number, let number {
            fields.number = number
            fields.numberRaw = values[.number].flatMap { $0 } ?? number.e164
        }
        if let email = try email() { fields.email = email }
        if let whatsApp = try self.number(.whatsappNumber, defaultRegion) {
            fields.whatsappNumber = whatsApp
        }
        if let partner = try text(.partner, limit: 200) { fields.partner = partner }
        if let timezone = try timezone() { fields.zone = timezone }
        if let consentAt = try consentAt(zone, now) { fields.consentAt = consentAt }
        if let text = try text(.consentText, limit: 2000) { fields.consentText = text }
        if let source = try text(.consentSource, limit: 200) { fields.consentSource = source }
        return fields
    }

    // Each of these returns nil when the field is not in the request, and .some(nil) when it is to be
    // empty.

    private func text(_ key: Key, limit: Int) throws -> String?? {
        guard let value = values[key], let text = value else { return values[key] }
        // No character that a person can read is longer than 16 bytes on average.
        guard text.utf8.count <= limit * 16, text.utf8.count <= limit || text.count <= limit else {
            throw Failure.invalid(
                key.rawValue,
                "\(key.rawValue) has more than \(limit) characters.",
                code: "\(key.rawValue)_too_long"
            )
        }
        return text
    }

    private func number(_ key: Key, _ defaultRegion: String) throws -> PhoneNumber?? {
        guard let value = values[key] else { return nil }
        guard let text = value else { return .some(nil) }
        do {
            return try PhoneNumber(parsing: text, defaultRegion: defaultRegion)
        } catch {
            throw Failure.invalid(key.rawValue, error.description, code: error.code)
        }
    }

    private func email() throws -> String?? {
        guard let value = values[.email], let email = value else { return values[.email] }
        guard EmailAddress.isPlausible(email) else {
            throw Failure.invalid("email", "This is not an e-mail address.", code: "email_invalid")
        }
        return email
    }

    private func timezone() throws -> Zone?? {
        guard let value = values[.timezone] else { return nil }
        guard let identifier = value else { return .some(nil) }
        guard let zone = Zone(identifier: identifier) else {
            throw Failure.invalid(
                "timezone",
                "There is no such time zone. Write it like “Asia/Kolkata”.",
                code: "timezone_unknown"
            )
        }
        return zone
    }

    private func consentAt(_ zone: Zone, _ now: Instant) throws -> Instant?? {
        guard let value = values[.consentAt] else { return nil }
        guard let text = value else { return .some(nil) }
        guard let instant = ConsentTime.parse(text, in: zone) else {
            throw Failure.invalid(
                "consent_at",
                "This is not a time. Write it like “2025-01-15” or “2025-01-15T10:00:00+05:30”.",
                code: "consent_at_invalid"
            )
        }
        guard instant <= now else {
            throw Failure.invalid(
                "consent_at",
                "Consent cannot be given in the future.",
                code: "consent_at_future"
            )
        }
        return instant
    }
}

extension Environment {
    /// The region of `DEFAULT_REGION`, in which numbers without a country code are dialled: ISO 3166
    /// letters, `IN` unless set.
    ///
    /// - Throws: ``Invalid``.
    public func defaultRegion() throws -> String {
        guard let region = self["DEFAULT_REGION"], region != "IN" else { return "IN" }
        guard region.utf8.count == 2, PhoneNumber.isKnown(region: region) else {
            throw Invalid("DEFAULT_REGION must be a country's two letters such as IN.")
        }
        return region
    }
}
