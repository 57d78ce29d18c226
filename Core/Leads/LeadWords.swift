import Foundation

/// What a search finds a lead by.
///
/// That is the words of its name, the digits of its number with and without the country code, and its
/// e-mail address. A search gives the beginnings of some of them.
enum LeadWords {
    /// How many of a search's words count.
    static let searchLimit = 8
    /// How many bytes of a word are kept; whoever types more does not search by a word.
    private static let wordLimit = 64

    /// The words of a lead, each once.
    static func words(name: String, number: PhoneNumber, email: String?) -> Set<String> {
        var words = Set(self.words(in: name))
        words.insert(String(number.e164.dropFirst()))
        words.insert(nationalDigits(of: number))
        if let email { words.insert(clipped(email.lowercased())) }
        return words
    }

    /// The beginnings that a search asks for; empty when the text has no letter and no digit.
    static func beginnings(inSearch text: String) -> [String] {
        if let digits = digits(ofNumber: text) { return [digits] }
        var beginnings: [String] = []
        for part in text.split(whereSeparator: \.isWhitespace) {
            if part.contains("@") {
                beginnings.append(clipped(part.lowercased()))
            } else {
                beginnings += words(in: String(part))
            }
        }
        // "a" and "asha" together say no more than "asha".
        var told: [String] = []
        for word in beginnings.sorted(by: { $0.utf8.count > $1.utf8.count })
        where !told.contains(where: { $0.hasPrefix(word) }) {
            told.append(word)
        }
        return Array(told.prefix(searchLimit))
    }

    /// The words of a lead as its column `words` holds them, from which the database keeps the table
    /// `lead_words`.
    static func column(name: String, number: PhoneNumber, email: String?) -> JSON {
        .array(words(name: name, number: number, email: email).sorted().map(JSON.string))
    }

    /// What a word with this beginning is, as a condition on `word`.
    static func condition(beginning: String) -> SQL {
        "word >= \(beginning) AND word < \(beginning + "\u{10FFFF}")"
    }

    /// Whether a lead has a word with this beginning, as a condition on its column `words`.
    static func condition(in column: SQL, beginning: String) -> SQL {
        // In the array a quotation mark stands before each word, and within one only behind a mark.
        "instr(\(sql: column), \(String(JSON.string(beginning).text.dropLast()))) > 0"
    }

    /// The runs of letters, digits and marks in lower case.
    ///
    /// Latin letters lose their accents, so that "Jose" finds "José". Marks of other scripts are
    /// their vowels and stay.
    private static func words(in text: String) -> [String] {
        var folded = text.lowercased()
        if folded.utf8.allSatisfy({ $0 < 0x80 }) {
            return folded.utf8.split { !$0.isLetterOrDigit }.map { clipped(String(Substring($0))) }
        }
        folded = folded.decomposedStringWithCanonicalMapping
        folded.unicodeScalars.removeAll { ("\u{0300}"..."\u{036F}").contains($0) }
        folded = folded.precomposedStringWithCanonicalMapping
        return folded.unicodeScalars.split { !$0.isPartOfWord }.map { clipped(String($0)) }
    }

    /// The digits when the text is a phone number or its beginning, written in any usual way.
    private static func digits(ofNumber text: String) -> String? {
        var digits = ""
        for character in text {
            if let digit = character.wholeNumberValue, character.isNumber, digit < 10 {
                digits += String(digit)
            } else if !character.isWhitespace, !"+-().".contains(character) {
                return nil
            }
        }
        // 0 and 00 stand before a number, never at its beginning.
        let number = digits.drop { $0 == "0" }
        return number.isEmpty ? nil : clipped(String(number))
    }

    private static func nationalDigits(of number: PhoneNumber) -> String {
        // Nothing to look up for Indian numbers, of which lists have a million.
        if number.e164.hasPrefix("+91") { return String(number.e164.dropFirst(3)) }
        // "+1 415-555-2671": what follows the first space.
        let national = number.display.drop { $0 != " " }.filter(\.isNumber)
        return national.isEmpty ? String(number.e164.dropFirst()) : String(national)
    }

    private static func clipped(_ word: String) -> String {
        guard word.utf8.count > wordLimit else { return word }
        var clipped = word
        while clipped.utf8.count > wordLimit { clipped.unicodeScalars.removeLast() }
        return clipped
    }
}

extension UInt8 {
    /// Whether this is a small ASCII letter or a digit.
    fileprivate var isLetterOrDigit: Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self)
    }
}

extension Unicode.Scalar {
    fileprivate var isPartOfWord: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .letterNumber,
            .otherNumber:
            true
        default: self == "\u{200C}" || self == "\u{200D}"
        }
    }
}
