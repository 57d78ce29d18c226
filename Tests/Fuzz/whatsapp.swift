// Any JSON is read as an update of WhatsApp's or is none, and what is read from it can be true.
//
// sources: Core/Messages/WhatsAppUpdate.swift Core/Messages/OptOutWords.swift Core/Web/JSON.swift
// sources: Core/Leads/PhoneNumber.swift Core/Leads/PersonName.swift Core/Leads/SingleLine.swift
// sources: Core/Calls/VapiMessage.swift Core/Calls/EndedReason.swift Core/Calls/EndedReasonTable.swift
// sources: Core/Analysis/Transcript.swift Core/Analysis/Qualification.swift
// sources: Core/Support/Instant.swift Core/Support/LocalTime.swift Core/Support/FieldReader.swift
// sources: Core/Support/Zone.swift Core/Support/Lock.swift Core/Support/File.swift
// sources: Core/Support/Environment.swift Core/Support/Secret.swift

/// Reads one input as a webhook's body.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzWhatsApp(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard let body = try? JSON(parsing: Array(UnsafeBufferPointer(start: start, count: count))),
        let update = WhatsAppUpdate(body)
    else { return 0 }
    for message in update.messages {
        precondition(!message.id.isEmpty && !message.type.isEmpty && !message.content.isEmpty)
        check(message.sender, message.sentAt)
        _ = OptOutWords.wish(of: message.content)
    }
    for status in update.statuses {
        precondition(!status.messageID.isEmpty && !status.status.isEmpty)
        check(status.recipient, status.at)
    }
    for preference in update.preferences {
        precondition(!preference.value.isEmpty)
        check(preference.person, preference.at)
    }
    return 0
}

private func check(_ person: WhatsAppUpdate.Person, _ time: Instant?) {
    if let number = person.number { precondition(PhoneNumber(e164: number.e164) == number) }
    precondition(person.userID?.isEmpty != true && person.profileName?.isEmpty != true)
    if let time { precondition((0..<4_102_444_800_000).contains(time.milliseconds)) }
}
