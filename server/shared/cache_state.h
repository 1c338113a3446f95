/* cache_state: the parts of struct cache, private to cache.c and cache_restore.c. */
#ifndef SHARED_CACHE_STATE_H
#define SHARED_CACHE_STATE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hash.h"
#include "shared/sieve.h"

/* Times of entries are counted from so long before the machine's start, so that an answer of an earlier run can be
 * older than the clock. */
#define EPOCH_NS (2 * CACHE_AGE_MAX_NS)

/* Each lock has its own cache line; the members of the sieve that a miss reads are in the same line. */
struct stripe {
    alignas(64) pthread_mutex_t lock; /* guards all other members */
    uint64_t stale_ns;
    struct sieve sieve;

    /* Of the entries: another one after each change. Read without the lock, so it stands apart from what a look-up
     * writes to. Relaxed: who has seen the effect of a change sees its version, too, and nothing is read through it. */
    alignas(64) _Atomic uint64_t version;
};

struct cache {
    struct stripe *stripes;
    unsigned stripe_count;        /* a power of two */
    unsigned stripe_shift;        /* the bits of the hash's upper half above this position select the stripe */
    struct sieve_bucket *buckets; /* of all stripes */
    size_t buckets_bytes;
};

static inline struct stripe *stripe_of(const struct cache *cache, const struct hashed_key *key)
{
    return &cache->stripes[key->hash >> 32 >> cache->stripe_shift];
}

/* The entries have changed; with the lock, before it is released. The sieve clears marks of use only where it also
 * evicts, so a mark that was set is set while the version is the same. */
static inline void change_version(struct stripe *stripe)
{
    uint64_t version = atomic_load_explicit(&stripe->version, memory_order_relaxed);
    atomic_store_explicit(&stripe->version, version + 1, memory_order_relaxed);
}

/* Whether an entry is still of use, fresh or stale; with the lock. `now_ns` is counted as its times are. */
static inline bool entry_is_of_use(const struct entry *entry, uint64_t stale_ns, uint64_t now_ns)
{
    return now_ns < entry->end_ns || now_ns - entry->end_ns < stale_ns;
}

/* An entry that is in no stripe yet; NULL if memory is short. */
struct entry *cache_entry_new(const struct hashed_key *key, const void *value, size_t size, uint64_t lifetime_ns,
                              uint64_t put_ns);

#endif
