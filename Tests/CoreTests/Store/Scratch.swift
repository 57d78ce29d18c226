import Foundation
import Testing

/// A folder of a test's own, gone when the test is over.
final class Scratch: Sendable {
    let path: String

    init() throws {
        var template = Array("\(NSTemporaryDirectory())/presales-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw POSIXError(.EIO) }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of a file in it.
    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// A file's size in bytes, without opening it.
    func size(of name: String) -> Int {
        var status = stat()
        return stat(file(name), &status) == 0 ? Int(status.st_size) : 0
    }
}

/// A program of the build, running.
final class Running {
    private let process = Process()
    private let output = Pipe()

    /// Starts one of our programs, or another by its path.
    ///
    /// What it prints on standard error is dropped.
    init(_ program: String, _ arguments: String...) throws {
        process.executableURL = URL(filePath: try Running.path(of: program))
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    deinit { kill() }

    /// The path of a program of the build.
    static func path(of program: String) throws -> String {
        if program.hasPrefix("/") { return program }
        let folder =
            ProcessInfo.processInfo.environment["PRESALES_BIN"].map { URL(filePath: $0) }
            ?? URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        return folder.appending(path: program).path
    }

    /// The next line that it prints, or `nil` at the end.
    func line() -> String? {
        var bytes: [UInt8] = []
        while let byte = try? output.fileHandleForReading.read(upToCount: 1)?.first {
            if byte == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(byte)
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }

    /// What it still prints, and its exit status, once it has ended; the signal's number with a
    /// minus when a signal ended it.
    func end() -> (lines: [String], status: Int) {
        var lines: [String] = []
        while let line = line() { lines.append(line) }
        process.waitUntilExit()
        let status = Int(process.terminationStatus)
        return (lines, process.terminationReason == .exit ? status : -status)
    }

    /// Ends it as if the power had failed.
    func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
