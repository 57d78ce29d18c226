import Foundation
import Testing

@testable import Core

@Suite struct HTTPTests {
    private func send(_ call: HTTP.Call) -> Result<HTTP.Answer, HTTP.Failure> {
        Result { () throws(HTTP.Failure) in try HTTP.network.send(call) }
    }

    private func failure(_ call: HTTP.Call) -> HTTP.Failure? {
        if case .failure(let failure) = send(call) { failure } else { nil }
    }

    @Test func `a request goes out as it is, and its answer comes back whatever its status`() throws
    {
        let server = try LocalServer(
            answering: "HTTP/1.1 418 Teapot\r\nContent-Length: 5\r\n\r\nhello"
        )
        let answer = try HTTP.network.send(
            HTTP.Call(
                "POST",
                "\(server.address)/call?x=1",
                headers: [("Authorization", "Bearer x"), ("Content-Type", "application/json")],
                body: Array("{\"a\":1}".utf8)
            )
        )
        #expect(answer.status == 418)
        #expect(answer.body == Array("hello".utf8))
        let request = try #require(server.requests.first)
        #expect(request.hasPrefix("POST /call?x=1 HTTP/1.1\r\n"))
        #expect(request.contains("\r\nAuthorization: Bearer x\r\n"))
        #expect(request.contains("\r\nContent-Length: 7\r\n"))
        #expect(request.hasSuffix("\r\n\r\n{\"a\":1}"))
        #expect(!request.contains("Expect:"))
    }

    @Test(arguments: ["GET", "POST", "DELETE", "PATCH"], [nil, []] as [[UInt8]?])
    func `a request without content reads nothing from anywhere`(
        method: String,
        body: [UInt8]?
    ) throws {
        let server = try LocalServer(answering: "HTTP/1.1 204 No Content\r\n\r\n")
        let answer = try HTTP.network.send(HTTP.Call(method, server.address, body: body))
        #expect(answer.status == 204)
        #expect(server.requests.first?.hasPrefix("\(method) / HTTP/1.1\r\n") == true)
    }

    @Test func `where nobody listens nothing was sent`() throws {
        let address = try LocalServer(answering: "").address  // it has closed its socket again
        #expect(failure(HTTP.Call("POST", address)) == .unreachable)
        #expect(HTTP.Failure.unreachable.sentNothing)
    }

    @Test(arguments: [
        "http://no-such-host.invalid", "ftp://127.0.0.1/", "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "", "http://",
    ])
    func `what is no address of a web server is not asked`(address: String) {
        #expect(failure(HTTP.Call("GET", address)) == .unreachable)
    }

    // MARK: Departure

