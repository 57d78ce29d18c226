import Foundation
import Testing

@testable import Core

@Suite struct JobRunsTests {
    private struct Broken: Error, Equatable {}

    /// A clock that a test moves, and the lines that were printed.
    private final class World: Sendable {
        let now = Lock(Instant(milliseconds: 1_795_000_000_000))
        let lines = Lock<[String]>([])
        var time: Instant { now.withLock { $0 } }
        func wait(_ duration: Duration) { now.withLock { $0 += duration } }
    }

    private let folder = FileManager.default.temporaryDirectory
        .appending(path: UUID().uuidString).path
    private let database: Database
    private let world = World()
    private let runs: JobRuns

    init() throws {
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true
        )
        let path = "\(folder)/presales.db"
        try Migrations.apply(toDatabaseAt: path)
        database = Database(path: path)
        runs = JobRuns(
            database: database,
            clock: Clock { [world] in world.time },
            report: { [world] line in world.lines.withLock { $0.append(line) } }
        )
    }

    private func status(
        _ job: Job,
        periods: Job.Periods = Job.Periods()
    ) throws -> JobRuns.Status {
        try #require(try runs.statuses(periods: periods).first { $0.job == job })
    }

    @Test func `a job that never ran is due now`() throws {
        let status = try status(.callOrchestrator)
        #expect(status.lastRun == nil)
        #expect(status.lastOutcome == nil)
        #expect(status.nextRun == world.time)
        #expect(!status.isRunning)
    }

    @Test func `a run is recorded with its counts and told in one line`() throws {
        let started = world.time
        try runs.run(.callOrchestrator) {
            world.wait(.milliseconds(250))
            return ["placed": 2, "held": 1]
        }
        let status = try status(.callOrchestrator)
        #expect(status.lastRun == started)
        #expect(status.lastOutcome == .ok)
        #expect(status.lastCounts == ["placed": 2, "held": 1])
        #expect(status.nextRun == started + .seconds(30))
        #expect(
            world.lines.withLock { $0 }
                == ["job=call-orchestrator outcome=ok ms=250 placed=2 held=1"]
        )
    }

    @Test func `a run that throws is recorded as failed and throws on`() throws {
        #expect(throws: Broken()) { try runs.run(.callReconciler) { throw Broken() } }
        #expect(try status(.callReconciler).lastOutcome == .failed)
        #expect(world.lines.withLock { $0 } == ["job=call-reconciler outcome=failed ms=0"])
        try runs.run(.callReconciler) { [:] }
        #expect(try status(.callReconciler).lastOutcome == .ok)
    }

    @Test func `two runs of one job never overlap and two jobs may`() throws {
        try runs.run(.callReconciler) { ["asked": 3] }
        world.wait(.minutes(10))
        try runs.run(.callReconciler) {
            try runs.run(.callReconciler) {
                Issue.record("a second run began")
                return [:]
            }
            try runs.run(.callOrchestrator) { [:] }
            let status = try status(.callReconciler)
            #expect(status.isRunning)
            #expect(status.lastRun == world.time)
            #expect(status.lastOutcome == .ok)
            #expect(status.lastCounts == ["asked": 3])
            return [:]
        }
        #expect(
            world.lines.withLock { $0 } == [
                "job=call-reconciler outcome=ok ms=0 asked=3",
                "job=call-reconciler skipped=already_running",
                "job=call-orchestrator outcome=ok ms=0",
                "job=call-reconciler outcome=ok ms=0",
            ]
        )
        #expect(try !status(.callReconciler).isRunning)
    }

    @Test func `a run that died counts as failed`() throws {
        try database.write { [world] in
            try $0.execute(
                "INSERT INTO job_runs (job, started_at) VALUES ('call-reconciler', \(world.time))"
            )
        }
        let dead = try status(.callReconciler)
        #expect(!dead.isRunning)
        #expect(dead.lastOutcome == .failed)
        try runs.run(.callReconciler) { [:] }
        let outcomes = try database.read {
            try $0.rows("SELECT outcome FROM job_runs ORDER BY id").map { $0["outcome"] ?? "none" }
        }
        #expect(outcomes == ["failed", "ok"])
    }

    @Test func `runs are forgotten after thirty days`() throws {
        for _ in 0..<3 { try runs.run(.callOrchestrator) { [:] } }
        world.wait(.days(30) + .milliseconds(1))
        try runs.run(.callReconciler) { [:] }
        try runs.run(.callOrchestrator) { [:] }
        let remembered: Int? = try database.read {
            try $0.value("SELECT count(*) FROM job_runs WHERE job = 'call-orchestrator'")
        }
        #expect(remembered == 1)
    }

    @Test func `a timer that is late is expected now`() throws {
        let periods = try Job.Periods(
            environment: Environment(["TIMER_PERIODS": "call-orchestrator=7"])
        )
        try runs.run(.callOrchestrator) { [:] }
        #expect(try status(.callOrchestrator, periods: periods).nextRun == world.time + .seconds(7))
        world.wait(.hours(1))
        #expect(try status(.callOrchestrator, periods: periods).nextRun == world.time)
    }

    @Test(arguments: [
        ("", 30, 600),
        ("call-orchestrator=1", 1, 600),
        (" call_reconciler = 5 , call-orchestrator=2", 2, 5),
        ("tea-maker=4,call-orchestrator=3", 3, 600),
    ])
    func `periods come from TIMER_PERIODS`(text: String, orchestrator: Int, reconciler: Int) throws
    {
        let periods = try Job.Periods(environment: Environment(["TIMER_PERIODS": text]))
        #expect(periods[.callOrchestrator] == .seconds(orchestrator))
        #expect(periods[.callReconciler] == .seconds(reconciler))
    }

    @Test(arguments: [
        "call-orchestrator", "=5", "call-orchestrator=0", "call-orchestrator=1h", "a=1=2",
    ])
    func `malformed periods are refused by name`(text: String) throws {
        let error = #expect(throws: Environment.Invalid.self) {
            try Job.Periods(environment: Environment(["TIMER_PERIODS": text]))
        }
        #expect(error?.description.contains("TIMER_PERIODS") == true)
    }

    @Test(arguments: ["call-orchestrator", "call_orchestrator"])
    func `a job is known by either spelling`(name: String) {
        #expect(Job(named: name) == .callOrchestrator)
        #expect(Job.callOrchestrator.publicName == "call_orchestrator")
        #expect(Job(named: "call orchestrator") == nil)
    }

    @Test func `a trigger touches the job's file and says when it cannot`() throws {
        #expect(Triggers(folder: folder).fire(.callOrchestrator))
        #expect(FileManager.default.fileExists(atPath: "\(folder)/call-orchestrator"))
        #expect(!Triggers(folder: nil).fire(.callOrchestrator))
        #expect(!Triggers(folder: "\(folder)/missing").fire(.callOrchestrator))
    }
}
