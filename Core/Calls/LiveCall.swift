/// A call that is under way, for whoever must end it.
public struct LiveCall: Sendable {
    /// Where Vapi takes the order to end it; `nil` while Vapi has not told.
    public let controlURL: String?

    /// The call to a number that is under way.
    ///
    /// - Throws: ``Database/Unavailable``.
    public static func find(number: PhoneNumber, in connection: Connection) throws -> LiveCall? {
        try connection.first(
            """
            SELECT control_url FROM calls WHERE \(sql: CallState.liveCondition)
            AND number = \(number.e164)
            """
        ).map { LiveCall(controlURL: $0["control_url"]) }
    }
}
