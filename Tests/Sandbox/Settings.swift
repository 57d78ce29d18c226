import Foundation

/// What the environment says.
struct Settings: Sendable {
    /// A variable is missing or makes no sense; the description names it.
    struct Malformed: Error, CustomStringConvertible {
        let description: String
    }

    let port: UInt16
    let stateFolder: String
    let clockOffsetFile: String?
    let key: String
    let webhookSecret: String?
    let webhookAuthentication: WebhookPost.Authentication
    let concurrencyLimit: Int
    /// Whether to keep every request and answer whole, for the vendor's own checkers.
    let recordsExchanges: Bool
    let pace: Switchboard.Pace

    /// Reads `SANDBOX_PORT`, `SANDBOX_STATE`, `VAPI_API_KEY` (required), `CLOCK_OFFSET_FILE`,
    /// `VAPI_WEBHOOK_SECRET`, `SANDBOX_WEBHOOK_AUTH`, `VAPI_CONCURRENT_LIMIT` (10), `SANDBOX_SPEED` (1;
    /// 10 is ten times as fast), `SANDBOX_INSTANT` (`1`: no waiting at all) and `SANDBOX_RECORD` (`1`:
    /// what is said goes to `exchanges.jsonl`, whole).
    ///
    /// - Throws: ``Malformed``.
    init(_ environment: [String: String]) throws {
        func value(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        func required(_ name: String) throws -> String {
            guard let value = value(name) else {
                throw Malformed(description: "\(name) is not set.")
            }
            return value
        }
        guard let port = UInt16(try required("SANDBOX_PORT")), port > 0 else {
            throw Malformed(description: "SANDBOX_PORT is not a port from 1 to 65535.")
        }
        self.port = port
        stateFolder = try required("SANDBOX_STATE")
        key = try required("VAPI_API_KEY")
        clockOffsetFile = value("CLOCK_OFFSET_FILE")
        webhookSecret = value("VAPI_WEBHOOK_SECRET")
        let means = value("SANDBOX_WEBHOOK_AUTH") ?? "secret"
        guard let authentication = WebhookPost.Authentication(rawValue: means) else {
            throw Malformed(description: "SANDBOX_WEBHOOK_AUTH is none of secret, bearer and hmac.")
        }
        webhookAuthentication = authentication
        guard let limit = Int(value("VAPI_CONCURRENT_LIMIT") ?? "10"), limit > 0 else {
            throw Malformed(description: "VAPI_CONCURRENT_LIMIT is not a number of at least 1.")
        }
        concurrencyLimit = limit
        guard let speed = Double(value("SANDBOX_SPEED") ?? "1"), speed > 0, speed.isFinite else {
            throw Malformed(description: "SANDBOX_SPEED is not a number above 0.")
        }
        recordsExchanges = value("SANDBOX_RECORD") == "1"
        pace = value("SANDBOX_INSTANT") == "1" ? .instant : .speed(speed)
    }
}
