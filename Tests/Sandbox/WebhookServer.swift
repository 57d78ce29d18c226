import Foundation

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// Where Vapi sends server messages, and how hard it tries (`assistantOverrides.server`).
struct WebhookServer: Sendable {
    let url: URL
    /// Seconds; 20 unless the call says otherwise.
    let timeout: Double
    let headers: [String: String]
    /// How often a failed message is sent again; 0 without a `backoffPlan`.
    let retries: Int
    private let isExponential: Bool
    private let baseDelay: Double
    private let excluded: Set<Int>

    /// Reads a `server` object; `nil` without a usable URL.
    init?(_ server: JSON) {
        guard let url = server["url"]?.string.flatMap({ URL(string: $0) }), url.host != nil else {
            return nil
        }
        self.url = url
        timeout = server["timeoutSeconds"]?.double ?? 20
        headers = (server["headers"]?.object ?? [:]).compactMapValues(\.string)
        let plan = server["backoffPlan"]
        retries = Int(plan?["maxRetries"]?.double ?? 0)
        isExponential = plan?["type"]?.string == "exponential"
        baseDelay = plan?["baseDelaySeconds"]?.double ?? 1
        excluded = Set(
            (plan?["excludedStatusCodes"]?.array ?? []).compactMap { $0.double.map { Int($0) } }
        )
    }

    /// Seconds before the n-th retry, n from 1.
    func delay(beforeRetry retry: Int) -> Double {
        isExponential ? baseDelay * Double(1 << (retry - 1)) : baseDelay
    }

    /// Whether an answer (`nil`: none came) is worth another try.
    func retries(after status: Int?) -> Bool {
        guard let status else { return true }
        return !(200..<300).contains(status) && !excluded.contains(status)
    }
}

/// Posts server messages, with proof that they come from Vapi.
struct WebhookPost: Sendable {
    /// How a message proves where it comes from.
    enum Authentication: String, CaseIterable, Sendable {
        /// `X-Vapi-Secret: SECRET`.
        case secret
        /// `Authorization: Bearer SECRET`.
        case bearer
        /// `x-signature`, HMAC-SHA256 hex of `timestamp.body`; `x-timestamp`, simulated milliseconds.
        case hmac
    }

    var secret: String?
    var authentication: Authentication
    var clock: SimulatedClock
    /// Where every message and its answer are kept; `nil` keeps none.
    var exchanges: Ledger?
    private let session: URLSession

    init(
        secret: String?,
        authentication: Authentication,
        clock: SimulatedClock,
        exchanges: Ledger?
    ) {
        self.secret = secret
        self.authentication = authentication
        self.clock = clock
        self.exchanges = exchanges
        let configuration = URLSessionConfiguration.ephemeral
        configuration.httpMaximumConnectionsPerHost = 16
        configuration.httpShouldSetCookies = false
        configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
        session = URLSession(configuration: configuration)
    }

    /// Sends a message once.
    ///
    /// - Returns: The answer's status and body, or `nil` when none came in time.
    func send(_ body: Data, to server: WebhookServer) async -> (status: Int, body: Data)? {
        var request = URLRequest(url: server.url, timeoutInterval: server.timeout)
        request.httpMethod = "POST"
        request.httpBody = body
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.setValue("Vapi/1.0 (sandbox)", forHTTPHeaderField: "User-Agent")
        if let secret {
            switch authentication {
            case .secret: request.setValue(secret, forHTTPHeaderField: "X-Vapi-Secret")
            case .bearer: request.setValue("Bearer \(secret)", forHTTPHeaderField: "Authorization")
            case .hmac:
                let timestamp = String(clock.now())
                let signature = SHA256.hexHMAC(
                    of: Array("\(timestamp).".utf8) + body,
                    key: Array(secret.utf8)
                )
                request.setValue(timestamp, forHTTPHeaderField: "x-timestamp")
                request.setValue(signature, forHTTPHeaderField: "x-signature")
            }
        }
        for (name, value) in server.headers { request.setValue(value, forHTTPHeaderField: name) }
        guard let (data, response) = try? await session.data(for: request),
            let status = (response as? HTTPURLResponse)?.statusCode
        else { return nil }
        exchanges?.append(exchange: "webhook", sent: body, status: status, answer: data)
        return (status, data)
    }
}
