import CPhoneNumber

/// A telephone number that a provider can dial, as E.164: `+`, country code, digits.
///
/// It prints redacted ("+91…210"), so that it can stand in any log line; who needs the number itself
/// says so with ``e164``. Two numbers are equal when their E.164 is.
public struct PhoneNumber: Sendable, Hashable {
    /// The whole number, such as `+919876543210`: `+` and at most 15 digits.
    public let e164: String
    /// What the library said when the number was read; nil when it came from the database, where
    /// asking can wait until somebody wants to know.
    private let facts: Facts?

    /// Reads what a person typed or a spreadsheet saved.
    ///
    /// Spaces, punctuation and invisible marks are dropped, the digits of any script read. `++` and
    /// `00` mean `+`. With `+` the number must be *possible*: of a length that its country has.
    /// Whether it is also valid, that is in a range the country has given out, stays a question
    /// (``isValid``), because the ranges known here are older than the newest area codes. Without
    /// `+` it must be valid as dialled in `defaultRegion`, or else valid with a `+` before it.
    ///
    /// - Parameters:
    ///   - text: as it was typed.
    ///   - defaultRegion: ISO 3166 letters, such as `IN`.
    /// - Throws: ``Rejection``, which says what a person should do about it.
    public init(parsing text: String, defaultRegion: String) throws(Rejection) {
        let typed = try Typed(text)
        if let plain = typed.plainIndianMobile(in: defaultRegion) {
            (e164, facts) = (plain, .indianMobile)
        } else {
            let reading = try typed.lookUp(in: defaultRegion)
            (e164, facts) = (reading.e164Text, Facts(reading))
        }
    }

    /// Takes a number that was read before, as the database holds it.
    ///
    /// - Returns: nil unless the text is `+` and 3 to 15 ASCII digits, the first not 0. Nothing else
    ///   is checked, so that a stored number outlives a change of the library's data.
    public init?(e164: String) {
        guard e164.utf8.first == UInt8(ascii: "+"), (4...16).contains(e164.utf8.count) else {
            return nil
        }
        let digits = e164.utf8.dropFirst()
        guard digits.first != UInt8(ascii: "0"), digits.allSatisfy(\.isDigit) else { return nil }
        self.e164 = e164
        facts = nil
    }

    /// Whether the number lies in a range that its country has given out, as libphonenumber knows it.
    ///
    /// False means "possible only": worth a badge, no reason not to dial.
    public var isValid: Bool { (facts ?? Facts(e164: e164)).isValid }

    /// The ISO 3166 letters of the country, such as `IN`; `001` for codes that belong to none; nil
    /// when the library does not know the number.
    public var region: String? { (facts ?? Facts(e164: e164)).region }

    /// The number as people abroad write it: `+91 98765 43210`.
    public var display: String { Library.format(e164, international: true) }

    /// The number as people in its own country write it: `098765 43210`.
    public var national: String { Library.format(e164, international: false) }

    /// The digits as one integer, which no two numbers share: a country code never starts with 0.
    var digits: UInt64 {
        e164.utf8.dropFirst().reduce(0) { $0 &* 10 &+ UInt64($1 &- UInt8(ascii: "0")) }
    }

    /// Whether libphonenumber has data for `region` (ISO 3166 letters), so that numbers without a
    /// country code can be read as dialled there.
    public static func isKnown(region: String) -> Bool { CPhoneNumberKnowsRegion(region) }

    public static func == (left: PhoneNumber, right: PhoneNumber) -> Bool {
        left.e164 == right.e164
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(e164) }
}

extension PhoneNumber: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The number with its middle left out: `+91…210`.
    public var description: String { "\(e164.prefix(3))…\(e164.suffix(3))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension PhoneNumber {
    /// Why a text is not a phone number.
    public enum Rejection: Error, Sendable, Equatable, CustomStringConvertible {
        /// There is no digit in it.
        case empty
        /// It has letters.
        case letters
        /// It is a number like `9.19877E+11`, which has lost its last digits.
        case exponent
        /// It ends in `.0`: a spreadsheet took it for an amount.
        case decimal
        /// It has a character that is no part of a phone number.
        case character(Character)
        /// It has a `+` after the first digit.
        case plus
        case tooShort
        case tooLong
        /// The country has shorter and longer numbers, but none of this length.
        case wrongLength
        /// No country has the calling code after `+`.
        case unknownCountryCode
        /// It came without a country code and is no number in the default region.
        case notInRegion(String)
        /// libphonenumber failed; the number may be right.
        case unreadable

        /// The machine word for the API, such as `number_too_short`.
        public var code: String {
            switch self {
            case .empty: "number_missing"
            case .letters: "number_letters"
            case .exponent: "number_exponent"
            case .decimal: "number_decimal"
            case .character: "number_character"
            case .plus: "number_plus"
            case .tooShort: "number_too_short"
            case .tooLong: "number_too_long"
            case .wrongLength: "number_wrong_length"
            case .unknownCountryCode: "number_unknown_country_code"
            case .notInRegion: "number_not_in_region"
            case .unreadable: "number_unreadable"
            }
        }

        /// A sentence for a person, without the number.
        public var description: String {
            switch self {
            case .empty: "The phone number is missing."
            case .letters: "A phone number cannot have letters."
            case .exponent:
                "Excel has rounded this number and lost its last digits. Format the column as text "
                    + "and enter the number again."
            case .decimal:
                "This number ends in .0 because a spreadsheet took it for an amount. Format the "
                    + "column as text and save the file again."
            case .character(let character): "“\(character)” cannot be part of a phone number."
            case .plus: "“+” can only stand before the country code. Are these two numbers?"
            case .tooShort: "The phone number is too short. Is a digit or the area code missing?"
            case .tooLong: "The phone number is too long. Are these two numbers?"
            case .wrongLength: "Its country has no phone numbers of this length."
            case .unknownCountryCode: "No country has the calling code of this number."
            case .notInRegion(let region):
                "This is not a phone number in \(region). If it is from another country, write it "
                    + "with + and the country code."
            case .unreadable: "The phone number could not be checked. Please try again."
            }
        }
    }
}

