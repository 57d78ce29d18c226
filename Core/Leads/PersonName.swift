/// How a person is addressed.
public enum PersonName {
    /// How many characters a full name may have.
    public static let maximumLength = 200

    /// The word of a full name to greet with: "DINESH BASKARAN SHANTHI" gives "DINESH".
    ///
    /// It is the first word, in the case it was written in, without the punctuation around it.
    /// Titles ("Dr.", "Smt") are passed over, and so are single letters, because southern Indian
    /// names begin with initials ("M. S. Dhoni"). A name that has nothing else is its own greeting:
    /// "Dr." gives "Dr". The result is empty when the name has no letter.
    public static func first(of fullName: String) -> String {
        let words = fullName.split { $0.isWhitespace || $0 == "." }
            .map { $0.trimmingPunctuation }
            .filter { $0.contains(where: \.isLetter) }
        return String(words.first { !$0.isTitle && !$0.isInitial } ?? words.first ?? "")
    }

    /// Titles in lower case, without dots.
    ///
    /// "Md" and "Mohd" shorten Mohammed before the name in daily use.
    fileprivate static let titles: Set<String> = [
        "mr", "mrs", "ms", "miss", "mx", "master", "sir", "madam", "shri", "smt", "shrimati", "dr",
        "doctor", "prof", "professor", "er", "adv", "advocate", "capt", "col", "maj", "lt", "gen",
        "rev", "hon", "md", "mohd",
    ]
}

extension Substring {
    fileprivate var isTitle: Bool { PersonName.titles.contains(lowercased()) }

    /// A letter alone; a single letter of a script without case, such as 王, is a whole name.
    fileprivate var isInitial: Bool { count == 1 && first?.isCased == true }

    fileprivate var trimmingPunctuation: Substring {
        var word = drop { !$0.isLetter && !$0.isNumber }
        while let last = word.last, !last.isLetter, !last.isNumber { word.removeLast() }
        return word
    }
}
