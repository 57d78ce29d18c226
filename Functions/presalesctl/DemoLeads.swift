import ArgumentParser
import Core

/// Adds invented people, so that a rehearsal can begin at once.
struct DemoLeads: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Adds invented leads to a rehearsal's database."
    )

    mutating func run(with environment: Environment) throws {
        let now = try Clock(environment: environment).now()
        let store = try LeadStore(environment: environment)
        let added = try environment.withRehearsal { database in
            try database.write { connection in
                try DemoLeads.people.filter { person in
                    let fields = try person.fields(now: now)
                    return try store.insert(fields, from: .list, now: now, in: connection) != nil
                }.count
            }
        }
        print("Added \(added) demo leads.")
    }

    private struct Person {
        let name: String
        let number: String
        let partner: String
        var hasConsent = false

        func fields(now: Instant) throws -> LeadFields {
            let number: PhoneNumber
            do {
                number = try PhoneNumber(parsing: self.number, defaultRegion: "IN")
            } catch { throw Refused("A demo lead's number cannot be read: \(error)") }
            var fields = LeadFields(name: name, number: number, numberRaw: self.number)
            let mailbox = name.lowercased().split(separator: " ").joined(separator: ".")
            fields.email = "\(mailbox)@example.com"
            fields.whatsappNumber = number
            fields.partner = partner
            if hasConsent {
                fields.consentAt = now
                fields.consentText = "Yes, call me about my application."
                fields.consentSource = "Web form"
            }
            return fields
        }
    }

    /// The last digit of a number decides how the simulated calls to it go.
    ///
    /// One person lives where it
    /// is still night, one where nobody is called without consent: reasons are worth seeing, too.
    private static let people = [
        Person(name: "Asha Verma", number: "+919876500010", partner: "Physics wallah"),
        Person(name: "Rohan Iyer", number: "+919876500021", partner: "Career Mosaic"),
        Person(name: "Meera Nair", number: "+919876500032", partner: "Physics wallah"),
        Person(name: "Kabir Malhotra", number: "+919876500043", partner: "Leverage Edu"),
        Person(name: "Ananya Reddy", number: "+919876500054", partner: "Career Mosaic"),
        Person(name: "Vikram Singh", number: "+919876500065", partner: "Physics wallah"),
        Person(name: "Isha Kulkarni", number: "+919876500076", partner: "Leverage Edu"),
        Person(name: "Arjun Menon", number: "+919876500087", partner: "Yocket"),
        Person(name: "Diya Banerjee", number: "+919876500098", partner: "Physics wallah"),
        Person(name: "Nikhil Joshi", number: "+919876500109", partner: "Career Mosaic"),
        Person(name: "Priya Sharma", number: "+919876500110", partner: "Yocket"),
        Person(name: "Aditya Rao", number: "+919876500121", partner: "Leverage Edu"),
        Person(name: "Sneha Pillai", number: "+919876500132", partner: "Physics wallah"),
        Person(name: "Harsh Gupta", number: "+919876500140", partner: "Career Mosaic"),
        Person(name: "Kavya Shetty", number: "+919876500151", partner: "Yocket"),
        Person(name: "Manav Desai", number: "+919876500164", partner: "Physics wallah"),
        Person(name: "Ritika Chawla", number: "+919876500170", partner: "Leverage Edu"),
        Person(name: "Siddharth Bose", number: "+919876500182", partner: "Career Mosaic"),
        Person(name: "Tanvi Patil", number: "+919876500190", partner: "Physics wallah"),
        Person(name: "Yash Agarwal", number: "+919876500201", partner: "Yocket"),
        Person(
            name: "Zara Khan",
            number: "+447400123450",
            partner: "Leverage Edu",
            hasConsent: true
        ),
        Person(name: "Neel Shah", number: "+12025550141", partner: "Yocket"),
    ]
}