/// What libphonenumber knows of a number.
private struct Facts: Sendable {
    let isValid: Bool
    let region: String?

    static let indianMobile = Facts(isValid: true, region: "IN")

    private init(isValid: Bool, region: String?) {
        self.isValid = isValid
        self.region = region
    }

    init(_ reading: CPhoneNumberReading) {
        self.init(isValid: reading.valid, region: reading.regionText)
    }

    init(e164: String) {
        self = Typed.isIndianMobile(e164) ? .indianMobile : Facts(Library.read(e164, in: "ZZ"))
    }
}

/// The digits that a person meant, and whether they begin with a country code for certain.
private struct Typed {
    /// ASCII digits, at least one.
    var digits: [UInt8] = []
    var isInternational = false

    /// Indian mobile numbers have ten digits and begin with one of these.
    private static let indianMobileStarts = UInt8(ascii: "6")...UInt8(ascii: "9")

    static func isIndianMobile(_ e164: String) -> Bool {
        e164.utf8.count == 13 && e164.hasPrefix("+91")
            && e164.utf8.dropFirst(3).first.map(indianMobileStarts.contains) == true
    }

    init(_ text: String) throws(PhoneNumber.Rejection) {
        let marks = try Self.marks(in: text)
        if Self.isExponent(marks) { throw .exponent }
        if marks.contains(where: { $0 == .letter || $0 == .e }) { throw .letters }
        if Self.isDecimal(marks) { throw .decimal }

        for mark in marks {
            switch mark {
            case .digit(let digit): digits.append(digit)
            case .plus where digits.isEmpty: isInternational = true
            case .plus: throw .plus
            default: break
            }
        }
        if digits.starts(with: [UInt8(ascii: "0"), UInt8(ascii: "0")]) {
            digits.removeFirst(2)
            isInternational = true
        }
        if digits.isEmpty { throw .empty }
        // E.164 has room for 15 digits; a trunk 0 may still go.
        if digits.count > 17 { throw .tooLong }
    }

    /// The number's E.164 if it is an Indian mobile number in its usual form, which needs no look-up:
    /// libphonenumber calls every one of them valid.
    func plainIndianMobile(in defaultRegion: String) -> String? {
        let subscriber: ArraySlice<UInt8>
        switch digits.count {
        case 12
        where digits[0] == UInt8(ascii: "9") && digits[1] == UInt8(ascii: "1")
            && (isInternational || defaultRegion == "IN"):
            subscriber = digits[2...]
        case 10 where !isInternational && defaultRegion == "IN":
            subscriber = digits[...]
        default: return nil
        }
        guard let first = subscriber.first, Self.indianMobileStarts.contains(first) else {
            return nil
        }
        return "+91" + String(decoding: subscriber, as: UTF8.self)
    }

    /// What libphonenumber makes of the digits.
    func lookUp(in defaultRegion: String) throws(PhoneNumber.Rejection) -> CPhoneNumberReading {
        let text = String(decoding: digits, as: UTF8.self)
        if isInternational {
            let abroad = Library.read("+" + text, in: "ZZ")
            if let rejection = abroad.rejection { throw rejection }
            return try settled(abroad, from: "+" + text)
        }
        let home = Library.read(text, in: defaultRegion)
        if home.valid, home.rejection == nil { return try settled(home, from: text) }
        let abroad = Library.read("+" + text, in: "ZZ")
        if abroad.valid, abroad.rejection == nil { return try settled(abroad, from: "+" + text) }
        switch home.rejection {
        case nil, .unknownCountryCode: throw .notInRegion(defaultRegion)
        case let rejection?: throw rejection
        }
    }

