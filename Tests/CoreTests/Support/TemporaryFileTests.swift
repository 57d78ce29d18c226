import Foundation
import Glibc
import Testing

@testable import Core

@Suite struct TemporaryFileTests {
    @Test func `it holds what was written and has no name`() throws {
        let scratch = try Scratch()
        let file = try TemporaryFile(in: scratch.path)
        try file.append(Array("one ".utf8).span)
        try file.append([UInt8](repeating: 7, count: 300_000).span)
        var status = stat()
        #expect(fstat(file.descriptor, &status) == 0)
        #expect(status.st_size == 300_004)
        #expect(status.st_nlink == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(fcntl(file.descriptor, F_GETFD) & FD_CLOEXEC != 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: scratch.path)
        #expect(!names.contains { $0.hasPrefix("presales-") })
    }

    @Test func `a full disk and a folder that is not there are said`() throws {
        #expect(throws: File.Unavailable(code: ENOENT)) { try TemporaryFile(in: "/nowhere") }
    }
}
