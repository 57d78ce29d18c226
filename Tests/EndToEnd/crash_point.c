// Ends a program with SIGKILL at its Nth step; a step is a system call that others could notice.
//
//   cc -shared -fPIC -O1 -o crash_point.so crash_point.c -ldl
//   LD_PRELOAD=crash_point.so CRASH_AT=17 CRASH_LOG=log program
//
// strace's injection counts the calls of each thread apart, so what one thread does first hides the
// same calls of the others. This counts all of them together, so that each step has its number. The
// log gets `N NAME` of the step at which it ended the program, or `N end` with the number of steps.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long steps;

static void say(long number, const char *name) {
    const char *path = getenv("CRASH_LOG");
    if (!path) return;
    char line[80];
    int length = snprintf(line, sizeof line, "%ld %s\n", number, name);
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) return;
    syscall(SYS_write, file, line, (size_t)length);
    syscall(SYS_close, file);
}

static void step(const char *name) {
    static long limit = -1;
    if (limit < 0) limit = getenv("CRASH_AT") ? atol(getenv("CRASH_AT")) : 0;
    long number = atomic_fetch_add(&steps, 1) + 1;
    if (limit == 0 || number < limit) return;
    while (number > limit) pause();  // another thread is about to end us all
    say(number, name);
    syscall(SYS_kill, getpid(), SIGKILL);
    pause();
}

__attribute__((destructor)) static void end(void) { say(atomic_load(&steps), "end"); }

#define STEP(type, name, parameters, arguments)                            \
    type name parameters {                                                 \
        static type(*real) parameters;                                     \
        if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name);     \
        step(#name);                                                       \
        return real arguments;                                             \
    }

STEP(ssize_t, write, (int f, const void *b, size_t n), (f, b, n))
STEP(ssize_t, pwrite, (int f, const void *b, size_t n, off_t o), (f, b, n, o))
STEP(ssize_t, pwrite64, (int f, const void *b, size_t n, off64_t o), (f, b, n, o))
STEP(int, fsync, (int f), (f))
STEP(int, fdatasync, (int f), (f))
STEP(int, ftruncate, (int f, off_t n), (f, n))
STEP(int, ftruncate64, (int f, off64_t n), (f, n))
STEP(int, connect, (int f, const struct sockaddr *a, socklen_t n), (f, a, n))
STEP(ssize_t, send, (int f, const void *b, size_t n, int o), (f, b, n, o))
STEP(ssize_t, sendto, (int f, const void *b, size_t n, int o, const struct sockaddr *a, socklen_t l), (f, b, n, o, a, l))
STEP(ssize_t, recv, (int f, void *b, size_t n, int o), (f, b, n, o))
STEP(ssize_t, recvfrom, (int f, void *b, size_t n, int o, struct sockaddr *a, socklen_t *l), (f, b, n, o, a, l))

static int is_lock(int command) {
    return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
}

// Locks: the write turn, those of attempts and jobs, SQLite's own.
#define LOCK(name)                                                         \
    int name(int file, int command, ...) {                                 \
        static int (*real)(int, int, ...);                                 \
        if (!real) real = (int (*)(int, int, ...))dlsym(RTLD_NEXT, #name); \
        va_list rest;                                                      \
        va_start(rest, command);                                           \
        void *argument = va_arg(rest, void *);                             \
        va_end(rest);                                                      \
        if (is_lock(command)) step(#name);                                 \
        return real(file, command, argument);                              \
    }

LOCK(fcntl)
LOCK(fcntl64)
