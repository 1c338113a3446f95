#include "dns/frame.h"

#include "dns/message.h"

enum frame_status frame_next(const uint8_t *stream, size_t size, struct frame *ret_frame)
{
    *ret_frame = (struct frame){0};
    if (size < FRAME_LENGTH_BYTES) return FRAME_PARTIAL;
    ret_frame->message = stream + FRAME_LENGTH_BYTES;
    ret_frame->size = dns_u16(stream);
    return size - FRAME_LENGTH_BYTES < ret_frame->size ? FRAME_PARTIAL : FRAME_WHOLE;
}
