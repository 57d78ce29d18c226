// Any JSON is read as a message of Vapi's or is none, and what is read from it can be true.
//
// sources: Core/Calls/VapiMessage.swift Core/Calls/EndedReason.swift Core/Calls/EndedReasonTable.swift
// sources: Core/Analysis/Transcript.swift Core/Analysis/Qualification.swift
// sources: Core/Web/JSON.swift Core/Leads/PersonName.swift Core/Support/Instant.swift
// sources: Core/Support/LocalTime.swift Core/Support/FieldReader.swift Core/Support/Zone.swift Core/Support/Lock.swift
// sources: Core/Support/File.swift Core/Support/Environment.swift Core/Support/Secret.swift

/// Reads one input as a webhook's body and as a call that was looked up.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzVapi(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard let body = try? JSON(parsing: Array(UnsafeBufferPointer(start: start, count: count)))
    else { return 0 }
    switch VapiMessage(body) {
    case .endOfCallReport(let report)?: check(report)
    case .toolCalls(let tools)?: precondition(tools.calls.allSatisfy { !$0.id.isEmpty })
    case .statusUpdate(let update)?: precondition(!update.status.isEmpty)
    case .other?, nil: break
    }
    if case .ended(let report)? = VapiMessage.CallState(callObject: body) { check(report) }
    return 0
}

private func check(_ report: VapiMessage.CallReport) {
    if let duration = report.duration { precondition(duration >= .zero) }
    if let cost = report.cost { precondition(cost >= 0 && cost.isFinite) }
    if let address = report.recordingURL { precondition(address.hasPrefix("http")) }
    let transcript = Transcript(report, leadName: report.summary ?? "")
    precondition(transcript.lines.allSatisfy { !$0.text.contains(where: \.isNewline) })
    precondition(transcript.lines.allSatisfy { $0.text.count <= Transcript.longestMessage })
    let reason = EndedReason(report.endedReason ?? "")
    let retry = reason.retry(spoken: report.hasSpoken, duration: report.duration)
    precondition(retry != .unlessSpoken)
}
