@testable import Core

/// The rules of DESIGN 5 to 8 a second time, for Core to be compared with: written from that text and
/// as plainly as can be, with arrays, loops over everything and no database.
///
/// Where the text leaves a choice (how calls are spread over the first quarter of an hour, how soon
/// a call that was put back comes again), the model knows the bounds and takes what Core chose.
struct Rules {
    struct Lead {
        let uuid: String
        var number: String
        let place: Place
        let hasEmail: Bool
        let partner: String?
        var status = LeadStatus.pending
        var journey = JourneyState.new
        var retries = 0
        var isOptedOut = false
        var isDeclined = false
        var isNumberBad = false
        var isDeleted = false
        /// What waits to be sent: `whatsapp lead_followup` and the like.
        var messages: [String] = []

        /// Whether nothing may be planned for this person any more.
        var isClosed: Bool { isOptedOut || isDeclined || isDeleted }
    }

    struct Promise {
        enum State: String { case waiting, claimed, done, cancelled, skipped }
        let lead: Int
        let kind: DialKind
        /// When it comes; more than a moment where a choice is left.
        var due: ClosedRange<Instant>
        var promisedFor: Instant
        /// When it was given, or given anew.
        var givenAt: Instant
        var state = State.waiting
        var schedule: Int?
        /// The call that made it needless.
        var superseded: Int?
        /// The pause of a schedule or a partner for whose end it waits.
        var pause: Pause?
    }

    /// What stops some calls, while others go on.
    enum Pause: Hashable { case schedule(Int), partner(String) }

    struct Call {
        let lead: Int
        /// The number that was dialed.
        let number: String
        let promise: Int
        let createdAt: Instant
        let statusBefore: LeadStatus
        let journeyBefore: JourneyState
        var state = CallState.dialing
        var outcome: EndedReason.Outcome?
        var counts = true
        var isAnalysed = false
        /// Whether a callback was booked during the call, or asked for without a time that can be.
        var hasBooked = false
        var hasAskedInVain = false
        var heardAt: Instant
        var endedAt: Instant?
        var absentAt: Instant?
    }

    /// What a call's report says.
    struct Report {
        var outcome: EndedReason.Outcome
        var result: Workflow.Facts.Result
        var endedAt: Instant
        var isDeclined = false
        var callback: Instant?
        /// Whether it tells what was said at all.
        var isAnalysed = false
        /// For a fault of ours: whether everything pauses, and whether only until the next day.
        var pauses = false
        var isUntilTomorrow = false
    }

    let lines: Int
    let gap: Duration
    let hasWhatsApp: Bool
    let hasEmail: Bool
    var intervals: [Duration] = [.hours(1), .hours(4), .hours(24)]
    var retriesAllowed = 3

    var leads: [Lead] = []
    var promises: [Promise] = []
    var calls: [Call] = []
    var cancelledSchedules: Set<Int> = []
    /// The pauses in force beside the one that stops everything.
    var pauses: Set<Pause> = []
    /// Numbers whose owners opted out or declined.
    var suppressed: Set<String> = []
    var declined: Set<String> = []
    /// Until when Vapi's list has been compared with our calls.
    var comparedAt: Instant?
    var isPaused = false
    var pausedUntil: Instant?

    // MARK: Who may be called

    enum Verdict: Equatable {
        case dial
        /// Not before the first of these moments, and not later than the last.
        case hold(ClosedRange<Instant>)
        case drop
        /// A pause or busy lines hold everybody: the promise stays as it is.
        case stay
    }

    func mayCall(_ lead: Lead, _ kind: DialKind, at now: Instant) -> Verdict {
        if mustNotCall(lead, kind) { return .drop }
        let allowed = firstMoment(for: lead, kind, from: now)
        if allowed.lowerBound > now { return .hold(now + .milliseconds(1)...allowed.upperBound) }
        if pauseHolds(at: now) || isPartnerPaused(lead) { return .stay }
        if freeLines(for: kind, at: now) == 0 { return .stay }
        return .dial
    }

    /// All but callbacks leave a line for each callback of the next ten minutes.
    func freeLines(for kind: DialKind, at now: Instant) -> Int {
        let free = max(0, lines - live.count)
        if kind == .callback { return free }
        let kept = promises.filter {
            $0.state == .waiting && $0.pause == nil && $0.kind == .callback
                && $0.due.lowerBound <= now + .minutes(10)
        }
        return max(0, free - kept.count)
    }

