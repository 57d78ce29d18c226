/// A statement with its arguments: an interpolated value is bound, never pasted into the text.
///
///     "SELECT name FROM leads WHERE lead_uuid = \(uuid)"
///
/// `\(sql: fragment)` inserts another statement's text and arguments, `\(list: values)` a
/// parenthesised list.
public struct SQL: Sendable, ExpressibleByStringInterpolation {
    /// The text with a `?` for each argument.
    public private(set) var text: String
    /// The arguments in order.
    public private(set) var arguments: [SQLValue]
    /// Whether the text depends on how many values it was made with.
    let hasList: Bool

    public init(stringLiteral text: String) {
        self.text = text
        arguments = []
        hasList = false
    }

    public init(stringInterpolation: Interpolation) {
        text = stringInterpolation.text
        arguments = stringInterpolation.arguments
        hasList = stringInterpolation.hasList
    }

    /// Collects the parts of an interpolated statement.
    public struct Interpolation: StringInterpolationProtocol {
        var text = ""
        var arguments: [SQLValue] = []
        var hasList = false

        public init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + interpolationCount)
            arguments.reserveCapacity(interpolationCount)
        }

        public mutating func appendLiteral(_ literal: String) { text += literal }

        /// Binds a value.
        public mutating func appendInterpolation(_ value: some SQLConvertible) {
            text += "?"
            arguments.append(value.sqlValue)
        }

        /// Binds a value, or NULL.
        public mutating func appendInterpolation(_ value: (some SQLConvertible)?) {
            text += "?"
            arguments.append(value?.sqlValue ?? .null)
        }

        /// Inserts a statement's text and arguments.
        public mutating func appendInterpolation(sql: SQL) {
            text += sql.text
            arguments += sql.arguments
            hasList = hasList || sql.hasList
        }

        /// Binds values as a list for `IN`; an empty list matches nothing.
        public mutating func appendInterpolation(list values: [some SQLConvertible]) {
            text += "(" + repeatElement("?", count: values.count).joined(separator: ",") + ")"
            arguments += values.map(\.sqlValue)
            hasList = true
        }
    }

    /// Two statements one after the other.
    public static func + (left: SQL, right: SQL) -> SQL { "\(sql: left)\(sql: right)" }

    /// Statements joined by a separator.
    public static func joined(_ parts: [SQL], by separator: SQL) -> SQL {
        guard var result = parts.first else { return "" }
        for part in parts.dropFirst() { result = "\(sql: result)\(sql: separator)\(sql: part)" }
        return result
    }
}

/// A value as the database stores it.
public enum SQLValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
}

/// A type that has a form in the database.
public protocol SQLConvertible: Sendable {
    /// The value to bind.
    var sqlValue: SQLValue { get }
    /// The value that a column holds, or `nil` when it holds something else.
    init?(sqlValue: SQLValue)
}

extension Int64: SQLConvertible {
    public var sqlValue: SQLValue { .integer(self) }
    public init?(sqlValue: SQLValue) {
        guard case .integer(let value) = sqlValue else { return nil }
        self = value
    }
}

extension Int: SQLConvertible {
    public var sqlValue: SQLValue { .integer(Int64(self)) }
    public init?(sqlValue: SQLValue) {
        guard case .integer(let value) = sqlValue else { return nil }
        self.init(exactly: value)
    }
}

extension Bool: SQLConvertible {
    public var sqlValue: SQLValue { .integer(self ? 1 : 0) }
    public init?(sqlValue: SQLValue) {
        guard case .integer(let value) = sqlValue else { return nil }
        self = value != 0
    }
}

extension Double: SQLConvertible {
    public var sqlValue: SQLValue { .real(self) }
    public init?(sqlValue: SQLValue) {
        switch sqlValue {
        case .real(let value): self = value
        case .integer(let value): self = Double(value)
        default: return nil
        }
    }
}

extension String: SQLConvertible {
    public var sqlValue: SQLValue { .text(self) }
    public init?(sqlValue: SQLValue) {
        guard case .text(let value) = sqlValue else { return nil }
        self = value
    }
}

extension [UInt8]: SQLConvertible {
    public var sqlValue: SQLValue { .blob(self) }
    public init?(sqlValue: SQLValue) {
        guard case .blob(let value) = sqlValue else { return nil }
        self = value
    }
}

extension Instant: SQLConvertible {
    public var sqlValue: SQLValue { .integer(milliseconds) }
    public init?(sqlValue: SQLValue) {
        guard case .integer(let value) = sqlValue else { return nil }
        self.init(milliseconds: value)
    }
}

extension SQLConvertible where Self: RawRepresentable, RawValue == String {
    public var sqlValue: SQLValue { .text(rawValue) }
    public init?(sqlValue: SQLValue) {
        guard case .text(let value) = sqlValue else { return nil }
        self.init(rawValue: value)
    }
}
