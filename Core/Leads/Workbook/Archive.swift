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

    private struct Part {
        var position: unz64_file_pos
        var size: UInt64
        var isEncrypted: Bool
    }

    private let handle: unzFile
    private var parts: [String: Part] = [:]
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
        guard let handle = presales_zip_open(file.descriptor) else { throw .damaged }
        self.handle = handle
        room = UInt64(maximumSize)
        var about = unz_global_info64()
        guard unzGetGlobalInfo64(handle, &about) == UNZ_OK else { throw .damaged }
        guard about.number_entry <= maximumParts else { throw .tooManyParts }
        var status = unzGoToFirstFile(handle)
        while status == UNZ_OK {
            try addPart()
            status = unzGoToNextFile(handle)
        }
        guard status == UNZ_END_OF_LIST_OF_FILE else { throw .damaged }
    }

    deinit { unzClose(handle) }

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
        guard unzGoToFilePos64(handle, &part.position) == UNZ_OK,
            unzOpenCurrentFile(handle) == UNZ_OK
        else { throw Failure.damaged }
        var isOpen = true
        defer { if isOpen { unzCloseCurrentFile(handle) } }
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        var size: UInt64 = 0
        while true {
            let count = Int(unzReadCurrentFile(handle, &piece, UInt32(piece.count)))
            guard count >= 0, room >= count else { throw Failure.damaged }
            if count == 0 { break }
            size += UInt64(count)
            room -= UInt64(count)
            try receive(piece.span.extracting(..<count))
        }
        isOpen = false
        // The last step compares the checksum.
        guard unzCloseCurrentFile(handle) == UNZ_OK, size == part.size else {
            throw Failure.damaged
        }
    }

    private func addPart() throws(Failure) {
        var about = unz_file_info64()
        var name = [CChar](repeating: 0, count: 512)
        let status = unzGetCurrentFileInfo64(
            handle,
            &about,
            &name,
            UInt(name.count - 1),
            nil,
            0,
            nil,
            0
        )
        var position = unz64_file_pos()
        guard status == UNZ_OK, unzGetFilePos64(handle, &position) == UNZ_OK else { throw .damaged }
        let text = String(
            decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)),
            as: UTF8.self
        )
        let key = text.replacing("\\", with: "/").lowercased()
        // Of two parts of one name Office reads neither; which one is meant nobody knows.
        guard parts[key] == nil else { throw .damaged }
        parts[key] = Part(
            position: position,
            size: about.uncompressed_size,
            isEncrypted: about.flag & 1 != 0
        )
    }
}
