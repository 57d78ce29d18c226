import Testing

@testable import Core

@Suite struct TranscriptTests {
    private func transcript(_ artifact: JSON, of name: String = "Asha Rao") throws -> Transcript {
        let call: JSON = ["id": "c1", "artifact": artifact]
        return Transcript(VapiMessage.CallReport(callObject: call), leadName: name)
    }

    @Test func `a conversation is what the assistant and the lead said`() throws {
        let report = try VapiMessageTests.report("end-of-call-report")
        let transcript = Transcript(report, leadName: "Asha Rao")
        #expect(
            transcript.text == """
                Eshwari: Hi Asha, this is Eshwari.
                Asha: Hello. I want to study in Canada.
                Eshwari: Wonderful.
                """
        )
        #expect(
            transcript.json == [
                ["speaker": "Eshwari", "text": "Hi Asha, this is Eshwari."],
                ["speaker": "Asha", "text": "Hello. I want to study in Canada."],
                ["speaker": "Eshwari", "text": "Wonderful."],
            ]
        )
    }

    @Test func `without messages it is read from Vapi's text`() throws {
        let text = """
            AI: Hello?
            this is Eshwari.
            User: Yes: hello. Time is 10: 30.
            System: You are an assistant.
            Tool: booked

            Assistant: Fine.
            """
        let transcript = try transcript(["transcript": .string(text)])
        #expect(
            transcript.text == """
                Eshwari: Hello? this is Eshwari.
                Asha: Yes: hello. Time is 10: 30.
                Eshwari: Fine.
                """
        )
    }

    @Test(arguments: [
        ("Asha Rao", "Asha"), ("  PRATHAMESH  ", "PRATHAMESH"), ("", "Lead"), (" ", "Lead"),
    ])
    func `the lead stands there with the first name`(name: String, speaker: String) throws {
        let transcript = try transcript(
            ["messages": [["role": "user", "message": "Hello"]]],
            of: name
        )
        #expect(transcript.lines.map(\.speaker) == [speaker])
    }

    @Test func `a message of more than 1,000 characters is no speech`() throws {
        let messages: JSON = [
            ["role": "bot", "message": .string(String(repeating: "é", count: 1000))],
            ["role": "bot", "message": .string(String(repeating: "x", count: 1001))],
        ]
        let transcript = try transcript(["messages": messages])
        #expect(transcript.lines.map(\.text.count) == [1000])
    }

    @Test(arguments: [
        JSON.object(.init()), ["messages": []], ["messages": [["role": "system", "message": "x"]]],
        ["messages": [["role": "bot", "message": " \n"], 5, ["role": "bot"], ["message": "x"]]],
        ["transcript": ""], ["transcript": "no roles"], ["transcript": ["AI: Hi"]],
    ])
    func `where nothing was said there is no transcript`(artifact: JSON) throws {
        let transcript = try transcript(artifact)
        #expect(transcript.text == nil)
        #expect(transcript.json == nil)
    }
}
