/* framed: whether a message is framed as it should be, for targets whose messages may hold records that ldns misreads
 * or refuses (SINK, NSAP-PTR, a URI record of one octet): those are passed on. */
#ifndef FRAMED_H
#define FRAMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/message.h"

/* All records are there, each as long as it says, and nothing behind them. What is in them is not looked at. */
static inline bool is_framed(const uint8_t *reply, size_t size)
{
    struct reader reader = {.message = reply, .size = size, .at = DNS_HEADER_BYTES};
    struct record record;
    unsigned records =
        message_count(reply, DNS_ANSWER) + message_count(reply, DNS_AUTHORITY) + message_count(reply, DNS_ADDITIONAL);
    for (unsigned i = 0; i < message_count(reply, DNS_QUESTION); i++) {
        reader_name(&reader, false);
        reader_skip(&reader, 4);
    }
    while (records-- > 0) reader_record(&reader, &record);
    return !reader.failed && reader.at == size;
}

#endif
