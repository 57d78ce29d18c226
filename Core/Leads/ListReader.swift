/// Reads the rows of an uploaded list, fed in chunks of any size, whatever kind of file it is.
///
/// The first bytes tell the kind, not the name. A CSV file's rows come out while it arrives
/// (``CSVReader``). A workbook's come out at the end, because the directory of a ZIP archive stands
/// there; until then it waits in a file (``Workbook``).
struct ListReader {
    private let limits: TableRow.Limits
    /// The first bytes, until there are enough to tell the kind.
    private var head: [UInt8] = []
    private var text: CSVReader?
    private var workbook: TemporaryFile?
    private var document: OldOfficeDocument?

    init(limits: TableRow.Limits) { self.limits = limits }

    /// Reads on, and calls `receive` with each row that is complete.
    ///
    /// - Throws: ``UnreadableFile``, ``File/Unavailable`` or what `receive` throws.
    mutating func feed(_ bytes: Span<UInt8>, receive: (TableRow) throws -> Void) throws {
        if text != nil {
            try text?.feed(bytes, receive: receive)
        } else if let workbook {
            try workbook.append(bytes)
        } else if document != nil {
            document?.feed(bytes)
        } else {
            for index in bytes.indices { head.append(bytes[index]) }
            if head.count >= OldOfficeDocument.signature.count { try begin(receive: receive) }
        }
    }

    /// Reads the end of the file, and calls `receive` with the rows that are left.
    ///
    /// - Parameters:
    ///   - isHeading: whether a row names columns that make a list; a workbook has several sheets, and
    ///     titles above its tables.
    ///   - receive: takes a row.
    /// - Throws: what ``feed(_:receive:)`` throws.
    mutating func finish(
        isHeading: (TableRow) -> Bool,
        receive: (TableRow) throws -> Void
    ) throws {
        if !head.isEmpty || text == nil && workbook == nil && document == nil {
            try begin(receive: receive)
        }
        try text?.finish(receive: receive)
        if let workbook {
            var limits = Workbook.Limits()
            limits.row = self.limits
            try Workbook(workbook, limits: limits).readRows(isHeading: isHeading, receive: receive)
        }
        if let document { throw document.failure }
    }

    private mutating func begin(receive: (TableRow) throws -> Void) throws {
        if head.starts(with: Array("PK\u{3}\u{4}".utf8)) {
            workbook = try TemporaryFile()
        } else if head.starts(with: OldOfficeDocument.signature) {
            document = OldOfficeDocument()
        } else {
            text = CSVReader(limits: limits)
        }
        let head = head
        self.head = []
        try feed(head.span, receive: receive)
    }
}

/// The compound file of Office before 2007, in which newer Office still wraps what has a password.
private struct OldOfficeDocument {
    static let signature: [UInt8] = [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]

    /// The stream that holds a workbook behind a password, as the directory names it: in UTF-16.
    private static let encryptedPackage = Array("EncryptedPackage".utf8).flatMap {
        [$0, 0] as [UInt8]
    }

    /// How many bytes of that name the last bytes match.
    private var matched = 0

    mutating func feed(_ bytes: Span<UInt8>) {
        let name = Self.encryptedPackage
        for index in bytes.indices where matched < name.count {
            let byte = bytes[index]
            // Its first byte does not come again, so a match that fails begins anew here or nowhere.
            matched = byte == name[matched] ? matched + 1 : byte == name[0] ? 1 : 0
        }
    }

    var failure: Workbook.Failure {
        matched == Self.encryptedPackage.count
            ? .encrypted
            : .otherKind("an old Excel workbook (.xls) or another old document")
    }
}
