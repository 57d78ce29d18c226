import Glibc

/// Which release of the software this is.
public struct Release: Sendable, Equatable {
    /// The version, for example `2.0.0`.
    public let version: String
    /// When this release was put here.
    public let date: Instant

    /// Reads the first line of a `VERSION` file, whose own time of change is the release's.
    ///
    /// - Throws: ``File/Unavailable``.
    init(file path: String) throws {
        let text = String(decoding: try File.read(path, limit: 256), as: UTF8.self)
        version = text.prefix { !$0.isNewline }.description.trimmingSpace()
        date = try File.status(path).modifiedAt
    }

    /// The release of this program: the file that `VERSION_FILE` names, else the `VERSION` file beside
    /// the program or in one of the four folders above it (where it lies in a working copy).
    ///
    /// - Returns: `nil` where there is no such file.
    public static func find(environment: Environment) -> Release? {
        if let path = environment["VERSION_FILE"] { return try? Release(file: path) }
        var folder = executablePath[...]
        for _ in 0..<5 {
            guard let slash = folder.lastIndex(of: "/") else { return nil }
            folder = folder[..<slash]
            if let release = try? Release(file: "\(folder)/VERSION") { return release }
        }
        return nil
    }

    /// Where the running program's own file is.
    private static var executablePath: String {
        guard let path = realpath("/proc/self/exe", nil) else { return "" }
        defer { free(path) }
        return String(cString: path)
    }
}
