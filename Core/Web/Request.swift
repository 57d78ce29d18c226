/// A request as nginx passes it on.
///
/// It lives on the thread that serves it.
public struct Request {
    /// The method, for example `GET`.
    public var method: String
    /// The path with its percent escapes decoded.
    public var path: String
    /// The query's parameters.
    public var query: Query
    /// The headers; names in lower case.
    public var headers: [String: String]
    /// The address that nginx saw.
    ///
    /// Forwarding headers are never believed.
    public var remoteAddress: String
    /// nginx's id of the request, for the log.
    public var id: String
    /// The body, read once.
    public var body: Body
    /// What `:name` parts of the route stand for; filled in by the router.
    public var parameters: [String: String] = [:]

    /// Creates a request.
    public init(
        method: String,
        path: String,
        query: Query = Query(),
        headers: [String: String] = [:],
        remoteAddress: String = "127.0.0.1",
        id: String = "-",
        body: Body = .empty
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.remoteAddress = remoteAddress
        self.id = id
        self.body = body
    }

    /// A header's value; `name` in lower case.
    public func header(_ name: String) -> String? { headers[name] }

    /// The media type without its parameters, in lower case.
    public var mediaType: String? {
        header("content-type")?.prefix { $0 != ";" }.lowercased().trimmingSpace()
    }

    /// A part of the route, for example the uuid of `/api/leads/:uuid`.
    public func parameter(_ name: String) -> String { parameters[name] ?? "" }

    /// The whole body, at most `limit` bytes.
    ///
    /// - Throws: ``Failure`` 413 when it is longer, 400 when it is shorter than announced.
    public func bytes(limit: Int = Request.defaultLimit) throws -> [UInt8] {
        try body.all(limit: limit)
    }

    /// The body as a JSON object.
    ///
    /// - Throws: ``Failure`` 400 for anything that is not a JSON object, 413 when it is too long.
    public func object(limit: Int = Request.defaultLimit) throws -> JSON.Object {
        let bytes = try bytes(limit: limit)
        do {
            guard case .object(let object) = try JSON(parsing: bytes) else {
                throw Failure.malformed("The request must be a JSON object.")
            }
            return object
        } catch let error as JSON.ParseError {
            if let key = error.key {
                let name = String(key.prefix(40))
                throw Failure(400, "duplicate_field", "“\(name)” stands twice.", field: name)
            }
            throw Failure.malformed("The request is not valid JSON: \(error).")
        }
    }

    /// Refuses a body that says anything, for a request that has nothing to say: no body or `{}`.
    ///
    /// - Throws: ``Failure`` 400 for anything that is not a JSON object, 422 for one with fields.
    public func refuseFields() throws {
        guard body.length > 0 else { return }
        try object(limit: 4096).refuseUnknown(except: [])
    }

    /// Whether nothing is to be stored (`dry_run=true`), for a request that has no other parameter.
    ///
    /// `subject` is what the sentence of an error is about, for example "An upload".
    /// - Throws: ``Failure`` 400 for another parameter and for another value.
    public func isDryRun(of subject: String) throws -> Bool {
        if let name = query.names.first(where: { $0 != "dry_run" }) {
            let shown = String(name.prefix(40))
            throw Failure(
                400,
                "unknown_parameter",
                "\(subject) has no parameter “\(shown)”. It has dry_run.",
                field: shown
            )
        }
        switch try query.value("dry_run") {
        case "true": return true
        case nil, "false": return false
        default:
            throw Failure(
                400,
                "invalid_dry_run",
                "dry_run must be true or false.",
                field: "dry_run"
            )
        }
    }

    /// How long a JSON body may be: 1 MB.
    public static let defaultLimit = 1_048_576
}

extension Request {
    /// The parameters of a query string; a name that stands twice is refused where it is read.
    public struct Query: Sendable, ExpressibleByDictionaryLiteral {
        private var items: [(name: String, value: String)] = []

        /// Creates a query without parameters.
        public init() {}

        public init(dictionaryLiteral elements: (String, String)...) {
            items = elements.map { (name: $0.0, value: $0.1) }
        }

