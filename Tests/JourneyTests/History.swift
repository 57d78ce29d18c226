import Foundation

@testable import Core
@testable import World

/// One random history of a few leads, lived by Core and by ``Rules`` side by side.
final class History {
    /// Core and the rules disagree, or a rule that always holds was broken.
    struct Difference: Error, CustomStringConvertible {
        let description: String
    }

    private let world: World
    private let journey: Journey
    private let telephone: Telephone
    private let random: Seeded
    private var rules: Rules
    private var processed: Set<String> = []
    private var schedules: [String] = []
    private var ordersChecked = 0
    private var toolCalls = 0
    /// What happened, for the reader of a failure.
    private(set) var account: [String] = []

    init(seed: UInt64) throws {
        let random = Seeded(seed: seed)
        self.random = random
        world = try World(at: History.start(random), in: World.memory)
        let lines = 1 + random.next(below: 3)
        let channels = Journey.Channels(
            whatsApp: random.next(below: 2) == 0,
            email: random.next(below: 2) == 0
        )
        rules = Rules(
            lines: lines,
            gap: .minutes(45),
            hasWhatsApp: channels.whatsApp,
            hasEmail: channels.email
        )
        journey = Journey(
            gate: ContactGate(
                rules: ContactRules(window: try CallingWindow(setting: "auto"), lines: lines)
            ),
            retryPolicy: RetryPolicy(),
            channels: channels,
            // Many failures in a row are what this is about.
            guardRails: GuardRails(failurePercent: nil),
            zone: try unwrap(Zone(identifier: "Asia/Kolkata"))
        )
        let world = world
        let zones = random
        telephone = Telephone { order in
            let ending = Telephone.Ending.all[zones.next(below: Telephone.Ending.all.count)]
            let wish = zones.next(below: 8)
            return Telephone.Call(
                attemptID: order.attemptID,
                leadUUID: order.leadUUID,
                createdAt: world.now,
                ending: ending,
                isDeclined: ending.isSpoken && wish == 0,
                callback: ending.isSpoken && wish == 1
                    ? world.now + .minutes(zones.next(below: 4000) - 100) : nil
            )
        }
        for index in 0..<(2 + random.next(below: 4)) {
            try addLead(number: "+9198765432\(10 + index)")
        }
    }

    /// A moment near the clocks' changes in London and New York, or at no special time.
    private static func start(_ random: Seeded) -> Instant {
        let days = [
            1_772_841_600_000,  // Saturday 7 March 2026: New York springs forward on Sunday
            1_774_656_000_000,  // Saturday 28 March: London does
            1_792_800_000_000,  // Saturday 24 October: London falls back on Sunday
            1_793_404_800_000,  // Saturday 31 October: New York does
            1_795_411_800_000,  // Monday 23 November
        ]
        let hours = random.next(below: 24)
        return Instant(milliseconds: Int64(days[random.next(below: days.count)])) + .hours(hours)
            + .milliseconds(random.next(below: 3_600_000))
    }

    // MARK: The course of a history

    /// Lives through so many random steps, then lets everything come to its end.
    func run(steps: Int) throws {
        try check()
        for _ in 0..<steps { try step() }
        try settle()
    }

    private func step() throws {
        switch random.next(below: 100) {
        case 0..<20: moveClock()
        case 20..<39: try orchestrate()
        case 39..<58: advanceCall()
        case 58..<76: try deliver()
        case 76..<81: try reconcile()
        case 81: try optIn()
        case 82: try correctNumber()
        case 83: try pauseSchedule()
        case 84: try pausePartner()
        case 85: try callMany()
        case 86..<88: try callByHand()
        case 88..<90: try bookByHand()
        case 90: try createSchedule()
        case 91: try cancelSchedule()
        case 92: try useTool()
        case 93: try optOut()
        case 94: try delete()
        case 95: try comeBack()
        case 96: try pause()
        case 97: try resume()
        case 98: try changePolicy()
        default: loseCall()
        }
        try check()
    }

    /// Nothing goes wrong any more: within weeks everybody has come to an end.
    private func settle() throws {
        account.append("from here on nothing goes wrong")
        let latest = world.now + .days(80)
        while world.now < latest {
            try resume()
            try resumeParts()
            for _ in 0..<4 {
                world.move(by: .milliseconds(1))
                for index in telephone.calls.indices { telephone.advance(index, now: world.now) }
                while !telephone.messages.isEmpty { try deliver(telephone.messages.count - 1) }
                try check()
            }
            try reconcile(failing: [], canList: true)
            try check()
            while try keepNext(answer: nil) { try check() }
            try check()
            let isBusy =
                !rules.live.isEmpty
                || rules.calls.contains { $0.state == .ended && $0.outcome == nil }
            let due = rules.promises.filter { $0.state == .waiting }.map(\.due.lowerBound).min()
            if isBusy {
                world.move(by: .seconds(200))
            } else if let due {
                if due > world.now { world.move(to: due) } else { world.move(by: .minutes(1)) }
            } else {
                break
            }
        }
        let unfinished = rules.leads.filter { lead in
            !lead.isDeleted && [.calling, .waiting].contains(lead.journey)
        }
        guard unfinished.isEmpty, rules.live.isEmpty else {
            throw Difference(description: "\(unfinished.count) leads never came to an end")
        }
    }

