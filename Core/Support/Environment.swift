import Glibc

/// The program's configuration: environment variables, else files of systemd's credentials folder.
///
/// Read in `main` only. A variable that is set to nothing counts as not set.
public struct Environment: Sendable {
    /// A configuration that a program cannot work with; its text names the variable.
    public struct Invalid: Error, Equatable, CustomStringConvertible {
        public let description: String
        /// Creates the error from its sentence.
        public init(_ description: String) { self.description = description }
    }

    private let variables: [String: String]

    /// Creates a configuration from given variables.
    public init(_ variables: [String: String]) { self.variables = variables }

    /// The variables of this process.
    public static var ofProcess: Environment {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        return Environment(variables)
    }

    /// The value of a variable, else the content of `$CREDENTIALS_DIRECTORY/NAME`, else `nil`.
    public subscript(name: String) -> String? {
        if let value = variables[name], !value.isEmpty { return value }
        guard let folder = variables["CREDENTIALS_DIRECTORY"] else { return nil }
        guard let bytes = try? File.read("\(folder)/\(name)", limit: 65_536) else { return nil }
        let value = String(decoding: bytes, as: UTF8.self).trimmingSpace()
        return value.isEmpty ? nil : value
    }

    /// A variable that must be set.
    ///
    /// - Throws: ``Invalid`` when it is not.
    public func required(_ name: String) throws -> String {
        guard let value = self[name] else { throw Invalid("\(name) is not set.") }
        return value
    }

    /// A secret that must be set.
    ///
    /// - Throws: ``Invalid`` when it is not.
    public func requiredSecret(_ name: String) throws -> Secret { Secret(try required(name)) }

    /// A secret that may be missing.
    public func secret(_ name: String) -> Secret? { self[name].map(Secret.init) }

    /// A whole number within limits.
    ///
    /// - Throws: ``Invalid`` when the variable holds anything else.
    public func integer(
        _ name: String,
        default fallback: Int,
        in range: ClosedRange<Int>
    ) throws -> Int {
        guard let text = self[name] else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            throw Invalid(
                "\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)."
            )
        }
        return value
    }

    /// `true` or `false`.
    ///
    /// - Throws: ``Invalid`` when the variable holds anything else.
    public func flag(_ name: String, default fallback: Bool) throws -> Bool {
        switch self[name]?.lowercased() {
        case nil: return fallback
        case "true", "1", "yes": return true
        case "false", "0", "no": return false
        default: throw Invalid("\(name) must be true or false.")
        }
    }

    /// An `http` or `https` address without a trailing slash.
    ///
    /// - Throws: ``Invalid`` when the variable holds anything else.
    public func address(_ name: String, default fallback: String? = nil) throws -> String {
        guard var text = self[name] ?? fallback else { throw Invalid("\(name) is not set.") }
        guard text.hasPrefix("https://") || text.hasPrefix("http://"), !text.contains(" ") else {
            throw Invalid("\(name) must be an address that begins with https:// or http://.")
        }
        while text.hasSuffix("/") { text.removeLast() }
        return text
    }
}

extension String {
    /// The text without white space at either end.
    func trimmingSpace() -> String {
        var view = Substring(self)
        while let first = view.first, first.isWhitespace { view.removeFirst() }
        while let last = view.last, last.isWhitespace { view.removeLast() }
        return String(view)
    }
}
