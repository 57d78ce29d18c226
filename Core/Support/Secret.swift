/// A value that must not be shown: it prints as `<secret>` and is read only on purpose.
public struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The value itself, for the one place that needs it.
    public let revealed: String

    /// Creates a secret from its value.
    public init(_ value: String) { revealed = value }

    public var description: String { "<secret>" }
    public var debugDescription: String { "<secret>" }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Whether two byte strings are equal, in a time that tells nothing but their lengths.
    public static func equal(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>)
        -> Bool
    {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for (a, b) in zip(left, right) { difference |= a ^ b }
        return difference == 0
    }

    /// Whether `text` is this secret, in a time that does not depend on where they differ.
    public func matches(_ text: String) -> Bool {
        Secret.equal(Array(revealed.utf8), Array(text.utf8))
    }
}
