import CPhoneNumber
import Testing

@testable import Core

@Suite struct PhoneNumberTests {
    @Test(arguments: [
        // The product's own examples.
        ("++91 9876543210", "+919876543210"),
        ("+919876543210", "+919876543210"),
        ("91 9876543210", "+919876543210"),
        // How people and spreadsheets write them.
        ("9876543210", "+919876543210"),
        ("09876543210", "+919876543210"),
        ("(0) 98765-43210", "+919876543210"),
        ("0091 98765 43210", "+919876543210"),
        ("+91-98765.43210", "+919876543210"),
        ("+91 09876543210", "+919876543210"),
        ("'9876543210", "+919876543210"),
        ("=\"+919876543210\"", "+919876543210"),
        ("9,876,543,210", "+919876543210"),
        ("98765.00000", "+919876500000"),
        // Marks that cannot be seen, and digits of other scripts.
        ("\u{202A}+91\u{A0}98765\u{200B}43210\u{202C}", "+919876543210"),
        ("\u{FEFF}98765\u{2011}43210", "+919876543210"),
        ("９８７６５４３２１０", "+919876543210"),
        ("＋９１ ９８７６５ ４３２１０", "+919876543210"),
        ("९८७६५ ४३२१०", "+919876543210"),
        ("٠٠٩١٩٨٧٦٥٤٣٢١٠", "+919876543210"),
        // Other countries: with + or 00, or recognised without.
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("442079460958", "+442079460958"),
        ("0044 20 7946 0958", "+442079460958"),
        ("33.1.42.68.53.00", "+33142685300"),
        ("+39 06 698 12345", "+390669812345"),
        ("+800 1234 5678", "+80012345678"),
    ])
    func `what a person typed is read as E.164`(text: String, e164: String) throws {
        #expect(try PhoneNumber(parsing: text, defaultRegion: "IN").e164 == e164)
    }

    @Test(arguments: [
        ("", PhoneNumber.Rejection.empty),
        (" \u{200B}-() ", .empty),
        ("+", .empty),
        ("call me", .letters),
        ("98765O3210", .letters),
        ("9876543210 ext 5", .letters),
        ("९८७६५ क", .letters),
        ("9.19877E+11", .exponent),
        ("9,19877e+11", .exponent),
        ("+9.19877E11", .exponent),
        ("９.１９８７７Ｅ+１１", .exponent),
        ("\"9.19877E+11\"", .exponent),
        ("9876543210.0", .decimal),
        ("919876543210.00", .decimal),
        ("9876543210,0", .decimal),
        ("9876543210#12", .character("#")),
        ("9876543210;12", .character(";")),
        ("98765½3210", .character("½")),
        ("98765\u{0}43210", .character("\u{0}")),
        ("98765=43210", .character("=")),
        ("+91+9876543210", .plus),
        ("9876543210+", .plus),
        ("12", .tooShort),
        ("98765", .tooShort),
        ("+91 98765", .tooShort),
        ("+44 1234", .tooShort),
        ("+1 650 253 00001", .tooLong),
        ("98765 43210 / 98765 43211", .tooLong),
        ("+49 (0 (0020020 79458", .wrongLength),
        ("+999 123 4567", .unknownCountryCode),
        ("+0 98765 43210", .unknownCountryCode),
        ("5234567890", .notInRegion("IN")),
    ])
    func `what cannot be a number is rejected by name`(
        text: String,
        rejection: PhoneNumber.Rejection
    ) {
        #expect(throws: rejection) { try PhoneNumber(parsing: text, defaultRegion: "IN") }
    }

    @Test func `with a plus it is enough that the length is possible`() throws {
        let unknown = try PhoneNumber(parsing: "+1 999 555 0100", defaultRegion: "IN")
        #expect(unknown.e164 == "+19995550100")
        #expect(!unknown.isValid)
        // India also has numbers of 8 to 13 digits, though no mobile ones.
        let odd = try PhoneNumber(parsing: "+91 98765 4321", defaultRegion: "IN")
        #expect(!odd.isValid)
        #expect(odd.region == "IN")
        let known = try PhoneNumber(parsing: "+1 650 253 0000", defaultRegion: "IN")
        #expect(known.isValid)
        #expect(known.region == "US")
    }

