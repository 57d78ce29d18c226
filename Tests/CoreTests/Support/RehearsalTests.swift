import Foundation
import Testing

@testable import Core

@Suite struct RehearsalTests {
    private let database: Database
    private let now = Instant(milliseconds: 1_795_000_000_000)

    init() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true
        )
        let path = "\(folder)/presales.db"
        try Migrations.apply(toDatabaseAt: path)
        database = Database(path: path)
    }

    private func addLead(deleted: Bool = false) throws {
        try database.write { connection in
            try connection.execute(
                """
                INSERT INTO leads (lead_uuid, name, number, region, created_at, last_updated_at,
                deleted_at) VALUES ('a', 'Asha', '+919876543210', 'IN', \(now), \(now),
                \(deleted ? now : nil))
                """
            )
        }
    }

    @Test(arguments: [
        ("http://127.0.0.1:8081", true),
        ("http://localhost:8081/x", true),
        ("http://[::1]:8081", true),
        ("https://api.vapi.ai", false),
        ("http://127.0.0.1@evil.example", false),
        ("http://127.0.0.1.evil.example", false),
        ("http://[::10]:80", false),
    ])
    func `a rehearsal dials only on this machine`(address: String, isAllowed: Bool) throws {
        try Rehearsal.check(database, dialsAt: address)  // not marked: anywhere
        try Rehearsal.mark(database, now: now)
        if isAllowed {
            try Rehearsal.check(database, dialsAt: address)
        } else {
            let error = #expect(throws: Environment.Invalid.self) {
                try Rehearsal.check(database, dialsAt: address)
            }
            #expect(error?.description.contains("VAPI_BASE_URL") == true)
        }
    }

    @Test(arguments: [false, true])
    func `a database that ever held a lead is never marked`(deleted: Bool) throws {
        try addLead(deleted: deleted)
        #expect(throws: Rehearsal.HasLeads.self) { try Rehearsal.mark(database, now: now) }
        #expect(try !database.read { try Rehearsal.isMarked(in: $0) })
    }

    @Test func `marking again changes nothing`() throws {
        try Rehearsal.mark(database, now: now)
        try addLead()
        try Rehearsal.mark(database, now: now)
        #expect(try database.read { try Rehearsal.isMarked(in: $0) })
    }

    @Test func `who cannot read the database must not dial`() throws {
        let missing = Database(path: "/nonexistent/presales.db")
        #expect(throws: Database.Unavailable.self) {
            try Rehearsal.check(missing, dialsAt: "https://api.vapi.ai")
        }
    }
}
