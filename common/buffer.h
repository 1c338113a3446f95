/* buffer: a queue of bytes, filled at the end and emptied at the front, and a store of spare buffers to borrow from.
 *
 * Usually no buffer is needed, because input is handled when it is read and output is sent when it is made. A buffer is
 * borrowed for a partial message or an unsent rest, and given back when it is empty, so an idle connection owns none.
 * One thread for each store. */
#ifndef COMMON_BUFFER_H
#define COMMON_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/check.h"

struct buffer {
    uint8_t *bytes;
    size_t start;          /* offset of the first waiting byte */
    size_t end;            /* offset behind the last waiting byte */
    size_t capacity;       /* memory at `bytes` */
    struct buffers *owner; /* the store it was borrowed from; NULL: its memory is counted nowhere */
    struct buffer *next;
};

struct buffers {
    struct buffer *spare; /* list of buffers that were given back */
    unsigned spare_count;
    size_t spare_bytes;  /* of the spare ones, */
    size_t memory_bytes; /* and of all its buffers, lent and spare, with their overhead */
};

/* What a buffer takes besides its bytes, with the allocator's headers. */
enum { BUFFER_OVERHEAD_BYTES = 96 };

void buffers_init(struct buffers *buffers);
void buffers_done(struct buffers *buffers);

/* Frees the spare buffers. */
void buffers_trim(struct buffers *buffers);

/* Returns an empty buffer, or NULL without memory. */
struct buffer *buffers_borrow(struct buffers *buffers);

/* Gives a buffer back; NULL is allowed. A buffer that grew large is freed, and one that is not small where the spare
 * ones take much already: a store keeps 768 KiB at most. */
void buffers_give(struct buffers *buffers, struct buffer *buffer);

static inline size_t buffer_size(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline const uint8_t *buffer_data(const struct buffer *buffer)
{
    return buffer->bytes + buffer->start;
}

/* Returns room for `size` more bytes behind the waiting bytes, or NULL without memory. The waiting bytes may move. To
 * be followed by buffer_use_room. */
uint8_t *buffer_room(struct buffer *buffer, size_t size);

/* Adds `size` bytes, which the caller wrote to the room, to the waiting bytes. */
static inline void buffer_use_room(struct buffer *buffer, size_t size)
{
    CHECK(size <= buffer->capacity - buffer->end);
    buffer->end += size;
}

/* Copies bytes to the end; false without memory. */
bool buffer_add(struct buffer *buffer, const void *bytes, size_t size);

/* Removes `size` bytes from the front; at most buffer_size. */
void buffer_drop(struct buffer *buffer, size_t size);

#endif
