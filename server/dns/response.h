/* response: what upstream sent, read once: whether it belongs to the question, where its TTLs lie, what its OPT record
 * said, and what the answer is worth (RFC 2308, RFC 2181, RFC 8914, RFC 9520). For answer.h only. Pure; any thread. */
#ifndef DNS_RESPONSE_H
#define DNS_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/ede.h"
#include "dns/edns.h"
#include "dns/question.h"

enum answer_verdict {
    ANSWER_GOOD,
    ANSWER_MISMATCH,  /* QR, QDCOUNT, name, type or class are not those of the question: an answer to another one */
    ANSWER_MALFORMED, /* not a DNS message, or more than one */
};

/* What an answer says. The first three are definitive: they replace what was known of the question. */
enum answer_kind {
    ANSWER_POSITIVE,    /* data, or an alias: kept for its TTL */
    ANSWER_NEGATIVE,    /* NXDOMAIN or no data, with an SOA record: kept for as long as that says (RFC 2308) */
    ANSWER_UNCACHEABLE, /* NXDOMAIN, no data or a referral without an SOA record; YXDOMAIN: never kept */

    /* A failure with an Extended DNS Error that explains it definitively: validation failed, or a policy forbids the
     * answer. It is the answer; no other upstream is asked. */
    ANSWER_VERDICT,

    ANSWER_FAILURE,   /* any other rcode: this upstream's failure; another may know better */
    ANSWER_TRUNCATED, /* TC is set, which must not happen on a stream: not a usable answer */
};

/* What reading a response finds. */
struct response {
    struct edns edns; /* ede_code is DNS_EDE_NONE and the rest 0 if there was no OPT record */
    size_t size;      /* of the message, from which the OPT record was removed */
    uint16_t rcode;   /* all 12 bits */

    uint32_t ttl_min;  /* the smallest TTL, none above DNS_TTL_MAX; UINT32_MAX if there is no record */
    uint32_t ttl_most; /* the largest as it stands in the message; 0 if there is no record */
    size_t ttl_count;

    bool has_data;  /* a record of the type asked, of the name asked or of one that its CNAME records lead to */
    bool has_alias; /* a CNAME record of the name asked */
    bool has_soa;   /* in the authority section, */
    uint32_t soa_minimum;

    /* The last records in a row of the answer section with the type asked and one owner, which can be given in any
     * order: the number of the first among all records, and how many. 0: none, or a name leads into one of them. */
    uint16_t set_first;
    uint16_t set_count;

    size_t errors_size;
    uint8_t
        errors[EDE_LIST_MAX]; /* so many bytes of it: the Extended DNS Errors of the OPT record, a list as in ede.h */
};

/* GOOD if the header and the question are those of a response to `key`, MALFORMED if the question
 * cannot be read. */
enum answer_verdict response_match(const uint8_t *message, size_t size, const struct question_key *key);

/* Reads the records of a message that matched, in one pass, and removes its OPT record in place, which may stand
 * anywhere in the additional section. Writes the offsets of the TTLs, two octets each, to `ttl_offsets` (room for one
 * per 11 bytes of message). False if a record is malformed, bytes are left over, or OPT is misplaced, broken or
 * there twice. */
bool response_read(uint8_t *message, size_t size, const struct question_key *key, uint8_t *ttl_offsets,
                   struct response *ret_response);

/* What a response says; `ret_ttl_s` is for how long it may be kept, 0 if not at all or not by its TTLs. `flags` are
 * the header's. */
enum answer_kind response_kind(const struct response *response, uint16_t flags, uint32_t *ret_ttl_s);

#endif