    func mustNotCall(_ lead: Lead, _ kind: DialKind) -> Bool {
        if lead.isClosed || lead.isNumberBad || suppressed.contains(lead.number) { return true }
        if lead.place.needsConsent, !lead.place.hasConsent { return true }
        if kind == .operator || kind == .callback { return false }
        return lead.status == .completed || [.fallback, .exhausted].contains(lead.journey)
    }

    /// The first moment at which nothing about this person or number speaks against a call.
    ///
    /// It is spread over a quarter of an hour where calling hours have to begin first.
    func firstMoment(for lead: Lead, _ kind: DialKind, from now: Instant) -> ClosedRange<Instant> {
        let hours = Openings.of(lead.place, isPromised: kind == .callback)
        var moment = isBusy(lead) ? now + .minutes(1) : now
        var waitsForHours = false
        while true {
            let dials = dials(to: lead.number).filter { $0 > moment - .days(30) }
            if dials.count >= 6 {
                moment = dials[dials.count - 6] + .days(30)
            } else if dials.count >= 3, dials[dials.count - 3] > moment - .days(1) {
                moment = dials[dials.count - 3] + .days(1)
            } else if kind != .operator, kind != .callback, let last = dials.last,
                last > moment - gap
            {
                moment = last + gap
            } else if !hours.isOpen(at: moment) {
                moment = hours.next(moment).lowerBound
                waitsForHours = true
            } else {
                return moment...(waitsForHours ? moment + .minutes(15) : moment)
            }
        }
    }

    /// When a number was dialed, as far as that counts.
    private func dials(to number: String) -> [Instant] {
        calls.filter { $0.number == number && $0.counts }.map(\.createdAt)
    }

    /// Whether a call to this number is under way, or one to this person is over and its outcome
    /// still to come.
    func isBusy(_ lead: Lead) -> Bool {
        calls.contains { call in
            let isOwn = leads[call.lead].uuid == lead.uuid
            return call.state.isLive
                ? isOwn || call.number == lead.number
                : isOwn && call.state == .ended && call.outcome == nil
        }
    }

    func isPartnerPaused(_ lead: Lead) -> Bool {
        lead.partner.map { pauses.contains(.partner($0)) } ?? false
    }

    var live: [Int] { calls.indices.filter { calls[$0].state.isLive } }

    func pauseHolds(at now: Instant) -> Bool {
        isPaused && (pausedUntil.map { $0 > now } ?? true)
    }

    // MARK: Promises

    func waiting(_ lead: Int) -> [Int] {
        promises.indices.filter { promises[$0].lead == lead && promises[$0].state == .waiting }
    }

    /// Promises a call: operator, retry and new once for a lead, a callback once for a time.
    @discardableResult
    mutating func promise(
        _ lead: Int,
        _ kind: DialKind,
        due: ClosedRange<Instant>,
        promisedFor: Instant,
        schedule: Int? = nil,
        at now: Instant
    ) -> Int {
        let same = waiting(lead).first { index in
            let other = promises[index]
            guard other.kind == kind else { return false }
            switch kind {
            case .operator, .retry, .new: return true
            case .callback: return other.promisedFor == promisedFor
            case .schedule: return other.schedule == schedule
            }
        }
        if let same {
            promises[same].due = due
            promises[same].promisedFor = promisedFor
            promises[same].givenAt = now
            return same
        }
        promises.append(
            Promise(
                lead: lead,
                kind: kind,
                due: due,
                promisedFor: promisedFor,
                givenAt: now,
                schedule: schedule
            )
        )
        return promises.count - 1
    }

    mutating func cancel(_ lead: Int, sparingCallbacks: Bool = false) {
        for index in waiting(lead) where !(sparingCallbacks && promises[index].kind == .callback) {
            promises[index].state = .cancelled
        }
    }

    /// The promise whose turn it is: by kind, then by time, then by age.
    func nextDue(at now: Instant) -> Int? {
        guard !pauseHolds(at: now), live.count < lines else { return nil }
        let next = promises.indices
            .filter {
                promises[$0].state == .waiting && promises[$0].pause == nil
                    && promises[$0].due.lowerBound <= now
            }
            .min { left, right in
                (promises[left].kind.place, promises[left].due.lowerBound, left)
                    < (promises[right].kind.place, promises[right].due.lowerBound, right)
            }
        return next.flatMap { freeLines(for: promises[$0].kind, at: now) > 0 ? $0 : nil }
    }

    // MARK: Dialing

