import Crypto

/// Stores and processes what WhatsApp sends, in one transaction, each item once.
///
/// Deliveries repeat for up to seven days, come in any order, and bundle several items in one body.
public struct WhatsAppWebhooks: Sendable {
    private let database: Database
    private let journey: Journey

    /// Creates the receiver.
    public init(database: Database, journey: Journey) {
        self.database = database
        self.journey = journey
    }

    /// What a body held that was new.
    public struct Receipt: Sendable, Equatable {
        public var messages = 0
        public var statuses = 0
        public var preferences = 0
        public var optOuts = 0
        /// Wishes for a callback, promised or handed to a person.
        public var callbacks = 0
    }

    /// Whether `header` (`X-Hub-Signature-256`) signs the raw bytes of a body with our app's secret.
    ///
    /// Over the raw bytes, because Meta escapes what any re-writing would change.
    public static func accepts(_ header: String?, body: [UInt8], appSecret: Secret) -> Bool {
        guard let header, header.hasPrefix("sha256=") else { return false }
        let right = signature(of: body, appSecret: appSecret)
        return Secret(right).matches(header.dropFirst(7).lowercased())
    }

    /// The hexadecimal HMAC-SHA256 of a body.
    static func signature(of body: [UInt8], appSecret: Secret) -> String {
        let key = SymmetricKey(data: Array(appSecret.revealed.utf8))
        return Hexadecimal.text(HMAC<SHA256>.authenticationCode(for: body, using: key))
    }

    /// Takes in one body.
    ///
    /// - Throws: ``Database/Unavailable``; then nothing of it is stored, and Meta sends it again.
    public func receive(_ update: WhatsAppUpdate, now: Instant) throws -> Receipt {
        try database.write { connection in
            var receipt = Receipt()
            for message in update.messages {
                try take(message, &receipt, now, connection)
            }
            for status in update.statuses { try take(status, &receipt, now, connection) }
            for preference in update.preferences {
                try take(preference, &receipt, now, connection)
            }
            return receipt
        }
    }

