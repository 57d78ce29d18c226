#include "CExpat.h"

#include <stdlib.h>

/// How many bytes the thread's parser may still take.
static _Thread_local size_t room;

/// What stands before each block, because whoever frees one does not say how long it is.
typedef union {
    size_t size;
    max_align_t alignment;
} Header;

static void *resize(void *block, size_t size) {
    Header *header = block ? (Header *)block - 1 : NULL;
    const size_t before = header ? header->size : 0;
    if (size > before && size - before > room) return NULL;
    header = realloc(header, sizeof(Header) + size);
    if (!header) return NULL;
    header->size = size;
    room = room + before - size;
    return header + 1;
}

static void *take(size_t size) { return resize(NULL, size); }

static void release(void *block) {
    if (!block) return;
    Header *header = (Header *)block - 1;
    room += header->size;
    free(header);
}

XML_Parser CExpatCreate(size_t limit) {
    static const XML_Memory_Handling_Suite memory = {take, resize, release};
    room = limit;
    return XML_ParserCreate_MM(NULL, &memory, NULL);
}
