import Core

/// Takes lists of leads in.
struct BulkUpload: Sendable {
    let database: Database
    let store: LeadStore
    /// Where numbers without a country code are dialled.
    let defaultRegion: String
    /// The zone of times without an offset.
    let zone: Zone
    let clock: Clock

    /// The form may be this long: the file and what stands around it.
    private static let limit = 50 * 1024 * 1024

    var router: Router {
        Router([.init("POST", "/api/leads/bulk-upload", taking: "multipart/form-data", upload)])
    }

    private func upload(_ request: Request) throws -> Response {
        let isDryRun = try request.isDryRun(of: "An upload")
        guard request.body.length <= BulkUpload.limit else { throw BulkUpload.tooLarge }
        var limits = Multipart.Limits()
        limits.bodyBytes = BulkUpload.limit
        var upload = LeadUpload(
            into: database,
            store: store,
            reading: LeadImport(defaultRegion: defaultRegion, zone: zone),
            isDryRun: isDryRun,
            clock: clock
        )
        var report: LeadUpload.Report?
        do {
            var form = try Multipart(
                contentType: request.header("content-type") ?? "",
                limits: limits
            )
            try request.body.forEachChunk { chunk in
                try form.feed(chunk.span) { event in
                    switch event {
                    case .begin(let part): try check(part, isFirst: report == nil)
                    case .data(let bytes): try upload.feed(bytes)
                    case .end: report = try upload.finish()
                    }
                }
            }
            try form.finish()
        } catch {
            // What is being stored meanwhile may have failed as well, and then that is the trouble.
            throw BulkUpload.failure(error, stored: try upload.rowsStored())
        }
        guard let report else {
            throw Failure.invalid(
                "file",
                "The form has no file. Choose a CSV or Excel file and send it in the field “file”.",
                code: "file_missing"
            )
        }
        return .json(report.json(isDryRun: isDryRun))
    }

    /// The form is one file: a second one, or a field that would be ignored, is a mistake to name.
    private func check(_ part: Multipart.Part, isFirst: Bool) throws {
        guard part.name == "file" else {
            throw Failure.invalid(
                String(part.name.prefix(40)),
                "The form has a field “\(part.name.prefix(40))” that is not known here. Send the file "
                    + "in the field “file” and nothing else.",
                code: "unknown_field"
            )
        }
        guard isFirst else {
            throw Failure.invalid(
                "file",
                "The form has more than one file. Upload them one after another.",
                code: "file_twice"
            )
        }
    }

    private static let tooLarge = Failure(
        413,
        "too_large",
        "The file is larger than 50 MB. Split it and upload the parts one after another."
    )

    /// What a caller is told about an upload that cannot go on.
    private static func failure(_ error: any Error, stored: Int) -> any Error {
        switch error {
        case let form as Multipart.Failure:
            return switch form {
            case .bodyTooLong: tooLarge
            case .notMultipart: Failure(415, "unsupported_media_type", form.description)
            default: Failure(400, form.code, form.description + advice(stored))
            }
        case let file as any UnreadableFile:
            var details = JSON.Object()
            details["line"] = file.line.map { JSON($0) }
            details["rows_added"] = JSON(stored)
            let sentence = file.description + advice(stored)
            return Failure(422, file.code, sentence, field: "file", details: details)
        case is File.Unavailable:
            return Failure.unavailable(
                "The server has no room to take the file in right now. Please try again later."
            )
        default: return error
        }
    }

    /// What to do when some rows were stored before the trouble.
    private static func advice(_ stored: Int) -> String {
        guard stored > 0 else { return "" }
        return " \(stored) rows before it are stored. Mend the file and upload all of it again: "
            + "nobody is added twice."
    }
}
