/* topnames_state: the parts of struct topnames, private to topnames.c and topnames_list.c. */
#ifndef SHARED_TOPNAMES_STATE_H
#define SHARED_TOPNAMES_STATE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/random.h"
#include "shared/candidates.h"

enum { TOPNAME_BYTES = 262 }; /* TOPNAMES_KEY_MAX */

struct name {
    uint64_t hash;
    uint16_t size;
    bool known; /* due_ns is valid: the lifetime is known, or is too short for a refresh */
    bool asked; /* since its last answer */
    uint8_t bytes[TOPNAME_BYTES];
};

/* What a search for a name reads of each name in a bucket: most are of other hashes, and need not be touched. */
struct link {
    uint32_t next;  /* in the bucket */
    uint32_t print; /* bits of the hash */
};

/* The names are stored without gaps, 0..used-1. The values that searches read are in arrays of their own. `next` and
 * what is in the buckets are indices plus one; 0 is none. */
struct stripe {
    /* Where the arrays are never changes, so it stands apart from what every query writes to. */
    alignas(64) uint32_t *buckets;
    struct link *links;
    struct name *names;
    uint32_t *queries;
    uint64_t *due_ns;
    uint32_t bucket_mask;
    uint32_t size; /* capacity in names */

    alignas(64) pthread_mutex_t lock; /* guards what follows, and what is in the arrays */
    uint64_t halved_ns;               /* 0: not yet */
    uint64_t next_due_ns;             /* no name is due before */
    uint32_t used;
    uint32_t least; /* lower bound of the counts in a full stripe */
    struct random random;
    struct candidates candidates;
};

struct topnames {
    struct stripe *stripes;
    unsigned stripe_count; /* a power of two */
    unsigned stripe_shift;
    _Atomic uint64_t half_life_ns; /* written by a reload */
    uint8_t *memory;
    size_t memory_bytes;
};

#endif
