import CCurl
import Glibc

/// HTTP over libcurl: limits on everything, no redirects, failures by name.
public struct HTTP: Sendable {
    /// A request to another system.
    public struct Call: Sendable {
        public var method: String
        public var address: String
        public var headers: [(name: String, value: String)]
        public var body: [UInt8]?
        /// The longest time for the whole exchange.
        public var timeout: Duration
        /// The longest answer taken, in bytes.
        public var limit: Int
        /// What decides at the last moment whether the request goes out; `nil`: it does.
        public var departure: Departure?

        /// Creates a request.
        public init(
            _ method: String,
            _ address: String,
            headers: [(name: String, value: String)] = [],
            body: [UInt8]? = nil,
            timeout: Duration = .seconds(15),
            limit: Int = 8_388_608,
            departure: Departure? = nil
        ) {
            self.method = method
            self.address = address
            self.headers = headers
            self.body = body
            self.timeout = timeout
            self.limit = limit
            self.departure = departure
        }
    }

    /// An answer, whatever its status.
    public struct Answer: Sendable {
        public var status: Int
        public var body: [UInt8]
        /// `Retry-After` in seconds, at most a day, when the answer has one.
        public var retryAfter: Int?

        /// Creates an answer.
        public init(status: Int, body: [UInt8], retryAfter: Int? = nil) {
            self.status = status
            self.body = body
            self.retryAfter = retryAfter
        }
    }

    /// Why there is no answer.
    public enum Failure: String, LogSafeError, Equatable {
        /// No connection was made, so nothing was sent.
        case unreachable = "destination_unreachable"
        /// TLS failed before anything was sent.
        case insecure = "failed_tls"
        /// Its ``HTTP/Departure`` did not let the request out.
        case calledOff = "called_off"
        /// The time ran out; the other side may have acted.
        case timedOut = "timed_out"
        /// The connection broke; the other side may have acted.
        case broken = "connection_broken"
        /// The answer was longer than the limit; the other side has acted.
        case tooLarge = "answer_too_large"

        public var logDescription: String { rawValue }

        /// Whether the request certainly never reached the other side.
        public var sentNothing: Bool {
            switch self {
            case .unreachable, .insecure, .calledOff: true
            case .timedOut, .broken, .tooLarge: false
            }
        }
    }

    /// Sends a request and returns the answer.
    public var send: @Sendable (Call) throws(Failure) -> Answer

    /// Creates a client from a closure.
    public init(send: @escaping @Sendable (Call) throws(Failure) -> Answer) { self.send = send }

    /// The client that speaks to the network.
    ///
    /// A handle is made for each call: these calls are few, and a handle belongs to one thread.
    public static let network = HTTP { call throws(Failure) in try perform(call) }

    private static let setUp: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    private static func perform(_ call: Call) throws(Failure) -> Answer {
        // A line break in a value would begin a header, or a request, of somebody else's.
        let isSafe = call.headers.allSatisfy { header in
            (header.name + header.value).utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        }
        guard setUp, isSafe, let handle = curl_easy_init() else { throw .unreachable }
        defer { curl_easy_cleanup(handle) }
        let reception = Reception(limit: call.limit)
        var headers: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(headers) }
        for header in call.headers {
            headers = curl_slist_append(headers, "\(header.name): \(header.value)")
        }
        headers = curl_slist_append(headers, "Expect:")  // no pause before the body

        presales_curl_set_string(handle, CURLOPT_URL, call.address)
        presales_curl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http,https")
        presales_curl_set_string(handle, CURLOPT_CUSTOMREQUEST, call.method)
        presales_curl_set_string(handle, CURLOPT_PROXY, "")
        presales_curl_set_headers(handle, headers)
        presales_curl_set_long(handle, CURLOPT_FOLLOWLOCATION, 0)
        // HTTP/2 lets curl send a refused request again on its own.
        presales_curl_set_long(handle, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        presales_curl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        // A name server that keeps silent must not hold the call longer than its timeout.
        presales_curl_set_long(handle, CURLOPT_QUICK_EXIT, 1)
        presales_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, 5000)
        presales_curl_set_long(handle, CURLOPT_TIMEOUT_MS, Int(call.timeout.milliseconds))
        let context = Unmanaged.passUnretained(reception).toOpaque()
        presales_curl_set_pointer(handle, CURLOPT_WRITEDATA, context)
        presales_curl_set_callback(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            return Unmanaged<Reception>.fromOpaque(context).takeUnretainedValue()
                .take(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        let door = call.departure.map { Door(of: call, departure: $0) }
        door?.guards(handle)
        let code = withExtendedLifetime((reception, door)) {
            defer { door?.close() }
            guard let body = call.body else { return curl_easy_perform(handle) }
            return body.withUnsafeBytes { buffer in
                presales_curl_set_long(handle, CURLOPT_POSTFIELDSIZE, buffer.count)
                presales_curl_set_pointer(
                    handle,
                    CURLOPT_POSTFIELDS,
                    UnsafeMutableRawPointer(mutating: buffer.baseAddress)
                )
                return curl_easy_perform(handle)
            }
        }
        if reception.overflowed { throw .tooLarge }
        guard code == CURLE_OK else { throw failure(code, handle) }
        return Answer(
            status: number(handle, CURLINFO_RESPONSE_CODE),
            body: reception.bytes,
            retryAfter: retryAfter(handle)
        )
    }

    private static func failure(_ code: CURLcode, _ handle: UnsafeMutableRawPointer) -> Failure {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT,
            CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL:
            return .unreachable
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CACERT_BADFILE:
            return .insecure
        case CURLE_ABORTED_BY_CALLBACK: return .calledOff
        case CURLE_OPERATION_TIMEDOUT:
            // Nothing was sent while the connection itself was still being made.
            return number(handle, CURLINFO_REQUEST_SIZE) > 0 ? .timedOut : .unreachable
        default: return .broken
        }
    }

    private static func number(_ handle: UnsafeMutableRawPointer, _ info: CURLINFO) -> Int {
        var value = 0
        presales_curl_get_long(handle, info, &value)
        return value
    }

    private static func retryAfter(_ handle: UnsafeMutableRawPointer) -> Int? {
        var seconds: curl_off_t = 0
        guard presales_curl_get_offset(handle, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK,
            seconds > 0
        else { return nil }
        return min(Int(seconds), 86_400)
    }

    /// Collects an answer's bytes up to a limit.
    ///
    /// Used by one thread during one call.
    private final class Reception {
        private(set) var bytes: [UInt8] = []
        private(set) var overflowed = false
        private let limit: Int

        init(limit: Int) { self.limit = limit }

        func take(_ piece: UnsafeRawBufferPointer) -> Int {
            guard bytes.count + piece.count <= limit else {
                overflowed = true
                return 0
            }
            bytes += piece
            return piece.count
        }
    }
}
