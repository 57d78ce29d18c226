import Testing

@testable import Core

@Suite struct MultipartTests {
    private let body = text(
        "--x",
        "Content-Disposition: form-data; name=\"note\"",
        "",
        "hello",
        "--x",
        "content-disposition: form-data; filename=\"a \\\"b\\\".csv\"; name=file",
        "Content-Type: text/csv; charset=utf-8",
        "",
        "number\r\n+91\r\n--\r\n--y\r\n",
        "--x--",
        ""
    )

    private let parts = [
        ReadPart(part: .init(name: "note"), data: "hello"),
        ReadPart(
            part: .init(name: "file", filename: "a \"b\".csv", contentType: "text/csv"),
            data: "number\r\n+91\r\n--\r\n--y\r\n"
        ),
    ]

    @Test func `a form is read into its parts`() throws {
        #expect(try read([body]) == parts)
    }

    @Test func `the body may be cut in two anywhere`() throws {
        for cut in body.indices {
            #expect(try read([Array(body[..<cut]), Array(body[cut...])]) == parts, "at \(cut)")
        }
        #expect(try read(body.map { [$0] }) == parts)
    }

    @Test func `data that nearly is a boundary stays data, however it is cut`() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        let pieces = [
            "\r", "\n", "\r\n", "-", "--", "\r\n--", "\r\n-", "--x", "x", "xy", "\r\n--y",
        ]
        for _ in 0..<2_000 {
            let length = Int.random(in: 0...12, using: &random)
            let data = (0..<length).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            // With the boundary in it, it would rightly end.
            guard !("\r\n" + data + "\r\n").contains("\r\n--xy") else { continue }
            let body = text(
                "--xy",
                "Content-Disposition: form-data; name=a",
                "",
                data,
                "--xy--"
            )
            var chunks: [[UInt8]] = []
            var rest = body[...]
            while !rest.isEmpty {
                let length = Int.random(in: 1...8, using: &random)
                chunks.append(Array(rest.prefix(length)))
                rest = rest.dropFirst(length)
            }
            let expected = [ReadPart(part: .init(name: "a"), data: data)]
            #expect(
                try read(chunks, contentType: "multipart/form-data; boundary=xy") == expected,
                "\(data.debugDescription), seed \(seed)"
            )
        }
    }

    @Test(arguments: [
        "multipart/form-data; boundary=x", "Multipart/Form-Data;BOUNDARY=\"x\"",
        "multipart/form-data; charset=utf-8; boundary = x ;",
    ])
    func `the boundary is found in the content type`(contentType: String) throws {
        #expect(try read([body], contentType: contentType) == parts)
    }

    @Test(arguments: [
        ("text/csv", Multipart.Failure.notMultipart),
        ("", .notMultipart),
        ("multipart/mixed; boundary=x", .notMultipart),
        ("multipart/form-data", .boundaryMissing),
        ("multipart/form-data; boundary=", .boundaryMissing),
        ("multipart/form-data; boundary=\"a\r\nb\"", .boundaryMissing),
        ("multipart/form-data; boundary=\"a \"", .boundaryMissing),
        (
            "multipart/form-data; boundary=\(String(repeating: "x", count: 71))",
            .boundaryMissing
        ),
        ("multipart/form-data; boundary=x; boundary=y", .notMultipart),
        ("multipart/form-data; boundary=\"x", .notMultipart),
    ])
    func `another content type is refused`(contentType: String, failure: Multipart.Failure) {
        #expect(throws: failure) { try Multipart(contentType: contentType) }
    }

    @Test func `a form may be empty, and have line breaks and remarks around it`() throws {
        #expect(try read([text("--x--")]).isEmpty)
        #expect(try read([text("", "", "--x--", "anything")]).isEmpty)
        let part = text(
            "made by hand",
            "--x \t",
            "Content-Disposition: form-data; name=a",
            "",
            "",
            "--x--"
        )
        #expect(try read([part]) == [ReadPart(part: .init(name: "a"), data: "")])
    }

    @Test func `a part without data may lack the line break before the boundary`() throws {
        let body = text("--x", "Content-Disposition: form-data; name=a", "", "--x--")
        #expect(try read([body]) == [ReadPart(part: .init(name: "a"), data: "")])
        #expect(try read(body.map { [$0] }) == [ReadPart(part: .init(name: "a"), data: "")])
    }

    @Test(arguments: [
        ("filename=\"C:\\leads\\new.csv\"", "C:\\leads\\new.csv"),
        ("filename=\"a;b=c.csv\"", "a;b=c.csv"),
        ("filename=plain.csv", "plain.csv"),
        ("filename=\"लीड्स.csv\"", "लीड्स.csv"),
        ("filename=\"\"", ""),
        ("filename*=UTF-8''other.csv", nil),
    ])
    func `the file's name is kept as a label`(parameter: String, name: String?) throws {
        let body = text(
            "--x",
            "Content-Disposition: form-data; name=\"f\"; \(parameter)",
            "",
            "",
            "--x--"
        )
        #expect(try read([body]).map(\.part.filename) == [name])
    }

    @Test(arguments: [
        (["--x"], Multipart.Failure.incomplete),
        ([], .incomplete),
        (["--x", "Content-Disposition: form-data; name=a", "", "data"], .incomplete),
        (["--x", "Content-Disposition: form-data; name=a", "", "data", "--x-"], .incomplete),
        (["--xy--"], .malformedBoundary),
        (["--x\n"], .malformedBoundary),
        (["--x-y"], .malformedBoundary),
        (["--x", "", "data", "--x--"], .malformedHeader),
        (["--x", "Content-Type: text/csv", "", "data", "--x--"], .malformedHeader),
        (["--x", "Content-Disposition: form-data", "", "data", "--x--"], .malformedHeader),
        (["--x", "Content-Disposition: attachment; name=a", "", "", "--x--"], .malformedHeader),
        (
            ["--x", "Content-Disposition: form-data; name=a; name=b", "", "", "--x--"],
            .malformedHeader
        ),
        (["--x", "Content-Disposition: form-data; name=\"a", "", "", "--x--"], .malformedHeader),
        (["--x", "Content-Disposition : form-data; name=a", "", "", "--x--"], .malformedHeader),
        (["--x", "Content-Disposition: form-data;", " name=a", "", "", "--x--"], .malformedHeader),
        (
            ["--x", "Content-Disposition: form-data; name=a\nX: y", "", "", "--x--"],
            .malformedHeader
        ),
        (
            [
                "--x", "Content-Disposition: form-data; name=a",
                "Content-Disposition: form-data; name=b", "", "", "--x--",
            ], .malformedHeader
        ),
        (
            [
                "--x", "Content-Disposition: form-data; name=a",
                "Content-Transfer-Encoding: base64", "", "", "--x--",
            ], .transferEncoding
        ),
    ])
    func `a malformed form is refused by name`(lines: [String], failure: Multipart.Failure) {
        let body = lines.isEmpty ? [] : Array(lines.joined(separator: "\r\n").utf8)
        #expect(throws: failure) { try read([body]) }
        #expect(throws: failure) { try read(body.map { [$0] }) }
    }

    @Test func `nothing may be larger than its limit`() throws {
        var limits = Multipart.Limits()
        (limits.bodyBytes, limits.parts, limits.headerBytes, limits.preambleBytes) = (400, 2, 60, 8)
        let header = "Content-Disposition: form-data; name=a"
        let cases: [(Multipart.Failure?, [UInt8])] = [
            (nil, text("--x", header, "", "1", "--x", header, "", "2", "--x--")),
            (
                .tooManyParts(2),
                text("--x", header, "", "", "--x", header, "", "", "--x", header, "", "")
            ),
            (.headersTooLong(60), text("--x", header + String(repeating: "a", count: 60))),
            (.headersTooLong(60), text("--x", String(repeating: "\n", count: 80))),
            (.preambleTooLong(8), text("123456789", "--x--")),
            (.preambleTooLong(8), Array(repeating: UInt8(ascii: "\r"), count: 100)),
            (nil, text("12345678", "--x--")),
            (.bodyTooLong(400), text("--x", header, "", String(repeating: "a", count: 400))),
            (.bodyTooLong(400), text("--x--", String(repeating: "a", count: 400))),
        ]
        for (failure, body) in cases {
            for chunks in [[body], body.map { [$0] }] {
                let result = Result { try read(chunks, limits: limits) }
                if let failure {
                    #expect(throws: failure) { try result.get() }
                } else {
                    #expect(throws: Never.self) { try result.get() }
                }
            }
        }
    }

    @Test func `data goes out as it comes in`() throws {
        var form = try Multipart(contentType: "multipart/form-data; boundary=x")
        var seen = 0
        let head = text("--x", "Content-Disposition: form-data; name=a", "", "")
        let chunk = [UInt8](repeating: UInt8(ascii: "d"), count: 1000)
        for bytes in [head, chunk, chunk] {
            try form.feed(bytes.span) { event in
                if case .data(let data) = event { seen += data.count }
            }
        }
        #expect(seen == 2000)
        #expect(throws: Multipart.Failure.incomplete) { try form.finish() }
    }

    @Test func `an error of the receiver comes through`() {
        struct Full: Error {}
        #expect(throws: Full.self) {
            var form = try Multipart(contentType: "multipart/form-data; boundary=x")
            try form.feed(body.span) { _ in throw Full() }
        }
    }
}

private struct ReadPart: Equatable {
    var part: Multipart.Part
    var data: String
}

/// Lines as they travel, without a line break after the last.
private func text(_ lines: String...) -> [UInt8] {
    Array(lines.joined(separator: "\r\n").utf8)
}

private func read(
    _ chunks: [[UInt8]],
    contentType: String = "multipart/form-data; boundary=x",
    limits: Multipart.Limits = .init()
) throws -> [ReadPart] {
    var form = try Multipart(contentType: contentType, limits: limits)
    var parts: [ReadPart] = []
    var current: (part: Multipart.Part, data: [UInt8])?
    for chunk in chunks {
        try form.feed(chunk.span) { event in
            switch event {
            case .begin(let part):
                #expect(current == nil)
                current = (part, [])
            case .data(let data):
                #expect(data.count > 0)
                for index in data.indices { current?.data.append(data[index]) }
            case .end:
                let ended = try #require(current)
                parts.append(
                    ReadPart(part: ended.part, data: String(decoding: ended.data, as: UTF8.self))
                )
                current = nil
            }
        }
    }
    try form.finish()
    return parts
}
