import Foundation

/// A JSON value, as the sandbox reads and writes it; objects are written with sorted keys.
enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    subscript(key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    var string: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    var bool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    /// The number, whether it was written with a fraction or without.
    var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    var array: [JSON]? {
        guard case .array(let values) = self else { return nil }
        return values
    }

    var object: [String: JSON]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    /// True where JavaScript would say so: Vapi's "exactly one of" rules ignore `null` and `""`.
    var isPresent: Bool {
        switch self {
        case .null, .bool(false), .string(""): false
        case .array(let values): !values.isEmpty
        case .object(let members): !members.isEmpty
        default: true
        }
    }

    init(_ text: String?) { self = text.map(JSON.string) ?? .null }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    init(stringLiteral value: String) { self = .string(value) }
    init(integerLiteral value: Int64) { self = .integer(value) }
    init(floatLiteral value: Double) { self = .number(value) }
    init(booleanLiteral value: Bool) { self = .bool(value) }
    init(nilLiteral: ()) { self = .null }
    init(arrayLiteral elements: JSON...) { self = .array(elements) }

    init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }
}

// MARK: Writing

extension JSON {
    /// The value on one line, UTF-8.
    var data: Data {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return Data(bytes)
    }

    private func write(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes += "null".utf8
        case .bool(let value): bytes += (value ? "true" : "false").utf8
        case .integer(let value): bytes += String(value).utf8
        case .number(let value): bytes += (value.isFinite ? "\(value)" : "null").utf8
        case .string(let value): JSON.write(value, to: &bytes)
        case .array(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, key) in members.keys.sorted().enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                JSON.write(key, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                (members[key] ?? .null).write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static func write(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): bytes += "\\n".utf8
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                bytes += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

// MARK: Reading

extension JSON {
    /// Why bytes are no JSON.
    struct Malformed: Error {}

    /// Reads one JSON text (RFC 8259), at most 64 levels deep.
    ///
    /// - Throws: ``Malformed``.
    init(parsing data: Data) throws {
        var reader = Reader(bytes: [UInt8](data))
        self = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.isAtEnd else { throw Malformed() }
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool { position == bytes.count }
        var next: UInt8? { isAtEnd ? nil : bytes[position] }

        mutating func skipSpace() {
            while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
        }

        mutating func take(_ character: Character) -> Bool {
            guard next == character.asciiValue else { return false }
            position += 1
            return true
        }

        mutating func value(depth: Int) throws -> JSON {
            guard depth < 64 else { throw Malformed() }
            skipSpace()
            switch next {
            case UInt8(ascii: "{"): return try object(depth: depth)
            case UInt8(ascii: "["): return try array(depth: depth)
            case UInt8(ascii: "\""): return .string(try string())
            case UInt8(ascii: "t"): return try word("true", .bool(true))
            case UInt8(ascii: "f"): return try word("false", .bool(false))
            case UInt8(ascii: "n"): return try word("null", .null)
            default: return try number()
            }
        }

        private mutating func word(_ word: String, _ value: JSON) throws -> JSON {
            guard bytes[position...].starts(with: word.utf8) else { throw Malformed() }
            position += word.utf8.count
            return value
        }

        private mutating func object(depth: Int) throws -> JSON {
            position += 1
            var members: [String: JSON] = [:]
            skipSpace()
            if take("}") { return .object(members) }
            repeat {
                skipSpace()
                guard next == UInt8(ascii: "\"") else { throw Malformed() }
                let key = try string()
                skipSpace()
                guard take(":") else { throw Malformed() }
                members[key] = try value(depth: depth + 1)
                skipSpace()
            } while take(",")
            guard take("}") else { throw Malformed() }
            return .object(members)
        }

        private mutating func array(depth: Int) throws -> JSON {
            position += 1
            var values: [JSON] = []
            skipSpace()
            if take("]") { return .array(values) }
            repeat {
                values.append(try value(depth: depth + 1))
                skipSpace()
            } while take(",")
            guard take("]") else { throw Malformed() }
            return .array(values)
        }

        private mutating func number() throws -> JSON {
            let start = position
            while let byte = next, "+-.0123456789Ee".utf8.contains(byte) { position += 1 }
            let text = String(decoding: bytes[start..<position], as: UTF8.self)
            guard text.wholeMatch(of: /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/) != nil else {
                throw Malformed()
            }
            if let integer = Int64(text) { return .integer(integer) }
            guard let number = Double(text), number.isFinite else { throw Malformed() }
            return .number(number)
        }

        private mutating func string() throws -> String {
            position += 1
            var units: [UInt8] = []
            while let byte = next {
                position += 1
                switch byte {
                case UInt8(ascii: "\""):
                    guard let text = String(validating: units, as: UTF8.self) else {
                        throw Malformed()
                    }
                    return text
                case UInt8(ascii: "\\"): units += try escape().utf8
                case 0..<0x20: throw Malformed()
                default: units.append(byte)
                }
            }
            throw Malformed()
        }

        private mutating func escape() throws -> String {
            guard let byte = next else { throw Malformed() }
            position += 1
            switch byte {
            case UInt8(ascii: "n"): return "\n"
            case UInt8(ascii: "t"): return "\t"
            case UInt8(ascii: "r"): return "\r"
            case UInt8(ascii: "b"): return "\u{8}"
            case UInt8(ascii: "f"): return "\u{C}"
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
                return String(UnicodeScalar(byte))
            case UInt8(ascii: "u"): break
            default: throw Malformed()
            }
            var units = [try hexUnit()]
            if UTF16.isLeadSurrogate(units[0]), take("\\"), take("u") {
                units.append(try hexUnit())
            }
            guard let text = String(validating: units, as: UTF16.self) else { throw Malformed() }
            return text
        }

        private mutating func hexUnit() throws -> UInt16 {
            guard position + 4 <= bytes.count,
                let unit = UInt16(
                    String(decoding: bytes[position..<position + 4], as: UTF8.self),
                    radix: 16
                )
            else { throw Malformed() }
            position += 4
            return unit
        }
    }
}
