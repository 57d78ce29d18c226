/// How a call ends.
struct Ending: Sendable, Equatable {
    /// A value of Vapi's `endedReason`.
    var reason: String
    /// Whether somebody, or a voicemail, picked up.
    var isConnected: Bool
}

/// What will be said on a call, decided by the number alone.
///
/// The number's last digit decides how the call goes, the other digits which of several scripts and
/// which student it is. The same number always has the same conversation.
struct Conversation: Sendable {
    /// One turn of speech.
    struct Line: Sendable {
        enum Speaker: Sendable { case assistant, customer }
        var speaker: Speaker
        var text: String
        /// Seconds since the call was answered.
        var start: Double
        var end: Double
    }

    /// What the call finds out, as the structured output "Lead qualification" gives it.
    struct Qualification: Sendable {
        var status: String
        var student: Student?
        var visaStatus: String?
        var declined = false
        var callbackTime: String?

        var result: JSON {
            [
                "success_status": .string(status), "country": JSON(student?.country),
                "university": JSON(student?.university), "intake": JSON(student?.intake),
                "visa_status": JSON(visaStatus), "budget": JSON(student?.budget),
                "declined": .bool(declined), "callback_time": JSON(callbackTime),
            ]
        }
    }

    /// A person who may need a room abroad.
    struct Student: Sendable {
        var country: String
        var city: String
        var university: String
        var course: String
        var intake: String
        var visaStatus: String
        /// How the customer puts the visa's status.
        var visaWords: String
        var budget: String
    }

    /// A function tool that the assistant uses when the call has it.
    struct ToolUse: Sendable {
        var name: String
        /// How many lines are spoken before it.
        var after: Int
    }

    var ending: Ending
    var systemPrompt: String
    var lines: [Line]
    var summary: String?
    /// `nil`: nobody was spoken to.
    var qualification: Qualification?
    var tool: ToolUse?
    /// Seconds from picking up to hanging up.
    var duration: Double { (lines.last?.end ?? 0) + 0.8 }

    /// Decides how a call goes.
    ///
    /// - Parameters:
    ///   - request: The accepted call; its number, its variables and its first message matter.
    ///   - callback: The time a customer names who wants to be called back, ISO 8601 and in words.
    ///   - forced: An ending in place of the last digit's.
    init(
        for request: CallRequest,
        callback: (iso: String, words: String),
        forced: Ending? = nil
    ) {
        let number = request.number
        let seed = Conversation.seed(number)
        let digit = number.last { $0.isNumber }.flatMap(\.wholeNumberValue) ?? 0
        let student = Conversation.students[Int(seed % UInt64(Conversation.students.count))]
        let script = Conversation.script(
            digit: digit,
            seed: seed / 64,
            student: student,
            callback.iso
        )

        let words = Conversation.words(for: request, student: student, callback: callback.words)
        let fill = { (text: String) in Conversation.fill(text, with: words) }
        ending = forced ?? script.ending
        let speaks = ending.isConnected
        systemPrompt = fill(Conversation.prompt)
        var turns = speaks ? script.turns.map { Turn($0.speaker, fill($0.text)) } : []
        if speaks, digit != 6, let first = request.overrides["firstMessage"]?.string, !turns.isEmpty
        {
            turns[0].text = Conversation.fillVariables(first, of: request)
        }
        if digit == 6, turns.count > 1 {
            let message = request.overrides["voicemailMessage"]?.string
            turns[1].text =
                message.map { Conversation.fillVariables($0, of: request) } ?? turns[1].text
        }
        lines = Conversation.timed(turns)
        summary = speaks ? fill(script.summary) : nil
        qualification = speaks ? script.qualification : nil
        tool = speaks ? script.tool : nil
    }

