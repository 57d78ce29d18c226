#include "CSanitizer.h"

#if __has_feature(thread_sanitizer)
void __tsan_acquire(void *address);
void __tsan_release(void *address);

void CSanitizerAcquire(const void *address) { __tsan_acquire((void *)address); }
void CSanitizerRelease(const void *address) { __tsan_release((void *)address); }
#else
void CSanitizerAcquire(const void *address) { (void)address; }
void CSanitizerRelease(const void *address) { (void)address; }
#endif
