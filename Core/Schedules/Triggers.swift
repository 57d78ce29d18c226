/// Starts a job before its time: touches `TRIGGERS/NAME`, which a systemd path unit (or the local
/// runner) watches.
public struct Triggers: Sendable {
    private let folder: String?

    /// Creates triggers.
    ///
    /// - Parameter folder: Where the files are; without it nothing is ever started early.
    public init(folder: String?) { self.folder = folder }

    /// Reads `TRIGGERS`, the folder that is watched.
    public init(environment: Environment) { self.init(folder: environment["TRIGGERS"]) }

    /// Asks for a run of a job soon.
    ///
    /// It never throws: who fires has done its own work already, and the job comes at its time anyway.
    /// - Returns: whether somebody who watches the folder can know of it.
    @discardableResult
    public func fire(_ job: Job) -> Bool {
        guard let folder else { return false }
        return (try? File.touch("\(folder)/\(job.rawValue)")) != nil
    }
}
