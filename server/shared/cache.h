/* cache: answers by key, bounded in bytes, shared by all workers.
 *
 * The cache does not know DNS: keys (hashed by the caller, common/hash.h) and values are bytes, and a value has a
 * lifetime. The table is divided into stripes by the hash of the key. Each stripe has a mutex, buckets that grow by a
 * few (linear hashing, Litwin 1980: no pause for a rehash) and a SIEVE queue (Zhang et al., NSDI 2024): a hit only sets
 * a bit, so frequently used entries are never moved, and a scan of names that are asked once does not evict them.
 *
 * Locks: the mutex of one stripe, a leaf. Memory is allocated before it is taken and freed after it is released; a
 * value is copied out while it is held. A caller may keep its copy, and use it without the lock for as long as it is
 * valid (cache_copy_valid). Bound: `max_bytes` covers entries as the allocator counts them, with its
 * header, and the buckets in use. Stripes have equal shares of it. There are 64 stripes, fewer if a share would be
 * below 256 KiB, so that the largest answer fits. Any thread. */
#ifndef SHARED_CACHE_H
#define SHARED_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hash.h"

struct cache_options {
    uint64_t max_bytes; /* 0 = nothing is stored */
    uint64_t stale_ns;  /* how long a value is kept after its lifetime */
};

struct cache;

enum cache_state {
    CACHE_ABSENT,
    CACHE_FRESH,
    CACHE_STALE /* expired, but by less than stale_ns */
};

struct cache_found {
    size_t size;      /* of the value */
    uint64_t age_ns;  /* since it was stored */
    uint64_t left_ns; /* of its lifetime; 0 if stale */
    bool refresh_due; /* fresh but near its expiry, and no other caller was told: the caller should refresh it */
};

/* NULL if memory is short. Memory for the buckets is reserved but not touched, so an empty cache costs little. From
 * 256 MiB on it has pages of 2 MiB, so that the first entries take most of it: a 16th of max_bytes. */
struct cache *cache_new(const struct cache_options *options);
void cache_free(struct cache *cache);

/* Sets new bounds (reload) and evicts what exceeds them, in small steps, so that no worker waits long. The number of
 * stripes and the reserved buckets do not change (enough for the max_bytes of cache_new, at least for 64 MiB), so
 * look-ups in a much larger cache are slower. */
void cache_set_options(struct cache *cache, const struct cache_options *options);

/* Have the processor fetch what cache_find will read of the key, without waiting for it: first where its value is to
 * be found; later, when that has come, the value. Returns whether there may be one. For several keys at once, so that
 * their waits for memory overlap. They take no lock; what other threads do meanwhile only makes them useless. */
void cache_prefetch(const struct cache *cache, const struct hashed_key *key);
bool cache_prefetch_value(const struct cache *cache, const struct hashed_key *key);

/* Copies the value to `out`. Returns CACHE_ABSENT also if the value is larger than `capacity`; `ret_found` is then
 * unchanged. `refresh_due` is set once in a lifetime: in its last tenth, and not later than its last second if the
 * lifetime is at least 2 s. */
enum cache_state cache_find(struct cache *cache, const struct hashed_key *key, uint64_t now_ns, uint8_t *out,
                            size_t capacity, struct cache_found *ret_found);

/* What is known of a copy that is used without the lock. */
struct cache_validity {
    uint64_t version;  /* of the entries of its stripe */
    uint64_t put_ns;   /* when the value was stored, by the cache's own count, */
    uint64_t end_ns;   /* when its lifetime ends, */
    uint64_t until_ns; /* and until when cache_find does nothing but copy it: not later than its end */
    size_t size;       /* of the value */
};

/* Copies a fresh value to `out` as cache_find does, which counts as use, and says for how long the copy stands for the
 * entry. False if there is none, it is larger than `capacity`, or cache_find would tell that a refresh is due. */
