import CCurl
import Foundation
import Synchronization

extension HTTP {
    /// Lets a request out, or keeps it in.
    ///
    /// It is called when the connection stands and nothing has been sent, on a thread of its own, and
    /// gets `send`: called once, the request has left when it returns; never called, the request fails
    /// with ``Failure/calledOff``. So what surrounds `send`, a transaction for example, surrounds the
    /// very moment in which the request leaves.
    public typealias Departure = @Sendable (_ send: () -> Void) -> Void

    /// The door between a request's own thread, which sends, and its departure's, which says when.
    final class Door: Sendable {
        /// How long a departure waits for the request to have left.
        ///
        /// It takes no time: some kilobytes go into the empty buffer of a new connection.
        private static let patience = DispatchTimeInterval.seconds(1)

        private let departure: Departure
        private let unsent: Atomic<Int>
        private let isOpen = Atomic(false)
        private let decided = DispatchSemaphore(value: 0)
        private let left = DispatchSemaphore(value: 0)
        private let departing = DispatchGroup()

        init(of call: Call, departure: @escaping Departure) {
            unsent = Atomic(call.body?.count ?? 0)
            self.departure = departure
        }

        /// Has curl ask here before it sends, and tell here what it has sent.
        ///
        /// `self` must live as long as the handle works.
        func guards(_ handle: UnsafeMutableRawPointer) {
            presales_curl_set_departure(
                handle,
                { context, _, _, _, _ in
                    guard let context else { return CURL_PREREQFUNC_ABORT }
                    let door = Unmanaged<Door>.fromOpaque(context).takeUnretainedValue()
                    return door.ask() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
                },
                { _, kind, _, size, context in
                    guard let context else { return 0 }
                    let door = Unmanaged<Door>.fromOpaque(context).takeUnretainedValue()
                    if kind == CURLINFO_HEADER_OUT { door.note(sent: 0) }
                    if kind == CURLINFO_DATA_OUT { door.note(sent: size) }
                    return 0
                },
                Unmanaged.passUnretained(self).toOpaque()
            )
        }

        /// Waits for the departure's word.
        private func ask() -> Bool {
            departing.enter()
            Thread {
                self.departure {
                    self.isOpen.store(true, ordering: .sequentiallyConsistent)
                    self.decided.signal()
                    _ = self.left.wait(timeout: .now() + Door.patience)
                }
                self.decided.signal()
                self.departing.leave()
            }.start()
            decided.wait()
            return isOpen.load(ordering: .sequentiallyConsistent)
        }

        /// The headers go out in one piece with the body, or before it.
        private func note(sent count: Int) {
            let before = unsent.subtract(count, ordering: .sequentiallyConsistent).oldValue
            if before <= count { left.signal() }
        }

        /// The exchange is over, so the departure is, too.
        func close() {
            left.signal()
            departing.wait()
        }
    }
}
