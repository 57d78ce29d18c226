import Glibc

/// What every `main.swift` stands in.
public enum Program {
    /// Runs a program's wiring.
    ///
    /// An error that left `main.swift` would end the process with SIGILL and a page of registers in
    /// the journal. Here it is one line on standard error and an exit code: 78 (`EX_CONFIG`) for
    /// configuration that cannot work, so that a supervisor need not try again, else 1.
    /// Files that the program makes, the database and its copies among them, are its user's alone.
    public static func run(
        environment: Environment = .ofProcess,
        _ body: (Environment) throws -> Void
    ) {
        signal(SIGPIPE, SIG_IGN)
        umask(0o077)
        do {
            try body(environment)
        } catch let error as Environment.Invalid {
            finish("\(name): \(error)", code: 78)
        } catch {
            let cause = (error as? any LogSafeError)?.logDescription ?? "\(type(of: error))"
            finish("\(name): \(cause)", code: 1)
        }
    }

    /// The name under which the program was started.
    public static var name: String {
        let path = CommandLine.arguments.first ?? "presales"
        return path.split(separator: "/").last.map(String.init) ?? path
    }

    private static func finish(_ line: String, code: Int32) -> Never {
        var text = line + "\n"
        text.withUTF8 { bytes in _ = write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
        exit(code)
    }
}
