import FlyingFox
import Foundation

/// The HTTP face: Vapi's endpoints, the recordings, and the controls for tests under `/sandbox`.
struct Routes: HTTPHandler {
    let switchboard: Switchboard
    let ledger: Ledger
    /// Where every request for a call and its answer are kept; `nil` keeps none.
    let exchanges: Ledger?
    let key: String

    func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse {
        do {
            return try await respond(to: request)
        } catch let refusal as Refusal {
            return answer(refusal.status, refusal.body, retryAfter: refusal.retryAfter)
        }
    }

    private func respond(to request: HTTPRequest) async throws -> HTTPResponse {
        let path = request.path.split(separator: "/").map(String.init)
        switch (request.method.rawValue, path.first, path.count) {
        case (_, "sandbox", _): return try await control(request, Array(path.dropFirst()))
        case ("GET", "recordings", 2): return try recording(path[1])
        case ("GET", "storage", 2): return try await stored(path[1], request.query)
        case ("POST", "control", 3):
            try await switchboard.control(
                path[1],
                token: path[2],
                try await body(of: request),
                isAuthorized: isAuthorized(request)
            )
            return answer(200, [:])
        case (_, "call", _): break
        default: throw notFound(request)
        }
        guard isAuthorized(request) else { throw Refusal.key }
        switch (request.method.rawValue, path.count) {
        case ("POST", 1): return try await start(request)
        case ("GET", 1): return try await list(request.query)
        case ("GET", 2):
            guard let call = await switchboard.body(of: path[1]) else { throw noCall(path[1]) }
            return answer(200, call)
        case ("PATCH", 2): return try await rename(path[1], try await body(of: request))
        case ("DELETE", 2):
            guard let call = await switchboard.delete(path[1]) else { throw noCall(path[1]) }
            return answer(200, call)
        case ("GET", 3): return try await redirect(path[1], to: path[2])
        default: throw notFound(request)
        }
    }

    private func isAuthorized(_ request: HTTPRequest) -> Bool {
        request.headers[.authorization] == "Bearer \(key)"
    }

    private func body(of request: HTTPRequest) async throws -> JSON {
        try parsed(try await request.bodyData)
    }

    private func parsed(_ data: Data) throws -> JSON {
        guard !data.isEmpty else { return [:] }
        do { return try JSON(parsing: data) } catch {
            throw Refusal(400, "Unexpected token in JSON: the body is not valid JSON.")
        }
    }

    // MARK: Vapi

    private func start(_ request: HTTPRequest) async throws -> HTTPResponse {
        let sent = try await request.bodyData
        switch try await switchboard.start(try parsed(sent)) {
        case .answer(let status, let body, let delay):
            exchanges?.append(exchange: "call", sent: sent, status: status, answer: body.data)
            try await Task.sleep(for: .milliseconds(delay))
            return answer(status, body)
        case .silence: return try await silence()
        case .disconnect: return HTTPResponse(webSocket: Disconnection())
        }
    }

    /// Keeps the caller waiting longer than anybody waits, then hangs up.
    private func silence() async throws -> HTTPResponse {
        try await Task.sleep(for: .seconds(600))
        return HTTPResponse(webSocket: Disconnection())
    }

    /// Closes the connection before a byte is written: the server asks for the frames of a web socket
    /// first, and hangs up when that fails.
    private struct Disconnection: WSHandler {
        func makeFrames(
            for client: AsyncThrowingStream<WSFrame, any Error>
        ) async throws -> AsyncStream<WSFrame> {
            throw CancellationError()
        }
    }

    private func list(_ query: [HTTPRequest.QueryItem]) async throws -> HTTPResponse {
        switch await switchboard.nextList() {
        case .answer: break
        case .error500: throw Refusal(500, "Internal server error")
        case .hang: return try await silence()
        }
        var limit = 100
        var filters: [@Sendable (PhoneCall) -> Bool] = []
        for item in query {
            let value = item.value
            switch item.name {
            case "limit":
                guard let number = Int(value) else {
                    throw Refusal(
                        400,
                        ["limit must be a number conforming to the specified constraints"]
                    )
                }
                guard number <= 1000 else {
                    throw Refusal(400, ["limit must not be greater than 1000"])
                }
                guard number >= 0 else { throw Refusal(400, ["limit must not be less than 0"]) }
                limit = number
            case "id": filters.append { $0.id == value }
            case "assistantId", "phoneNumberId":
                filters.append { $0.request.body[item.name]?.string == value }
            default: filters.append(try timeFilter(item.name, value))
            }
        }
        let all = filters
        return answer(
            200,
            await switchboard.list(limit: limit) { call in all.allSatisfy { $0(call) } }
        )
    }

