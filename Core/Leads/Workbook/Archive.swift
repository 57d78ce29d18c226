import CMinizip

/// The parts of a ZIP archive, of which one at a time is unpacked, piece by piece.
///
/// Nothing is ever written to where a name says. The parts are found by their names alone, as the
/// packages of Office do: the case of letters makes no difference.
final class Archive {
    /// Why an archive cannot be read (further).
    enum Failure: Error {
        case damaged, encrypted, tooLarge, tooManyParts
    }

    private let handle: OpaquePointer
    private var parts: [String: CMinizipPart] = [:]
    /// How many bytes may still be unpacked.
    private var room: UInt64

    /// Reads the directory of an archive.
    ///
    /// - Parameters:
    ///   - file: the archive; it must live as long as this object is used.
    ///   - maximumParts: how many parts it may have.
    ///   - maximumSize: how many bytes may be unpacked in all.
    /// - Throws: ``Failure``.
    init(_ file: TemporaryFile, maximumParts: Int, maximumSize: Int) throws(Failure) {
        guard let handle = CMinizipOpen(file.descriptor) else { throw .damaged }
        self.handle = handle
        room = UInt64(maximumSize)
        let count = CMinizipCount(handle)
        guard count >= 0 else { throw .damaged }
        guard count <= maximumParts else { throw .tooManyParts }
        var part = CMinizipPart()
        var status = CMinizipFirst(handle, &part)
        while status > 0 {
            try add(part)
            status = CMinizipNext(handle, &part)
        }
        guard status == 0 else { throw .damaged }
    }

    deinit { CMinizipClose(handle) }

    /// Whether there is a part of this name.
    func contains(_ name: String) -> Bool { parts[name.lowercased()] != nil }

    /// Unpacks a part and hands it out in pieces of at most 64 KB.
    ///
    /// - Throws: ``Failure``, or what `receive` throws.
    func read(_ name: String, receive: (Span<UInt8>) throws -> Void) throws {
        guard var part = parts[name.lowercased()] else { throw Failure.damaged }
        guard !part.isEncrypted else { throw Failure.encrypted }
        // Never more than this comes out, whatever was packed.
        guard part.size <= room else { throw Failure.tooLarge }
        guard CMinizipBegin(handle, &part) else { throw Failure.damaged }
        var isOpen = true
        defer { if isOpen { _ = CMinizipEnd(handle) } }
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        var size: UInt64 = 0
        while true {
            let count = Int(CMinizipRead(handle, &piece, UInt32(piece.count)))
            guard count >= 0, room >= count else { throw Failure.damaged }
            if count == 0 { break }
            size += UInt64(count)
            room -= UInt64(count)
            try receive(piece.span.extracting(..<count))
        }
        isOpen = false
        // The last step compares the checksum.
        guard CMinizipEnd(handle), size == part.size else { throw Failure.damaged }
    }

    private func add(_ part: CMinizipPart) throws(Failure) {
        let name = withUnsafeBytes(of: part.name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        let key = name.replacing("\\", with: "/").lowercased()
        // Of two parts of one name Office reads neither; which one is meant nobody knows.
        guard parts[key] == nil else { throw .damaged }
        parts[key] = part
    }
}
