import CSQLite
import GRDB

/// The columns of the row that a query stands at, as SQLite holds them: nothing is copied and no
/// string is made, which is what a list of many rows needs.
///
/// Positions count from 0. Valid during the call that hands it over only.
struct Columns {
    fileprivate let statement: OpaquePointer

    /// Whether a column is NULL.
    func isNull(_ index: Int) -> Bool {
        sqlite3_column_type(statement, Int32(index)) == SQLITE_NULL
    }

    /// An integer column; 0 for NULL.
    func integer(_ index: Int) -> Int64 { sqlite3_column_int64(statement, Int32(index)) }

    /// A time column; `nil` for NULL.
    func instant(_ index: Int) -> Instant? {
        isNull(index) ? nil : Instant(milliseconds: integer(index))
    }

    /// A text column's UTF-8 until the next row; `nil` for NULL.
    func text(_ index: Int) -> UnsafeBufferPointer<UInt8>? {
        guard let start = sqlite3_column_text(statement, Int32(index)) else { return nil }
        let count = Int(sqlite3_column_bytes(statement, Int32(index)))
        return UnsafeBufferPointer(start: start, count: count)
    }

    /// A text column as a string; `nil` for NULL.
    func string(_ index: Int) -> String? {
        text(index).map { String(decoding: $0, as: UTF8.self) }
    }
}

extension Connection {
    /// Hands over the columns of a query's rows one row at a time.
    ///
    /// - Throws: ``Database/Unavailable``; what `body` throws.
    func forEachRow(of sql: SQL, _ body: (Columns) throws -> Void) throws {
        try translating {
            let statement = try handle.cachedStatement(sql: sql.text)
            let cursor = try GRDB.Row.fetchCursor(statement, arguments: sql.grdbArguments)
            let columns = Columns(statement: statement.sqliteStatement)
            while try cursor.next() != nil { try body(columns) }
        }
    }

    /// How many steps SQLite's virtual machine has taken on this connection since this was asked
    /// last: the work of its queries, whatever the machine is doing besides.
    func takeStepCount() -> Int {
        var steps = 0
        var statement = sqlite3_next_stmt(handle.sqliteConnection, nil)
        while let current = statement {
            steps += Int(sqlite3_stmt_status(current, SQLITE_STMTSTATUS_VM_STEP, 1))
            statement = sqlite3_next_stmt(handle.sqliteConnection, current)
        }
        return steps
    }
}
