import Glibc

/// Small files: the clock's offset, credentials, triggers.
///
/// Never the database, whose locks SQLite would lose if this process opened and closed it by other
/// means.
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

    /// What tells one file from another, also after it was renamed, and when it was written last.
    public struct Status: Sendable, Equatable {
        let device: UInt64
        let inode: UInt64
        /// When its content last changed.
        public let modifiedAt: Instant

        /// Whether two statuses are of the same file.
        func isSameFile(as other: Status) -> Bool {
            device == other.device && inode == other.inode
        }
    }

    /// The status of the file that a path names now.
    ///
    /// - Throws: ``Unavailable``.
    public static func status(_ path: String) throws -> Status {
        var entry = stat()
        guard stat(path, &entry) == 0 else { throw Unavailable(code: errno) }
        let time = entry.st_mtim
        return Status(
            device: UInt64(entry.st_dev),
            inode: UInt64(entry.st_ino),
            modifiedAt: Instant(
                milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
            )
        )
    }

    /// Gives a file new content in one step: who reads it meanwhile sees the old one or the new one.
    ///
    /// - Throws: ``Unavailable``.
    public static func replace(_ path: String, with bytes: [UInt8]) throws {
        let draft = "\(path).\(getpid()).new"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Unavailable(code: errno) }
        let written = write(descriptor, bytes, bytes.count)
        let code = errno
        close(descriptor)
        guard written == bytes.count, rename(draft, path) == 0 else {
            let cause = written == bytes.count ? errno : (written < 0 ? code : ENOSPC)
            unlink(draft)
            throw Unavailable(code: cause)
        }
    }

    /// Removes a file.
    ///
    /// - Throws: ``Unavailable``.
    public static func remove(_ path: String) throws {
        guard unlink(path) == 0 else { throw Unavailable(code: errno) }
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
