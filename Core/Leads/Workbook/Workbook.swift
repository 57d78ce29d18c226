/// The table in an Excel workbook (.xlsx): the rows of its first visible sheet that has a heading.
///
/// A workbook is a ZIP archive of XML parts (ECMA-376). Nothing of it is kept but its texts, which
/// its sheets name by number, and what its formats say about dates; the rows are read one by one.
/// Whatever the file, memory and time stay within ``Limits``.
struct Workbook {
    /// How large a workbook may be; beyond it reading stops with a ``Failure``.
    struct Limits: Sendable {
        var parts = 4096
        /// Bytes of all parts that are read, unpacked.
        var unpackedBytes = 512 << 20
        /// The texts that sheets share, and their bytes of UTF-8 together.
        var texts = 1_000_000
        var textBytes = 16 << 20
        var row = TableRow.Limits()
    }

    /// How many sheets, and rows of each, are looked at for a heading.
    private static let (sheetsSearched, rowsSearched) = (50, 10)

    private let archive: Archive
    private let limits: Limits
    private var texts = SharedTexts(limits: Limits())
    private var formats = CellFormats()
    /// The parts of the visible sheets, in the order of their tabs.
    private var sheets: [String] = []

    /// Opens a workbook.
    ///
    /// - Throws: ``Failure``.
    init(_ file: TemporaryFile, limits: Limits = Limits()) throws {
        self.limits = limits
        do {
            archive = try Archive(
                file,
                maximumParts: limits.parts,
                maximumSize: limits.unpackedBytes
            )
        } catch {
            throw Failure(error, limits)
        }
        if let kind = otherKind { throw Failure.otherKind(kind) }
        let package = try relationships(of: "")
        guard let main = package.first(where: { $0.type == "officeDocument" })?.part else {
            throw Failure.damaged
        }
        let parts = try relationships(of: main)
        let contents = WorkbookContents()
        try read(main, by: contents)
        formats = CellFormats(countsFrom1904: contents.countsFrom1904)
        if let part = parts.first(where: { $0.type == "styles" })?.part {
            try read(part, by: formats)
        }
        texts = SharedTexts(limits: limits)
        if let part = parts.first(where: { $0.type == "sharedStrings" })?.part,
            archive.contains(part)
        {
            try read(part, by: texts)
        }
        // Sheets that are only a chart have a type of their own.
        let worksheets = parts.filter { $0.type == "worksheet" }
        sheets = contents.visibleSheets.compactMap { id in
            worksheets.first { $0.id == id }?.part
        }
    }

    /// Hands out the rows of the first sheet that has a heading, from the heading on.
    ///
    /// Without a heading anywhere it is the rows of the first sheet that has any.
    ///
    /// - Parameters:
    ///   - isHeading: whether a row is what is looked for.
    ///   - receive: takes a row; blank ones are passed over.
    /// - Throws: ``Failure``, or what `receive` throws.
    func readRows(
        isHeading: (TableRow) -> Bool,
        receive: (TableRow) throws -> Void
    ) throws {
        var start: (sheet: String, line: Int)?
        for sheet in sheets.prefix(Workbook.sheetsSearched) {
            let rows = try firstRows(of: sheet)
            if let heading = rows.first(where: isHeading) {
                start = (sheet, heading.line)
                break
            }
            if start == nil, let first = rows.first { start = (sheet, first.line) }
        }
        guard let start else { return }
        try readRows(of: start.sheet) { row in
            if row.line >= start.line { try receive(row) }
        }
    }

    private func firstRows(of sheet: String) throws -> [TableRow] {
        struct Enough: Error {}
        var rows: [TableRow] = []
        do {
            try readRows(of: sheet) { row in
                rows.append(row)
                if rows.count == Workbook.rowsSearched { throw Enough() }
            }
        } catch is Enough {}
        return rows
    }

    private func readRows(of sheet: String, receive: (TableRow) throws -> Void) throws {
        try withoutActuallyEscaping(receive) { receive in
            let reader = SheetReader(texts: texts, formats: formats, limits: limits.row) {
                if !$0.isBlank { try receive($0) }
            }
            try read(sheet, by: reader)
        }
    }