    /// Keeps a signed body of a kind that is not known here, so that nothing Meta says is lost.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func keep(_ body: [UInt8], now: Instant) throws {
        let key = "body:" + Hexadecimal.text(SHA256.hash(data: body))
        try database.write { connection in
            try connection.execute(
                """
                INSERT INTO webhook_events (provider, event_key, received_at, body, state)
                VALUES ('whatsapp', \(key), \(now), \(String(decoding: body, as: UTF8.self)),
                'unmatched') ON CONFLICT DO NOTHING
                """
            )
        }
    }

    // MARK: Messages

    private func take(
        _ message: WhatsAppUpdate.Message,
        _ receipt: inout Receipt,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        let lead = try lead(of: message.sender, connection)
        try connection.execute(
            """
            INSERT INTO messages (message_uuid, lead_id, channel, direction, content, status,
            provider_id, sender, metadata, at)
            VALUES (\(Identifier.random()), \(lead?.id), 'whatsapp', 'inbound',
            \(String(message.content.prefix(8192))), 'received', \(message.id),
            \(message.sender.label), \(message.raw.text), \(message.sentAt ?? now))
            ON CONFLICT DO NOTHING
            """
        )
        guard connection.changes == 1 else { return }
        receipt.messages += 1
        if let lead { try remember(message.sender.userID, of: lead, now, connection) }
        if let wish = wish(of: message) {
            try honour(wish, message.sender, lead, words: message.content, now, connection)
            if wish == .stop { receipt.optOuts += 1 }
        } else if let lead, let wish = try callbackWish(of: message, connection) {
            try journey.callbackWished(
                lead,
                wish,
                saidAt: min(message.sentAt ?? now, now),
                now: now,
                in: connection
            )
            receipt.callbacks += 1
        }
    }

    /// When somebody wants to be called, in the words of the message; `nil` when it is about something
    /// else.
    ///
    /// - `slot:…` and `callback:…` are buttons that name a time: ISO 8601, or `HHMM` of the same day.
    /// - `CALLBACK_YES` agrees to the time that the message it answers proposed.
    /// - A text that asks for a call is read by the rules of ``CallbackTime``.
    private func callbackWish(
        of message: WhatsAppUpdate.Message,
        _ connection: Connection
    ) throws -> String? {
        if let payload = message.payload {
            for prefix in ["slot:", "callback:"] where payload.hasPrefix(prefix) {
                let time = payload.dropFirst(prefix.count)
                guard time.count == 4, time.allSatisfy(\.isNumber) else { return String(time) }
                return "\(time.prefix(2)):\(time.suffix(2))"
            }
            guard payload == "CALLBACK_YES" else { return nil }
            return try proposedTime(of: message, connection) ?? message.content
        }
        guard message.type == "text", CallbackTime.isWish(message.content) else { return nil }
        return message.content
    }

    private func proposedTime(
        of message: WhatsAppUpdate.Message,
        _ connection: Connection
    ) throws -> String? {
        guard let id = message.answersID else { return nil }
        let metadata: String? = try connection.value(
            """
            SELECT metadata FROM messages WHERE channel = 'whatsapp' AND provider_id = \(id)
            AND direction = 'outbound'
            """
        )
        return metadata.flatMap { try? JSON(parsing: $0) }?["callback_time"]?.string
    }

    private func wish(of message: WhatsAppUpdate.Message) -> OptOutWords.Wish? {
        switch message.payload {
        case "OPT_OUT", "STOP": return .stop
        case "OPT_IN", "START": return .start
        default: break
        }
        guard ["text", "button", "interactive"].contains(message.type) else { return nil }
        return OptOutWords.wish(of: message.content)
    }

    private func honour(
        _ wish: OptOutWords.Wish,
        _ person: WhatsAppUpdate.Person,
        _ lead: Contact?,
        words: String,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        switch wish {
        case .stop:
            if let lead {
                try Suppressions.optOut(
                    lead,
                    channel: .whatsapp,
                    words: words,
                    now: now,
                    in: connection
                )
            } else if let number = person.number {
                try Suppressions.optOut(
                    number,
                    channel: .whatsapp,
                    words: words,
                    now: now,
                    in: connection
                )
            }
            if let id = person.userID {
                try Suppressions.add(
                    whatsAppUser: id,
                    leadUUID: lead?.uuid,
                    words: words,
                    now: now,
                    in: connection
                )
            }
        case .start:
            try Suppressions.optIn(
                lead,
                number: person.number,
                whatsAppUser: person.userID,
                words: words,
                now: now,
                in: connection
            )
        }
    }

    // MARK: Statuses

    /// The order of a message's states; it never goes back.
    ///
    /// A failure may follow `sent`, but what was delivered did not fail.
    private static let ranks = ["queued", "sent", "failed", "delivered", "read", "played"]

    private func take(
        _ status: WhatsAppUpdate.Status,
        _ receipt: inout Receipt,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        let key = "status:\(status.messageID):\(status.status)"
        guard try isNew(key, now, connection) else { return }
        receipt.statuses += 1
        // 131050: this person has stopped marketing messages in WhatsApp itself.
        if status.errorCodes.contains(131_050) {
            let lead = try lead(of: status.recipient, connection)
            try honour(.stop, status.recipient, lead, words: "131050", now, connection)
            receipt.optOuts += 1
        }
        let ours = status.ourID.map { String($0.trimmingPrefix("msg:")) }
        let row = try connection.first(
            """
            SELECT id, status FROM messages WHERE channel = 'whatsapp'
            AND (provider_id = \(status.messageID) OR message_uuid = \(ours)) LIMIT 1
            """
        )
        if let row {
            let before: String = try row.required("status")
            guard let rank = WhatsAppWebhooks.ranks.firstIndex(of: status.status),
                rank > WhatsAppWebhooks.ranks.firstIndex(of: before) ?? -1
            else { return }
            try connection.execute(
                """
                UPDATE messages SET status = \(status.status),
                provider_id = ifnull(provider_id, \(status.messageID))
                WHERE id = \(try row.required("id", as: Int64.self))
                """
            )
        }
        if status.status == "failed", let id = ours.flatMap({ Int64($0) }) {
            try journey.whatsAppFailed(outboxID: id, now: now, in: connection)
        }
    }

    // MARK: Preferences

    private func take(
        _ preference: WhatsAppUpdate.Preference,
        _ receipt: inout Receipt,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        let at = preference.at.map { "\($0.milliseconds)" } ?? "-"
        let key = "preference:\(preference.person.label ?? "-"):\(at):\(preference.value)"
        guard try isNew(key, now, connection) else { return }
        receipt.preferences += 1
        let lead = try lead(of: preference.person, connection)
        if let lead { try remember(preference.person.userID, of: lead, now, connection) }
        let words = preference.detail ?? "user_preferences: \(preference.value)"
        switch preference.value {
        case "stop":
            try honour(.stop, preference.person, lead, words: words, now, connection)
            receipt.optOuts += 1
        case "resume":
            try honour(.start, preference.person, lead, words: words, now, connection)
        default: break
        }
    }

    // MARK: All

    /// The lead that a person is: by number, by the number given for WhatsApp, or by user id.
    private func lead(of person: WhatsAppUpdate.Person, _ connection: Connection) throws
        -> Contact?
    {
        if let number = person.number {
            if let lead = try Contact.find(number: number, in: connection) { return lead }
            let id: Int64? = try connection.value(
                """
                SELECT id FROM leads WHERE whatsapp_number = \(number.e164)
                AND deleted_at IS NULL ORDER BY id DESC LIMIT 1
                """
            )
            if let id { return try Contact.find(id: id, in: connection) }
        }
        guard let userID = person.userID else { return nil }
        let id: Int64? = try connection.value(
            """
            SELECT id FROM leads WHERE whatsapp_user_id = \(userID)
            AND deleted_at IS NULL ORDER BY id DESC LIMIT 1
            """
        )
        return try id.flatMap { try Contact.find(id: $0, in: connection) }
    }

    private func remember(
        _ userID: String?,
        of lead: Contact,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        guard let userID else { return }
        try connection.execute(
            """
            UPDATE leads SET whatsapp_user_id = \(userID), last_updated_at = \(now)
            WHERE id = \(lead.id) AND whatsapp_user_id IS NOT \(userID)
            """
        )
    }

    /// Whether an item that leaves no row of its own comes for the first time.
    private func isNew(_ key: String, _ now: Instant, _ connection: Connection) throws -> Bool {
        try connection.execute(
            """
            INSERT INTO webhook_events (provider, event_key, received_at, body, state)
            VALUES ('whatsapp', \(key), \(now), '', 'processed') ON CONFLICT DO NOTHING
            """
        )
        return connection.changes == 1
    }
}
