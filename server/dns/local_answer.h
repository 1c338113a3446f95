/* local_answer: writes an answer of the proxy's own, record by record, in the form that answer.h keeps: a message
 * without OPT and a trailer. So it is turned into a reply like any other answer.
 *
 * Pure; any thread. Nothing is written behind `capacity`; a record that finds no room makes the whole answer fail. */
#ifndef DNS_LOCAL_ANSWER_H
#define DNS_LOCAL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/message.h"
#include "dns/question.h"

struct local_answer {
    uint8_t *bytes;
    size_t size;     /* written so far */
    size_t capacity; /* of `bytes`; no more than DNS_MESSAGE_MAX is used for the message */
    size_t name_size;
    bool failed; /* sticky */
};

struct local_record {
    const uint8_t *owner; /* a name on the wire, uncompressed, in lower case */
    size_t owner_size;
    uint16_t type; /* the class is IN */
    uint32_t ttl_s;
    const uint8_t *data; /* as on the wire, its names uncompressed */
    uint16_t data_size;
};

/* Begins the answer to a question that has a name: header and question. */
void local_answer_begin(struct local_answer *answer, uint8_t *out, size_t capacity, const struct question *question);

/* Appends a record; sections must come in their order. The owner is compressed if it is the question's name or ends
 * it (RFC 1035, 4.1.4). */
void local_answer_add(struct local_answer *answer, enum dns_section section, const struct local_record *record);

/* Appends the SOA record that lets clients keep a negative answer (RFC 2308, 3): MNAME is the zone, the rest as in
 * RFC 6303, 3, with MINIMUM `ttl_s`. */
void local_answer_add_soa(struct local_answer *answer, enum dns_section section, const uint8_t *zone, size_t zone_size,
                          uint32_t ttl_s);

/* Ends it with AA, RA and `rcode`; returns the bytes of the answer (answer_unpack), 0 if it failed. */
size_t local_answer_finish(struct local_answer *answer, uint16_t rcode);

#endif
