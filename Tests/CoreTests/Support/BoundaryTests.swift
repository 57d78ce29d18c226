import Foundation
import Testing

/// The edges of the system: what a folder keeps to itself.
@Suite struct BoundaryTests {
    @Test(arguments: [
        ("CFastCGI", "Core/Web"), ("CCurl", "Core/Outside"), ("GRDB", "Core/Store"),
        ("CSQLite", "Core/Store"), ("CFileLock", "Core/Store"),
        ("CPhoneNumber", "Core/Leads"),
        ("CMinizip", "Core/Leads/Workbook"), ("CExpat", "Core/Leads/Workbook"),
    ])
    func `a C library, or the database's, is imported in one folder only`(
        library: String,
        home: String
    ) throws {
        let importers = try files().filter { $0.text.contains("import \(library)\n") }
        #expect(!importers.isEmpty)
        for file in importers {
            #expect(file.path.hasPrefix("\(home)/"), "\(file.path) imports \(library)")
        }
    }

    @Test func `every C library has its folder above`() throws {
        let libraries = try FileManager.default.contentsOfDirectory(
            atPath: root.appending(path: "Core/System").path
        )
        #expect(
            Set(libraries) == [
                "CFastCGI", "CCurl", "CSQLite", "CFileLock", "CPhoneNumber", "CMinizip", "CExpat",
            ]
        )
    }

    private let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private func files() throws -> [(path: String, text: String)] {
        try ["Core", "Functions"].flatMap { folder in
            try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: folder).path)
                .filter { $0.hasSuffix(".swift") }
                .map { path in
                    let file = root.appending(path: "\(folder)/\(path)")
                    return ("\(folder)/\(path)", try String(contentsOf: file, encoding: .utf8))
                }
        }
    }
}