    // MARK: Time

    private func moveClock() {
        let now = world.now
        switch random.next(below: 8) {
        case 0: world.move(by: .milliseconds(random.next(below: 90_000)))
        case 1: world.move(by: .minutes(random.next(below: 90)))
        case 2: world.move(by: .hours(random.next(below: 30)))
        case 3: world.move(by: .seconds([59, 60, 89, 90, 179, 180][random.next(below: 6)]))
        case 4, 5:
            // To a promise, or the millisecond before.
            let due = rules.promises.filter { $0.state == .waiting && $0.due.lowerBound > now }
            guard let next = due.map(\.due.lowerBound).min() else { break }
            world.move(to: next - .milliseconds(random.next(below: 2)))
        case 6:
            // To an edge of somebody's calling hours.
            let lead = rules.leads[random.next(below: rules.leads.count)]
            let hours = Openings.of(lead.place, isPromised: random.next(below: 2) == 0).next(now)
            let edges = [hours.lowerBound, hours.upperBound, hours.lowerBound + .minutes(15)]
            let edge =
                edges[random.next(below: 3)] + .milliseconds(random.next(below: 3) - 1)
            if edge > now { world.move(to: edge) }
        default:
            // To the end of the gap after a call.
            guard let last = rules.calls.last else { break }
            let end = last.createdAt + .minutes(45) - .milliseconds(random.next(below: 2))
            if end > now { world.move(to: end) }
        }
        account.append("it is \(world.now)")
    }

    // MARK: Dialing

    private func dialer() throws -> Dialer {
        Dialer(
            database: world.database,
            vapi: telephone.vapi,
            journey: journey,
            locks: try AttemptLocks(path: world.database.companion("attempts")),
            clock: Clock { [world] in world.now }
        )
    }

    private func reconciler() throws -> Reconciler {
        Reconciler(
            database: world.database,
            vapi: telephone.vapi,
            journey: journey,
            locks: try AttemptLocks(path: world.database.companion("attempts")),
            clock: Clock { [world] in world.now }
        )
    }

    private func orchestrate() throws {
        let kinds: [Vapi.Refusal.Kind] = [
            .number, .concurrency, .rate, .key, .billing, .permission, .missing, .policy, .request,
        ]
        switch random.next(below: 12) {
        case 0:
            let kind = kinds[random.next(below: kinds.count)]
            try keepNext(answer: .refused(.init(kind: kind, status: 400, retryAfter: 20)))
        case 1: try keepNext(answer: .notSent(.unreachable))
        case 2: try keepNext(answer: .unknown(cause: "accepted"))
        case 3: try keepNext(answer: .unknown(cause: "status 500"))
        case 4: try keepNext(answer: nil, crashing: .beforePost)
        case 5: try keepNext(answer: nil, crashing: .afterPost)
        default: try keepNext(answer: nil)
        }
    }

    private enum Crash { case beforePost, afterPost }

    /// Keeps the promise that is next, if there is one; the process may die on the way.
    @discardableResult
    private func keepNext(answer: Vapi.Placement?, crashing crash: Crash? = nil) throws -> Bool {
        let dialer = try dialer()
        let now = world.now
        try takeBack()
        let next = rules.nextDue(at: now)
        let reservation = try dialer.reserveNext()
        guard let next else {
            guard case .nothing = reservation else {
                throw Difference(description: "a promise was taken where none was to be kept")
            }
            return false
        }
        let call = rules.keep(next, at: now)
        switch (reservation, call) {
        case (.settled, nil):
            account.append("promise \(next) is held or dropped")
            return true
        case (.attempt(let attempt), let call?):
            account.append(
                "promise \(next) is dialed: \(answer.map { "\($0)" } ?? "accepted")"
                    + (crash.map { ", crash \($0)" } ?? "")
            )
            try check()
            if let crash {
                if crash == .afterPost { telephone.accept(attempt.order) }
                dialer.locks.release(attempt.callID)
                return true
            }
            telephone.answer(answer)
            _ = try dialer.dial(attempt)
            answered(call, answer)
            return true
        default:
            throw Difference(
                description: "promise \(next): Core \(reservation), rules "
                    + (call == nil ? "hold or drop it" : "dial")
            )
        }
    }

