import CFastCGI
import Foundation
import Glibc

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
    /// The descriptor is made non-blocking: where several processes share the socket another may have
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

    init(stop: Int32, log: Log, handler: @escaping Router.Handler) {
        self.stop = stop
        self.log = log
        self.handler = handler
    }

    func work() {
        var connection = FCGX_Request()
        guard FCGX_InitRequest(&connection, 0, Int32(FCGI_FAIL_ACCEPT_ON_INTR)) == 0 else { return }
        defer { FCGX_Free(&connection, 1) }
        guard let queue = Queue(stop: stop) else { return }
        while queue.wait() {
            switch -FCGX_Accept_r(&connection) {
            case 0:
                serve(&connection)
                FCGX_Finish_r(&connection)
            case EMFILE, ENFILE, ENOMEM, ENOBUFS:
                usleep(50_000)  // the connection waits too, and would be announced again at once
            default: continue  // another process was faster
            }
        }
    }

    private func serve(_ connection: inout FCGX_Request) {
        let started = ContinuousClock.now
        let parameters = Parameters(connection.envp)
        let input = connection.in
        let output = Output(connection)
        var response: Response
        var cause: Log.Field?
        var received = 0
        var announced: Int?
        do {
            let request = try parameters.request { buffer in
                let count = Int(
                    FCGX_GetStr(
                        buffer.baseAddress?.assumingMemoryBound(to: CChar.self),
                        Int32(buffer.count),
                        input
                    )
                )
                received += count
                return count
            }
            if !request.body.isOpenEnded { announced = request.body.length }
            response = try handler(request)
        } catch {
            response = FastCGI.answer(to: error)
            cause = .cause(error)
        }
        do {
            try FastCGI.send(response, output.put)
        } catch {
            cause = .cause(error)
        }
        if received == announced { closeAtOnce(&connection) }
        let took = ContinuousClock.now - started
        var fields: [Log.Field] = [
            .id("id", parameters["REQUEST_ID"] ?? "-"),
            .id("route", parameters["REQUEST_METHOD"] ?? "-"),
        ]
        if let cause { fields.append(cause) }
        fields += [.number("status", response.status), .number("ms", took.milliseconds)]
        log.write(response.status >= 500 ? .error : .info, "request", fields)
    }
}

extension Server {
    /// Ends the answer and, where the request's end has been read too, has the connection closed at once.
    ///
    /// Otherwise libfcgi closes its side and waits for the caller to close the other: what is sent to a
    /// closed socket destroys the answer in it.
    private func closeAtOnce(_ connection: inout FCGX_Request) {
        FCGX_FClose(connection.err)
        FCGX_FClose(connection.out)
        // Nothing is left to write, and a caller who never says that the request is over is not waited for.
        _ = fcntl(connection.ipcFd, F_SETFL, O_NONBLOCK)
        if FCGX_GetChar(connection.in) == EOF, FCGX_GetError(connection.in) == 0 {
            FCGX_Detach(&connection)
        }
    }
}

/// Where an answer's bytes go.
private struct Output {
    private let stream: UnsafeMutablePointer<FCGX_Stream>?
    private let socket: Int32
    private let requestID: UInt16
    /// As much as libfcgi collects before it sends a record.
    private static let collected = 8192
    /// The most that a record holds so that it needs no padding.
    private static let largestRecord = 65_528

    init(_ connection: FCGX_Request) {
        stream = connection.out
        socket = connection.ipcFd
        requestID = UInt16(truncatingIfNeeded: connection.requestId)
    }

    /// Sends bytes: a few with what follows them, many at once.
    ///
    /// - Throws: ``FastCGI/CallerLeft``.
    func put(_ bytes: [UInt8]) throws {
        guard bytes.count < Output.collected else { return try send(bytes) }
        let sent = bytes.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                FCGX_PutStr($0.baseAddress, Int32($0.count), stream)
            }
        }
        guard sent == bytes.count else { throw FastCGI.CallerLeft() }
    }

    /// Sends bytes past libfcgi, which would wake the caller for each 8 KB.
    private func send(_ bytes: [UInt8]) throws {
        guard FCGX_FFlush(stream) == 0 else { throw FastCGI.CallerLeft() }
        var records: [UInt8] = []
        records.reserveCapacity(bytes.count + 8 * (bytes.count / Output.largestRecord + 1))
        var rest = bytes[...]
        while !rest.isEmpty {
            let content = rest.prefix(Output.largestRecord)
            rest = rest.dropFirst(content.count)
            records += [
                UInt8(FCGI_VERSION_1), UInt8(FCGI_STDOUT),
                UInt8(requestID >> 8), UInt8(requestID & 0xFF),
                UInt8(content.count >> 8), UInt8(content.count & 0xFF),
                0, 0,
            ]
            records += content
        }
        try records.withUnsafeBytes { buffer in
            var rest = UnsafeRawBufferPointer(rebasing: buffer[...])
            while !rest.isEmpty {
                let sent = Glibc.send(socket, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                guard sent >= 0 || errno == EINTR else { throw FastCGI.CallerLeft() }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(max(sent, 0)))
            }
        }
    }
}

