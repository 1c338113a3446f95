/* question: what a client asks, read and judged, and what the proxy asks upstream in its place.
 *
 * Pure; any thread; keeps no memory. ldns has a look at every message that is found good and not known (validator.h).
 */
#ifndef DNS_QUESTION_H
#define DNS_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/message.h"
#include "dns/tsig.h"

/* What is to be done with a client's message. */
enum question_verdict {
    QUESTION_GOOD,     /* ask the cache, then upstream */
    QUESTION_CLOSE,    /* no header, or not a query (QR=1): close the connection */
    QUESTION_FORMERR,  /* QDCOUNT is not 1, a bad name, records where none belong, a bad OPT, rubbish after the end, a
                          type that no record has */
    QUESTION_NOTIMP,   /* an opcode other than QUERY */
    QUESTION_BADVERS,  /* an EDNS version above 0 */
    QUESTION_TRANSFER, /* AXFR, IXFR: REFUSED */
    QUESTION_COOKIE,   /* none, but a COOKIE option: the client wants a cookie alone (RFC 7873, 5.4) */
    QUESTION_SIGNED,   /* with a TSIG record: NOTAUTH (RFC 8945, 5.2.1) */
    QUESTION_CLASS,    /* a class other than IN: REFUSED */
    QUESTION_ANY,      /* the type ANY: NOTIMP */
};

/* A view of a client's message; `name` points into it. */
struct question {
    uint16_t id;
    uint16_t flags;      /* the header's, as they came */
    const uint8_t *name; /* as the client spelt it; NULL if the message holds no sound question */
    uint8_t name_size;
    uint16_t type;
    uint16_t class;
    bool edns; /* it came with an OPT record, so the reply has one */
    bool dnssec_ok;
    bool keepalive; /* edns-tcp-keepalive was asked for */

    /* Of its OPT record, 0 and NULL without one. */
    uint16_t udp_size; /* the largest reply that the client takes over UDP, as it said */
    uint16_t cookie_size;
    const uint8_t *cookie; /* the data of its COOKIE option (RFC 7873), in the message; NULL: there is none */

    struct tsig tsig; /* its signature */
};

/* Fills `ret_question` as far as the message goes, so that an error reply can echo it; with QUESTION_CLOSE it is empty.
 * The order of judgement:
 * - QR, then the opcode: NOTIMP does not depend on what follows, which has another meaning there and is not echoed.
 * - QDCOUNT and the question: its name uncompressed. Without a question the message may ask for a cookie.
 * - The rest: no answers, no authority but IXFR's SOA (RFC 1995, 3), one OPT and eight records at most, TSIG only as
 * the last (RFC 8945, 5.1), other types well-formed, nothing behind them. ldns looks at a message with other records
 * than OPT last; of one without, it has nothing to read but the name (question_is_confirmed).
 * - A signature, of which no key is known.
 * - The EDNS version; options are read only if it is known (RFC 6891, 6.1.3).
 * - The type: transfers; then 0, OPT and 128 to 254 (MAILA, MAILB, TKEY, TSIG, NXNAME and what is unassigned of the
 *   meta-types, RFC 6895, 3.1), which are FORMERR as in Unbound: no record has them.
 * - The class, and last the type ANY. */
enum question_verdict question_parse(const uint8_t *message, size_t size, struct question *ret_question);

/* Whether ldns, too, reads the name of a question that was found good. Needed only where the question is not known yet,
 * that is before it goes upstream or is answered with records of ours: a name in the cache was confirmed when it was
 * asked, and upper and lower case make no difference. 510 instructions, of which 320 allocate. */
bool question_is_confirmed(const struct question *question);

/* The identity of a question, under which it is merged, cached and ranked: name in lower case, type, the flags that
 * make a different answer (RD, CD, AD, DO), and the route it takes, so that one route's answer is never another's. The
 * class is always IN. */
enum { QUESTION_KEY_ROUTE_BYTES = 4, QUESTION_KEY_MAX = DNS_NAME_MAX + QUESTION_KEY_ROUTE_BYTES + 2 + 1 };
enum {
    QUESTION_KEY_RD = 1,
    QUESTION_KEY_CD = 2,
    QUESTION_KEY_AD = 4,
    QUESTION_KEY_DO = 8,
    QUESTION_KEY_ROUTE = 16 /* the identity of a route follows the name; without it: the default route */
};

struct question_key {
    uint16_t size; /* of `bytes` in use: name, four octets of route or none, two of type, one of QUESTION_KEY_ bits */
    uint8_t bytes[QUESTION_KEY_MAX];
};

/* The key of a question that takes the default route. */
void question_key(const struct question *question, struct question_key *ret_key);

/* Reads a key that was kept outside the program. False if it is none: its name is not sound or not in lower case, its
 * flags are unknown, or it takes the route 0. */
bool question_key_read(const uint8_t *bytes, size_t size, struct question_key *ret_key);

/* Whether ldns, too, reads the name of such a key: that of each other one was confirmed when its question was. */
bool question_key_is_confirmed(const struct question_key *key);

/* The key takes the route of that identity, which is not 0; once. */
void question_key_set_route(struct question_key *key, uint32_t route);

static inline size_t question_key_name_size(const struct question_key *key)
{
    bool has_route = key->bytes[key->size - 1] & QUESTION_KEY_ROUTE;
    return key->size - 3u - (has_route ? QUESTION_KEY_ROUTE_BYTES : 0u);
}

/* The identity of its route; 0: the default route. */
static inline uint32_t question_key_route(const struct question_key *key)
{
    bool has_route = key->bytes[key->size - 1] & QUESTION_KEY_ROUTE;
    return has_route ? dns_u32(key->bytes + key->size - 3 - QUESTION_KEY_ROUTE_BYTES) : 0;
}

static inline uint16_t question_key_type(const struct question_key *key)
{
    return dns_u16(key->bytes + key->size - 3);
}

static inline uint8_t question_key_flags(const struct question_key *key)
{
    return key->bytes[key->size - 1];
}

/* How a query is sent. */
struct question_wire {
    uint16_t id;
    uint16_t padding_block; /* the message is padded to a multiple of this; 0: not; at most 512 */
    bool without_edns;      /* no OPT record, for a server that does not know it: no padding and no DO bit either */
};

/* The query the proxy sends for a key: own OPT, no client subnet. Writes at most QUESTION_QUERY_MAX bytes; returns
 * their number. */
enum { QUESTION_QUERY_MAX = DNS_HEADER_BYTES + DNS_NAME_MAX + 4 + 15 + 512 };
size_t question_write_query(const struct question_key *key, const struct question_wire *wire, uint8_t *out);

/* How a client spelt a name (letters in upper case), kept for the reply when the message is no longer there: a bit for
 * each octet of the name. Most names are in lower case throughout, for which 350 instructions less are needed. */
struct spelling {
    bool has_upper; /* else the bits are not set */
    uint8_t upper[(DNS_NAME_MAX + 7) / 8];
};
void spelling_take(const uint8_t *name, size_t size, struct spelling *ret_spelling);

/* Writes the lower-case `name` as it was spelt. */
void spelling_apply(const struct spelling *spelling, const uint8_t *name, size_t size, uint8_t *out);

#endif
