/* readable: whether ldns reads a message as it is framed, so that its view of it can be compared. It misreads some
 * types (SINK, L32 with more octets than it expects) to where the next record is not. */
#ifndef READABLE_H
#define READABLE_H

#include <stdbool.h> /* first: without it ldns makes a bool of its own */

#include <ldns/ldns.h>

#include "framed.h"

/* ldns ends the record where the next one begins. */
static inline bool is_record_readable(const uint8_t *message, size_t size, size_t at, size_t end)
{
    ldns_rr *rr = NULL;
    bool read = ldns_wire2rr(&rr, message, size, &at, LDNS_SECTION_ANSWER) == LDNS_STATUS_OK && at == end;
    ldns_rr_free(rr);
    return read;
}

static inline bool is_readable(const uint8_t *message, size_t size)
{
    struct reader reader = {.message = message, .size = size, .at = DNS_HEADER_BYTES};
    struct record record;
    ldns_pkt *packet;
    unsigned records = message_count(message, DNS_ANSWER) + message_count(message, DNS_AUTHORITY) +
                       message_count(message, DNS_ADDITIONAL);
    if (!is_framed(message, size) || ldns_wire2pkt(&packet, message, size) != LDNS_STATUS_OK) return false;
    ldns_pkt_free(packet);
    for (unsigned i = 0; i < message_count(message, DNS_QUESTION); i++) {
        reader_name(&reader, false);
        reader_skip(&reader, 4);
    }
    while (records-- > 0) {
        size_t at = reader.at;
        reader_record(&reader, &record);
        if (record.type != DNS_TYPE_OPT && !is_record_readable(message, size, at, reader.at)) return false;
    }
    return true;
}

#endif
