#ifndef CSANITIZER_H
#define CSANITIZER_H

/// Tell ThreadSanitizer, in a build with it, that what was done before a release of an address has
/// happened before whatever follows an acquire of it. Otherwise they do nothing.
void CSanitizerAcquire(const void *address);
void CSanitizerRelease(const void *address);

#endif
