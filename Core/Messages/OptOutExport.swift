/// The proof of who must not be contacted: who, when, in which words, on which channel.
public enum OptOutExport {
    /// A page of the file: text, and where the next page begins if there is one.
    public struct Page: Sendable {
        public let text: [UInt8]
        public let next: Int64?
    }

    /// How many wishes are read in one go; see ``LeadReader/exportPage``.
    static let pageSize = 500

    private static let columns = ["at", "kind", "who", "reason", "channel", "words", "lead_uuid"]

    /// Reads a page as CSV, in the order in which the wishes came; `nil` as the start begins the
    /// file with its heading.
    ///
    /// The file is UTF-8 with a byte order mark and lines that end in CRLF (RFC 4180), and no field of
    /// it can be taken for a formula.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func page(
        after start: Int64?,
        in zone: Zone,
        _ connection: Connection
    ) throws -> Page {
        var bytes: [UInt8] = []
        if start == nil { bytes += "\u{FEFF}\(columns.joined(separator: ","))\r\n".utf8 }
        let rows = try connection.rows(
            """
            SELECT id, at, kind, value, reason, channel, words, lead_uuid FROM suppressions
            WHERE id > \(start ?? 0) ORDER BY id LIMIT \(pageSize)
            """
        )
        for row in rows {
            let at: Instant = try row.required("at")
            bytes += at.formatted(in: zone).utf8
            for column in ["kind", "value", "reason", "channel", "words", "lead_uuid"] {
                bytes.append(UInt8(ascii: ","))
                CSVText.write((row[column] as String?) ?? "", to: &bytes)
            }
            bytes += "\r\n".utf8
        }
        let isFull = rows.count == pageSize
        return Page(text: bytes, next: isFull ? try rows[pageSize - 1].required("id") : nil)
    }
}