    private func answered(_ call: Int, _ answer: Vapi.Placement?) {
        let now = world.now
        let soon = now + .milliseconds(1)...now + .hours(1)
        switch answer {
        case nil, .placed: rules.accepted(call, at: now)
        case .unknown: break
        case .notSent: rules.putBack(call, as: .notPlaced, comesAgain: soon)
        case .refused(let refusal):
            switch refusal.kind {
            case .number: rules.numberRefused(call, at: now)
            case .concurrency, .rate: rules.putBack(call, as: .refused, comesAgain: soon)
            default:
                rules.putBack(call, as: .refused, comesAgain: soon)
                rules.pause(at: now)
            }
        }
    }

    private func callByHand() throws {
        let lead = random.next(below: rules.leads.count)
        let now = world.now
        account.append("an operator calls lead \(lead)")
        telephone.answer(random.next(below: 4) == 0 ? .notSent(.unreachable) : nil)
        let result = try OperatorCalls(dialer: dialer()).call(leadUUID: rules.leads[lead].uuid)
        let verdict = rules.mayCall(rules.leads[lead], .operator, at: now)
        let isPaused =
            rules.pauseHolds(at: now) || rules.isPartnerPaused(rules.leads[lead])
        let isPossible = verdict == .dial || verdict == .stay && !isPaused
        guard isPossible else {
            guard case .notNow = result else {
                throw Difference(description: "an operator's call: \(result), rules \(verdict)")
            }
            return
        }
        let promise = rules.promise(lead, .operator, due: now...now, promisedFor: now, at: now)
        switch (result, rules.keep(promise, at: now)) {
        case (.waiting, nil): break
        case (.dialed(.placed), let call?): answered(call, nil)
        case (.dialed(.notSent), let call?): answered(call, .notSent(.unreachable))
        default: throw Difference(description: "an operator's call: \(result), rules \(verdict)")
        }
    }

    // MARK: Calls and what is heard of them

    private func advanceCall() {
        let open = telephone.calls.indices.filter { !telephone.calls[$0].isAnalysed }
        guard !open.isEmpty else { return }
        let index = open[random.next(below: open.count)]
        world.move(by: .milliseconds(1))  // nothing about a call is over in no time
        telephone.advance(index, now: world.now)
        account.append(
            "call \(telephone.calls[index].attemptID) is \(telephone.calls[index].status)"
        )
    }

    private func loseCall() {
        guard !telephone.calls.isEmpty, random.next(below: 4) == 0 else { return }
        let index = random.next(below: telephone.calls.count)
        telephone.delete(index)
        account.append("Vapi loses call \(telephone.calls[index].attemptID)")
    }

    /// Delivers a message that is on its way, not always the oldest and not always for the last time;
    /// some are lost.
    private func deliver() throws {
        guard !telephone.messages.isEmpty else { return }
        let index = random.next(below: telephone.messages.count)
        if random.next(below: 8) == 0 {
            account.append("message \(telephone.messages[index].status ?? "report") is lost")
            telephone.lose(index)
        } else {
            try deliver(index, isKept: random.next(below: 4) == 0)
        }
    }

    private func deliver(_ index: Int, isKept: Bool = false) throws {
        let message = telephone.messages[index]
        let call = telephone.calls[message.call]
        account.append("\(message.status ?? "report") of call \(call.attemptID) arrives")
        try receive(message.body)
        if isKept { telephone.noteDelivery(of: index) } else { telephone.lose(index) }
        guard processed.insert("\(call.id) \(message.status ?? "report")").inserted,
            let number = try callNumber(call.attemptID)
        else { return }
        switch message.status {
        case "queued": rules.heard(number, .queued, at: world.now)
        case "ringing": rules.heard(number, .ringing, at: world.now)
        case "in-progress": rules.heard(number, .inProgress, at: world.now)
        case "ended": rules.ended(number, at: message.sentAt)
        default: rules.reported(number, report(of: call, isLookedUp: false), at: world.now)
        }
    }

    @discardableResult
    private func receive(_ body: JSON) throws -> VapiWebhooks.Receipt {
        let receipt = try VapiWebhooks(database: world.database, journey: journey)
            .receive(unwrap(VapiMessage(body)), body: body.encoded(), now: world.now)
        guard !receipt.failed else { throw Difference(description: "a webhook was not processed") }
        return receipt
    }

    private func report(of call: Telephone.Call, isLookedUp: Bool) -> Rules.Report {
        let isAnalysed = call.isAnalysed
        return Rules.Report(
            outcome: call.ending.outcome,
            result: call.ending.result,
            endedAt: call.endedAt ?? world.now,
            isDeclined: isAnalysed && call.isDeclined,
            callback: isAnalysed && !call.isDeclined ? call.callback : nil,
            isAnalysed: isAnalysed && (call.isDeclined || call.callback != nil),
            pauses: call.ending.pauses,
            isUntilTomorrow: call.ending.isUntilTomorrow
        )
    }

