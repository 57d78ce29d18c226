#define _GNU_SOURCE
#include "CMinizip.h"

#include <fcntl.h>
#include <minizip/unzip.h>
#include <stdio.h>
#include <unistd.h>

static unzFile file(CMinizipArchive *archive) { return (unzFile)archive; }

static voidpf open_stream(voidpf descriptor, const void *name, int mode) {
    (void)name;
    (void)mode;
    int copy = fcntl((int)(intptr_t)descriptor, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return NULL;
    FILE *stream = fdopen(copy, "rb");
    if (!stream) close(copy);
    return stream;
}

CMinizipArchive *CMinizipOpen(int descriptor) {
    zlib_filefunc64_def functions;
    fill_fopen64_filefunc(&functions);
    functions.zopen64_file = open_stream;
    functions.opaque = (voidpf)(intptr_t)descriptor;
    return (CMinizipArchive *)unzOpen2_64("", &functions);
}

void CMinizipClose(CMinizipArchive *archive) { unzClose(file(archive)); }

int64_t CMinizipCount(CMinizipArchive *archive) {
    unz_global_info64 about;
    if (unzGetGlobalInfo64(file(archive), &about) != UNZ_OK) return -1;
    return (int64_t)about.number_entry;
}

/// What the entry says at which minizip stands, having been moved there with this `status`.
static int entry(CMinizipArchive *archive, int status, CMinizipPart *part) {
    if (status == UNZ_END_OF_LIST_OF_FILE) return 0;
    if (status != UNZ_OK) return -1;
    unz_file_info64 about;
    unz64_file_pos position;
    part->name[sizeof part->name - 1] = 0;
    if (unzGetCurrentFileInfo64(
            file(archive), &about, part->name, sizeof part->name - 1, NULL, 0, NULL, 0) != UNZ_OK)
        return -1;
    if (unzGetFilePos64(file(archive), &position) != UNZ_OK) return -1;
    part->offset = position.pos_in_zip_directory;
    part->index = position.num_of_file;
    part->size = about.uncompressed_size;
    part->isEncrypted = about.flag & 1;
    return 1;
}

int CMinizipFirst(CMinizipArchive *archive, CMinizipPart *part) {
    return entry(archive, unzGoToFirstFile(file(archive)), part);
}

int CMinizipNext(CMinizipArchive *archive, CMinizipPart *part) {
    return entry(archive, unzGoToNextFile(file(archive)), part);
}

bool CMinizipBegin(CMinizipArchive *archive, const CMinizipPart *part) {
    unz64_file_pos position = {.pos_in_zip_directory = part->offset, .num_of_file = part->index};
    return unzGoToFilePos64(file(archive), &position) == UNZ_OK
        && unzOpenCurrentFile(file(archive)) == UNZ_OK;
}

int CMinizipRead(CMinizipArchive *archive, void *bytes, uint32_t size) {
    return unzReadCurrentFile(file(archive), bytes, size);
}

bool CMinizipEnd(CMinizipArchive *archive) {
    return unzCloseCurrentFile(file(archive)) == UNZ_OK;
}