bool cache_copy_valid(struct cache *cache, const struct hashed_key *key, uint64_t now_ns, uint8_t *out, size_t capacity,
                      struct cache_validity *ret_validity);

/* Whether cache_find of the key would now return CACHE_FRESH with the value that was copied, and change nothing;
 * `ret_found` is then what it would say. No lock is taken. As soon as an entry of the stripe is stored, replaced,
 * removed, purged or evicted, which is also when marks of use are cleared, no copy of that stripe is valid any more.
 * `now_ns` is not earlier than that of the copy. */
bool cache_is_valid(const struct cache *cache, const struct hashed_key *key, const struct cache_validity *validity,
                    uint64_t now_ns, struct cache_found *ret_found);

/* Stores a copy for `lifetime_ns`. A former value of the key is replaced, and its position in the queue is kept. False
 * if the value is larger than a stripe's share or memory is short: then nothing is stored, and the former value is
 * removed. */
bool cache_put(struct cache *cache, const struct hashed_key *key, const void *value, size_t size, uint64_t lifetime_ns,
               uint64_t now_ns);

/* Removes the value; true if there was one. */
bool cache_remove(struct cache *cache, const struct hashed_key *key);
void cache_clear(struct cache *cache);

/* ---- for the state over a restart ---- */

/* What is known of an entry besides its key and value. */
struct cache_times {
    uint64_t age_ns;  /* since it was stored */
    uint64_t left_ns; /* of its lifetime; 0: it is stale, */
    uint64_t over_ns; /* for so long */
    bool is_used;     /* found since it was stored, or since it was last spared from eviction */
};

enum cache_walk {
    CACHE_ALL,
    CACHE_USED, /* those that are `is_used` */
    CACHE_UNUSED,
};

/* How far a walk through the cache has come; all zero: the beginning of one through all entries. */
struct cache_cursor {
    enum cache_walk which;
    unsigned stripe;
    uint32_t bucket;
    uint32_t index; /* in the bucket */
};

/* An entry that was copied. */
struct cache_copy {
    uint16_t key_size;
    size_t value_size;
    struct cache_times times;
};

/* Copies the next entry, its key and behind it its value, to `out`; others than the walk's, and entries that are larger
 * than `capacity` or no longer of use, are passed over. False at the end. A lock is held for a look at four entries or
 * buckets and the copy of one entry at most. Entries that are
 * in the cache during the whole walk are seen, except for a few where it shrinks meanwhile; some may be seen twice
 * where it grows. That an entry is copied does not count as use. */
bool cache_copy_next(struct cache *cache, struct cache_cursor *cursor, uint64_t now_ns, uint8_t *out, size_t capacity,
                     struct cache_copy *ret_copy);

/* The same for the entry of a key. False if there is none, or it is larger than `capacity`. */
bool cache_copy_one(struct cache *cache, const struct hashed_key *key, uint64_t now_ns, uint8_t *out, size_t capacity,
                    struct cache_copy *ret_copy);

/* Whether there is a fresh answer; that one asks does not count as use. */
bool cache_has_fresh(struct cache *cache, const struct hashed_key *key, uint64_t now_ns);

enum cache_restored {
    CACHE_RESTORED,
    CACHE_KNOWN, /* there is an entry of this key, which is newer */
    CACHE_FULL,  /* another entry would have to be evicted, or memory is short */
};

/* Stores an entry of an earlier run as the oldest of all. No age is above CACHE_AGE_MAX_NS. */
#define CACHE_AGE_MAX_NS (UINT64_C(366) * 24 * 3600 * 1000000000)
enum cache_restored cache_restore(struct cache *cache, const struct hashed_key *key, const void *value, size_t size,
                                  const struct cache_times *times, uint64_t now_ns);

struct cache_figures {
    uint64_t entries; /* expired entries count until they are looked up or evicted */
    uint64_t bytes;
    uint64_t evictions; /* entries removed because of the bound, since cache_new */
};
struct cache_figures cache_figures(struct cache *cache);

#endif