    private func useTool() throws {
        let talking = telephone.calls.filter { $0.status == "in-progress" }
        guard let call = talking.first, let number = try callNumber(call.attemptID) else { return }
        let lead = rules.calls[number].lead
        guard !rules.leads[lead].isDeleted else { return }
        toolCalls += 1
        let now = world.now
        if random.next(below: 2) == 0 {
            account.append("lead \(lead) opts out during the call")
            let body = call.toolCall("opt_out", [:], id: "tool-\(toolCalls)", now: now)
            try receive(body)
            try receive(body)
            rules.optOut(rules.leads[lead].number)
        } else {
            let time = now + .minutes(random.next(below: 3000) - 50)
            account.append("lead \(lead) asks for a call at \(time)")
            let body = call.toolCall(
                "book_callback",
                ["when_iso": .string(time.iso8601)],
                id: "tool-\(toolCalls)",
                now: now
            )
            let answer = try receive(body).answer
            let hours = Openings.of(rules.leads[lead].place, isPromised: true)
            let isBooked =
                time > now && hours.isOpen(at: time)
                && !rules.mustNotCall(rules.leads[lead], .callback)
            let isSaid = answer["results"]?.array?.first?["result"]?.string != nil
            guard isSaid == isBooked else {
                throw Difference(description: "a callback for \(time): \(answer.text)")
            }
            if isBooked {
                rules.promise(lead, .callback, due: time...time, promisedFor: time, at: now)
                rules.calls[number].hasBooked = true
            } else if !rules.mustNotCall(rules.leads[lead], .callback) {
                rules.calls[number].hasAskedInVain = true
            }
        }
    }

    // MARK: The reconciler

    private func reconcile() throws {
        var failing: Set<String> = []
        for call in telephone.calls where random.next(below: 5) == 0 { failing.insert(call.id) }
        try reconcile(failing: failing, canList: random.next(below: 5) > 0)
    }

    private func reconcile(failing: Set<String>, canList: Bool) throws {
        account.append("the reconciler runs\(canList ? "" : " and cannot list calls")")
        telephone.fail(lookUps: failing, canList: canList)
        _ = try reconciler().run()
        let now = world.now
        let known = telephone.calls
        let before = rules.calls
        for (number, call) in before.enumerated() {
            let attempt = try attemptID(number)
            let truth = known.first { $0.attemptID == attempt }
            let isQuiet =
                call.state == .ended
                ? call.outcome == nil && (call.endedAt ?? now) <= now - .seconds(90)
                : call.state.isLive && call.state != .dialing && call.heardAt <= now - .minutes(3)
            if isQuiet, !failing.contains("vapi-\(attempt)") {
                lookedUp(number, truth?.isDeleted == true ? nil : truth)
            }
        }
        // Attempts without an answer, whose dialers are gone.
        let stuck = rules.calls.indices.filter {
            rules.calls[$0].state == .dialing && rules.calls[$0].createdAt <= now - .seconds(180)
        }
        guard canList else { return }
        for number in stuck {
            let attempt = try attemptID(number)
            if let truth = known.first(where: { $0.attemptID == attempt }), !truth.isDeleted {
                rules.heard(number, .queued, at: now)
                lookedUp(number, truth)
            } else if let first = rules.calls[number].absentAt {
                if now - first >= .seconds(60) {
                    rules.putBack(number, as: .notPlaced, comesAgain: now...now + .hours(1))
                }
            } else {
                rules.calls[number].absentAt = now
            }
        }
        try compare(known, except: stuck, failing, oldestStuck: stuck.first)
    }

    /// What Vapi lists since the last time is held against what we know.
    private func compare(
        _ known: [Telephone.Call],
        except stuck: [Int],
        _ failing: Set<String>,
        oldestStuck: Int?
    ) throws {
        let now = world.now
        let from = max(rules.comparedAt ?? now - .days(1), now - .days(3))
        let oldest = min(from, oldestStuck.map { rules.calls[$0].createdAt } ?? now) - .minutes(5)
        rules.comparedAt = now
        for call in known where call.createdAt >= oldest && !call.isDeleted {
            guard let number = try callNumber(call.attemptID), !stuck.contains(number) else {
                continue
            }
            let ours = rules.calls[number]
            if call.status == "ended" {
                let end = call.endedAt ?? now
                guard ours.state.isLive || ours.state == .ended, ours.outcome == nil,
                    end <= now - .seconds(90), !failing.contains(call.id)
                else { continue }
                lookedUp(number, call)
            } else if ours.state.isLive {
                lookedUp(number, call)
            }
        }
    }

