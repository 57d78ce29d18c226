import Core

/// Calls that are planned for a time: to many leads in batches, or to one.
struct Schedules: Sendable {
    var schedules: BulkSchedules
    var callbacks: Callbacks
    var clock: Clock
    /// What a time without an offset is local to.
    var zone: Zone

    var routes: [Router.Route] {
        [
            .init("POST", "/api/schedule-bulk-calls", create),
            .init("GET", "/api/scheduled-bulk-calls", list),
            .init("POST", "/api/cancel-bulk-schedule/:id", cancel),
            .init("POST", "/api/leads/:uuid/callback", promiseCallback),
        ]
    }

    /// How far ahead a call may be planned.
    private static let horizon = Duration.days(366)
    private static let actor = "staff"

    // MARK: Bulk schedules

    private func create(_ request: Request) throws -> Response {
        let object = try request.object()
        try object.refuseUnknown(
            except: ["lead_uuids", "schedule_time", "parallel_calls", "batch_interval"]
        )
        let plan = BulkSchedules.Plan(
            leadUUIDs: try leadUUIDs(object["lead_uuids"]),
            start: try futureTime("schedule_time", object["schedule_time"]),
            parallelCalls: try wholeNumber("parallel_calls", object, 1...1000),
            batchInterval: .seconds(try wholeNumber("batch_interval", object, 1...86_400))
        )
        guard plan.estimatedCompletion <= clock.now() + Schedules.horizon else {
            throw Failure.invalid(
                "batch_interval",
                "The last batch would be more than a year ahead. Choose a shorter interval or more "
                    + "calls at a time."
            )
        }
        do {
            let id = try schedules.create(plan, by: Schedules.actor)
            return .json([
                "success": true,
                "schedule_id": .string(id),
                "total_leads": JSON(plan.leadUUIDs.count),
                "estimated_completion": .string(plan.estimatedCompletion.formatted(in: zone)),
            ])
        } catch let error as BulkSchedules.UnknownLeads {
            var details = JSON.Object()
            details["unknown"] = .array(error.uuids.prefix(100).map(JSON.string))
            throw Failure(
                422,
                "unknown_leads",
                "\(error.uuids.count) of these leads do not exist: "
                    + "\(error.uuids.prefix(3).joined(separator: ", "))"
                    + "\(error.uuids.count > 3 ? " …" : "").",
                field: "lead_uuids",
                details: details
            )
        }
    }

    private func leadUUIDs(_ value: JSON?) throws -> [String] {
        let elements = value?.array ?? []
        let uuids = elements.compactMap(\.string)
        guard !uuids.isEmpty, uuids.count == elements.count, uuids.allSatisfy(Identifier.isUUID)
        else {
            throw Failure.invalid(
                "lead_uuids",
                "lead_uuids must be a list of at least one lead id."
            )
        }
        guard uuids.count <= BulkSchedules.leadLimit else {
            throw Failure.invalid(
                "lead_uuids",
                "A schedule has at most \(BulkSchedules.leadLimit) leads. Make several."
            )
        }
        return uuids
    }

    private func wholeNumber(
        _ name: String,
        _ object: JSON.Object,
        _ range: ClosedRange<Int64>
    ) throws -> Int {
        guard let number = object[name]?.integer, range.contains(number) else {
            throw Failure.invalid(
                name,
                "\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)."
            )
        }
        return Int(number)
    }

    private func futureTime(_ name: String, _ value: JSON?) throws -> Instant {
        guard let text = value?.string, let time = Instant(iso8601: text, assuming: zone) else {
            throw Failure.invalid(
                name,
                "\(name) must be a day and time such as 2025-01-15T14:30:00+05:30."
            )
        }
        let now = clock.now()
        guard time > now else {
            throw Failure.invalid(
                name,
                "This time has passed already. Choose a later one.",
                code: "in_the_past"
            )
        }
        guard time <= now + Schedules.horizon else {
            throw Failure.invalid(
                name,
                "This time is more than a year ahead. Choose an earlier one."
            )
        }
        return time
    }

    private func list(_ request: Request) throws -> Response {
        .json(["schedules": .array(try schedules.list().map(describe))])
    }

    private func describe(_ schedule: BulkSchedules.Schedule) -> JSON {
        [
            "schedule_id": .string(schedule.id),
            "created_at": .string(schedule.createdAt.formatted(in: zone)),
            "scheduled_time": .string(schedule.start.formatted(in: zone)),
            "total_leads": JSON(schedule.leads),
            "parallel_calls": JSON(schedule.parallelCalls),
            "batch_interval": .integer(schedule.batchInterval.milliseconds / 1000),
            "status": .string(schedule.progress.rawValue),
            "dialed": JSON(schedule.dialed),
            "reached": JSON(schedule.reached),
            "skipped": JSON(schedule.skipped),
            "waiting": JSON(schedule.waiting),
            "estimated_completion": .string(schedule.estimatedCompletion.formatted(in: zone)),
        ]
    }

    private func cancel(_ request: Request) throws -> Response {
        try request.refuseFields()
        guard
            let cancellation = try schedules.cancel(request.parameter("id"), by: Schedules.actor)
        else { throw Failure.notFound("There is no such schedule.") }
        return .json([
            "success": true,
            "cancelled": JSON(cancellation.isCancelled),
            "not_dialed": JSON(cancellation.notDialed),
            "already_dialed": JSON(cancellation.alreadyDialed),
        ])
    }

    // MARK: Callbacks

    private func promiseCallback(_ request: Request) throws -> Response {
        let object = try request.object(limit: 4096)
        try object.refuseUnknown(except: ["callback_time"])
        let time = try futureTime("callback_time", object["callback_time"])
        do {
            let dueAt = try callbacks.promise(request.parameter("uuid"), at: time)
            return .json(
                [
                    "success": true,
                    "callback_time": .string(time.formatted(in: zone)),
                    "due_at": .string(dueAt.formatted(in: zone)),
                ],
                status: 201
            )
        } catch Callbacks.Refusal.unknownLead {
            throw Failure.notFound("There is no such lead.")
        } catch Callbacks.Refusal.notAllowed(let reason) {
            throw Failure.conflict(reason.rawValue, reason.sentence)
        }
    }
}
