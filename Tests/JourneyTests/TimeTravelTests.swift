import Foundation
import Synchronization
import Testing

@testable import Core
@testable import World
@testable import webhook_vapi

/// Three weeks of calling everybody, lived in minutes: the orchestrator, the reconciler and the
/// webhook's function over one database, the sandbox's Vapi beyond them, and one clock for all.
///
/// `TIME_TRAVEL_LEADS=10000` is the whole of it; without it a small town is called.
@Suite struct TimeTravelTests {
    @Test func `after three weeks every lead has come to an end that its history explains`() throws
    {
        let wanted: Int? = Setting.integer("TIME_TRAVEL_LEADS")
        let seed = Setting.integer("TIME_TRAVEL_SEED") ?? UInt64.random(in: 1...1 << 40)
        let started = ContinuousClock.now
        let journey = try TimeTravel(seed: seed, leads: wanted ?? 150)
        let faults = try journey.run(weeks: 3)
        if wanted != nil {
            print("\(journey.summary) in \(ContinuousClock.now - started), seed \(seed)")
        }
        #expect(faults == [], "TIME_TRAVEL_SEED=\(seed) repeats it")
    }
}

/// The world of ``TimeTravelTests``.
final class TimeTravel {
    private struct Person {
        let uuid: String
        let number: String
        let place: Place
    }

    /// What happens at a moment; the clock jumps from one to the next.
    private enum Happening {
        case orchestrator
        case reconciler
        /// Either of them, started early because somebody asked for it.
        case triggered(Job)
        case exchange(SimulatedExchange.Event.Action)
        case people(Int)
    }

    private let world: World
    private let exchange: SimulatedExchange
    private let random: Seeded
    private let dialer: Dialer
    private let reconciler: Reconciler
    private let webhook: VapiWebhook
    private let triggers: String
    private var people: [Person] = []
    private var agenda = Agenda()
    private var runs = 0
    private let lines = 20
    private let secret = "a-secret-of-the-simulated-exchange"

    init(seed: UInt64, leads: Int) throws {
        world = try World(in: World.memory)
        random = Seeded(seed: seed)
        let start = world.now.milliseconds
        let hour: Int64 = 3_600_000
        exchange = SimulatedExchange(
            seed: seed,
            limit: lines,
            outages: [
                start + 26 * hour..<start + 27 * hour, start + 100 * hour..<start + 101 * hour,
            ],
            badKey: start + 50 * hour..<start + 50 * hour + 600_000
        )
        triggers = world.folder + "/triggers"
        try FileManager.default.createDirectory(atPath: triggers, withIntermediateDirectories: true)
        let world = world
        let exchange = exchange
        let account = try Vapi.Account(
            environment: Environment([
                "VAPI_BASE_URL": "http://127.0.0.1:1", "VAPI_API_KEY": "key",
                "VAPI_ASSISTANT_ID": "4a170597-a0c2-4657-8c32-cb93f080cead",
                "VAPI_PHONE_NUMBER_ID": "c6ea6cb0-0dfb-4a65-918f-6a33abb54b64",
                "PUBLIC_URL": "http://127.0.0.1:1", "VAPI_WEBHOOK_SECRET": secret,
            ])
        )
        let http = HTTP { call throws(HTTP.Failure) in
            if let departure = call.departure {
                var hasLeft = false
                departure { hasLeft = true }
                guard hasLeft else { throw .calledOff }
            }
            let path = String(call.address.dropFirst("http://127.0.0.1:1".count))
            switch exchange.answer(call.method, path, call.body, now: world.now.milliseconds) {
            case .unreachable: throw .unreachable
            case .broken: throw .broken
            case .answer(let status, let body, let retryAfter):
                return HTTP.Answer(status: status, body: body, retryAfter: retryAfter)
            }
        }
        let clock = Clock { world.now }
        let vapi = Vapi(account: account, http: http)
        let locks = try AttemptLocks(path: world.database.companion("attempts"))
        let journey = Journey(
            gate: ContactGate(
                rules: ContactRules(window: try CallingWindow(setting: "auto"), lines: lines)
            ),
            retryPolicy: RetryPolicy(),
            channels: Journey.Channels(whatsApp: true, email: true),
            zone: try unwrap(Zone(identifier: "Asia/Kolkata"))
        )
        dialer = Dialer(
            database: world.database,
            vapi: vapi,
            journey: journey,
            locks: locks,
            clock: clock
        )
        reconciler = Reconciler(
            database: world.database,
            vapi: vapi,
            journey: journey,
            locks: locks,
            clock: clock
        )
        webhook = VapiWebhook(
            webhooks: VapiWebhooks(database: world.database, journey: journey),
            signature: WebhookSignature(secret: Secret(secret)),
            triggers: Triggers(folder: triggers),
            clock: clock,
            log: Log(program: "webhook-vapi", level: .error, clock: clock)
        )
        try populate(leads)
    }

