import CExpat
import Glibc

/// What comes across while XML is read, told to whoever makes something of it.
protocol XMLReceiver: AnyObject {
    /// An element begins; the element is valid during the call only.
    func begin(_ element: XMLElement) throws
    /// Some of the text between two tags, which may come in several pieces.
    func text(_ bytes: UnsafeBufferPointer<UInt8>) throws
    /// An element has ended.
    func end(_ name: XMLName) throws
}

/// Reads XML, fed in chunks of any size, and keeps nothing of it.
///
/// A document type is refused, and with it every entity of a file's own: no program writes one into a
/// workbook, and a few lines of them can stand for terabytes. Expat's memory is bounded, so that
/// neither depth, nor endless tags, nor ever new names fill it. One reader at a time on a thread.
final class XMLReader {
    /// Why XML cannot be read (further).
    enum Failure: Error {
        case malformed
    }

    /// How much memory Expat may use for the tags of a workbook, of which the longest have some KB.
    private static let memory = 1 << 20

    private let parser: XML_Parser
    private let receiver: any XMLReceiver
    /// What the receiver threw; the parser is stopped and the error thrown on behind it.
    fileprivate var failure: (any Error)?

    /// Creates a reader for one document.
    init(receiver: any XMLReceiver) throws(Failure) {
        guard let parser = CExpatCreate(XMLReader.memory) else { throw .malformed }
        self.parser = parser
        self.receiver = receiver
        XML_SetUserData(parser, Unmanaged.passUnretained(self).toOpaque())
        XML_SetElementHandler(
            parser,
            { reader, name, attributes in
                guard let name, let attributes else { return }
                XMLReader.pass(reader) {
                    try $0.begin(XMLElement(name: XMLName(name), attributes: attributes))
                }
            },
            { reader, name in
                guard let name else { return }
                XMLReader.pass(reader) { try $0.end(XMLName(name)) }
            }
        )
        XML_SetCharacterDataHandler(parser) { reader, start, count in
            guard let start else { return }
            start.withMemoryRebound(to: UInt8.self, capacity: Int(count)) { start in
                XMLReader.pass(reader) {
                    try $0.text(UnsafeBufferPointer(start: start, count: Int(count)))
                }
            }
        }
        XML_SetStartDoctypeDeclHandler(parser) { reader, _, _, _, _ in
            XMLReader.pass(reader) { _ in throw Failure.malformed }
        }
    }

    deinit { XML_ParserFree(parser) }

    /// Reads on.
    ///
    /// - Throws: ``Failure``, or what the receiver throws. Nothing more can be read then.
    func feed(_ bytes: Span<UInt8>) throws {
        try bytes.withUnsafeBytes { try read($0, isLast: false) }
    }

    /// Reads the end of the document.
    ///
    /// - Throws: what ``feed(_:)`` throws.
    func finish() throws {
        try read(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true)
    }

    private func read(_ buffer: UnsafeRawBufferPointer, isLast: Bool) throws {
        let start = buffer.assumingMemoryBound(to: CChar.self).baseAddress
        let status = XML_Parse(parser, start, Int32(buffer.count), isLast ? 1 : 0)
        if let failure { throw failure }
        guard status == XML_STATUS_OK else { throw Failure.malformed }
    }

    private static func pass(
        _ context: UnsafeMutableRawPointer?,
        _ event: (any XMLReceiver) throws -> Void
    ) {
        guard let context else { return }
        let reader = Unmanaged<XMLReader>.fromOpaque(context).takeUnretainedValue()
        // An element without content is ended even after its beginning stopped the parser.
        guard reader.failure == nil else { return }
        do { try event(reader.receiver) } catch {
            reader.failure = error
            XML_StopParser(reader.parser, XML_Bool(XML_FALSE))
        }
    }
}

/// The name of an element or attribute, without the prefix of its namespace; valid during the call
/// that hands it over.
struct XMLName {
    private let start: UnsafePointer<CChar>

    fileprivate init(_ name: UnsafePointer<CChar>) {
        let colon = strchr(name, CInt(UInt8(ascii: ":")))
        start = colon.map { UnsafePointer($0 + 1) } ?? name
    }

    static func == (name: XMLName, text: StaticString) -> Bool {
        text.utf8Start.withMemoryRebound(to: CChar.self, capacity: text.utf8CodeUnitCount + 1) {
            strcmp(name.start, $0) == 0
        }
    }
}

/// The beginning of an element; valid during the call that hands it over.
struct XMLElement {
    let name: XMLName
    /// Names and values by turns, ended by a null.
    fileprivate let attributes: UnsafeMutablePointer<UnsafePointer<CChar>?>

    /// The value of an attribute.
    func attribute(_ name: StaticString) -> String? {
        var next = attributes
        while let found = next.pointee, let value = (next + 1).pointee {
            if XMLName(found) == name { return String(cString: value) }
            next += 2
        }
        return nil
    }
}
