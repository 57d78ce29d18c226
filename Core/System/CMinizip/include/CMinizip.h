#ifndef CMINIZIP_H
#define CMINIZIP_H

#include <stdbool.h>
#include <stdint.h>

/// What minizip needs of a ZIP archive, without its header: that one changes what the system's
/// headers declare, and modules that see different system types cannot be imported side by side.

/// An open archive; one thread at a time.
typedef struct CMinizipArchive CMinizipArchive;

/// What the archive's directory says about a part.
typedef struct {
    /// Where its entry stands: the directory's byte, and the number of the entry.
    uint64_t offset, index;
    /// How many bytes it has unpacked.
    uint64_t size;
    bool isEncrypted;
    /// Ended by a NUL; a longer name is cut.
    char name[512];
} CMinizipPart;

/// Opens an archive by a descriptor of its file, which stays the caller's: a file without a name
/// cannot be opened by one. Returns NULL when it is no archive.
CMinizipArchive *CMinizipOpen(int descriptor);

void CMinizipClose(CMinizipArchive *archive);

/// How many parts the directory announces; -1 when it cannot be read.
int64_t CMinizipCount(CMinizipArchive *archive);

/// Reads the directory's first entry, or the one after the last that was read. Returns 1 when there
/// was one, 0 at the end, -1 when it is damaged.
int CMinizipFirst(CMinizipArchive *archive, CMinizipPart *part);
int CMinizipNext(CMinizipArchive *archive, CMinizipPart *part);

/// Begins to unpack a part; whether it can be.
bool CMinizipBegin(CMinizipArchive *archive, const CMinizipPart *part);

/// Unpacks at most `size` bytes of the part that was begun: how many, 0 at its end, less than 0 when
/// it is damaged.
int CMinizipRead(CMinizipArchive *archive, void *bytes, uint32_t size);

/// Ends the part that was begun; whether all of it was read and its checksum is right.
bool CMinizipEnd(CMinizipArchive *archive);

#endif
