/// Reads a `multipart/form-data` body (RFC 7578) that is fed in chunks of any size.
///
/// Nothing is kept but the headers of the current part: its data goes out as it comes in. Line breaks
/// must be CRLF. Each byte is looked at once, or twice where it could have begun a boundary. After
/// an error the reader must not be fed again.
///
///     var form = try Multipart(contentType: "multipart/form-data; boundary=x")
///     try form.feed(chunk.span) { event in … }
///     try form.finish()
public struct Multipart {
    /// How large a body may be; beyond it reading stops with a ``Failure``.
    public struct Limits: Sendable {
        /// Bytes of the whole body.
        public var bodyBytes = 25 * 1024 * 1024
        /// Parts, files and plain fields together.
        public var parts = 16
        /// Bytes of the headers of one part.
        public var headerBytes = 4 * 1024
        /// Bytes before the first boundary, where nothing should be.
        public var preambleBytes = 1024

        /// Creates the limits of an upload form.
        public init() {}
    }

    /// What the headers of a part say.
    public struct Part: Sendable, Equatable {
        /// The name of the form's field.
        public var name: String
        /// The name of the file on the sender's machine: a label, never a path to use.
        public var filename: String?
        /// The media type, such as `text/csv`; nil if it was not sent.
        public var contentType: String?
    }

    /// What the reader comes across.
    ///
    /// Each part is one `begin`, any number of `data`, one `end`.
    public enum Event: ~Escapable {
        case begin(Part)
        /// More of the part's data, valid only during the call; never empty.
        case data(Span<UInt8>)
        case end
    }

    private enum State {
        case preamble
        /// Right after a boundary: what follows says whether it was the last one.
        case boundaryEnd(BoundaryEnd)
        case headers
        case data
        case epilogue
    }

    private enum BoundaryEnd {
        case start, dash, padding, carriageReturn
    }

    private let limits: Limits
    /// What ends a part's data: CRLF, two hyphens and the boundary.
    private let delimiter: [UInt8]
    private var state = State.preamble
    /// How many bytes of the delimiter the last bytes match.
    ///
    /// A line break that was read already counts: the body may begin with a boundary, and so may
    /// the data of an empty part.
    private var matched = 2
    /// How many of the matched bytes came with earlier chunks and are data if the match fails.
    private var owed = 0
    private var headers: [UInt8] = []
    private var preambleCount = 0
    private var partCount = 0
    private var byteCount = 0

    /// Creates a reader for one body.
    ///
    /// - Parameters:
    ///   - contentType: the request's `Content-Type`, which names the boundary.
    ///   - limits: how large the body may be.
    /// - Throws: ``Failure/notMultipart`` or ``Failure/boundaryMissing``.
    public init(contentType: String, limits: Limits = Limits()) throws(Failure) {
        guard let value = HeaderValue(contentType), value.word == "multipart/form-data" else {
            throw .notMultipart
        }
        guard let boundary = value.parameters["boundary"].map({ Array($0.utf8) }),
            Self.isBoundary(boundary)
        else { throw .boundaryMissing }
        delimiter = Array("\r\n--".utf8) + boundary
        self.limits = limits
    }

    /// Reads on, and calls `receive` with each event that is complete.
    ///
    /// - Throws: ``Failure``, or what `receive` throws.
    public mutating func feed(
        _ bytes: Span<UInt8>,
        receive: (borrowing Event) throws -> Void
    ) throws {
        byteCount += bytes.count
        guard byteCount <= limits.bodyBytes else { throw Failure.bodyTooLong(limits.bodyBytes) }
        var index = 0
        while index < bytes.count {
            switch state {
            case .preamble, .data:
                index = try passData(bytes, from: index, receive: receive)
            case .boundaryEnd(let end):
                state = try next(after: end, bytes[index])
                index += 1
            case .headers:
                try readHeader(bytes[index], receive: receive)
                index += 1
            case .epilogue: return
            }
        }
    }

    /// Says that the body has ended.
    ///
    /// - Throws: ``Failure/incomplete`` if the last boundary has not come.
    public func finish() throws(Failure) {
        guard case .epilogue = state else { throw .incomplete }
    }

    /// Hands out data up to the next delimiter or the chunk's end; returns where to read on.
    ///
    /// A carriage return stands only at the start of the delimiter, so a match that fails at some
    /// byte can begin anew at that very byte and nowhere before it.
    private mutating func passData(
        _ bytes: Span<UInt8>,
        from start: Int,
        receive: (borrowing Event) throws -> Void
    ) throws -> Int {
        let delimiter = delimiter
        var index = start
        while index < bytes.count {
            let byte = bytes[index]
            if byte == delimiter[matched] {
                matched += 1
                index += 1
                guard matched == delimiter.count else { continue }
                let runEnd = max(start, index - matched)
                try pass(bytes.extracting(start..<runEnd), receive: receive)
                try endData(receive: receive)
                return index
            }
            if owed > 0 {
                // The match began in an earlier chunk, so all of this one up to here belongs to it.
                let end = matched - (index - start)
                try pass(delimiter.span.extracting((end - owed)..<end), receive: receive)
                owed = 0
            }
            matched = byte == delimiter[0] ? 1 : 0
            index += 1
        }
        let runEnd = max(start, index - matched)
        try pass(bytes.extracting(start..<runEnd), receive: receive)
        owed += index - runEnd
        return index
    }