    private func relationships(of part: String) throws -> [Relationship] {
        let relationships = Relationships(of: part)
        try read(relationships.part, by: relationships)
        return relationships.all
    }

    private func read(_ part: String, by receiver: any XMLReceiver) throws {
        do {
            let reader = try XMLReader(receiver: receiver)
            try archive.read(part) { try reader.feed($0) }
            try reader.finish()
        } catch let failure as Archive.Failure {
            throw Failure(failure, limits)
        } catch is XMLReader.Failure {
            throw Failure.damaged
        }
    }

    /// What the archive is, in words, when it is no workbook that can be read here.
    private var otherKind: String? {
        if archive.contains("xl/workbook.bin") { return "a binary Excel workbook (.xlsb)" }
        if archive.contains("_rels/.rels") {
            if archive.contains("word/document.xml") { return "a Word document" }
            if archive.contains("ppt/presentation.xml") { return "a PowerPoint presentation" }
            return nil
        }
        if archive.contains("mimetype") {
            return "an OpenDocument file, such as a spreadsheet (.ods)"
        }
        if archive.contains("index/document.iwa") {
            return "a document of Apple's Numbers or Pages"
        }
        return "a ZIP archive, but no Excel workbook"
    }
}

extension Workbook {
    /// Why a workbook cannot be read (further).
    enum Failure: UnreadableFile, Equatable {
        /// The file is something else, such as "a Word document".
        case otherKind(String)
        /// It opens only with a password.
        case encrypted
        /// It is not what a spreadsheet program writes, or part of it is missing.
        case damaged
        /// It unpacks to more than the limit in bytes.
        case tooLarge(limit: Int)
        case tooManyParts(limit: Int)
        /// Its texts are more, or longer together, than the limits.
        case tooMuchText(texts: Int, bytes: Int)
        case fieldTooLong(line: Int, limit: Int)
        case rowTooLong(line: Int, limit: Int)
        case tooManyColumns(line: Int, limit: Int)

        var code: String {
            switch self {
            case .otherKind: "workbook_other_kind"
            case .encrypted: "workbook_encrypted"
            case .damaged: "workbook_damaged"
            case .tooLarge, .tooManyParts, .tooMuchText: "workbook_too_large"
            case .fieldTooLong: "workbook_field_too_long"
            case .rowTooLong: "workbook_row_too_long"
            case .tooManyColumns: "workbook_too_many_columns"
            }
        }

        var line: Int? {
            switch self {
            case .otherKind, .encrypted, .damaged, .tooLarge, .tooManyParts, .tooMuchText: nil
            case .fieldTooLong(let line, _), .rowTooLong(let line, _),
                .tooManyColumns(let line, _):
                line
            }
        }

        var description: String {
            switch self {
            case .otherKind(let kind):
                "This file is \(kind). Save the list as an Excel workbook (.xlsx) or as a CSV file and "
                    + "upload that."
            case .encrypted:
                "This workbook is protected with a password. Save it without one and upload that."
            case .damaged:
                "This workbook is damaged. Open it in Excel, save it again and upload that."
            case .tooLarge(let limit):
                "This workbook unpacks to more than \(limit >> 20) MB. Save only the sheet with the "
                    + "list, without formats, or save it as a CSV file and upload that."
            case .tooManyParts(let limit):
                "This workbook has more than \(limit) parts. Save only the sheet with the list and "
                    + "upload that."
            case .tooMuchText(let texts, let bytes):
                "This workbook has more than \(texts) different texts, or \(bytes >> 20) MB of them. "
                    + "Split the list, or save it as a CSV file and upload that."
            case .fieldTooLong(let line, let limit):
                "A cell in row \(line) has more than \(limit) bytes of text."
            case .rowTooLong(let line, let limit):
                "Row \(line) has more than \(limit) bytes of text."
            case .tooManyColumns(let line, let limit):
                "Row \(line) has text beyond column \(limit)."
            }
        }

        fileprivate init(_ failure: Archive.Failure, _ limits: Limits) {
            switch failure {
            case .damaged: self = .damaged
            case .encrypted: self = .encrypted
            case .tooLarge: self = .tooLarge(limit: limits.unpackedBytes)
            case .tooManyParts: self = .tooManyParts(limit: limits.parts)
            }
        }
    }
}
