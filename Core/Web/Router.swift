/// The routes of one function: which handler answers which method and path.
public struct Router: Sendable {
    /// What answers a request.
    public typealias Handler = @Sendable (Request) throws -> Response

    /// One route.
    ///
    /// A part of the pattern that begins with `:` stands for anything but a slash.
    public struct Route: Sendable {
        let method: String
        let pattern: [String]
        let audience: Audience
        let mediaType: String
        let handler: Handler

        /// Creates a route.
        ///
        /// A change by staff must be sent as `mediaType`.
        public init(
            _ method: String,
            _ pattern: String,
            for audience: Audience = .staff,
            taking mediaType: String = "application/json",
            _ handler: @escaping Handler
        ) {
            self.method = method
            self.pattern = Router.parts(of: pattern)
            self.audience = audience
            self.mediaType = mediaType
            self.handler = handler
        }
    }

    /// Who calls a route.
    public enum Audience: Sendable {
        /// People with a browser: requests that change something must come from our own pages.
        case staff
        /// Other systems, which prove who they are in their own way.
        case machine
    }

    /// The routes, in the order in which they were given.
    public let routes: [Route]

    /// Creates a router.
    public init(_ routes: [Route]) { self.routes = routes }

    /// Answers a request.
    ///
    /// `HEAD` is answered wherever `GET` is, without a body but with the length that it would have.
    /// - Throws: ``Failure`` 404 for an unknown path, 405 for a method it does not know, 403 or 415
    ///   for a change that another site may have caused; what the handler throws.
    public func respond(to request: Request) throws -> Response {
        let parts = Router.parts(of: request.path)
        let matches = routes(for: parts)
        guard !matches.isEmpty else { throw Failure.notFound("There is no such page.") }
        let method = request.method == "HEAD" ? "GET" : request.method
        guard let route = matches.first(where: { $0.method == method }) else {
            var allowed = matches.map(\.method)
            if allowed.contains("GET") { allowed.append("HEAD") }
            throw Failure(
                405,
                "method_not_allowed",
                "This address does not take \(request.method.prefix(16)) requests.",
                headers: [.init(name: "Allow", value: allowed.joined(separator: ", "))]
            )
        }
        if route.audience == .staff, method != "GET" {
            try refuseForeignChange(request, taking: route.mediaType)
        }
        var request = request
        request.parameters = Router.match(parts, route.pattern) ?? [:]
        var response = try route.handler(request)
        if request.method == "HEAD" { response.removeBody() }
        return response
    }

    /// The routes of an address.
    ///
    /// One that is written out is itself whatever the method: `/api/leads/export.csv` is no lead.
    private func routes(for parts: [String]) -> [Route] {
        let literal = routes.filter { $0.pattern == parts }
        return literal.isEmpty
            ? routes.filter { Router.match(parts, $0.pattern) != nil } : literal
    }

    /// A change must come from our own pages or from a program, never from another site's page in
    /// somebody's browser (OWASP ASVS 3.5.1 and 3.5.3).
    ///
    /// Browsers send `Sec-Fetch-Site`, older ones `Origin`; a form of another site cannot send our
    /// content types without being asked first.
    private func refuseForeignChange(_ request: Request, taking mediaType: String) throws {
        let refusal = Failure(
            403,
            "cross_site",
            "This change did not come from the dashboard's own page. Open the dashboard and try again."
        )
        if let site = request.header("sec-fetch-site"), site != "same-origin", site != "none" {
            throw refusal
        }
        if let origin = request.header("origin") {
            let host = request.header("host") ?? ""
            guard origin == "https://\(host)" || origin == "http://\(host)" else { throw refusal }
        }
        switch request.mediaType {
        case mediaType: return
        case nil where request.body.length == 0 && request.method == "DELETE": return
        default:
            throw Failure(
                415,
                "unsupported_media_type",
                "Send the request with the content type \(mediaType)."
            )
        }
    }

    private static func parts(of path: String) -> [String] {
        path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    }

    private static func match(_ parts: [String], _ pattern: [String]) -> [String: String]? {
        guard parts.count == pattern.count else { return nil }
        var parameters: [String: String] = [:]
        for (part, expected) in zip(parts, pattern) {
            if expected.hasPrefix(":") {
                guard !part.isEmpty else { return nil }
                parameters[String(expected.dropFirst())] = part
            } else if part != expected {
                return nil
            }
        }
        return parameters
    }
}
