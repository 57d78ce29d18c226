#ifndef CFILELOCK_H
#define CFILELOCK_H

/// In place of a byte's number: the whole file, by flock(2).
#define CFileLockWholeFile (-1L)

/// Locks the byte at `place` of a file (a lock of the open file description, see fcntl(2)) or the
/// whole file, waiting at most `milliseconds` in the kernel's queue.
///
/// Returns 0, ETIMEDOUT or another errno.
int CFileLockTake(int descriptor, long place, long milliseconds);

/// Gives back what CFileLockTake locked.
void CFileLockGive(int descriptor, long place);

#endif
