import Foundation

/// The types of Vapi's strict whitelist: what a property may be, and that no other may be there.
///
/// Unknown properties, wrong types, lengths and ranges are refused with the words of NestJS's
/// `ValidationPipe`, which is what answers at Vapi.
struct Schema: Sendable {
    private let types: [String: [Property]]

    private struct Property: Sendable {
        let name: String
        let isRequired: Bool
        let kind: Kind
    }

    private indirect enum Kind: Sendable {
        case any, object, bool, date
        case string(Limits)
        case number(Limits)
        case literal(String)
        case list(Kind)
        case type(String)
        case oneOf([Kind])
    }

    private struct Limits: Sendable {
        var least: Double?
        var most: Double?
    }

    /// Reads types written as a name (with a capital, alone) and then its properties, `name:kind`.
    ///
    /// `name*` is required; `string(3...40)` limits a length, `number(1...300)` a value; `'a'|'b'` are
    /// alternatives; `[kind]` is a list; a capitalised kind is another type; `...` leaves a type open.
    init(_ text: String) {
        var types: [String: [Property]] = [:]
        var current = ""
        let oneLine = text.replacing(/\s+/, with: " ").replacing("| ", with: "|")
        for token in oneLine.split(separator: " ") {
            if token == "..." {
                types[current]?.append(Property(name: "...", isRequired: false, kind: .any))
            } else if let colon = token.lastIndex(of: ":") {
                let name = token[..<colon]
                types[current]?.append(
                    Property(
                        name: String(name.hasSuffix("*") ? name.dropLast() : name),
                        isRequired: name.hasSuffix("*"),
                        kind: Schema.kind(token[token.index(after: colon)...])
                    )
                )
            } else {
                current = String(token)
                types[current] = []
            }
        }
        self.types = types
    }

    private static func kind(_ text: Substring) -> Kind {
        if text.hasPrefix("["), text.hasSuffix("]") {
            return .list(kind(text.dropFirst().dropLast()))
        }
        let alternatives = text.split(separator: "|")
        if alternatives.count > 1 { return .oneOf(alternatives.map(kind)) }
        if text.hasPrefix("'") { return .literal(String(text.dropFirst().dropLast())) }
        let parts = text.split(separator: "(", maxSplits: 1)
        var limits = Limits()
        if parts.count == 2, let dots = parts[1].firstRange(of: "...") {
            limits.least = Double(parts[1][..<dots.lowerBound])
            limits.most = Double(parts[1][dots.upperBound...].dropLast())
        }
        switch parts.first {
        case "any": return .any
        case "object": return .object
        case "bool": return .bool
        case "date": return .date
        case "string": return .string(limits)
        case "number": return .number(limits)
        default: return .type(String(text))
        }
    }

    /// What Vapi would complain about; empty when the value is acceptable.
    func problems(of value: JSON, as type: String) -> [String] {
        problems(of: value, type: type, at: "").map(\.text)
    }

    /// One complaint.
    ///
    /// A wrong literal weighs more: it tells which alternative was not meant.
    private struct Problem {
        let text: String
        var weight = 1
    }

    private func problems(of value: JSON, type: String, at path: String) -> [Problem] {
        guard let members = value.object else {
            return [Problem(text: "\(path) must be an object")]
        }
        let properties = types[type] ?? []
        let prefix = path.isEmpty ? "" : path + "."
        var found: [Problem] = []
        if !properties.contains(where: { $0.name == "..." }) {
            for key in members.keys.sorted() where !properties.contains(where: { $0.name == key }) {
                found.append(Problem(text: "\(prefix)property \(key) should not exist"))
            }
        }
        for property in properties {
            let member = members[property.name] ?? .null
            if member != .null || property.isRequired {
                found += problems(of: member, kind: property.kind, at: prefix + property.name)
            }
        }
        return found
    }

