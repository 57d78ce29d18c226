import Testing

@testable import Core

@Suite struct ResponseTests {
    @Test(
        arguments: [
            (nil, 200), ("", 200), (#"W/"7""#, 304), (#""7""#, 304), ("*", 304),
            (#"W/"6", W/"7""#, 304),
            (#""6","7""#, 304), (#"W/"6""#, 200), (#"W/"77""#, 200), ("7", 200), (#"w/"7""#, 200),
        ] as [(String?, Int)]
    )
    func `who has the present state is told so, however a proxy weakened the tag`(
        known: String?,
        status: Int
    ) {
        var headers: [String: String] = [:]
        headers["if-none-match"] = known
        let request = Request(method: "GET", path: "/", headers: headers)
        let response = Response.unlessUnchanged("7", request) { .json(["a": 1]) }
        #expect(response.status == status)
        #expect(response[header: "etag"] == #"W/"7""#)
        #expect(response[header: "Cache-Control"] == "private, no-cache")
        #expect(response.headers.count { $0.name == "Cache-Control" } == 1)
        #expect(response.body.text == (status == 200 ? #"{"a":1}"# : ""))
    }

    @Test(arguments: [
        (Failure.notFound("No.") as any Error, 404, "not_found"),
        (Failure.invalid("number", "No."), 422, "invalid"),
        (Database.Unavailable(cause: "SQLite 13: full"), 503, "unavailable"),
        (Database.ConstraintViolation(constraint: "leads.number"), 500, "internal"),
        (Database.StatementFailed(logDescription: "SQLite: no such table"), 500, "internal"),
        (JSON.ParseError(offset: 0, problem: "x"), 500, "internal"),
    ])
    func `an error is answered with what the caller may know`(
        error: any Error,
        status: Int,
        code: String
    ) throws {
        let response = FastCGI.answer(to: error)
        #expect(response.status == status)
        let body = try JSON(parsing: response.body.text)
        #expect(body["success"] == false)
        #expect(body["code"]?.string == code)
        #expect(body["error"]?.string?.isEmpty == false)
        #expect(!response.body.text.contains("SQLite"))
        #expect(!response.body.text.contains("leads.number"))
        #expect((response[header: "Retry-After"] != nil) == (status == 503))
    }

    @Test func `a failure carries its field, its details and its headers`() throws {
        var failure = Failure(409, "duplicate_number", "It is known.", field: "number")
        failure.details["lead_uuid"] = "x"
        failure.headers = [.init(name: "Allow", value: "GET")]
        let expected: JSON = [
            "success": false, "error": "It is known.", "code": "duplicate_number",
            "field": "number",
            "lead_uuid": "x",
        ]
        #expect(try JSON(parsing: failure.response.body.text) == expected)
        #expect(failure.response[header: "allow"] == "GET")
    }

    @Test func `a header's value cannot begin another header`() throws {
        var sent: [UInt8] = []
        let response = Response(headers: [("X-A", "1\r\nSet-Cookie: x"), ("X-B", "2")])
        try FastCGI.send(response) { sent += $0 }
        #expect(
            String(decoding: sent, as: UTF8.self)
                == "Status: 200 OK\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n"
        )
    }

    @Test(arguments: [200, 201, 302, 400, 409, 418, 422, 500, 503, 599])
    func `an answer begins with its status and some words`(status: Int) throws {
        var sent: [UInt8] = []
        try FastCGI.send(Response(status: status)) { sent += $0 }
        let line = String(decoding: sent, as: UTF8.self).prefix { $0 != "\r\n" }
        #expect(try Regex("Status: \(status) [A-Z][A-Za-z ]+").wholeMatch(in: line) != nil)
    }

    @Test(arguments: [(200, true), (204, false), (304, false), (404, true)])
    func `an answer has a length where it may have a body`(status: Int, hasLength: Bool) throws {
        var sent: [UInt8] = []
        try FastCGI.send(Response(status: status)) { sent += $0 }
        #expect(String(decoding: sent, as: UTF8.self).contains("Content-Length: 0") == hasLength)
    }
}
