/* answer: a response from upstream, judged and made ready to be handed to many clients and to be cached.
 *
 * An answer is the response without its OPT record, followed by a trailer: the places of its TTLs and what its OPT said
 * that matters. So a reply is made from it by copying and patching, never by parsing again. Pure; any thread. */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/question.h"
#include "dns/response.h"

struct answer {
    const uint8_t *bytes; /* message without OPT, then the trailer */
    size_t size;          /* of both */
    size_t message_size;
    enum answer_kind kind;
    uint16_t rcode; /* 12 bits */
    uint32_t ttl_s; /* the smallest TTL of the message, and no more than the SOA's MINIMUM where it is negative; 0 for
                       the rest */
};

/* A message, a trailer of at most one place for each 11 bytes of it, and its fixed part. */
enum { ANSWER_BYTES_MAX = DNS_MESSAGE_MAX + 2 * (DNS_MESSAGE_MAX / 11) + 6 };

/* Judges the response to `key` and writes the answer's bytes to `out` (at least ANSWER_BYTES_MAX), to which ret_answer
 * points. The id is not looked at: whoever owns the id table has done that. The question of the answer is in lower
 * case, as was asked. What remains without OPT is read by ldns in full. A response of nothing but a header with an
 * rcode other than NOERROR counts as one to the key, as some servers refuse so; any other without a question does not.
 *
 * It is positive where the answer section has a record of the type asked, of the name asked or of one that its CNAME
 * records lead to. */
enum answer_verdict answer_parse(const uint8_t *message, size_t size, const struct question_key *key, uint8_t *out,
                                 struct answer *ret_answer);

/* Makes an answer of a message of the proxy's own, without OPT, at `bytes`: appends a trailer of ANSWER_TRAILER_BYTES
 * that names no TTL, so the TTLs stay as they are. Returns the size of both. */
enum { ANSWER_TRAILER_BYTES = 6 };
size_t answer_seal(uint8_t *bytes, size_t message_size);

/* Reads the bytes of an answer that was kept (kind and ttl_s are not kept). False where they are not an answer's. */
bool answer_unpack(const uint8_t *bytes, size_t size, struct answer *ret_answer);

/* Copies the answer to `out` (at least ANSWER_BYTES_MAX, elsewhere), to which `ret_bounded` points, with each of its
 * TTLs made at least `ttl_min_s`, and at most `ttl_max_s`. */
void answer_bound(const struct answer *answer, uint32_t ttl_min_s, uint32_t ttl_max_s, uint8_t *out,
                  struct answer *ret_bounded);

/* Who gets a reply: what of the client's question a reply repeats. */
struct reply_profile {
    uint16_t id;
    uint16_t flags; /* the header's; RD and CD are repeated */
    bool edns;
    bool dnssec_ok;
    bool keepalive;
};

static inline struct reply_profile reply_profile_of(const struct question *question)
{
    return (struct reply_profile){question->id, question->flags, question->edns, question->dnssec_ok,
                                  question->keepalive};
}

/* What a reply adds to an answer. */
struct answer_use {
    uint32_t age_s;           /* taken off every TTL, down to 0 */
    uint32_t ttl_max_s;       /* no TTL goes out larger (stale: 30; else UINT32_MAX) */
    uint16_t ede_code;        /* instead of what upstream said; or DNS_EDE_NONE */
    uint16_t keepalive_100ms; /* given to an asker who wants to know */
    uint32_t ttl_min_s;       /* nor smaller (stale: 30; else 0) */
};

/* Turns the answer's bytes at `reply` (size bytes, room for size + EDNS_REPLY_MAX) into the reply for `asker`, in
 * place: id, flags, the name as spelt at `name` (as long as the answer's own), TTLs, OPT. Returns the message's size;
 * the trailer is gone then. An rcode above 15 is SERVFAIL to an asker without EDNS; where the reply would be too long
 * for a frame, OPT goes without options. 0 where the bytes are no answer's or the reply is too long even so. */
size_t answer_to_reply(uint8_t *reply, size_t size, const struct reply_profile *profile, const uint8_t *name,
                       const struct answer_use *use);

/* A reply without an answer: the header, the question if it was sound (has a name), OPT if the query had one. `rcode`
 * may be extended. Writes at most ANSWER_ERROR_MAX bytes. */
enum { ANSWER_ERROR_MAX = DNS_HEADER_BYTES + DNS_NAME_MAX + 4 + 128 };
struct answer_error {
    uint16_t rcode;
    uint16_t ede_code;    /* or DNS_EDE_NONE */
    const char *ede_text; /* or NULL */
    uint16_t keepalive_100ms;
};
size_t answer_error(uint8_t *out, const struct question *question, const struct answer_error *error);

/* The reply to a query for ANY: one HINFO record "RFC8482" "" with a TTL of an hour (RFC 8482, 4.2). At most
 * ANSWER_ERROR_MAX bytes. */
size_t answer_any(uint8_t *out, const struct question *question, uint16_t keepalive_100ms);

#endif