        /// Reads a query string.
        ///
        /// - Throws: ``Failure`` 400 for broken percent escapes.
        public init(parsing text: some StringProtocol) throws {
            for pair in text.split(separator: "&") {
                let parts = pair.split(
                    separator: "=",
                    maxSplits: 1,
                    omittingEmptySubsequences: false
                )
                guard let name = Percent.decoded(parts[0], plusIsSpace: true),
                    let value = Percent.decoded(parts.count > 1 ? parts[1] : "", plusIsSpace: true)
                else {
                    throw Failure.malformed("The address holds a broken percent escape.")
                }
                items.append((name: name, value: value))
            }
        }

        /// The names in order.
        public var names: [String] { items.map(\.name) }

        /// A parameter's value; an empty one counts as absent.
        ///
        /// - Throws: ``Failure`` 400 when the name stands twice.
        public func value(_ name: String) throws -> String? {
            let values = items.filter { $0.name == name }
            guard values.count < 2 else {
                throw Failure(400, "duplicate_parameter", "\(name) stands twice.", field: name)
            }
            return values.first.flatMap { $0.value.isEmpty ? nil : $0.value }
        }
    }

    /// The bytes of a body as they arrive.
    public struct Body {
        /// How many bytes were announced (`Content-Length`).
        public var length: Int
        /// Whether no length was announced (chunked): the body is as long as it comes.
        public var isOpenEnded = false
        /// Puts the next bytes into the buffer and returns how many; 0 at the end.
        public var read: (UnsafeMutableRawBufferPointer) throws -> Int

        /// Creates a body from a source.
        public init(length: Int, read: @escaping (UnsafeMutableRawBufferPointer) throws -> Int) {
            self.length = length
            self.read = read
        }

        /// No bytes.
        public static var empty: Body { Body(length: 0) { _ in 0 } }

        /// Bytes at hand.
        public init(_ bytes: [UInt8]) {
            var position = 0
            self.init(length: bytes.count) { buffer in
                let count = min(buffer.count, bytes.count - position)
                buffer.copyBytes(from: bytes[position..<position + count])
                position += count
                return count
            }
        }

        /// Hands over the body in pieces of at most 64 KB.
        ///
        /// - Throws: ``Failure`` 400 when the body is shorter than announced; what `take` throws.
        public func forEachChunk(_ take: ([UInt8]) throws -> Void) throws {
            var received = 0
            let size = isOpenEnded ? 65_536 : min(65_536, length)
            var chunk = [UInt8](repeating: 0, count: size)
            while isOpenEnded || received < length {
                let count = try chunk.withUnsafeMutableBytes { buffer in
                    let room = isOpenEnded ? buffer.count : min(buffer.count, length - received)
                    return try read(.init(rebasing: buffer[..<room]))
                }
                guard count > 0 else {
                    if isOpenEnded { return }
                    throw Failure.malformed("The request ended before all of it had arrived.")
                }
                received += count
                try take(Array(chunk[..<count]))
            }
        }

        func all(limit: Int) throws -> [UInt8] {
            let tooLarge = Failure(
                413,
                "too_large",
                "The request is larger than \(limit / 1024) KB. Send less at once."
            )
            guard length <= limit else { throw tooLarge }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(length)
            try forEachChunk { chunk in
                bytes += chunk
                if bytes.count > limit { throw tooLarge }
            }
            return bytes
        }
    }
}

/// Percent escapes (RFC 3986, 2.1).
enum Percent {
    /// The text with its escapes decoded, or `nil` when one is broken or the result is not UTF-8.
    static func decoded(_ text: some StringProtocol, plusIsSpace: Bool) -> String? {
        let isPlain = text.utf8.allSatisfy { $0 != UInt8(ascii: "%") && $0 != UInt8(ascii: "+") }
        if isPlain, text.utf8.allSatisfy({ $0 < 0x80 }) { return String(text) }
        var bytes: [UInt8] = []
        var iterator = text.utf8.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = iterator.next().flatMap(digit),
                    let low = iterator.next().flatMap(digit)
                else { return nil }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt8.init)
    }
}
