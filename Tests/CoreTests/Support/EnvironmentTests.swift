import Foundation
import Testing

@testable import Core

@Suite struct EnvironmentTests {
    @Test func `a variable comes before a credential's file, and nothing counts as not set`() throws
    {
        let scratch = try Scratch()
        try " from the file\n".write(toFile: scratch.file("A"), atomically: false, encoding: .utf8)
        try "\n".write(toFile: scratch.file("B"), atomically: false, encoding: .utf8)
        let folder = ["CREDENTIALS_DIRECTORY": scratch.path]
        #expect(Environment(folder.merging(["A": "set"]) { $1 })["A"] == "set")
        #expect(Environment(folder.merging(["A": ""]) { $1 })["A"] == "from the file")
        #expect(Environment(folder)["A"] == "from the file")
        #expect(Environment(folder)["B"] == nil)
        #expect(Environment(folder)["C"] == nil)
        #expect(Environment(["A": ""])["A"] == nil)
    }

    @Test func `what is missing or malformed is named in one sentence`() {
        let environment = Environment(["N": "ten", "BIG": "11", "F": "maybe", "A": "localhost:80"])
        func sentence(_ body: () throws -> Void) -> String? {
            do {
                try body()
                return nil
            } catch { return (error as? Environment.Invalid)?.description }
        }
        #expect(sentence { _ = try environment.required("X") } == "X is not set.")
        #expect(sentence { _ = try environment.requiredSecret("X") } == "X is not set.")
        for name in ["N", "BIG"] {
            #expect(
                sentence { _ = try environment.integer(name, default: 1, in: 1...10) }
                    == "\(name) must be a whole number from 1 to 10."
            )
        }
        #expect(
            sentence { _ = try environment.flag("F", default: true) } == "F must be true or false."
        )
        #expect(
            sentence { _ = try environment.address("A") }
                == "A must be an address that begins with https:// or http://."
        )
        #expect(
            sentence {
                _ = try Database(environment: Environment(["DATABASE_URL": "postgres://x"]))
            }
                == "DATABASE_URL must be sqlite: followed by a file's path."
        )
    }

    @Test func `what is well-formed is read, and what is not set has its default`() throws {
        let environment = Environment(["N": "7", "F": "NO", "A": "https://x.test/api//"])
        #expect(try environment.integer("N", default: 1, in: 1...10) == 7)
        #expect(try environment.integer("X", default: 1, in: 1...10) == 1)
        #expect(try environment.flag("F", default: true) == false)
        #expect(try environment.flag("X", default: true) == true)
        #expect(try environment.address("A") == "https://x.test/api")
        #expect(try environment.address("X", default: "http://y.test") == "http://y.test")
    }

    @Test func `a secret shows itself to nobody`() {
        let secret = Secret("hunter2")
        for text in ["\(secret)", String(reflecting: secret), "\([secret])", "\((secret, 1))"] {
            #expect(!text.contains("hunter2"))
        }
        var dumped = ""
        dump(secret, to: &dumped)
        #expect(!dumped.contains("hunter2"))
        #expect(secret.matches("hunter2"))
        for other in ["hunter", "hunter22", "Hunter2", ""] { #expect(!secret.matches(other)) }
    }
}
