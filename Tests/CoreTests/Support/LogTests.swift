import Testing

@testable import Core

@Suite struct LogTests {
    @Test(arguments: [
        (Log.Field.number("n", -5), "-5"),
        (.word("w", "ok"), "ok"),
        (.word("w", "two words"), "\"two words\""),
        (.id("i", "a-b_c.d/e:9"), "a-b_c.d/e:9"),
        (.id("i", "a b"), "?"),
        (.id("i", "asha@example.test"), "?"),
        (.id("i", "+919876543210"), "?"),
        (.id("i", "a\nlevel=error"), "?"),
        (.id("i", "é"), "?"),
        (.id("i", ""), "?"),
        (.id("i", String(repeating: "x", count: 121)), "?"),
        (.cause(Environment.Invalid("X is \"not\"\nset.")), "\"X is  not  set.\""),
        (.cause(LogTests.Personal(name: "Asha Rao")), "Personal"),
    ])
    func `a field holds nothing that could be a person's or another field`(
        field: Log.Field,
        value: String
    ) {
        #expect(field.value == value)
    }

    struct Personal: Error {
        let name: String
    }
}