    /// Holds or drops a promise, or begins to dial: then the call's number is returned.
    mutating func keep(_ promise: Int, at now: Instant) -> Int? {
        let lead = promises[promise].lead
        if isOfPausedSchedule(promise) {
            setAside(promise, at: now)
            return nil
        }
        var verdict = mayCall(leads[lead], promises[promise].kind, at: now)
        if verdict == .dial, hasBeenSpokenToSince(promise) { verdict = .drop }
        switch verdict {
        case .stay:
            if isPartnerPaused(leads[lead]), !pauseHolds(at: now) { setAside(promise, at: now) }
            return nil
        case .hold(let due):
            promises[promise].due = due
            return nil
        case .drop:
            promises[promise].state = .skipped
            // Nobody is forgotten: who was waiting for this call is a person's business now.
            if leads[lead].journey == .waiting, waiting(lead).isEmpty {
                leads[lead].journey = .needsPerson
            }
            return nil
        case .dial: break
        }
        promises[promise].state = .claimed
        promises[promise].pause = nil
        calls.append(
            Call(
                lead: lead,
                number: leads[lead].number,
                promise: promise,
                createdAt: now,
                statusBefore: leads[lead].status,
                journeyBefore: leads[lead].journey,
                heardAt: now
            )
        )
        for other in waiting(lead)
        where promises[other].kind != .callback && promises[other].due.lowerBound < now + .hours(4)
        {
            promises[other].state = .skipped
            promises[other].superseded = calls.count - 1
        }
        leads[lead].status = .initiated
        leads[lead].journey = .calling
        return calls.count - 1
    }

    private func isOfPausedSchedule(_ promise: Int) -> Bool {
        promises[promise].schedule.map { pauses.contains(.schedule($0)) } ?? false
    }

    /// Takes a promise whose turn it is and that is paused out of the queue, and with it all of its
    /// kind that are due and paused as well.
    private mutating func setAside(_ promise: Int, at now: Instant) {
        for index in promises.indices
        where promises[index].state == .waiting && promises[index].pause == nil
            && promises[index].kind == promises[promise].kind
            && promises[index].due.lowerBound <= now
        {
            let lead = leads[promises[index].lead]
            if let schedule = promises[index].schedule, isOfPausedSchedule(index) {
                promises[index].pause = .schedule(schedule)
            } else if let partner = lead.partner, isPartnerPaused(lead) {
                promises[index].pause = .partner(partner)
            }
        }
    }

    /// Whatever waited for a pause that is over stands in the queue again.
    mutating func takeBack() {
        for index in promises.indices where promises[index].state == .waiting {
            if let pause = promises[index].pause, !pauses.contains(pause) {
                promises[index].pause = nil
            }
        }
    }

    /// Whether a callback is needless, because a later call has been the conversation.
    private func hasBeenSpokenToSince(_ promise: Int) -> Bool {
        promises[promise].kind == .callback
            && calls.contains {
                $0.lead == promises[promise].lead && $0.outcome == .completed
                    && $0.createdAt > promises[promise].givenAt
            }
    }

    /// Vapi has taken the call; what its events have told before stands.
    mutating func accepted(_ call: Int, at now: Instant) {
        if calls[call].state == .dialing { calls[call].state = .queued }
        calls[call].heardAt = max(calls[call].heardAt, now)
        settle(call)
    }

    /// There is no call, through no fault of the person's: all is as before, and comes again.
    mutating func putBack(
        _ call: Int,
        as state: CallState,
        comesAgain due: ClosedRange<Instant>
    ) {
        calls[call].state = state
        calls[call].counts = false
        let lead = calls[call].lead
        leads[lead].status = calls[call].statusBefore
        if leads[lead].journey == .calling { leads[lead].journey = calls[call].journeyBefore }
        for index in promises.indices where promises[index].superseded == call {
            promises[index].superseded = nil
            if !leads[lead].isClosed, !isGivenAnew(index), !isOfCancelledSchedule(index) {
                promises[index].state = .waiting
            }
        }
        let promise = calls[call].promise
        if isOfCancelledSchedule(promise) || leads[lead].isClosed {
            promises[promise].state = .cancelled
        } else if isGivenAnew(promise) {
            promises[promise].state = .skipped
        } else {
            promises[promise].state = .waiting
            promises[promise].due = due
        }
    }

    private func isOfCancelledSchedule(_ promise: Int) -> Bool {
        promises[promise].schedule.map(cancelledSchedules.contains) ?? false
    }

