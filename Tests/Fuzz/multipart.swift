// Any bytes are a form that is read or refused by name, and it makes no difference where chunks end.
//
// sources: Core/Web/Multipart.swift

/// Reads one input whole and in chunks, whose size is its first byte.
///
/// Its first line is the content type.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMultipart(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard let size = input.first else { return 0 }
    let parts = input.dropFirst().split(separator: UInt8(ascii: "\n"), maxSplits: 1)
    guard parts.count == 2 else { return 0 }
    let type = String(decoding: parts[0], as: UTF8.self)
    // Which fault comes first in a longer body depends on where its chunks end.
    let body = Array(parts[1].prefix(2_000))
    let whole = read(body, inChunksOf: max(1, body.count), type: type)
    precondition(read(body, inChunksOf: max(1, Int(size)), type: type) == whole)
    return 0
}

/// What came of a form, as text; the pieces of a part's data are put together.
private func read(_ body: [UInt8], inChunksOf size: Int, type: String) -> [String] {
    var limits = Multipart.Limits()
    (limits.bodyBytes, limits.parts) = (2_000, 5)
    (limits.headerBytes, limits.preambleBytes) = (200, 20)
    var outcome: [String] = []
    var data: [UInt8] = []
    do {
        var form = try Multipart(contentType: type, limits: limits)
        for start in stride(from: 0, to: body.count, by: size) {
            let end = min(start + size, body.count)
            try form.feed(body[start..<end].span) { event in
                switch event {
                case .begin(let part): outcome.append("\(part)")
                case .data(let bytes): for index in bytes.indices { data.append(bytes[index]) }
                case .end:
                    outcome.append("\(data)")
                    data = []
                }
            }
        }
        try form.finish()
    } catch {
        outcome.append("\(error)")
    }
    return outcome
}
