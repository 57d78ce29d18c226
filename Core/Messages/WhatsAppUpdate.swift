/// What one WhatsApp webhook says: several messages, statuses and preferences may stand in one body
/// (contract: WhatsApp, 2).
///
/// Reading is tolerant: a kind that is not known yet is kept as what it is, never refused.
public struct WhatsAppUpdate: Sendable {
    /// Who wrote or received: since usernames exist either part may be missing.
    public struct Person: Sendable, Equatable {
        /// The number in E.164; WhatsApp sends it without the plus.
        public var number: PhoneNumber?
        /// The business-scoped user id, for example `IN.1648738043044942`.
        public var userID: String?
        /// The name that the person chose to show.
        public var profileName: String?

        /// What stands for the person where no lead is known.
        var label: String? { number?.e164 ?? userID }
    }

    /// A message that somebody sent to us.
    public struct Message: Sendable {
        public let id: String
        public let sender: Person
        public let sentAt: Instant?
        /// The kind, for example `text`, `button` or `image`.
        public let type: String
        /// The text, or in brackets what was sent in place of one.
        public let content: String
        /// What a pressed button means to us.
        public let payload: String?
        /// The message of ours that it answers, by WhatsApp's id.
        public let answersID: String?
        /// The message as it came.
        public let raw: JSON
    }

    /// What became of a message of ours.
    public struct Status: Sendable {
        public let messageID: String
        /// `sent`, `delivered`, `read`, `played` or `failed`.
        public let status: String
        public let recipient: Person
        public let at: Instant?
        /// Our own id of the message, which we sent along.
        public let ourID: String?
        /// Why it failed: WhatsApp's codes.
        public let errorCodes: [Int]
    }

    /// A choice made in WhatsApp's own settings.
    public struct Preference: Sendable {
        public let person: Person
        /// `stop` or `resume`.
        public let value: String
        public let detail: String?
        public let at: Instant?
    }

    public private(set) var messages: [Message] = []
    public private(set) var statuses: [Status] = []
    public private(set) var preferences: [Preference] = []

    /// Reads a body; `nil` when it is no update of a WhatsApp account.
    public init?(_ body: JSON) {
        guard body["object"]?.string == "whatsapp_business_account",
            let entries = body["entry"]?.array
        else { return nil }
        for entry in entries {
            for change in entry["changes"]?.array ?? [] {
                guard let value = change["value"] else { continue }
                let contacts = value["contacts"]?.array ?? []
                messages += (value["messages"]?.array ?? []).compactMap {
                    Message($0, contacts: contacts)
                }
                statuses += (value["statuses"]?.array ?? []).compactMap(Status.init)
                preferences += (value["user_preferences"]?.array ?? []).compactMap {
                    Preference($0, contacts: contacts)
                }
            }
        }
    }
}

extension WhatsAppUpdate.Person {
    fileprivate init(number: JSON?, userID: JSON?, contacts: [JSON] = []) {
        let digits = number?.nonEmptyString
        let id = userID?.nonEmptyString
        let contact = contacts.first { contact in
            (digits != nil && contact["wa_id"]?.string == digits)
                || (id != nil && contact["user_id"]?.string == id)
        }
        let found = digits ?? contact?["wa_id"]?.nonEmptyString
        self.number = found.flatMap { PhoneNumber(e164: $0.hasPrefix("+") ? $0 : "+\($0)") }
        self.userID = id ?? contact?["user_id"]?.nonEmptyString
        profileName = contact?["profile"]?["name"]?.nonEmptyString
    }
}

extension WhatsAppUpdate.Message {
    fileprivate init?(_ message: JSON, contacts: [JSON]) {
        guard let id = message["id"]?.nonEmptyString else { return nil }
        self.id = id
        // A system message may lack the sender's contact; a body with one contact has one sender.
        let fallback: JSON? = contacts.count == 1 ? contacts[0] : nil
        sender = WhatsAppUpdate.Person(
            number: message["from"] ?? fallback?["wa_id"],
            userID: message["from_user_id"] ?? fallback?["user_id"],
            contacts: contacts
        )
        sentAt = message["timestamp"]?.unixSeconds
        type = message["type"]?.nonEmptyString ?? "unknown"
        raw = message
        let part = message[type]
        payload =
            part?["payload"]?.nonEmptyString ?? part?["button_reply"]?["id"]?.nonEmptyString
            ?? part?["list_reply"]?["id"]?.nonEmptyString
        answersID = message["context"]?["id"]?.nonEmptyString
        content = WhatsAppUpdate.Message.content(of: type, part)
    }

    private static func content(of type: String, _ part: JSON?) -> String {
        let words: String? =
            switch type {
            case "text": part?["body"]?.string
            case "button": part?["text"]?.string
            case "interactive":
                part?["button_reply"]?["title"]?.string ?? part?["list_reply"]?["title"]?.string
                    ?? part?["nfm_reply"]?["body"]?.string
            case "reaction": part?["emoji"]?.nonEmptyString ?? "[reaction removed]"
            case "location":
                [part?["name"]?.string, part?["address"]?.string].compactMap { $0 }
                    .joined(separator: ", ").nonEmpty.map { "[location] \($0)" }
            case "system": part?["body"]?.string
            default:
                (part?["caption"]?.nonEmptyString ?? part?["filename"]?.nonEmptyString)
                    .map { "[\(type)] \($0)" }
            }
        return words?.nonEmpty ?? "[\(type)]"
    }
}

extension WhatsAppUpdate.Status {
    fileprivate init?(_ status: JSON) {
        guard let id = status["id"]?.nonEmptyString,
            let value = status["status"]?.nonEmptyString
        else { return nil }
        messageID = id
        self.status = value
        recipient = WhatsAppUpdate.Person(
            number: status["recipient_id"],
            userID: status["recipient_user_id"]
        )
        at = status["timestamp"]?.unixSeconds
        ourID = status["biz_opaque_callback_data"]?.nonEmptyString
        errorCodes = (status["errors"]?.array ?? []).compactMap {
            $0["code"]?.integer.flatMap { Int(exactly: $0) }
        }
    }
}

extension WhatsAppUpdate.Preference {
    fileprivate init?(_ preference: JSON, contacts: [JSON]) {
        guard let value = preference["value"]?.nonEmptyString else { return nil }
        self.value = value
        let fallback: JSON? = contacts.count == 1 ? contacts[0] : nil
        person = WhatsAppUpdate.Person(
            number: preference["wa_id"] ?? fallback?["wa_id"],
            userID: preference["user_id"] ?? fallback?["user_id"],
            contacts: contacts
        )
        detail = preference["detail"]?.nonEmptyString
        at = preference["timestamp"]?.unixSeconds
    }
}

extension String {
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}

extension JSON {
    /// A moment as WhatsApp writes it: seconds, as a string in messages and as a number elsewhere.
    fileprivate var unixSeconds: Instant? {
        let seconds = integer ?? string.flatMap { Int64($0) }
        guard let seconds, (0..<4_102_444_800).contains(seconds) else { return nil }
        return Instant(milliseconds: seconds * 1000)
    }
}
