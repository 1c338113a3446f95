/* frame: DNS messages in a byte stream, each behind two octets of length (RFC 1035, 4.2.2; RFC 7766, 8). Pure. */
#ifndef DNS_FRAME_H
#define DNS_FRAME_H

#include <stddef.h>
#include <stdint.h>

enum { FRAME_LENGTH_BYTES = 2 };

enum frame_status {
    FRAME_WHOLE,   /* a message is there */
    FRAME_PARTIAL, /* more bytes are needed */
};

struct frame {
    const uint8_t *message; /* into the stream */
    size_t size; /* of the message as its length says, also where it is partial; 0 while the length itself is */
};

/* Looks at the start of `stream`. Where the frame is whole, FRAME_LENGTH_BYTES + ret_frame->size bytes belong to it. */
enum frame_status frame_next(const uint8_t *stream, size_t size, struct frame *ret_frame);

/* Writes the length before a message of `size` bytes (at most 65535). */
static inline void frame_put_length(uint8_t out[static FRAME_LENGTH_BYTES], size_t size)
{
    out[0] = (uint8_t)(size >> 8);
    out[1] = (uint8_t)size;
}

#endif