    private mutating func pass(
        _ bytes: Span<UInt8>,
        receive: (borrowing Event) throws -> Void
    ) throws {
        if bytes.isEmpty { return }
        if case .data = state { return try receive(.data(bytes)) }
        preambleCount += bytes.count
        guard preambleCount <= limits.preambleBytes else {
            throw Failure.preambleTooLong(limits.preambleBytes)
        }
    }

    private mutating func endData(receive: (borrowing Event) throws -> Void) throws {
        if case .data = state { try receive(.end) }
        state = .boundaryEnd(.start)
        matched = 2
        owed = 0
    }

    /// White space may stand between a boundary and its line break (RFC 2046, section 5.1.1).
    private func next(after end: BoundaryEnd, _ byte: UInt8) throws(Failure) -> State {
        switch (end, byte) {
        case (.start, UInt8(ascii: "-")): .boundaryEnd(.dash)
        case (.dash, UInt8(ascii: "-")): .epilogue
        case (.start, UInt8(ascii: "\r")), (.padding, UInt8(ascii: "\r")):
            .boundaryEnd(.carriageReturn)
        case (.start, UInt8(ascii: " ")), (.start, UInt8(ascii: "\t")),
            (.padding, UInt8(ascii: " ")), (.padding, UInt8(ascii: "\t")):
            .boundaryEnd(.padding)
        case (.carriageReturn, UInt8(ascii: "\n")): .headers
        default: throw .malformedBoundary
        }
    }

    private mutating func readHeader(
        _ byte: UInt8,
        receive: (borrowing Event) throws -> Void
    ) throws {
        guard headers.count < limits.headerBytes else {
            throw Failure.headersTooLong(limits.headerBytes)
        }
        headers.append(byte)
        // The blank line that ends them, also where there is no header at all.
        guard byte == UInt8(ascii: "\n"),
            headers.suffix(4) == Array("\r\n\r\n".utf8)[...] || headers == Array("\r\n".utf8)
        else { return }
        guard partCount < limits.parts else { throw Failure.tooManyParts(limits.parts) }
        partCount += 1
        let part = try Part(headers: headers)
        headers.removeAll(keepingCapacity: true)
        state = .data
        try receive(.begin(part))
    }

    /// The characters and the length that RFC 2046, section 5.1.1, gives a boundary.
    private static func isBoundary(_ bytes: [UInt8]) -> Bool {
        let marks = Set("'()+_,-./:=? ".utf8)
        return (1...70).contains(bytes.count) && bytes.last != UInt8(ascii: " ")
            && bytes.allSatisfy { $0.isASCIILetterOrDigit || marks.contains($0) }
    }
}

extension Multipart {
    /// Why a body cannot be read (further).
    public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// The content type is not `multipart/form-data`.
        case notMultipart
        /// The content type names no boundary, or one that cannot be.
        case boundaryMissing
        /// The limit in bytes is the value, here and below.
        case bodyTooLong(Int)
        case tooManyParts(Int)
        case headersTooLong(Int)
        case preambleTooLong(Int)
        /// A part's headers are not well-formed, or do not name the form's field.
        case malformedHeader
        /// A part is sent in a transfer encoding, such as base64, which forms must not use.
        case transferEncoding
        /// Something other than a line break or `--` follows a boundary.
        case malformedBoundary
        /// The body ends before its last boundary.
        case incomplete

        /// The machine word for the API, such as `multipart_incomplete`.
        public var code: String {
            switch self {
            case .notMultipart: "multipart_expected"
            case .boundaryMissing: "multipart_boundary_missing"
            case .bodyTooLong: "body_too_long"
            case .tooManyParts: "multipart_too_many_parts"
            case .headersTooLong: "multipart_headers_too_long"
            case .preambleTooLong: "multipart_preamble_too_long"
            case .malformedHeader: "multipart_malformed_header"
            case .transferEncoding: "multipart_transfer_encoding"
            case .malformedBoundary: "multipart_malformed_boundary"
            case .incomplete: "multipart_incomplete"
            }
        }

