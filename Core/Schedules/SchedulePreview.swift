/// What a bulk schedule would come to, told before anything is stored.
///
/// For each lead the promises that it has and the one that the schedule would add are kept one after
/// the other, as the dialer would: the same refusals, the same limits and hours, and a call that comes
/// first drops the others. What nobody can know yet is left out: how calls end, pauses, and busy lines.
public struct SchedulePreview: Sendable {
    /// What would become of one lead.
    public struct Planned: Sendable {
        public let leadUUID: String
        public let name: String
        /// When the call would be made; `nil` when there would be none.
        public let time: Instant?
        /// The zone in which the lead reads that time.
        public let zone: Zone
        /// Why there would be none.
        public let reason: Skip?
    }

    /// Why a lead would not be called by the schedule.
    public enum Skip: Sendable, Hashable {
        case refused(ContactGate.Reason)
        /// Another call that is planned already comes first.
        case superseded

        /// The word that the schedule's own counts use.
        public var code: String {
            switch self {
            case .refused(let reason): reason.rawValue
            case .superseded: DialRequests.superseded
            }
        }

        /// The reason as a sentence.
        public var sentence: String {
            switch self {
            case .refused(let reason): reason.sentence
            case .superseded:
                "Another call to this person that is planned already comes first."
            }
        }
    }

    /// The leads in the order of the plan.
    public let leads: [Planned]
    /// When the last batch, or the last call that hours or limits put off, should be through.
    public let estimatedCompletion: Instant

    /// The first call's time; `nil` when nobody would be called.
    public var firstCall: Instant? { leads.compactMap(\.time).min() }

    /// How many leads would not be called, by reason.
    public var skips: [Skip: Int] {
        leads.compactMap(\.reason).reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }
}

extension BulkSchedules {
    /// Tells what a plan would come to; nothing is stored.
    ///
    /// - Throws: ``UnknownLeads``, ``Database/Unavailable``.
    public func preview(_ plan: Plan, journey: Journey) throws -> SchedulePreview {
        let now = clock.now()
        return try database.read { connection in
            var unknown: [String] = []
            var planned: [SchedulePreview.Planned] = []
            for (index, uuid) in plan.leadUUIDs.enumerated() {
                guard let lead = try Contact.find(uuid: uuid, in: connection), !lead.isDeleted
                else {
                    unknown.append(uuid)
                    continue
                }
                let forecast = try Forecast(lead, gate: journey.gate, now: now, in: connection)
                let result = try forecast.schedule(dueAt: plan.dueAt(index), in: connection)
                var time: Instant?
                var reason: SchedulePreview.Skip?
                switch result {
                case .called(let instant): time = instant
                case .skipped(let skip): reason = skip
                }
                planned.append(
                    SchedulePreview.Planned(
                        leadUUID: lead.uuid,
                        name: lead.name,
                        time: time,
                        zone: lead.certainZone ?? journey.zone,
                        reason: reason
                    )
                )
            }
            guard unknown.isEmpty else { throw UnknownLeads(uuids: unknown) }
            let last = planned.compactMap(\.time).max().map { $0 + plan.batchInterval }
            return SchedulePreview(
                leads: planned,
                estimatedCompletion: max(plan.estimatedCompletion, last ?? plan.start)
            )
        }
    }
}

/// The promises to one lead, kept one after the other in thought.
private struct Forecast {
    enum Outcome {
        case called(at: Instant)
        case skipped(SchedulePreview.Skip)
    }

    private struct Promise {
        let kind: DialKind
        var dueAt: Instant
        let isOurs: Bool
    }

    private let lead: Contact
    private let gate: ContactGate
    private let now: Instant
    private let promises: [Promise]
    private let dials: [Instant]

    init(_ lead: Contact, gate: ContactGate, now: Instant, in connection: Connection) throws {
        self.lead = lead
        self.gate = gate
        self.now = now
        dials = try gate.dials(of: lead, before: now, connection)
        promises = try connection.rows(
            """
            SELECT r.kind, r.due_at FROM dial_requests r
            LEFT JOIN schedules s ON s.id = r.schedule_id WHERE r.lead_id = \(lead.id)
            AND r.state = 'waiting' AND s.state IS NOT 'paused' ORDER BY r.id
            """
        ).map { row in
            Promise(
                kind: try row.required("kind"),
                dueAt: try row.required("due_at"),
                isOurs: false
            )
        }
    }

    /// What becomes of a promise of a schedule beside those that there are.
    func schedule(dueAt: Instant, in connection: Connection) throws
        -> Outcome
    {
        var waiting = promises + [Promise(kind: .schedule, dueAt: dueAt, isOurs: true)]
        var dials = dials
        // Each round settles a promise or moves it to where the limits or the hours let it be.
        for _ in 0..<200 {
            guard
                let index = waiting.indices.min(by: { first, second in
                    let (first, second) = (waiting[first], waiting[second])
                    return (first.dueAt, first.kind.rank) < (second.dueAt, second.kind.rank)
                })
            else { break }
            let next = waiting[index]
            let time = max(next.dueAt, now)
            if let reason = try gate.refusal(of: lead, .call, next.kind, connection) {
                if next.isOurs { return .skipped(.refused(reason)) }
                waiting.remove(at: index)
                continue
            }
            if case .hold(let until, let reason) = gate.hold(
                of: lead,
                next.kind,
                at: time,
                after: dials
            ) {
                if let until {
                    waiting[index].dueAt = until
                } else if next.isOurs {
                    return .skipped(.refused(reason))
                } else {
                    waiting.remove(at: index)
                }
                continue
            }
            if next.isOurs { return .called(at: time) }
            dials.insert(time, at: 0)
            waiting.remove(at: index)
            waiting.removeAll {
                $0.kind != .callback && $0.dueAt < time + DialRequests.supersededSpan
            }
            guard waiting.contains(where: \.isOurs) else {
                return .skipped(.superseded)
            }
        }
        return .skipped(.refused(.contactedTooOften))
    }
}
