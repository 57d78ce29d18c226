extension LeadReader {
    /// How many of a lead's calls, steps, promises and messages are shown, the newest ones.
    private static let limit = 500

    /// All that is known about a lead, as JSON.
    ///
    /// - Throws: ``Failure`` 404 when there is none or it was deleted; ``Database/Unavailable``.
    public func details(_ uuid: String, now: Instant, in connection: Connection) throws -> [UInt8] {
        let lead = try LeadStore.lead(uuid, in: connection)
        let whole = try self.lead(uuid, in: connection).json
        let steps = try steps(of: lead, in: connection)
        var bytes = Array(#"{"lead_uuid":"#.utf8)
        JSON.write(lead.uuid, to: &bytes)
        bytes += #","contact_info":"#.utf8
        try contactInfo(of: lead, now: now, in: connection).write(to: &bytes)
        bytes += #","lead":"#.utf8
        bytes += whole
        let parts: [(String, JSON)] = [
            ("call_history", .array(try calls(of: lead, steps, in: connection))),
            ("analysis", try analysis(of: lead, in: connection)),
            ("journey", .array(steps.map { json(of: $0) })),
            ("requests", .array(try requests(of: lead, now: now, in: connection))),
            ("messages", .array(try messages(of: lead, in: connection))),
            ("outbox", .array(try outbox(of: lead, in: connection))),
        ]
        for (name, value) in parts {
            bytes += #","\#(name)":"#.utf8
            value.write(to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// The messages from and to a lead, oldest first, as JSON.
    ///
    /// - Throws: ``Failure`` 404 when there is no such lead; ``Database/Unavailable``.
    public func messages(_ uuid: String, in connection: Connection) throws -> [UInt8] {
        let lead = try LeadStore.lead(uuid, in: connection)
        let messages: JSON = ["messages": .array(try messages(of: lead, in: connection))]
        return messages.encoded()
    }

    // MARK: Contact

    private func contactInfo(
        of lead: Contact,
        now: Instant,
        in connection: Connection
    ) throws -> JSON {
        let row = try connection.first(
            """
            SELECT number_valid, timezone_source, consent_text, consent_source FROM leads
            WHERE id = \(lead.id)
            """
        )
        // A number says which country its owner is from: that tells the time only where the whole
        // country keeps one.
        let zones = lead.zone.map { [$0] } ?? RegionZones.zones(of: lead.region)
        let zone = zones.count == 1 ? zones.first : nil
        let hasOneTime = Set(zones.map { $0.offset(at: now) }).count == 1
        let source = lead.zone == nil ? zone.map { _ in "region" } : row?["timezone_source"]
        return [
            "name": .string(lead.name),
            "number": .string(lead.number.e164),
            "number_display": .string(lead.number.display),
            "number_valid": .bool(row?["number_valid"] ?? true),
            "number_invalid": .bool(lead.isNumberInvalid),
            "email": JSON(lead.email),
            "whatsapp_number": JSON(lead.whatsappNumber),
            "partner": JSON(lead.partner),
            "timezone": JSON(zone?.identifier),
            "timezone_source": JSON(source),
            "consent_at": time(lead.consentAt),
            "consent_text": JSON(row?["consent_text"] as String?),
            "consent_source": JSON(row?["consent_source"] as String?),
            "local_time": JSON(hasOneTime ? zones.first.map { now.formatted(in: $0) } : nil),
        ]
    }

    // MARK: Calls

    private func calls(
        of lead: Contact,
        _ steps: [Step],
        in connection: Connection
    ) throws -> [JSON] {
        try connection.rows(
            """
            SELECT id, attempt_id, vapi_call_id, kind, state, outcome, ended_reason, created_at,
            started_at, ended_at, duration_ms, cost, recording_url, summary, success_status,
            transcript FROM calls WHERE lead_id = \(lead.id) ORDER BY id DESC
            LIMIT \(LeadReader.limit)
            """
        ).map { row in
            let id: Int64 = try row.required("id")
            let kind: DialKind = try row.required("kind")
            let duration: Int64? = row["duration_ms"]
            let seconds = duration.map { ($0 + 500) / 1000 }
            return [
                "attempt_id": JSON(row["attempt_id"] as String?),
                "vapi_call_id": JSON(row["vapi_call_id"] as String?),
                "kind": .string(kind.rawValue),
                "state": JSON(row["state"] as String?),
                "outcome": JSON(row["outcome"] as String?),
                "ended_reason": JSON(row["ended_reason"] as String?),
                "reason": .string(reason(ofCall: id, kind, row["ended_reason"], steps)),
                "created_at": time(row["created_at"]),
                "started_at": time(row["started_at"]),
                "ended_at": time(row["ended_at"]),
                "call_duration": JSON(seconds.map { "\($0)s" }),
                "cost": JSON(row["cost"] as Double?),
                "recording_url": JSON(row["recording_url"] as String?),
                "summary": JSON(row["summary"] as String?),
                "success_status": JSON(row["success_status"] as String?),
                "transcript": json(row["transcript"]) ?? [],
            ]
        }
    }

    /// Why a call ended as it did; before it has ended, why it was made or what became of it.
    private func reason(
        ofCall id: Int64,
        _ kind: DialKind,
        _ endedReason: String?,
        _ steps: [Step]
    ) -> String {
        if let endedReason { return EndedReason(endedReason).sentence }
        let last = steps.last {
            $0.callID == id && $0.node == Workflow.Node.initiateCall.rawValue
        }
        return last?.reason ?? kind.sentence
    }

    // MARK: Analysis

    private func analysis(of lead: Contact, in connection: Connection) throws -> JSON {
        let row = try connection.first(
            """
            SELECT summary, success_status, structured_data, country, university, intake,
            visa_status, budget, declined_at, transcript, analysis_received_at FROM leads
            WHERE id = \(lead.id)
            """
        )
        let data = json(row?["structured_data"])
        func text(_ column: String) -> JSON { JSON(row?[column] as String?) }
        return [
            "summary": text("summary"),
            "success_status": text("success_status"),
            "structured_data": data ?? nil,
            "country": text("country"),
            "university": text("university"),
            "intake": text("intake"),
            "visa_status": text("visa_status"),
            "budget": text("budget"),
            "declined": .bool(lead.declinedAt != nil),
            "callback_time": data?["callback_time"] ?? nil,
            "transcript": text("transcript"),
            "analysis_received_at": time(row?["analysis_received_at"]),
        ]
    }

    // MARK: Journey

    /// One decision about the lead.
    private struct Step {
        let callID: Int64?
        let at: Instant
        let node: String
        let decision: String
        let reason: String
    }

    private func steps(of lead: Contact, in connection: Connection) throws -> [Step] {
        try connection.rows(
            """
            SELECT call_id, at, node, decision, reason FROM journey_steps
            WHERE lead_id = \(lead.id) ORDER BY id DESC LIMIT \(LeadReader.limit)
            """
        ).reversed().map { row in
            Step(
                callID: row["call_id"],
                at: try row.required("at"),
                node: try row.required("node"),
                decision: try row.required("decision"),
                reason: try row.required("reason")
            )
        }
    }

    private func json(of step: Step) -> JSON {
        [
            "at": time(step.at), "node": .string(step.node), "decision": .string(step.decision),
            "reason": .string(step.reason),
        ]
    }

    /// The calls that are planned, the next one first, with the reason why each is not made yet, or
    /// why it is made at all.
    private func requests(
        of lead: Contact,
        now: Instant,
        in connection: Connection
    ) throws -> [JSON] {
        let isPartnerPaused =
            try lead.partner.flatMap { try Pause.current(of: $0, in: connection, now: now) } != nil
        return try connection.rows(
            """
            SELECT r.kind, r.due_at, r.state, r.reason, s.state AS schedule FROM dial_requests r
            LEFT JOIN schedules s ON s.id = r.schedule_id WHERE r.lead_id = \(lead.id)
            AND r.state IN ('waiting', 'claimed') ORDER BY r.due_at LIMIT \(LeadReader.limit)
            """
        ).map { row in
            let kind: DialKind = try row.required("kind")
            let held = (row["reason"] as String?).flatMap(ContactGate.Reason.init)
            let reason =
                if row["schedule"] == "paused" {
                    "The bulk schedule that this call belongs to is paused."
                } else if isPartnerPaused {
                    "Calling is paused for this partner."
                } else {
                    held?.sentence ?? kind.sentence
                }
            return [
                "kind": .string(kind.rawValue),
                "due_at": time(row["due_at"]),
                "state": JSON(row["state"] as String?),
                "reason": .string(reason),
            ]
        }
    }

    // MARK: Messages

    private func messages(of lead: Contact, in connection: Connection) throws -> [JSON] {
        try connection.rows(
            """
            SELECT message_uuid, channel, direction, content, status, at FROM messages
            WHERE lead_id = \(lead.id) ORDER BY at DESC, id DESC LIMIT \(LeadReader.limit)
            """
        ).reversed().map { row in
            [
                "message_uuid": JSON(row["message_uuid"] as String?),
                "channel": JSON(row["channel"] as String?),
                "direction": JSON(row["direction"] as String?),
                "content": JSON(row["content"] as String?),
                "status": JSON(row["status"] as String?),
                "timestamp": time(row["at"]),
            ]
        }
    }

    private func outbox(of lead: Contact, in connection: Connection) throws -> [JSON] {
        try connection.rows(
            """
            SELECT kind, payload, state, due_at FROM outbox WHERE lead_id = \(lead.id)
            ORDER BY id DESC LIMIT \(LeadReader.limit)
            """
        ).map { row in
            [
                "kind": JSON(row["kind"] as String?),
                "template": json(row["payload"])?["template"] ?? nil,
                "state": JSON(row["state"] as String?),
                "due_at": time(row["due_at"]),
            ]
        }
    }

    // MARK: Parts

    private func time(_ instant: Instant?) -> JSON { JSON(instant?.formatted(in: zone)) }

    private func json(_ text: String?) -> JSON? { text.flatMap { try? JSON(parsing: $0) } }
}
