// Any text is a phone number that reads back as itself, or is rejected by name.
//
// sources: Core/Leads/PhoneNumber.swift Core/Leads/PersonName.swift Core/Leads/SingleLine.swift
// sources: Core/Leads/EmailAddress.swift

/// Reads one input as a number, a name and an address; its first byte chooses the region.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzPhone(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    guard let choice = input.first else { return 0 }
    let text = String(decoding: input.dropFirst(), as: UTF8.self)
    let regions = ["IN", "US", "GB", "DE", "IT", "AR", "MX", "??", ""]
    let region = regions[Int(choice) % regions.count]

    if let number = try? PhoneNumber(parsing: text, defaultRegion: region) {
        precondition(PhoneNumber(e164: number.e164) == number)
        precondition((try? PhoneNumber(parsing: number.e164, defaultRegion: "US")) == number)
        precondition(!number.display.isEmpty && !number.national.isEmpty)
        precondition(number.region?.isEmpty != true)
        precondition(!number.isValid || number.region != nil)
    }
    let line = text.singleLine
    precondition(line.singleLine == line)
    precondition(text.contains(PersonName.first(of: text)) || text.isEmpty)
    precondition(!EmailAddress.isPlausible(text) || (text.contains("@") && line == text))
    return 0
}
