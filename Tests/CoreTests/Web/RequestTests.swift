import Testing

@testable import Core

@Suite struct RequestTests {
    @Test(
        arguments: [
            ("a=1&b=2", "a", "1"), ("a=1&b=2", "b", "2"), ("a=", "a", nil), ("a", "a", nil),
            ("", "a", nil),
            ("a=b=c", "a", "b=c"), ("a=x+y", "a", "x y"), ("a=x%2By%20z", "a", "x+y z"),
            ("%61=1", "a", "1"),
            ("a=%E2%82%AC", "a", "€"), ("&&a=1&", "a", "1"), ("A=1", "a", nil),
        ] as [(String, String, String?)]
    )
    func `a query's parameter is read decoded, an empty one counts as absent`(
        text: String,
        name: String,
        value: String?
    ) throws {
        #expect(try Request.Query(parsing: text).value(name) == value)
    }

    @Test(arguments: ["a=%", "a=%4", "a=%zz", "a=%ff", "%c3=1", "a=%ED%A0%80", "a=%+1"])
    func `a broken escape is refused`(text: String) {
        #expect(throws: Failure.malformed("The address holds a broken percent escape.")) {
            try Request.Query(parsing: text)
        }
    }

    @Test(arguments: ["a=1&a=2", "a=1&a=1", "a&a", "a=1&%61=2"])
    func `a parameter that stands twice is refused, though only if somebody asks for it`(
        text: String
    ) throws {
        let query = try Request.Query(parsing: text + "&b=3")
        let failure = #expect(throws: Failure.self) { try query.value("a") }
        #expect(failure?.status == 400)
        #expect(failure?.code == "duplicate_parameter")
        #expect(failure?.field == "a")
        #expect(try query.value("b") == "3")
    }

    @Test(arguments: [
        ("application/json", "application/json"),
        ("Application/JSON ; charset=utf-8", "application/json"),
        (" text/csv", "text/csv"), ("", ""),
    ])
    func `the media type is read without its parameters`(header: String, type: String) {
        let request = Request(method: "POST", path: "/", headers: ["content-type": header])
        #expect(request.mediaType == type)
    }

    @Test func `a body is taken up to its limit and not beyond`() throws {
        let fits = Request(method: "POST", path: "/", body: .init([1, 2, 3]))
        #expect(try fits.bytes(limit: 3) == [1, 2, 3])
        let exceeds = Request(method: "POST", path: "/", body: .init([1, 2, 3, 4]))
        let failure = #expect(throws: Failure.self) { try exceeds.bytes(limit: 3) }
        #expect(failure?.status == 413)
    }

    @Test func `a body that announces more than its limit is refused before it is read`() {
        let body = Request.Body(length: .max) { _ in
            Issue.record("it was read")
            return 0
        }
        let failure = #expect(throws: Failure.self) {
            try Request(method: "POST", path: "/", body: body).bytes()
        }
        #expect(failure?.status == 413)
    }

    @Test func `a body in pieces is put together, whatever comes after its end is left`() throws {
        var sent = 0
        let body = Request.Body(length: 150_000) { buffer in
            let count = min(buffer.count, 7)
            for index in 0..<count { buffer[index] = UInt8((sent + index) % 251) }
            sent += count
            return count
        }
        let bytes = try Request(method: "POST", path: "/", body: body).bytes()
        #expect(bytes == (0..<150_000).map { UInt8($0 % 251) })
    }

    @Test func `a body that ends early is refused`() {
        let body = Request.Body(length: 5) { _ in 0 }
        let failure = #expect(throws: Failure.self) {
            try Request(method: "POST", path: "/", body: body).bytes()
        }
        #expect(failure?.status == 400)
    }

    @Test(arguments: [0, 9, 100_000])
    func `a body whose length nobody announced is as long as it comes`(length: Int) throws {
        var left = length
        var body = Request.Body(length: 0) { buffer in
            let count = min(buffer.count, left)
            for index in 0..<count { buffer[index] = 120 }
            left -= count
            return count
        }
        body.isOpenEnded = true
        let bytes = try Request(method: "POST", path: "/", body: body).bytes()
        #expect(bytes == [UInt8](repeating: 120, count: length))
    }

    @Test func `a body whose length nobody announced is read to its limit and no further`() {
        var sent = 0
        var body = Request.Body(length: 0) { buffer in
            sent += buffer.count
            return buffer.count
        }
        body.isOpenEnded = true
        let failure = #expect(throws: Failure.self) {
            try Request(method: "POST", path: "/", body: body).bytes(limit: 500_000)
        }
        #expect(failure?.status == 413)
        #expect(sent < 600_000)
    }

    @Test(arguments: ["", "[]", "1", "null", "{", #"{"a":1,"a":2}"#])
    func `a body that is no JSON object is refused`(text: String) {
        let request = Request(method: "POST", path: "/", body: .init(Array(text.utf8)))
        let failure = #expect(throws: Failure.self) { try request.object() }
        #expect(failure?.status == 400)
    }

    @Test func `a member that nobody knows is refused with those that are known`() throws {
        let object = try #require(try JSON(parsing: #"{"name":"x","nmuber":"y"}"#).object)
        let failure = #expect(throws: Failure.self) {
            try object.refuseUnknown(except: ["number", "name"])
        }
        #expect(failure?.status == 422)
        #expect(failure?.field == "nmuber")
        #expect(failure?.sentence.hasSuffix("Known are: name, number.") == true)
        #expect(throws: Never.self) { try object.refuseUnknown(except: ["name", "nmuber"]) }
    }

    @Test(
        arguments: [
            ("", nil), ("{}", nil), (" { } ", nil), (#"{"force":true}"#, 422), ("[]", 400),
            ("x", 400),
        ] as [(String, Int?)]
    )
    func `a request with nothing to say may say nothing`(text: String, status: Int?) {
        let request = Request(method: "POST", path: "/", body: .init(Array(text.utf8)))
        var refusal: Int?
        do { try request.refuseFields() } catch { refusal = (error as? Failure)?.status }
        #expect(refusal == status)
    }
}
