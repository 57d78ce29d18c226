import Glibc

/// The program's log: one line of `key=value` pairs on standard error for each event.
///
/// A field takes only what cannot be personal data: whole numbers, words the code itself contains,
/// and identifiers made of letters, digits, `-`, `_`, `.`, `/` and `:`.
public struct Log: Sendable {
    /// How much an event matters.
    public enum Level: Int, Sendable, Comparable {
        case debug, info, warning, error

        fileprivate var name: String {
            switch self {
            case .debug: "debug"
            case .info: "info"
            case .warning: "warning"
            case .error: "error"
            }
        }

        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    /// One `key=value` pair.
    public struct Field: Sendable {
        let key: StaticString
        let value: String

        /// A whole number.
        public static func number(_ key: StaticString, _ value: some BinaryInteger) -> Field {
            Field(key: key, value: String(value))
        }
        /// A word or sentence of the program's own text.
        public static func word(_ key: StaticString, _ value: StaticString) -> Field {
            Field(key: key, value: quoted(value.description))
        }
        /// An identifier: a uuid, a path of ours, an enum's raw value.
        ///
        /// Anything that is not made of an identifier's characters, or is longer than 120 of them,
        /// is written as `?`.
        public static func id(_ key: StaticString, _ value: String) -> Field {
            let isIdentifier =
                value.utf8.count <= 120 && !value.isEmpty
                && value.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"),
                        UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"),
                        UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                        UInt8(ascii: "/"), UInt8(ascii: ":"):
                        true
                    default: false
                    }
                }
            return Field(key: key, value: isIdentifier ? value : "?")
        }
        /// The uuid of the lead that the event is about.
        public static func lead(_ uuid: String) -> Field { .id("lead", uuid) }
        /// The cause of a failure: the type of the error and, where the error is one of ours, a
        /// text that is known to quote nothing.
        public static func cause(_ error: any Error) -> Field {
            let text =
                (error as? any LogSafeError)?.logDescription ?? String(describing: type(of: error))
            return Field(key: "cause", value: quoted(text))
        }

        private static func quoted(_ text: String) -> String {
            let safe = text.map { $0.isNewline || $0 == "\"" ? " " : $0 }
            return safe.contains(" ") || safe.isEmpty ? "\"\(String(safe))\"" : String(safe)
        }
    }

    /// The program's name.
    public let program: String
    /// The least level that is written.
    public let level: Level
    private let clock: Clock

    /// Creates a log.
    public init(program: String, level: Level = .info, clock: Clock = .system) {
        self.program = program
        self.level = level
        self.clock = clock
    }

    /// Writes an event with its fields as one line and in one piece.
    public func write(_ level: Level, _ event: StaticString, _ fields: Field...) {
        write(level, event, fields)
    }

    /// Writes an event with its fields as one line and in one piece.
    public func write(_ level: Level, _ event: StaticString, _ fields: [Field]) {
        guard level >= self.level else { return }
        var line: [UInt8] = []
        line.reserveCapacity(256)
        line += "time=".utf8
        line += clock.now().iso8601.utf8
        line += " level=".utf8
        line += level.name.utf8
        line += " fn=".utf8
        line += program.utf8
        line += " event=".utf8
        event.withUTF8Buffer { line += $0 }
        for field in fields {
            line.append(UInt8(ascii: " "))
            field.key.withUTF8Buffer { line += $0 }
            line.append(UInt8(ascii: "="))
            line += field.value.utf8
        }
        line.append(UInt8(ascii: "\n"))
        _ = Glibc.write(STDERR_FILENO, line, line.count)
    }
}

/// An error whose text quotes nothing that a person wrote, so that it may stand in a log.
public protocol LogSafeError: Error {
    /// The text for the log.
    var logDescription: String { get }
}

extension Environment.Invalid: LogSafeError {
    public var logDescription: String { description }
}

extension JSON.ParseError: LogSafeError {
    public var logDescription: String { description }
}

extension File.Unavailable: LogSafeError {
    public var logDescription: String { description }
}