    private func problems(of value: JSON, kind: Kind, at path: String) -> [Problem] {
        switch kind {
        case .any:
            return value == .null ? [Problem(text: "\(path) should not be empty")] : []
        case .object:
            return value.object == nil ? [Problem(text: "\(path) must be an object")] : []
        case .bool:
            return value.bool == nil ? [Problem(text: "\(path) must be a boolean value")] : []
        case .date:
            return value.string.flatMap(ISO8601.parse) == nil
                ? [Problem(text: "\(path) must be a valid ISO 8601 date string")] : []
        case .string(let limits):
            guard let text = value.string else {
                return [Problem(text: "\(path) must be a string")]
            }
            // JavaScript counts UTF-16 units.
            return problems(
                of: Double(text.utf16.count),
                limits: limits,
                at: path,
                tooLittle: "must be longer than or equal to",
                tooMuch: "must be shorter than or equal to",
                unit: " characters"
            )
        case .number(let limits):
            guard let number = value.double else {
                let text = "\(path) must be a number conforming to the specified constraints"
                return [Problem(text: text)]
            }
            return problems(
                of: number,
                limits: limits,
                at: path,
                tooLittle: "must not be less than",
                tooMuch: "must not be greater than",
                unit: ""
            )
        case .literal(let literal):
            return value == .string(literal)
                ? []
                : [
                    Problem(
                        text: "\(path) must be one of the following values: \(literal)",
                        weight: 3
                    )
                ]
        case .list(let element):
            guard let values = value.array else {
                return [Problem(text: "\(path) must be an array")]
            }
            return values.enumerated().flatMap { index, value in
                problems(
                    of: value,
                    kind: element,
                    at: value.object == nil ? "each value in \(path)" : "\(path).\(index)"
                )
            }
        case .type(let name):
            return problems(of: value, type: name, at: path)
        case .oneOf(let alternatives):
            return problems(of: value, alternatives: alternatives, at: path)
        }
    }

    private func problems(of value: JSON, alternatives: [Kind], at path: String) -> [Problem] {
        let tries = alternatives.map { problems(of: value, kind: $0, at: path) }
        if tries.contains(where: \.isEmpty) { return [] }
        let literals = alternatives.compactMap { kind -> String? in
            guard case .literal(let literal) = kind else { return nil }
            return literal
        }
        if value.object == nil, !literals.isEmpty {
            let values = literals.joined(separator: ", ")
            return [
                Problem(text: "\(path) must be one of the following values: \(values)", weight: 3)
            ]
        }
        let weight = { (problems: [Problem]) in problems.reduce(0) { $0 + $1.weight } }
        return tries.min { weight($0) < weight($1) } ?? []
    }

    private func problems(
        of measure: Double,
        limits: Limits,
        at path: String,
        tooLittle: String,
        tooMuch: String,
        unit: String
    ) -> [Problem] {
        let number = { (value: Double) in
            value == value.rounded() ? String(Int64(value)) : String(value)
        }
        if let least = limits.least, measure < least {
            return [Problem(text: "\(path) \(tooLittle) \(number(least))\(unit)")]
        }
        if let most = limits.most, measure > most {
            return [Problem(text: "\(path) \(tooMuch) \(number(most))\(unit)")]
        }
        return []
    }
}

