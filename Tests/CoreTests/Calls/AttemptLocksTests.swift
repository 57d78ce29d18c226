import Foundation
import Testing

@testable import Core

@Suite struct AttemptLocksTests {
    @Test func `a call's lock is held by one at a time, and says nothing of other calls`() throws {
        let scratch = try Scratch()
        let dialer = try AttemptLocks(path: scratch.file("locks"))
        let reconciler = try AttemptLocks(path: scratch.file("locks"))
        #expect(dialer.take(7))
        #expect(!reconciler.take(7))
        #expect(reconciler.take(8))
        dialer.release(7)
        #expect(reconciler.take(7))
        #expect(!dialer.take(7))
        #expect(!dialer.take(8))
        #expect(dialer.take(.max))
    }

    @Test func `a lock is free when its holder is gone`() throws {
        let scratch = try Scratch()
        let reconciler = try AttemptLocks(path: scratch.file("locks"))
        do {
            let dialer = try AttemptLocks(path: scratch.file("locks"))
            #expect(dialer.take(7))
            #expect(!reconciler.take(7))
        }
        #expect(reconciler.take(7))
    }
}
