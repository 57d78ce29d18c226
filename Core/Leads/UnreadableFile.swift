/// Why an uploaded file cannot be read (further): something its sender has to mend.
public protocol UnreadableFile: Error, CustomStringConvertible {
    /// The machine word for the API, such as `csv_unterminated_quote`.
    var code: String { get }
    /// The line or row in question, counted from 1.
    var line: Int? { get }
    /// A sentence for a person.
    var description: String { get }
}
