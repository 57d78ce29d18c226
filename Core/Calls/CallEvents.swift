/// Brings what Vapi reports of a call into the database, in whatever order it comes.
///
/// A call only goes forward through its states. `ended` frees the line and leaves the outcome empty;
/// the end-of-call report (or the call itself, looked up when the report is lost) sets the outcome
/// exactly once, and with it the lead's journey goes on.
public struct CallEvents: Sendable {
    private let journey: Journey

    /// Creates the receiver of events.
    public init(journey: Journey) { self.journey = journey }

    /// What an event did.
    public enum Effect: Sendable, Equatable {
        /// No call of ours is meant.
        case unmatched
        /// Nothing that was not known.
        case none
        case changed
        /// A line is free again.
        case freedLine
    }

    // MARK: Status

    /// Takes in a `status-update`.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func apply(
        _ update: VapiMessage.StatusUpdate,
        now: Instant,
        in connection: Connection
    ) throws -> Effect {
        guard let call = try find(update.identity, in: connection) else { return .unmatched }
        switch update.status {
        case "queued", "scheduled": return try raise(call, to: .queued, update, now, connection)
        case "ringing": return try raise(call, to: .ringing, update, now, connection)
        case "in-progress", "forwarding":
            return try raise(call, to: .inProgress, update, now, connection)
        case "ended", "not-found", "deletion-failed": return try end(call, update, now, connection)
        default: return .none  // Vapi adds states; one that is not known is not an end
        }
    }

    private func raise(
        _ call: CallStore.Stored,
        to state: CallState,
        _ update: VapiMessage.StatusUpdate,
        _ now: Instant,
        _ connection: Connection
    ) throws -> Effect {
        guard call.state.isLive else { return .none }
        let startedAt = state == .inProgress ? update.timestamp ?? now : nil
        try connection.execute(
            """
            UPDATE calls SET heard_at = \(now), absent_at = NULL,
            control_url = ifnull(control_url, \(update.identity.controlURL)),
            started_at = ifnull(started_at, \(startedAt)),
            state = CASE WHEN \(state.rank) > \(call.state.rank) THEN \(state) ELSE state END
            WHERE id = \(call.id)
            """
        )
        guard state.rank > call.state.rank else { return .none }
        let status = state == .inProgress ? LeadStatus.answered : .initiated
        try connection.execute(
            """
            UPDATE leads SET call_status = \(status), last_updated_at = \(now)
            WHERE id = \(call.leadID) AND call_status IN ('initiated', 'answered')
            AND call_status <> \(status)
            """
        )
        try settleRequest(of: call, now, connection)
        return .changed
    }

    private func end(
        _ call: CallStore.Stored,
        _ update: VapiMessage.StatusUpdate,
        _ now: Instant,
        _ connection: Connection
    ) throws -> Effect {
        guard call.state.isLive else { return .none }
        try connection.execute(
            """
            UPDATE calls SET state = 'ended', heard_at = \(now), absent_at = NULL,
            ended_at = \(update.timestamp ?? now), ended_reason = \(update.endedReason)
            WHERE id = \(call.id)
            """
        )
        try settleRequest(of: call, now, connection)
        return .freedLine
    }

    // MARK: Report

    /// Takes in an `end-of-call-report`, or a finished call that was looked up.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func apply(
        _ report: VapiMessage.CallReport,
        now: Instant,
        in connection: Connection
    ) throws -> Effect {
        guard let call = try find(report.identity, in: connection) else { return .unmatched }
        // Refused and not-placed attempts are settled: Vapi itself said that there is no call.
        guard call.state.isLive || call.state == .ended,
            let before = try Contact.find(id: call.leadID, in: connection)
        else { return .none }
        guard !call.hasOutcome else { return try learnLate(report, call, before, now, connection) }
        let endedAt = report.endedAt ?? call.endedAt ?? now
        // That a number is bad says nothing about the one it was corrected to since.
        let isCorrected = call.number != before.number.e164
        let verdict = Verdict(report, isCorrected: isCorrected)
        try store(report, verdict, endedAt, of: call, before, now, connection)
        try settleRequest(of: call, now, connection)
        if verdict.isOurFault {
            try putBack(call, verdict, now, connection)
        } else {
            try finish(call, before, report, verdict, endedAt, now, connection)
        }
        return call.state.isLive ? .freedLine : .changed
    }

    /// Takes in what was said in a call whose outcome was set by a look-up, before Vapi had analysed it.
    ///
    /// The outcome stands. But who declined has declined, and a callback that was wished for is wished
    /// for, however late it is learned.
    private func learnLate(
        _ report: VapiMessage.CallReport,
        _ call: CallStore.Stored,
        _ before: Contact,
        _ now: Instant,
        _ connection: Connection
    ) throws -> Effect {
        guard !call.isAnalysed, let qualification = report.qualification else { return .none }
        try connection.execute(
            """
            UPDATE calls SET reported_at = \(now), summary = ifnull(\(report.summary), summary),
            recording_url = ifnull(\(report.recordingURL), recording_url),
            transcript = ifnull(\(Transcript(report, leadName: before.name).json?.text), transcript),
            success_status = \(qualification.status?.rawValue),
            structured_data = \(qualification.data.text) WHERE id = \(call.id)
            """
        )
        try learn(report, of: call, before, at: call.endedAt ?? now, now, connection)
        if qualification.declined {
            guard before.declinedAt == nil else { return .changed }
            try journey.declined(before, callID: call.id, now: now, in: connection)
        } else if let lead = try Contact.find(id: call.leadID, in: connection) {
            try journey.conversationEnded(
                lead,
                wish: qualification.callbackTime,
                callID: call.id,
                endedAt: call.endedAt ?? now,
                now: now,
                in: connection
            )
        }
        return .changed
    }

    /// What a report means for the attempt.
    private struct Verdict {
        let reason: EndedReason
        let outcome: EndedReason.Outcome
        let result: Workflow.Facts.Result
        /// Whether the attempt does not count and comes again.
        let isOurFault: Bool

        init(_ report: VapiMessage.CallReport, isCorrected: Bool) {
            reason = EndedReason(report.endedReason ?? "unknown-error")
            outcome = reason.outcome(spoken: report.hasSpoken, duration: report.duration)
            let retry = reason.retry(spoken: report.hasSpoken, duration: report.duration)
            switch reason.group {
            // Our account's or configuration's fault: another attempt, unless words were exchanged.
            case .config, .pipelineConfig, .capacity:
                isOurFault = !report.hasSpoken
                result = report.hasSpoken ? .needsPerson : .ourFault
            case .badNumber:
                isOurFault = isCorrected
                result = isCorrected ? .ourFault : .numberBad
            case .cancelled:
                isOurFault = false
                result = .cancelled
            default:
                isOurFault = false
                result =
                    switch (outcome, retry) {
                    case (.completed, _):
                        reason.group == .transferIncomplete ? .handedOver : .completed
                    case (_, .never): .needsPerson
                    default: .notReached
                    }
            }
        }
    }

    private func store(
        _ report: VapiMessage.CallReport,
        _ verdict: Verdict,
        _ endedAt: Instant,
        of call: CallStore.Stored,
        _ lead: Contact,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        let transcript = Transcript(report, leadName: lead.name)
        let qualification = report.qualification
        try connection.execute(
            """
            UPDATE calls SET state = 'ended', heard_at = \(now), absent_at = NULL,
            reported_at = \(now), started_at = ifnull(\(report.startedAt), started_at),
            ended_at = \(endedAt), ended_reason = \(verdict.reason.raw),
            outcome = \(verdict.outcome.rawValue), counted = \(!verdict.isOurFault),
            duration_ms = \(report.duration?.milliseconds), cost = \(report.cost),
            recording_url = \(report.recordingURL), summary = \(report.summary),
            success_status = \(qualification?.status?.rawValue),
            structured_data = \(qualification?.data.text), transcript = \(transcript.json?.text),
            reason = \(verdict.reason.sentence)
            WHERE id = \(call.id)
            """
        )
    }

    /// A call that ended through our own fault: uncounted, and due again.
    ///
    /// All but a full line also pause everything, because the next call would end the same way.
    private func putBack(
        _ call: CallStore.Stored,
        _ verdict: Verdict,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        var until = now + .minutes(1)
        if verdict.reason.retry == .nextDay { until = nextMorning(after: now) }
        try CallStore.restore(
            call,
            until: until,
            because: verdict.reason.group.rawValue,
            sentence: verdict.reason.sentence,
            now: now,
            in: connection
        )
        guard verdict.reason.pausesCalling else { return }
        try Pause.set(
            because: verdict.reason.sentence,
            until: verdict.reason.retry == .nextDay ? until : nil,
            by: "vapi",
            now: now,
            in: connection
        )
    }

    private func nextMorning(after now: Instant) -> Instant {
        var local = journey.zone.local(at: now + .days(1))
        local.hour = 0
        local.minute = 5
        local.second = 0
        return journey.zone.instant(of: local)
    }

    private func finish(
        _ call: CallStore.Stored,
        _ before: Contact,
        _ report: VapiMessage.CallReport,
        _ verdict: Verdict,
        _ endedAt: Instant,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        let hadCompleted = call.previousStatus == .completed
        let status: LeadStatus =
            switch verdict.outcome {
            case .completed: .completed
            case .missed: hadCompleted ? .completed : .missed
            case .failed: hadCompleted ? .completed : .failed
            }
        try learn(
            report,
            of: call,
            before,
            status: status,
            isNumberBad: verdict.result == .numberBad,
            at: endedAt,
            now,
            connection
        )
        guard let lead = try Contact.find(id: call.leadID, in: connection) else { return }
        try JourneyLog.add(
            call.leadID,
            callID: call.id,
            node: Workflow.Node.initiateCall.rawValue,
            decision: verdict.outcome.rawValue,
            reason: verdict.reason.sentence,
            at: now,
            in: connection
        )
        var result = verdict.result
        if hadCompleted, result == .notReached {
            // A lead that was spoken to before stays where that conversation led.
            result = call.previousJourneyState == .needsPerson ? .handedOver : .completed
        }
        try journey.callEnded(
            lead,
            callID: call.id,
            stateBefore: call.previousJourneyState,
            result: result,
            endedAt: endedAt,
            now: now,
            in: connection
        )
        guard report.qualification?.declined != true else { return }
        try journey.conversationEnded(
            lead,
            wish: report.qualification?.callbackTime,
            callID: call.id,
            endedAt: endedAt,
            now: now,
            in: connection
        )
    }

    /// Takes what was said in a call over to the lead, and with it what became of the call: the `status`,
    /// unless the outcome was known before.
    private func learn(
        _ report: VapiMessage.CallReport,
        of call: CallStore.Stored,
        _ before: Contact,
        status: LeadStatus? = nil,
        isNumberBad: Bool = false,
        at endedAt: Instant,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        let qualification = report.qualification
        let transcript = Transcript(report, leadName: before.name)
        let seconds = report.duration.map { Int(($0.milliseconds + 500) / 1000) }
        try connection.execute(
            """
            UPDATE leads SET last_updated_at = \(now), call_status = ifnull(\(status), call_status),
            call_duration = iif(\(status) IS NULL, call_duration, \(seconds)),
            number_invalid = max(number_invalid, \(isNumberBad)),
            recording_url = ifnull(\(report.recordingURL), recording_url),
            summary = ifnull(\(report.summary), summary),
            success_status = ifnull(\(qualification?.status?.rawValue), success_status),
            structured_data = ifnull(\(qualification?.data.text), structured_data),
            country = ifnull(\(qualification?.country), country),
            university = ifnull(\(qualification?.university), university),
            intake = ifnull(\(qualification?.intake), intake),
            visa_status = ifnull(\(qualification?.visaStatus), visa_status),
            budget = ifnull(\(qualification?.budget), budget),
            transcript = ifnull(\(transcript.text), transcript),
            analysis_received_at = CASE WHEN \(qualification != nil || report.summary != nil)
                THEN \(now) ELSE analysis_received_at END,
            declined_at = CASE WHEN \(qualification?.declined == true)
                THEN ifnull(declined_at, \(endedAt)) ELSE declined_at END
            WHERE id = \(call.leadID)
            """
        )
        if qualification?.declined == true {
            try Suppressions.decline(
                before,
                dialed: call.number,
                words: report.summary,
                at: endedAt,
                in: connection
            )
        }
    }

    // MARK: Both

    private func find(_ identity: VapiMessage.Identity, in connection: Connection) throws
        -> CallStore.Stored?
    {
        try CallStore.find(
            vapiCallID: identity.callID,
            attemptID: identity.attemptID,
            in: connection
        )
    }

    /// The promise is kept once Vapi has the call, even if its answer to us was lost.
    private func settleRequest(
        of call: CallStore.Stored,
        _ now: Instant,
        _ connection: Connection
    ) throws {
        try DialRequests.settle(call.requestID, as: .done, now: now, in: connection)
    }
}
