// Any bytes are a workbook that is read or refused by name, and it makes no difference where chunks
// end. The checksums of an archive keep invented ones from its parts, so parts are read by themselves
// too: a sheet, and behind bytes that no XML has, the shared texts and the formats.
//
// sources: Core/Leads/Workbook/Archive.swift Core/Leads/Workbook/CellFormats.swift
// sources: Core/Leads/Workbook/Relationships.swift Core/Leads/Workbook/SharedTexts.swift
// sources: Core/Leads/Workbook/SheetReader.swift Core/Leads/Workbook/Workbook.swift
// sources: Core/Leads/Workbook/XMLReader.swift Core/Leads/TableRow.swift
// sources: Core/Leads/UnreadableFile.swift Core/Support/TemporaryFile.swift Core/Support/File.swift
// sources: Core/Support/Instant.swift Core/Support/LocalTime.swift Core/Support/FieldReader.swift
// sources: Core/Support/Zone.swift Core/Support/Lock.swift

/// Reads one input as an archive, or as parts in chunks of two sizes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzWorkbook(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    if input.starts(with: Array("PK".utf8)) {
        readArchive(input)
    } else if let size = input.first {
        let parts = input.dropFirst().split(separator: 0xFF, maxSplits: 2).map(Array.init)
        precondition(
            readParts(parts, inChunksOf: Int(size) + 1) == readParts(parts, inChunksOf: count)
        )
    }
    return 0
}

private func readArchive(_ bytes: [UInt8]) {
    guard let file = try? TemporaryFile(), (try? file.append(bytes.span)) != nil else { return }
    do {
        try Workbook(file, limits: limits).readRows(isHeading: \.isBlank) { check($0) }
    } catch {
        precondition(error is Workbook.Failure, "\(error)")
    }
}

/// What came of the parts, as text.
private func readParts(_ parts: [[UInt8]], inChunksOf size: Int) -> [String] {
    var outcome: [String] = []
    let texts = SharedTexts(limits: limits)
    let formats = CellFormats()
    let receive = { (row: TableRow) in
        check(row)
        outcome.append("\(row.line): \((0..<row.count).map { row[$0] })")
    }
    withoutActuallyEscaping(receive) { receive in
        let sheet = SheetReader(
            texts: texts,
            formats: formats,
            limits: limits.row,
            receive: receive
        )
        // The sheet comes first in the input but last here, because it names the others' content.
        let receivers: [any XMLReceiver] = [sheet, texts, formats]
        for (part, receiver) in zip(parts, receivers).reversed() {
            do {
                let reader = try XMLReader(receiver: receiver)
                for start in stride(from: 0, to: part.count, by: size) {
                    try reader.feed(part[start..<min(start + size, part.count)].span)
                }
                try reader.finish()
            } catch {
                precondition(error is Workbook.Failure || error is XMLReader.Failure, "\(error)")
                outcome.append("\(error)")
            }
        }
    }
    return outcome
}

private func check(_ row: TableRow) {
    precondition(row.line > 0 && row.count <= limits.row.columns)
    precondition(row.bytes.count <= limits.row.rowBytes && row.ends.last ?? 0 == row.bytes.count)
}

private let limits: Workbook.Limits = {
    var limits = Workbook.Limits()
    (limits.texts, limits.textBytes, limits.unpackedBytes) = (8, 100, 1 << 20)
    (limits.row.columns, limits.row.fieldBytes, limits.row.rowBytes) = (12, 60, 200)
    return limits
}()
