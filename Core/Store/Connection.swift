import CSQLite
import Foundation
import GRDB

/// One transaction's view of the database.
public struct Connection {
    let handle: GRDB.Database

    /// Runs a statement.
    ///
    /// - Throws: ``Database/ConstraintViolation``, ``Database/Unavailable``,
    ///   ``Database/StatementFailed``.
    public func execute(_ sql: SQL) throws {
        try translating {
            try statement(sql).execute(arguments: sql.grdbArguments)
        }
    }

    /// How many rows the last statement changed.
    public var changes: Int { handle.changesCount }

    /// The id of the row inserted last.
    public var lastInsertedID: Int64 { handle.lastInsertedRowID }

    /// All rows of a query.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func rows(_ sql: SQL) throws -> [Row] {
        var rows: [Row] = []
        try forEach(sql) { rows.append($0.copy()) }
        return rows
    }

    /// The first row of a query.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func first(_ sql: SQL) throws -> Row? {
        try translating {
            let cursor = try GRDB.Row.fetchCursor(
                statement(sql),
                arguments: sql.grdbArguments
            )
            return try cursor.next().map { Row(row: $0.copy()) }
        }
    }

    /// The first column of the first row, or `nil` when there is no row or it holds NULL.
    ///
    /// - Throws: ``Database/Unavailable``.
    public func value<T: SQLConvertible>(_ sql: SQL, as type: T.Type = T.self) throws -> T? {
        guard let row = try first(sql) else { return nil }
        return row.value(at: 0)
    }

    /// Hands over the rows of a query one at a time; a row is valid during its call only.
    ///
    /// - Throws: ``Database/Unavailable``; what `body` throws.
    public func forEach(_ sql: SQL, _ body: (Row) throws -> Void) throws {
        try translating {
            let cursor = try GRDB.Row.fetchCursor(
                statement(sql),
                arguments: sql.grdbArguments
            )
            while let row = try cursor.next() { try body(Row(row: row)) }
        }
    }

    /// Runs `body`; when it throws, undoes what it did, and throws that error again.
    ///
    /// - Throws: What `body` throws.
    public func savepoint<T>(_ body: () throws -> T) throws -> T {
        var result: T?
        try translating {
            try handle.inSavepoint {
                result = try body()
                return .commit
            }
        }
        guard let result else { throw Database.Unavailable(cause: "no savepoint") }
        return result
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
}

/// One row of a query's result.
public struct Row {
    let row: GRDB.Row

    func copy() -> Row { Row(row: row.copy()) }

    /// A column that may be NULL.
    public subscript<T: SQLConvertible>(_ column: String) -> T? {
        guard let value = row[column] as DatabaseValue? else { return nil }
        return T(sqlValue: value.sqlValue)
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
    public func value<T: SQLConvertible>(at index: Int) -> T? {
        let value: DatabaseValue = row[index]
        return T(sqlValue: value.sqlValue)
    }

    /// A text column's bytes at a position, without making a string; `nil` for NULL.
    ///
    /// - Throws: What `body` throws.
    public func withText<R>(at index: Int, _ body: (UnsafeRawBufferPointer?) throws -> R) throws
        -> R
    {
        try row.withUnsafeData(atIndex: index) { data in
            guard let data else { return try body(nil) }
            return try data.withUnsafeBytes { try body($0) }
        }
    }
}

extension SQL {
    var grdbArguments: StatementArguments { StatementArguments(arguments.map(\.databaseValue)) }
}

extension SQLValue {
    var databaseValue: DatabaseValue {
        switch self {
        case .null: .null
        case .integer(let value): value.databaseValue
        case .real(let value): value.databaseValue
        case .text(let value): value.withoutNUL.databaseValue
        case .blob(let value): Data(value).databaseValue
        }
    }
}

extension String {
    /// The text with U+FFFD for each NUL, at which SQLite would end it; PostgreSQL refuses one.
    fileprivate var withoutNUL: String {
        guard utf8.contains(0) else { return self }
        return String(UnicodeScalarView(unicodeScalars.map { $0.value == 0 ? "\u{FFFD}" : $0 }))
    }
}

extension DatabaseValue {
    var sqlValue: SQLValue {
        switch storage {
        case .null: .null
        case .int64(let value): .integer(value)
        case .double(let value): .real(value)
        case .string(let value): .text(value)
        case .blob(let value): .blob(Array(value))
        }
    }
}
