/* special_names: names that a resolver answers itself and never asks upstream: the Special-Use Domain Names of RFC 6761
 * and its successors, and the locally served zones of RFC 6303.
 *
 * One table, with the RFC of each row; a lookup takes a constant number of steps for any name that does not end in one
 * of its top-level labels. Names are matched by whole labels, letters in any case. Pure; any thread. */
#ifndef DNS_SPECIAL_NAMES_H
#define DNS_SPECIAL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/local_answer.h"
#include "dns/message.h"
#include "dns/question.h"

/* How a zone of the table answers. All have a SOA record at their own name. */
enum special_kind {
    SPECIAL_KIND_ADDRESS,  /* every name in it has the loopback addresses, and nothing else */
    SPECIAL_KIND_EMPTY,    /* an empty zone with an NS record; DS of its own name belongs to the parent: forwarded */
    SPECIAL_KIND_NODATA,   /* every name in it exists, none has data */
    SPECIAL_KIND_NXDOMAIN, /* neither the zone's own name nor any below it exists */
};

struct special_zone {
    const char *name; /* on the wire; the string's NUL is the root */
    uint8_t name_size;
    uint8_t first; /* if `last` is not 0: zones of one more label, a decimal number from `first` to `last` */
    uint8_t last;
    enum special_kind kind;
    const char *pointer; /* a name in it, on the wire, whose PTR record leads to localhost; or NULL */
    uint8_t pointer_size;
    const char *rfc; /* "RFC 6761, 6.3" */
};

/* What a question about a special name gets. */
enum special_verdict {
    SPECIAL_NONE,    /* no special name: resolved like any other */
    SPECIAL_FORWARD, /* a special name, but the question must be resolved: DS of an empty zone's own name */
    SPECIAL_ADDRESS, /* 127.0.0.1 or ::1 */
    SPECIAL_POINTER, /* PTR localhost. */
    SPECIAL_SOA,
    SPECIAL_NS,
    SPECIAL_NODATA,
    SPECIAL_NXDOMAIN,
};

struct special_match {
    const struct special_zone *zone;
    size_t zone_at;   /* where the zone's name begins in the name asked, */
    size_t zone_size; /* and its size there */
};

/* `name` is a sound name on the wire, uncompressed. `ret_match` is filled unless it is SPECIAL_NONE. */
enum special_verdict special_names_find(const uint8_t *name, size_t name_size, uint16_t type,
                                        struct special_match *ret_match);

/* Appends the records of the verdict for `name` (in lower case) to an answer; the rcode that goes with it is returned.
 * The verdict is neither SPECIAL_NONE nor SPECIAL_FORWARD. */
uint16_t special_names_add(struct local_answer *answer, enum special_verdict verdict, const struct special_match *match,
                           const uint8_t *name, size_t name_size, uint16_t type);

/* Writes the answer to `out` (at least SPECIAL_ANSWER_BYTES), as local_answer.h does; returns its bytes. */
enum { SPECIAL_ANSWER_BYTES = DNS_HEADER_BYTES + DNS_NAME_MAX + 4 + 2 * DNS_NAME_MAX + 128 };
size_t special_names_write(enum special_verdict verdict, const struct special_match *match,
                           const struct question *question, uint8_t *out);

/* The table, for tests and documentation. */
const struct special_zone *special_names_table(size_t *ret_count);

/* "NXDOMAIN", "NODATA", "127.0.0.1 or ::1", ... */
const char *special_verdict_text(enum special_verdict verdict);

#endif
