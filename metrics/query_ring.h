/* query_ring: the notable queries of one thread, the latest of each kind, for /queries.json and the status page.
 *
 * One thread writes, any thread reads, and neither waits for the other: an entry has a sequence number that is odd
 * while it is written, and a reader that meets one that changed passes it over. Bounds: `entries` of each kind, so that
 * a flood of one kind displaces no other, and QUERY_RING_PER_S of each kind in a second; those above are only counted.
 * An entry takes QUERY_ENTRY_BYTES; memory that was never written to is not resident. Names and texts are data of
 * clients and upstreams: whoever shows them escapes them. */
#ifndef METRICS_QUERY_RING_H
#define METRICS_QUERY_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "metrics/counters.h"

/* The first that holds for a query, in the order of the list behind QUERY_KINDS, is its kind. */
enum query_kind {
    QUERY_SLOW,      /* took longer than log.slow */
    QUERY_SERVFAIL,  /* answered with SERVFAIL */
    QUERY_REFUSED,   /* the client or the question is not allowed */
    QUERY_LIMITED,   /* over the rate limit, or no room for it */
    QUERY_STALE,     /* answered with an expired answer */
    QUERY_MALFORMED, /* not a query, or one that cannot be understood */
    QUERY_KINDS,
    QUERY_ORDINARY = QUERY_KINDS, /* not notable: kept nowhere */
};

enum {
    QUERY_NAME_MAX = 255,
    QUERY_TEXT_BYTES = 128,   /* longer texts are cut */
    QUERY_NO_RCODE = 0xffff,  /* no reply */
    QUERY_NO_EDE = 0xffff,    /* no Extended DNS Error */
    QUERY_RING_PER_S = 200,   /* of a kind: what a page can show, and far below what a flood brings */
    QUERY_ENTRIES_MAX = 1000, /* of a kind */
    QUERY_SOURCE_NONE = UINT8_MAX,
};

struct query_note {
    uint64_t at_ns;     /* when it ended, clock_now_ns() */
    uint64_t took_ns;   /* since it was read */
    uint64_t question;  /* its number in the events of log.level debug; 0: it was not asked upstream */
    const char *reason; /* constant; NULL where the rcode says it all */
    struct address client;
    uint16_t type;     /* 0: there is no sound question */
    uint16_t rcode;    /* or QUERY_NO_RCODE */
    uint16_t ede_code; /* or QUERY_NO_EDE */
    uint8_t kind;      /* enum query_kind */
    uint8_t transport; /* LABEL_TRANSPORT_ */
    uint8_t source;    /* LABEL_SOURCE_, or QUERY_SOURCE_NONE */
    uint8_t attempts;
    uint8_t worker;
    bool ede_is_ours; /* its text is a constant of this program, and names nobody */
    uint8_t name_size;
    uint8_t name[QUERY_NAME_MAX];    /* on the wire, as the client spelt it */
    char ede_text[QUERY_TEXT_BYTES]; /* "": none */
    char route[QUERY_TEXT_BYTES];    /* the first zone of its route; "": the default one, or it came to none */
    char upstream[QUERY_TEXT_BYTES]; /* that was asked last; "": none */
};

enum {
    QUERY_WORDS = (sizeof(struct query_note) + sizeof(uint64_t) - 1) / sizeof(uint64_t),
    QUERY_ENTRY_BYTES = (QUERY_WORDS + 1) * sizeof(uint64_t),
};

struct query_ring;

/* `entries` of each kind, 1..QUERY_ENTRIES_MAX. NULL where memory is short. */
struct query_ring *query_ring_new(uint32_t entries);
void query_ring_free(struct query_ring *ring); /* NULL is fine */

/* Counts one more of the kind; whether it may be put. The writer's thread. */
bool query_ring_admit(struct query_ring *ring, enum query_kind kind, uint64_t now_ns);

/* In place of the oldest of its kind. The writer's thread. */
void query_ring_put(struct query_ring *ring, const struct query_note *note);

/* Which kind a datagram is that was dropped unread, and why, as its counter's label says it. */
enum query_kind query_kind_of_dropped(enum label_udp_dropped dropped, const char **ret_reason);

/* A connection that was refused before a query came on it: counted, and kept as refused where its client is not
 * allowed, else as limited. `ring` NULL: nothing is kept. The writer's thread. */
void query_ring_put_connection(struct query_ring *ring, enum label_rejected why, const struct address *client,
                               uint64_t now_ns);

/* Any thread: how many of the kind there were since the start, how many of these were left out, and how many were put.
 */
struct query_count {
    uint64_t seen;
    uint64_t left_out;
    uint64_t put;
};
struct query_count query_ring_count(const struct query_ring *ring, enum query_kind kind);
uint32_t query_ring_entries(const struct query_ring *ring);

/* Any thread: the one of that number among those put, from 0. False: it is not there any more, or not yet. */
bool query_ring_read(const struct query_ring *ring, enum query_kind kind, uint64_t number, struct query_note *ret_note);

/* "slow", "servfail", ... Constant. */
const char *query_kind_name(enum query_kind kind);
bool query_kind_parse(const char *name, size_t size, enum query_kind *ret_kind);

#endif
