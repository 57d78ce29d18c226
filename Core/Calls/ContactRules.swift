/// The configured limits of contacting people (DESIGN section 6).
public struct ContactRules: Sendable {
    /// The calling hours.
    public var window: CallingWindow
    /// How many calls may be live at once, over all processes.
    public var lines: Int
    /// How many dials a number gets in 24 hours.
    public var dialsPerDay: Int
    /// How many dials a number gets in 30 days.
    public var dialsPerMonth: Int
    /// The least time between two dials of a number.
    public var gap: Duration
    /// The regions where nobody is called without recorded consent.
    public var consentRegions: Set<String>

    /// The member states of the European Union.
    public static let europeanUnion: Set<String> = [
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE",
        "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
    ]

    /// Creates rules.
    public init(
        window: CallingWindow,
        lines: Int = 5,
        dialsPerDay: Int = 3,
        dialsPerMonth: Int = 6,
        gap: Duration = .minutes(45),
        consentRegions: Set<String> = ContactRules.europeanUnion.union(["US"])
    ) {
        self.window = window
        self.lines = lines
        self.dialsPerDay = dialsPerDay
        self.dialsPerMonth = dialsPerMonth
        self.gap = gap
        self.consentRegions = consentRegions
    }

    /// Reads `VAPI_CONCURRENT_LIMIT`: how many calls may be live at once, 5 unless set.
    ///
    /// - Throws: ``Environment/Invalid``.
    public static func lines(environment: Environment) throws -> Int {
        try environment.integer("VAPI_CONCURRENT_LIMIT", default: 5, in: 1...1000)
    }

    /// Reads `CALLING_WINDOW`, `VAPI_CONCURRENT_LIMIT`, `CONTACT_*` and `CONSENT_REQUIRED_REGIONS`
    /// (region codes separated by commas; `EU` stands for all of its members, `none` for no region).
    ///
    /// - Throws: ``Environment/Invalid``.
    public init(environment: Environment) throws {
        let setting = environment["CALLING_WINDOW"] ?? "auto"
        do throws(CallingWindow.InvalidSetting) {
            window = try CallingWindow(setting: setting)
        } catch {
            throw Environment.Invalid("CALLING_WINDOW: \(error)")
        }
        lines = try ContactRules.lines(environment: environment)
        dialsPerDay = try environment.integer("CONTACT_CAP_DAY", default: 3, in: 1...100)
        dialsPerMonth = try environment.integer("CONTACT_CAP_MONTH", default: 6, in: 1...1000)
        gap = .minutes(
            try environment.integer("CONTACT_GAP_MINUTES", default: 45, in: 0...10_080)
        )
        consentRegions = []
        let regions = environment["CONSENT_REQUIRED_REGIONS"] ?? "US,EU"
        for region in regions.split(separator: ",").map({ String($0).trimmingSpace() })
        where region != "none" {
            if region == "EU" {
                consentRegions.formUnion(ContactRules.europeanUnion)
            } else if region.count == 2, region.allSatisfy({ $0.isASCII && $0.isUppercase }) {
                consentRegions.insert(region)
            } else {
                throw Environment.Invalid(
                    "CONSENT_REQUIRED_REGIONS must be region codes such as US,DE or EU."
                )
            }
        }
    }
}
