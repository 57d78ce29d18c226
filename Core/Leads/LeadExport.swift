extension LeadReader {
    /// A page of the export: text, and the query of the next page if there is one.
    public struct ExportPage: Sendable {
        public let text: [UInt8]
        public let next: LeadQuery?
    }

    /// How many leads are read in one go.
    ///
    /// A reader that lasted as long as its caller's download would
    /// keep the database from tidying up behind it.
    static let exportPage = 500

    /// The query of an export's first page: the filter's leads, the newest first, because that order
    /// does not change meanwhile.
    public static func export(of filter: LeadQuery.Filter) -> LeadQuery {
        var query = LeadQuery()
        query.filter = filter
        query.limit = exportPage
        return query
    }

    /// The columns: those of the Google sheet without `structured_data`, whose fields have columns of
    /// their own, and `transcript`, which is longer than a spreadsheet's cell may be; and what an
    /// upload reads beyond them.
    private static let columns = [
        "lead_uuid", "number", "name", "email", "whatsapp_number", "partner", "call_status",
        "retry_count", "next_retry_time", "max_retry_count", "vapi_call_id", "last_call_time",
        "call_duration", "recording_url", "summary", "success_status", "country", "university",
        "intake", "visa_status", "budget", "analysis_received_at", "whatsapp_sent", "email_sent",
        "created_at", "last_updated_at", "timezone", "consent_at", "consent_text", "consent_source",
        "declined", "opted_out",
    ]

    /// Reads a page of an export as CSV.
    ///
    /// That is UTF-8 with a byte order mark, which is how Excel recognises it, and lines that end in
    /// CRLF (RFC 4180). The first page begins with the columns' names.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func export(_ query: LeadQuery, in connection: Connection) throws -> ExportPage {
        let format = try format(in: connection)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(query.limit * 400)
        if query.cursor == nil {
            bytes += "\u{FEFF}\(LeadReader.columns.joined(separator: ","))\r\n".utf8
        }
        let places = LeadReader.columns.compactMap(format.place(of:))
        var page = Page(query: query)
        try LeadIndex(query, in: connection).forEachLead(
            selecting: format.columns,
            joining: LeadIndex.nextPromise,
            in: connection
        ) { row in
            guard page.takes(row) else { return }
            for (offset, place) in places.enumerated() {
                if offset > 0 { bytes.append(UInt8(ascii: ",")) }
                format.writeCSV(row, place, to: &bytes)
            }
            bytes += "\r\n".utf8
        }
        guard let cursor = page.next else { return ExportPage(text: bytes, next: nil) }
        var next = query
        next.cursor = cursor
        return ExportPage(text: bytes, next: next)
    }
}