/// Where one thread waits for connections, or for the end: each connection wakes one thread, without
/// a lock that every request would pass through.
private struct Queue: ~Copyable {
    private let descriptor: Int32
    private let stop: Int32

    init?(stop: Int32) {
        self.stop = stop
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { return nil }
        for (source, flags) in [
            (Int32(0), EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue), (stop, EPOLLIN.rawValue),
        ] {
            var event = epoll_event(events: flags, data: epoll_data_t(fd: source))
            epoll_ctl(descriptor, EPOLL_CTL_ADD, source, &event)
        }
    }

    deinit { close(descriptor) }

    /// Waits until there is a connection to take; `false` when the process is to stop.
    func wait() -> Bool {
        var events = (epoll_event(), epoll_event())
        return withUnsafeMutablePointer(to: &events) { events in
            events.withMemoryRebound(to: epoll_event.self, capacity: 2) { events in
                while true {
                    let count = epoll_wait(descriptor, events, 2, -1)
                    guard count > 0 else { continue }
                    return !(0..<Int(count)).contains { events[$0].data.fd == stop }
                }
            }
        }
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
        var head = "Status: \(response.status) \(response.phrase)\r\n"
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
            try put(Array((head + "\r\n").utf8) + bytes)
        case .stream(let produce):
            try put(Array((head + "\r\n").utf8))
            try produce(put)
        }
    }
}

/// The parameters that nginx sends with a request, where libfcgi keeps them: each `NAME=value`.
private struct Parameters {
    private let entries: FCGX_ParamArray?

    init(_ entries: FCGX_ParamArray?) { self.entries = entries }

    subscript(name: StaticString) -> String? {
        let name = UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
        return FCGX_GetParam(name, entries).map { String(cString: $0) }
    }

    func request(reading read: @escaping (UnsafeMutableRawBufferPointer) throws -> Int) throws
        -> Request
    {
        let target = self["REQUEST_URI"] ?? self["DOCUMENT_URI"] ?? "/"
        guard let path = Percent.decoded(target.prefix { $0 != "?" }, plusIsSpace: false),
            !path.utf8.contains(0)
        else {
            throw Failure.malformed("The address holds a broken percent escape.")
        }
        let announced = self["CONTENT_LENGTH"] ?? ""
        guard let length = announced.isEmpty ? 0 : Int(announced), length >= 0 else {
            throw Failure.malformed("The request's length is not a number.")
        }
        var body = Request.Body(length: length, read: read)
        // nginx tells the length of chunks that it has put together, not of those that it passes on.
        body.isOpenEnded = announced.isEmpty && self["HTTP_TRANSFER_ENCODING"] != nil
        return Request(
            method: self["REQUEST_METHOD"] ?? "GET",
            path: path,
            query: try Request.Query(parsing: self["QUERY_STRING"] ?? ""),
            headers: headers,
            remoteAddress: self["REMOTE_ADDR"] ?? "",
            id: self["REQUEST_ID"] ?? "-",
            body: body
        )
    }

    /// The request's headers by their names in lower case: `HTTP_USER_AGENT` is `user-agent`.
    private var headers: [String: String] {
        var headers: [String: String] = [:]
        var next = entries
        while let place = next, let entry = place.pointee {
            next = place + 1
            guard strncmp(entry, "HTTP_", 5) == 0, let equals = strchr(entry, 0x3D) else {
                continue
            }
            headers[Parameters.name(of: entry + 5, end: equals)] = String(cString: equals + 1)
        }
        headers["content-type"] = self["CONTENT_TYPE"].flatMap { $0.isEmpty ? nil : $0 }
        return headers
    }

    private static func name(of start: UnsafePointer<CChar>, end: UnsafePointer<CChar>) -> String {
        let count = end - start
        return String(unsafeUninitializedCapacity: count) { buffer in
            for index in 0..<count {
                switch UInt8(bitPattern: start[index]) {
                case UInt8(ascii: "_"): buffer[index] = UInt8(ascii: "-")
                case let byte where (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte):
                    buffer[index] = byte | 0x20
                case let byte: buffer[index] = byte
                }
            }
            return count
        }
    }
}
