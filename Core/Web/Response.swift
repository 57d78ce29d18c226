/// An answer.
public struct Response: Sendable {
    /// A body: bytes at hand, or a stream that is written while it is made.
    public enum Body: Sendable {
        case bytes([UInt8])
        /// Calls the closure with a function that sends bytes; sending throws when the caller left.
        case stream(@Sendable (_ send: ([UInt8]) throws -> Void) throws -> Void)
    }

    /// The HTTP status.
    public var status: Int
    /// The headers in order.
    public var headers: [(name: String, value: String)]
    /// The body.
    public var body: Body

    /// Creates an answer.
    public init(status: Int = 200, headers: [(String, String)] = [], body: Body = .bytes([])) {
        self.status = status
        self.headers = headers.map { (name: $0.0, value: $0.1) }
        self.body = body
    }

    /// A JSON answer.
    public static func json(_ value: JSON, status: Int = 200) -> Response {
        json(value.encoded(), status: status)
    }

    /// A JSON answer from text that is JSON already.
    public static func json(_ bytes: [UInt8], status: Int = 200) -> Response {
        Response(
            status: status,
            headers: [
                ("Content-Type", "application/json; charset=utf-8"), ("Cache-Control", "no-store"),
            ],
            body: .bytes(bytes)
        )
    }

    /// A text answer.
    public static func text(_ text: String, status: Int = 200) -> Response {
        Response(
            status: status,
            headers: [("Content-Type", "text/plain; charset=utf-8")],
            body: .bytes(Array(text.utf8))
        )
    }

    /// What stands behind the status on an answer's first line.
    ///
    /// It says nothing that the status does not, but nginx passes it on as it is, and a line that ends
    /// with the number is not HTTP (RFC 9112, section 4): Foundation's client refuses such an answer.
    var phrase: String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 409: "Conflict"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 415: "Unsupported Media Type"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        case 500: "Internal Server Error"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        default: status < 400 ? "Done" : "Refused"
        }
    }

    /// Takes the body away and leaves its length, where that is known, in the header.
    mutating func removeBody() {
        if case .bytes(let bytes) = body, status != 304, status != 204 {
            headers.append((name: "Content-Length", value: String(bytes.count)))
        }
        body = .bytes([])
    }

    /// A header's value; names are compared without regard to case.
    public subscript(header name: String) -> String? {
        headers.first {
            $0.name == name
                || $0.name.utf8.count == name.utf8.count
                    && $0.name.lowercased() == name.lowercased()
        }?.value
    }

    /// The same answer with an entity tag, or 304 when the caller has that very state already.
    ///
    /// Tags are compared weakly, because a proxy that compresses the body weakens them
    /// (RFC 9110, 13.1.2). The tag must change whenever the body would.
    public static func unlessUnchanged(
        _ tag: String,
        _ request: Request,
        answer: () throws -> Response
    ) rethrows -> Response {
        let entityTag = "W/\"\(tag)\""
        let known = request.header("if-none-match")?.split(separator: ",").map {
            $0.filter { $0 != " " }
        }
        var response: Response
        if let known,
            known.contains("*") || known.contains(entityTag) || known.contains("\"\(tag)\"")
        {
            response = Response(status: 304)
        } else {
            response = try answer()
            response.headers.removeAll { $0.name == "Cache-Control" }
        }
        response.headers.append((name: "ETag", value: entityTag))
        response.headers.append((name: "Cache-Control", value: "private, no-cache"))
        return response
    }
}
