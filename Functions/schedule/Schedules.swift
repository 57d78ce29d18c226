import Core

/// Calls that are planned for a time: to many leads in batches, or to one.
struct Schedules: Sendable {
    var schedules: BulkSchedules
    var callbacks: Callbacks
    var journey: Journey
    var clock: Clock
    /// What a time without an offset is local to.
    var zone: Zone
    var triggers: Triggers

    var routes: [Router.Route] {
        [
            .init("POST", "/api/schedule-bulk-calls", create),
            .init("GET", "/api/scheduled-bulk-calls", list),
            .init("POST", "/api/pause-bulk-schedule/:id", pause),
            .init("POST", "/api/resume-bulk-schedule/:id", resume),
            .init("POST", "/api/cancel-bulk-schedule/:id", cancel),
            .init("POST", "/api/leads/:uuid/callback", promiseCallback),
        ]
    }

    /// How far ahead a call may be planned.
    private static let horizon = Duration.days(366)
    private static let actor = "staff"

    // MARK: Bulk schedules

    private func create(_ request: Request) throws -> Response {
        let isDryRun = try request.isDryRun(of: "A schedule")
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
            if isDryRun { return .json(describe(try schedules.preview(plan, journey: journey))) }
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

    private func describe(_ preview: SchedulePreview) -> JSON {
        let skips = preview.skips
        let notCalled = skips.values.reduce(0, +)
        return [
            "success": true,
            "dry_run": true,
            "total_leads": JSON(preview.leads.count),
            "will_be_called": JSON(preview.leads.count - notCalled),
            "will_not_be_called": JSON(notCalled),
            "reasons": .object(
                skips.sorted { ($1.value, $0.key.code) < ($0.value, $1.key.code) }
                    .reduce(into: JSON.Object()) { $0[$1.key.code] = JSON($1.value) }
            ),
            "first_call": JSON(preview.firstCall?.formatted(in: zone)),
            "estimated_completion": .string(preview.estimatedCompletion.formatted(in: zone)),
            "leads": .array(
                preview.leads.map { lead in
                    [
                        "lead_uuid": .string(lead.leadUUID),
                        "name": .string(lead.name),
                        "planned_time": JSON(lead.time?.formatted(in: lead.zone)),
                        "timezone": .string(lead.zone.identifier),
                        "code": JSON(lead.reason?.code),
                        "error": JSON(lead.reason?.sentence),
                    ]
                }
            ),
        ]
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
            "skipped_reasons": .object(
                schedule.skippedReasons.reduce(into: JSON.Object()) { counts, entry in
                    counts[entry.reason] = JSON(entry.leads)
                }
            ),
            "waiting": JSON(schedule.waiting),
            "estimated_completion": .string(schedule.estimatedCompletion.formatted(in: zone)),
        ]
    }

    private func pause(_ request: Request) throws -> Response {
        try setPaused(true, request) { try schedules.pause($0, by: Schedules.actor) }
    }

    private func resume(_ request: Request) throws -> Response {
        let response = try setPaused(false, request) {
            try schedules.resume($0, by: Schedules.actor)
        }
        triggers.fire(.callOrchestrator)
        return response
    }

    private func setPaused(
        _ isPaused: Bool,
        _ request: Request,
        _ change: (_ id: String) throws -> Bool
    ) throws -> Response {
        try request.refuseFields()
        do {
            guard try change(request.parameter("id")) else { throw Schedules.unknown }
        } catch let error as BulkSchedules.Over {
            throw Failure.conflict(
                "schedule_\(error.progress.rawValue)",
                error.progress == .cancelled
                    ? "This schedule was cancelled, so nobody is called by it any more."
                    : "Nobody of this schedule waits for a call any more."
            )
        }
        return .json(["success": true, "paused": JSON(isPaused)])
    }

    private static let unknown = Failure.notFound("There is no such schedule.")

    private func cancel(_ request: Request) throws -> Response {
        try request.refuseFields()
        guard
            let cancellation = try schedules.cancel(request.parameter("id"), by: Schedules.actor)
        else { throw Schedules.unknown }
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
