/// What went wrong in a way that the caller may know.
///
/// Every other error is ours to log, and the caller learns only that something went wrong.
public struct Failure: Error, Equatable, Sendable {
    /// The HTTP status.
    public var status: Int
    /// The word for programs.
    public var code: String
    /// The sentence for people: what is wrong and what to do.
    public var sentence: String
    /// The field that is wrong.
    public var field: String?
    /// More members of the answer, for example the `lead_uuid` of a duplicate.
    public var details: JSON.Object
    /// More headers, for example `Allow`.
    public var headers: [Header]

    /// A response header.
    public struct Header: Equatable, Sendable {
        public var name: String
        public var value: String
    }

    /// Creates a failure.
    public init(
        _ status: Int,
        _ code: String,
        _ sentence: String,
        field: String? = nil,
        details: JSON.Object = .init(),
        headers: [Header] = []
    ) {
        self.status = status
        self.code = code
        self.sentence = sentence
        self.field = field
        self.details = details
        self.headers = headers
    }

    /// 400: the request cannot be understood.
    public static func malformed(_ sentence: String) -> Failure {
        Failure(400, "malformed", sentence)
    }
    /// 404: there is no such thing.
    public static func notFound(_ sentence: String) -> Failure {
        Failure(404, "not_found", sentence)
    }
    /// 409: it cannot be done in the present state.
    public static func conflict(_ code: String, _ sentence: String) -> Failure {
        Failure(409, code, sentence)
    }
    /// 422: a field's value cannot be accepted.
    public static func invalid(
        _ field: String,
        _ sentence: String,
        code: String = "invalid"
    ) -> Failure {
        Failure(422, code, sentence, field: field)
    }
    /// 503: it may work later.
    public static func unavailable(_ sentence: String) -> Failure {
        Failure(503, "unavailable", sentence, headers: [Header(name: "Retry-After", value: "5")])
    }

    /// The answer that says so.
    public var response: Response {
        var body: JSON.Object = .init()
        body["success"] = false
        body["error"] = .string(sentence)
        body["code"] = .string(code)
        body["field"] = field.map(JSON.string)
        for member in details.members { body[member.key] = member.value }
        var response = Response.json(.object(body), status: status)
        for header in headers { response.headers.append((header.name, header.value)) }
        return response
    }
}

extension Failure: LogSafeError {
    public var logDescription: String { "\(status) \(code)" }
}

extension JSON.Object {
    /// Refuses members that the receiver would ignore: a misspelt name must not pass for a success.
    ///
    /// - Throws: ``Failure`` 422 naming the first unknown member.
    public func refuseUnknown(except known: Set<String>) throws {
        guard let unknown = keys.first(where: { !known.contains($0) }) else { return }
        let names = known.sorted().joined(separator: ", ")
        throw Failure(
            422,
            "unknown_field",
            known.isEmpty
                ? "This request takes no fields."
                : "The request has a field that is not known here. Known are: \(names).",
            field: String(unknown.prefix(64))
        )
    }
}
