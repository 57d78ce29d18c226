/// How far an attempt to call somebody has come.
///
/// While it is ``isLive`` it occupies a line, the lead and the number.
public enum CallState: String, Sendable, SQLConvertible, CaseIterable {
    /// Decided and written down; Vapi may or may not know of it yet.
    case dialing
    case queued
    case ringing
    case inProgress = "in_progress"
    /// Over; its outcome may still be on the way.
    case ended
    /// Vapi said no: there was no call.
    case refused
    /// There was certainly no call.
    case notPlaced = "not_placed"

    /// The condition that a row of `calls` occupies a line, word for word as the partial indexes have
    /// it: with bound values SQLite would not find them, and read every call there ever was.
    static let liveCondition: SQL = "state IN ('dialing', 'queued', 'ringing', 'in_progress')"

    public var isLive: Bool {
        switch self {
        case .dialing, .queued, .ringing, .inProgress: true
        case .ended, .refused, .notPlaced: false
        }
    }

    /// The order in which a call goes through its states; it never goes back.
    public var rank: Int {
        switch self {
        case .dialing: 0
        case .queued: 1
        case .ringing: 2
        case .inProgress: 3
        case .ended, .refused, .notPlaced: 4
        }
    }

    /// The lead's `call_status` while a call is in this state.
    public var leadStatus: LeadStatus {
        self == .inProgress || self == .ended ? .answered : .initiated
    }
}

/// The six values of a lead's `call_status`.
public enum LeadStatus: String, Sendable, SQLConvertible, CaseIterable {
    case pending, initiated, answered, missed, failed, completed
}

/// Why somebody is to be called; also the order in which promises are kept.
public enum DialKind: String, Sendable, SQLConvertible, CaseIterable {
    /// The lead asked for a call at a time.
    case callback
    /// A person pressed the button.
    case `operator`
    /// Nobody answered before.
    case retry
    /// Part of a bulk schedule.
    case schedule
    /// A new lead, where new leads are called by themselves.
    case new

    /// The place in the order of promises, 1 first.
    public var rank: Int { (DialKind.allCases.firstIndex(of: self) ?? 0) + 1 }
}
