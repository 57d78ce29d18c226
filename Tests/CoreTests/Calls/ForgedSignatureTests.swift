import Foundation
import Synchronization
import Testing

@testable import Core
@testable import World

/// Webhooks that somebody made up from a genuine one.
@Suite struct ForgedSignatureTests {
    private static let secret = "a-webhook-secret-of-some-length"
    private static let now = World.monday
    private static let body = Array(#"{"message":{"type":"status-update","status":"ended"}}"#.utf8)

    /// A way to prove who one is, and a proof of it.
    private enum Way: CaseIterable {
        case header, bearer, signature, whatsApp

        var proof: Proof {
            let stamp = "\(now.milliseconds)"
            var proof = Proof(word: secret, stamp: stamp, body: body)
            switch self {
            case .header, .bearer: break
            case .signature:
                proof.word = WebhookSignature.signature(
                    of: body,
                    timestamp: stamp,
                    secret: Secret(secret)
                )
            case .whatsApp:
                proof.word = WhatsAppWebhooks.signature(of: body, appSecret: Secret(secret))
            }
            return proof
        }

        func accepts(_ proof: Proof) -> Bool {
            let secret = Secret(ForgedSignatureTests.secret)
            let headers: [String: String]
            switch self {
            case .header: headers = ["x-vapi-secret": proof.word]
            case .bearer: headers = ["authorization": "Bearer " + proof.word]
            case .signature: headers = ["x-signature": proof.word, "x-timestamp": proof.stamp]
            case .whatsApp:
                return WhatsAppWebhooks.accepts(
                    "sha256=" + proof.word,
                    body: proof.body,
                    appSecret: secret
                )
            }
            let request = Request(method: "POST", path: "/webhook/vapi", headers: headers)
            return WebhookSignature(secret: secret).accepts(request, body: proof.body, now: now)
        }
    }

    /// What a sender shows: the secret or a signature, and what is signed.
    private struct Proof: Equatable {
        var word: String
        var stamp: String
        var body: [UInt8]

        /// Without what makes no difference: capitals of hexadecimal digits, space around a bearer token.
        func meaning(_ way: Way) -> Proof {
            var proof = self
            switch way {
            case .header: break
            case .bearer: proof.word = word.trimmingSpace()
            case .signature, .whatsApp: proof.word = word.lowercased()
            }
            return proof
        }
    }

    @Test func `a genuine proof is taken in every way`() {
        for way in Way.allCases { #expect(way.accepts(way.proof)) }
    }

    @Test func `of a million forged proofs none is taken`() {
        let generator = Seeded.random()
        let taken = Lock<[String]>([])
        let tried = Atomic(0)
        let pieces = 50
        let genuine = Way.allCases.map { ($0, $0.proof) }
        DispatchQueue.concurrentPerform(iterations: pieces) { piece in
            let random = Seeded(seed: generator.seed &+ UInt64(piece))
            for _ in 0..<1_000_000 / pieces / Way.allCases.count {
                for (way, proof) in genuine {
                    var forged = proof
                    while forged.meaning(way) == proof {
                        ForgedSignatureTests.forge(&forged, way, random)
                    }
                    if way.accepts(forged) { taken.withLock { $0.append("\(way) \(forged)") } }
                    tried.add(1, ordering: .relaxed)
                }
            }
        }
        #expect(tried.load(ordering: .relaxed) == 1_000_000)
        #expect(taken.withLock { $0 } == [], "seed \(generator.seed)")
    }

    private static func forge(_ proof: inout Proof, _ way: Way, _ random: Seeded) {
        // What a way does not sign cannot be forged.
        switch (random.next(below: 4), way) {
        case (0, .signature), (0, .whatsApp): mutate(&proof.body, random)
        case (1, .signature):
            var stamp = Array(proof.stamp.utf8)
            // Digits only and at their places: within the five minutes the signature must tell.
            let place = random.next(below: stamp.count)
            stamp[place] = UInt8(ascii: "0") + UInt8(random.next(below: 10))
            proof.stamp = String(decoding: stamp, as: UTF8.self)
        default:
            var word = Array(proof.word.utf8)
            mutate(&word, random)
            proof.word = String(decoding: word, as: UTF8.self)
        }
    }

    private static func mutate(_ bytes: inout [UInt8], _ random: Seeded) {
        switch random.next(below: bytes.isEmpty ? 1 : 6) {
        case 0:
            bytes.insert(UInt8(random.next(below: 128)), at: random.next(below: bytes.count + 1))
        case 1: bytes.remove(at: random.next(below: bytes.count))
        case 2: bytes.swapAt(random.next(below: bytes.count), random.next(below: bytes.count))
        case 3: bytes[random.next(below: bytes.count)] ^= 1 << UInt8(random.next(below: 8))
        case 4: bytes.removeLast(random.next(below: bytes.count + 1))
        default: bytes[random.next(below: bytes.count)] = UInt8(random.next(below: 256))
        }
    }
}
