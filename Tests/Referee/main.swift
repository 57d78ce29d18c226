// Prints what Core decides, one line a case, for the Python programs beside this file to judge.
// They compile it together with the sources of Core that it needs.
//
//   zones             stdin: zone, seconds        stdout: offset, abbreviation, ISO text, first and
//                                                 last instant (ms) at which its clocks show that
//   reasons           stdin: reason               stdout: reason, outcome, retry, group
//   window COUNT SEED stdin: zone, switch (ms)…   stdout: see `CallingWindowCases`
import Glibc

/// Lines on their way to standard output.
struct Output {
    private var bytes: [UInt8] = []

    mutating func finish(_ line: String) {
        bytes += line.utf8
        bytes.append(UInt8(ascii: "\n"))
        if bytes.count > 1 << 16 { flush() }
    }

    mutating func flush() {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            guard count > 0 else { exit(74) }
            rest = rest.dropFirst(count)
        }
        bytes.removeAll(keepingCapacity: true)
    }
}

func printZones() {
    var output = Output()
    while let line = readLine() {
        let fields = line.split(separator: "\t")
        guard fields.count == 2, let zone = Zone(identifier: String(fields[0])),
            let seconds = Int64(fields[1])
        else {
            output.finish("no such zone")
            continue
        }
        let instant = Instant(milliseconds: seconds * 1000)
        let shown = zone.instants(of: zone.local(at: instant))
        output.finish(
            "\(zone.offset(at: instant))\t\(zone.abbreviation(at: instant))"
                + "\t\(instant.formatted(in: zone))"
                + "\t\(shown.lowerBound.milliseconds)\t\(shown.upperBound.milliseconds)"
        )
    }
    output.flush()
}

func printReasons() {
    var output = Output()
    while let name = readLine() {
        let reason = EndedReason(name)
        output.finish(
            "\(name)\t\(reason.outcome)\t\(reason.retry.rawValue)\t\(reason.group.rawValue)"
        )
    }
    output.flush()
}

/// Cases for the calling window: each clock change ±2 h first, then random ones up to the count.
///
/// A line holds: region, zone (or `-`), setting, `hard` or `usual`, the instant, `open` or
/// `closed`, when that changes (or `-`), the key, and when a call held until then is placed.
struct CallingWindowCases {
    static let settings = [
        "auto", "auto", "auto", "10:00-18:30", "00:00-24:00", "08:15-20:45", "13:00-13:15",
    ]
    static let regions = [
        "IN", "US", "GB", "DE", "AE", "AU", "CA", "RU", "BR", "NZ", "NP", "CL", "IR", "MX", "KZ",
        "PR", "UM", "FR", "ID", "KI", "PT", "ES", "LK", "CN", "MN", "CD", "PF", "+1", "+7", "+44",
        "+61", "+212", "ZZ",
    ]

    let windows: [CallingWindow]
    let zones: [Zone]
    let switches: [(zone: Zone, at: Instant)]
    var random: SplitMix64
    var output = Output()

    mutating func run(count: Int) {
        var printed = 0
        for (zone, moment) in switches {
            for hours in -2...2 {
                printCase(zone: zone, at: moment + .hours(hours) - .milliseconds(1))
                printCase(zone: zone, at: moment + .hours(hours))
                printed += 2
            }
        }
        let years: ClosedRange<Int64> = 1_704_067_200_000...1_924_991_999_999  // 2024 to 2030
        while printed < count {
            printed += 1
            let zone = random.next() % 4 == 0 ? nil : zones.randomElement(using: &random)
            if random.next() % 3 == 0,
                let (switching, moment) = switches.randomElement(using: &random)
            {
                let nearby = Int64.random(in: -7_200_000...7_200_000, using: &random)
                printCase(zone: zone == nil ? nil : switching, at: moment + .milliseconds(nearby))
            } else {
                let moment = Int64.random(in: years, using: &random)
                printCase(zone: zone, at: Instant(milliseconds: moment))
            }
        }
    }

    private mutating func printCase(zone: Zone?, at instant: Instant) {
        let region = CallingWindowCases.regions.randomElement(using: &random) ?? "IN"
        let index = Int.random(in: windows.indices, using: &random)
        let isHard = random.next() % 8 == 0
        let window = windows[index]
        let decision = window.decision(
            region: region,
            zone: zone,
            at: instant,
            hardLimitsOnly: isHard
        )
        var line = "\(region)\t\(zone?.identifier ?? "-")\t\(CallingWindowCases.settings[index])"
        line += "\t\(isHard ? "hard" : "usual")\t\(instant.milliseconds)\t"
        switch decision {
        case .open(let closesAt):
            line += "open\t\(closesAt.milliseconds)"
        case .closed(nil):
            line += "closed\t-"
        case .closed(let opensAt?):
            let key = String(random.next(), radix: 16)
            let placed = window.spread(opensAt, key: key)
            line += "closed\t\(opensAt.milliseconds)\t\(key)\t\(placed.milliseconds)"
        }
        output.finish(line)
    }
}

struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}

func printWindow(count: Int, seed: UInt64) throws {
    var zones: [Zone] = []
    var switches: [(zone: Zone, at: Instant)] = []
    while let line = readLine() {
        let fields = line.split(separator: "\t")
        guard let name = fields.first, let zone = Zone(identifier: String(name)) else { continue }
        zones.append(zone)
        for field in fields.dropFirst() {
            if let moment = Int64(field) { switches.append((zone, Instant(milliseconds: moment))) }
        }
    }
    var cases = CallingWindowCases(
        windows: try CallingWindowCases.settings.map { try CallingWindow(setting: $0) },
        zones: zones,
        switches: switches,
        random: SplitMix64(state: seed)
    )
    cases.run(count: count)
    cases.output.flush()
}

let arguments = CommandLine.arguments
switch arguments.dropFirst().first {
case "zones":
    printZones()
case "reasons":
    printReasons()
case "window" where arguments.count == 4:
    try printWindow(count: Int(arguments[2]) ?? 0, seed: UInt64(arguments[3]) ?? 0)
default:
    print("usage: referee zones | reasons | window COUNT SEED")
    exit(64)
}
