// store-stress [SECONDS] [FOLDER]
//
// Eight processes write through Core's database as fast as they can while two read; then eight write
// with stock SQLite, for the comparison. Prints `name value target pass|fail`, exits 1 on a fail.
// 30 seconds in a folder of its own unless told.
import Core
import Foundation

Program.run { _ in
    let arguments = Array(CommandLine.arguments.dropFirst())
    if let role = arguments.first.flatMap(Role.init) {
        try role.run(Assignment(arguments: Array(arguments.dropFirst())))
        return
    }
    let seconds = arguments.first.map(Int.init) ?? 30
    guard let seconds, (1...86_400).contains(seconds), arguments.count <= 2 else {
        throw Environment.Invalid("store-stress [SECONDS] [FOLDER]")
    }
    let parent = URL(filePath: arguments.count > 1 ? arguments[1] : NSTemporaryDirectory())
    let folder = parent.appending(path: "store-stress-\(getpid())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let passed = try Stress(folder: folder.path, seconds: seconds).run()
    guard passed else {
        FileHandle.standardError.write(Data("The files are kept in \(folder.path)\n".utf8))
        exit(1)
    }
    try FileManager.default.removeItem(at: folder)
}