    /// Whether another promise took this one's place while it was being dialed.
    private func isGivenAnew(_ promise: Int) -> Bool {
        let kind = promises[promise].kind
        return [.operator, .retry, .new].contains(kind)
            && waiting(promises[promise].lead).contains { promises[$0].kind == kind }
    }

    /// Vapi said that the number cannot be called.
    mutating func numberRefused(_ call: Int, at now: Instant) {
        calls[call].state = .refused
        calls[call].counts = false
        settle(call)
        leads[calls[call].lead].status = .failed
        leads[calls[call].lead].isNumberBad = true
        goOn(after: call, .numberBad, endedAt: now, at: now)
    }

    private mutating func settle(_ call: Int) {
        if promises[calls[call].promise].state == .claimed {
            promises[calls[call].promise].state = .done
        }
    }

    // MARK: What Vapi tells

    mutating func heard(_ call: Int, _ state: CallState, at now: Instant) {
        guard calls[call].state.isLive else { return }
        calls[call].heardAt = now
        calls[call].absentAt = nil
        guard state.rank > calls[call].state.rank else { return }
        calls[call].state = state
        leads[calls[call].lead].status = state == .inProgress ? .answered : .initiated
        settle(call)
    }

    /// The line is free; the outcome is still to come.
    mutating func ended(_ call: Int, at end: Instant) {
        guard calls[call].state.isLive else { return }
        calls[call].state = .ended
        calls[call].endedAt = end
        settle(call)
    }

    mutating func reported(_ call: Int, _ report: Report, at now: Instant) {
        let lead = calls[call].lead
        if calls[call].outcome != nil {
            // The outcome stands. But what the person said in the call counts, however late it comes.
            if !calls[call].isAnalysed, report.isAnalysed { said(report, call, at: now) }
            return
        }
        guard calls[call].state.isLive || calls[call].state == .ended else { return }
        calls[call].isAnalysed = report.isAnalysed
        calls[call].state = .ended
        calls[call].outcome = report.outcome
        calls[call].endedAt = report.endedAt
        settle(call)
        // A number that was wrong and has been corrected since is called again.
        let isCorrected = report.result == .numberBad && calls[call].number != leads[lead].number
        if report.result == .ourFault || isCorrected {
            let latest = now + (report.isUntilTomorrow ? .days(2) : .hours(1))
            putBack(call, as: .ended, comesAgain: now + .milliseconds(1)...latest)
            if report.pauses { pause(at: now, until: report.isUntilTomorrow ? tomorrow(now) : nil) }
            return
        }
        let hadCompleted = calls[call].statusBefore == .completed
        leads[lead].status = hadCompleted ? .completed : report.outcome.status
        if report.isDeclined { decline(lead, calls[call].number) }
        if report.result == .numberBad { leads[lead].isNumberBad = true }
        let missedAgain = hadCompleted && report.result == .notReached
        // Whom a person should have called still waits for that person.
        let afterConversation: Workflow.Facts.Result =
            calls[call].journeyBefore == .needsPerson ? .handedOver : .completed
        goOn(
            after: call,
            missedAgain ? afterConversation : report.result,
            endedAt: report.endedAt,
            at: now
        )
        said(report, call, at: now)
    }

    /// Who declines is not contacted any more, also when the number comes back in a list.
    private mutating func decline(_ lead: Int, _ dialed: String) {
        leads[lead].isDeclined = true
        leads[lead].messages = []
        for number in [leads[lead].number, dialed] where suppressed.insert(number).inserted {
            declined.insert(number)
        }
    }

    private mutating func said(_ report: Report, _ call: Int, at now: Instant) {
        let lead = calls[call].lead
        if report.isDeclined {
            let isKnown = leads[lead].isDeclined
            decline(lead, calls[call].number)
            guard !isKnown else { return }
            if !leads[lead].isOptedOut, !leads[lead].isDeleted {
                cancel(lead)
                leads[lead].journey = .declined
            }
            return
        }
        // What was booked during the call stands; else the analysis may name a time, else a person
        // arranges what was asked for.
        if calls[call].hasBooked { return }
        if let time = report.callback {
            if mustNotCall(leads[lead], .callback) { return }
            if time > now, time < now + .days(60) {
                let due = shifted(time, lead, .callback)
                promise(lead, .callback, due: due, promisedFor: time, at: now)
                return
            }
        } else if !calls[call].hasAskedInVain {
            return
        }
        if ![.declined, .optedOut, .calling].contains(leads[lead].journey) {
            leads[lead].journey = .needsPerson
        }
    }

