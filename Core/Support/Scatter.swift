/// Spreads what would else happen at the same moment.
enum Scatter {
    /// A wait shorter than `width`; the same key always gets the same one.
    static func wait(below width: Duration, key: String) -> Duration {
        let width = UInt64(max(1, width.milliseconds))
        // FNV-1a, then MurmurHash3's finalizer: keys that differ in one character part widely.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in key.utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
        }
        hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ hash >> 33) &* 0xc4ce_b9fe_1a85_ec53
        hash ^= hash >> 33
        return .milliseconds(hash % width)
    }
}
