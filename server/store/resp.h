/* resp: the part of RESP2, the protocol of Valkey and Redis, that the shared cache needs: commands as arrays of bulk
 * strings, and the replies that AUTH, GET and SET can have. Anything else is RESP_BAD: arrays, numbers and what RESP3
 * has are replies to nothing that was asked.
 *
 * Pure; any thread; allocates nothing. decisions/0029-shared-cache.md says why this is no library. */
#ifndef STORE_RESP_H
#define STORE_RESP_H

#include <stddef.h>
#include <stdint.h>

enum {
    RESP_LINE_MAX = 1024, /* of a status or an error, CRLF included; those of the servers have at most some 300 */
    RESP_PARTS_MAX = 6,
    RESP_OVERHEAD_MAX = 32 /* octets of a reply besides its value: "$", the size, and twice CRLF */
};

enum resp_kind {
    RESP_PARTIAL, /* the rest has not come yet */
    RESP_STATUS,  /* "+OK" */
    RESP_NULL,    /* no value */
    RESP_VALUE,
    RESP_ERROR, /* "-ERR ..." */
    RESP_BAD    /* no reply that is understood: nothing behind it can be read */
};

/* Views of the bytes that were read. */
struct resp_reply {
    enum resp_kind kind;
    const uint8_t *bytes; /* the value, or the text of the line without its first octet */
    size_t size;
    size_t used; /* octets of the whole reply; 0 with RESP_PARTIAL and RESP_BAD */
};

/* Reads the reply in front. A value longer than `value_max` is RESP_BAD as soon as its size is known. Of a partial
 * reply never more than value_max + RESP_OVERHEAD_MAX, or RESP_LINE_MAX, octets are needed. */
struct resp_reply resp_read(const uint8_t *bytes, size_t size, size_t value_max);

struct resp_part {
    const void *bytes;
    size_t size;
};

/* The octets that a command of `count` parts takes, 1 to RESP_PARTS_MAX; and the command itself, written to `out`,
 * which has so much room. Returns its size. */
size_t resp_command_size(const struct resp_part *parts, unsigned count);
size_t resp_write_command(const struct resp_part *parts, unsigned count, uint8_t *out);

#endif