    /// Five past midnight in India, where the team reads its clocks.
    private func tomorrow(_ now: Instant) -> Instant {
        let day: Int64 = 86_400_000
        let india: Int64 = 19_800_000
        let midnight = ((now.milliseconds + india) / day + 1) * day - india
        return Instant(milliseconds: midnight) + .minutes(5)
    }

    // MARK: The journey

    private mutating func goOn(
        after call: Int,
        _ result: Workflow.Facts.Result,
        endedAt: Instant,
        at now: Instant
    ) {
        let lead = calls[call].lead
        let before = calls[call].journeyBefore
        if leads[lead].isOptedOut || leads[lead].isDeleted { return }
        if leads[lead].isDeclined {
            cancel(lead)
            leads[lead].journey = .declined
            return
        }
        switch result {
        case .completed, .handedOver:
            cancel(lead, sparingCallbacks: true)
            leads[lead].journey = result == .completed ? .completed : .needsPerson
            let others = calls.indices.filter { calls[$0].lead == lead && $0 != call }
            if others.contains(where: { calls[$0].outcome == .completed }) { return }
            if hasWhatsApp, !leads[lead].isNumberBad {
                leads[lead].messages.append("whatsapp lead_followup")
            } else if hasEmail, leads[lead].hasEmail {
                leads[lead].messages.append("email lead_followup")
            }
        case .cancelled, .needsPerson:
            // What a person has planned stands; nothing else is called by itself.
            for index in waiting(lead) where [.retry, .new].contains(promises[index].kind) {
                promises[index].state = .cancelled
            }
            leads[lead].journey = .needsPerson
        case .numberBad:
            cancel(lead)
            leads[lead].journey = .unreachable
            writeInstead(lead, before, mayWhatsApp: false)
        case .notReached where leads[lead].retries < retriesAllowed:
            let interval = intervals[min(leads[lead].retries, intervals.count - 1)]
            let wanted = endedAt + interval
            // Spread, so that what failed together does not come back together.
            let latest = wanted + min(.milliseconds(interval.milliseconds / 60), .minutes(5))
            // Of a span in which the hours begin, one end is spread over them and the other is not.
            let (first, last) = (shifted(wanted, lead, .retry), shifted(latest, lead, .retry))
            let due = first.lowerBound...max(first.upperBound, last.upperBound)
            leads[lead].retries += 1
            leads[lead].journey = .waiting
            promise(lead, .retry, due: due, promisedFor: wanted, at: now)
        case .notReached:
            cancel(lead, sparingCallbacks: true)
            let isWrittenTo = leads[lead].messages.contains { $0.hasSuffix("retry_fallback") }
            if before == .fallback, isWrittenTo {
                leads[lead].journey = .fallback
                return
            }
            leads[lead].journey = .exhausted
            writeInstead(lead, before, mayWhatsApp: true)
        case .ourFault: break
        }
    }

    /// When calls are of no use any more: WhatsApp, else e-mail.
    private mutating func writeInstead(_ lead: Int, _ before: JourneyState, mayWhatsApp: Bool) {
        if mayWhatsApp, hasWhatsApp, !leads[lead].isNumberBad {
            leads[lead].messages.append("whatsapp retry_fallback")
        } else if hasEmail, leads[lead].hasEmail {
            leads[lead].messages.append("email retry_fallback")
        } else {
            return
        }
        leads[lead].journey = .fallback
    }

    /// A time, or the first quarter of an hour of the calling hours after it.
    func shifted(_ time: Instant, _ lead: Int, _ kind: DialKind) -> ClosedRange<Instant> {
        let hours = Openings.of(leads[lead].place, isPromised: kind == .callback)
        if hours.isOpen(at: time) { return time...time }
        let opens = hours.next(time).lowerBound
        return opens...opens + .minutes(15)
    }

    // MARK: What people do

    mutating func optOut(_ number: String) {
        suppressed.insert(number)
        declined.remove(number)
        for lead in leads.indices where leads[lead].number == number && !leads[lead].isDeleted {
            guard !leads[lead].isOptedOut else { continue }
            leads[lead].isOptedOut = true
            leads[lead].journey = .optedOut
            leads[lead].messages = []
            cancel(lead)
        }
    }

    /// Whoever asks to be contacted again is, but nothing that was cancelled comes back by itself.
    mutating func optIn(_ lead: Int) {
        if !declined.contains(leads[lead].number) { suppressed.remove(leads[lead].number) }
        guard leads[lead].isOptedOut else { return }
        leads[lead].isOptedOut = false
        leads[lead].journey =
            leads[lead].isDeclined
            ? .declined
            : leads[lead].status == .completed
                ? .completed : leads[lead].status == .pending ? .new : .needsPerson
    }

