import Glibc

/// Small files: the clock's offset, credentials, triggers. Never the database, whose locks SQLite
/// would lose if this process opened and closed it by other means.
public enum File {
    /// Why a file could not be used: the failing call's error number.
    public struct Unavailable: Error, Equatable, CustomStringConvertible {
        public let code: Int32
        public var description: String { String(cString: strerror(code)) }
    }

    /// The first `limit` bytes of a file.
    ///
    /// - Throws: ``Unavailable``.
    public static func read(_ path: String, limit: Int) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Unavailable(code: errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(limit, 65_536))
        while bytes.count < limit {
            let count = Glibc.read(descriptor, &chunk, min(chunk.count, limit - bytes.count))
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw Unavailable(code: errno) }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return bytes
    }

    /// Creates the file if needed and sets its time of change to now, as `touch` does.
    ///
    /// - Throws: ``Unavailable``.
    public static func touch(_ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Unavailable(code: errno) }
        defer { close(descriptor) }
        guard futimens(descriptor, nil) == 0 else { throw Unavailable(code: errno) }
    }
}
