/// The voice provider: places calls and tells what became of them.
///
/// Vapi knows no idempotency key, so a call is placed by ``Dialer`` only, which sends the attempt's
/// id as metadata and never sends it twice.
public struct Vapi: Sendable {
    /// Where Vapi really is.
    public static let publicAddress = "https://api.vapi.ai"

    /// One call to place.
    public struct Order: Sendable, Equatable {
        /// Our id of the attempt; comes back in every event and listing.
        public var attemptID: String
        public var leadUUID: String
        public var number: PhoneNumber
        /// The whole name, for Vapi's own dashboard.
        public var name: String
        public var partner: String?

        /// Creates an order.
        public init(
            attemptID: String,
            leadUUID: String,
            number: PhoneNumber,
            name: String,
            partner: String?
        ) {
            self.attemptID = attemptID
            self.leadUUID = leadUUID
            self.number = number
            self.name = name
            self.partner = partner
        }
    }

    /// What became of an order.
    public enum Placement: Sendable, Equatable {
        /// Vapi has the call.
        case placed(callID: String, controlURL: String?)
        /// Vapi said no, so there is no call.
        case refused(Refusal)
        /// Nothing was sent, so there is no call.
        case notSent(HTTP.Failure)
        /// There may or may not be a call: a time-out, a broken connection, a server error.
        case unknown(cause: String)
    }

    /// Why Vapi said no.
    public struct Refusal: Error, Sendable, Equatable {
        /// What the refusal is about.
        public enum Kind: String, Sendable {
            case number, concurrency, rate, key, billing, permission, missing, policy, request
        }
        public var kind: Kind
        public var status: Int
        /// When to try again, as Vapi asked, in seconds.
        public var retryAfter: Int?

        /// Creates a refusal.
        public init(kind: Kind, status: Int, retryAfter: Int? = nil) {
            self.kind = kind
            self.status = status
            self.retryAfter = retryAfter
        }

        /// What a person should know and do.
        public var sentence: String {
            switch kind {
            case .number: "Vapi says that this phone number cannot be called. Correct the number."
            case .concurrency:
                "All of our Vapi lines are busy. The call is placed when one is free."
            case .rate: "Vapi asks us to slow down. The call is placed a little later."
            case .key:
                "Vapi does not accept our API key. Correct VAPI_API_KEY, then resume calling."
            case .billing: "The Vapi account needs a payment. Top it up, then resume calling."
            case .permission:
                "Vapi does not let this account place the call. Check its plan and its phone number, "
                    + "then resume calling."
            case .missing:
                "Vapi does not know our assistant or phone number. Correct VAPI_ASSISTANT_ID and "
                    + "VAPI_PHONE_NUMBER_ID, then resume calling."
            case .policy:
                "The Vapi account has reached a limit or has no credits left. Look into the Vapi "
                    + "dashboard, then resume calling."
            case .request:
                "Vapi did not understand our request. Check VAPI_ASSISTANT_ID and "
                    + "VAPI_PHONE_NUMBER_ID, then resume calling."
            }
        }
    }

    /// Vapi could not be asked; until it can, nobody is dialed again.
    public struct Unreachable: LogSafeError, Equatable {
        public let logDescription: String
        /// Creates the error from its cause.
        public init(_ cause: String) { logDescription = cause }
    }

    /// Places a call, unless its departure keeps it in; takes at most 15 s.
    public var place: @Sendable (Order, @escaping HTTP.Departure) -> Placement
    /// The call of an id, or `nil` when Vapi does not know it.
    public var call: @Sendable (_ id: String) throws(Unreachable) -> JSON?
    /// All calls created at a time or later: the complete listing, however many pages it has.
    public var calls: @Sendable (_ since: Instant) throws(Unreachable) -> [JSON]
    /// Ends a live call by its control address.
    public var end: @Sendable (_ controlURL: String) throws(Unreachable) -> Void
    /// Whether a call of a listing was made with our phone number or by our assistant; an account may
    /// have others.
    public var isOurs: @Sendable (_ call: JSON) -> Bool
    /// Whether its calls reach nobody, because it is simulated on this very machine.
    public var isSimulated: Bool

