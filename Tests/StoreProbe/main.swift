// A program that uses a database and may be killed, starved or given a broken disk meanwhile.
//
//   store-probe migrate PATH        applies the migrations
//   store-probe append PATH COUNT   adds rows, each to two tables in one transaction; prints the
//                                   number of each that is acknowledged; exit 69 when it cannot
//   store-probe count PATH          prints how many rows both tables hold, or `torn`
//   store-probe hold PATH           prints `holding` and keeps the write turn until it is killed
import Core
import Foundation

func say(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }

Program.run { _ in
    let arguments = CommandLine.arguments.dropFirst()
    guard let task = arguments.first, let path = arguments.dropFirst().first else {
        throw Environment.Invalid("store-probe TASK PATH")
    }
    let database = Database(path: path, requiredVersion: nil)
    do {
        switch task {
        case "migrate": try Migrations.apply(toDatabaseAt: path)
        case "append":
            let count = arguments.dropFirst(2).first.flatMap(Int.init) ?? 0
            try database.write { connection in
                for table in ["left", "right"] {
                    let columns: SQL = "(id INTEGER PRIMARY KEY, content TEXT NOT NULL)"
                    try connection.execute(
                        "CREATE TABLE IF NOT EXISTS \(sql: SQL(stringLiteral: "\(table)_rows")) \(sql: columns)"
                    )
                }
            }
            let content = String(repeating: "presales ", count: 200)
            for _ in 0..<count {
                let id = try database.write { connection in
                    try connection.execute("INSERT INTO left_rows (content) VALUES (\(content))")
                    let id = connection.lastInsertedID
                    try connection.execute("INSERT INTO right_rows VALUES (\(id), \(content))")
                    return id
                }
                say("\(id)")
            }
        case "count":
            let counts = try database.read { connection in
                try ["left_rows", "right_rows"].map { table in
                    let sql: SQL = "SELECT count(*) FROM \(sql: SQL(stringLiteral: table))"
                    return try connection.value(sql, as: Int.self) ?? 0
                }
            }
            say(counts[0] == counts[1] ? "\(counts[0])" : "torn")
        case "hold":
            try database.write { _ in
                say("holding")
                while true { pause() }
            }
        default: throw Environment.Invalid("store-probe does not know \(task)")
        }
    } catch let error as Database.Unavailable {
        say(error.sentence)
        exit(69)  // EX_UNAVAILABLE
    }
}
