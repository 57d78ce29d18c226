/// All time zones that the clocks of a telephone number's region may keep.
///
/// A number says which country its owner came from, not where in it the owner lives, so no zone is
/// guessed from an area code. The list is tzdata's `zone.tab`.
public enum RegionZones {
    /// The zones of a region.
    ///
    /// - Parameter region: an ISO 3166 code such as `IN`, or, where only the calling code is known,
    ///   a calling code that several regions share, such as `+1`: then the zones of all of them.
    /// - Returns: none if the region is unknown or one of its zones cannot be read.
    public static func zones(of region: String) -> [Zone] {
        regions(of: region).flatMap { table[$0] ?? [] }
    }

    /// The ISO 3166 codes that a region may stand for: itself, or all that share a calling code.
    public static func regions(of region: String) -> [String] {
        guard region.hasPrefix("+") else { return [region] }
        return shared[region] ?? []
    }

    /// The calling code of a number, if several regions share it.
    ///
    /// It is what is known of the region of a number that is possible but in no range that
    /// libphonenumber knows, such as one with a new American area code.
    ///
    /// - Parameter e164: the number as `+12345678901`.
    /// - Returns: `+1`, or nil if the number's calling code belongs to one region only.
    public static func sharedCallingCode(of e164: String) -> String? {
        // Calling codes are prefix-free: at most one fits.
        shared.keys.first { e164.hasPrefix($0) }
    }

    /// Calling codes of several regions, as in libphonenumber's metadata.
    ///
    /// American Samoa, Guam and the Northern Marianas are missing from `+1`: each has one area code
    /// of its own, so a number whose area code is unknown is not theirs.
    private static let shared = [
        "+1": [
            "US", "CA", "AG", "AI", "BB", "BM", "BS", "DM", "DO", "GD", "JM", "KN", "KY", "LC",
            "MS", "PR", "SX", "TC", "TT", "VC", "VG", "VI",
        ],
        "+7": ["RU", "KZ"],
        "+39": ["IT", "VA"],
        "+44": ["GB", "GG", "IM", "JE"],
        "+47": ["NO", "SJ"],
        "+61": ["AU", "CC", "CX"],
        "+212": ["MA", "EH"],
        "+262": ["RE", "YT"],
        "+290": ["SH", "TA"],
        "+358": ["FI", "AX"],
        "+590": ["GP", "BL", "MF"],
        "+599": ["CW", "BQ"],
    ]

    /// Telephone regions without a row in `zone.tab`: Ascension, Tristan da Cunha and Kosovo.
    private static let unlisted = [
        "AC": "Atlantic/St_Helena", "TA": "Atlantic/St_Helena", "XK": "Europe/Belgrade",
    ]

    private static let table = zones(listedIn: Zone.databaseFile(named: "zone.tab") ?? [])

    /// Reads a `zone.tab`: region, coordinates and zone, separated by tabs, a zone a line.
    ///
    /// A region of which one zone cannot be read is left out: without that zone it would seem to be
    /// open longer than it is.
    static func zones(listedIn text: [UInt8]) -> [String: [Zone]] {
        var identifiers = unlisted.mapValues { [$0] }
        for line in text.split(separator: UInt8(ascii: "\n")) {
            guard line.first != UInt8(ascii: "#") else { continue }
            let columns = line.split(separator: UInt8(ascii: "\t"))
            guard columns.count >= 3 else { continue }
            let region = String(decoding: columns[0], as: UTF8.self)
            identifiers[region, default: []].append(String(decoding: columns[2], as: UTF8.self))
        }
        return identifiers.compactMapValues { identifiers in
            let zones = identifiers.compactMap(Zone.init(identifier:))
            return zones.count == identifiers.count ? zones : nil
        }
    }
}
