import Core

/// Calls leads at the wish of a person.
struct Calls: Sendable {
    var calls: OperatorCalls
    var zone: Zone
    var triggers: Triggers

    var router: Router {
        Router([
            .init("POST", "/api/leads/bulk-call", bulk),
            .init("POST", "/api/leads/:uuid/call", single),
        ])
    }

    private func single(_ request: Request) throws -> Response {
        try request.refuseFields()
        switch try calls.call(leadUUID: request.parameter("uuid")) {
        case .unknownLead: throw Failure.notFound("There is no such lead.")
        case .waiting:
            return .json(
                [
                    "success": true, "status": "waiting",
                    "message": "All lines are busy. The call is placed when one is free.",
                ],
                status: 202
            )
        case .notNow(let until, let reason):
            var details: JSON.Object = .init()
            details["until"] = JSON(until.map { $0.formatted(in: zone) })
            throw Failure(409, reason.rawValue, reason.sentence, details: details)
        case .dialed(let outcome): return try answer(to: outcome)
        }
    }

    private func answer(to outcome: Dialer.Outcome) throws -> Response {
        switch outcome {
        case .placed(let attemptID, let callID):
            return .json([
                "success": true, "call_id": .string(callID), "status": "queued",
                "attempt_id": .string(attemptID),
            ])
        case .unknown(let attemptID):
            return waiting(
                attemptID,
                "Vapi did not answer clearly. We find out whether the call exists before anything "
                    + "else happens."
            )
        case .notSent(let attemptID):
            return waiting(attemptID, "Vapi cannot be reached. The call is placed when it can be.")
        case .refused(let attemptID, let refusal):
            switch refusal.kind {
            case .concurrency, .rate: return waiting(attemptID, refusal.sentence)
            case .number: throw Failure(409, "number_invalid", refusal.sentence)
            default: throw Failure(502, "provider_refused", refusal.sentence)
            }
        case .notNow, .calledOff:
            return .json(["success": true, "status": "waiting"], status: 202)
        }
    }

    private func waiting(_ attemptID: String, _ message: String) -> Response {
        .json(
            [
                "success": true, "status": "waiting", "attempt_id": .string(attemptID),
                "message": .string(message),
            ],
            status: 202
        )
    }

    private func bulk(_ request: Request) throws -> Response {
        let object = try request.object()
        try object.refuseUnknown(except: ["lead_uuids"])
        guard let uuids = object["lead_uuids"]?.array?.map(\.string), !uuids.contains(nil),
            !uuids.isEmpty
        else {
            throw Failure.invalid("lead_uuids", "lead_uuids must be a list of lead ids.")
        }
        guard uuids.count <= OperatorCalls.limit else {
            throw Failure.invalid(
                "lead_uuids",
                "At most \(OperatorCalls.limit) leads can be called at once. Choose fewer."
            )
        }
        let bulk = try calls.call(leadUUIDs: uuids.compactMap { $0 })
        if bulk.queued > 0 { triggers.fire(.callOrchestrator) }
        return .json([
            "success": true,
            "calls_initiated": .integer(Int64(bulk.initiated)),
            "calls_queued": .integer(Int64(bulk.queued)),
            "errors": .array(
                bulk.errors.map {
                    [
                        "lead_uuid": .string($0.leadUUID), "code": .string($0.code),
                        "error": .string($0.sentence),
                    ]
                }
            ),
        ])
    }
}
