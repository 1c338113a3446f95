/* gzip: a body compressed at once (RFC 1952), by zlib. Any thread. */
#ifndef METRICS_GZIP_H
#define METRICS_GZIP_H

#include <stdbool.h>
#include <stddef.h>

enum { GZIP_WORTHWHILE_BYTES = 1024 }; /* a smaller body travels in one packet anyway */

/* `ret_bytes` is the caller's to free. False, and no memory is held, if memory is short or the result would not be
 * smaller than `size`. Takes about 270 KiB of memory while it works. */
bool gzip_compress(const char *bytes, size_t size, char **ret_bytes, size_t *ret_size);

#endif
