import CFastCGI
import Foundation
import Glibc
import Synchronization

/// Serves a handler over the FastCGI socket that descriptor 0 is (spawn-fcgi, systemd's
/// `StandardInput=socket`).
public enum FastCGI {
    /// A program that was started by hand: descriptor 0 is not a listening socket.
    public struct NotStartedByServer: LogSafeError {
        public var logDescription: String {
            "This program is started by spawn-fcgi or systemd; descriptor 0 is not its socket."
        }
    }

    /// Serves until SIGTERM, SIGINT or SIGUSR1, then finishes what it has begun and returns.
    ///
    /// Each thread waits for the socket in turn, so that one connection wakes one thread. The
    /// descriptor is made non-blocking: where several processes share the socket another may have
    /// taken the connection, and a thread blocked in `accept` could not be told to stop.
    /// - Throws: ``NotStartedByServer``.
    public static func serve(
        threads: Int = 8,
        log: Log,
        handler: @escaping Router.Handler
    ) throws {
        // Blocked before libfcgi gives TERM and USR1 a handler of its own, after which it accepts
        // nothing and does not say so. The threads inherit the mask.
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT, SIGUSR1] { sigaddset(&signals, signal) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)

        guard FCGX_Init() == 0, FCGX_IsCGI() == 0 else { throw NotStartedByServer() }
        _ = fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK)
        var stop: [Int32] = [-1, -1]
        guard pipe(&stop) == 0 else { throw File.Unavailable(code: errno) }
        defer { stop.forEach { close($0) } }

        let server = Server(stop: stop[0], log: log, handler: handler)
        let finished = DispatchGroup()
        for _ in 0..<threads {
            finished.enter()
            let thread = Thread {
                server.work()
                finished.leave()
            }
            thread.stackSize = 1 << 20
            thread.start()
        }
        var received: Int32 = 0
        sigwait(&signals, &received)
        _ = write(stop[1], "x", 1)  // nobody reads it, so every thread sees it
        finished.wait()
    }
}

/// What the threads of one process share.
private final class Server: Sendable {
    private let stop: Int32
    private let log: Log
    private let handler: Router.Handler
    private let turn = Mutex(())

    init(stop: Int32, log: Log, handler: @escaping Router.Handler) {
        self.stop = stop
        self.log = log
        self.handler = handler
    }

    func work() {
        var connection = FCGX_Request()
        guard FCGX_InitRequest(&connection, 0, Int32(FCGI_FAIL_ACCEPT_ON_INTR)) == 0 else { return }
        while waitForConnection() {
            switch -FCGX_Accept_r(&connection) {
            case 0:
                serve(&connection)
                FCGX_Finish_r(&connection)
            case EMFILE, ENFILE, ENOMEM, ENOBUFS:
                usleep(50_000)  // the connection waits too, and poll would return at once
            default: continue  // another process was faster
            }
        }
        FCGX_Free(&connection, 1)
    }

    /// Waits until there is a connection to take; `false` when the process is to stop.
    private func waitForConnection() -> Bool {
        turn.withLock { _ in
            var waiting = [
                pollfd(fd: 0, events: Int16(POLLIN), revents: 0),
                pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
            ]
            while true {
                guard poll(&waiting, 2, -1) >= 0 else { continue }
                if waiting[1].revents != 0 { return false }
                if waiting[0].revents != 0 { return true }
            }
        }
    }