    /// What Vapi knows of a call comes into the books; nil when it knows nothing any more.
    private func lookedUp(_ number: Int, _ truth: Telephone.Call?) {
        let now = world.now
        guard let truth else {
            let end = rules.calls[number].endedAt ?? now
            rules.reported(
                number,
                .init(outcome: .failed, result: .cancelled, endedAt: end),
                at: now
            )
            return
        }
        switch truth.status {
        case "queued": rules.heard(number, .queued, at: now)
        case "ringing": rules.heard(number, .ringing, at: now)
        case "in-progress": rules.heard(number, .inProgress, at: now)
        default:
            // The report has its time to come.
            let end = truth.endedAt ?? now
            rules.ended(number, at: end)
            if end <= now - .seconds(90) {
                rules.reported(number, report(of: truth, isLookedUp: true), at: now)
            }
        }
    }

    // MARK: What people do

    private func addLead(number: String) throws {
        let place = Place.allCases[random.next(below: Place.allCases.count)]
        let hasEmail = random.next(below: 2) == 0
        let partner = random.next(below: 2) == 0 ? "Northwind" : nil
        let uuid = Identifier.random()
        let now = world.now
        let isDeclined = rules.declined.contains(number)
        let isOptedOut = rules.suppressed.contains(number) && !isDeclined
        let state: JourneyState = isOptedOut ? .optedOut : isDeclined ? .declined : .new
        try world.database.write { connection in
            try connection.execute(
                """
                INSERT INTO leads (lead_uuid, name, number, region, timezone, consent_at, email,
                partner, opted_out_at, declined_at, journey_state, created_at, last_updated_at)
                VALUES (\(uuid), 'Asha Rao', \(number), \(place.region), \(place.zone),
                \(place.hasConsent ? now : nil), \(hasEmail ? "\(uuid)@example.com" : nil),
                \(partner), \(isOptedOut ? now : nil), \(isDeclined ? now : nil), \(state), \(now), \(now))
                """
            )
        }
        rules.leads.append(
            Rules.Lead(
                uuid: uuid,
                number: number,
                place: place,
                hasEmail: hasEmail,
                partner: partner
            )
        )
        let lead = rules.leads.count - 1
        account.append("lead \(lead) in \(place) has \(number)")
        if isOptedOut || isDeclined {
            rules.leads[lead].isOptedOut = isOptedOut
            rules.leads[lead].isDeclined = isDeclined
            rules.leads[lead].journey = state
        } else if random.next(below: 3) > 0 {
            let kind: DialKind = random.next(below: 2) == 0 ? .new : .schedule
            let due = now + .minutes(random.next(below: 100))
            try world.promise(uuid, kind, at: due)
            rules.promise(lead, kind, due: due...due, promisedFor: due, at: now)
        }
    }

    private func bookByHand() throws {
        let lead = random.next(below: rules.leads.count)
        let now = world.now
        let time = now + .minutes(1 + random.next(below: 3000))
        account.append("an operator promises lead \(lead) a call at \(time)")
        let callbacks = Callbacks(
            database: world.database,
            journey: journey,
            clock: Clock { [world] in world.now }
        )
        let isRefused = rules.mustNotCall(rules.leads[lead], .callback)
        do {
            _ = try callbacks.promise(rules.leads[lead].uuid, at: time)
            guard !isRefused else {
                throw Difference(description: "a callback was promised to whom none may be")
            }
            let due = rules.shifted(time, lead, .callback)
            rules.promise(lead, .callback, due: due, promisedFor: time, at: now)
        } catch is Callbacks.Refusal {
            guard isRefused else { throw Difference(description: "a callback was refused") }
        }
    }

    private var bulkSchedules: BulkSchedules {
        BulkSchedules(database: world.database, clock: Clock { [world] in world.now })
    }

    private func createSchedule() throws {
        let leads = rules.leads.indices.filter {
            !rules.leads[$0].isDeleted && random.next(below: 2) == 0
        }
        guard !leads.isEmpty else { return }
        let plan = BulkSchedules.Plan(
            leadUUIDs: leads.map { rules.leads[$0].uuid },
            start: world.now + .minutes(1 + random.next(below: 600)),
            parallelCalls: 1 + random.next(below: 2),
            batchInterval: .minutes(random.next(below: 30))
        )
        account.append("a schedule for leads \(leads) at \(plan.start)")
        schedules.append(try bulkSchedules.create(plan, by: "test"))
        for (place, lead) in leads.enumerated() {
            let due = plan.start + plan.batchInterval * (place / plan.parallelCalls)
            // Whoever must not be called may stand in a plan; the gate says so when the time comes.
            rules.promises.append(
                Rules.Promise(
                    lead: lead,
                    kind: .schedule,
                    due: due...due,
                    promisedFor: due,
                    givenAt: world.now,
                    schedule: schedules.count
                )
            )
        }
    }

