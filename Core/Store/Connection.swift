import CSQLite
import GRDB
import Glibc

/// One transaction's view of the database.
public struct Connection {
    let handle: GRDB.Database

    /// Runs a statement.
    ///
    /// - Throws: ``Database/ConstraintViolation``, ``Database/Unavailable``,
    ///   ``Database/StatementFailed``.
    public func execute(_ sql: SQL) throws {
        try query(sql) { query in while try query.step() {} }
    }

    /// How many rows the last statement changed.
    public var changes: Int { Int(sqlite3_changes(handle.sqliteConnection)) }

    /// The id of the row inserted last.
    public var lastInsertedID: Int64 { sqlite3_last_insert_rowid(handle.sqliteConnection) }

    /// All rows of a query.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func rows(_ sql: SQL) throws -> [Row] {
        var rows: [Row] = []
        try forEach(sql) { rows.append($0) }
        return rows
    }

    /// The first row of a query.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func first(_ sql: SQL) throws -> Row? {
        try query(sql) { query in
            try query.step() ? query.columns.row(named: query.columns.names) : nil
        }
    }

    /// The first column of the first row, or `nil` when there is no row or it holds NULL.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func value<T: SQLConvertible>(_ sql: SQL, as type: T.Type = T.self) throws -> T? {
        try query(sql) { query in try query.step() ? T(sqlValue: query.columns.value(0)) : nil }
    }

    /// Hands over the rows of a query one at a time.
    ///
    /// - Throws: ``Database/Unavailable``; what `body` throws.
    public func forEach(_ sql: SQL, _ body: (Row) throws -> Void) throws {
        try query(sql) { query in
            let names = query.columns.names
            while try query.step() { try body(query.columns.row(named: names)) }
        }
    }

    /// Hands over the columns of a query's rows one row at a time.
    ///
    /// - Throws: ``Database/Unavailable``; what `body` throws.
    func forEachRow(of sql: SQL, _ body: (Columns) throws -> Void) throws {
        try query(sql) { query in while try query.step() { try body(query.columns) } }
    }

    /// Runs `body`; when it throws, undoes what it did, and throws that error again.
    ///
    /// - Throws: What `body` throws.
    public func savepoint<T>(_ body: () throws -> T) throws -> T {
        try enclose("SAVEPOINT step", "RELEASE step", ["ROLLBACK TO step", "RELEASE step"], body)
    }

    /// Runs `body` in a transaction that reads.
    ///
    /// - Throws: ``Database/Unavailable``; what `body` throws.
    func reading<T>(_ body: () throws -> T) throws -> T {
        try enclose("BEGIN", "COMMIT", ["ROLLBACK"], body)
    }

    /// Whether a transaction is open; some errors, a full disk's among them, end it.
    var isInTransaction: Bool { sqlite3_get_autocommit(handle.sqliteConnection) == 0 }

    /// Begins a transaction that writes.
    ///
    /// - Throws: ``Database/Unavailable``.
    func begin() throws { try control("BEGIN IMMEDIATE") }

    /// Commits the open transaction; when that fails it is undone.
    ///
    /// - Throws: ``Database/Unavailable``.
    func commit() throws {
        guard isInTransaction else { throw Connection.undone }
        do {
            try control("COMMIT")
        } catch {
            rollBack()
            throw error
        }
    }

    /// Undoes the open transaction, if there is one.
    func rollBack() {
        // There is nothing to tell of an error that the one before it does not.
        if isInTransaction { try? control("ROLLBACK") }
    }

    private func enclose<T>(_ begin: SQL, _ end: SQL, _ undo: [SQL], _ body: () throws -> T) throws
        -> T
    {
        try control(begin)
        do {
            let result = try body()
            try control(end)
            return result
        } catch {
            if isInTransaction { for statement in undo { try? control(statement) } }
            throw error
        }
    }

    private func control(_ sql: SQL) throws {
        try translating { try run(sql) { query in while try query.step() {} } }
    }

    static let undone = Database.Unavailable(
        cause: "the transaction was undone by an error before"
    )

    /// Runs `body` with a statement in the open transaction.
    ///
    /// After an error that undid the transaction nothing more may run: it would be by itself.
    private func query<T>(_ sql: SQL, _ body: (Query) throws -> T) throws -> T {
        guard isInTransaction else { throw Connection.undone }
        return try translating { try run(sql, body) }
    }

    /// Runs `body` with a statement whose arguments are bound, and makes it ready to be used again.
    private func run<T>(_ sql: SQL, _ body: (Query) throws -> T) throws -> T {
        let statement = try statement(sql)
        return try withExtendedLifetime(statement) {
            let query = Query(statement: statement.sqliteStatement)
            defer { query.reset() }
            try query.bind(sql.arguments)
            return try body(query)
        }
    }

    /// Statements stay prepared, except for those with a list, of which there is one for each
    /// length, and for a query that is asked again while its own rows are being handed over.
    private func statement(_ sql: SQL) throws -> Statement {
        guard !sql.hasList else { return try handle.makeStatement(sql: sql.text) }
        let statement = try handle.cachedStatement(sql: sql.text)
        guard sqlite3_stmt_busy(statement.sqliteStatement) == 0 else {
            return try handle.makeStatement(sql: sql.text)
        }
        return statement
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

/// A prepared statement while it runs.
///
/// It is stepped without GRDB's cursors, which cost a small query more than SQLite itself does.
private struct Query {
    let statement: OpaquePointer

    var columns: Columns { Columns(statement: statement) }

    /// Goes on to the next row; `false` when there is none.
    func step() throws -> Bool {
        switch sqlite3_step(statement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw error(code)
        }
    }

    /// Binds the arguments; SQLite copies what they hold.
    func bind(_ arguments: [SQLValue]) throws {
        guard arguments.count == sqlite3_bind_parameter_count(statement) else {
            throw Database.StatementFailed(logDescription: "a statement lacks arguments")
        }
        var index: Int32 = 0
        for argument in arguments {
            index += 1
            let code =
                switch argument {
                case .null: sqlite3_bind_null(statement, index)
                case .integer(let value): sqlite3_bind_int64(statement, index, value)
                case .real(let value): sqlite3_bind_double(statement, index, value)
                case .text(var text): Query.bind(&text, to: statement, index)
                case .blob(let bytes):
                    presales_sqlite_bind_blob(statement, index, bytes, Int32(clamping: bytes.count))
                }
            guard code == SQLITE_OK else { throw error(code) }
        }
    }

    private static func bind(_ text: inout String, to statement: OpaquePointer, _ index: Int32)
        -> Int32
    {
        let hasNUL = text.withUTF8 { bytes in
            bytes.baseAddress.flatMap { memchr($0, 0, bytes.count) } != nil
        }
        if hasNUL { text = text.withoutNUL }
        return text.withUTF8 { bytes in
            presales_sqlite_bind_text(
                statement,
                index,
                bytes.baseAddress,
                Int32(clamping: bytes.count)
            )
        }
    }

    func reset() {
        sqlite3_reset(statement)
        sqlite3_clear_bindings(statement)
    }

    private func error(_ code: Int32) -> DatabaseError {
        let connection = sqlite3_db_handle(statement)
        // An argument that is too long for SQLite is reported as its code alone.
        let message = sqlite3_errcode(connection) == SQLITE_OK ? nil : sqlite3_errmsg(connection)
        return DatabaseError(
            resultCode: ResultCode(rawValue: code),
            message: message.map { String(cString: $0) }
        )
    }
}

/// One row of a query's result.
public struct Row {
    fileprivate let names: [String]
    fileprivate let values: [SQLValue]

    /// A column that may be NULL.
    public subscript<T: SQLConvertible>(_ column: String) -> T? {
        guard let index = names.firstIndex(of: column) else { return nil }
        return T(sqlValue: values[index])
    }

    /// A column that the schema declares NOT NULL.
    ///
    /// - Throws: ``Database/Unavailable`` when it is missing or holds something else, which means
    ///   that program and schema do not fit.
    public func required<T: SQLConvertible>(_ column: String, as type: T.Type = T.self) throws -> T
    {
        guard let value: T = self[column] else {
            throw Database.Unavailable(cause: "column \(column) does not hold \(T.self)")
        }
        return value
    }

    /// The column at a position, for queries of many rows.
    public func value<T: SQLConvertible>(at index: Int) -> T? { T(sqlValue: values[index]) }
}

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

    fileprivate func value(_ index: Int) -> SQLValue {
        switch sqlite3_column_type(statement, Int32(index)) {
        case SQLITE_INTEGER: return .integer(integer(index))
        case SQLITE_FLOAT: return .real(sqlite3_column_double(statement, Int32(index)))
        case SQLITE_TEXT: return .text(string(index) ?? "")
        case SQLITE_BLOB:
            let start = sqlite3_column_blob(statement, Int32(index))
            let count = Int(sqlite3_column_bytes(statement, Int32(index)))
            return .blob(Array(UnsafeRawBufferPointer(start: start, count: count)))
        default: return .null
        }
    }

    fileprivate var names: [String] {
        (0..<sqlite3_column_count(statement)).map { index in
            sqlite3_column_name(statement, index).map { String(cString: $0) } ?? ""
        }
    }

    fileprivate func row(named names: [String]) -> Row {
        Row(names: names, values: names.indices.map(value))
    }
}

extension String {
    /// The text with U+FFFD for each NUL, at which SQLite would end it; PostgreSQL refuses one.
    var withoutNUL: String {
        guard utf8.contains(0) else { return self }
        return String(UnicodeScalarView(unicodeScalars.map { $0.value == 0 ? "\u{FFFD}" : $0 }))
    }
}
