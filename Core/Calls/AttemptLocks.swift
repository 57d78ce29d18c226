import Glibc

/// Locks that tell whether the process that dials an attempt still lives.
///
/// One byte of one file for each call, locked through the open file description, so the kernel frees
/// it the moment the process is gone, whatever killed it. A clock could not tell: a process that is
/// merely slow would look dead.
public final class AttemptLocks: Sendable {
    private let descriptor: Int32

    /// Opens the file of locks.
    ///
    /// - Throws: ``File/Unavailable``.
    public init(path: String) throws {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw File.Unavailable(code: errno) }
    }

    deinit { close(descriptor) }

    /// Takes the lock of a call; `false` when another process or ``AttemptLocks`` holds it.
    public func take(_ callID: Int64) -> Bool { set(callID, Int16(F_WRLCK)) }

    /// Gives the lock of a call back.
    public func release(_ callID: Int64) { _ = set(callID, Int16(F_UNLCK)) }

    private func set(_ callID: Int64, _ type: Int16) -> Bool {
        var lock = flock()
        lock.l_type = type
        lock.l_whence = Int16(SEEK_SET)
        lock.l_start = Int(callID)
        lock.l_len = 1
        return fcntl(descriptor, AttemptLocks.setOpenFileLock, &lock) == 0
    }

    /// `F_OFD_SETLK` of `fcntl.h`, which Swift's Glibc does not show.
    private static let setOpenFileLock: Int32 = 37
}
