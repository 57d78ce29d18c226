/// The texts of a workbook, which its sheets name by number so that each is stored once.
final class SharedTexts: XMLReceiver {
    private let limits: Workbook.Limits
    /// All texts, one after the other, and where each ends: half a million are no half million objects.
    private var bytes: [UInt8] = []
    private var ends: [UInt32] = []
    private var current = RichText()

    /// Creates a receiver for a workbook's texts.
    init(limits: Workbook.Limits) { self.limits = limits }

    /// The text of a number; nil when there is none.
    subscript(index: Int) -> ArraySlice<UInt8>? {
        guard ends.indices.contains(index) else { return nil }
        return bytes[(index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index])]
    }

    func begin(_ element: XMLElement) {
        if element.name == "si" { current.removeAll() } else { current.begin(element.name) }
    }

    func text(_ bytes: UnsafeBufferPointer<UInt8>) {
        // One byte beyond the limit is kept, so that whoever reads the text finds it too long.
        current.append(bytes, limit: limits.row.fieldBytes + 1)
    }

    func end(_ name: XMLName) throws {
        guard name == "si" else { return current.end(name) }
        guard ends.count < limits.texts, bytes.count + current.bytes.count <= limits.textBytes
        else {
            throw Workbook.Failure.tooMuchText(texts: limits.texts, bytes: limits.textBytes)
        }
        if bytes.isEmpty {
            // Growing would hold the texts twice for a moment. Untouched memory costs nothing.
            bytes.reserveCapacity(limits.textBytes)
            ends.reserveCapacity(limits.texts)
        }
        bytes += RichText.unescaped(current.bytes)
        ends.append(UInt32(bytes.count))
    }
}

/// A text as cells have it: in pieces of several formats, perhaps with its pronunciation.
struct RichText {
    private(set) var bytes: [UInt8] = []
    private var isText = false
    private var isPronunciation = false

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        (isText, isPronunciation) = (false, false)
    }

    mutating func begin(_ name: XMLName) {
        if name == "t" { isText = true } else if name == "rPh" { isPronunciation = true }
    }

    mutating func append(_ text: UnsafeBufferPointer<UInt8>, limit: Int) {
        guard isText, !isPronunciation else { return }
        bytes += text.prefix(limit - bytes.count)
    }

    mutating func end(_ name: XMLName) {
        if name == "t" { isText = false } else if name == "rPh" { isPronunciation = false }
    }

    /// A text with `_x000D_`, the way of XML parts to write characters that XML itself cannot, read.
    static func unescaped(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.contains(UInt8(ascii: "_")) else { return bytes }
        var text: [UInt8] = []
        var rest = bytes[...]
        while let byte = rest.first {
            if let unit = escaped(rest.prefix(7)), let scalar = Unicode.Scalar(unit) {
                text += String(scalar).utf8
                rest = rest.dropFirst(7)
            } else {
                text.append(byte)
                rest = rest.dropFirst()
            }
        }
        return text
    }

    /// The number in `_xHHHH_`.
    private static func escaped(_ bytes: ArraySlice<UInt8>) -> UInt16? {
        guard bytes.starts(with: Array("_x".utf8)), bytes.count == 7,
            bytes.last == UInt8(ascii: "_")
        else { return nil }
        return UInt16(String(decoding: bytes.dropFirst(2).dropLast(), as: UTF8.self), radix: 16)
    }
}
