// A function that does nothing but show how functions are served.
//
//   GET  /pid                  the process that answers
//   GET  /wait/:milliseconds   the process that answers, after that time
//   GET  /stream/:megabytes    a long answer, made while it is sent
//   POST /echo                 the body, at most 1 MB
//   GET  /secret               fails in a way that only the log may know
import Core
import Foundation

struct Surprise: Error {
    let what = "Asha Rao +919876543210"
}

let router = Router([
    .init("GET", "/pid", for: .machine) { _ in .json(["pid": .integer(Int64(getpid()))]) },
    .init("GET", "/wait/:milliseconds", for: .machine) { request in
        guard let milliseconds = UInt32(request.parameter("milliseconds")), milliseconds < 60_000
        else { throw Failure.notFound("There is no such wait.") }
        usleep(milliseconds * 1000)
        return .json(["waited": JSON(Int(milliseconds)), "pid": .integer(Int64(getpid()))])
    },
    .init("GET", "/stream/:megabytes", for: .machine) { request in
        guard let megabytes = Int(request.parameter("megabytes")), (0...1024).contains(megabytes)
        else { throw Failure.notFound("There is no such stream.") }
        let piece = Array(repeatElement("0123456789abcde\n".utf8, count: 4096).joined())
        return Response(
            headers: [("Content-Type", "text/plain")],
            body: .stream { send in for _ in 0..<megabytes * 16 { try send(piece) } }
        )
    },
    .init("POST", "/echo", for: .machine) { request in
        Response(
            headers: [("Content-Type", "application/octet-stream")],
            body: .bytes(try request.bytes())
        )
    },
    .init("GET", "/secret", for: .machine) { _ in throw Surprise() },
])

Program.run { _ in
    try FastCGI.serve(log: Log(program: Program.name), handler: router.respond)
}
