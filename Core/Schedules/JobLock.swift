import Glibc

/// Sees to it that a job never runs twice at once.
///
/// A lock on a file of its own, held through the open file description: the kernel frees it the
/// moment the process is gone, and others can ask whether it is held without taking it.
final class JobLock: Sendable {
    private let descriptor: Int32

    /// - Throws: ``File/Unavailable``.
    init(_ job: Job, of database: Database) throws {
        let path = database.companion("\(job.rawValue).lock")
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw File.Unavailable(code: errno) }
    }

    deinit { close(descriptor) }

    /// Takes the lock for as long as this object lives; `false` when another holds it.
    func take() -> Bool {
        var lock = JobLock.wholeFile
        return fcntl(descriptor, JobLock.setOpenFileLock, &lock) == 0
    }

    /// Whether another holds the lock.
    var isTaken: Bool {
        var lock = JobLock.wholeFile
        return fcntl(descriptor, JobLock.getOpenFileLock, &lock) == 0 && lock.l_type != F_UNLCK
    }

    private static var wholeFile: flock {
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        return lock
    }

    /// `F_OFD_GETLK` and `F_OFD_SETLK` of `fcntl.h`, which Swift's Glibc does not show.
    private static let getOpenFileLock: Int32 = 36
    private static let setOpenFileLock: Int32 = 37
}
