import Foundation
import Testing

@testable import Core
@testable import World

@Suite struct JSONTests {
    private static let wellFormed: [(String, JSON)] = [
        ("null", JSON.null), (" true ", true), ("false", false), ("\t\r\n[ ]\n", []), ("{ }", [:]),
        ("0", 0), ("-0", 0), ("-1", -1), ("9223372036854775807", 9_223_372_036_854_775_807),
        ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", 9_223_372_036_854_775_808.0), ("1.5", 1.5), ("1e2", 100.0),
        ("1E+2", 100.0), ("1.0", 1.0), ("5e-324", .number(.leastNonzeroMagnitude)),
        (#""""#, ""), (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{c}\n\r\t"),
        (#""\u0041\u20AC\u20ac""#, "A€€"),
        (#""\ud83d\ude00""#, "😀"), (#""\u0000""#, "\0"), ("\"\u{7f}\u{2028}\"", "\u{7f}\u{2028}"),
        // Half a surrogate pair, as JavaScript leaves it where it cut a text.
        (#""\ud83d""#, "\u{FFFD}"), (#""\ude00""#, "\u{FFFD}"), (#""\ud83dx""#, "\u{FFFD}x"),
        (#""\ud83d\ud83d\ude00""#, "\u{FFFD}😀"), (#""\ud83d\n""#, "\u{FFFD}\n"),
        (#"[1,[2,{"a":[]}]]"#, [1, [2, ["a": []]]]), (#"{"b":1,"a":2}"#, ["b": 1, "a": 2]),
    ]

    @Test(arguments: wellFormed)
    func `a well-formed text has one value`(text: String, value: JSON) throws {
        #expect(try JSON(parsing: text) == value)
    }

    @Test(arguments: [
        "", " ", "nul", "nulll", "True", "NaN", "Infinity", "-Infinity", "-", "+1", "01", "-01",
        ".5",
        "1.", "1e", "1e+", "1e999", "-1e999", "0x10", "1_000", "١", "[", "]", "[1", "[1,", "[1,]",
        "[,1]", "[1 2]", "{", "}", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}",
        "{a:1}",
        "{'a':1}", "{1:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "\"", "\"a", "\"\\", "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"", "\"\\u12g4\"", "\"\\u+123\"", "\"\\ud83d\\u12\"", "\"a\nb\"", "\"a\tb\"",
        "\"\0\"", "'a'", "1 2", "1,", "{} {}", "[1]x", "// a\n1", "/* a */ 1", "1 // a",
        "\u{FEFF}1", "\u{A0}1", "\u{B}1",
    ])
    func `anything else is refused`(text: String) {
        #expect(throws: JSON.ParseError.self) { try JSON(parsing: text) }
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xC0, 0x80, 0x22],
            [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22],
            [0x22, 0x5C, 0x6E, 0xE2, 0x82, 0x22], [0xFF], [0x31, 0x80],
        ] as [[UInt8]]
    )
    func `what is not UTF-8 is refused`(bytes: [UInt8]) {
        #expect(throws: JSON.ParseError.self) { try JSON(parsing: bytes) }
    }

    @Test(arguments: [
        #"{"a":1,"a":1}"#, #"{"number":"1","x":[{}],"number":"2"}"#, #"[{"a":{"b":1,"b":2}}]"#,
        #"{"a":1,"\u0061":2}"#, "{\"\u{E9}\":1,\"e\u{301}\":2}",
    ])
    func `a key that stands twice is refused, however it is written`(text: String) throws {
        let error = #expect(throws: JSON.ParseError.self) { try JSON(parsing: text) }
        #expect(error?.problem == "A key stands twice")
    }

    @Test func `what nests too deeply is refused before it can hurt`() throws {
        let deepest = JSON.maximumDepth
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(throws: Never.self) { try JSON(parsing: nested(deepest)) }
        #expect(throws: JSON.ParseError.self) { try JSON(parsing: nested(deepest + 1)) }
        #expect(throws: JSON.ParseError.self) {
            try JSON(parsing: String(repeating: "[{\"a\":", count: 500_000))
        }
        let beside =
            "[" + Array(repeating: nested(deepest - 1), count: 3).joined(separator: ",") + "]"
        #expect(throws: Never.self) { try JSON(parsing: beside) }
    }

    @Test func `an error says where, and quotes nothing`() {
        let error = #expect(throws: JSON.ParseError.self) {
            try JSON(parsing: #"{"number":"+919876543210",}"#)
        }
        #expect(error?.description == "A key was expected at byte 26")
    }

    private static let written: [(JSON, String)] = [
        (JSON.null, "null"), (true, "true"), (-5, "-5"), (1.5, "1.5"), (100.0, "100.0"),
        (.number(.infinity), "null"), (.number(.nan), "null"),
        ("a\"b\\c\n\u{1}€", #""a\"b\\c\n\u0001€""#),
        (["b": [1, nil], "a": [:]], #"{"b":[1,null],"a":{}}"#),
    ]

    @Test(arguments: written)
    func `a value is written compactly and in order`(value: JSON, text: String) {
        #expect(value.text == text)
    }

    @Test func `what is written is read as the same value`() throws {
        let random = Seeded.random()
        for _ in 0..<2000 {
            let value = Self.value(random, depth: 0)
            let again = try JSON(parsing: value.encoded())
            #expect(Self.canonical(again) == Self.canonical(value), "seed \(random.seed)")
        }
    }

    @Test(.enabled(if: JSONReferee.exists))
    func `Python's parser takes and refuses the same texts`() throws {
        let random = Seeded.random()
        let texts = (0..<6000).map { _ in Self.text(random) }
        let expected = try JSONReferee.judge(texts)
        #expect(expected.count == texts.count)
        var refused = 0
        for (text, verdict) in zip(texts, expected) {
            let ours = (try? JSON(parsing: text)).map(Self.canonical) ?? "refused"
            refused += verdict == "refused" ? 1 : 0
            #expect(
                ours == verdict,
                "seed \(random.seed): \(String(decoding: text, as: UTF8.self))"
            )
        }
        // A comparison of nothing but errors, or of nothing but values, would prove little.
        #expect((600..<5400).contains(refused), "seed \(random.seed)")
    }

    // MARK: - Random values and texts

    private static let strings = [
        "", "a", "number", "é", "e\u{301}", "😀", "\0", "\"", "\\", "\u{7f}", "\u{2028}", "नमस्ते",
        "line\nbreak", "\u{1b}",
    ]

    private static func value(_ random: Seeded, depth: Int) -> JSON {
        switch random.next(below: depth > 5 ? 6 : 8) {
        case 0: return .null
        case 1: return .bool(random.next(below: 2) == 0)
        case 2: return .integer(Int64(bitPattern: random.next()) >> random.next(below: 64))
        case 3:
            let number = Double(bitPattern: random.next())
            return .number(number.isFinite ? number : 0.1)
        case 4, 5: return .string(strings[random.next(below: strings.count)])
        case 6:
            return .array(
                (0..<random.next(below: 5)).map { _ in value(random, depth: depth + 1) }
            )
        default:
            var object = JSON.Object()
            for _ in 0..<random.next(below: 5) {
                object[strings[random.next(below: strings.count)]] = value(random, depth: depth + 1)
            }
            return .object(object)
        }
    }

    /// A text that is JSON, or was before some of it was changed.
    private static func text(_ random: Seeded) -> [UInt8] {
        var bytes = value(random, depth: 0).encoded()
        let pieces =
            [
                "\\ud83d", "\\ude00", "\\u00e9", "\\", "\"", ",", ":", "[", "]", "{", "}", "0", "-",
                ".", "e9",
                "E-3", " ", "\n", "null", "\u{FEFF}", "\"a\":1,", "\"a\":2,",
                "18446744073709551616", "\0",
            ].map { Array($0.utf8) } + [[0xFF], [0xED, 0xA0, 0x80], [0xC3]]
        for _ in 0..<[0, 0, 1, 1, 2, 4][random.next(below: 6)] {
            let position = random.next(below: bytes.count + 1)
            switch random.next(below: 3) {
            case 0: bytes.insert(contentsOf: pieces[random.next(below: pieces.count)], at: position)
            case 1 where position < bytes.count: bytes.remove(at: position)
            default: bytes.removeSubrange(position..<min(bytes.count, position + 3))
            }
        }
        return bytes
    }

    /// The form in which the referee prints a value.
    private static func canonical(_ value: JSON) -> String {
        switch value {
        case .null: return "n"
        case .bool(let value): return value ? "t" : "f"
        case .integer(let value): return "i\(value)"
        case .number(let value): return "d" + hexadecimal(value.bitPattern)
        case .string(let value): return "s" + value.utf8.map(hexadecimal).joined()
        case .array(let elements): return "[" + elements.map(canonical).joined(separator: ",") + "]"
        case .object(let object):
            let members = object.members.map {
                canonical(.string($0.key)) + ":" + canonical($0.value)
            }
            return "{" + members.joined(separator: ",") + "}"
        }
    }

    private static func hexadecimal(_ number: some FixedWidthInteger) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: number.bitWidth / 4 - digits.count) + digits
    }
}

/// Python's own parser, if there is a Python.
enum JSONReferee {
    static let exists = (try? judge([Array("1".utf8)])) == ["i1"]

    static func judge(_ texts: [[UInt8]]) throws -> [String] {
        let scratch = try Scratch()
        let lines = texts.map { text in
            text.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\n"
        }
        let file = scratch.file("texts")
        try lines.joined().write(toFile: file, atomically: false, encoding: .utf8)
        let tests = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let script = tests.appending(path: "Referee/json_values.py").path
        return try withExtendedLifetime(scratch) {
            try Running("/usr/bin/env", "python3", script, file).end().lines
        }
    }
}
