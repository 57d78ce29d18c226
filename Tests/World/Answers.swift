@testable import Core

extension Response {
    /// The body's bytes; of a stream all that it sends.
    var payload: [UInt8] {
        switch body {
        case .bytes(let bytes): return bytes
        case .stream(let produce):
            var sent: [UInt8] = []
            try? produce { sent += $0 }
            return sent
        }
    }

    /// The body as JSON; null when it is none.
    var json: JSON { (try? JSON(parsing: payload)) ?? .null }
}
