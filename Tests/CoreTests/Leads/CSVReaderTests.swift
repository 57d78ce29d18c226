import Foundation
import Testing

@testable import Core

@Suite struct CSVReaderTests {
    @Test(arguments: [
        ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]),
        ("a,b\r\n1,2", [["a", "b"], ["1", "2"]]),
        ("a,b\r1,2\r", [["a", "b"], ["1", "2"]]),
        ("a,b\n,\n", [["a", "b"], ["", ""]]),
        ("a\n\"\"\n", [["a"], [""]]),
        ("a,b\n\"x,y\",\"say \"\"hi\"\"\"\n", [["a", "b"], ["x,y", "say \"hi\""]]),
        ("a,b\n\"two\r\nlines\",2", [["a", "b"], ["two\r\nlines", "2"]]),
        ("a\n\n\r\n \n1", [["a"], [" "], ["1"]]),
        // As Excel and Python read them: marks count only at the start of a field.
        ("a,b\n5\" pipe,\"x\"y\n x, \"y\"", [["a", "b"], ["5\" pipe", "xy"], [" x", " \"y\""]]),
        ("a;b\n1,5;2\n", [["a", "b"], ["1,5", "2"]]),
        ("a\tb\n1\t2\n", [["a", "b"], ["1", "2"]]),
        ("\"a;b;c\",d\n1,2\n", [["a;b;c", "d"], ["1", "2"]]),
        ("\"a\"\";;\",d\n1,2\n", [["a\";;", "d"], ["1", "2"]]),
        ("\r\n\na;b\n1;2", [["a", "b"], ["1", "2"]]),
        ("sep=;\r\na,x;b\r\n1;2", [["a,x", "b"], ["1", "2"]]),
        ("\"SEP=|\"\na|b\n", [["a", "b"]]),
        ("sep=\t\ra\tb", [["a", "b"]]),
        ("phone", [["phone"]]),
        ("", []),
        ("\n\r\n", []),
    ])
    func `a file is cut into rows`(text: String, rows: [[String]]) throws {
        #expect(try read(Array(text.utf8)).map(\.fields) == rows)
    }

    @Test func `a row knows the physical line in which it starts`() throws {
        let text = "\n\r\nname,note\r\nx,\"1\r\n2\n3\r4\"\r\r\n\ny,z\rw,v"
        #expect(try read(Array(text.utf8)).map(\.line) == [3, 4, 10, 11])
        #expect(try read(Array("sep=,\r\na\r\nb".utf8)).map(\.line) == [2, 3])
    }

    @Test func `it tells which separator it found`() throws {
        var reader = CSVReader()
        #expect(reader.separator == nil)
        try reader.feed(Array("a;b,c;d\n".utf8).span) { _ in }
        try reader.finish { _ in }
        #expect(reader.separator == ";")
    }

    @Test(arguments: [
        Array("name,city\nJosé €,Москва 🎓\n".utf8),
        [0xEF, 0xBB, 0xBF] + Array("name,city\nJosé €,Москва 🎓\n".utf8),
        [0xFF, 0xFE] + utf16("name,city\nJosé €,Москва 🎓\n", bigEndian: false),
        [0xFE, 0xFF] + utf16("name,city\nJosé €,Москва 🎓\n", bigEndian: true),
        utf16("name,city\nJosé €,Москва 🎓\n", bigEndian: false),
        utf16("name,city\nJosé €,Москва 🎓\n", bigEndian: true),
    ])
    func `unicode is read whatever its form`(bytes: [UInt8]) throws {
        #expect(try read(bytes).map(\.fields) == [["name", "city"], ["José €", "Москва 🎓"]])
    }

    @Test func `what is not UTF-8 is read as Excel's Windows-1252`() throws {
        let bytes =
            Array("name\nJos".utf8) + [0xE9, 0x20, 0x80, 0x20, 0x93, 0x78, 0x94, 0x81, 0x0A]
        #expect(try read(bytes).map(\.fields) == [["name"], ["José € “x”\u{FFFD}"]])
        // A sequence that breaks off, at the end of a field and of the file, and surrogates in UTF-8.
        let broken: [UInt8] = Array("a\n".utf8) + [0xE2, 0x82, 0x0A, 0xED, 0xA0, 0x80, 0x0A, 0xC3]
        #expect(
            try read(broken).map(\.fields) == [["a"], ["â‚"], ["í\u{A0}€"], ["Ã"]]
        )
    }

    @Test(
        arguments: [
            // Longer forms of a shorter character, surrogates, and what lies beyond Unicode.
            ([0xC0, 0xAF], "À¯"), ([0xE0, 0x80, 0x80], "à€€"), ([0xE0, 0x9F, 0xBF], "àŸ¿"),
            ([0xED, 0xBF, 0xBF], "í¿¿"), ([0xF0, 0x8F, 0xBF, 0xBF], "ð\u{FFFD}¿¿"),
            ([0xF4, 0x90, 0x80, 0x80], "ô\u{FFFD}€€"), ([0xF5, 0x80], "õ€"), ([0xFF], "ÿ"),
            // The first and last characters of each length are what they are.
            ([0xC2, 0x80], "\u{80}"), ([0xDF, 0xBF], "\u{7FF}"), ([0xE0, 0xA0, 0x80], "\u{800}"),
            ([0xED, 0x9F, 0xBF], "\u{D7FF}"), ([0xEE, 0x80, 0x80], "\u{E000}"),
            ([0xEF, 0xBF, 0xBF], "\u{FFFF}"), ([0xF0, 0x90, 0x80, 0x80], "\u{10000}"),
            ([0xF4, 0x8F, 0xBF, 0xBF], "\u{10FFFF}"),
        ] as [([UInt8], String)]
    )
    func `only well-formed UTF-8 is read as such`(bytes: [UInt8], text: String) throws {
        #expect(try read(Array("a\n".utf8) + bytes).map(\.fields) == [["a"], [text]])
    }

    @Test func `half a UTF-16 character is marked as lost`() throws {
        let bytes: [UInt8] = [
            0xFF, 0xFE, 0x61, 0, 0x0A, 0, 0x3D, 0xD8, 0x62, 0, 0x0A, 0, 0x34, 0xDC, 1,
        ]
        #expect(try read(bytes).map(\.fields) == [["a"], ["\u{FFFD}b"], ["\u{FFFD}\u{FFFD}"]])
    }

    @Test(arguments: [
        ([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], "a PNG image"),
        (Array("PK\u{5}\u{6}".utf8), "an empty ZIP archive"),
        (Array("%PDF-1.7".utf8), "a PDF document"),
        (Array("<!DOCTYPE html>".utf8), "a web page"),
    ])
    func `a file of another kind is named for what it is`(bytes: [UInt8], kind: String) {
        #expect(throws: CSVReader.Failure.notText(kind)) { try read(bytes) }
    }

    @Test(arguments: [
        ("a\nb\u{0}\n", CSVReader.Failure.nul(line: 2)),
        ("a,b\n1,\"2\n3\n", .unterminatedQuote(line: 2)),
        ("\"a,b\n1,2\n", .unterminatedQuote(line: 1)),
        ("a,b\n12345678901,2\n", .fieldTooLong(line: 2, limit: 10)),
        ("a,b\n1,2\n\"12345678901\",2\n", .quoteTooLong(line: 3, limit: 10)),
        ("a\n123456789,123456789,123\n", .rowTooLong(line: 2, limit: 20)),
        ("a\n1,2,3,4\n1,2,3,4,5\n", .tooManyColumns(line: 3, limit: 4)),
        ("\(String(repeating: "x", count: 30))", .fieldTooLong(line: 1, limit: 10)),
        ("\(String(repeating: ",", count: 30))", .tooManyColumns(line: 1, limit: 4)),
    ])
    func `what is wrong with a file is named with its line`(
        text: String,
        failure: CSVReader.Failure
    ) {
        var limits = TableRow.Limits()
        (limits.fieldBytes, limits.rowBytes, limits.columns) = (10, 20, 4)
        #expect(throws: failure) { try read(Array(text.utf8), limits: limits) }
        #expect(failure.code.hasPrefix("csv_"))
        #expect(failure.line.map { failure.description.contains("ine \($0)") } == true)
    }

    @Test func `rows before the fault have been handed out`() {
        var reader = CSVReader()
        var count = 0
        #expect(throws: CSVReader.Failure.unterminatedQuote(line: 3)) {
            try reader.feed(Array("a\nb\n\"c\n".utf8).span) { _ in count += 1 }
            try reader.finish { _ in count += 1 }
        }
        #expect(count == 2)
    }

    @Test func `chunks may end anywhere`() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let bytes = randomFile(&random)
            let whole = Result { try read(bytes) }
            var pieces: [ArraySlice<UInt8>] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let length = Int.random(in: 1...max(1, rest.count / 2), using: &random)
                pieces.append(rest.prefix(length))
                rest = rest.dropFirst(length)
            }
            let inPieces = Result { try read(chunks: pieces) }
            let byByte = Result { try read(chunks: bytes.indices.map { bytes[$0...$0] }) }
            #expect(String(describing: inPieces) == String(describing: whole), "seed \(seed)")
            #expect(String(describing: byByte) == String(describing: whole), "seed \(seed)")
        }
    }

    @Test(.enabled(if: Python.isThere, "compares with python3"))
    func `it reads what Python reads`() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        var texts: [String] = []
        while texts.count < 2_000 {
            // The first line decides the separator here but not there, so it is given.
            let length = Int.random(in: 0...40, using: &random)
            let body = (0..<length).map { _ in
                ["a", "é", ",", "\"", "\n", "\r", " ", ";"].randomElement(using: &random) ?? ""
            }
            let text = "x,y\n" + body.joined()
            if (try? read(Array(text.utf8))) != nil { texts.append(text) }
        }
        let expected = try Python.rows(of: texts)
        for (text, rows) in zip(texts, expected) {
            #expect(
                try read(Array(text.utf8)).map(\.fields) == rows,
                "\(text.debugDescription), seed \(seed)"
            )
        }
    }

    @Test func `memory stays bounded whatever comes in`() throws {
        // Ten megabytes without a line break end at the first limit, not at the end of the file.
        for filler: UInt8 in [UInt8(ascii: "x"), UInt8(ascii: "\"")] {
            var reader = CSVReader()
            let chunk = [UInt8](repeating: filler, count: 64 * 1024)
            var fed = 0
            #expect(throws: CSVReader.Failure.self) {
                for _ in 0..<160 {
                    fed += 1
                    try reader.feed(chunk.span) { _ in }
                }
            }
            #expect(fed <= 4)
        }
    }

    /// A file of the characters that matter, in one of the encodings.
    private func randomFile(_ random: inout SeededGenerator) -> [UInt8] {
        let characters = [
            "a", "1", "é", "🎓", ",", ",", ";", "\t", "\"", "\"", "\n", "\r\n", "\r", " ", "sep=;",
        ]
        let length = Int.random(in: 0...60, using: &random)
        let text = (0..<length).map { _ in characters.randomElement(using: &random) ?? "" }.joined()
        return switch Int.random(in: 0...4, using: &random) {
        case 0: [0xEF, 0xBB, 0xBF] + Array(text.utf8)
        case 1: [0xFF, 0xFE] + utf16(text, bigEndian: false)
        case 2: [0xFE, 0xFF] + utf16(text, bigEndian: true)
        case 3: (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        default: Array(text.utf8)
        }
    }
}

