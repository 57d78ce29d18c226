import Crypto

/// Who may report calls: whoever knows the secret, shown in one of the ways Vapi has.
///
/// `X-Vapi-Secret: S`, `Authorization: Bearer S`, or `x-signature` with the hexadecimal HMAC-SHA256
/// of `timestamp.body` and `x-timestamp` within five minutes of now (contract: Vapi, 4.5). Everything
/// is compared in constant time.
public struct WebhookSignature: Sendable {
    /// How far a signature's time may be from ours.
    public static let tolerance = Duration.seconds(300)

    private let secret: Secret

    /// Creates the check for a secret.
    public init(secret: Secret) { self.secret = secret }

    /// Whether a request proves that its sender knows the secret.
    public func accepts(_ request: Request, body: [UInt8], now: Instant) -> Bool {
        if let given = request.header("x-vapi-secret") { return secret.matches(given) }
        if let given = request.header("authorization") {
            guard given.lowercased().hasPrefix("bearer ") else { return false }
            return secret.matches(String(given.dropFirst(7)).trimmingSpace())
        }
        guard let signature = request.header("x-signature"),
            let timestamp = request.header("x-timestamp"),
            let signedAt = WebhookSignature.time(timestamp),
            abs((now - signedAt).milliseconds) <= WebhookSignature.tolerance.milliseconds
        else { return false }
        let right = WebhookSignature.signature(of: body, timestamp: timestamp, secret: secret)
        let given = signature.hasPrefix("sha256=") ? String(signature.dropFirst(7)) : signature
        return Secret(right).matches(given.lowercased())
    }

    /// The signature of a body sent at a time: hexadecimal HMAC-SHA256 of `timestamp.body`.
    static func signature(of body: [UInt8], timestamp: String, secret: Secret) -> String {
        let key = SymmetricKey(data: Array(secret.revealed.utf8))
        let signed = Array(timestamp.utf8) + [UInt8(ascii: ".")] + body
        return Hexadecimal.text(HMAC<SHA256>.authenticationCode(for: signed, using: key))
    }

    /// Reads a time in seconds, milliseconds or ISO 8601: Vapi does not say which it sends.
    private static func time(_ text: String) -> Instant? {
        guard let number = Int64(text) else { return Instant(iso8601: text) }
        guard number >= 0, number < 1 << 50 else { return nil }
        return Instant(milliseconds: number < 100_000_000_000 ? number * 1000 : number)
    }
}

/// Bytes as hexadecimal digits.
enum Hexadecimal {
    private static let digits = Array("0123456789abcdef".utf8)

    static func text(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
