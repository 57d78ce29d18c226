// Any bytes are a JSON value or refused with a place inside them; a value is written and read again
// without a change.
//
// sources: Core/Web/JSON.swift

/// Reads one input, writes what it means, and reads that.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJSON(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    do {
        let value = try JSON(parsing: input)
        let text = value.encoded()
        let again = try JSON(parsing: text)
        precondition(again == value && again.encoded() == text)
    } catch {
        precondition((0...input.count).contains(error.offset))
    }
    return 0
}