    var summary: String {
        let findings = exchange.findings
        return
            "\(people.count) leads, \(findings.accepted) calls (at most \(findings.most) at once), "
            + "\(findings.refused) refused, \(findings.lostAnswers) answers lost, "
            + "\(findings.lostMessages) messages lost and \(findings.lateMessages) late, "
            + "\(runs) runs of the timers"
    }

    // MARK: Who is called

    /// Leads of several countries: most in bulk schedules, some called because they are new.
    private func populate(_ count: Int) throws {
        let prefixes: [(Place, String)] = [
            (.india, "+9198"), (.britain, "+4477"), (.newYork, "+1212"), (.america, "+1415"),
            (.unasked, "+1917"),
        ]
        let now = world.now
        for first in stride(from: 0, to: count, by: 500) {
            try world.database.write { connection in
                for index in first..<min(first + 500, count) {
                    let kind = random.next(below: 100)
                    let (place, prefix) =
                        kind < 80
                        ? prefixes[0]
                        : kind < 92 ? prefixes[1] : prefixes[kind < 99 ? 2 + kind % 2 : 4]
                    let digits = String(10_000_000 + index * 7 + random.next(below: 7))
                    let number = try unwrap(
                        PhoneNumber(
                            e164: prefix + (place.region == "US" ? digits.suffix(7) : digits[...])
                        )
                    )
                    var fields = LeadFields(
                        name: "Asha Rao",
                        number: number,
                        numberRaw: number.e164
                    )
                    fields.zone = place.zone.flatMap(Zone.init(identifier:))
                    fields.consentAt = place.hasConsent ? now : nil
                    fields.email = index % 2 == 0 ? "lead\(index)@example.com" : nil
                    let added = try LeadStore(callsNewLeads: index % 10 == 0)
                        .insert(fields, from: .list, now: now, in: connection)
                    guard let added else { continue }
                    try connection.execute(
                        "UPDATE leads SET region = \(place.region) WHERE id = \(added.id)"
                    )
                    people.append(Person(uuid: added.uuid, number: number.e164, place: place))
                }
            }
        }
        let schedules = BulkSchedules(
            database: world.database,
            clock: Clock { [world] in world.now }
        )
        for first in stride(from: 0, to: people.count, by: BulkSchedules.leadLimit) {
            let some = people[first..<min(first + BulkSchedules.leadLimit, people.count)]
            let plan = BulkSchedules.Plan(
                leadUUIDs: some.map(\.uuid),
                start: now + .minutes(10) + .hours(24 * (first / BulkSchedules.leadLimit)),
                parallelCalls: 20,
                batchInterval: .seconds(90)
            )
            _ = try schedules.create(plan, by: "test")
        }
    }

    // MARK: Three weeks

    /// Lives through the weeks and returns what was wrong.
    func run(weeks: Int) throws -> [String] {
        let end = world.now + .days(7 * weeks)
        agenda.add(.orchestrator, at: world.now)
        agenda.add(.reconciler, at: world.now)
        for index in 0..<max(60, people.count / 25) {
            let moment = Int64(random.next(below: 15 * 86_400_000))
            agenda.add(.people(index), at: world.now + .milliseconds(moment))
        }
        while let (moment, happening) = agenda.next(), moment < end {
            if moment > world.now { world.move(to: moment) }
            try live(through: happening)
            for event in exchange.takeEvents() {
                agenda.add(.exchange(event.action), at: Instant(milliseconds: event.at))
            }
            for job in Job.allCases where takeTrigger(job) {
                agenda.add(.triggered(job), at: world.now + .seconds(1))
            }
        }
        return try judge()
    }

    private func live(through happening: Happening) throws {
        switch happening {
        case .orchestrator:
            try orchestrate()
            agenda.add(.orchestrator, at: try nextRun())
        case .reconciler:
            agenda.add(.reconciler, at: world.now + Job.callReconciler.usualPeriod)
            try reconcile()
        case .triggered(.callOrchestrator): try orchestrate()
        case .triggered(.callReconciler): try reconcile()
        case .exchange(.advance(let call)): exchange.advance(call, now: world.now.milliseconds)
        case .exchange(.deliver(let body)): try deliver(body)
        case .people(let index): try act(index)
        }
    }

    /// As the timer's program does.
    private func orchestrate() throws {
        runs += 1
        try Orchestrator(dialer: dialer).run()
        let now = world.now
        if try world.database.read({ try Reconciler.isNeeded(at: now, in: $0) }) {
            Triggers(folder: triggers).fire(.callReconciler)
        }
    }

