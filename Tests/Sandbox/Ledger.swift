import Foundation

/// What happened, one JSON line each, for tests that must prove it.
///
/// Each line is appended with a single write, so that a reader or a crash never sees half a line.
struct Ledger: Sendable {
    let path: String
    private let descriptor: Int32

    /// Opens a ledger in a folder, which is made when it is missing; older lines stay.
    ///
    /// - Throws: A sentence when the folder or the file cannot be written.
    init(folder: String, name: String = "ledger") throws {
        path = folder + "/\(name).jsonl"
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true
        )
        descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Problem("\(path) cannot be written.") }
    }

    /// Appends one line.
    func append(_ line: JSON) {
        let bytes = [UInt8](line.data) + [UInt8(ascii: "\n")]
        let written = write(descriptor, bytes, bytes.count)
        if written != bytes.count {
            FileHandle.standardError.write(Data("sandbox: \(path) cannot be written.\n".utf8))
        }
    }

    /// Appends a request with its answer, as the bytes were.
    func append(exchange kind: String, sent: Data, status: Int, answer: Data) {
        append([
            "exchange": .string(kind), "sent": .string(String(decoding: sent, as: UTF8.self)),
            "status": .integer(Int64(status)),
            "answer": .string(String(decoding: answer, as: UTF8.self)),
        ])
    }

    /// Every line so far.
    ///
    /// - Throws: When the file cannot be read.
    func contents() throws -> Data {
        try Data(contentsOf: URL(filePath: path))
    }
}

/// A reason to stop, as one sentence.
struct Problem: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
