/// A JSON value, parsed strictly and written compactly.
///
/// Strict means: UTF-8 only, no comments, nothing after the value, no key twice in one object (a
/// second `"number"` could hide what a first one said; texts that Unicode calls canonically
/// equivalent are one key, as they are for a lookup), at most ``maximumDepth`` levels.
public enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSON])
    case object(Object)

    /// How deep arrays and objects may nest.
    public static let maximumDepth = 64

    /// An object's members in the order in which they stand; two objects are equal whatever it is.
    public struct Object: Sendable, Equatable {
        /// The members in order; a key occurs once.
        public private(set) var members: [(key: String, value: JSON)] = []

        /// Creates an object without members.
        public init() {}

        /// The keys in order.
        public var keys: [String] { members.map(\.key) }

        /// The value of a member; setting `nil` removes it.
        public subscript(key: String) -> JSON? {
            get { members.first { $0.key == key }?.value }
            set {
                let index = members.firstIndex { $0.key == key }
                switch (index, newValue) {
                case (let index?, let value?): members[index].value = value
                case (let index?, nil): members.remove(at: index)
                case (nil, let value?): members.append((key, value))
                case (nil, nil): break
                }
            }
        }

        fileprivate mutating func append(_ key: String, _ value: JSON) {
            members.append((key, value))
        }

        public static func == (left: Object, right: Object) -> Bool {
            guard left.members.count == right.members.count else { return false }
            return left.members.allSatisfy { right[$0.key] == $0.value }
        }
    }

    /// Why a text is not JSON, and at which byte.
    public struct ParseError: Error, Equatable, CustomStringConvertible {
        /// The offset of the offending byte.
        public let offset: Int
        /// What is wrong, without quoting the text (it may hold personal data).
        public let problem: String
        /// The key that stands twice, where that is what is wrong.
        public var key: String?
        public var description: String { "\(problem) at byte \(offset)" }
    }

    /// Parses a whole text.
    ///
    /// - Throws: ``ParseError`` for anything but one well-formed value.
    public init(parsing bytes: [UInt8]) throws(ParseError) {
        let result: Result<JSON, ParseError> = bytes.withUnsafeBufferPointer { buffer in
            var parser = JSONParser(bytes: buffer)
            do throws(ParseError) { return .success(try parser.document()) } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }

    /// Parses a whole text.
    ///
    /// - Throws: ``ParseError`` for anything but one well-formed value.
    public init(parsing text: String) throws(ParseError) {
        try self.init(parsing: Array(text.utf8))
    }
}

// MARK: - Reading

extension JSON {
    /// A member of an object; `nil` for every other kind of value.
    public subscript(key: String) -> JSON? {
        if case .object(let object) = self { object[key] } else { nil }
    }

    /// An element of an array; `nil` outside it and for every other kind of value.
    public subscript(index: Int) -> JSON? {
        guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    public var string: String? { if case .string(let value) = self { value } else { nil } }
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
    public var object: Object? { if case .object(let value) = self { value } else { nil } }
    public var isNull: Bool { self == .null }

    /// A whole number, also when it was written as `3.0`.
    public var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int64(exactly: value)
        default: nil
        }
    }

    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
}

// MARK: - Literals

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSON)...) {
        var object = Object()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }

    /// A string, or `null` where there is none.
    public init(_ value: String?) { self = value.map(JSON.string) ?? .null }
    /// A whole number, or `null` where there is none.
    public init(_ value: Int?) { self = value.map { .integer(Int64($0)) } ?? .null }
    /// A whole number, or `null` where there is none.
    public init(_ value: Int64?) { self = value.map(JSON.integer) ?? .null }
    /// A number, or `null` where there is none.
    public init(_ value: Double?) { self = value.map(JSON.number) ?? .null }
    /// A truth value.
    public init(_ value: Bool) { self = .bool(value) }
}

// MARK: - Writing

extension JSON {
    /// The value as compact UTF-8 text.
    public func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return bytes
    }

    /// The value as compact text.
    public var text: String { String(decoding: encoded(), as: UTF8.self) }

    /// Appends the value as compact UTF-8 text.
    public func write(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes += "null".utf8
        case .bool(let value): bytes += (value ? "true" : "false").utf8
        case .integer(let value): bytes += String(value).utf8
        case .number(let value): bytes += (value.isFinite ? "\(value)" : "null").utf8
        case .string(let value): JSON.write(value, to: &bytes)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                element.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let object):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                JSON.write(member.key, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    /// Appends a quoted, escaped string.
    public static func write(_ string: String, to bytes: inout [UInt8]) {
        var string = string
        string.withUTF8 { write(utf8: $0, to: &bytes) }
    }

    /// Appends text that is UTF-8 already as a quoted, escaped string.
    static func write(utf8: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        var rest = utf8[...]
        while let index = rest.firstIndex(where: needsEscape) {
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: rest[..<index]))
            escape(rest[index], to: &bytes)
            rest = rest[(index + 1)...]
        }
        bytes.append(contentsOf: UnsafeBufferPointer(rebasing: rest))
        bytes.append(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func escape(_ byte: UInt8, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\n"): bytes.append(UInt8(ascii: "n"))
        case UInt8(ascii: "\r"): bytes.append(UInt8(ascii: "r"))
        case UInt8(ascii: "\t"): bytes.append(UInt8(ascii: "t"))
        case 0..<0x20:
            bytes += "u00".utf8
            bytes.append(hexadecimal[Int(byte >> 4)])
            bytes.append(hexadecimal[Int(byte & 15)])
        default: bytes.append(byte)
        }
    }

    private static let hexadecimal = Array("0123456789abcdef".utf8)
}

// MARK: - Parsing

