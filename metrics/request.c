#include "metrics/request.h"

#include <string.h>

size_t request_head_size(const uint8_t *bytes, size_t size)
{
    const uint8_t *end = bytes + size;
    const uint8_t *at = bytes;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        at++;
        if (at < end && *at == '\n') return (size_t)(at + 1 - bytes);
        if (end - at >= 2 && at - bytes >= 2 && at[-2] == '\r' && at[0] == '\r' && at[1] == '\n')
            return (size_t)(at + 2 - bytes);
    }
    return 0;
}