    /// When the orchestrator's timer starts it next: every 30 s.
    ///
    /// Runs that would find nothing to do are left out, or the nights would take longer than the days.
    private func nextRun() throws -> Instant {
        let period = Job.callOrchestrator.usualPeriod
        let idle: Instant? = try world.database.read { connection in
            let isBusy: Int? = try connection.value(
                """
                SELECT 1 FROM calls WHERE \(sql: CallState.liveCondition)
                UNION ALL SELECT 1 FROM calls WHERE state = 'ended' AND outcome IS NULL LIMIT 1
                """
            )
            guard isBusy == nil else { return nil }
            let due: Instant? = try connection.value(
                "SELECT min(due_at) FROM dial_requests WHERE state = 'waiting'"
            )
            return min(due ?? .init(milliseconds: .max), world.now + .minutes(10))
        }
        return max(world.now + period, idle ?? world.now)
    }

    private func reconcile() throws {
        runs += 1
        let counts = try reconciler.run()
        if counts.repaired + counts.notPlaced > 0 {
            Triggers(folder: triggers).fire(.callOrchestrator)
        }
    }

    private func takeTrigger(_ job: Job) -> Bool {
        unlink("\(triggers)/\(job.rawValue)") == 0
    }

    private func deliver(_ body: [UInt8]) throws {
        let response = try webhook.router.respond(
            to: Request(
                method: "POST",
                path: "/webhook/vapi",
                headers: ["content-type": "application/json", "x-vapi-secret": secret],
                body: Request.Body(body)
            )
        )
        guard response.status == 200 else { throw Missing() }
    }

    /// What people do: leads opt out, the team calls by hand, deletes, and resumes what was paused.
    private func act(_ index: Int) throws {
        let person = people[random.next(below: people.count)]
        let now = world.now
        switch index % 4 {
        case 0:
            let number = try unwrap(PhoneNumber(e164: person.number))
            try world.database.write {
                try Suppressions.optOut(number, channel: .whatsapp, words: "STOP", now: now, in: $0)
            }
        case 1: _ = try OperatorCalls(dialer: dialer).call(leadUUID: person.uuid)
        case 2 where index % 40 == 2:
            try world.database.write { connection in
                guard let lead = try Contact.find(uuid: person.uuid, in: connection),
                    !lead.isDeleted
                else { return }
                try LeadStore(callsNewLeads: false).delete(person.uuid, now: now, in: connection)
            }
        default: try world.database.write { try Pause.end(by: "test", now: now, in: $0) }
        }
    }

    // MARK: What must have held

    private func judge() throws -> [String] {
        var faults = exchange.findings.faults
        if exchange.live > 0 { faults.append("\(exchange.live) calls never ended") }
        try world.database.read { connection in
            try judgeEnds(connection, &faults)
            try judgeHistories(connection, &faults)
            try judgeCalls(connection, &faults)
        }
        return Array(faults.prefix(20))
    }

    /// Every lead is in a final state, and nothing is promised to it any more; one that must not be
    /// called stays new.
    private func judgeEnds(_ connection: Connection, _ faults: inout [String]) throws {
        let open = try connection.rows(
            """
            SELECT id, call_status, journey_state, (SELECT group_concat(kind || ' ' || state || ' ' ||
            due_at) FROM dial_requests WHERE lead_id = leads.id AND state IN ('waiting', 'claimed'))
            AS promised FROM leads WHERE deleted_at IS NULL AND (journey_state IN
            ('calling', 'waiting') OR journey_state = 'new' AND NOT EXISTS (SELECT 1 FROM
            journey_steps WHERE lead_id = leads.id AND decision = 'not_called') OR call_status IN ('initiated', 'answered')
            OR promised IS NOT NULL)
            """
        )
        for row in open {
            faults.append(
                "lead \(try row.required("id", as: Int.self)) has not come to an end: "
                    + "\(try row.required("call_status", as: String.self)), "
                    + "\(try row.required("journey_state", as: String.self)), "
                    + (row["promised"] ?? "nothing promised")
            )
        }
        let unknown: Int =
            try connection.value(
                "SELECT count(*) FROM calls WHERE state NOT IN ('ended', 'refused', 'not_placed')"
            ) ?? 0
        if unknown > 0 { faults.append("\(unknown) calls are still live in the books") }
    }