    /// `createdAt` or `updatedAt` with `Gt`, `Lt`, `Ge` or `Le`.
    private func timeFilter(
        _ name: String,
        _ value: String
    ) throws -> @Sendable (PhoneCall) -> Bool {
        guard let match = name.wholeMatch(of: /(created|updated)At(Gt|Lt|Ge|Le)/) else {
            throw Refusal(400, [.string("property \(name) should not exist")])
        }
        // A plus that was not escaped arrives as a space in some clients.
        guard let bound = ISO8601.parse(value.replacing(/\ (\d\d:?\d\d)$/) { "+\($0.output.1)" })
        else {
            throw Refusal(400, [.string("\(name) must be a valid ISO 8601 date string")])
        }
        let isCreated = match.output.1 == "created"
        let relation = String(match.output.2)
        return { call in
            let time = isCreated ? call.createdAt : call.updatedAt
            return switch relation {
            case "Gt": time > bound
            case "Lt": time < bound
            case "Ge": time >= bound
            default: time <= bound
            }
        }
    }

    private func rename(_ id: String, _ body: JSON) async throws -> HTTPResponse {
        let problems = Schema(" Update name:string(...40)").problems(of: body, as: "Update")
        guard problems.isEmpty else { throw Refusal(400, .array(problems.map(JSON.string))) }
        guard await switchboard.has(id) else { throw noCall(id) }
        await switchboard.rename(id, to: body["name"]?.string)
        return answer(200, await switchboard.body(of: id) ?? [:])
    }

    // MARK: Recordings

    private func redirect(_ id: String, to name: String) async throws -> HTTPResponse {
        guard await switchboard.has(id) else { throw noCall(id) }
        guard name.hasSuffix("-recording"),
            let channel = Recording.Channel(rawValue: String(name.dropLast("-recording".count))),
            await switchboard.hasRecording(id)
        else { throw Refusal(404, .string("The call has no \(name).")) }
        let url = await switchboard.storageURL(of: id, channel).url
        let headers: HTTPHeaders = [.location: url]
        return HTTPResponse(statusCode: .found, headers: headers)
    }

    private func recording(_ file: String) throws -> HTTPResponse {
        let (id, channel) = try recordingName(file)
        let headers: HTTPHeaders = [.contentType: "audio/wav"]
        return HTTPResponse(
            statusCode: .ok,
            headers: headers,
            body: Recording.wav(of: id, channel)
        )
    }

    private func stored(
        _ file: String,
        _ query: [HTTPRequest.QueryItem]
    ) async throws -> HTTPResponse {
        let (id, channel) = try recordingName(file)
        guard let expires = query["expires"].flatMap({ Milliseconds($0) }),
            await switchboard.permits(
                id,
                channel,
                expires: expires,
                signature: query["signature"] ?? ""
            )
        else { throw Refusal(403, "Request has expired.") }
        return try recording(file)
    }

    /// `ID-mono.wav`: recordings outlive the process, so they need no call that is remembered.
    private func recordingName(_ file: String) throws -> (String, Recording.Channel) {
        guard let match = file.wholeMatch(of: /([0-9a-f-]{36})-([a-z]+)\.wav/),
            let channel = Recording.Channel(rawValue: String(match.output.2))
        else { throw Refusal(404, "There is no such recording.") }
        return (String(match.output.1), channel)
    }

    // MARK: Controls for tests

    private func control(_ request: HTTPRequest, _ path: [String]) async throws -> HTTPResponse {
        switch (request.method.rawValue, path.joined(separator: "/")) {
        case ("GET", "state"): return answer(200, await switchboard.state())
        case ("GET", "ledger"):
            let headers: HTTPHeaders = [.contentType: "application/x-ndjson"]
            return HTTPResponse(statusCode: .ok, headers: headers, body: try ledger.contents())
        case ("GET", "behaviour"): return answer(200, await switchboard.currentBehaviour)
        case ("PUT", "behaviour"):
            await switchboard.set(try Behaviour(try await body(of: request)))
            return answer(200, await switchboard.currentBehaviour)
        case ("POST", "finish"):
            let wish = try await body(of: request)
            let ended = try await switchboard.finish(
                call: wish["call_id"]?.string,
                reason: wish["ended_reason"]?.string
            )
            return answer(200, ["ended": .array(ended.map(JSON.string))])
        default: throw notFound(request)
        }
    }

    // MARK: Answers

    private func answer(_ status: Int, _ body: JSON, retryAfter: Int? = nil) -> HTTPResponse {
        var headers: HTTPHeaders = [.contentType: "application/json; charset=utf-8"]
        if let retryAfter { headers[HTTPHeader("Retry-After")] = String(retryAfter) }
        return HTTPResponse(
            statusCode: HTTPStatusCode(status, phrase: Refusal.phrase(status)),
            headers: headers,
            body: body.data
        )
    }

    private func noCall(_ id: String) -> Refusal {
        Refusal(404, .string("Couldn't find call with id \(id)."))
    }

    private func notFound(_ request: HTTPRequest) -> Refusal {
        Refusal(404, .string("Cannot \(request.method.rawValue) \(request.path)"))
    }
}