    /// A number that is the same for the same text, and well spread (FNV-1a).
    static func seed(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 } >> 8
    }

    // MARK: Words

    private struct Turn {
        var speaker: Line.Speaker
        var text: String

        init(_ speaker: Line.Speaker, _ text: String) {
            self.speaker = speaker
            self.text = text
        }
    }

    /// About 2.6 words a second, as people speak on the phone, with a breath between turns.
    private static func timed(_ turns: [Turn]) -> [Line] {
        var clock = 0.4
        return turns.map { turn in
            let length = max(0.9, Double(turn.text.split(separator: " ").count) / 2.6)
            let line = Line(
                speaker: turn.speaker,
                text: turn.text,
                start: rounded(clock),
                end: rounded(clock + length)
            )
            clock += length + 0.6
            return line
        }
    }

    private static func rounded(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }

    private static func words(
        for request: CallRequest,
        student: Student,
        callback: String
    ) -> [String: String] {
        let variables = request.overrides["variableValues"]
        let named = ["first_name", "firstName", "name", "lead_name"].lazy
            .compactMap { variables?[$0]?.string }.first { !$0.isEmpty }
        let name = named ?? request.body["customer"]?["name"]?.string ?? ""
        let partner = variables?["partner"]?.string ?? ""
        return [
            "name": name.split(separator: " ").first.map(String.init) ?? "there",
            "partner": partner.isEmpty ? "our website" : partner,
            "country": student.country, "city": student.city, "university": student.university,
            "course": student.course, "intake": student.intake, "budget": student.budget,
            "visa": student.visaStatus, "visaWords": student.visaWords,
            "place": ["United Kingdom", "USA"].contains(student.country)
                ? "the \(student.country == "USA" ? "US" : "UK")" : student.country,
            "when": callback,
        ]
    }

    private static func fill(_ text: String, with words: [String: String]) -> String {
        text.replacing(/\{(\w+)\}/) { words[String($0.output.1)] ?? "" }
    }

    /// The part of Liquid that first messages use: `{{name}}`.
    private static func fillVariables(_ text: String, of request: CallRequest) -> String {
        let variables = request.overrides["variableValues"]
        return text.replacing(/\{\{\s*"?([\w.]+)"?[^}]*\}\}/) { match in
            let name = String(match.output.1)
            if name.hasPrefix("customer.") {
                return request.body["customer"]?[String(name.dropFirst(9))]?.string ?? ""
            }
            return variables?[name]?.string ?? ""
        }
    }

    // MARK: Scripts

    private struct Script {
        var ending: Ending
        var turns: [Turn] = []
        var summary = ""
        var qualification: Qualification?
        var tool: ToolUse?
    }

    /// Reads lines that begin with `A:` for the assistant and `C:` for the customer.
    private static func turns(_ text: String) -> [Turn] {
        text.split(separator: "\n").map { line in
            let speaker: Line.Speaker = line.hasPrefix("A:") ? .assistant : .customer
            return Turn(speaker, String(line.dropFirst(3)))
        }
    }

    private static func script(
        digit: Int,
        seed: UInt64,
        student: Student,
        _ callback: String
    ) -> Script {
        func pick<Choice>(_ choices: [Choice]) -> Choice {
            choices[Int(seed % UInt64(choices.count))]
        }
        func spoken(_ text: String, _ summary: String, _ qualification: Qualification) -> Script {
            Script(
                ending: Ending(
                    reason: pick(["customer-ended-call", "assistant-ended-call"]),
                    isConnected: true
                ),
                turns: turns(text),
                summary: summary,
                qualification: qualification
            )
        }
        func unreached(_ reason: String) -> Script {
            Script(ending: Ending(reason: reason, isConnected: false))
        }
        switch digit {
        case 0, 1:
            let (text, summary) = pick(qualified)
            return spoken(
                text,
                summary,
                Qualification(status: "Qualified", student: student, visaStatus: student.visaStatus)
            )
        case 2:
            let (text, summary) = pick(potential)
            var undecided = student
            undecided.university = "Not decided"
            undecided.budget = "Not decided"
            return spoken(
                text,
                summary,
                Qualification(status: "Potential", student: undecided, visaStatus: "Not started")
            )
        case 3:
            let (text, summary) = pick(notQualified)
            return spoken(
                text,
                summary,
                Qualification(status: "Not Qualified", student: nil, visaStatus: nil)
            )
        case 4: return unreached("customer-did-not-answer")
        case 5: return unreached("customer-busy")
        case 6:
            return Script(
                ending: Ending(reason: "voicemail", isConnected: true),
                turns: turns(pick(voicemail)),
                summary: "The call went to voicemail; nobody was spoken to."
            )
        case 7:
            return unreached(
                pick([
                    "twilio-failed-to-connect-call",
                    "call.in-progress.error-providerfault-outbound-sip-503-service-unavailable",
                ])
            )
        case 8:
            let (text, summary) = pick(declines)
            var script = spoken(
                text,
                summary,
                Qualification(status: "Not Qualified", declined: true)
            )
            script.tool = ToolUse(name: "opt_out", after: 4)
            return script
        default:
            let (text, summary) = pick(callbacks)
            var script = spoken(
                text,
                summary,
                Qualification(
                    status: "Potential",
                    student: Student(
                        country: student.country,
                        city: "",
                        university: "",
                        course: "",
                        intake: student.intake,
                        visaStatus: "",
                        visaWords: "",
                        budget: ""
                    ),
                    callbackTime: callback
                )
            )
            script.tool = ToolUse(name: "book_callback", after: 4)
            return script
        }
    }

    private static let prompt = """
        You are Eshwari, a friendly and professional presales associate of Amber, the student housing \
        platform. You are calling {name}, who came to us through {partner}. Your goal is to find out \
        whether {name} plans to study abroad and needs accommodation, and to qualify the lead.

        Style: speak simply and warmly, one question at a time, never more than two sentences. Say at \
        the start that you are an AI assistant. If the person is busy, offer to call back and note the \
        exact time. If the person is not interested or asks not to be called again, apologise, confirm \
        that we will not call again, and end the call.

        Ask, in this order: 1. Which country and city will you study in? 2. Which university and \
        course? 3. Which intake? 4. What is the status of your visa? 5. What is your budget for \
        accommodation, per week or per month? 6. Have you already booked a place to stay?

        Rules: never promise prices, never ask for card details, never argue. Amber's service is free \
        for students. If asked about scholarships, loans or visas, say that a colleague will write by \
        WhatsApp. Close by telling {name} that shortlisted rooms will arrive on WhatsApp.
        """

    private static let students = [
        Student(
            country: "United Kingdom",
            city: "London",
            university: "University College London",
            course: "a master's in data science",
            intake: "January 2027",
            visaStatus: "Approved",
            visaWords: "It's approved, I got it last week",
            budget: "£280 per week"
        ),
        Student(
            country: "Australia",
            city: "Melbourne",
            university: "Monash University",
            course: "a master's in accounting",
            intake: "February 2027",
            visaStatus: "Applied",
            visaWords: "I've applied and I'm waiting to hear back",
            budget: "A$420 per week"
        ),
        Student(
            country: "USA",
            city: "Boston",
            university: "Northeastern University",
            course: "a master's in computer science",
            intake: "Fall 2027",
            visaStatus: "Interview scheduled",
            visaWords: "My interview is scheduled for next month",
            budget: "$1,500 per month"
        ),
        Student(
            country: "Ireland",
            city: "Dublin",
            university: "Trinity College Dublin",
            course: "an MBA",
            intake: "September 2027",
            visaStatus: "Not started",
            visaWords: "I haven't started with it yet",
            budget: "€1,100 per month"
        ),
        Student(
            country: "Canada",
            city: "Toronto",
            university: "York University",
            course: "a bachelor's in business",
            intake: "May 2027",
            visaStatus: "Applied",
            visaWords: "I've applied and I'm waiting to hear back",
            budget: "C$1,400 per month"
        ),
        Student(
            country: "Germany",
            city: "Munich",
            university: "Technical University of Munich",
            course: "a master's in mechanical engineering",
            intake: "April 2027",
            visaStatus: "Blocked account opened",
            visaWords: "The blocked account is open, the appointment is in two weeks",
            budget: "€900 per month"
        ),
        Student(
            country: "United Kingdom",
            city: "Manchester",
            university: "University of Manchester",
            course: "a bachelor's in psychology",
            intake: "September 2027",
            visaStatus: "Offer letter received",
            visaWords: "I've got the offer letter, the application comes next",
            budget: "£190 per week"
        ),
        Student(
            country: "Australia",
            city: "Sydney",
            university: "University of Sydney",
            course: "a master's in public health",
            intake: "July 2027",
            visaStatus: "Approved",
            visaWords: "It's approved, I got it last week",
            budget: "A$480 per week"
        ),
    ]

    private static let qualified = [
        (
            """
            A: Hi {name}, this is Eshwari, an AI assistant calling from Amber. You came to us through {partner}. Is this a good time for two minutes?
            C: Yes, hi, go ahead.
            A: Lovely. Which country and city are you going to study in?
            C: I'm going to {city}, in {place}.
            A: That's a wonderful city. Which university and course is it?
            C: {university}. I'm doing {course}.
            A: Congratulations! And which intake are you joining?
            C: {intake}.
            A: How far along is your visa?
            C: {visaWords}.
            A: Great. What would you like to spend on accommodation?
            C: Around {budget}, bills included if possible.
            A: That works well in {city}. Have you already booked a room somewhere?
            C: No, not yet. I was actually about to start looking.
            A: Perfect timing. I'll send a few shortlisted rooms near {university} on WhatsApp today. Our service is free for students.
            C: That would be great, thank you.
            A: Thank you, {name}. Have a lovely day!
            """,
            "{name} will study {course} at {university} in {city}, {country} ({intake} intake). Visa: {visa}. Needs a room for about {budget}, nothing booked yet. Asked for a shortlist on WhatsApp."
        ),
        (
            """
            A: Hello, am I speaking with {name}? I'm Eshwari, an AI assistant from Amber, the student housing platform.
            C: Yes, speaking. Is this about the accommodation form I filled in?
            A: Exactly, through {partner}. Where are you headed for your studies?
            C: To {place}. I got into {university} for {course}.
            A: Well done! So that would be {city}, and which intake?
            C: {intake}. I want to be there two weeks before classes start.
            A: Sensible. What is the status of your visa?
            C: {visaWords}, my consultant is handling it.
            A: And what budget do you have in mind for your room?
            C: My parents said {budget}, maybe a little more for an en suite.
            A: Noted. Would you prefer a private room or a shared flat?
            C: Private room, but a shared kitchen is fine.
            A: I'll share three options on WhatsApp within the hour. Is this number on WhatsApp?
            C: Yes, the same number. Please send the contract length as well.
            A: I will. Thank you, {name}, and all the best with your move!
            C: Thanks, bye.
            """,
            "{name} has a place at {university} ({course}, {intake}) and wants a private room in {city} for about {budget}. Visa: {visa}. Same number on WhatsApp; wants three options with contract lengths."
        ),
        (
            """
            A: Hi {name}, Eshwari here, the AI assistant from Amber. You asked for help with student housing through {partner}, is that right?
            C: Yes. Sorry, it's a bit noisy here, I'm on the metro.
            A: No problem, I'll be quick. Which city are you moving to?
            C: {city}.
            A: And the university?
            C: {university}, {course}.
            A: When do you start?
            C: {intake}. My flight isn't booked yet, but the dates are fixed.
            A: How is the visa coming along?
            C: {visaWords}.
            A: Good to hear. What can you spend on rent?
            C: Up to {budget}. Is that realistic?
            A: It is, there are good residences within that budget, about twenty minutes from campus.
            C: Then yes, please send me some.
            A: You'll have them on WhatsApp this evening. Is there anything else I should note?
            C: A gym would be nice. That's all.
            A: Noted, a gym. Thank you, {name}, goodbye!
            """,
            "{name} moves to {city}, {country} for {course} at {university} in {intake}. Visa: {visa}. Budget up to {budget}, would like a gym. Wants options on WhatsApp this evening."
        ),
    ]

    private static let potential = [
        (
            """
            A: Hi {name}, this is Eshwari, an AI assistant calling from Amber. You came to us through {partner}. Do you have a minute?
            C: Yes, tell me.
            A: Are you planning to study abroad?
            C: Most probably. I'm thinking of {place}, but I haven't decided on a university.
            A: That's fine. Which intake are you aiming for?
            C: {intake}, if my test score comes in time.
            A: Have you started with the visa?
            C: No, that's too early for me.
            A: Do you have a rough budget for accommodation?
            C: I really don't know, my father will decide that.
            A: Understood. Shall I send a short guide to student housing in {place} on WhatsApp?
            C: Yes, please do that, and maybe talk to me again next month.
            A: I will. All the best for your test, {name}!
            """,
            "{name} considers {country} for {intake} but has no university, visa or budget yet; waits for a test score. Wants a housing guide and to hear from us next month."
        ),
        (
            """
            A: Hello {name}, I'm Eshwari, an AI assistant from Amber. We help students find rooms abroad, you came through {partner}.
            C: Okay. I did apply to a few places, yes.
            A: Where did you apply?
            C: Mainly in {place}. I'm still waiting for two offers.
            A: When would you start?
            C: {intake}, hopefully.
            A: And would you need accommodation there?
            C: Maybe. I have a cousin in {city}, so I might stay with her at first.
            A: That's nice. Many students do that for a few weeks. Have you thought about a budget?
            C: No, not at all.
            A: No worries. I'll send you an overview on WhatsApp, and you can write whenever the offers arrive.
            C: Sure, thank you.
            """,
            "{name} applied in {country} and waits for two offers ({intake}). Might stay with a cousin in {city} at first; no budget yet. Open to an overview on WhatsApp."
        ),
    ]

    private static let notQualified = [
        (
            """
            A: Hi {name}, this is Eshwari, an AI assistant calling from Amber. You came to us through {partner}. Is this a good time?
            C: Yes, but what is it about?
            A: It's about accommodation for your studies abroad. Which country are you going to?
            C: Oh, I'm not going any more. I took a job here in Bengaluru.
            A: Congratulations on the job! So you won't need a room abroad this year or next?
            C: No, I won't. Maybe a friend of mine, but not me.
            A: Thank you for telling me. Your friend is welcome to write to us any time.
            C: Sure. Bye.
            A: Goodbye, {name}, and good luck with the new job!
            """,
            "{name} has dropped the plan to study abroad and works in Bengaluru now. No need for accommodation."
        ),
        (
            """
            A: Hello {name}, I'm Eshwari, an AI assistant from Amber, the student housing platform. You came through {partner}.
            C: Yes, I remember.
            A: May I ask where you are going to study?
            C: I'm already there. I've been living in the university's own hall since last month.
            A: That's great. Is the room booked for the whole year?
            C: Yes, the full course, it's paid already.
            A: Wonderful, then you're all set. Would you need anything for next year?
            C: No, I finish this year and go back home.
            A: Understood. Thank you for your time, {name}, enjoy your studies!
            C: Thank you, bye.
            """,
            "{name} already lives in a university hall, paid for the whole course, and returns home afterwards. No need for accommodation."
        ),
    ]

    private static let declines = [
        (
            """
            A: Hi {name}, this is Eshwari, an AI assistant calling from Amber. You came to us through {partner}. Do you have two minutes?
            C: No. I'm not interested.
            A: I understand. May I ask whether you still plan to study abroad?
            C: Please stop calling me. Take my number off your list.
            A: I'm sorry for the disturbance. I've noted it, and we will not call you again.
            C: Okay. Bye.
            """,
            "{name} is not interested and asked not to be called again."
        ),
        (
            """
            A: Hello {name}, I'm Eshwari, an AI assistant from Amber. We help students with rooms abroad.
            C: Who gave you this number? I don't want these calls.
            A: I'm sorry. Your details came through {partner}.
            C: I never agreed to that. Remove me, and don't contact me again.
            A: Of course. I've removed you, you will not hear from us again. Sorry once more.
            C: Right.
            """,
            "{name} never agreed to be contacted and demanded to be removed."
        ),
    ]

    private static let callbacks = [
        (
            """
            A: Hi {name}, this is Eshwari, an AI assistant calling from Amber. You came to us through {partner}. Is this a good time?
            C: Hi, I do want to talk, but I'm in a class right now.
            A: No problem at all. When may I call you back?
            C: Can you call me {when}? I'm going to {place} and I need a room.
            A: Done, I've noted it: we will call you {when}. Which intake is it, just so we are prepared?
            C: {intake}. Thanks, talk then.
            A: Thank you, {name}. Speak soon!
            """,
            "{name} goes to {country} ({intake}) and needs a room, but was in class. Asked to be called back {when}."
        ),
        (
            """
            A: Hello {name}, I'm Eshwari, an AI assistant from Amber, the student housing platform.
            C: Hello. Yes, {partner} told me you would call, but I'm driving.
            A: Then let's not talk now. What time suits you?
            C: Could you try {when}? It's about {place}, the {intake} intake.
            A: Perfect, I've put it down: {when}. Drive safely!
            C: Thank you, bye.
            """,
            "{name} was driving and asked to be called back {when}. Plans {country}, {intake} intake."
        ),
    ]

    private static let voicemail = [
        """
        C: The person you are calling is not available at the moment. Please leave a message after the tone.
        A: Hi {name}, this is Eshwari from Amber about your student accommodation. We will try you again later. Bye!
        """,
        """
        C: Hi, you've reached my voicemail. I can't take your call, so leave your name and number and I'll get back to you.
        A: Hello {name}, Eshwari from Amber here, the student housing platform. We will call you again another time. Goodbye!
        """,
    ]
}