extension Schema {
    /// The body of `POST /call`, from `vapi_server_sdk` 3.0.0 (`CreateOutboundCallDto`), with the limits
    /// of Vapi's OpenAPI document of 2026-08-20.
    ///
    /// Both declare `backoffPlan.type` and `excludedStatusCodes` as objects and give strings and
    /// integers as examples; the examples are what the wire carries. What a provider's own model, voice,
    /// transcriber or credential may contain is left to the provider.
    static let vapi = Schema(
        """
        Call
          assistantVersion:string squadVersion:string transport:object customers:[Customer]
          name:string(...40) schedulePlan:SchedulePlan assistantId:string assistant:object
          assistantOverrides:AssistantOverrides squadId:string squad:object
          squadOverrides:AssistantOverrides workflowId:string workflow:object
          workflowOverrides:object phoneNumberId:string phoneNumber:object customerId:string
          customer:Customer
        Customer
          numberE164CheckEnabled:bool extension:string(...10) assistantOverrides:AssistantOverrides
          squadOverrides:AssistantOverrides number:string(3...40) sipUri:string name:string(...40)
          email:string(...40) externalId:string(...40)
        AssistantOverrides
          transcriber:object model:object voice:object firstMessage:string
          firstMessageInterruptionsEnabled:bool firstMessageMode:'assistant-speaks-first'|
          'assistant-speaks-first-with-model-generated-message'| 'assistant-waits-for-user'
          voicemailDetection:'off'|GoogleVoicemail|OpenAiVoicemail|TwilioVoicemail|VapiVoicemail
          clientMessages:['conversation-update'| 'assistant.speechStarted'| 'function-call'|
          'function-call-result'| 'hang'| 'language-changed'| 'metadata'| 'model-output'|
          'speech-update'| 'status-update'| 'transcript'| 'tool-calls'| 'tool-calls-result'|
          'tool.completed'| 'transfer-update'| 'user-interrupted'| 'voice-input'|
          'workflow.node.started'| 'assistant.started'] serverMessages:['assistant.started'|
          'assistant.speechStarted'| 'conversation-update'| 'end-of-call-report'| 'function-call'|
          'hang'| 'language-changed'| 'language-change-detected'| 'model-output'|
          'phone-call-control'| 'speech-update'| 'status-update'| 'transcript'|
          'transcript[transcriptType="final"]'| 'tool-calls'| 'transfer-destination-request'|
          'handoff-destination-request'| 'transfer-update'| 'user-interrupted'| 'voice-input'|
          'chat.created'| 'chat.deleted'| 'session.created'| 'session.updated'| 'session.deleted'|
          'call.deleted'| 'call.delete.failed'| 'call.artifact.upload']
          maxDurationSeconds:number(10...43200) backgroundSound:'off'|'office'|string
          modelOutputInMessagesEnabled:bool transportConfigurations:[TwilioTransport]
          observabilityPlan:Langfuse credentials:[object] hooks:[object]
          tools:append:[FunctionTool|OtherTool] variableValues:object name:string(...40)
          voicemailMessage:string(...1000) endCallMessage:string(...1000) endCallPhrases:[string]
          compliancePlan:object metadata:object backgroundSpeechDenoisingPlan:DenoisingPlan
          analysisPlan:AnalysisPlan artifactPlan:ArtifactPlan startSpeakingPlan:StartSpeakingPlan
          stopSpeakingPlan:StopSpeakingPlan monitorPlan:MonitorPlan credentialIds:[string]
          server:Server keypadInputPlan:KeypadInputPlan
        Server
          timeoutSeconds:number(1...300) credentialId:string staticIpAddressesEnabled:bool
          encryptedPaths:[string] url:string headers:object backoffPlan:BackoffPlan
        BackoffPlan
          type*:'fixed'|'exponential' maxRetries*:number(0...10) baseDelaySeconds*:number(0...10)
          excludedStatusCodes:[number]
        GoogleVoicemail
          beepMaxAwaitSeconds:number(0...30) provider*:'google' backoffPlan:VoicemailBackoff
          type:'audio'|'transcript'
        VoicemailBackoff
          startAtSeconds:number(0...) frequencySeconds:number(2.5...) maxRetries:number(1...10)
        OpenAiVoicemail
          beepMaxAwaitSeconds:number(0...30) provider*:'openai' backoffPlan:VoicemailBackoff
          type:'audio'|'transcript'
        TwilioVoicemail
          provider*:'twilio' voicemailDetectionTypes:['machine_start'| 'human'| 'fax'| 'unknown'|
          'machine_end_beep'| 'machine_end_silence'| 'machine_end_other'] enabled:bool
          machineDetectionTimeout:number(3...59) machineDetectionSpeechThreshold:number(1000...6000)
          machineDetectionSpeechEndThreshold:number(500...5000)
          machineDetectionSilenceTimeout:number(2000...10000)
        VapiVoicemail
          beepMaxAwaitSeconds:number(0...30) provider*:'vapi' backoffPlan:VoicemailBackoff
          type:'audio'|'transcript'
        TwilioTransport
          provider*:'twilio' timeout:number(1...600) record:bool recordingChannels:'mono'|'dual'
        Langfuse
          provider*:'langfuse' promptName:string promptVersion:number(1...) traceName:string
          tags*:[string] metadata:object
        FunctionTool
          type*:'function' messages:[object] async:bool server:Server variableExtractionPlan:object
          parameters:[ToolParameter] function:Function rejectionPlan:object
        ToolParameter
          key*:string value*:any
        Function
          name*:string(...64) strict:bool description:string parameters:Parameters
        Parameters
          type*:'object' properties*:object required:[string]
        DenoisingPlan
          smartDenoisingPlan:object fourierDenoisingPlan:object
        AnalysisPlan
          minMessagesThreshold:number(0...) summaryPlan:SummaryPlan
          structuredDataPlan:StructuredDataPlan structuredDataMultiPlan:[StructuredDataMultiPlan]
          successEvaluationPlan:SuccessEvaluationPlan outcomeIds:[string]
        SummaryPlan
          messages:[object] enabled:bool timeoutSeconds:number(1...60)
        StructuredDataPlan
          messages:[object] enabled:bool schema:JsonSchema timeoutSeconds:number(1...60)
        JsonSchema
          type*:'string'|'number'|'integer'|'boolean'|'array'|'object' items:JsonSchema
          properties:object description:string pattern:string format:'date-time'| 'time'| 'date'|
          'duration'| 'email'| 'hostname'| 'ipv4'| 'ipv6'| 'uuid' required:[string] enum:[string]
          title:string
        StructuredDataMultiPlan
          key*:string plan*:StructuredDataPlan
        SuccessEvaluationPlan
          rubric:'NumericScale'| 'DescriptiveScale'| 'Checklist'| 'Matrix'| 'PercentageScale'|
          'LikertScale'| 'AutomaticRubric'| 'PassFail' messages:[object] enabled:bool
          timeoutSeconds:number(1...60)
        ArtifactPlan
          recordingEnabled:bool recordingFormat:'wav;l16'|'mp3'
          recordingUseCustomStorageEnabled:bool videoRecordingEnabled:bool
          fullMessageHistoryEnabled:bool pcapEnabled:bool pcapS3PathPrefix:string
          pcapUseCustomStorageEnabled:bool loggingEnabled:bool loggingUseCustomStorageEnabled:bool
          transcriptPlan:TranscriptPlan recordingPath:string structuredOutputIds:[string]
          structuredOutputs:[StructuredOutput] scorecardIds:[string] scorecards:[object]
          loggingPath:string
        TranscriptPlan
          enabled:bool assistantName:string userName:string
        StructuredOutput
          type:'ai'|'regex' regex:string(1...1000) model:object compliancePlan:object
          conditions:[MinMessages|MinCallDuration|EndedReason] name*:string(1...40)
          schema*:JsonSchema description:string assistantIds:[string] workflowIds:[string]
        MinMessages
          type*:'minMessages' count*:number
        MinCallDuration
          type*:'minCallDuration' seconds*:number
        EndedReason
          type*:'endedReason' operator*:'oneOf'|'notOneOf' values*:[string]
        StartSpeakingPlan
          waitSeconds:number(0...5) smartEndpointingEnabled:'livekit'|bool
          smartEndpointingPlan:object customEndpointingRules:[object]
          transcriptionEndpointingPlan:object
        StopSpeakingPlan
          numWords:number(0...10) voiceSeconds:number(0...0.5) backoffSeconds:number(0...10)
          acknowledgementPhrases:[string] interruptionPhrases:[string]
        MonitorPlan
          listenEnabled:bool listenAuthenticationEnabled:bool controlEnabled:bool
          controlAuthenticationEnabled:bool monitorIds:[string]
        KeypadInputPlan
          enabled:bool timeoutSeconds:number(0...10) delimiters:'#'|'*'|''
        SchedulePlan
          earliestAt*:date latestAt:date
        OtherTool
          type*:'apiRequest'| 'bash'| 'code'| 'computer'| 'dtmf'| 'endCall'|
          'gohighlevel.calendar.availability.check'| 'gohighlevel.calendar.event.create'|
          'gohighlevel.contact.create'| 'gohighlevel.contact.get'|
          'google.calendar.availability.check'| 'google.calendar.event.create'|
          'google.sheets.row.append'| 'handoff'| 'mcp'| 'query'| 'slack.message.send'| 'sms'|
          'textEditor'| 'transferCall'| 'sipRequest'| 'voicemail' ...
        """
    )
}