    private func serve(_ connection: inout FCGX_Request) {
        let started = ContinuousClock.now
        let parameters = Parameters(connection.envp)
        let input = connection.in
        let output = connection.out
        var fields: [Log.Field] = [
            .id("id", parameters["REQUEST_ID"] ?? "-"),
            .id("route", parameters["REQUEST_METHOD"] ?? "-"),
        ]
        var response: Response
        do {
            let request = try parameters.request { buffer in
                Int(
                    FCGX_GetStr(
                        buffer.baseAddress?.assumingMemoryBound(to: CChar.self),
                        Int32(buffer.count),
                        input
                    )
                )
            }
            response = try handler(request)
        } catch {
            response = FastCGI.answer(to: error)
            fields.append(.cause(error))
        }
        do {
            try FastCGI.send(response) { bytes in
                let sent = bytes.withUnsafeBufferPointer { buffer in
                    buffer.withMemoryRebound(to: CChar.self) {
                        FCGX_PutStr($0.baseAddress, Int32($0.count), output)
                    }
                }
                guard sent == bytes.count else { throw FastCGI.CallerLeft() }
            }
        } catch {
            fields.append(.cause(error))
        }
        let took = ContinuousClock.now - started
        fields += [.number("status", response.status), .number("ms", took.milliseconds)]
        log.write(response.status >= 500 ? .error : .info, "request", fields)
    }
}

extension FastCGI {
    /// The caller closed the connection before the whole answer was sent.
    struct CallerLeft: LogSafeError {
        var logDescription: String { "the caller left" }
    }

    /// The answer to an error: a failure says what it is, anything else is ours and only logged.
    public static func answer(to error: any Error) -> Response {
        switch error {
        case let failure as Failure: failure.response
        case let unavailable as Database.Unavailable:
            Failure.unavailable(unavailable.sentence).response
        default:
            Failure(
                500,
                "internal",
                "Something went wrong on our side. Try again; if it stays, look into the log."
            ).response
        }
    }

    /// Writes an answer as a CGI response.
    static func send(_ response: Response, _ put: ([UInt8]) throws -> Void) throws {
        var head = "Status: \(response.status)\r\n"
        for header in response.headers {
            let isSafe = header.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
            if isSafe { head += "\(header.name): \(header.value)\r\n" }
        }
        switch response.body {
        case .bytes(let bytes):
            let hasLength = response[header: "Content-Length"] != nil
            if response.status != 304 && response.status != 204 && !hasLength {
                head += "Content-Length: \(bytes.count)\r\n"
            }
            try put(Array((head + "\r\n").utf8))
            if !bytes.isEmpty { try put(bytes) }
        case .stream(let produce):
            try put(Array((head + "\r\n").utf8))
            try produce(put)
        }
    }
}

/// The parameters that nginx sends with a request.
private struct Parameters {
    private var values: [String: String] = [:]

    init(_ envp: FCGX_ParamArray?) {
        guard var next = envp else { return }
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                values[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
    }

    subscript(name: String) -> String? { values[name] }

    func request(reading read: @escaping (UnsafeMutableRawBufferPointer) throws -> Int) throws
        -> Request
    {
        let target = values["REQUEST_URI"] ?? values["DOCUMENT_URI"] ?? "/"
        guard let path = Percent.decoded(target.prefix { $0 != "?" }, plusIsSpace: false),
            !path.contains("\0")
        else {
            throw Failure.malformed("The address holds a broken percent escape.")
        }
        var headers: [String: String] = [:]
        for (name, value) in values where name.hasPrefix("HTTP_") {
            headers[name.dropFirst(5).lowercased().replacing("_", with: "-")] = value
        }
        headers["content-type"] = values["CONTENT_TYPE"].flatMap { $0.isEmpty ? nil : $0 }
        let announced = values["CONTENT_LENGTH"] ?? ""
        guard let length = announced.isEmpty ? 0 : Int(announced), length >= 0 else {
            throw Failure.malformed("The request's length is not a number.")
        }
        return Request(
            method: values["REQUEST_METHOD"] ?? "GET",
            path: path,
            query: try Request.Query(parsing: values["QUERY_STRING"] ?? ""),
            headers: headers,
            remoteAddress: values["REMOTE_ADDR"] ?? "",
            id: values["REQUEST_ID"] ?? "-",
            body: Request.Body(length: length, read: read)
        )
    }
}
