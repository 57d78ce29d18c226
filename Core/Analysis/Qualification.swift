/// What a conversation tells about a lead: how promising it is, and the facts behind that.
public struct Qualification: Sendable, Equatable {
    /// How promising a lead is, as everything shows it.
    public enum Status: String, Sendable, CaseIterable {
        case qualified = "Qualified"
        case potential = "Potential"
        case notQualified = "Not Qualified"
    }

    /// The structured output that the assistant is set up with at Vapi.
    public static let outputName = "Lead qualification"

    public let status: Status?
    public let country: String?
    public let university: String?
    public let intake: String?
    public let visaStatus: String?
    public let budget: String?
    /// Whether the lead wants no further calls.
    public let declined: Bool
    /// When the lead wants to be called again, as the analysis wrote it.
    public let callbackTime: String?
    /// All that the analysis extracted, these fields and others: an object.
    public let data: JSON

    /// Reads a call's analysis; nil if there is none.
    ///
    /// The structured output of that name counts; else the older `structuredData`. Where neither
    /// states how promising the lead is, `successEvaluation` does.
    ///
    /// - Parameters:
    ///   - structuredOutputs: `artifact.structuredOutputs`, an object of `{name, result}` by id.
    ///   - analysis: the report's `analysis`.
    public init?(structuredOutputs: JSON?, analysis: JSON?) {
        let output = structuredOutputs?.object?.members.lazy.map(\.value)
            .first { $0["name"]?.string?.lowercased() == Qualification.outputName.lowercased() }
        let sources = [output?["result"], analysis?["structuredData"]]
            .compactMap { $0?.object }.filter { !$0.members.isEmpty }
        let evaluation = analysis?["successEvaluation"].flatMap(Status.init(evaluation:))
        guard !sources.isEmpty || evaluation != nil else { return nil }

        func value(_ key: String) -> JSON? {
            sources.lazy.compactMap { $0[key] }.first { !$0.isNull }
        }
        status = value("success_status").flatMap(Status.init(evaluation:)) ?? evaluation
        country = value("country")?.words
        university = value("university")?.words
        intake = value("intake")?.words
        visaStatus = value("visa_status")?.words
        budget = value("budget")?.words
        declined = value("declined")?.isYes ?? false
        callbackTime = value("callback_time")?.words
        data = .object(sources.first ?? JSON.Object())
    }
}

extension Qualification.Status {
    /// Reads the status itself, however it is spelled, or the answer to one of the rubrics of
    /// Vapi's success evaluation; nil if it is neither.
    ///
    /// Scales are cut at 70 % and 40 %: numbers up to 10 are of 10, others of 100.
    init?(evaluation: JSON) {
        if let truth = evaluation.bool {
            self = truth ? .qualified : .notQualified
            return
        }
        if let number = evaluation.double {
            self.init(score: number, of: number > 10 ? 100 : 10)
            return
        }
        guard let text = evaluation.nonEmptyString else { return nil }
        let isPercentage = text.hasSuffix("%")
        if let number = Double(isPercentage ? String(text.dropLast()).trimmingSpace() : text) {
            self.init(score: number, of: isPercentage || number > 10 ? 100 : 10)
            return
        }
        let words = text.lowercased().split { !$0.isLetter }.joined(separator: " ")
        switch words {
        case "qualified", "true", "yes", "pass", "passed", "excellent", "good", "agree",
            "strongly agree":
            self = .qualified
        case "potential", "potentially qualified", "fair", "neutral":
            self = .potential
        case "not qualified", "notqualified", "unqualified", "disqualified", "false", "no", "fail",
            "failed", "poor", "disagree", "strongly disagree":
            self = .notQualified
        default:
            return nil
        }
    }

    private init?(score: Double, of best: Double) {
        switch score / best {
        case 0.7...1: self = .qualified
        case 0.4..<0.7: self = .potential
        case 0..<0.4: self = .notQualified
        default: return nil
        }
    }
}

extension JSON {
    /// A field's value as text: a string, a number, or a list of those; nil for anything else.
    fileprivate var words: String? {
        switch self {
        case .string: return nonEmptyString
        case .integer(let number): return String(number)
        case .number: return text
        case .array(let elements):
            let parts = elements.compactMap(\.words)
            return parts.isEmpty ? nil : parts.joined(separator: ", ")
        case .null, .bool, .object: return nil
        }
    }

    fileprivate var isYes: Bool {
        switch self {
        case .bool(let truth): truth
        case .integer(let number): number == 1
        case .number(let number): number == 1
        case .string(let text):
            ["yes", "true", "1", "y"].contains(text.trimmingSpace().lowercased())
        case .null, .array, .object: false
        }
    }
}