    @Test func `without a plus the default region decides first`() throws {
        let text = "020 7946 0958"
        #expect(try PhoneNumber(parsing: text, defaultRegion: "GB").e164 == "+442079460958")
        #expect(throws: PhoneNumber.Rejection.self) {
            try PhoneNumber(parsing: text, defaultRegion: "FR")
        }
        // A region nobody knows leaves only numbers that carry their country code.
        #expect(
            try PhoneNumber(parsing: "919876543210", defaultRegion: "??").e164 == "+919876543210"
        )
        #expect(throws: PhoneNumber.Rejection.notInRegion("??")) {
            try PhoneNumber(parsing: "9876543210", defaultRegion: "??")
        }
    }

    @Test func `no number is longer than E 164 allows`() throws {
        // Germany's plan has room for more digits than the 15 that networks carry.
        #expect(
            try PhoneNumber(parsing: "+49 3012345678901", defaultRegion: "IN").e164.utf8.count == 16
        )
        #expect(throws: PhoneNumber.Rejection.tooLong) {
            try PhoneNumber(parsing: "+49 30123456789012", defaultRegion: "IN")
        }
    }

    @Test func `it shows itself in full only where it is asked to`() throws {
        let number = try PhoneNumber(parsing: "9876543210", defaultRegion: "IN")
        for text in ["\(number)", String(reflecting: number), "\([number])", dumped(number)] {
            #expect(text.contains("+91…210"))
            #expect(!text.contains("98765"))
        }
        #expect(number.display == "+91 98765 43210")
        #expect(number.national == "098765 43210")
        #expect(number.region == "IN")
        #expect(number.isValid)
    }

    @Test(arguments: [
        ("+919876543210", true), ("+4412", true), ("919876543210", false), ("+", false),
        ("+0123456", false), ("+91 9876543210", false), ("+९१९८७६५४३२१०", false),
        ("+1234567890123456", false), ("", false),
    ])
    func `a stored number is taken by its form alone`(text: String, isTaken: Bool) {
        #expect(PhoneNumber(e164: text)?.e164 == (isTaken ? text : nil))
    }

    @Test func `an E 164 number reads back as itself`() throws {
        for text in ["+919876543210", "+442079460958", "+390669812345", "+19995550100"] {
            let number = try PhoneNumber(parsing: text, defaultRegion: "US")
            #expect(number.e164 == text)
            #expect(try PhoneNumber(parsing: number.display, defaultRegion: "US") == number)
        }
    }

    @Test func `the short way for Indian mobile numbers agrees with the library`() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<3_000 {
            let subscriber = String(
                UInt64.random(in: 6_000_000_000...9_999_999_999, using: &random)
            )
            for text in [subscriber, "91" + subscriber, "+91" + subscriber] {
                let number = try PhoneNumber(parsing: text, defaultRegion: "IN")
                let reading = CPhoneNumberRead(text, text.utf8.count, "IN")
                #expect(reading.verdict == CPhoneNumberPossible, "\(text), seed \(seed)")
                #expect(reading.valid == number.isValid, "\(text), seed \(seed)")
                #expect(string(reading.e164) == number.e164, "\(text), seed \(seed)")
                #expect(string(reading.region) == number.region, "\(text), seed \(seed)")
            }
        }
    }

    @Test func `it knows which regions there are`() {
        #expect(PhoneNumber.isKnown(region: "IN"))
        #expect(!PhoneNumber.isKnown(region: "??"))
        #expect(!PhoneNumber.isKnown(region: ""))
    }

    @Test func `every rejection has its own code and a sentence without the number`() {
        let all: [PhoneNumber.Rejection] = [
            .empty, .letters, .exponent, .decimal, .character("#"), .plus, .tooShort, .tooLong,
            .wrongLength, .unknownCountryCode, .notInRegion("IN"), .unreadable,
        ]
        #expect(Set(all.map(\.code)).count == all.count)
        #expect(all.allSatisfy { $0.code.hasPrefix("number_") && $0.description.contains(" ") })
    }

    private func string<Characters>(_ characters: Characters) -> String {
        withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    private func dumped(_ number: PhoneNumber) -> String {
        var text = ""
        dump(number, to: &text)
        return text
    }
}