    /// Every lead has a history of sentences, and every call a decision in it.
    private func judgeHistories(_ connection: Connection, _ faults: inout [String]) throws {
        let silent: Int =
            try connection.value(
                """
                SELECT count(*) FROM leads WHERE NOT EXISTS
                (SELECT 1 FROM journey_steps WHERE lead_id = leads.id)
                """
            ) ?? 0
        if silent > 0 { faults.append("\(silent) leads have no history") }
        let undecided: Int =
            try connection.value(
                """
                SELECT count(*) FROM calls WHERE (SELECT count(*) FROM journey_steps
                WHERE call_id = calls.id AND decision = 'dial') <> 1
                """
            ) ?? 0
        if undecided > 0 { faults.append("\(undecided) calls have no decision") }
        let reasons = try connection.rows("SELECT DISTINCT reason FROM journey_steps")
        for row in reasons {
            let reason: String = try row.required("reason")
            // VAPI_API_KEY is a name that a person is to look for; opted_out is a machine's word.
            let hasMachineWord = reason.split(separator: " ").contains {
                $0.contains("_") && $0.contains(where: \.isLowercase)
            }
            let isSentence =
                reason.first?.isUppercase == true && reason.last == "." && !hasMachineWord
                && !reason.contains("Optional") && !reason.contains("  ")
            if !isSentence { faults.append("no sentence: \(reason)") }
        }
        let longest: Int =
            try connection.value(
                "SELECT max(n) FROM (SELECT count(*) AS n FROM journey_steps GROUP BY lead_id)"
            ) ?? 0
        if longest > 80 { faults.append("a history of \(longest) steps is nobody's to read") }
    }

    /// No dial out of hours, after an opt-out, too often or too soon.
    private func judgeCalls(_ connection: Connection, _ faults: inout [String]) throws {
        var dials: [String: [(at: Instant, isAskedFor: Bool)]] = [:]
        let places = Dictionary(uniqueKeysWithValues: people.map { ($0.uuid, $0.place) })
        let rows = try connection.rows(
            """
            SELECT lead_uuid, calls.number AS number, kind, calls.created_at AS at,
            counted = 1 AND state NOT IN ('refused', 'not_placed') AS counts,
            min(ifnull(opted_out_at, 1 << 62), ifnull(deleted_at, 1 << 62)) AS closed_at,
            ifnull(declined_at, 1 << 62) AS declined_at
            FROM calls JOIN leads ON leads.id = calls.lead_id ORDER BY calls.created_at
            """
        )
        for row in rows {
            let at: Instant = try row.required("at")
            let number: String = try row.required("number")
            let kind: DialKind = try row.required("kind")
            let place = try unwrap(places[try row.required("lead_uuid")])
            if !Openings.of(place, isPromised: kind == .callback).isOpen(at: at) {
                faults.append("\(kind) dialed out of hours in \(place) at \(at)")
            }
            if place.needsConsent, !place.hasConsent { faults.append("dialed without consent") }
            let closedAt: Instant = try row.required("closed_at")
            if at > closedAt { faults.append("dialed after an opt-out or a deletion, at \(at)") }
            // A call's end is earlier than the report which tells that the person declined.
            let declinedAt: Instant = try row.required("declined_at")
            if at > declinedAt + .minutes(30) { faults.append("dialed who declined, at \(at)") }
            guard try row.required("counts", as: Bool.self) else { continue }
            let isAskedFor = kind == .callback || kind == .operator
            let earlier = dials[number, default: []]
            if earlier.filter({ $0.at > at - .days(1) }).count >= 3 {
                faults.append("a fourth dial within a day at \(at)")
            }
            if earlier.filter({ $0.at > at - .days(30) }).count >= 6 {
                faults.append("a seventh dial within thirty days at \(at)")
            }
            if !isAskedFor, let last = earlier.last, at - last.at < .minutes(45) {
                faults.append("dialed again too soon at \(at)")
            }
            dials[number, default: []].append((at, isAskedFor))
        }
    }

    // MARK: The agenda

    /// What is to happen, the earliest first: a binary heap.
    private struct Agenda {
        private var entries: [(at: Instant, order: Int, happening: Happening)] = []
        private var count = 0

        mutating func add(_ happening: Happening, at moment: Instant) {
            entries.append((moment, count, happening))
            count += 1
            var child = entries.count - 1
            while child > 0, isEarlier(child, (child - 1) / 2) {
                entries.swapAt(child, (child - 1) / 2)
                child = (child - 1) / 2
            }
        }

        mutating func next() -> (Instant, Happening)? {
            guard let first = entries.first else { return nil }
            entries[0] = entries[entries.count - 1]
            entries.removeLast()
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2]
                where child < entries.count && isEarlier(child, least) {
                    least = child
                }
                if least == parent { return (first.at, first.happening) }
                entries.swapAt(least, parent)
                parent = least
            }
        }

        private func isEarlier(_ left: Int, _ right: Int) -> Bool {
            (entries[left].at, entries[left].order) < (entries[right].at, entries[right].order)
        }
    }
}
