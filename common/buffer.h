/* buffer: bytes that wait: taken at the front, added at the end; and a stock of such buffers to borrow from.
 *
 * Most of the time nobody needs one: what is read is handled at once and what is written goes out at once. A buffer is
 * borrowed for a partial message or an unsent rest and given back as soon as it is empty, so that an idle connection
 * owns none. */
#ifndef COMMON_BUFFER_H
#define COMMON_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *bytes;
    size_t start;    /* of what waits */
    size_t end;      /* behind what waits */
    size_t capacity; /* memory at `bytes` */
    struct buffer *next;
};

struct buffers {
    struct buffer *spare; /* given back, waiting to be borrowed */
    unsigned spare_count;
};

void buffers_init(struct buffers *buffers);
void buffers_done(struct buffers *buffers);

/* An empty buffer, or NULL without memory. */
struct buffer *buffers_borrow(struct buffers *buffers);

/* NULL is fine. A buffer that grew large is freed rather than kept. */
void buffers_give(struct buffers *buffers, struct buffer *buffer);

static inline size_t buffer_size(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline const uint8_t *buffer_data(const struct buffer *buffer)
{
    return buffer->bytes + buffer->start;
}

/* Room for `size` more bytes behind what waits, or NULL without memory. What waits may move. Follow with
 * buffer_use_room. */
uint8_t *buffer_room(struct buffer *buffer, size_t size);

/* Counts `size` bytes, written to the room, as waiting. */
static inline void buffer_use_room(struct buffer *buffer, size_t size)
{
    buffer->end += size;
}

/* Room and copy in one; false without memory. */
bool buffer_add(struct buffer *buffer, const void *bytes, size_t size);

/* Drops `size` bytes from the front. */
void buffer_drop(struct buffer *buffer, size_t size);

#endif