/// A recursive-descent parser over bytes; it allocates only what the value needs.
private struct JSONParser {
    let bytes: UnsafeBufferPointer<UInt8>
    var index = 0
    var depth = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    mutating func document() throws(JSON.ParseError) -> JSON {
        skipSpace()
        let value = try self.value()
        skipSpace()
        guard index == bytes.count else { throw error("Something follows the value") }
        return value
    }

    private mutating func value() throws(JSON.ParseError) -> JSON {
        guard index < bytes.count else { throw error("The text ends early") }
        switch bytes[index] {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw error("A value was expected")
        }
    }

    private mutating func object() throws(JSON.ParseError) -> JSON {
        try enter()
        var object = JSON.Object()
        var seen: Set<String> = []
        skipSpace()
        if take(UInt8(ascii: "}")) {
            depth -= 1
            return .object(object)
        }
        while true {
            skipSpace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else {
                throw error("A key was expected")
            }
            let start = index
            let key = try string()
            guard seen.insert(key).inserted else {
                throw JSON.ParseError(offset: start, problem: "A key stands twice", key: key)
            }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw error("A colon was expected") }
            skipSpace()
            object.append(key, try value())
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            guard take(UInt8(ascii: "}")) else { throw error("A comma or } was expected") }
            depth -= 1
            return .object(object)
        }
    }

    private mutating func array() throws(JSON.ParseError) -> JSON {
        try enter()
        var elements: [JSON] = []
        skipSpace()
        if take(UInt8(ascii: "]")) {
            depth -= 1
            return .array(elements)
        }
        while true {
            skipSpace()
            elements.append(try value())
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            guard take(UInt8(ascii: "]")) else { throw error("A comma or ] was expected") }
            depth -= 1
            return .array(elements)
        }
    }

    private mutating func enter() throws(JSON.ParseError) {
        depth += 1
        guard depth <= JSON.maximumDepth else { throw error("The value nests too deeply") }
        index += 1
    }

    private mutating func literal(
        _ word: StaticString,
        _ value: JSON
    ) throws(JSON.ParseError) -> JSON {
        let count = word.utf8CodeUnitCount
        guard index + count <= bytes.count else { throw error("The text ends early") }
        for offset in 0..<count where bytes[index + offset] != word.utf8Start[offset] {
            throw error("A value was expected")
        }
        index += count
        return value
    }

    private mutating func number() throws(JSON.ParseError) -> JSON {
        let start = index
        _ = take(UInt8(ascii: "-"))
        if take(UInt8(ascii: "0")) {
            if index < bytes.count, isDigit(bytes[index]) { throw error("A number starts with 0") }
        } else {
            try digits()
        }
        var isWhole = true
        if take(UInt8(ascii: ".")) {
            isWhole = false
            try digits()
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            isWhole = false
            index += 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isWhole, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw JSON.ParseError(offset: start, problem: "A number is too large")
        }
        return .number(value)
    }

    private mutating func digits() throws(JSON.ParseError) {
        let start = index
        while index < bytes.count, isDigit(bytes[index]) { index += 1 }
        guard index > start else { throw error("A digit was expected") }
    }

    private mutating func string() throws(JSON.ParseError) -> String {
        index += 1
        let start = index
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                defer { index += 1 }
                return try text(bytes[start..<index], at: start)
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            guard byte >= 0x20 else { throw error("A control character stands in a string") }
            index += 1
        }
        throw error("A string has no end")
    }

    private mutating func escapedString(from start: Int) throws(JSON.ParseError) -> String {
        var result = Array(bytes[start..<index])
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: result, as: UTF8.self) else {
                    throw JSON.ParseError(offset: start, problem: "A string is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"):
                try escape(into: &result)
            case 0..<0x20:
                throw error("A control character stands in a string")
            default:
                result.append(byte)
            }
        }
        throw error("A string has no end")
    }

    private mutating func escape(into result: inout [UInt8]) throws(JSON.ParseError) {
        guard index < bytes.count else { throw error("A string has no end") }
        let byte = bytes[index]
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "u"): result += Array(String(try unicodeEscape()).utf8)
        default: throw error("An escape is unknown")
        }
    }

    /// The scalar of one `\u` escape or surrogate pair.
    ///
    /// Half a pair becomes U+FFFD: JavaScript writes one where it cut a text inside an emoji, and a
    /// transcript must not be lost for that.
    private mutating func unicodeEscape() throws(JSON.ParseError) -> Character {
        let unit = try hexadecimalUnit()
        if let scalar = Unicode.Scalar(unit) { return Character(scalar) }
        guard unit < 0xDC00, index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u")
        else { return "\u{FFFD}" }
        let resume = index
        index += 2
        let second = try hexadecimalUnit()
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(
                0x10000 + (UInt32(unit - 0xD800) << 10) + UInt32(second - 0xDC00)
            )
        else {
            index = resume
            return "\u{FFFD}"
        }
        return Character(scalar)
    }

    private mutating func hexadecimalUnit() throws(JSON.ParseError) -> UInt16 {
        guard index + 4 <= bytes.count else { throw error("An escape ends early") }
        var unit: UInt16 = 0
        for byte in bytes[index..<index + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw error("An escape is not hexadecimal")
            }
            unit = unit << 4 | UInt16(digit)
        }
        index += 4
        return unit
    }

    private func text(
        _ slice: Slice<UnsafeBufferPointer<UInt8>>,
        at offset: Int
    ) throws(JSON.ParseError) -> String {
        guard let string = String(validating: slice, as: UTF8.self) else {
            throw JSON.ParseError(offset: offset, problem: "A string is not UTF-8")
        }
        return string
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x0A, 0x0D, 0x09: index += 1
            default: return
            }
        }
    }

    private func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private func error(_ problem: String) -> JSON.ParseError {
        JSON.ParseError(offset: index, problem: problem)
    }
}
