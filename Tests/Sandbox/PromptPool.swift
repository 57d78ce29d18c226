import FlyingFox
import FlyingSocks
import Foundation

/// The server's own way of waiting for sockets, which answers without the 40 ms of Nagle's algorithm.
///
/// FlyingFox writes the head and the body of a response separately; on a connection that is used again
/// the body then waits until the caller has acknowledged the head. Linux hands `TCP_NODELAY` down from
/// the listening socket, which waits here before the first connection is accepted.
struct PromptPool: AsyncSocketPool {
    private let pool: any AsyncSocketPool = HTTPServer.defaultPool()

    func prepare() async throws { try await pool.prepare() }

    func run() async throws { try await pool.run() }

    func suspendSocket(_ socket: Socket, untilReadyFor events: Socket.Events) async throws {
        if events == .connection {
            var isOn: Int32 = 1
            setsockopt(
                socket.file.rawValue,
                Int32(IPPROTO_TCP),
                TCP_NODELAY,
                &isOn,
                socklen_t(MemoryLayout<Int32>.size)
            )
        }
        try await pool.suspendSocket(socket, untilReadyFor: events)
    }
}
