/// A conversation as people read it: who said what, without prompts, tools and other machinery.
public struct Transcript: Sendable, Equatable {
    /// What somebody said at one go.
    public struct Line: Sendable, Equatable {
        public let speaker: String
        public let text: String
    }

    /// The name of our assistant.
    public static let assistantName = "Eshwari"
    /// A longer message is no speech: prompts and documents that got among the messages.
    public static let longestMessage = 1000

    /// What was said, in order.
    public let lines: [Line]

    /// Creates the transcript of a call.
    ///
    /// - Parameters:
    ///   - report: its messages count, or, if it has none, its text.
    ///   - leadName: the lead's full name; the first name stands in the transcript.
    public init(_ report: VapiMessage.CallReport, leadName: String) {
        let spoken =
            report.messages.isEmpty
            ? report.transcript.map(Transcript.lines(of:)) ?? []
            : report.messages.compactMap { message in
                Transcript.words(of: message).map { (role: Role(of: message), words: $0) }
            }
        let firstName = PersonName.first(of: leadName)
        lines = spoken.compactMap { role, words in
            guard words.count <= Transcript.longestMessage else { return nil }
            switch role {
            case .assistant: return Line(speaker: Transcript.assistantName, text: words)
            case .lead: return Line(speaker: firstName.isEmpty ? "Lead" : firstName, text: words)
            case .machinery: return nil
            }
        }
    }

    /// The conversation with a line for each message, `Eshwari: Hi…`; nil if nothing was said.
    public var text: String? {
        guard !lines.isEmpty else { return nil }
        return lines.map { "\($0.speaker): \($0.text)" }.joined(separator: "\n")
    }

    /// The conversation as a list of `{"speaker", "text"}`; nil if nothing was said.
    public var json: JSON? {
        guard !lines.isEmpty else { return nil }
        return .array(lines.map { ["speaker": .string($0.speaker), "text": .string($0.text)] })
    }
}

extension Transcript {
    /// Whose message it is.
    enum Role: Sendable {
        case assistant, lead, machinery

        init(of message: JSON) {
            self.init(named: message["role"]?.string ?? "")
        }

        init(named name: some StringProtocol) {
            switch name.lowercased() {
            case "bot", "assistant", "ai": self = .assistant
            case "user", "customer": self = .lead
            default: self = .machinery
            }
        }
    }

    /// What a message says, on one line; nil if it says nothing.
    static func words(of message: JSON) -> String? {
        guard let text = message["message"]?.string ?? message["content"]?.string else {
            return nil
        }
        return oneLine(text)
    }

    /// The parts of Vapi's text, in which each message begins on a line of its own with `AI:`,
    /// `User:` or another role; a line without one goes on with the message before.
    static func lines(of text: String) -> [(role: Role, words: String)] {
        var found: [(role: Role, words: String)] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let name = line.prefix { $0 != ":" }
            if name.count < line.count, isRole(name) {
                found.append((Role(named: name), String(line.dropFirst(name.count + 1))))
            } else if let last = found.indices.last {
                found[last].words += " " + line
            }
        }
        return found.compactMap { role, words in oneLine(words).map { (role, $0) } }
    }

    private static func isRole(_ name: Substring) -> Bool {
        Role(named: name) != .machinery || ["system", "tool"].contains(name.lowercased())
    }

    private static func oneLine(_ text: String) -> String? {
        let words = text.split(whereSeparator: \.isWhitespace)
        return words.isEmpty ? nil : words.joined(separator: " ")
    }
}
