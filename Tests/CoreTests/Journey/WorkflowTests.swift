import Testing

@testable import Core
@testable import World

@Suite struct WorkflowTests {
    let workflow = Workflow.lead

    /// Every combination of facts.
    private var allFacts: [Workflow.Facts] {
        var all: [Workflow.Facts] = []
        for result in Workflow.Facts.Result.allCases {
            for flags in 0..<32 {
                for used in 0...4 {
                    all.append(
                        .init(
                            result: result,
                            isDeclined: flags & 1 != 0,
                            isOptedOut: flags & 2 != 0,
                            retriesUsed: used,
                            retriesAllowed: 3,
                            canWhatsApp: flags & 4 != 0,
                            isWrittenTo: flags & 16 != 0,
                            hasWhatsAppFailed: flags & 8 != 0
                        )
                    )
                }
            }
        }
        return all
    }

    private func walk(_ facts: Workflow.Facts) -> [Workflow.Node] {
        var path = [Workflow.Node.checkRetry]
        while let edge = workflow.next(from: path[path.count - 1], given: facts) {
            path.append(edge.to)
            if path.count > 20 { break }
        }
        return path
    }

    @Test func `every walk ends, whatever the facts`() {
        for facts in allFacts { #expect(walk(facts).last == .end, "\(facts)") }
    }

    @Test func `no way leads back to the dial`() {
        for edge in workflow.edges where edge.to == .initiateCall { #expect(edge.from == .start) }
        for facts in allFacts { #expect(!walk(facts).contains(.initiateCall)) }
    }

    @Test func `every node but the start can be reached and every node but the end can be left`() {
        for node in Workflow.Node.allCases {
            if node != .start { #expect(workflow.edges.contains { $0.to == node }) }
            #expect(workflow.edges.contains { $0.from == node } == (node != .end))
        }
    }

    @Test func `who opted out or declined gets nothing more`() {
        for facts in allFacts where facts.isOptedOut || facts.isDeclined {
            #expect(walk(facts) == [.checkRetry, .end])
        }
    }

    @Test(arguments: [
        (Workflow.Facts(result: .completed), [Workflow.Node.checkRetry, .end]),
        (.init(result: .handedOver), [.checkRetry, .end]),
        (.init(result: .notReached, retriesUsed: 0), [.checkRetry, .incrementRetry, .end]),
        (.init(result: .notReached, retriesUsed: 2), [.checkRetry, .incrementRetry, .end]),
        (
            .init(result: .notReached, retriesUsed: 3, canWhatsApp: true),
            [.checkRetry, .whatsAppFallback, .end]
        ),
        (
            .init(result: .notReached, retriesUsed: 3, canWhatsApp: true, isWrittenTo: true),
            [.checkRetry, .end]
        ),
        (
            .init(result: .notReached, retriesUsed: 3),
            [.checkRetry, .whatsAppFallback, .emailFallback, .end]
        ),
        (
            .init(
                result: .notReached,
                retriesUsed: 3,
                canWhatsApp: true,
                hasWhatsAppFailed: true
            ),
            [.checkRetry, .whatsAppFallback, .emailFallback, .end]
        ),
        (.init(result: .numberBad), [.checkRetry, .emailFallback, .end]),
        (.init(result: .cancelled), [.checkRetry, .end]),
        (.init(result: .ourFault), [.checkRetry, .end]),
        (.init(result: .needsPerson), [.checkRetry, .end]),
    ])
    func `the ways are those of the product's requirements`(
        facts: Workflow.Facts,
        path: [Workflow.Node]
    ) {
        #expect(walk(facts) == path)
    }

    @Test func `the drawing shows every edge`() {
        for edge in workflow.edges {
            #expect(
                workflow.mermaid.split(separator: "\n").contains {
                    $0.contains("    \(edge.from.rawValue) ")
                        && $0.hasSuffix("> \(edge.to.rawValue)")
                }
            )
        }
        #expect(workflow.json["edges"]?.array?.count == workflow.edges.count)
    }
}

@Suite struct RetryPolicyTests {
    @Test(arguments: [(0, 1), (1, 4), (2, 24)])
    func `retries come after one, four and twenty-four hours`(retries: Int, hours: Int) {
        #expect(RetryPolicy().delay(afterRetries: retries) == .hours(hours))
    }

    @Test func `after three retries there are no more`() {
        #expect(RetryPolicy().delay(afterRetries: 3) == nil)
    }

    @Test func `the last interval stands for later retries`() {
        let policy = RetryPolicy(maximum: 5, intervals: [2], unit: .seconds)
        #expect(policy.delay(afterRetries: 4) == .seconds(2))
    }

    @Test func `calls that failed together do not come back together, nor much later`() {
        for delay in [Duration.hours(1), .hours(4), .hours(24), .seconds(2)] {
            let waits = (0..<1000).map { RetryPolicy.jitter(of: delay, key: "lead \($0)") }
            let limit = min(delay.milliseconds / 60, 300_000)
            #expect(waits.allSatisfy { $0 >= .zero && $0 < .milliseconds(limit) })
            // Each tenth of the width gets its share.
            let tenths = waits.map { $0.milliseconds * 10 / limit }
            for tenth in 0..<10 {
                #expect((60...140).contains(tenths.filter { $0 == tenth }.count), "\(delay)")
            }
            #expect(RetryPolicy.jitter(of: delay, key: "lead 1") == waits[1])
        }
    }

    @Test(arguments: [
        ["RETRY_INTERVALS": "1,x"], ["RETRY_INTERVALS": "0"], ["RETRY_INTERVALS": ","],
        ["RETRY_UNITS": "days"], ["MAX_RETRY_COUNT": "-1"], ["MAX_RETRY_COUNT": "three"],
    ])
    func `a malformed policy names its variable`(variables: [String: String]) throws {
        let name = try unwrap(variables.keys.first)
        let error = #expect(throws: Environment.Invalid.self) {
            try RetryPolicy(environment: Environment(variables))
        }
        #expect(error?.description.contains(name) == true)
    }

    @Test func `what people set at run time is in force for every process`() throws {
        let world = try World()
        let changed = RetryPolicy(maximum: 2, intervals: [30], unit: .minutes)
        try world.database.write { try changed.save(by: "test", now: world.now, in: $0) }
        let current = try world.database.read { try RetryPolicy().current(in: $0) }
        #expect(current == changed)
        #expect(try world.value("SELECT action FROM audit_log") == "retry_policy")
    }
}
