import Core

/// The rules for everything that is planned: the pause, the retries, the journey.
struct Planning: Sendable {
    var database: Database
    var clock: Clock
    var zone: Zone
    /// The configured policy, in force until somebody sets another one.
    var retryPolicy: RetryPolicy
    var guardRails: GuardRails
    var triggers: Triggers

    var routes: [Router.Route] {
        [
            .init("GET", "/api/pause", showPause),
            .init("POST", "/api/pause", setPause),
            .init("GET", "/api/retry-config", showRetryPolicy),
            .init("POST", "/api/retry-config", setRetryPolicy),
            .init("GET", "/api/journey") { _ in .json(Workflow.lead.json) },
        ]
    }

    /// Who changes things here, for the audit log.
    private static let actor = "staff"

    // MARK: Pause

    private func showPause(_ request: Request) throws -> Response {
        .json(.object(try database.read { try describePauses(in: $0) }))
    }

    /// Pauses or resumes all dialing, or that for one partner.
    ///
    /// A pause by a person lasts until a person ends it, so it replaces one that would end by itself;
    /// any other pause in force stays with its reason.
    private func setPause(_ request: Request) throws -> Response {
        let object = try request.object(limit: 16_384)
        try object.refuseUnknown(except: ["paused", "reason", "partner"])
        guard let isPaused = object["paused"]?.bool else {
            throw Failure.invalid("paused", "paused must be true or false.")
        }
        let reason = try pauseReason(object["reason"] ?? nil)
        let partner = try partner(object["partner"] ?? nil)
        let now = clock.now()
        let actor = Planning.actor
        var answer = try database.write { connection in
            let pause = try Pause.current(of: partner, in: connection, now: now)
            if !isPaused || pause?.until != nil {
                try Pause.end(of: partner, by: actor, now: now, in: connection)
            }
            if isPaused {
                try Pause.set(of: partner, because: reason, by: actor, now: now, in: connection)
            }
            return try describePauses(in: connection)
        }
        if !isPaused { triggers.fire(.callOrchestrator) }
        answer["success"] = true
        return .json(.object(answer))
    }

    private func partner(_ value: JSON) throws -> String? {
        if value.isNull { return nil }
        guard let partner = text(value)?.singleLine, !partner.isEmpty else {
            throw Failure.invalid(
                "partner",
                "The partner must be a name of at most 200 characters."
            )
        }
        return partner
    }

    private func pauseReason(_ value: JSON) throws -> String {
        if value.isNull { return "Paused by hand." }
        guard let reason = text(value)?.singleLine else {
            throw Failure.invalid("reason", "The reason must be a text of at most 200 characters.")
        }
        return reason.isEmpty ? "Paused by hand." : reason
    }

    /// A text of at most 200 characters as JSON Schema counts them: Unicode's code points.
    private func text(_ value: JSON) -> String? {
        value.string.flatMap { $0.unicodeScalars.count <= 200 ? $0 : nil }
    }

    /// The pauses in force, and the guard rails that may set one.
    private func describePauses(in connection: Connection) throws -> JSON.Object {
        let now = clock.now()
        let pause = try Pause.current(in: connection, now: now)
        let partners = try Pause.partners(in: connection, now: now)
        let recent = try guardRails.recentCalls(at: now, in: connection)
        let spent = try guardRails.spentToday(at: now, in: zone, connection)
        var object = JSON.Object()
        object["paused"] = JSON(pause != nil)
        object["reason"] = JSON(pause?.reason)
        object["since"] = JSON(pause?.since.formatted(in: zone))
        object["until"] = JSON(pause?.until?.formatted(in: zone))
        object["by"] = JSON(pause?.actor)
        object["test_call"] = JSON(pause?.actor == GuardRails.breaker)
        object["partners"] = .array(
            partners.map {
                [
                    "partner": JSON($0.partner), "reason": .string($0.reason),
                    "since": .string($0.since.formatted(in: zone)),
                    "until": JSON($0.until?.formatted(in: zone)),
                ]
            }
        )
        object["breaker"] = [
            "failure_percent": JSON(guardRails.failurePercent),
            "fewest_calls": JSON(GuardRails.fewestCalls),
            "latest_calls": JSON(GuardRails.calls),
            "minutes": .integer(GuardRails.recent.milliseconds / 60_000),
            "calls": JSON(recent.calls), "failed": JSON(recent.failed),
        ]
        object["spending"] = [
            "limit_day": JSON(guardRails.spendingPerDay), "spent_today": .number(spent),
        ]
        return object
    }

    // MARK: Retries

    private func showRetryPolicy(_ request: Request) throws -> Response {
        .json(try database.read { try retryPolicy.current(in: $0) }.json)
    }

    /// Puts another policy in force; what the request does not name stays as it is.
    private func setRetryPolicy(_ request: Request) throws -> Response {
        let object = try request.object(limit: 16_384)
        try object.refuseUnknown(
            except: ["max_retry_count", "retry_intervals", "retry_units"]
        )
        guard !object.members.isEmpty else {
            throw Failure.invalid("max_retry_count", "Say how many retries there are, and when.")
        }
        let now = clock.now()
        let policy = try database.write { connection in
            let policy = try changed(retryPolicy.current(in: connection), by: object)
            try policy.save(by: Planning.actor, now: now, in: connection)
            return policy
        }
        guard case .object(var answer) = policy.json else { return .json(policy.json) }
        answer["success"] = true
        return .json(.object(answer))
    }

    private func changed(_ policy: RetryPolicy, by object: JSON.Object) throws -> RetryPolicy {
        var policy = policy
        if let value = object["max_retry_count"] {
            guard let maximum = value.integer, 0...20 ~= maximum else {
                throw Failure.invalid(
                    "max_retry_count",
                    "The number of retries must be a whole number from 0 to 20."
                )
            }
            policy.maximum = Int(maximum)
        }
        if let value = object["retry_intervals"] {
            let elements = value.array ?? []
            let intervals = elements.compactMap { $0.integer.flatMap { Int(exactly: $0) } }
            guard intervals.count == elements.count, RetryPolicy.areValid(intervals) else {
                throw Failure.invalid(
                    "retry_intervals",
                    "The intervals must be 1 to 20 whole numbers from 1 to 8760, such as [1, 4, 24]."
                )
            }
            policy.intervals = intervals
        }
        if let value = object["retry_units"] {
            guard let unit = value.string.flatMap(RetryPolicy.Unit.init) else {
                throw Failure.invalid(
                    "retry_units",
                    "The unit must be hours, minutes or seconds."
                )
            }
            policy.unit = unit
        }
        return policy
    }
}
