import Core

/// Lists, adds, changes and deletes leads.
struct Leads: Sendable {
    let database: Database
    let store: LeadStore
    let reader: LeadReader
    /// Where numbers without a country code are dialled.
    let defaultRegion: String
    /// The zone of days and of times without an offset.
    let zone: Zone
    let clock: Clock

    var router: Router {
        Router([
            .init("GET", "/api/leads", list),
            .init("GET", "/api/opt-outs/export.csv", exportOptOuts),
            .init("POST", "/api/leads", add),
            .init("GET", "/api/leads/export.csv", export),
            .init("PATCH", "/api/leads/:uuid", change),
            .init("DELETE", "/api/leads/:uuid", delete),
            .init("GET", "/api/leads/:uuid/details", details),
            .init("GET", "/api/leads/:uuid/messages", messages),
        ])
    }

    // MARK: List

    private func list(_ request: Request) throws -> Response {
        // `refresh` is the old dashboard's way to pass a cache by; there is none to pass by.
        try refuseUnknown(LeadQuery.parameters + ["fields", "refresh"], in: request)
        let query = try LeadQuery(request.query, zone: zone)
        let isTable = try isTable(request)
        return try database.read { connection in
            let tag = try reader.tag(of: query, isTable: isTable, in: connection)
            return try Response.unlessUnchanged(tag, request) {
                .json(try reader.list(query, isTable: isTable, in: connection))
            }
        }
    }

    private func isTable(_ request: Request) throws -> Bool {
        switch try request.query.value("fields") {
        case "table": return true
        case nil, "full": return false
        default:
            throw Failure(400, "invalid_fields", "fields must be table or full.", field: "fields")
        }
    }

    private func refuseUnknown(_ known: [String], in request: Request) throws {
        guard let name = request.query.names.first(where: { !known.contains($0) }) else { return }
        let shown = String(name.prefix(40))
        throw Failure(
            400,
            "unknown_parameter",
            known.isEmpty
                ? "This address takes no parameters."
                : "The list has no parameter “\(shown)”. It has \(known.joined(separator: ", ")).",
            field: shown
        )
    }

    // MARK: Export

    /// The first page is read before the answer begins, so that a database in trouble can still be
    /// told by its status.
    private func export(_ request: Request) throws -> Response {
        // The dashboard sends its list's whole address; the order of a file is always the same.
        try refuseUnknown(LeadQuery.parameters + ["fields", "refresh"], in: request)
        let first = LeadReader.export(of: try LeadQuery.Filter(request.query, zone: zone))
        let head = try database.read { try reader.export(first, in: $0) }
        return file("leads") { [database, reader] send in
            try send(head.text)
            var next = head.next
            while let query = next {
                let page = try database.read { try reader.export(query, in: $0) }
                try send(page.text)
                next = page.next
            }
        }
    }

    /// The proof of everybody who must not be contacted.
    private func exportOptOuts(_ request: Request) throws -> Response {
        try refuseUnknown([], in: request)
        let head = try database.read { try OptOutExport.page(after: nil, in: zone, $0) }
        return file("opt-outs") { [database, zone] send in
            try send(head.text)
            var next = head.next
            while let start = next {
                let page = try database.read { try OptOutExport.page(after: start, in: zone, $0) }
                try send(page.text)
                next = page.next
            }
        }
    }

    private func file(
        _ name: String,
        _ produce: @escaping @Sendable (_ send: ([UInt8]) throws -> Void) throws -> Void
    ) -> Response {
        let day = clock.now().formatted(in: zone).prefix(10)
        return Response(
            headers: [
                ("Content-Type", "text/csv; charset=utf-8"),
                ("Content-Disposition", "attachment; filename=\"\(name)-\(day).csv\""),
                ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
            ],
            body: .stream(produce)
        )
    }

    // MARK: Change

    private func add(_ request: Request) throws -> Response {
        let form = try LeadForm(request.object())
        let now = clock.now()
        let fields = try form.fields(
            changing: nil,
            defaultRegion: defaultRegion,
            zone: zone,
            now: now
        )
        let added = try database.write { connection in
            if let added = try store.insert(fields, from: .person, now: now, in: connection) {
                return added
            }
            throw LeadStore.duplicate(
                of: try Contact.find(number: fields.number, in: connection)?.uuid
            )
        }
        let answer: JSON = [
            "success": true, "lead_uuid": .string(added.uuid),
            "row_index": .integer(added.rowIndex),
        ]
        return .json(answer, status: 201)
    }

    private func change(_ request: Request) throws -> Response {
        let form = try LeadForm(request.object())
        let now = clock.now()
        let uuid = request.parameter("uuid")
        let lead = try database.write { connection in
            try store.edit(uuid, expecting: expected(by: request), now: now, in: connection) {
                try form.fields(changing: $0, defaultRegion: defaultRegion, zone: zone, now: now)
            }
            return try reader.lead(uuid, in: connection)
        }
        var response = Response.json(Array(#"{"success":true,"lead":"#.utf8) + lead.json + "}".utf8)
        response.headers.append((name: "ETag", value: "W/\"\(lead.change)\""))
        return response
    }

    /// The change numbers that `If-Match` names; nil when anything will do.
    ///
    /// Of a tag the number before the first dot counts: the details' tag goes on with what else they
    /// show. Weak tags are taken too, because a proxy that compresses weakens every tag.
    private func expected(by request: Request) -> Set<Int64>? {
        guard let header = request.header("if-match") else { return nil }
        let tags = header.split(separator: ",").map { tag in
            tag.filter { $0 != " " && $0 != "\t" }
        }
        if tags.contains("*") { return nil }
        return Set(
            tags.compactMap { tag in
                let value = tag.hasPrefix("W/") ? tag.dropFirst(2) : tag[...]
                guard value.hasPrefix("\""), value.hasSuffix("\"") else { return nil }
                return Int64(value.dropFirst().prefix { $0 != "." && $0 != "\"" })
            }
        )
    }

    private func delete(_ request: Request) throws -> Response {
        let uuid = request.parameter("uuid")
        let now = clock.now()
        try database.write { try store.delete(uuid, now: now, in: $0) }
        return .json(["success": true, "lead_uuid": .string(uuid.lowercased())])
    }

    // MARK: One lead

    private func details(_ request: Request) throws -> Response {
        let uuid = request.parameter("uuid")
        let now = clock.now()
        return try database.read { connection in
            let tag = try reader.tag(ofDetails: uuid, now: now, in: connection)
            return try Response.unlessUnchanged(tag, request) {
                .json(try reader.details(uuid, now: now, in: connection))
            }
        }
    }

    private func messages(_ request: Request) throws -> Response {
        .json(try database.read { try reader.messages(request.parameter("uuid"), in: $0) })
    }
}