    @Test func `a request that its departure keeps in never leaves, and is known not to have`()
        throws
    {
        let server = try LocalServer(answering: "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        let call = HTTP.Call("POST", server.address, body: Array("order".utf8)) { _ in }
        #expect(failure(call) == .calledOff)
        #expect(HTTP.Failure.calledOff.sentNothing)
        #expect(server.requests.isEmpty)
    }

    @Test(arguments: [0, 1, 5, 50_000])
    func `a request leaves while its departure lets it, whatever its length`(length: Int) throws {
        let server = try LocalServer(answering: "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        let seen = Lock<[Int]>([])
        let body = [UInt8](repeating: 120, count: length)
        let call = HTTP.Call("POST", server.address, body: body) { send in
            seen.withLock { $0.append(server.requests.count) }
            send()
            // It has left; the server needs a moment to read it, and nobody else sends it.
            let deadline = ContinuousClock.now + .seconds(10)
            while server.requests.isEmpty, ContinuousClock.now < deadline { usleep(1000) }
            seen.withLock { $0.append(server.requests.count) }
        }
        #expect(try HTTP.network.send(call).status == 201)
        #expect(seen.withLock { $0 } == [0, 1])
        #expect(server.requests.first?.hasSuffix(String(repeating: "x", count: length)) == true)
    }

    @Test func `where there is no connection nobody is asked for a departure`() throws {
        let address = try LocalServer(answering: "").address  // it has closed its socket again
        let isAsked = Lock(false)
        let call = HTTP.Call("POST", address, body: [1]) { _ in isAsked.withLock { $0 = true } }
        #expect(failure(call) == .unreachable)
        #expect(isAsked.withLock { !$0 })
    }

    @Test func `a departure is over when its request is`() throws {
        let server = try LocalServer(answering: "")
        let isOver = Lock(false)
        let call = HTTP.Call("POST", server.address, body: [1]) { send in
            send()
            usleep(50_000)
            isOver.withLock { $0 = true }
        }
        #expect(failure(call) == .broken)
        #expect(isOver.withLock { $0 })
    }

    // MARK: Failures

    @Test func `a connection that breaks may have done what was asked`() throws {
        let server = try LocalServer(answering: "")
        #expect(failure(HTTP.Call("POST", server.address, body: [1])) == .broken)
        #expect(!HTTP.Failure.broken.sentNothing)
        let half = try LocalServer(answering: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        #expect(failure(HTTP.Call("POST", half.address, body: [1])) == .broken)
        // It is never sent again on curl's own account.
        #expect(server.requests.count == 1)
    }

    @Test func `a server that keeps silent is left in time, and may have done what was asked`()
        throws
    {
        let server = try LocalServer(answering: nil)
        let started = ContinuousClock.now
        let call = HTTP.Call("POST", server.address, body: [1], timeout: .milliseconds(200))
        #expect(failure(call) == .timedOut)
        #expect(!HTTP.Failure.timedOut.sentNothing)
        #expect(ContinuousClock.now - started < .seconds(3))
    }

    @Test func `an answer that never ends is left in time`() throws {
        let server = try LocalServer(answering: "HTTP/1.1 200 OK\r\n\r\nand so on", thenWaits: true)
        let call = HTTP.Call("GET", server.address, timeout: .milliseconds(300))
        #expect(failure(call) == .timedOut)
    }

    @Test func `a server that speaks no TLS gets nothing`() throws {
        let server = try LocalServer(answering: "HTTP/1.1 400 Bad Request\r\n\r\n")
        let address = server.address.replacing("http:", with: "https:")
        #expect(failure(HTTP.Call("POST", address, body: Array("secret".utf8))) == .insecure)
        #expect(server.requests.allSatisfy { !$0.contains("secret") })
    }

    @Test(arguments: [(100, true), (101, false)])
    func `an answer is taken up to its limit`(size: Int, fits: Bool) throws {
        let body = String(repeating: "x", count: size)
        let server = try LocalServer(answering: "HTTP/1.1 200 OK\r\n\r\n\(body)")
        let result = send(HTTP.Call("GET", server.address, limit: 100))
        switch result {
        case .success(let answer): #expect(fits && answer.body.count == size)
        case .failure(let failure): #expect(!fits && failure == .tooLarge)
        }
    }

    @Test func `a redirect is an answer like any other`() throws {
        let elsewhere = try LocalServer(answering: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        let server = try LocalServer(
            answering:
                "HTTP/1.1 302 Found\r\nLocation: \(elsewhere.address)\r\nContent-Length: 0\r\n\r\n"
        )
        #expect(try HTTP.network.send(HTTP.Call("GET", server.address)).status == 302)
        #expect(elsewhere.requests.isEmpty)
    }

    @Test(
        arguments: [
            ("Retry-After: 7", 7), ("retry-after: 120", 120), ("X: 1", nil),
            ("Retry-After: 0", nil),
            ("Retry-After: -5", nil), ("Retry-After: soon", nil),
            ("Retry-After: Thu, 01 Jan 1970 00:00:00 GMT", nil),
            ("Retry-After: 9223372036854775807", 86_400),
            ("Retry-After: 99999999999999999999", nil),
            ("Retry-After: Fri, 01 Jan 2100 00:00:00 GMT", 86_400),
        ] as [(String, Int?)]
    )
    func `how long to wait is read, and believed for a day at most`(
        header: String,
        seconds: Int?
    ) throws {
        let server = try LocalServer(
            answering: "HTTP/1.1 429 Too Many Requests\r\n\(header)\r\nContent-Length: 0\r\n\r\n"
        )
        let answer = try HTTP.network.send(HTTP.Call("GET", server.address))
        #expect(answer.retryAfter == seconds)
    }

    @Test(arguments: ["a\r\nX-Evil: 1", "a\nb", "a\0b"])
    func `a header's value cannot begin another header`(value: String) throws {
        let server = try LocalServer(answering: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        let call = HTTP.Call("GET", server.address, headers: [("X-A", value)])
        #expect(failure(call) == .unreachable)
        #expect(server.requests.isEmpty)
    }

    @Test func `no proxy of the environment comes between`() throws {
        let proxy = try LocalServer(answering: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy")
        let server = try LocalServer(
            answering: "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ndirect"
        )
        for name in ["http_proxy", "ALL_PROXY"] { setenv(name, proxy.address, 1) }
        defer { for name in ["http_proxy", "ALL_PROXY"] { unsetenv(name) } }
        let answer = try HTTP.network.send(HTTP.Call("GET", server.address))
        #expect(answer.body == Array("direct".utf8))
        #expect(proxy.requests.isEmpty)
    }
}

/// A server on a free port of this machine that answers every request with the same bytes.
private final class LocalServer: Sendable {
    let address: String
    private let listener: Int32
    private let received = Lock<[String]>([])

    /// What it was asked, in order.
    var requests: [String] { received.withLock { $0 } }

    /// - Parameters:
    ///   - answer: What it says before it closes the connection; `nil` for nothing at all, ever.
    ///   - waits: Whether it keeps the connection open.
    /// - Throws: `POSIXError` when there is no free port.
    init(answering answer: String?, thenWaits waits: Bool = false) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &place) { [listener] pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer -> UInt16 in
                guard bind(listener, pointer, length) == 0, listen(listener, 16) == 0,
                    getsockname(listener, pointer, &length) == 0
                else { return 0 }
                return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    UInt16(bigEndian: $0.pointee.sin_port)
                }
            }
        }
        guard port > 0 else { throw POSIXError(.EADDRINUSE) }
        address = "http://127.0.0.1:\(port)"
        Thread { [weak self, listener] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else {
                    close(listener)  // here, so that nobody's new socket is taken for it
                    return
                }
                Thread { [weak self] in
                    let request = Self.request(from: connection)
                    self?.received.withLock { if !request.isEmpty { $0.append(request) } }
                    if let answer {
                        var bytes = Array(answer.utf8)
                        write(connection, &bytes, bytes.count)
                    }
                    if answer == nil || waits {
                        var byte: UInt8 = 0
                        while read(connection, &byte, 1) > 0 {}
                    }
                    close(connection)
                }.start()
            }
        }.start()
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    private static func request(from connection: Int32) -> String {
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let parts = text.split(
                separator: "\r\n\r\n",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            if parts.count == 2 {
                let length = parts[0].split(separator: "\r\n").lazy
                    .compactMap { $0.wholeMatch(of: /Content-Length: (\d+)/).flatMap { Int($0.1) } }
                    .first
                if parts[1].utf8.count >= length ?? 0 { return text }
            }
            let count = read(connection, &buffer, buffer.count)
            let isHandshake = text.isEmpty && count > 0 && buffer[0] == 0x16  // TLS
            guard count > 0, !isHandshake else { return text }
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
    }
}
