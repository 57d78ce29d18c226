import Testing

@testable import Core

@Suite struct PersonNameTests {
    @Test(arguments: [
        ("DINESH BASKARAN SHANTHI", "DINESH"),
        ("Nikhila Abbarla", "Nikhila"),
        ("ANIRUDH REDDY KOMMULA", "ANIRUDH"),
        ("  ravi\u{A0}kumar ", "ravi"),
        ("Dr. Ravi Kumar", "Ravi"),
        ("Dr.Ravi Kumar", "Ravi"),
        ("MR RAVI", "RAVI"),
        ("Prof Dr Anita Rao", "Anita"),
        ("Smt. Lakshmi", "Lakshmi"),
        ("M. S. Dhoni", "Dhoni"),
        ("M.S. Dhoni", "Dhoni"),
        ("K Ramesh", "Ramesh"),
        ("Md. Imran Khan", "Imran"),
        ("Jean-Luc Picard", "Jean-Luc"),
        ("O'Brien Conor", "O'Brien"),
        ("\"Ravi\" (new)", "Ravi"),
        ("🎓 Ravi", "Ravi"),
        ("निखिला अब्बरला", "निखिला"),
        ("王 伟", "王"),
        ("Åsa Öberg", "Åsa"),
        ("Dr.", "Dr"),
        ("J", "J"),
        ("", ""),
        ("123 --", ""),
    ])
    func `a greeting takes the first name as it was written`(full: String, first: String) {
        #expect(PersonName.first(of: full) == first)
    }

    @Test(arguments: [
        ("Ravi Kumar", "Ravi Kumar"),
        ("  Ravi \t\r\n Kumar ", "Ravi Kumar"),
        ("Ravi\u{0}\u{1B}[31mKumar", "Ravi [31mKumar"),
        ("Ravi\u{202E}ramuK", "RaviramuK"),
        ("\u{FEFF}Ravi", "Ravi"),
        ("क्\u{200D}ष", "क्\u{200D}ष"),
        ("\u{200B} \u{85}", ""),
        ("", ""),
        (" ", ""),
    ])
    func `a text becomes one tidy line`(text: String, line: String) {
        #expect(text.singleLine == line)
        #expect(text.singleLine.singleLine == line)
    }
}
