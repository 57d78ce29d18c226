import Foundation

/// A small WAV file that stands for a recorded call: two voices that take turns.
enum Recording {
    /// Which side of the call is heard.
    enum Channel: String, CaseIterable, Sendable {
        case mono, stereo, assistant, customer
    }

    private static let rate = 8000
    private static let seconds = 4

    /// The file: 8 kHz, 8 bits, four seconds; the pitch of the voices depends on the call.
    static func wav(of call: String, _ channel: Channel) -> Data {
        let seed = Conversation.seed(call)
        let assistant = voice(pitch: 210 + Double(seed % 40), speaksIn: [0, 2])
        let customer = voice(pitch: 110 + Double(seed / 64 % 60), speaksIn: [1, 3])
        switch channel {
        case .assistant: return file(assistant, channels: 1)
        case .customer: return file(customer, channels: 1)
        case .mono:
            return file(
                zip(assistant, customer).map { UInt8(clamping: Int($0) + Int($1) - 128) },
                channels: 1
            )
        case .stereo: return file(zip(customer, assistant).flatMap { [$0, $1] }, channels: 2)
        }
    }

    /// A tone with two overtones and the rhythm of syllables, silent while the other speaks.
    private static func voice(pitch: Double, speaksIn turns: Set<Int>) -> [UInt8] {
        (0..<rate * seconds).map { sample in
            guard turns.contains(sample / rate) else { return 128 }
            let time = Double(sample) / Double(rate)
            let syllable = max(0, sin(2 * .pi * 2.5 * time))
            let tone =
                sin(2 * .pi * pitch * time) + sin(4 * .pi * pitch * time) / 2
                + sin(6 * .pi * pitch * time) / 4
            return UInt8(clamping: Int(128 + 40 * syllable * tone))
        }
    }

    private static func file(_ samples: [UInt8], channels: Int) -> Data {
        func bytes(_ value: Int, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        var file = Array("RIFF".utf8) + bytes(36 + samples.count, 4) + Array("WAVEfmt ".utf8)
        file += bytes(16, 4) + bytes(1, 2) + bytes(channels, 2) + bytes(rate, 4)
        file += bytes(rate * channels, 4) + bytes(channels, 2) + bytes(8, 2)
        return Data(file + Array("data".utf8) + bytes(samples.count, 4) + samples)
    }
}
