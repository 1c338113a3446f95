/* answer: a response from upstream, judged and made ready to be handed to many clients and to be cached.
 *
 * An answer is the response without its OPT record, followed by a trailer: the offsets of its TTLs, the Extended DNS
 * Errors of its OPT record, and a few numbers. So a reply is made from it by copying and patching, never by parsing
 * again. Pure; any thread. */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/edns.h"
#include "dns/question.h"
#include "dns/response.h"

struct answer {
    const uint8_t *bytes; /* the message without OPT, then the trailer */
    size_t size;          /* of both */
    size_t message_size;
    enum answer_kind kind;
    uint16_t rcode; /* 12 bits */

    /* For how long it may be kept: the smallest TTL of the message, and no more than the SOA's MINIMUM if it is
     * negative; 0 for any other. */
    uint32_t ttl_s;

    /* The smallest and the largest TTL of the message; of one without records UINT32_MAX and 0, of an answer that was
     * kept 0 and UINT32_MAX, since they are not known. */
    uint32_t ttl_least_s;
    uint32_t ttl_most_s;

    const uint8_t *errors; /* Extended DNS Errors, a list as in ede.h; points into `bytes` */
    size_t errors_size;
};

/* A message, a trailer with at most one offset for each 11 bytes of it, the errors, and the fixed part. */
enum { ANSWER_TRAILER_BYTES = 10 };
enum { ANSWER_BYTES_MAX = DNS_MESSAGE_MAX + 2 * (DNS_MESSAGE_MAX / 11) + EDE_LIST_MAX + ANSWER_TRAILER_BYTES };

/* Judges the response to `key` and writes the answer's bytes to `out` (at least ANSWER_BYTES_MAX), to which ret_answer
 * points. The id is not looked at: the owner of the id table has done that. The question of the answer is in lower
 * case, as was asked; AA is cleared, since it does not come from an authority, and RA set.
 *
 * A response without a question is one to the key only if it is an error with no record but OPT, since some servers
 * refuse in that way; NXDOMAIN is no error. */
enum answer_verdict answer_parse(const uint8_t *message, size_t size, const struct question_key *key, uint8_t *out,
                                 struct answer *ret_answer);

/* Makes an answer of a message of the proxy's own, without OPT, at `bytes`: appends a trailer of ANSWER_TRAILER_BYTES
 * that names no TTL, so the TTLs stay as they are. Returns the size of both. */
size_t answer_seal(uint8_t *bytes, size_t message_size);

/* The rcode, of 12 bits, of the bytes of an answer. */
unsigned answer_rcode(const uint8_t *bytes, size_t size);

/* Reads the bytes of an answer that was kept (kind and ttl_s are not kept). False if they are not an answer's. */
bool answer_unpack(const uint8_t *bytes, size_t size, struct answer *ret_answer);

/* Copies the answer to `out` (at least ANSWER_BYTES_MAX, elsewhere), to which `ret_bounded` points, with each of its
 * TTLs made at least `ttl_min_s`, and at most `ttl_max_s`. */
void answer_bound(const struct answer *answer, uint32_t ttl_min_s, uint32_t ttl_max_s, uint8_t *out,
                  struct answer *ret_bounded);

/* Subtracts `age_s` from each TTL of an answer's bytes, down to 0, in place: as if it had been given later. */
void answer_age(uint8_t *bytes, size_t size, uint32_t age_s);

/* What the reply to one client needs of its query and of its transport. */
struct reply_profile {
    uint16_t id;
    uint16_t flags; /* the header's; RD and CD are repeated */
    bool edns;
    bool dnssec_ok;

    /* No reply is larger. In one that would be, the question and OPT alone remain, and TC is set. */
    uint16_t max_bytes;

    /* edns-tcp-keepalive, in units of 100 ms (RFC 7828); 0: the option is left out. */
    uint16_t keepalive_100ms;

    /* One more EDNS option as it is in the OPT record, its code and length included: the transport's cookie (RFC
     * 7873). 0 bytes: none. */
    uint8_t option_bytes;
    uint8_t option[EDNS_OPTION_MAX];
};

/* The profile of a reply on a stream that says nothing of keepalive. */
static inline struct reply_profile reply_profile_of(const struct question *question)
{
    return (struct reply_profile){.id = question->id,
                                  .flags = question->flags,
                                  .edns = question->edns,
                                  .dnssec_ok = question->dnssec_ok,
                                  .max_bytes = DNS_MESSAGE_MAX};
}

/* How an answer is used in a reply. */
struct answer_use {
    uint32_t age_s;     /* subtracted from every TTL, down to 0 */
    uint32_t ttl_min_s; /* no TTL goes out smaller (stale: 30; else 0), */
    uint32_t ttl_max_s; /* and none larger (stale: 30; else UINT32_MAX) */
    uint16_t ede_code;  /* written before those of the upstream; or DNS_EDE_NONE */
    uint32_t rotation;  /* the records of the set that was asked for begin with the one of this number, modulo theirs */
};

/* Turns the answer's bytes at `reply` (size bytes, room for size + EDNS_REPLY_MAX) into the reply for the profile, in
 * place: id, flags, the name as spelt at `name` (as long as the answer's own), TTLs, OPT. Returns the message's size;
 * the trailer is gone then. An rcode above 15 is SERVFAIL to a client without EDNS. If the reply would be larger
 * than profile->max_bytes, the texts of errors are left out first, then the errors and keepalive; then, if the bound is
 * DNS_MESSAGE_MAX, OPT itself; else the records, and TC is set. 0 if the bytes are no answer's. */
size_t answer_to_reply(uint8_t *reply, size_t size, const struct reply_profile *profile, const uint8_t *name,
                       const struct answer_use *use);

/* A reply that is an error of this program. */
struct answer_error {
    uint16_t rcode;       /* may be extended */
    uint16_t ede_code;    /* or DNS_EDE_NONE */
    const char *ede_text; /* or NULL; at most EDNS_TEXT_MAX bytes */

    const uint8_t *errors; /* more errors, a list as in ede.h; or NULL */
    size_t errors_size;
};

/* Writes the header, the question if it was sound (has a name), OPT if the profile has EDNS, and with NOTAUTH the
 * record that answers the question's signature: at most ANSWER_ERROR_MAX bytes. Returns their number. */
enum { ANSWER_ERROR_MAX = DNS_HEADER_BYTES + DNS_NAME_MAX + 4 + EDNS_REPLY_MAX + TSIG_REPLY_MAX };
size_t answer_error(uint8_t *out, const struct question *question, const struct reply_profile *profile,
                    const struct answer_error *error);

#endif
