#ifndef PRESALES_CSQLITE
#define PRESALES_CSQLITE

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/// sqlite3_db_config is variadic. Keeps a closing connection from checkpointing: a checkpoint
/// outside the write turn is what corrupts a WAL file with SQLite before 3.51.3.
static inline int presales_sqlite_no_checkpoint_on_close(sqlite3 *connection) {
    return sqlite3_db_config(connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}

/// SQLITE_TRANSIENT, which asks SQLite to copy a value, is a cast that Swift does not see.
static inline int presales_sqlite_bind_text(sqlite3_stmt *statement, int index, const void *text, int length) {
    return sqlite3_bind_text(statement, index, text ? (const char *)text : "", length, SQLITE_TRANSIENT);
}

static inline int presales_sqlite_bind_blob(sqlite3_stmt *statement, int index, const void *bytes, int length) {
    return sqlite3_bind_blob(statement, index, length ? bytes : "", length, SQLITE_TRANSIENT);
}

/// What presales_lock_within locks: the whole file (flock), or one byte of it (an open file
/// description's lock).
#define PRESALES_WHOLE_FILE (-1)

static inline int presales_lock(int descriptor, long place, int waits) {
    if (place == PRESALES_WHOLE_FILE) return flock(descriptor, waits ? LOCK_EX : LOCK_EX | LOCK_NB);
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = place;
    lock.l_len = 1;
    return fcntl(descriptor, waits ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
}

static inline void presales_unlock(int descriptor, long place) {
    if (place == PRESALES_WHOLE_FILE) {
        flock(descriptor, LOCK_UN);
        return;
    }
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = F_UNLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = place;
    lock.l_len = 1;
    fcntl(descriptor, F_OFD_SETLK, &lock);
}

static inline void presales_ignore_signal(int number) { (void)number; }

/// Locks a file or a byte of it, waiting at most `milliseconds`. Returns 0, ETIMEDOUT or errno.
///
/// These locks have no time limit of their own, and polling them would give up the kernel's queue,
/// so a timer interrupts the wait. The timer repeats: a single signal could fall before the wait
/// begins.
static inline int presales_lock_within(int descriptor, long place, long milliseconds) {
    if (presales_lock(descriptor, place, 0) == 0) return 0;
    if (errno != EWOULDBLOCK && errno != EACCES) return errno;
    if (milliseconds <= 0) return ETIMEDOUT;

    const int number = SIGRTMIN + 5;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = presales_ignore_signal;  // no SA_RESTART: the wait must end with EINTR
    sigaction(number, &action, 0);
    sigset_t wanted, before;
    sigemptyset(&wanted);
    sigaddset(&wanted, number);
    pthread_sigmask(SIG_UNBLOCK, &wanted, &before);

    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = number;
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    timer_t timer;
    int result = 0;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) {
        result = errno;
    } else {
        struct itimerspec plan;
        memset(&plan, 0, sizeof plan);
        plan.it_value.tv_sec = milliseconds / 1000;
        plan.it_value.tv_nsec = (milliseconds % 1000) * 1000000 + 1;
        plan.it_interval.tv_nsec = 10000000;
        struct timespec start, now;
        clock_gettime(CLOCK_MONOTONIC, &start);
        timer_settime(timer, 0, &plan, 0);
        while (presales_lock(descriptor, place, 1) != 0) {
            if (errno != EINTR) { result = errno; break; }
            clock_gettime(CLOCK_MONOTONIC, &now);
            long waited = (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
            if (waited >= milliseconds) { result = ETIMEDOUT; break; }
        }
        timer_delete(timer);
    }
    pthread_sigmask(SIG_SETMASK, &before, 0);
    return result;
}

#endif
