import Foundation
import Testing

@testable import Core

@Suite struct EndedReasonTests {
    @Test func `the table in the code is the table of the contract`() throws {
        let tests = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let table = tests.appending(path: "Contracts/data/vapi_ended_reasons.tsv")
        let lines = try String(contentsOf: table, encoding: .utf8).split(separator: "\n")
            .dropFirst()
        for line in lines {
            let columns = line.split(separator: "\t").map(String.init)
            let reason = EndedReason(try #require(columns.first))
            #expect(
                columns.dropFirst().elementsEqual([
                    reason.outcome.rawValue, reason.retry.rawValue, reason.group.rawValue,
                ]),
                "\(line)"
            )
        }
        let names = EndedReason.rows.flatMap { $0.names.split(separator: "\n") }
        #expect(names.count == lines.count)
        #expect(lines.count == 604)
    }

    @Test(arguments: [
        (
            "call.start.error-brand-new", EndedReason.Outcome.failed, EndedReason.Retry.never,
            "config"
        ),
        ("assistant-request-timed-out", .failed, .never, "config"),
        (
            "call.in-progress.error-newfault-model-503-busy", .failed, .unlessSpoken,
            "pipeline-transient"
        ),
        ("pipeline-error-new-overloaded", .failed, .unlessSpoken, "pipeline-transient"),
        ("pipeline-error-new-401-whatever", .failed, .never, "pipeline-config"),
        ("some-quota-reached", .failed, .never, "pipeline-config"),
        ("pipeline-error-odd", .failed, .unlessSpoken, "pipeline-transient"),
        ("call.in-progress.error-odd", .failed, .unlessSpoken, "pipeline-transient"),
        ("hangup", .completed, .never, "ended-normally*"),
        ("db-error", .failed, .unlessSpoken, "infra"),
        ("", .failed, .never, "unknown"),
        ("something-else", .failed, .never, "unknown"),
    ])
    func `a reason that is not in the table is judged by its form`(
        name: String,
        outcome: EndedReason.Outcome,
        retry: EndedReason.Retry,
        group: String
    ) {
        let reason = EndedReason(name)
        #expect(reason.outcome == outcome)
        #expect(reason.retry == retry)
        #expect(reason.group.rawValue == group)
    }

    @Test(
        arguments: [
            // A normal end is a conversation only if there was one.
            (
                "customer-ended-call", true, 8000, EndedReason.Outcome.completed,
                EndedReason.Retry.never
            ),
            ("customer-ended-call", true, nil, .completed, .never),
            ("customer-ended-call", true, 7999, .missed, .later),
            ("customer-ended-call", false, 60_000, .missed, .later),
            ("silence-timed-out", false, nil, .missed, .later),
            // The assistant ended it on purpose.
            ("assistant-ended-call", false, 3000, .completed, .never),
            // Something broke: before a word was said, or in the middle of a conversation.
            (
                "call.in-progress.error-providerfault-anthropic-500-server-error", false, 3000,
                .failed, .later
            ),
            (
                "call.in-progress.error-providerfault-anthropic-500-server-error", true, 3000,
                .failed, .never
            ),
            ("customer-did-not-answer", false, nil, .missed, .later),
            ("voicemail", true, 20_000, .missed, .later),
            ("call.start.error-vapi-number-outbound-daily-limit", false, nil, .failed, .nextDay),
        ] as [(String, Bool, Int64?, EndedReason.Outcome, EndedReason.Retry)]
    )
    func `what happened in the call counts as well`(
        name: String,
        spoken: Bool,
        milliseconds: Int64?,
        outcome: EndedReason.Outcome,
        retry: EndedReason.Retry
    ) {
        let reason = EndedReason(name)
        let duration = milliseconds.map { Duration.milliseconds($0) }
        #expect(reason.outcome(spoken: spoken, duration: duration) == outcome)
        #expect(reason.retry(spoken: spoken, duration: duration) == retry)
    }

    @Test(arguments: [
        ("call.start.error-subscription-concurrency-limit-reached", true, false),
        ("call.start.error-vapi-number-outbound-daily-limit", true, true),
        ("call.start.error-subscription-insufficient-credits", true, true),
        ("pipeline-error-openai-401-unauthorized", true, true),
        ("customer-busy", false, false),
        ("twilio-failed-to-connect-call", false, false),
        ("sip-outbound-unallocated-number", false, false),
    ])
    func `our own faults are told from others`(name: String, isOurs: Bool, pauses: Bool) {
        #expect(EndedReason(name).isOurFault == isOurs)
        #expect(EndedReason(name).pausesCalling == pauses)
    }

    @Test(arguments: [
        ("customer-did-not-answer", "Nobody answered."),
        ("customer-busy", "The line was busy."),
        ("voicemail", "Voicemail answered."),
        ("sip-outbound-unallocated-number", "This number does not exist."),
        (
            "call.start.error-subscription-insufficient-credits",
            "Our Vapi account has no credits left."
        ),
    ])
    func `a reason is a sentence for a person`(name: String, sentence: String) {
        #expect(EndedReason(name).sentence == sentence)
    }

    @Test func `every reason has a sentence without Vapi's names`() {
        for row in EndedReason.rows {
            for name in row.names.split(separator: "\n") {
                let sentence = EndedReason(String(name)).sentence
                #expect(sentence.hasSuffix("."), "\(name)")
                #expect(!sentence.contains(name), "\(name)")
            }
        }
    }
}
