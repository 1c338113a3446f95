/* response: what upstream sent, read once: whether it belongs to the question, where its TTLs and its OPT record lie,
 * and for how long it may be believed (RFC 2308, RFC 2181). For answer.h only. Pure; any thread. */
#ifndef DNS_RESPONSE_H
#define DNS_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/edns.h"
#include "dns/question.h"

enum answer_verdict {
    ANSWER_GOOD,
    ANSWER_MISMATCH,  /* QR, QDCOUNT, name, type or class are not those of the question: somebody else's answer */
    ANSWER_MALFORMED, /* not a DNS message, or more than one */
};

/* For how long and as what an answer may be kept. */
enum answer_kind {
    ANSWER_POSITIVE,
    ANSWER_NEGATIVE, /* NXDOMAIN or no data, with an SOA record (RFC 2308) */
    ANSWER_FAILURE,  /* SERVFAIL (RFC 9520) */
    ANSWER_TRANSIENT /* never to be kept: truncated, a TTL above 2^31-1, negative or a referral without an SOA, any
                        other rcode */
};

/* What a walk over the records finds. */
struct response {
    struct edns edns; /* ede_code is DNS_EDE_NONE and the rest 0 where there was no OPT record */
    size_t opt_at;    /* where OPT begins, or 0, */
    size_t opt_end;   /* and where it ends */
    uint32_t ttl_min; /* the smallest TTL, OPT's aside; UINT32_MAX where there is none */
    uint32_t ttl_max;
    size_t ttl_count;
};

/* GOOD where the header and the question are those of a response to `key`, MALFORMED where the question cannot be read.
 */
enum answer_verdict response_match(const uint8_t *message, size_t size, const struct question_key *key);

/* Walks over the records of a message that matched, and writes the places of its TTLs, two octets each, to `places`
 * (room for one per 11 bytes of message). False where a record is malformed, bytes are left over, or OPT is misplaced,
 * broken or there twice. */
bool response_survey(const uint8_t *message, size_t size, uint8_t *ttl_offsets, struct response *ret_response);

/* As what a sound message may be kept; `ret_ttl_s` is for how long. */
enum answer_kind response_kind(const uint8_t *message, size_t size, const struct question_key *key,
                               const struct response *response, uint32_t *ret_ttl_s);

#endif
