#include "common/buffer.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_BYTES = 256,          /* holds a usual query or reply */
    KEEP_BYTES = 64 * 1024 * 2, /* larger ones are needed rarely and are not kept */
    SPARE_MAX = 64,             /* more than a turn usually borrows */
    SMALL_BYTES = 4096,         /* larger ones are kept while all spare ones take no more than this: */
    SPARE_BYTES = 512 * 1024,   /* or each would grow to the largest answer in time, and stay so */
};

static void buffer_free(struct buffers *buffers, struct buffer *buffer)
{
    CHECK(buffers->memory_bytes >= buffer->capacity + BUFFER_OVERHEAD_BYTES);
    buffers->memory_bytes -= buffer->capacity + BUFFER_OVERHEAD_BYTES;
    free(buffer->bytes);
    free(buffer);
}

void buffers_init(struct buffers *buffers)
{
    *buffers = (struct buffers){0};
}

void buffers_trim(struct buffers *buffers)
{
    while (buffers->spare) {
        struct buffer *buffer = buffers->spare;
        buffers->spare = buffer->next;
        buffer_free(buffers, buffer);
    }
    buffers->spare_count = 0;
    buffers->spare_bytes = 0;
}

void buffers_done(struct buffers *buffers)
{
    buffers_trim(buffers);
}

struct buffer *buffers_borrow(struct buffers *buffers)
{
    struct buffer *buffer = buffers->spare;
    if (buffer) {
        buffers->spare = buffer->next;
        buffers->spare_count--;
        CHECK(buffers->spare_bytes >= buffer->capacity);
        buffers->spare_bytes -= buffer->capacity;
        return buffer;
    }
    buffer = calloc(1, sizeof *buffer);
    if (!buffer) return NULL;
    buffer->owner = buffers;
    buffers->memory_bytes += BUFFER_OVERHEAD_BYTES;
    return buffer;
}

static bool is_kept(const struct buffers *buffers, const struct buffer *buffer)
{
    if (buffer->capacity > KEEP_BYTES || buffers->spare_count == SPARE_MAX) return false;
    return buffer->capacity <= SMALL_BYTES || buffers->spare_bytes + buffer->capacity <= SPARE_BYTES;
}

void buffers_give(struct buffers *buffers, struct buffer *buffer)
{
    if (!buffer) return;
    CHECK(buffer->owner == buffers);
    if (!is_kept(buffers, buffer)) {
        buffer_free(buffers, buffer);
        return;
    }
    buffer->start = buffer->end = 0;
    buffer->next = buffers->spare;
    buffers->spare = buffer;
    buffers->spare_count++;
    buffers->spare_bytes += buffer->capacity;
}

uint8_t *buffer_room(struct buffer *buffer, size_t size)
{
    if (buffer->bytes && buffer->capacity - buffer->end >= size) return buffer->bytes + buffer->end;
    size_t waiting = buffer_size(buffer);
    if (!buffer->bytes || buffer->capacity - waiting < size) {
        size_t capacity = buffer->capacity ? buffer->capacity : FIRST_BYTES;
        while (capacity - waiting < size) capacity *= 2;
        uint8_t *bytes = realloc(buffer->bytes, capacity);
        if (!bytes) return NULL;
        if (buffer->owner) buffer->owner->memory_bytes += capacity - buffer->capacity;
        buffer->bytes = bytes;
        buffer->capacity = capacity;
    }
    if (buffer->start > 0) memmove(buffer->bytes, buffer->bytes + buffer->start, waiting);
    buffer->start = 0;
    buffer->end = waiting;
    return buffer->bytes + buffer->end;
}

bool buffer_add(struct buffer *buffer, const void *bytes, size_t size)
{
    uint8_t *room = buffer_room(buffer, size);
    if (!room) return false;
    memcpy(room, bytes, size);
    buffer_use_room(buffer, size);
    return true;
}

void buffer_drop(struct buffer *buffer, size_t size)
{
    CHECK(size <= buffer_size(buffer));
    buffer->start += size;
    if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
}
