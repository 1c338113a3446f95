/* cache: answers by key, bounded in bytes, shared by all workers.
 *
 * Knows nothing of DNS: a key (hashed by the caller, common/hash.h) and a value are bytes, a value has a lifetime. The
 * table is split into stripes by the key's hash, each with a mutex, buckets that grow one by one (linear hashing,
 * Litwin 1980: no pause for a rehash) and a SIEVE queue (Zhang et al., NSDI 2024): a hit only sets a bit, so that hot
 * entries are never moved, and a scan of names asked once passes through without pushing them out.
 *
 * Locks: one stripe's, a leaf; memory is allocated before it is taken and freed after it is released. A value is copied
 * out under it. Bound: `max_bytes` counts entries as the allocator does, its own header included, and the buckets in
 * use. Each stripe has an equal share of it; there are 64, fewer where a share would be under 256 KiB, so that the
 * largest answer fits. Any thread. */
#ifndef SHARED_CACHE_H
#define SHARED_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hash.h"

struct cache_options {
    uint64_t max_bytes; /* 0 = nothing is kept */
    uint64_t stale_ns;  /* how long a value is kept behind its end */
};

struct cache;

enum cache_state {
    CACHE_ABSENT,
    CACHE_FRESH,
    CACHE_STALE /* its lifetime is over, but not by more than stale_ns */
};

struct cache_found {
    size_t size;      /* of the value */
    uint64_t age_ns;  /* since it was put */
    uint64_t left_ns; /* of its lifetime; 0 where stale */
    bool refresh_due; /* fresh, near its end, and nobody else was told so since: the caller is to fetch it anew */
};

/* NULL where memory is short. The buckets are reserved, not touched, so an empty cache costs little. */
struct cache *cache_new(const struct cache_options *options);
void cache_free(struct cache *cache);

/* New bounds (reload); what is over them has gone when this returns, in small steps, so that no worker waits long. The
 * number of stripes stays, and so do the buckets reserved (enough for the max_bytes of cache_new, at least for 64 MiB):
 * a far larger cache finds more slowly. */
void cache_set_options(struct cache *cache, const struct cache_options *options);

/* Copies the value to `out`. CACHE_ABSENT also where it is larger than `capacity`; `ret_found` is then left alone.
 * `refresh_due` is said once a lifetime: in its last tenth, and at least in the last second of a lifetime of 2 s and
 * more. */
enum cache_state cache_find(struct cache *cache, const struct hashed_key *key, uint64_t now_ns, uint8_t *out,
                            size_t capacity, struct cache_found *ret_found);

/* Keeps a copy for `lifetime_ns`; replaces what the key had, in its place in the queue. False where the value is larger
 * than a stripe's share or memory is short: it is then not kept, and what the key had is gone. */
bool cache_put(struct cache *cache, const struct hashed_key *key, const void *value, size_t size, uint64_t lifetime_ns,
               uint64_t now_ns);

/* True where the key was there. */
bool cache_remove(struct cache *cache, const struct hashed_key *key);
void cache_clear(struct cache *cache);

struct cache_figures {
    uint64_t entries; /* those behind their end are counted until somebody asks for them or they give way */
    uint64_t bytes;
    uint64_t evictions; /* since cache_new: entries that gave way to the bound */
};
struct cache_figures cache_figures(struct cache *cache);

#endif
