/// What happens next with a lead, as a sentence for the people who look at it.
///
/// It names times, never "in an hour", so that it stays true until something changes.
struct NextAction {
    /// The promise that comes first.
    struct Promise {
        let kind: DialKind
        let dueAt: Instant
        /// When it was promised for; `dueAt` is later when it had to be held.
        let promisedAt: Instant
    }

    let state: JourneyState
    let isNumberInvalid: Bool
    let retryCount: Int
    let promise: Promise?

    /// The sentence; nil when nothing is going to happen by itself.
    func sentence(maximumRetries: Int, zone: Zone) -> String? {
        if state == .calling { return "A call is under way." }
        if let promise {
            let time = promise.dueAt.spoken(in: zone)
            let isHeld = promise.dueAt != promise.promisedAt
            switch promise.kind {
            case .callback: return "Calls back at \(time), as promised."
            case .retry:
                return "Calls again at \(time) (retry \(retryCount) of \(maximumRetries))."
            case .schedule: return "Calls at \(time), as scheduled."
            case .operator, .new:
                return isHeld ? "Calls at \(time)." : "Calls as soon as a line is free."
            }
        }
        switch state {
        case .needsPerson: return "A person should decide what to do next."
        case .fallback: return "Calls are used up, so a message goes out."
        case .unreachable: return "The number must be corrected before another call."
        default: return isNumberInvalid ? "The number must be corrected before a call." : nil
        }
    }
}
