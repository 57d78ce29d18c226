#ifndef CEXPAT_H
#define CEXPAT_H

#include <expat.h>
#include <stddef.h>

/// Creates a parser that may hold `limit` bytes at a time; beyond them it ends with
/// XML_ERROR_NO_MEMORY. Expat keeps every element that is open and every name it has ever met, so a
/// hostile file could otherwise fill the machine.
///
/// One parser at a time on a thread, and on that thread only.
XML_Parser CExpatCreate(size_t limit);

#endif
