import Foundation
import Testing

@testable import Core
@testable import World
@testable import analytics
@testable import bulk_upload
@testable import call
@testable import health
@testable import leads
@testable import schedule
@testable import webhook_vapi
@testable import webhook_whatsapp

/// `nginx/openapi.json` describes the routes that the functions have, each with its parameters.
///
/// That answers are as described is shown end to end (Tests/EndToEnd/test_openapi.py).
@Suite struct OpenAPITests {
    let world: World
    /// Every function's routes, with the parameters that stand in their paths.
    let routes: [Router.Route]
    let description: JSON

    init() throws {
        let world = try World()
        self.world = world
        routes = try OpenAPITests.routes(in: world)
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../nginx/openapi.json")
        description = try JSON(parsing: Array(try Data(contentsOf: file)))
    }

    /// A route as `GET /api/leads/{uuid}`.
    private func address(_ route: Router.Route) -> String {
        let parts = route.pattern.map { $0.hasPrefix(":") ? "{\($0.dropFirst())}" : $0 }
        return "\(route.method) \(parts.joined(separator: "/"))"
    }

    private func operations() throws -> [(address: String, operation: JSON)] {
        try unwrap(description["paths"]?.object).members.flatMap { path in
            try unwrap(path.value.object).members.map {
                ("\($0.key.uppercased()) \(path.key)", $0.value)
            }
        }
    }

    @Test func `every route is described, and nothing else is`() throws {
        // Figures for Prometheus are read on the function's socket: nginx does not pass them on.
        let served = routes.map(address).filter { $0 != "GET /metrics" }
        #expect(Set(served).count == served.count)
        #expect(try operations().map(\.address).sorted() == served.sorted())
    }

    @Test func `the parts of a path are parameters that must be there`() throws {
        for (address, operation) in try operations() {
            let expected = address.matches(of: /\{(\w+)\}/).map { String($0.output.1) }
            let parameters = operation["parameters"]?.array ?? []
            let described = parameters.filter { $0["in"] == "path" && $0["required"] == true }
            #expect(described.map { $0["name"]?.string } == expected, "\(address)")
        }
    }

    @Test func `a list and its file have the parameters that they are described with`() throws {
        for (address, operation) in try operations() where address.hasPrefix("GET /api/leads") {
            let parameters = (operation["parameters"]?.array ?? []).filter { $0["in"] == "query" }
            let names = parameters.compactMap { $0["name"]?.string }
            let isList = address == "GET /api/leads" || address == "GET /api/leads/export.csv"
            let expected = isList ? LeadQuery.parameters + ["fields", "refresh"] : []
            #expect(names.sorted() == expected.sorted(), "\(address)")
        }
    }

    @Test func `words that are described are those of the code`() throws {
        func words(_ pointer: String...) -> [String]? {
            var value: JSON? = description["components"]?["schemas"]
            for key in pointer { value = value?[key] }
            return value?["enum"]?.array?.compactMap(\.string)
        }
        let lead = ("Lead", "properties")
        #expect(words(lead.0, lead.1, "call_status") == LeadStatus.allCases.map(\.rawValue))
        #expect(
            words(lead.0, lead.1, "success_status") == Qualification.Status.allCases.map(\.rawValue)
        )
        #expect(words(lead.0, lead.1, "journey_state") == JourneyState.allCases.map(\.rawValue))
        #expect(
            words("NotNow", "properties", "code") == ContactGate.Reason.allCases.map(\.rawValue)
        )
        #expect(
            words("UploadResult", "properties", "columns", "propertyNames")
                == LeadImport.Column.allCases.map(\.rawValue)
        )
        #expect(
            words("RetryConfig", "properties", "retry_units")
                == RetryPolicy.Unit.allCases.map(\.rawValue)
        )
    }

    @Test func `every word for a file that cannot be read is described`() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Core/Leads")
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        var words: Set<String> = []
        for case let file as URL in files ?? .init() where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            let found = text.matches(of: /case .+: "((?:csv|import|workbook)_[a-z_]+)"/)
            words.formUnion(found.map { String($0.output.1) })
        }
        let schema = description["components"]?["schemas"]?["UploadError"]
        let described = schema?["properties"]?["code"]?["enum"]?.array?.compactMap(\.string)
        #expect(words.count > 10 && words == Set(described ?? []))
    }

    @Test func `changes by people need our own page, and webhooks their sender's proof`() throws {
        let machines = routes.filter { $0.audience == .machine && $0.method == "POST" }
        let proven = try operations().filter { $0.operation["security"]?.array?.isEmpty == false }
        #expect(machines.map(address).sorted() == proven.map(\.address).sorted())
        for (address, operation) in try operations() where !address.hasPrefix("GET") {
            let isMachine = machines.contains { self.address($0) == address }
            let statuses = operation["responses"]?.object?.keys ?? []
            #expect(statuses.contains("403") != isMachine, "\(address)")
            #expect(statuses.contains("401") == isMachine, "\(address)")
        }
    }

    private static func routes(in world: World) throws -> [Router.Route] {
        let clock = Clock { world.now }
        let zone = try unwrap(Zone(identifier: "Asia/Kolkata"))
        let journey = try world.journey()
        let triggers = Triggers(folder: world.folder)
        let leads = Leads(
            database: world.database,
            store: LeadStore(callsNewLeads: false),
            reader: LeadReader(zone: zone, retryPolicy: RetryPolicy()),
            defaultRegion: "IN",
            zone: zone,
            clock: clock
        )
        let upload = BulkUpload(
            database: world.database,
            store: LeadStore(callsNewLeads: false),
            defaultRegion: "IN",
            zone: zone,
            clock: clock
        )
        let calls = Calls(
            calls: OperatorCalls(dialer: try world.dialer()),
            zone: zone,
            triggers: triggers
        )
        let planning = Planning(
            database: world.database,
            clock: clock,
            zone: zone,
            retryPolicy: RetryPolicy(),
            guardRails: GuardRails(),
            triggers: triggers
        )
        let schedules = Schedules(
            schedules: BulkSchedules(database: world.database, clock: clock),
            callbacks: Callbacks(database: world.database, journey: journey, clock: clock),
            journey: journey,
            clock: clock,
            zone: zone,
            triggers: triggers
        )
        let analytics = Analytics(
            database: world.database,
            clock: clock,
            zone: zone,
            lines: 5,
            isSimulated: true,
            canCall: true,
            channels: .init(whatsApp: false, email: false)
        )
        let health = Health(
            database: world.database,
            clock: clock,
            zone: zone,
            lines: 5,
            jobs: JobRuns(database: world.database, clock: clock, report: { _ in }),
            periods: Job.Periods(),
            triggers: triggers,
            release: { nil }
        )
        let vapi = VapiWebhook(
            webhooks: VapiWebhooks(database: world.database, journey: journey),
            signature: nil,
            triggers: triggers,
            clock: clock,
            log: Log(program: "test", clock: clock)
        )
        let whatsApp = WhatsAppWebhook(
            webhooks: WhatsAppWebhooks(database: world.database, journey: journey),
            appSecret: nil,
            verifyToken: nil,
            triggers: triggers,
            clock: clock
        )
        return [
            leads.router.routes, upload.router.routes, calls.router.routes, planning.routes,
            schedules.routes, analytics.router.routes, health.router.routes, vapi.router.routes,
            whatsApp.router.routes,
        ].flatMap(\.self)
    }
}
