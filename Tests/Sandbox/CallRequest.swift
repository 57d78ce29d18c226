import Foundation

/// What Vapi answers instead of doing what was asked.
struct Refusal: Error, Sendable {
    /// The HTTP status.
    var status: Int
    /// One sentence, or a list of complaints about properties.
    var message: JSON
    /// Seconds, for the header `Retry-After`.
    var retryAfter: Int?

    init(_ status: Int, _ message: JSON, retryAfter: Int? = nil) {
        self.status = status
        self.message = message
        self.retryAfter = retryAfter
    }

    /// Vapi's envelope; `message` is a string or an array of strings.
    var body: JSON {
        [
            "message": message, "error": .string(Refusal.phrase(status)),
            "statusCode": .integer(Int64(status)),
        ]
    }

    /// The reason phrase of an HTTP status.
    static func phrase(_ status: Int) -> String {
        [
            200: "OK", 201: "Created", 302: "Found", 400: "Bad Request", 401: "Unauthorized",
            404: "Not Found", 405: "Method Not Allowed", 429: "Too Many Requests",
            500: "Internal Server Error", 503: "Service Unavailable",
        ][status] ?? "Error"
    }

    static let key = Refusal(
        401,
        """
        Invalid Key. Hot tip, you may be using the private key instead of the public key, or vice versa.
        """
    )

    static func number(at path: String) -> Refusal {
        Refusal(
            400,
            [
                .string(
                    """
                    \(path).number must be a valid phone number in the E.164 format. Hot tip, you may \
                    be missing the country code (Eg. US: +1).
                    """
                )
            ]
        )
    }

    static let credits = Refusal(
        400,
        """
        Wallet Balance is -0.02. Purchase More Credits Or Upgrade Your Plan To Continue Making Calls.
        """
    )

    static func concurrency(limit: Int) -> Refusal {
        Refusal(
            400,
            .string(
                "Over Concurrency Limit. Your Organization Is Limited To \(limit) Concurrent Calls."
            )
        )
    }

    static func rate(retryAfter: Int) -> Refusal {
        Refusal(429, "Rate limit exceeded", retryAfter: retryAfter)
    }
}

/// An accepted body of `POST /call`, for one customer.
struct CallRequest: Sendable {
    /// The body as sent; in a batch with `customer` in the place of `customers`.
    let body: JSON

    /// Checks a body as Vapi does, and splits a batch into its calls.
    ///
    /// - Returns: One request, or several when `customers` was sent.
    /// - Throws: ``Refusal`` with status 400 and Vapi's words.
    static func parse(_ body: JSON) throws -> (requests: [CallRequest], isBatch: Bool) {
        let problems = Schema.vapi.problems(of: body, as: "Call")
        guard problems.isEmpty else { throw Refusal(400, .array(problems.map(JSON.string))) }

        let targets = ["assistantId", "assistant", "squadId", "squad", "workflowId", "workflow"]
        try exactlyOne(of: targets, in: body, missing: "Couldn't Get Assistant.")
        guard body["phoneNumberId"]?.isPresent == true || body["phoneNumber"]?.isPresent == true
        else {
            throw Refusal(
                400,
                "Couldn't Get Phone Number. Need Either `phoneNumberId` Or `phoneNumber`."
            )
        }
        let recipients = ["customer", "customerId", "customers"]
        try exactlyOne(of: recipients, in: body, missing: "Couldn't Get Customer.")

        for (path, customer) in customers(in: body) { try check(customer, at: path) }
        if let plan = body["schedulePlan"],
            let earliest = plan["earliestAt"]?.string.flatMap(ISO8601.parse),
            let latest = plan["latestAt"]?.string.flatMap(ISO8601.parse), latest <= earliest
        {
            throw Refusal(400, ["schedulePlan.latestAt must be after schedulePlan.earliestAt"])
        }

        guard body["customers"]?.isPresent == true else {
            return ([CallRequest(body: body)], false)
        }
        let requests = customers(in: body).map { _, customer in
            var single = body.object ?? [:]
            single["customers"] = nil
            single["customer"] = customer
            return CallRequest(body: .object(single))
        }
        return (requests, true)
    }

