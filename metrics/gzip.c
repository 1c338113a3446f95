#include "metrics/gzip.h"

#include <limits.h>
#include <stdlib.h>
#define ZLIB_CONST /* input is const */
#include <zlib.h>

enum {
    LEVEL = 1,        /* metrics shrink to a tenth already; more would cost several times the time */
    WINDOW_BITS = 15, /* of deflate, */
    GZIP_FORMAT = 16, /* and this makes zlib write gzip's header and checksum */
    MEMORY_LEVEL = 8  /* zlib's default */
};

bool gzip_compress(const char *bytes, size_t size, char **ret_bytes, size_t *ret_size)
{
    z_stream stream = {.next_in = (const Bytef *)bytes, .avail_in = (uInt)size};
    if (size > UINT_MAX || size == 0) return false;
    char *out = malloc(size);
    if (!out) return false;
    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW_BITS + GZIP_FORMAT, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(out);
        return false;
    }
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)size;
    int result = deflate(&stream, Z_FINISH); /* Z_OK: `size` bytes did not suffice */
    size_t written = stream.total_out;
    deflateEnd(&stream);
    if (result != Z_STREAM_END) {
        free(out);
        return false;
    }
    *ret_bytes = out;
    *ret_size = written;
    return true;
}
