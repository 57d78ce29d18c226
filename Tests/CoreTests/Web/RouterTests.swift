import Testing

@testable import Core

@Suite struct RouterTests {
    private let router = Router([
        .init("GET", "/api/leads") { _ in .json(["all": true]) },
        .init("POST", "/api/leads") { _ in .json([:], status: 201) },
        .init("GET", "/api/leads/export.csv") { _ in .text("name") },
        .init("GET", "/api/leads/:uuid/details") { .json(["uuid": .string($0.parameter("uuid"))]) },
        .init("DELETE", "/api/leads/:uuid") { .json(["uuid": .string($0.parameter("uuid"))]) },
        .init("POST", "/api/upload", taking: "multipart/form-data") { _ in .json([:]) },
        .init("POST", "/webhook/vapi", for: .machine) { _ in .json([:]) },
        .init("GET", "/stream") { _ in
            Response(body: .stream { _ in Issue.record("a body was made for HEAD") })
        },
    ])

    private func refusal(_ request: Request) -> Failure? {
        do {
            _ = try router.respond(to: request)
            return nil
        } catch { return error as? Failure }
    }

    @Test(arguments: [
        ("GET", "/api/leads", 200), ("POST", "/api/leads", 201),
        ("GET", "/api/leads/7/details", 200), ("DELETE", "/api/leads/7", 200),
        ("GET", "/api/leads/export.csv", 200),
    ])
    func `a route answers its method and path`(method: String, path: String, status: Int) throws {
        let request = Request(
            method: method,
            path: path,
            headers: ["content-type": "application/json"]
        )
        #expect(try router.respond(to: request).status == status)
    }

    @Test func `a part of the path is handed over decoded`() throws {
        let request = Request(method: "GET", path: "/api/leads/a b/details")
        #expect(try router.respond(to: request).body.text == #"{"uuid":"a b"}"#)
    }

    @Test(arguments: [
        "/", "", "/api", "/api/leads/", "//api/leads", "/api//leads", "/API/leads",
        "/api/leads/7/details/",
        "/api/leads//details", "/api/leads/../leads", "/api/leads/7/8/details",
    ])
    func `any other path is not found`(path: String) {
        #expect(refusal(Request(method: "GET", path: path))?.status == 404)
    }

    @Test(arguments: [
        ("PUT", "/api/leads", "GET, POST, HEAD"), ("OPTIONS", "/api/leads", "GET, POST, HEAD"),
        ("get", "/api/leads", "GET, POST, HEAD"), ("GET", "/webhook/vapi", "POST"),
        ("HEAD", "/webhook/vapi", "POST"), ("TRACE", "/webhook/vapi", "POST"),
        ("POST", "/api/leads/7/details", "GET, HEAD"),
        ("DELETE", "/api/leads/export.csv", "GET, HEAD"),
    ])
    func `a method that a path does not take is refused with those it takes`(
        method: String,
        path: String,
        allowed: String
    ) {
        let failure = refusal(Request(method: method, path: path))
        #expect(failure?.status == 405)
        #expect(failure?.headers == [.init(name: "Allow", value: allowed)])
    }

    @Test func `HEAD is answered where GET is, without the body but with its length`() throws {
        let get = try router.respond(to: Request(method: "GET", path: "/api/leads"))
        let head = try router.respond(to: Request(method: "HEAD", path: "/api/leads"))
        #expect(head.status == 200)
        #expect(head.body.text == "")
        #expect(head[header: "Content-Length"] == "\(get.body.text.utf8.count)")
        #expect(head[header: "Content-Type"] == get[header: "Content-Type"])
        let stream = try router.respond(to: Request(method: "HEAD", path: "/stream"))
        #expect(stream.body.text == "")
        #expect(stream[header: "Content-Length"] == nil)
    }

    /// What a change is answered with: our page, our page in an old browser, a program, somebody
    /// else's page, and each of them with a content type that a form could send.
    @Test(
        arguments: [
            ("same-origin", "https://presales.test", "application/json", 201),
            ("same-origin", "http://presales.test", "application/json; charset=utf-8", 201),
            ("same-origin", nil, "APPLICATION/JSON", 201),
            (nil, "https://presales.test", "multipart/form-data; boundary=x", 415),
            ("none", nil, "application/json", 201),
            (nil, nil, "application/json", 201),
            ("cross-site", nil, "application/json", 403),
            ("same-site", nil, "application/json", 403),
            ("cross-site", "https://presales.test", "application/json", 403),
            ("same-origin", "https://evil.test", "application/json", 403),
            ("", nil, "application/json", 403),
            (nil, "https://evil.test", "application/json", 403),
            (nil, "https://presales.test.evil.test", "application/json", 403),
            (nil, "https://evil.test/presales.test", "application/json", 403),
            (nil, "https://presales.test:8443", "application/json", 403),
            (nil, "presales.test", "application/json", 403),
            (nil, "null", "application/json", 403),
            (nil, "", "application/json", 403),
            ("cross-site", "https://evil.test", "text/plain", 403),
            (nil, nil, "text/plain", 415),
            (nil, nil, "application/x-www-form-urlencoded", 415),
            (nil, nil, "application/jsonp", 415),
            (nil, nil, nil, 415),
            ("same-origin", "https://presales.test", "text/plain", 415),
        ] as [(String?, String?, String?, Int)]
    )
    func `a change must come from our own pages or a program`(
        site: String?,
        origin: String?,
        type: String?,
        status: Int
    ) {
        var headers = ["host": "presales.test"]
        headers["sec-fetch-site"] = site
        headers["origin"] = origin
        headers["content-type"] = type
        let request = Request(method: "POST", path: "/api/leads", headers: headers)
        #expect((refusal(request)?.status ?? 201) == status)

        // Reading changes nothing, so it is nobody's business who asks; machines prove who they are.
        let read = Request(method: "GET", path: "/api/leads", headers: headers)
        #expect(refusal(read) == nil)
        let machine = Request(method: "POST", path: "/webhook/vapi", headers: headers)
        #expect(refusal(machine) == nil)
    }

    @Test(
        arguments: [
            ("multipart/form-data; boundary=x", nil), ("application/json", 415), (nil, 415),
        ] as [(String?, Int?)]
    )
    func `a route that takes forms takes nothing else`(type: String?, status: Int?) {
        var request = Request(method: "POST", path: "/api/upload")
        request.headers["content-type"] = type
        #expect(refusal(request)?.status == status)
    }

    @Test func `only a deletion needs no content type, and only without a body`() {
        let bare = Request(method: "DELETE", path: "/api/leads/7")
        #expect(refusal(bare) == nil)
        let body = Request(method: "DELETE", path: "/api/leads/7", body: .init([1]))
        #expect(refusal(body)?.status == 415)
        let foreign = ["sec-fetch-site": "cross-site"]
        let elsewhere = Request(method: "DELETE", path: "/api/leads/7", headers: foreign)
        #expect(refusal(elsewhere)?.status == 403)
    }
}

extension Response.Body {
    /// A body at hand, as text.
    var text: String {
        if case .bytes(let bytes) = self {
            String(decoding: bytes, as: UTF8.self)
        } else {
            "stream"
        }
    }
}
