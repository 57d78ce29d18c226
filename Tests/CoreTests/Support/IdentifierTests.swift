import Testing

@testable import Core

@Suite struct IdentifierTests {
    @Test func `identifiers that are made later come later, and no two are alike`() {
        let identifiers = (0..<1_000).map { index in
            Identifier.timeOrdered(at: Instant(milliseconds: 1_795_411_800_000 + Int64(index)))
        }
        #expect(identifiers.sorted() == identifiers)
        #expect(identifiers.allSatisfy(Identifier.isUUID))
        // Version 7 and the variant of RFC 9562.
        #expect(identifiers.allSatisfy { $0.dropFirst(14).first == "7" })
        #expect(identifiers.allSatisfy { "89ab".contains($0.dropFirst(19).prefix(1)) })
        let same = Set((0..<1_000).map { _ in Identifier.timeOrdered(at: .init(milliseconds: 0)) })
        #expect(same.count == 1_000)
    }
}