    private static func exactlyOne(of names: [String], in body: JSON, missing: String) throws {
        let present = names.filter { body[$0]?.isPresent == true }
        guard present.count != 1 else { return }
        let choice = names.dropLast().map { "`\($0)`" }.joined(separator: ", ")
        let all = "\(choice) Or `\(names.last ?? "")`"
        throw Refusal(
            400,
            .string(
                present.isEmpty
                    ? "\(missing) Need Either \(all)."
                    : "Need Exactly One Of \(all), Got \(present.joined(separator: ", "))."
            )
        )
    }

    private static func customers(in body: JSON) -> [(path: String, customer: JSON)] {
        if let customer = body["customer"], customer.isPresent { return [("customer", customer)] }
        return (body["customers"]?.array ?? []).enumerated().map { ("customers.\($0)", $1) }
    }

    private static func check(_ customer: JSON, at path: String) throws {
        guard let number = customer["number"]?.string else {
            guard customer["sipUri"]?.string == nil else { return }
            throw Refusal(400, [.string("\(path).number must be a string")])
        }
        if customer["numberE164CheckEnabled"]?.bool ?? true {
            guard number.wholeMatch(of: /\+[1-9][0-9]{6,14}/) != nil else {
                throw Refusal.number(at: path)
            }
        } else if number.wholeMatch(of: /\+?[a-zA-Z0-9]+/) == nil {
            throw Refusal(
                400,
                [.string("\(path).number must only contain alphanumeric characters")]
            )
        }
    }

    /// The number to dial, or the SIP address, or nothing when only a `customerId` was given.
    var number: String {
        body["customer"]?["number"]?.string ?? body["customer"]?["sipUri"]?.string ?? ""
    }

    /// The overrides of the call, with those of the customer (in a batch) on top.
    var overrides: JSON {
        let shared = body["assistantOverrides"]?.object ?? [:]
        let own = body["customer"]?["assistantOverrides"]?.object ?? [:]
        return .object(shared.merging(own) { _, own in own })
    }

    /// What the caller attached to the call.
    var metadata: JSON { overrides["metadata"] ?? [:] }

    /// The caller's name for this attempt, the proof that it was made once.
    var attemptID: String? { metadata["attemptId"]?.string ?? metadata["attempt_id"]?.string }

    /// The lead that is called.
    var leadUUID: String? {
        metadata["lead_uuid"]?.string ?? metadata["leadUuid"]?.string ?? metadata["leadId"]?.string
            ?? body["customer"]?["externalId"]?.string
    }

    /// The simulated time before which a scheduled call does not start.
    var earliest: Milliseconds? {
        body["schedulePlan"]?["earliestAt"]?.string.flatMap(ISO8601.parse)
    }

    /// The simulated time until which a scheduled call waits for a free line.
    var latest: Milliseconds? { body["schedulePlan"]?["latestAt"]?.string.flatMap(ISO8601.parse) }

    /// Whether Vapi would send this kind of server message.
    func wants(_ message: String) -> Bool {
        guard let listed = overrides["serverMessages"]?.array else {
            // The part of Vapi's default list that the sandbox simulates.
            return ["status-update", "end-of-call-report", "tool-calls"].contains(message)
        }
        return listed.contains(.string(message))
    }

    /// Where server messages go; `nil` when the call names no server.
    var server: WebhookServer? { overrides["server"].flatMap(WebhookServer.init) }

    /// The function tool of that name which the overrides add to the assistant.
    func tool(named name: String) -> JSON? {
        let added = overrides["tools:append"]?.array ?? []
        let own = overrides["model"]?["tools"]?.array ?? []
        return (added + own).first { $0["function"]?["name"]?.string == name }
    }
}