    /// Whether a lead may have this number now.
    func mayHave(_ number: String, _ lead: Int) -> Bool {
        !live.contains { calls[$0].lead == lead }
            && !leads.contains { $0.number == number && !$0.isDeleted }
    }

    /// What was known of the old number no longer counts; what its new owner has said does.
    mutating func correct(_ number: String, of lead: Int) {
        leads[lead].number = number
        leads[lead].isNumberBad = false
        if leads[lead].journey == .unreachable { leads[lead].journey = .new }
        guard suppressed.contains(number) else { return }
        if declined.contains(number) {
            guard !leads[lead].isDeclined else { return }
            leads[lead].isDeclined = true
            if !leads[lead].isOptedOut { leads[lead].journey = .declined }
        } else {
            guard !leads[lead].isOptedOut else { return }
            leads[lead].isOptedOut = true
            leads[lead].journey = .optedOut
        }
        leads[lead].messages = []
        cancel(lead)
    }

    mutating func delete(_ lead: Int) {
        leads[lead].isDeleted = true
        leads[lead].messages = []
        cancel(lead)
    }

    mutating func pause(at now: Instant, until: Instant? = nil) {
        guard !pauseHolds(at: now) else { return }
        isPaused = true
        pausedUntil = until
    }

    /// Whether calls of a schedule are still to come.
    func isOpen(_ schedule: Int) -> Bool {
        !cancelledSchedules.contains(schedule)
            && promises.contains { $0.schedule == schedule && $0.state == .waiting }
    }

    /// What came due during the pause is due now, and the rest keeps its distance to it; but a call
    /// that was moved to a time of its own keeps that time.
    mutating func resume(schedule: Int, at now: Instant) {
        guard pauses.remove(.schedule(schedule)) != nil else { return }
        let waiting = promises.indices.filter {
            promises[$0].schedule == schedule && promises[$0].state == .waiting
        }
        let planned = waiting.filter { promises[$0].due.lowerBound == promises[$0].promisedFor }
        let delay = planned.map { now - promises[$0].promisedFor }.max() ?? .zero
        for index in planned where delay > .zero {
            promises[index].promisedFor += delay
            promises[index].due = promises[index].promisedFor...promises[index].promisedFor
        }
        for index in waiting { promises[index].pause = nil }
    }

    mutating func cancelSchedule(_ schedule: Int) {
        cancelledSchedules.insert(schedule)
        for index in promises.indices
        where promises[index].schedule == schedule && promises[index].state == .waiting {
            promises[index].state = .cancelled
        }
    }

    // MARK: What must hold whatever happens

    /// What is wrong with this state, if anything: nobody is forgotten, nobody is called who must
    /// not be, the lines suffice.
    var faults: [String] {
        var faults: [String] = []
        if live.count > lines { faults.append("more calls than lines") }
        for (index, lead) in leads.enumerated() {
            let waiting = waiting(index)
            let own = calls.filter { $0.lead == index }
            let isUnderWay = own.contains {
                $0.state.isLive || $0.state == .ended && $0.outcome == nil
            }
            let liveOnNumber = live.filter { calls[$0].number == lead.number }
            if liveOnNumber.count > 1 { faults.append("lead \(index): two live calls") }
            // Somebody may put them on a schedule nevertheless; the gate says no when it is due.
            if lead.isClosed, waiting.contains(where: { promises[$0].kind != .schedule }) {
                faults.append("lead \(index): closed, and a call is promised")
            }
            if !lead.isClosed, lead.journey == .waiting, waiting.isEmpty {
                faults.append("lead \(index): waits, and no call is promised")
            }
            if !lead.isClosed, lead.journey == .calling, !isUnderWay {
                faults.append("lead \(index): no call is under way")
            }
            if [.initiated, .answered].contains(lead.status), !isUnderWay {
                faults.append("lead \(index): status of a call that is not under way")
            }
        }
        return faults
    }
}

extension DialKind {
    /// The place in the order of promises: callback, operator, retry, schedule, new.
    fileprivate var place: Int {
        switch self {
        case .callback: 1
        case .operator: 2
        case .retry: 3
        case .schedule: 4
        case .new: 5
        }
    }
}

extension EndedReason.Outcome {
    fileprivate var status: LeadStatus {
        switch self {
        case .completed: .completed
        case .missed: .missed
        case .failed: .failed
        }
    }
}