    /// Creates a provider from closures.
    public init(
        isSimulated: Bool,
        place: @escaping @Sendable (Order, @escaping HTTP.Departure) -> Placement,
        call: @escaping @Sendable (_ id: String) throws(Unreachable) -> JSON?,
        calls: @escaping @Sendable (_ since: Instant) throws(Unreachable) -> [JSON],
        end: @escaping @Sendable (_ controlURL: String) throws(Unreachable) -> Void,
        isOurs: @escaping @Sendable (_ call: JSON) -> Bool = { _ in true }
    ) {
        self.isSimulated = isSimulated
        self.place = place
        self.call = call
        self.calls = calls
        self.end = end
        self.isOurs = isOurs
    }
}

extension Vapi {
    /// How our account is reached.
    public struct Account: Sendable {
        public var address: String
        public var key: Secret
        public var assistantID: String
        public var phoneNumberID: String
        /// Where Vapi reports to: `PUBLIC_URL/webhook/vapi`.
        public var webhook: String
        /// How Vapi proves itself there: a credential stored at Vapi, else a header of its own.
        public var credentialID: String?
        public var webhookSecret: Secret?

        /// Reads `VAPI_*` and `PUBLIC_URL`.
        ///
        /// - Throws: ``Environment/Invalid``.
        public init(environment: Environment) throws {
            address = try environment.address("VAPI_BASE_URL", default: Vapi.publicAddress)
            key = try environment.requiredSecret("VAPI_API_KEY")
            assistantID = try environment.required("VAPI_ASSISTANT_ID")
            phoneNumberID = try environment.required("VAPI_PHONE_NUMBER_ID")
            webhook = try environment.address("PUBLIC_URL") + "/webhook/vapi"
            credentialID = environment["VAPI_CREDENTIAL_ID"]
            webhookSecret = environment.secret("VAPI_WEBHOOK_SECRET")
        }
    }

    /// The events that a call reports.
    static let serverMessages: [JSON] = ["status-update", "end-of-call-report", "tool-calls"]

    /// The provider over HTTP.
    public init(account: Account, http: HTTP = .network) {
        self.init(
            isSimulated: Rehearsal.isLoopback(account.address),
            place: { order, departure in
                do throws(HTTP.Failure) {
                    var call = account.post("/call", order.body(for: account))
                    call.departure = departure
                    return Placement(try http.send(call))
                } catch {
                    return error.sentNothing ? .notSent(error) : .unknown(cause: error.rawValue)
                }
            },
            call: { id throws(Unreachable) in
                guard let id = Vapi.pathSegment(id) else { return nil }
                return try account.get("/call/\(id)", http)
            },
            calls: { since throws(Unreachable) in try account.listing(since: since, http) },
            end: { controlURL throws(Unreachable) in
                do throws(HTTP.Failure) {
                    let answer = try http.send(
                        HTTP.Call(
                            "POST",
                            controlURL,
                            headers: [("Content-Type", "application/json")],
                            body: (["type": "end-call"] as JSON).encoded(),
                            timeout: .seconds(5)
                        )
                    )
                    guard answer.status < 500 else { throw HTTP.Failure.broken }
                } catch { throw Unreachable(error.rawValue) }
            },
            isOurs: { call in
                call["phoneNumberId"]?.string == account.phoneNumberID
                    || call["assistantId"]?.string == account.assistantID
            }
        )
    }

    /// An id as a part of a path, or `nil` when it is none.
    private static func pathSegment(_ id: String) -> String? {
        let isPlain = id.utf8.allSatisfy { byte in
            Character(Unicode.Scalar(byte)).isLetter || Character(Unicode.Scalar(byte)).isNumber
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
        }
        return isPlain && !id.isEmpty ? id : nil
    }
}

extension Vapi.Account {
    private var headers: [(name: String, value: String)] {
        [("Authorization", "Bearer \(key.revealed)"), ("Content-Type", "application/json")]
    }

    fileprivate func post(_ path: String, _ body: JSON) -> HTTP.Call {
        HTTP.Call("POST", address + path, headers: headers, body: body.encoded())
    }

    fileprivate func get(_ path: String, _ http: HTTP) throws(Vapi.Unreachable) -> JSON? {
        let answer: HTTP.Answer
        do throws(HTTP.Failure) {
            answer = try http.send(
                HTTP.Call("GET", address + path, headers: headers, limit: 64 << 20)
            )
        } catch { throw Vapi.Unreachable(error.rawValue) }
        if answer.status == 404 { return nil }
        guard answer.status == 200, let body = try? JSON(parsing: answer.body) else {
            throw Vapi.Unreachable("status \(answer.status)")
        }
        return body
    }

