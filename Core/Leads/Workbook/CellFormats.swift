import Glibc

/// What the formats of cells say about their numbers: which of them are dates.
final class CellFormats: XMLReceiver {
    /// Whether dates count from 1904, as on old Macs.
    private let countsFrom1904: Bool
    /// Whether each format of cells, by its number, shows a date.
    private var isDate: [Bool] = []
    /// The file's own formats of numbers that show a date.
    private var dateFormats: Set<String> = []
    private var isInCellFormats = false

    /// The day before which Excel's count is off by one, because it believes in 29 February 1900.
    private static let firstOfMarch1900 = 61.0
    /// The day after 31 December 9999, the last one.
    private static let endOfDates = 2_958_466.0

    /// Creates a receiver for a workbook's formats.
    init(countsFrom1904: Bool = false) { self.countsFrom1904 = countsFrom1904 }

    /// What a number in a cell means, as text; nil when it is no number.
    ///
    /// One that has lost digits is written with its exponent, by which a rounded phone number is known.
    func text(ofNumber text: String, format: Int) -> String? {
        guard let number = Double(text), number.isFinite else { return nil }
        if isDate.indices.contains(format), isDate[format], let date = date(number) { return date }
        if Self.isRounded(number) { return Self.scientific(number) }
        return number == number.rounded() ? String(Int64(number)) : "\(number)"
    }

    func begin(_ element: XMLElement) throws {
        if element.name == "numFmt" {
            guard let code = element.attribute("formatCode"), Self.showsDate(code),
                let id = element.attribute("numFmtId")
            else { return }
            // Excel itself takes no more.
            guard dateFormats.count < 65_536, id.utf8.count < 16 else {
                throw Workbook.Failure.damaged
            }
            dateFormats.insert(id)
        } else if element.name == "cellXfs" {
            isInCellFormats = true
        } else if isInCellFormats, element.name == "xf" {
            guard isDate.count < 65_536 else { throw Workbook.Failure.damaged }
            let id = element.attribute("numFmtId") ?? ""
            isDate.append(
                dateFormats.contains(id) || Int(id).map(Self.isDateOfExcel) ?? false
            )
        }
    }

    func text(_ bytes: UnsafeBufferPointer<UInt8>) {}

    func end(_ name: XMLName) { if name == "cellXfs" { isInCellFormats = false } }

    /// Whether a number stands for a format with a date that files do not spell out (ECMA-376,
    /// 18.8.30), those of East Asian languages included.
    private static func isDateOfExcel(_ id: Int) -> Bool {
        (14...22).contains(id) || (27...36).contains(id) || (45...47).contains(id)
            || (50...58).contains(id)
    }

    /// Whether a format such as `[$-409]d-mmm-yy;@` has a part of a date, outside of brackets and of
    /// what stands for itself.
    private static func showsDate(_ code: String) -> Bool {
        var end: Character?
        var isNextLiteral = false
        for character in code.lowercased() {
            if isNextLiteral {
                isNextLiteral = false
            } else if let mark = end {
                if character == mark { end = nil }
            } else {
                switch character {
                case "\"": end = "\""
                case "[": end = "]"
                case "\\", "_", "*": isNextLiteral = true
                case ";": return false
                case "y", "m", "d", "h", "s": return true
                default: break
                }
            }
        }
        return false
    }

    /// The day, with its time unless it is midnight; nil for numbers that are no day of the calendar.
    private func date(_ number: Double) -> String? {
        let days = countsFrom1904 ? number + 1462 : number
        guard days >= Self.firstOfMarch1900, days < Self.endOfDates else { return nil }
        // Day 25569 is 1 January 1970. A fraction of a second is what is left of the division.
        let seconds = Int64(((days - 25_569) * 86_400).rounded())
        var text: [UInt8] = []
        LocalTime(secondsSinceEpoch: seconds).write { text.append($0) }
        let date = String(decoding: text, as: UTF8.self)
        return seconds % 86_400 == 0 ? String(date.prefix(10)) : date
    }

    /// Whether digits are lost: Excel keeps 15 of them, and a file that once was CSV no more than the
    /// six that `9.19877E+11` shows, which is how Excel saves numbers of more than eleven there.
    private static func isRounded(_ number: Double) -> Bool {
        let size = abs(number)
        guard size >= 1e11 else { return false }
        return size >= 1e15 || size.remainder(dividingBy: pow(10, floor(log10(size)) - 5)) == 0
    }

    /// A number as Excel shows long ones: `1.23456789012346E+15`.
    private static func scientific(_ number: Double) -> String {
        var text = [CChar](repeating: 0, count: 32)
        withVaList([number]) { _ = vsnprintf(&text, text.count, "%.14E", $0) }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
