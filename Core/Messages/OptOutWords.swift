/// What people write when they want no more messages, or want them again.
///
/// Only a whole message counts: "stop by at five" is no opt-out. English words follow the carriers'
/// common list (CTIA: STOP, STOPALL, UNSUBSCRIBE, CANCEL, END, QUIT); Hindi ones are written both
/// ways.
public enum OptOutWords {
    /// What a message asks for.
    public enum Wish: Sendable { case stop, start }

    private static let stop: Set<String> = [
        "stop", "stopall", "stop all", "unsubscribe", "unsubscribe me", "cancel", "end", "quit",
        "optout", "opt out", "opt-out", "remove me", "do not contact", "do not contact me",
        "dont contact me", "do not call", "do not call me", "dont call me", "no more messages",
        "stop calling", "stop calling me", "stop messaging me", "leave me alone",
        "बंद", "बंद करो", "बंद करें", "बन्द करो", "रोको", "रुको", "मत भेजो", "मैसेज मत करो",
        "कॉल मत करो", "फोन मत करो",
        "band karo", "bandh karo", "band kare", "roko", "ruko", "mat bhejo", "message mat karo",
        "msg mat karo", "call mat karo", "phone mat karo",
    ]

    private static let start: Set<String> = [
        "start", "unstop", "resume", "subscribe", "opt in", "opt-in", "optin",
        "शुरू", "शुरू करो", "शुरू करें", "चालू करो", "shuru", "shuru karo", "chalu karo",
    ]

    /// What a whole message asks for; `nil` when it is about something else.
    public static func wish(of text: String) -> Wish? {
        let words = normalized(text)
        if stop.contains(words) { return .stop }
        if start.contains(words) { return .start }
        return nil
    }

    /// Lower case, with one space between words, without punctuation at either end.
    private static func normalized(_ text: String) -> String {
        guard text.utf8.count <= 200 else { return "" }
        let plain = text.lowercased().filter { $0 != "'" && $0 != "\u{2019}" }
        let words = plain.split { $0.isWhitespace }.joined(separator: " ")
        var view = Substring(words)
        while let first = view.first, !first.isLetter { view.removeFirst() }
        while let last = view.last, !last.isLetter { view.removeLast() }
        return String(view)
    }
}