private struct ReadRow: Equatable {
    var line: Int
    var fields: [String]
}

private func read(_ bytes: [UInt8], limits: TableRow.Limits = .init()) throws -> [ReadRow] {
    try read(chunks: [bytes[...]], limits: limits)
}

private func read(
    chunks: [ArraySlice<UInt8>],
    limits: TableRow.Limits = .init()
) throws -> [ReadRow] {
    var reader = CSVReader(limits: limits)
    var rows: [ReadRow] = []
    let receive = { (row: TableRow) in
        rows.append(ReadRow(line: row.line, fields: (0..<row.count).map { row[$0] }))
    }
    for chunk in chunks { try reader.feed(chunk.span, receive: receive) }
    try reader.finish(receive: receive)
    return rows
}

private func utf16(_ text: String, bigEndian: Bool) -> [UInt8] {
    text.utf16.flatMap { unit in
        let bytes = [UInt8(truncatingIfNeeded: unit), UInt8(truncatingIfNeeded: unit >> 8)]
        return bigEndian ? bytes.reversed() : bytes
    }
}

/// Python's `csv` module as a referee.
private enum Python {
    static var isThere: Bool {
        (try? run("import csv", input: Data())) != nil
    }

    static func rows(of texts: [String]) throws -> [[[String]]] {
        let program = """
            import csv, io, json, sys
            texts = json.load(sys.stdin)
            read = lambda text: [row for row in csv.reader(io.StringIO(text, newline="")) if row]
            json.dump([read(text) for text in texts], sys.stdout)
            """
        let output = try run(program, input: JSONEncoder().encode(texts))
        return try JSONDecoder().decode([[[String]]].self, from: output)
    }

    private struct Failed: Error {}

    private static func run(_ program: String, input: Data) throws -> Data {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-c", program]
        let file = URL.temporaryDirectory.appending(path: UUID().uuidString)
        try input.write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let output = Pipe()
        process.standardInput = try FileHandle(forReadingFrom: file)
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed() }
        return data
    }
}
