// Any bytes are a list that is read or refused by name, and it makes no difference where chunks end.
//
// sources: Core/Leads/CSVReader.swift Core/Leads/TextDecoder.swift Core/Leads/LeadImport.swift
// sources: Core/Leads/CSVText.swift Core/Leads/ListReader.swift Core/Leads/TableRow.swift
// sources: Core/Leads/UnreadableFile.swift Core/Leads/Workbook/Archive.swift
// sources: Core/Leads/Workbook/CellFormats.swift Core/Leads/Workbook/Relationships.swift
// sources: Core/Leads/Workbook/SharedTexts.swift Core/Leads/Workbook/SheetReader.swift
// sources: Core/Leads/Workbook/Workbook.swift Core/Leads/Workbook/XMLReader.swift
// sources: Core/Support/TemporaryFile.swift
// sources: Core/Leads/PhoneNumber.swift Core/Leads/PersonName.swift Core/Leads/SingleLine.swift
// sources: Core/Leads/EmailAddress.swift Core/Leads/ConsentTime.swift Core/Support/Instant.swift Core/Support/Zone.swift Core/Support/Lock.swift
// sources: Core/Support/LocalTime.swift Core/Support/FieldReader.swift Core/Support/File.swift

private let kolkata = Zone(identifier: "Asia/Kolkata")

/// Reads one input whole and in chunks, whose size is its first byte.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCSV(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard let size = input.first, let zone = kolkata else { return 0 }
    let file = Array(input.dropFirst())
    let whole = imported(file, inChunksOf: max(1, file.count), zone: zone)
    precondition(imported(file, inChunksOf: max(1, Int(size)), zone: zone) == whole)
    return 0
}

/// What came of a list, as text.
private func imported(_ file: [UInt8], inChunksOf size: Int, zone: Zone) -> [String] {
    var limits = LeadImport.Limits()
    (limits.rows, limits.row.columns) = (50, 12)
    (limits.row.fieldBytes, limits.row.rowBytes) = (60, 200)
    var reader = LeadImport(defaultRegion: "IN", zone: zone, limits: limits)
    var outcome: [String] = []
    do {
        for start in stride(from: 0, to: file.count, by: size) {
            let end = min(start + size, file.count)
            try reader.feed(file[start..<end].span) { outcome.append("\($0)") }
        }
        try reader.finish { outcome.append("\($0)") }
    } catch {
        outcome.append("\(error)")
    }
    return outcome
}