    /// Returns a reading if its E.164 reads back as itself.
    ///
    /// Not all do: of several trunk zeros one more goes at each reading, and a number that changes
    /// when it is saved again is another person's.
    private func settled(
        _ reading: CPhoneNumberReading,
        from text: String
    ) throws(PhoneNumber.Rejection) -> CPhoneNumberReading {
        let e164 = reading.e164Text
        // Some countries' plans have room for more digits than E.164 carries.
        if e164.utf8.count > 16 { throw .tooLong }
        guard e164 == text || Library.read(e164, in: "ZZ").e164Text == e164 else {
            throw .wrongLength
        }
        return reading
    }

    /// What a character means in a number.
    private enum Mark: Equatable {
        case digit(UInt8)
        case plus, minus, point, letter, e, punctuation
    }

    /// The text's characters by meaning, without those that mean nothing.
    private static func marks(in text: String) throws(PhoneNumber.Rejection) -> [Mark] {
        var marks: [Mark] = []
        for scalar in text.unicodeScalars {
            switch asciiForm(of: scalar) {
            case let digit where ("0"..."9").contains(digit):
                marks.append(.digit(UInt8(truncatingIfNeeded: digit.value)))
            case " ", "\t", "\r", "\n": break
            case "+": marks.append(.plus)
            case "-", "\u{2010}"..."\u{2015}", "\u{2212}": marks.append(.minus)
            case ".", ",", "\u{066B}": marks.append(.point)
            case "e", "E": marks.append(.e)
            // Excel's way to say that a cell is text: ="9876543210"
            case "=" where marks.isEmpty: break
            case "#", "*", ";", "&", "%", "@": throw .character(Character(scalar))
            default:
                if let mark = try mark(ofUncommon: scalar) { marks.append(mark) }
            }
        }
        return marks
    }

    /// The plain form of a full-width character, U+FF01 to U+FF5E; any other character itself.
    private static func asciiForm(of scalar: Unicode.Scalar) -> Unicode.Scalar {
        guard ("\u{FF01}"..."\u{FF5E}").contains(scalar) else { return scalar }
        return Unicode.Scalar(UInt8(scalar.value - 0xFF01 + 0x21))
    }

    private static func mark(ofUncommon scalar: Unicode.Scalar) throws(PhoneNumber.Rejection)
        -> Mark?
    {
        let properties = scalar.properties
        switch properties.generalCategory {
        case .decimalNumber:
            guard let value = properties.numericValue, let digit = UInt8(exactly: value) else {
                throw .character(Character(scalar))
            }
            return .digit(UInt8(ascii: "0") + digit)
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            return .letter
        case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
            .initialPunctuation, .finalPunctuation, .otherPunctuation:
            return .punctuation
        case .spaceSeparator, .lineSeparator, .paragraphSeparator, .format: return nil
        default: throw .character(Character(scalar))
        }
    }

    /// Whether it is written like `9.19877E+11`.
    private static func isExponent(_ marks: [Mark]) -> Bool {
        let marks = marks.filter { $0 != .punctuation }
        guard let e = marks.firstIndex(of: .e) else { return false }
        var mantissa = marks[..<e]
        if mantissa.first == .plus || mantissa.first == .minus { mantissa.removeFirst() }
        var power = marks[(e + 1)...]
        if power.first == .plus || power.first == .minus { power.removeFirst() }
        return isDigits(mantissa.filter { $0 != .point }) && isDigits(power)
            && mantissa.count { $0 == .point } <= 1
    }

    /// Whether it ends in `.0` or `.00` and has no other point: `33.1.23.45.67.00` is a number.
    private static func isDecimal(_ marks: [Mark]) -> Bool {
        guard let point = marks.firstIndex(of: .point), point > 0 else { return false }
        let fraction = marks[(point + 1)...]
        return (1...2).contains(fraction.count)
            && fraction.allSatisfy { $0 == .digit(UInt8(ascii: "0")) }
    }

    private static func isDigits(_ marks: some Collection<Mark>) -> Bool {
        !marks.isEmpty
            && marks.allSatisfy { if case .digit = $0 { true } else { false } }
    }
}

/// The C library's functions in Swift's words.
private enum Library {
    static func read(_ text: String, in region: String) -> CPhoneNumberReading {
        CPhoneNumberRead(text, text.utf8.count, region)
    }

    /// Returns the text itself when the library cannot read it.
    static func format(_ e164: String, international: Bool) -> String {
        let formatted = string(CPhoneNumberFormat(e164, e164.utf8.count, international).characters)
        return formatted.isEmpty ? e164 : formatted
    }

    /// The text before the first NUL of a C array, which Swift sees as a tuple.
    static func string<Characters>(_ characters: Characters) -> String {
        withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

extension CPhoneNumberReading {
    fileprivate var rejection: PhoneNumber.Rejection? {
        switch verdict {
        case CPhoneNumberPossible: nil
        case CPhoneNumberUnknownCountryCode: .unknownCountryCode
        case CPhoneNumberTooShort: .tooShort
        case CPhoneNumberTooLong: .tooLong
        case CPhoneNumberWrongLength: .wrongLength
        default: .unreadable
        }
    }

    fileprivate var e164Text: String { Library.string(e164) }
    fileprivate var regionText: String? { region.0 == 0 ? nil : Library.string(region) }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
