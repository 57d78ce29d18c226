#ifndef PRESALES_CSQLITE
#define PRESALES_CSQLITE

#include <sqlite3.h>

/// sqlite3_db_config is variadic. Keeps a closing connection from checkpointing: a checkpoint
/// outside the write turn is what corrupts a WAL file with SQLite before 3.51.3.
static inline int presales_sqlite_no_checkpoint_on_close(sqlite3 *connection) {
    return sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}

/// sqlite3_config is variadic. Keeps SQLite from counting its memory, which it does under a lock; to be
/// called before the first connection.
static inline int presales_sqlite_count_no_memory(void) {
    return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/// sqlite3_db_config is variadic. Gives a connection that is not in use yet memory of its own for small
/// blocks: `count` of at most `size` bytes.
static inline int presales_sqlite_set_aside(sqlite3 *connection, int size, int count) {
    return sqlite3_db_config(connection, SQLITE_DBCONFIG_LOOKASIDE, (void *)0, size, count);
}

/// SQLITE_TRANSIENT, which asks SQLite to copy a value, is a cast that Swift does not see.
static inline int presales_sqlite_bind_text(sqlite3_stmt *statement, int index, const void *text, int length) {
    return sqlite3_bind_text(statement, index, text ? (const char *)text : "", length, SQLITE_TRANSIENT);
}

static inline int presales_sqlite_bind_blob(sqlite3_stmt *statement, int index, const void *bytes, int length) {
    return sqlite3_bind_blob(statement, index, length ? bytes : "", length, SQLITE_TRANSIENT);
}

#endif
