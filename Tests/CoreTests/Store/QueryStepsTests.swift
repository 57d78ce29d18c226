import Testing

@testable import Core
@testable import World

/// The work of what functions and timers do, lists of leads aside (`LeadStepsTests`), counted in
/// steps of SQLite's virtual machine: the same over 300 leads as over 3,000 (`STEPS_LEADS=1000000`:
/// as over a million), everybody with a call in the past and every tenth with a retry to come.
@Suite struct QueryStepsTests {
    /// What is done, and how many steps it may take.
    struct Work: Sendable {
        let name: String
        let limit: Int
        let run: @Sendable (Worker) throws -> Void
    }

    /// One after the other, in one world.
    static let all = [
        Work(name: "health", limit: 60) { worker in
            _ = try worker.read { try Pause.current(in: $0, now: worker.world.now) }
        },
        Work(name: "jobs", limit: 200) { worker in
            let jobs = JobRuns(database: worker.world.database, clock: worker.clock) { _ in }
            _ = try jobs.statuses(periods: Job.Periods())
        },
        Work(name: "summary", limit: 3_000) { worker in
            _ = try worker.read { connection in
                _ = try DialRequests.countDue(at: worker.world.now, in: connection)
                _ = try Figures.changeCount(in: connection)
                _ = try Figures(at: worker.world.now, in: connection)
            }
        },
        Work(name: "list of schedules", limit: 100) { _ = try $0.schedules.list() },
        Work(name: "schedule ten, and cancel", limit: 10_000) { worker in
            let plan = BulkSchedules.Plan(
                leadUUIDs: (70..<80).map { "lead-\($0)" },
                start: worker.world.now + .hours(1),
                parallelCalls: 5,
                batchInterval: .minutes(5)
            )
            let id = try worker.schedules.create(plan, by: "test")
            _ = try worker.schedules.cancel(id, by: "test")
        },
        Work(name: "callback", limit: 1_500) { worker in
            _ = try Callbacks(
                database: worker.world.database,
                journey: worker.world.journey(),
                clock: worker.clock
            ).promise("lead-77", at: worker.world.now + .hours(2))
        },
        Work(name: "call by hand", limit: 6_000) { worker in
            let result = try OperatorCalls(dialer: worker.world.dialer()).call(leadUUID: "lead-76")
            guard case .dialed(.placed) = result else { throw Missing() }
        },
        Work(name: "status of a call", limit: 1_500) { worker in
            try worker.receive(#"{"type": "status-update", "status": "in-progress", "#)
        },
        Work(name: "report of a call", limit: 6_000) { worker in
            try worker.receive(
                #"{"type": "end-of-call-report", "endedReason": "customer-did-not-answer", "#
            )
        },
        Work(name: "event of an unknown call", limit: 500) { worker in
            try worker.receive(#"{"type": "hang", "#, of: "unknown")
            try worker.receive(#"{"type": "status-update", "status": "ringing", "#, of: "unknown")
        },
        Work(name: "message by WhatsApp", limit: 2_000) { worker in
            let body: JSON = try JSON(
                parsing: #"""
                    {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [
                    {"field": "messages", "value": {"messaging_product": "whatsapp",
                    "messages": [{"from": "919800000078", "id": "wamid.1", "timestamp": "1795332500",
                    "type": "text", "text": {"body": "STOP"}}]}}]}]}
                    """#
            )
            let update = try unwrap(WhatsAppUpdate(body))
            let webhooks = WhatsAppWebhooks(
                database: worker.world.database,
                journey: try worker.world.journey()
            )
            let receipt = try webhooks.receive(update, now: worker.world.now)
            guard receipt.messages == 1 else { throw Missing() }
        },
        Work(name: "orchestrator, nothing due", limit: 400) { worker in
            guard try Orchestrator(dialer: worker.world.dialer()).run() == .init() else {
                throw Missing()
            }
        },
        Work(name: "orchestrator, one due", limit: 8_000) { worker in
            try worker.world.promise("lead-55", .retry)
            guard try Orchestrator(dialer: worker.world.dialer()).run().placed == 1 else {
                throw Missing()
            }
        },
        Work(name: "orchestrator, one not allowed", limit: 3_000) { worker in
            try worker.world.promise("lead-56", .new)
            try worker.world.database.write {
                try $0.execute("UPDATE leads SET declined_at = 1 WHERE lead_uuid = 'lead-56'")
            }
            guard try Orchestrator(dialer: worker.world.dialer()).run().dropped == 1 else {
                throw Missing()
            }
        },
        Work(name: "reconciler, nothing quiet", limit: 500) { worker in
            guard try worker.reconciler.run() == .init() else { throw Missing() }
            _ = try worker.read { try Reconciler.isNeeded(at: worker.world.now, in: $0) }
        },
        Work(name: "reconciler, one attempt without an answer", limit: 6_000) { worker in
            try worker.world.promise("lead-58", .operator)
            guard case .attempt = try worker.world.dialer().reserveNext() else { throw Missing() }
            worker.world.move(by: .minutes(4))
            _ = try worker.reconciler.run()
        },
    ]

    @Test func `no work grows with the number of leads`() throws {
        let many = Setting.integer("STEPS_LEADS") ?? 3_000
        let (small, large) = (try Worker(leads: 300), try Worker(leads: many))
        for work in QueryStepsTests.all {
            let steps = (try small.steps(of: work), try large.steps(of: work))
            #expect(steps.1 <= work.limit, "\(work.name): \(steps)")
            #expect(abs(steps.1 - steps.0) <= steps.0 / 20, "\(work.name): \(steps)")
            if Setting.integer("STEPS_LEADS", as: Int.self) != nil { print(work.name, steps) }
        }
    }
}

/// A world with a past, in which work is done and counted.
struct Worker {
    let world: World
    private let liveCallID: String

    /// Everybody was called once and not reached; of `lead-1` a call is under way.
    init(leads: Int) throws {
        let world = try World()
        self.world = world
        try world.database.write { connection in
            try connection.executeScript(
                """
                INSERT INTO leads (lead_uuid, name, number, region, email, partner, call_status,
                    next_retry_time, last_call_time, journey_state, created_at, last_updated_at)
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(leads))
                SELECT 'lead-' || i, 'Lead ' || i, '+9198' || printf('%08d', i), 'IN',
                    'lead' || i || '@example.in', 'Partner ' || (i % 40), 'missed',
                    CASE WHEN i % 10 = 0 THEN \((world.now + .days(7)).milliseconds) END,
                    \((world.now - .days(2)).milliseconds), 'waiting', i, i FROM n;
                INSERT INTO dial_requests (id, lead_id, kind, rank, due_at, promised_at, state,
                    created_at, settled_at)
                    SELECT id, id, 'schedule', 4, 0, 0, 'done', 0, 0 FROM leads;
                INSERT INTO calls (attempt_id, lead_id, request_id, kind, number, state,
                    previous_status, vapi_call_id, created_at, heard_at, ended_at, outcome)
                    SELECT 'attempt-' || id, id, id, 'schedule', number, 'ended', 'pending',
                    'past-' || id, last_call_time, last_call_time, last_call_time, 'missed'
                    FROM leads;
                INSERT INTO journey_steps (lead_id, call_id, at, node, decision, reason)
                    SELECT id, id, last_call_time, 'initiate_call', 'dial', '' FROM leads;
                INSERT INTO webhook_events (provider, event_key, received_at, body, state)
                    SELECT 'vapi', 'end-of-call-report:past-' || id, 0, '{}', 'processed'
                    FROM leads;
                INSERT INTO messages (message_uuid, lead_id, channel, direction, content, status, at)
                    SELECT 'message-' || id, id, 'whatsapp', 'inbound', 'Hello', 'received', 0
                    FROM leads;
                INSERT INTO suppressions (kind, value, reason, channel, at)
                    SELECT 'number', '+9197' || substr(number, 6), 'opted_out', 'call', 0
                    FROM leads;
                INSERT INTO job_runs (job, started_at, ended_at, outcome)
                    SELECT 'call-orchestrator', id, id, 'ok' FROM leads;
                INSERT INTO dial_requests (lead_id, kind, rank, due_at, promised_at, created_at)
                    SELECT id, 'retry', 3, next_retry_time, next_retry_time, 0 FROM leads
                    WHERE next_retry_time IS NOT NULL;
                """
            )
        }
        try world.promise("lead-1", .operator)
        guard try Orchestrator(dialer: world.dialer()).run().placed == 1 else { throw Missing() }
        liveCallID = try unwrap(
            world.value("SELECT vapi_call_id FROM calls WHERE state = 'queued'")
        )
    }

    var clock: Clock { Clock { [world] in world.now } }
    var schedules: BulkSchedules { BulkSchedules(database: world.database, clock: clock) }
    var reconciler: Reconciler {
        get throws {
            Reconciler(
                database: world.database,
                vapi: world.vapi,
                journey: try world.journey(),
                locks: try AttemptLocks(path: world.database.companion("attempts")),
                clock: clock
            )
        }
    }

    func read<T>(_ body: (Connection) throws -> T) throws -> T { try world.database.read(body) }

    /// Takes in an event of a call, that of `lead-1` unless another is named.
    func receive(_ beginning: String, of callID: String? = nil) throws {
        let text = "{\"message\": \(beginning)\"call\": {\"id\": \"\(callID ?? liveCallID)\"}}}"
        let message = try unwrap(VapiMessage(try JSON(parsing: text)))
        let webhooks = VapiWebhooks(database: world.database, journey: try world.journey())
        let receipt = try webhooks.receive(message, body: Array(text.utf8), now: world.now)
        guard !receipt.failed else { throw Missing() }
    }

    /// Does a work and counts its steps.
    func steps(of work: QueryStepsTests.Work) throws -> Int {
        _ = try count()
        try work.run(self)
        return try count()
    }

    /// The steps since the last time, of the connection that writes and the one that reads.
    private func count() throws -> Int {
        try world.database.write { $0.takeStepCount() } + world.database.read { $0.takeStepCount() }
    }
}