    /// Pages backwards by creation time (the listing has no cursor); calls on a page's edge may come
    /// twice, which does no harm, and are never left out.
    fileprivate func listing(since: Instant, _ http: HTTP) throws(Vapi.Unreachable) -> [JSON] {
        let pageSize = 1000
        var calls: [JSON] = []
        var before: String?
        while true {
            var path = "/call?limit=\(pageSize)&createdAtGe=\(since.iso8601)"
            if let before { path += "&createdAtLt=\(before)" }
            guard let page = try get(path, http)?.array else {
                throw Vapi.Unreachable("a listing that is no list")
            }
            calls += page
            guard page.count >= pageSize else { return calls }
            guard let last = page.last?["createdAt"]?.string,
                let instant = Instant(iso8601: last)
            else { throw Vapi.Unreachable("a listed call without its time") }
            // One millisecond later, so that calls of the same millisecond are not skipped.
            let next = (instant + .milliseconds(1)).iso8601
            guard next != before else { throw Vapi.Unreachable("a listing that does not end") }
            before = next
        }
    }
}

extension Vapi.Order {
    /// Vapi refuses names longer than this.
    private static let nameLimit = 40

    /// The body of `POST /call`.
    ///
    /// Vapi refuses any property that it does not know.
    func body(for account: Vapi.Account) -> JSON {
        let firstName = PersonName.first(of: name)
        var server: JSON.Object = .init()
        server["url"] = .string(account.webhook)
        server["timeoutSeconds"] = 20
        // Without a plan Vapi never repeats a webhook that failed.
        server["backoffPlan"] = [
            "type": "exponential", "maxRetries": 5, "baseDelaySeconds": 2,
            "excludedStatusCodes": [400, 401, 404],
        ]
        if let credentialID = account.credentialID {
            server["credentialId"] = .string(credentialID)
        } else if let secret = account.webhookSecret {
            server["headers"] = ["X-Vapi-Secret": .string(secret.revealed)]
        }
        return [
            "name": .string(attemptID),
            "assistantId": .string(account.assistantID),
            "phoneNumberId": .string(account.phoneNumberID),
            "customer": [
                "number": .string(number.e164),
                "name": .string(String(name.prefix(Vapi.Order.nameLimit))),
                "externalId": .string(leadUUID),
            ],
            "assistantOverrides": [
                "variableValues": [
                    "name": .string(firstName), "partner": .string(partner ?? ""),
                ],
                "metadata": ["attemptId": .string(attemptID), "lead_uuid": .string(leadUUID)],
                "serverMessages": .array(Vapi.serverMessages),
                "server": .object(server),
            ],
        ]
    }
}

extension Vapi.Placement {
    /// Reads the answer to `POST /call`.
    ///
    /// Texts are compared only where Vapi gives nothing else: one status (400) stands for a bad
    /// number, a full account and our own mistakes alike.
    init(_ answer: HTTP.Answer) {
        let body = try? JSON(parsing: answer.body)
        switch answer.status {
        case 200...299:
            guard let id = body?["id"]?.string, !id.isEmpty else {
                self = .unknown(cause: "an answer without an id")
                return
            }
            self = .placed(callID: id, controlURL: body?["monitor"]?["controlUrl"]?.string)
        case 400...499 where answer.status != 408:
            let kind = Vapi.Refusal.Kind(status: answer.status, message: body?["message"])
            self = .refused(
                .init(kind: kind, status: answer.status, retryAfter: answer.retryAfter)
            )
        default:
            self = .unknown(cause: "status \(answer.status)")
        }
    }
}

extension Vapi.Refusal.Kind {
    init(status: Int, message: JSON?) {
        let texts = message?.array?.compactMap(\.string) ?? [message?.string ?? ""]
        let text = texts.joined(separator: " ").lowercased()
        func says(_ words: String...) -> Bool { words.contains { text.contains($0) } }
        switch status {
        case 401: self = .key
        case 402: self = .billing
        case 403: self = .permission
        case 404: self = .missing
        case 429: self = says("concurren") ? .concurrency : .rate
        case 400 where says("over concurrency", "concurrency limit"): self = .concurrency
        // A schema error that merely names a property is ours, not the number's.
        case 400 where says("should not exist"): self = .request
        case 400 where says("customer.number", "valid phone number", "e.164"): self = .number
        case 400
        where says("credit", "wallet", "billing", "daily", "limit", "subscription", "frozen"):
            self = .policy
        default: self = .request
        }
    }
}
