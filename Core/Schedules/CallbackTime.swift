/// What people mean by "call me back …".
///
/// A moment with its zone is taken as it is. A phrase is read on the lead's own clock by the rules
/// below, and only when all of it is understood; anything else is `nil` and for a person to arrange,
/// because a guessed time is a broken promise. Where nobody knows what the lead's clock shows, only a
/// wait ("in two hours") is understood.
///
/// - `in two hours`, `after 30 minutes`, `in half an hour`, `2 hours later`
/// - a day (`today`, `tomorrow`, `day after tomorrow`, `monday`, `next monday`, `2026-11-25`) with a
///   time (`3 pm`, `3:30 pm`, `15:00`, `noon`, `morning`, `afternoon`, `evening`), in either order
/// - a time alone means today, and only while it is still to come
///
/// `at 3` is not understood: nothing says which half of the day is meant. A weekday is the next one
/// after today.
public enum CallbackTime {
    /// The hours that the parts of the day stand for.
    static let partsOfDay = ["morning": (10, 30), "afternoon": (14, 0), "evening": (18, 0)]

    /// The moment that a phrase means, or `nil` when it is not clear or not in the future.
    public static func resolve(_ phrase: String, now: Instant, in zone: Zone?) -> Instant? {
        let text = phrase.trimmingSpace()
        let moment =
            zone.map { Instant(iso8601: text, assuming: $0) } ?? Instant(iso8601: text)
        let meant = moment ?? Phrase(phrase).flatMap { $0.instant(now: now, in: zone) }
        return meant.flatMap { $0 > now ? $0 : nil }
    }

    /// Whether a message asks to be called, at whatever time: "call me at 3 pm", "please call back".
    public static func isWish(_ message: String) -> Bool {
        let words = message.lowercased().split { !$0.isLetter && $0 != "\u{2019}" && $0 != "'" }
        for (index, word) in words.enumerated() {
            if word == "callback" { return true }
            guard ["call", "ring", "phone"].contains(word), index + 1 < words.count else {
                continue
            }
            if ["me", "back", "us"].contains(words[index + 1]) { return true }
        }
        return false
    }
}

/// A phrase that was understood whole.
private struct Phrase {
    private var wait: Duration?
    private var day: Day?
    private var time: (hour: Int, minute: Int)?

    private enum Day {
        case after(days: Int)
        case weekday(Int)
        case date(LocalTime)
    }

    init?(_ text: String) {
        guard text.utf8.count <= 120 else { return nil }
        let plain = text.lowercased().map { character -> Character in
            character.isLetter || character.isNumber || character == ":" || character == "-"
                ? character : " "
        }
        var words = String(plain).split(separator: " ").map(String.init)
            .filter { !Phrase.fillers.contains($0) }
        Phrase.joinHalves(&words)
        if let wait = Phrase.wait(words) {
            self.wait = wait
            return
        }
        while !words.isEmpty {
            if day == nil, let found = Phrase.takeDay(&words) {
                day = found
            } else if time == nil, let found = Phrase.takeTime(&words) {
                time = found
            } else {
                return nil
            }
        }
        guard time != nil else { return nil }
    }

    func instant(now: Instant, in zone: Zone?) -> Instant? {
        if let wait { return now + wait }
        guard let time, let zone else { return nil }
        let today = zone.local(at: now)
        var local =
            switch day ?? .after(days: 0) {
            case .after(let days): today.addingDays(days)
            case .weekday(let weekday): today.addingDays((weekday - today.weekday + 6) % 7 + 1)
            case .date(let date): date
            }
        local.hour = time.hour
        local.minute = time.minute
        local.second = 0
        return zone.instant(of: local)
    }

    // MARK: Words

    private static let fillers: Set<String> = [
        "call", "me", "back", "please", "at", "on", "by", "the", "in-the", "around", "about", "ok",
        "okay", "yes", "maybe", "time", "s", "o", "clock", "oclock", "this", "can", "could", "will",
        "would", "you", "u", "kindly", "pls", "plz", "thanks", "thank", "hi", "hello", "hey", "sir",
        "madam", "us", "ring", "phone", "callback",
    ]

    private static let numbers = [
        "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6,
        "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15,
        "twenty": 20, "thirty": 30, "forty": 40, "forty-five": 45,
    ]

    private static let weekdays = [
        "monday": 1, "tuesday": 2, "wednesday": 3, "thursday": 4, "friday": 5, "saturday": 6,
        "sunday": 7,
    ]

    private static func number(_ word: String) -> Int? {
        numbers[word] ?? (word.count <= 3 ? Int(word) : nil)
    }

    /// `half an hour` as thirty minutes, so that the rest need not know of halves.
    private static func joinHalves(_ words: inout [String]) {
        guard let index = words.firstIndex(of: "half"), index + 2 < words.count,
            ["a", "an"].contains(words[index + 1]), words[index + 2] == "hour"
        else { return }
        words.replaceSubrange(index...index + 2, with: ["30", "minutes"])
    }

    private static func wait(_ words: [String]) -> Duration? {
        var words = words
        if let first = words.first, first == "in" || first == "after" {
            words.removeFirst()
        } else if words.last == "later" {
            words.removeLast()
        } else {
            return nil
        }
        guard words.count == 2, let count = number(words[0]), count > 0 else { return nil }
        switch words[1] {
        case "minute", "minutes", "min", "mins": return .minutes(count)
        case "hour", "hours", "hr", "hrs": return .hours(count)
        default: return nil
        }
    }

    private static func takeDay(_ words: inout [String]) -> Day? {
        if words.starts(with: ["day", "after", "tomorrow"]) {
            words.removeFirst(3)
            return .after(days: 2)
        }
        if words.count >= 2, words[0] == "next", let weekday = weekdays[words[1]] {
            words.removeFirst(2)
            return .weekday(weekday)
        }
        guard let word = words.first else { return nil }
        let day: Day? =
            switch word {
            case "today": .after(days: 0)
            case "tomorrow": .after(days: 1)
            default: weekdays[word].map(Day.weekday) ?? LocalTime(date: word).map(Day.date)
            }
        if day != nil { words.removeFirst() }
        return day
    }

    private static func takeTime(_ words: inout [String]) -> (hour: Int, minute: Int)? {
        if words.first == "in", words.count > 1 { words.removeFirst() }
        guard let word = words.first else { return nil }
        if let part = CallbackTime.partsOfDay[word] {
            words.removeFirst()
            return part
        }
        if word == "noon" {
            words.removeFirst()
            return (12, 0)
        }
        // `3pm` and `3 pm`, `3:30pm` and `3:30 pm`, else a time of 24 hours with its minutes.
        let half = ["am", "pm"].first { word.hasSuffix($0) }
        var clock = Substring(word)
        if let half { clock = clock.dropLast(half.count) }
        let parts = clock.split(separator: ":", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let hour = Int(parts[0]),
            let minute = parts.count == 2 ? Int(parts[1]) : 0,
            parts.count == 1 || parts[1].count == 2, (0..<60).contains(minute)
        else { return nil }
        var taken = 1
        var part = half
        if part == nil, words.count > 1, ["am", "pm"].contains(words[1]) {
            part = words[1]
            taken = 2
        }
        if let part {
            guard (1...12).contains(hour) else { return nil }
            words.removeFirst(taken)
            return (hour % 12 + (part == "pm" ? 12 : 0), minute)
        }
        guard parts.count == 2, (0..<24).contains(hour), hour > 12 || parts[0].count == 2 else {
            return nil
        }
        words.removeFirst()
        return (hour, minute)
    }
}