    private func cancelSchedule() throws {
        guard !schedules.isEmpty else { return }
        let index = random.next(below: schedules.count)
        account.append("schedule \(index + 1) is cancelled")
        _ = try bulkSchedules.cancel(schedules[index], by: "test")
        rules.cancelSchedule(index + 1)
    }

    private func optOut() throws {
        let lead = rules.leads[random.next(below: rules.leads.count)]
        account.append("\(lead.number) opts out")
        let number = try unwrap(PhoneNumber(e164: lead.number))
        try world.database.write {
            try Suppressions.optOut(
                number,
                channel: .whatsapp,
                words: "STOP",
                now: world.now,
                in: $0
            )
        }
        rules.optOut(lead.number)
    }

    /// Somebody writes START, also who never said STOP.
    private func optIn() throws {
        let present = rules.leads.indices.filter { !rules.leads[$0].isDeleted }
        guard !present.isEmpty else { return }
        let lead = present[random.next(below: present.count)]
        account.append("lead \(lead) opts in")
        let now = world.now
        try world.database.write { connection in
            let contact = try Contact.find(uuid: rules.leads[lead].uuid, in: connection)
            try Suppressions.optIn(
                contact,
                number: PhoneNumber(e164: rules.leads[lead].number),
                whatsAppUser: nil,
                words: "START",
                now: now,
                in: connection
            )
        }
        rules.optIn(lead)
    }

    /// A number is corrected by hand, also to one that was somebody else's.
    private func correctNumber() throws {
        // Elsewhere a number of another country would change whose hours count.
        let present = rules.leads.indices.filter {
            !rules.leads[$0].isDeleted && rules.leads[$0].place == .india
        }
        guard !present.isEmpty else { return }
        let lead = present[random.next(below: present.count)]
        let number = "+9198765432\(10 + random.next(below: 12))"
        guard number != rules.leads[lead].number else { return }
        account.append("lead \(lead) is given \(number)")
        let mayHave = rules.mayHave(number, lead)
        do {
            try world.database.write { connection in
                try LeadStore(callsNewLeads: false).edit(
                    rules.leads[lead].uuid,
                    now: world.now,
                    in: connection
                ) { fields in
                    var fields = fields
                    fields.number = try unwrap(PhoneNumber(e164: number))
                    return fields
                }
            }
            guard mayHave else { throw Difference(description: "a number was taken twice") }
            rules.correct(number, of: lead)
        } catch is Failure {
            guard !mayHave else { throw Difference(description: "a number was refused") }
        }
    }

    /// Pauses a schedule, or resumes it.
    private func pauseSchedule() throws {
        guard !schedules.isEmpty else { return }
        let index = random.next(below: schedules.count)
        let isOpen = rules.isOpen(index + 1)
        let isPaused = rules.pauses.contains(.schedule(index + 1))
        account.append("schedule \(index + 1) is \(isPaused ? "resumed" : "paused")")
        do {
            if isPaused {
                _ = try bulkSchedules.resume(schedules[index], by: "test")
            } else {
                _ = try bulkSchedules.pause(schedules[index], by: "test")
            }
            guard isOpen else { throw Difference(description: "a finished schedule was changed") }
            if isPaused {
                rules.resume(schedule: index + 1, at: world.now)
            } else {
                rules.pauses.insert(.schedule(index + 1))
            }
        } catch is BulkSchedules.Over {
            guard !isOpen else { throw Difference(description: "an open schedule is called over") }
        }
    }

    /// Pauses the calls to a partner's leads, or resumes them.
    private func pausePartner() throws {
        let isPaused = rules.pauses.contains(.partner("Northwind"))
        account.append("the partner's calls are \(isPaused ? "resumed" : "paused")")
        let now = world.now
        try world.database.write { connection in
            if isPaused {
                try Pause.end(of: "Northwind", by: "test", now: now, in: connection)
            } else {
                try Pause.set(
                    of: "Northwind",
                    because: "test",
                    by: "test",
                    now: now,
                    in: connection
                )
            }
        }
        if isPaused {
            rules.pauses.remove(.partner("Northwind"))
        } else {
            rules.pauses.insert(.partner("Northwind"))
        }
    }

    private func resumeParts() throws {
        if rules.pauses.contains(.partner("Northwind")) { try pausePartner() }
        for pause in rules.pauses {
            guard case .schedule(let number) = pause, rules.isOpen(number) else { continue }
            _ = try bulkSchedules.resume(schedules[number - 1], by: "test")
            rules.resume(schedule: number, at: world.now)
        }
    }