        /// A sentence for a person.
        public var description: String {
            switch self {
            case .notMultipart: "The file must be sent as multipart/form-data."
            case .boundaryMissing: "The content type does not name a usable boundary."
            case .bodyTooLong(let limit): "The upload is larger than \(limit) bytes."
            case .tooManyParts(let limit): "The form has more than \(limit) parts."
            case .headersTooLong(let limit):
                "The headers of a part of the form are longer than \(limit) bytes."
            case .preambleTooLong: "The form does not begin with its boundary."
            case .malformedHeader: "The headers of a part of the form are not well-formed."
            case .transferEncoding: "The parts of the form must be sent as they are, not encoded."
            case .malformedBoundary: "A boundary in the form is not well-formed."
            case .incomplete: "The upload is incomplete. Please try again."
            }
        }
    }
}

extension Multipart.Part {
    /// Reads the header lines of a part, with the blank line that ends them.
    fileprivate init(headers: [UInt8]) throws(Multipart.Failure) {
        guard let text = String(validating: headers, as: UTF8.self) else { throw .malformedHeader }
        var values: [String: String] = [:]
        for line in text.split(separator: "\r\n", omittingEmptySubsequences: true) {
            guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) else {
                throw .malformedHeader
            }
            let name = line[..<colon].lowercased()
            let value = line[line.utf8.index(after: colon)...]
            guard HeaderValue.isToken(name), values[name] == nil,
                value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == UInt8(ascii: "\t") })
            else { throw .malformedHeader }
            values[name] = String(value)
        }
        let encoding = values["content-transfer-encoding"].map { HeaderValue($0)?.word }
        guard [nil, "7bit", "8bit", "binary"].contains(encoding) else { throw .transferEncoding }
        guard let disposition = values["content-disposition"].flatMap({ HeaderValue($0) }),
            disposition.word == "form-data", let name = disposition.parameters["name"]
        else { throw .malformedHeader }
        self.name = name
        filename = disposition.parameters["filename"]
        contentType = values["content-type"].flatMap { HeaderValue($0)?.word }
    }
}

/// A header's value of the form `word; name=token; name="text"`.
private struct HeaderValue {
    /// In lower case.
    let word: String
    /// The names in lower case, the values as sent.
    var parameters: [String: String] = [:]

    /// Reads a value, or returns nil if it is not of this form or has a parameter twice.
    init?(_ text: some StringProtocol) {
        var rest = Array(text.utf8)[...]
        let word = rest.removePrefix { $0 != UInt8(ascii: ";") }
        self.word = String(decoding: word.trimmingBlanks, as: UTF8.self).lowercased()
        while rest.popFirst() != nil {
            rest = rest.drop(while: \.isBlank)
            // A last semicolon with nothing behind it is common and harmless.
            if rest.isEmpty { return }
            let name = rest.removePrefix { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ";") }
            guard rest.popFirst() == UInt8(ascii: "=") else { return nil }
            rest = rest.drop(while: \.isBlank)
            guard let value = Self.readValue(&rest) else { return nil }
            let key = String(decoding: name.trimmingBlanks, as: UTF8.self).lowercased()
            guard Self.isToken(key), parameters.updateValue(value, forKey: key) == nil else {
                return nil
            }
            rest = rest.drop(while: \.isBlank)
            guard rest.first == nil || rest.first == UInt8(ascii: ";") else { return nil }
        }
    }

    /// In quotation marks a backslash hides only a mark or another one: browsers send
    /// `C:\leads.csv` as it is.
    private static func readValue(_ rest: inout ArraySlice<UInt8>) -> String? {
        guard rest.first == UInt8(ascii: "\"") else {
            let token = rest.removePrefix { $0 != UInt8(ascii: ";") && !$0.isBlank }
            return String(decoding: token, as: UTF8.self)
        }
        rest.removeFirst()
        var text: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\"), let next = rest.first,
                next == UInt8(ascii: "\"") || next == UInt8(ascii: "\\")
            {
                text.append(rest.removeFirst())
            } else {
                text.append(byte)
            }
        }
        return nil
    }

    /// A word in the sense of RFC 9110, section 5.6.2.
    static func isToken(_ text: String) -> Bool {
        let marks = Set("!#$%&'*+-.^_`|~".utf8)
        return !text.isEmpty
            && text.utf8.allSatisfy { $0.isASCIILetterOrDigit || marks.contains($0) }
    }
}

extension ArraySlice<UInt8> {
    /// Removes and returns the bytes up to the first one for which `condition` is false.
    fileprivate mutating func removePrefix(while condition: (UInt8) -> Bool) -> Self {
        let prefix = prefix(while: condition)
        removeFirst(prefix.count)
        return prefix
    }

    fileprivate var trimmingBlanks: Self {
        var trimmed = drop(while: \.isBlank)
        while trimmed.last?.isBlank == true { trimmed.removeLast() }
        return trimmed
    }
}

extension UInt8 {
    fileprivate var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }

    fileprivate var isASCIILetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}
