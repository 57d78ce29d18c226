#ifndef PRESALES_CMINIZIP
#define PRESALES_CMINIZIP

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <minizip/unzip.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static voidpf presales_zip_stream(voidpf descriptor, const void *name, int mode) {
    (void)name;
    (void)mode;
    int copy = fcntl((int)(intptr_t)descriptor, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return 0;
    FILE *stream = fdopen(copy, "rb");
    if (!stream) close(copy);
    return stream;
}

/// Opens an archive by a descriptor of its file, which stays the caller's: a file without a name
/// cannot be opened by one. Returns 0 when it is no archive.
static inline unzFile presales_zip_open(int descriptor) {
    zlib_filefunc64_def functions;
    fill_fopen64_filefunc(&functions);
    functions.zopen64_file = presales_zip_stream;
    functions.opaque = (voidpf)(intptr_t)descriptor;
    return unzOpen2_64("", &functions);
}

#endif