    /// What the orchestrator does before it dials.
    private func takeBack() throws {
        let places = try world.database.read {
            try DialRequests.endedParkings(at: world.now, in: $0)
        }
        for place in places {
            while try world.database.write({ try DialRequests.unpark(place, in: $0) }) {}
        }
        rules.takeBack()
    }

    /// An operator asks for calls to several leads, in the order of a list.
    private func callMany() throws {
        let now = world.now
        let wanted = rules.leads.indices.filter { _ in random.next(below: 2) == 0 }.reversed()
        account.append("an operator asks for calls to leads \(Array(wanted))")
        let calls = OperatorCalls(dialer: try dialer())
        let answer = try calls.promise(wanted.map { rules.leads[$0].uuid })
        for lead in wanted {
            let uuid = rules.leads[lead].uuid
            let isPromised = answer.requests.values.contains(uuid)
            let isRefused =
                rules.mustNotCall(rules.leads[lead], .operator)
                || rules.isBusy(rules.leads[lead])
            guard isPromised != isRefused,
                isRefused == answer.refused.contains(where: { $0.leadUUID == uuid })
            else { throw Difference(description: "lead \(lead) is called although it must not be") }
            guard isPromised else { continue }
            let first = rules.firstMoment(for: rules.leads[lead], .operator, from: now)
            let due = first.lowerBound > now ? now + .milliseconds(1)...first.upperBound : now...now
            rules.promise(lead, .operator, due: due, promisedFor: now, at: now)
        }
    }

    private func delete() throws {
        let present = rules.leads.indices.filter { !rules.leads[$0].isDeleted }
        guard present.count > 1 else { return }
        let lead = present[random.next(below: present.count)]
        account.append("lead \(lead) is deleted")
        try world.database.write {
            try LeadStore(callsNewLeads: false)
                .delete(rules.leads[lead].uuid, now: world.now, in: $0)
        }
        rules.delete(lead)
    }

    /// A number that was deleted comes back in a list.
    private func comeBack() throws {
        let present = Set(rules.leads.filter { !$0.isDeleted }.map(\.number))
        guard let gone = rules.leads.first(where: { !present.contains($0.number) }) else { return }
        try addLead(number: gone.number)
    }

    private func pause() throws {
        guard random.next(below: 2) == 0 else { return }
        account.append("calling is paused")
        try world.database.write {
            try Pause.set(because: "test", by: "test", now: world.now, in: $0)
        }
        rules.pause(at: world.now)
    }

    private func resume() throws {
        try world.database.write { try Pause.end(by: "test", now: world.now, in: $0) }
        rules.isPaused = false
    }

    private func changePolicy() throws {
        let maximum = random.next(below: 5)
        let intervals = (0...random.next(below: 3)).map { _ in 1 + random.next(below: 30) }
        account.append("\(maximum) retries after \(intervals) hours")
        try world.database.write {
            try RetryPolicy(maximum: maximum, intervals: intervals, unit: .hours)
                .save(by: "test", now: world.now, in: $0)
        }
        rules.retriesAllowed = maximum
        rules.intervals = intervals.map { .hours($0) }
    }

    // MARK: Comparing

    private func callNumber(_ attemptID: String) throws -> Int? {
        try world.value("SELECT id FROM calls WHERE attempt_id = \(attemptID)", as: Int.self)
            .map { $0 - 1 }
    }

    private func attemptID(_ number: Int) throws -> String {
        try unwrap(world.value("SELECT attempt_id FROM calls WHERE id = \(number + 1)"))
    }

    /// Compares everything that Core has stored with what the rules say, and checks what must hold
    /// whatever happens.
    private func check() throws {
        var differences = rules.faults
        try world.database.read { connection in
            try compareLeads(connection, &differences)
            try comparePromises(connection, &differences)
            try compareCalls(connection, &differences)
            let isPaused = try Pause.current(in: connection, now: world.now) != nil
            if isPaused != rules.pauseHolds(at: world.now) {
                differences.append("paused: Core \(isPaused)")
            }
        }
        guard differences.isEmpty else {
            throw Difference(description: differences.joined(separator: "\n"))
        }
    }

