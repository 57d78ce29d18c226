import Core

/// Answers with figures about all leads and calls.
struct Analytics: Sendable {
    var database: Database
    var clock: Clock
    var zone: Zone
    /// How many calls may be live at once.
    var lines: Int
    /// Whether the clock is moved, as in a rehearsal.
    var isSimulated: Bool
    /// Whether Vapi is configured.
    var canCall: Bool
    /// Which ways of writing to people are configured.
    var channels: Journey.Channels

    var router: Router {
        Router([.init("GET", "/api/analytics/summary", summary)])
    }

    /// The summary, or 304 while nothing in it but the time has changed.
    ///
    /// The tag leaves `now` out, or every look would fetch all of it; who shows a running clock asks
    /// without a tag now and then. What time alone can change is in the tag: calls that have become
    /// due, a pause that has ended, the zone's summer time; and what a restart can change, too.
    private func summary(_ request: Request) throws -> Response {
        let now = clock.now()
        let label = zone.abbreviation(at: now)
        return try database.read { connection in
            let pause = try Pause.current(in: connection, now: now)
            let due = try DialRequests.countDue(at: now, in: connection)
            let switches = [isSimulated, canCall, channels.whatsApp, channels.email, pause != nil]
                .map { $0 ? "1" : "0" }.joined()
            let changes = try Figures.changeCount(in: connection)
            let tag = "\(changes)-\(due)-\(lines)-\(switches)-\(zone.identifier)-\(label)"
            return try Response.unlessUnchanged(tag, request) {
                let figures = try Figures(at: now, in: connection)
                return .json(describe(figures, pause: pause, label: label, now: now))
            }
        }
    }

    private func describe(
        _ figures: Figures,
        pause: Pause?,
        label: String,
        now: Instant
    ) -> JSON {
        var byStatus = JSON.Object()
        for status in LeadStatus.allCases {
            byStatus[status.rawValue] = JSON(figures.byStatus[status] ?? 0)
        }
        var bySuccess = JSON.Object()
        for status in Qualification.Status.allCases {
            bySuccess[status.rawValue] = JSON(figures.bySuccess[status] ?? 0)
        }
        return [
            "total": JSON(figures.leads),
            "by_status": .object(byStatus),
            "by_success_status": .object(bySuccess),
            "active_calls": JSON(figures.liveCalls),
            "line_limit": JSON(lines),
            "waiting_requests": JSON(figures.waitingRequests),
            "due_requests": JSON(figures.dueRequests),
            "contact_rate": JSON(figures.contactRate),
            "completion_rate": JSON(figures.completionRate),
            "qualification_rate": JSON(figures.qualificationRate),
            "average_call_seconds": JSON(figures.averageCallSeconds),
            "total_calls": JSON(figures.calls),
            "total_cost": .number(figures.cost),
            "opted_out": JSON(figures.optedOut),
            "partners": .array(figures.partners.map(JSON.string)),
            "paused": JSON(pause != nil),
            "pause_reason": JSON(pause?.reason),
            "simulated": JSON(isSimulated),
            "now": .string(now.formatted(in: zone)),
            "timezone": .string(zone.identifier),
            "timezone_label": .string(label),
            "integrations": [
                "vapi": JSON(canCall), "whatsapp": JSON(channels.whatsApp),
                "email": JSON(channels.email),
            ],
        ]
    }
}
