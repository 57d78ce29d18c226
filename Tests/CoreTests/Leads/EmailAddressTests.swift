import Testing

@testable import Core

@Suite struct EmailAddressTests {
    @Test(arguments: [
        "john@example.com", "j@x.io", "first.last+tag@sub.example.co.in", "O'Brien@example.ie",
        "a_b-c@xn--bcher-kva.example", "1@2.org",
    ])
    func `an address is taken`(text: String) {
        #expect(EmailAddress.isPlausible(text))
    }

    @Test(arguments: [
        "", "john", "@example.com", "john@", "john@example", "john@@example.com", "john@.com",
        "john@example.com.", "john@example..com", ".john@example.com", "john.@example.com",
        "jo..hn@example.com", "john @example.com", "john@exa mple.com", "john@-example.com",
        "john@example-.com", "john@example.c", "john@10.0.0.1", "john@example.com\nBcc: x@y.zz",
        "<john@example.com>", "a@b.com,c@d.com", "jöhn@example.com", "john@exämple.com",
        "\(String(repeating: "a", count: 65))@example.com",
        "a@\(String(repeating: "a", count: 64)).com",
        "a@\(String(repeating: "abcdefghi.", count: 26))com",
    ])
    func `what no mail server takes is refused`(text: String) {
        #expect(!EmailAddress.isPlausible(text))
    }
}
