import Foundation
import Testing

@testable import Core

@Suite struct VapiMessageTests {
    /// What a file of Tests/Fixtures/vapi holds.
    static func fixture(_ name: String) throws -> JSON {
        let tests = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = tests.appending(path: "Fixtures/vapi/\(name).json")
        return try JSON(parsing: [UInt8](Data(contentsOf: file)))
    }

    static func report(_ name: String) throws -> VapiMessage.CallReport {
        guard case .endOfCallReport(let report)? = VapiMessage(try fixture(name)) else {
            throw NotAReport()
        }
        return report
    }

    struct NotAReport: Error {}

    private func read(_ fields: JSON) -> VapiMessage? {
        VapiMessage(["message": fields])
    }

    private func report(_ fields: JSON) throws -> VapiMessage.CallReport {
        var object = try #require(fields.object)
        object["type"] = "end-of-call-report"
        guard case .endOfCallReport(let report)? = read(.object(object)) else {
            throw NotAReport()
        }
        return report
    }

    // MARK: Which message, which call

    @Test(arguments: [
        "null", "[]", "1", "{}", #"{"message": null}"#, #"{"message": []}"#, #"{"message": {}}"#,
        #"{"message": {"type": 1}}"#, #"{"message": {"type": null}}"#, #"{"type": "hang"}"#,
    ])
    func `a body without a message that has a type is none`(body: String) throws {
        #expect(VapiMessage(try JSON(parsing: body)) == nil)
    }

    @Test func `an unknown kind of message is kept by its name`() throws {
        let message = try #require(read(["type": "brand-new", "call": ["id": "c1"]]))
        guard case .other(let type, let identity) = message else {
            Issue.record("It was read as \(message.type).")
            return
        }
        #expect(type == "brand-new")
        #expect(message.type == "brand-new")
        #expect(identity?.callID == "c1")
        #expect(try #require(read(["type": "chat.created"])).identity == nil)
    }

    @Test func `a message tells its call, our attempt and our lead`() throws {
        let identity = try Self.report("end-of-call-report").identity
        #expect(identity.callID == "019d2ad0-6eb1-7aac-9377-0fc25d8bc1ad")
        #expect(identity.attemptID == "a1f6f0c2")
        #expect(identity.leadUUID == "0b9f6a1e-3c1d-4c1f-9d3e-9a1f6f0c2b11")
        #expect(identity.controlURL == "https://control.example/1")
    }

    @Test func `our ids may also stand with the assistant`() throws {
        let identity = try Self.report("end-of-call-report-2024").identity
        #expect(identity.callID == "call-2024")
        #expect(identity.attemptID == "attempt-2024")
        #expect(identity.leadUUID == "lead-2024")
    }

