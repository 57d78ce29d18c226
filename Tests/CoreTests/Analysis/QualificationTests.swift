import Testing

@testable import Core

@Suite struct QualificationTests {
    @Test func `the structured output of that name counts`() throws {
        let report = try VapiMessageTests.report("end-of-call-report")
        let qualification = try #require(report.qualification)
        #expect(qualification.status == .qualified)
        #expect(qualification.country == "Canada")
        #expect(qualification.university == "Toronto, McGill")
        #expect(qualification.intake == "2027")
        #expect(qualification.visaStatus == "not applied")
        #expect(qualification.budget == "1500.5")
        #expect(!qualification.declined)
        #expect(qualification.callbackTime == "2026-11-23T15:00:00+05:30")
        #expect(qualification.data["mood"] == "cheerful")
    }

    @Test(
        arguments: [
            // An extraction that failed has no result: the older place counts.
            (
                #"{"1": {"name": "Lead qualification", "result": null}}"#,
                #"{"structuredData": {"success_status": "Potential", "country": "UK"}}"#,
                "Potential", "UK"
            ),
            // What the output lacks is looked for there, too.
            (
                #"{"1": {"name": "Lead qualification", "result": {"success_status": null, "intake": "x"}}}"#,
                #"{"structuredData": {"success_status": "Potential", "country": "UK"}}"#,
                "Potential", "UK"
            ),
            (
                #"{"1": {"name": "LEAD QUALIFICATION", "result": {"country": "USA"}}}"#,
                #"{"structuredData": {"success_status": "Not Qualified", "country": "UK"}}"#,
                "Not Qualified", "USA"
            ),
            (
                #"{"1": {"name": "Mood", "result": {"success_status": "Qualified"}}}"#,
                #"{"successEvaluation": "5"}"#, "Potential", nil
            ),
            (
                "null", #"{"structuredData": {"country": null}, "successEvaluation": false}"#,
                "Not Qualified", nil
            ),
            ("[]", #"{"structuredData": {"success_status": "unclear"}}"#, nil, nil),
        ] as [(String, String, String?, String?)]
    )
    func `the next place is asked for what one lacks`(
        outputs: String,
        analysis: String,
        status: String?,
        country: String?
    ) throws {
        let qualification = try #require(
            Qualification(
                structuredOutputs: JSON(parsing: outputs),
                analysis: JSON(parsing: analysis)
            )
        )
        #expect(qualification.status?.rawValue == status)
        #expect(qualification.country == country)
    }

    @Test(arguments: [
        "null", "{}", "[]", "5", #"{"structuredData": {}}"#, #"{"summary": "x"}"#,
        #"{"structuredData": ["x"], "successEvaluation": "no idea"}"#,
    ])
    func `without an analysis there is none`(analysis: String) throws {
        let read = Qualification(structuredOutputs: nil, analysis: try JSON(parsing: analysis))
        #expect(read == nil)
        #expect(Qualification(structuredOutputs: nil, analysis: nil) == nil)
    }

    @Test(
        arguments: [
            ("Qualified", "Qualified"), ("QUALIFIED", "Qualified"), (" qualified. ", "Qualified"),
            ("not_qualified", "Not Qualified"), ("Not-Qualified", "Not Qualified"),
            ("NotQualified", "Not Qualified"), ("unqualified", "Not Qualified"),
            ("potential", "Potential"), ("Potentially_Qualified", "Potential"),
            ("true", "Qualified"), ("False", "Not Qualified"), ("pass", "Qualified"),
            ("Strongly Disagree", "Not Qualified"), ("Neutral", "Potential"), ("Good", "Qualified"),
            ("8", "Qualified"), ("7", "Qualified"), ("6.9", "Potential"), ("4", "Potential"),
            ("3.9", "Not Qualified"), ("0", "Not Qualified"), ("10", "Qualified"),
            ("85", "Qualified"), ("85%", "Qualified"), ("9%", "Not Qualified"),
            ("55 %", "Potential"),
            ("101", nil), ("-1", nil), ("nan", nil), ("inf", nil), ("", nil), ("maybe", nil),
        ] as [(String, String?)]
    )
    func `a status is read however it is spelled`(text: String, status: String?) {
        #expect(Qualification.Status(evaluation: .string(text))?.rawValue == status)
    }

    @Test(
        arguments: [
            (JSON.bool(true), "Qualified"), (false, "Not Qualified"), (8, "Qualified"),
            (0.5, "Not Qualified"), (45, "Potential"), (nil, nil), (["Qualified"], nil),
            (.number(.infinity), nil),
        ] as [(JSON, String?)]
    )
    func `a status may be a truth or a score`(value: JSON, status: String?) {
        #expect(Qualification.Status(evaluation: value)?.rawValue == status)
    }

    @Test(
        arguments: [
            (JSON.bool(true), true), ("yes", true), (" Yes ", true), ("TRUE", true), (1, true),
            ("1", true), (1.0, true), (false, false), ("no", false), (0, false), (2, false),
            (nil, false),
            ("", false), ([true], false),
        ] as [(JSON, Bool)]
    )
    func `a lead has declined only where it says so`(value: JSON, declined: Bool) throws {
        let qualification = try #require(
            Qualification(
                structuredOutputs: nil,
                analysis: ["structuredData": ["country": "UK", "declined": value]]
            )
        )
        #expect(qualification.declined == declined)
    }

    @Test(
        arguments: [
            ("  Fall 2027 ", "Fall 2027"), (2027, "2027"), (["UK", "USA"], "UK, USA"), ("", nil),
            (nil, nil), (true, nil), ([:], nil), ([], nil),
        ] as [(JSON, String?)]
    )
    func `a fact is text`(value: JSON, text: String?) throws {
        let analysis: JSON = ["structuredData": ["intake": value, "other": 1]]
        let qualification = Qualification(structuredOutputs: nil, analysis: analysis)
        #expect(try #require(qualification).intake == text)
    }
}