    private func compareLeads(_ connection: Connection, _ differences: inout [String]) throws {
        let rows = try connection.rows(
            """
            SELECT call_status, journey_state, retry_count, number_invalid, declined_at IS NOT NULL
            AS declined, opted_out_at IS NOT NULL AS opted_out, deleted_at IS NOT NULL AS deleted,
            next_retry_time,
            (SELECT due_at FROM dial_requests WHERE lead_id = leads.id AND state = 'waiting'
            AND kind = 'retry') AS retry_due,
            (SELECT group_concat(kind || ' ' || json_extract(payload, '$.template'), ', ')
            FROM outbox WHERE lead_id = leads.id AND state = 'queued') AS messages
            FROM leads ORDER BY id
            """
        )
        for (index, row) in rows.enumerated() {
            let lead = rules.leads[index]
            func text(_ name: String) throws -> String { try row.required(name, as: String.self) }
            func flag(_ name: String) throws -> Bool { try row.required(name, as: Bool.self) }
            let core = """
                status \(try text("call_status")), journey \(try text("journey_state")), \
                retries \(try row.required("retry_count", as: Int.self)), \
                bad \(try flag("number_invalid")), declined \(try flag("declined")), \
                opted out \(try flag("opted_out")), deleted \(try flag("deleted")), \
                messages \(row["messages"] as String? ?? "")
                """
            let wanted = """
                status \(lead.status.rawValue), journey \(lead.journey.rawValue), \
                retries \(lead.retries), \
                bad \(lead.isNumberBad), declined \(lead.isDeclined), \
                opted out \(lead.isOptedOut), deleted \(lead.isDeleted), \
                messages \(lead.messages.joined(separator: ", "))
                """
            if core != wanted {
                differences.append("lead \(index)\n  Core:  \(core)\n  rules: \(wanted)")
            }
            let shown: Instant? = row["next_retry_time"]
            let retry: Instant? = row["retry_due"]
            if shown != retry {
                differences.append(
                    "lead \(index) shows a retry at \(shown.map { "\($0)" } ?? "no time"), and it is "
                        + "due at \(retry.map { "\($0)" } ?? "no time")"
                )
            }
        }
    }

    private func comparePromises(_ connection: Connection, _ differences: inout [String]) throws {
        let rows = try connection.rows(
            """
            SELECT lead_id, kind, state, due_at, parked IS NOT NULL AND state = 'waiting' AS parked
            FROM dial_requests ORDER BY id
            """
        )
        if rows.count != rules.promises.count {
            differences.append("promises: Core \(rows.count), rules \(rules.promises.count)")
        }
        for (index, row) in rows.enumerated() where index < rules.promises.count {
            let promise = rules.promises[index]
            let due: Instant = try row.required("due_at")
            let core =
                "lead \(try row.required("lead_id", as: Int.self) - 1) "
                + "\(try row.required("kind", as: String.self)) "
                + (try row.required("state", as: String.self))
                + (try row.required("parked", as: Bool.self) ? ", parked" : "")
            let wanted =
                "lead \(promise.lead) \(promise.kind.rawValue) \(promise.state.rawValue)"
                + (promise.state == .waiting && promise.pause != nil ? ", parked" : "")
            if core != wanted {
                differences.append("promise \(index)\n  Core:  \(core)\n  rules: \(wanted)")
            } else if promise.state == .waiting {
                if !promise.due.contains(due) {
                    differences.append(
                        "promise \(index) of lead \(promise.lead), \(promise.kind)\n  Core:  due \(due)"
                            + "\n  rules: \(promise.due)"
                    )
                }
                rules.promises[index].due = due...due
            }
        }
    }

    private func compareCalls(_ connection: Connection, _ differences: inout [String]) throws {
        let rows = try connection.rows(
            """
            SELECT id, lead_id, state, outcome, counted, created_at, kind, (SELECT count(*) FROM
            journey_steps WHERE call_id = calls.id AND decision = 'dial') AS steps
            FROM calls ORDER BY id
            """
        )
        if rows.count != rules.calls.count {
            differences.append("calls: Core \(rows.count), rules \(rules.calls.count)")
        }
        for (index, row) in rows.enumerated() where index < rules.calls.count {
            let call = rules.calls[index]
            let core =
                "lead \(try row.required("lead_id", as: Int.self) - 1) "
                + "\(try row.required("state", as: String.self)) "
                + "\(row["outcome"] as String? ?? "-") "
                + "counted \(try row.required("counted", as: Bool.self))"
            let wanted =
                "lead \(call.lead) \(call.state.rawValue) \(call.outcome?.rawValue ?? "-") "
                + "counted \(call.counts)"
            if core != wanted {
                differences.append("call \(index)\n  Core:  \(core)\n  rules: \(wanted)")
            }
            if try row.required("steps", as: Int.self) != 1 {
                differences.append("call \(index) has no decision in the lead's history")
            }
        }
    }
}

extension Dialer.Attempt {
    /// What Vapi is sent for it.
    fileprivate var order: Vapi.Order {
        Vapi.Order(
            attemptID: attemptID,
            leadUUID: lead.uuid,
            number: lead.number,
            name: lead.name,
            partner: lead.partner
        )
    }
}