    @Test func `a call is not known by what has the wrong type`() throws {
        let message = try #require(
            read([
                "type": "hang",
                "call": ["id": 5, "assistantOverrides": ["metadata": ["attemptId": ["x"]]]],
                "assistant": ["metadata": "a1"],
            ])
        )
        #expect(message.identity == nil)
    }

    // MARK: Status

    @Test func `the status is the message's, not that of the call in it`() throws {
        guard case .statusUpdate(let update)? = VapiMessage(try Self.fixture("status-update"))
        else { throw NotAReport() }
        #expect(update.status == "ended")
        #expect(update.endedReason == "customer-did-not-answer")
        #expect(update.timestamp == Instant(iso8601: "2026-11-22T07:26:55.000Z"))
        #expect(update.identity.attemptID == "a1f6f0c2")
    }

    @Test func `a status update without a status changes nothing`() throws {
        let message = try #require(read(["type": "status-update", "call": ["status": "ended"]]))
        guard case .other = message else {
            Issue.record("It was read as \(message.type).")
            return
        }
    }

    // MARK: Report

    @Test func `a report tells all about a call`() throws {
        let report = try Self.report("end-of-call-report")
        #expect(report.endedReason == "customer-ended-call")
        #expect(report.timestamp == Instant(milliseconds: 1_795_332_452_712))
        #expect(report.startedAt == Instant(iso8601: "2026-11-22T07:27:00.145Z"))
        #expect(report.endedAt == Instant(iso8601: "2026-11-22T07:27:32.712Z"))
        #expect(report.duration == .milliseconds(32_567))
        #expect(report.cost == 0.0612)
        #expect(report.costBreakdown?["llm"] == 0.01)
        #expect(report.recordingURL == "https://storage.example/0001-mono.wav")
        #expect(report.summary == "Wants to study in Canada in autumn 2027.")
        #expect(report.qualification?.status == .qualified)
        #expect(report.messages.count == 6)
        #expect(report.hasSpoken)
    }

    @Test func `a report of 2024 tells it too`() throws {
        let report = try Self.report("end-of-call-report-2024")
        #expect(report.timestamp == Instant(iso8601: "2024-06-01T10:00:40.500Z"))
        #expect(report.duration == .seconds(40))
        #expect(report.recordingURL == "https://storage.example/old.wav")
        #expect(report.summary == "Said hello only.")
        #expect(report.qualification == nil)
        #expect(report.hasSpoken)
    }

    @Test func `a call that was looked up is read like its report`() throws {
        let call = try Self.fixture("call-ended")
        guard case .ended(let report)? = VapiMessage.CallState(callObject: call) else {
            throw NotAReport()
        }
        #expect(report.identity == VapiMessage.Identity(callObject: call))
        #expect(report.identity.callID == "019d2ad0-6eb1-7aac-9377-0fc25d8bc1ad")
        #expect(report.identity.attemptID == "a1f6f0c2")
        #expect(report.endedReason == "customer-ended-call")
        #expect(report.duration == .milliseconds(32_567))
        #expect(report.recordingURL == "https://storage.example/m.wav")
        #expect(report.qualification?.status == .qualified)
        #expect(report.qualification?.country == "Canada")
        #expect(report.hasSpoken)
    }

    @Test(arguments: [
        (#"{"id": "c", "status": "ringing"}"#, "live ringing"),
        (#"{"id": "c", "status": "brand-new"}"#, "live brand-new"),
        (#"{"id": "c"}"#, "live "),
        (#"{"id": "c", "status": "ended"}"#, "ended"),
        (#"{"id": "c", "status": "not-found"}"#, "ended"),
        (#"{"id": "c", "status": "deletion-failed"}"#, "ended"),
        (#"{"id": "c", "status": "in-progress", "endedReason": "voicemail"}"#, "ended"),
        (#"{"id": "c", "endedAt": "2026-11-22T07:27:32.712Z"}"#, "ended"),
        (#"{"status": "ended"}"#, "none"),
        ("[]", "none"),
    ])
    func `a call that was looked up is live or over`(call: String, state: String) throws {
        let found =
            switch VapiMessage.CallState(callObject: try JSON(parsing: call)) {
            case .live(let update)?: "live \(update.status)"
            case .ended?: "ended"
            case nil: "none"
            }
        #expect(found == state)
    }

    @Test func `a call that Vapi no longer knows is neither missed nor dialed again`() {
        let report = VapiMessage.CallReport.lost(callID: "c1")
        #expect(report.identity.callID == "c1")
        let reason = EndedReason(report.endedReason ?? "")
        #expect(reason.group == .cancelled)
        #expect(reason.retry == .never)
    }

    @Test(
        arguments: [
            (#"{"durationSeconds": 1.5, "durationMs": 9}"#, 1500),
            (#"{"durationMs": 1500}"#, 1500),
            (#"{"durationMinutes": 0.5}"#, 30_000),
            (#"{"durationSeconds": "12", "durationMs": 7}"#, 7),
            (#"{"durationSeconds": -1}"#, nil),
            (#"{"durationSeconds": 1e300}"#, nil),
            (#"{"startedAt": "2026-11-22T07:00:00Z", "endedAt": "2026-11-22T07:00:09Z"}"#, 9000),
            (#"{"startedAt": 1795332420000, "endedAt": 1795332421500}"#, 1500),
            (#"{"startedAt": "2026-11-22T07:00:09Z", "endedAt": "2026-11-22T07:00:00Z"}"#, nil),
            (
                #"{"call": {"startedAt": "2026-11-22T07:00:00Z", "endedAt": "2026-11-22T07:01:00Z"}}"#,
                60_000
            ),
            (#"{"startedAt": "2026-11-22T07:00:00Z"}"#, nil),
            // Seconds instead of milliseconds are no time of this century.
            (#"{"startedAt": 1795332420, "endedAt": 1795332421}"#, nil),
            (#"{"startedAt": "2026-11-22T07:00:00Z", "endedAt": "2027-11-22T07:00:00Z"}"#, nil),
            (#"{"startedAt": "2026-11-22T07:00:00", "endedAt": 5}"#, nil),
        ] as [(String, Int64?)]
    )
    func `a duration is stated, or follows from start and end`(
        fields: String,
        milliseconds: Int64?
    ) throws {
        let report = try report(try JSON(parsing: fields))
        #expect(report.duration?.milliseconds == milliseconds)
    }

    @Test func `an end that is missing follows from start and duration`() throws {
        let report = try report(["startedAt": "2026-11-22T07:00:00Z", "durationSeconds": 90])
        #expect(report.endedAt == Instant(iso8601: "2026-11-22T07:01:30Z"))
    }

    @Test(
        arguments: [
            (
                #"{"artifact": {"recordingUrl": "https://a/1"}, "recordingUrl": "https://a/2"}"#,
                "https://a/1"
            ),
            (#"{"recordingUrl": "https://a/2"}"#, "https://a/2"),
            (
                #"{"artifact": {"recording": {"mono": {"combinedUrl": "https://a/3"}}}}"#,
                "https://a/3"
            ),
            (#"{"artifact": {"stereoRecordingUrl": "https://a/4"}}"#, "https://a/4"),
            (#"{"artifact": {"recording": {"stereoUrl": "https://a/5"}}}"#, "https://a/5"),
            (#"{"artifact": {"presignedMonoUrl": "https://a/6"}}"#, "https://a/6"),
            (#"{"stereoRecordingUrl": "https://a/7"}"#, "https://a/7"),
            (#"{"artifact": {"recordingUrl": "javascript:alert(1)"}}"#, nil),
            (#"{"artifact": {"recordingUrl": 7, "recording": "https://a/8"}}"#, nil),
            (#"{"artifact": []}"#, nil),
        ] as [(String, String?)]
    )
    func `a recording is found wherever Vapi puts it`(fields: String, address: String?) throws {
        #expect(try report(try JSON(parsing: fields)).recordingURL == address)
    }

    @Test(
        arguments: [
            (#"{"cost": 0.5, "costBreakdown": {"total": 1}}"#, 0.5),
            (#"{"costBreakdown": {"total": 1}}"#, 1),
            (#"{"call": {"cost": 2}}"#, 2),
            (#"{"cost": "0.5"}"#, nil), (#"{"cost": -1}"#, nil), (#"{"cost": 1e300}"#, nil),
            (#"{"costBreakdown": [1]}"#, nil),
        ] as [(String, Double?)]
    )
    func `a cost is an amount of dollars`(fields: String, cost: Double?) throws {
        #expect(try report(try JSON(parsing: fields)).cost == cost)
    }

    @Test(arguments: [
        (#"{"artifact": {"messages": [{"role": "user", "message": "Hi"}]}}"#, true),
        (#"{"artifact": {"messages": [{"role": "user", "message": " "}]}}"#, false),
        (
            #"{"artifact": {"messages": [{"role": "bot", "message": "Hi"}]}, "transcript": "User: Hi"}"#,
            false
        ),
        (#"{"artifact": {"transcript": "AI: Hi\nUser: Hello"}}"#, true),
        (#"{"artifact": {"transcript": "AI: Hi"}}"#, false),
        (#"{"messages": [1, null, {"role": 5}]}"#, false),
        ("{}", false),
    ])
    func `whether somebody spoke is seen from the messages`(fields: String, spoke: Bool) throws {
        #expect(try report(try JSON(parsing: fields)).hasSpoken == spoke)
    }

    @Test func `no wrong type anywhere stops the reading`() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        let odd: [JSON] = [
            nil, true, -1, 1.5, 1e300, .integer(.max), .integer(.min), "", "x", [], [nil], [:],
            ["id": "x"], [["role": "user", "message": "hello"]], .string("\u{0}\n:"),
        ]
        func changed(_ json: JSON) -> JSON {
            if Int.random(in: 0..<12, using: &random) == 0 {
                return odd.randomElement(using: &random) ?? nil
            }
            switch json {
            case .array(let elements): return .array(elements.map(changed))
            case .object(let object):
                var copy = JSON.Object()
                for (key, value) in object.members {
                    copy[key] = key == "type" ? value : changed(value)
                }
                return .object(copy)
            default: return json
            }
        }
        for name in [
            "end-of-call-report", "end-of-call-report-2024", "status-update", "tool-calls",
        ] {
            let body = try Self.fixture(name)
            for _ in 0..<1000 {
                let message = changed(body["message"] ?? nil)
                let read = VapiMessage(["message": message])
                if case .endOfCallReport(let report)? = read {
                    _ = Transcript(report, leadName: "Asha Rao").text
                    _ = report.hasSpoken
                }
            }
        }
        let call = try Self.fixture("call-ended")
        for _ in 0..<1000 { _ = VapiMessage.CallState(callObject: changed(call)) }
    }

    // MARK: Tools

    @Test func `the arguments of a tool are read in every form`() throws {
        guard case .toolCalls(let tools)? = VapiMessage(try Self.fixture("tool-calls")) else {
            throw NotAReport()
        }
        #expect(tools.identity.attemptID == "a1f6f0c2")
        #expect(tools.calls.map(\.id) == ["call_1", "call_2", "call_3", "call_4", "call_5"])
        #expect(
            tools.calls.map(\.name)
                == ["book_callback", "book_callback", "opt_out", "book_callback", "opt_out"]
        )
        let wished = "2026-11-22T15:00:00+05:30"
        #expect(
            tools.calls.map { $0.arguments["when_iso"]?.string }
                == [wished, wished, nil, wished, nil]
        )
    }

    @Test func `tools are found in the older lists`() throws {
        let tool: JSON = ["id": "t1", "type": "function", "function": ["name": "opt_out"]]
        let older: [JSON] = [
            ["type": "tool-calls", "toolCalls": [tool]],
            [
                "type": "tool-calls", "toolCallList": [],
                "toolWithToolCallList": [["toolCall": tool]],
            ],
        ]
        for fields in older {
            guard case .toolCalls(let tools)? = read(fields) else { throw NotAReport() }
            #expect(tools.calls.map(\.id) == ["t1"])
        }
    }
}
