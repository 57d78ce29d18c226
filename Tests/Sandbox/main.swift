// sandbox: the outside world of a rehearsal, Vapi's telephone above all, on 127.0.0.1.
//
//   POST /call · GET /call · GET, PATCH, DELETE /call/:id · GET /call/:id/mono-recording …   as Vapi
//   POST /control/:id/:token                             the control URL of a live call
//   GET  /recordings/:file · /storage/:file              recordings, plain and short-lived
//   GET  /sandbox/state, /sandbox/ledger · GET, PUT /sandbox/behaviour · POST /sandbox/finish
//
// The number's last digit decides: 0 to 3 completed (Qualified, Qualified, Potential, Not Qualified),
// 4 no answer, 5 busy, 6 voicemail, 7 carrier error, 8 declines, 9 asks for a callback.
import FlyingFox
import FlyingSocks
import Foundation

let settings: Settings
do {
    settings = try Settings(ProcessInfo.processInfo.environment)
} catch {
    stop("\(error)", status: 78)  // EX_CONFIG
}

do {
    let ledger = try Ledger(folder: settings.stateFolder)
    let exchanges =
        settings.recordsExchanges
        ? try Ledger(folder: settings.stateFolder, name: "exchanges") : nil
    let clock = SimulatedClock(offsetFile: settings.clockOffsetFile)
    let routes = Routes(
        switchboard: Switchboard(
            base: "http://127.0.0.1:\(settings.port)",
            clock: clock,
            ledger: ledger,
            post: WebhookPost(
                secret: settings.webhookSecret,
                authentication: settings.webhookAuthentication,
                clock: clock,
                exchanges: exchanges
            ),
            limit: settings.concurrencyLimit,
            pace: settings.pace
        ),
        ledger: ledger,
        exchanges: exchanges,
        key: settings.key
    )
    let server = HTTPServer(
        address: try .inet(ip4: "127.0.0.1", port: settings.port),
        // Longer than any wait that a behaviour asks for.
        timeout: 900,
        pool: PromptPool(),
        logger: .disabled,
        handler: routes
    )

    signal(SIGPIPE, SIG_IGN)
    let signals = [SIGTERM, SIGINT].map { number in
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler { exit(0) }
        source.resume()
        return source
    }
    defer { signals.forEach { $0.cancel() } }

    try await server.run()
} catch SocketError.failed(_, EADDRINUSE, _) {
    stop("port \(settings.port) is in use by another program.", status: 1)
} catch {
    stop("\(error)", status: 1)
}

/// Says why in one line and ends the program.
func stop(_ sentence: String, status: Int32) -> Never {
    FileHandle.standardError.write(Data("sandbox: \(sentence)\n".utf8))
    exit(status)
}
