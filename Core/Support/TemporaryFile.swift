import Glibc

/// A file without a name, which nobody else can open and which is gone when the process is.
public final class TemporaryFile {
    let descriptor: Int32

    /// Creates an empty file in `folder`, by default the one that lies on a disk, not in memory.
    ///
    /// - Throws: ``File/Unavailable``.
    public init(in folder: String = "/var/tmp") throws {
        let path = "\(folder)/presales-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw File.Unavailable(code: errno) }
        unlink(path)
    }

    deinit { close(descriptor) }

    /// Writes bytes behind those that are there.
    ///
    /// - Throws: ``File/Unavailable``, for example when the disk is full.
    public func append(_ bytes: Span<UInt8>) throws {
        try bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let count = write(descriptor, part.baseAddress, part.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { throw File.Unavailable(code: count < 0 ? errno : ENOSPC) }
                rest = rest.dropFirst(count)
            }
        }
    }
}
