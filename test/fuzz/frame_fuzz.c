/* Any stream: its frames lie within it, one behind the other, and come out the same when the stream comes octet by
 * octet. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/message.h"
#include "need.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* However much of it is there: partial until the last octet, then whole. */
static void grow_frame(const uint8_t *stream, size_t size, const struct frame *whole)
{
    for (size_t n = 0; n <= size; n++) {
        struct frame frame;
        enum frame_status status = frame_next(stream, n, &frame);
        need((status == FRAME_WHOLE) == (n >= FRAME_LENGTH_BYTES + whole->size));
        need(frame.size == (n < FRAME_LENGTH_BYTES ? 0 : whole->size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t at = 0;
    struct frame frame;
    while (frame_next(data + at, size - at, &frame) == FRAME_WHOLE) {
        uint8_t length[FRAME_LENGTH_BYTES];
        need(frame.message == data + at + FRAME_LENGTH_BYTES);
        need(frame.size <= size - at - FRAME_LENGTH_BYTES);
        frame_put_length(length, frame.size);
        need(memcmp(length, data + at, sizeof length) == 0);
        grow_frame(data + at, FRAME_LENGTH_BYTES + frame.size, &frame);
        at += FRAME_LENGTH_BYTES + frame.size;
    }
    need(size - at < FRAME_LENGTH_BYTES + frame.size || size - at < FRAME_LENGTH_BYTES);
    return 0;
}
