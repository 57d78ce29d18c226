/// Reads fields off the front of an ASCII text; each returns nil (or false) where it does not stand.
struct FieldReader {
    private var rest: Substring.UTF8View

    init(_ text: String) {
        rest = Substring(text).utf8
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard let byte = rest.first, UInt32(byte) == character.value else { return false }
        rest.removeFirst()
        return true
    }

    mutating func digit() -> Int? {
        guard let byte = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        else { return nil }
        rest.removeFirst()
        return Int(byte - UInt8(ascii: "0"))
    }

    mutating func number(digits: Int) -> Int? {
        var value = 0
        for _ in 0..<digits {
            guard let digit = digit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    /// Reads one digit or more as a number of at most `limit`.
    mutating func number(upTo limit: Int) -> Int? {
        guard var value = digit() else { return nil }
        while let digit = digit() {
            value = value * 10 + digit
            guard value <= limit else { return nil }
        }
        return value <= limit ? value : nil
    }

    /// Reads the longest prefix of bytes that `isPart` accepts; it may be empty.
    mutating func prefix(while isPart: (UInt8) -> Bool) -> String {
        let prefix = rest.prefix(while: isPart)
        rest = rest[prefix.endIndex...]
        return String(decoding: prefix, as: UTF8.self)
    }

    mutating func date() -> (year: Int, month: Int, day: Int)? {
        guard let year = number(digits: 4), skip("-"),
            let month = number(digits: 2), skip("-"),
            let day = number(digits: 2)
        else { return nil }
        return (year, month, day)
    }

    /// Reads one digit or more after a decimal point, as thousandths.
    mutating func milliseconds() -> Int? {
        guard var value = digit() else { return nil }
        var read = 1
        while let digit = digit() {
            if read < 3 { value = value * 10 + digit }
            read += 1
        }
        while read < 3 {
            value *= 10
            read += 1
        }
        return value
    }

    /// Reads `Z`, `±hh:mm` or `±hhmm` as seconds east of Greenwich.
    mutating func offset() -> Int? {
        if skip("Z") { return 0 }
        let sign: Int
        if skip("+") {
            sign = 1
        } else if skip("-") {
            sign = -1
        } else {
            return nil
        }
        guard let hours = number(digits: 2), hours < 24 else { return nil }
        _ = skip(":")
        guard let minutes = number(digits: 2), minutes < 60 else { return nil }
        return sign * (hours * 3600 + minutes * 60)
    }
}
