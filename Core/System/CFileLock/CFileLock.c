// For locks of open file descriptions. Defined here rather than in a header: modules whose headers
// see different system types cannot be imported side by side.
#define _GNU_SOURCE
#include "CFileLock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct flock one_byte(short type, long place) {
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = place, .l_len = 1};
}

static int try_lock(int descriptor, long place, int waits) {
    if (place == CFileLockWholeFile) return flock(descriptor, waits ? LOCK_EX : LOCK_EX | LOCK_NB);
    struct flock lock = one_byte(F_WRLCK, place);
    return fcntl(descriptor, waits ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
}

void CFileLockGive(int descriptor, long place) {
    if (place == CFileLockWholeFile) {
        flock(descriptor, LOCK_UN);
        return;
    }
    struct flock lock = one_byte(F_UNLCK, place);
    fcntl(descriptor, F_OFD_SETLK, &lock);
}

static void ignore_signal(int number) { (void)number; }

// These locks have no time limit of their own, and polling them would give up the kernel's queue,
// so a timer interrupts the wait. The timer repeats: a single signal could fall before the wait
// begins.
int CFileLockTake(int descriptor, long place, long milliseconds) {
    if (try_lock(descriptor, place, 0) == 0) return 0;
    if (errno != EWOULDBLOCK && errno != EACCES) return errno;
    if (milliseconds <= 0) return ETIMEDOUT;

    const int number = SIGRTMIN + 5;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = ignore_signal;  // no SA_RESTART: the wait must end with EINTR
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
        while (try_lock(descriptor, place, 1) != 0) {
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
