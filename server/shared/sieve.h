/* sieve: the entries of one stripe of the cache, found by key and bounded in bytes. No lock: the owner holds its own.
 *
 * Look-up: chained buckets, which are added and removed one at a time (linear hashing, Litwin 1980), so there is no
 * pause for a rehash and a small table uses adjacent memory. The caller owns the zeroed memory of the buckets.
 * Eviction: SIEVE (Zhang et al., NSDI 2024): a queue in order of arrival and a pointer, the hand, which moves from the
 * oldest to the newest entry, clears the mark of entries that were found since it passed last, and evicts the first
 * entry without a mark. */
#ifndef SHARED_SIEVE_H
#define SHARED_SIEVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hash.h"

/* One allocation holds this struct, the key and the value. The sieve owns the three links; sizes, hash and bytes do not
 * change while the entry is in it. */
struct entry {
    struct entry *next; /* in its bucket; after removal, in the list of removed entries */
    struct entry *newer;
    struct entry *older;
    uint64_t put_ns;
    uint64_t end_ns;
    uint32_t hash; /* lower half of the key's hash: selects the bucket and is compared first */
    uint32_t value_size;
    uint16_t key_size;
    bool visited; /* found since the hand passed last */
    bool refresh_told;
    uint8_t bytes[];
};

enum { SIEVE_BUCKETS_MIN = 16 };

struct sieve {
    struct entry **buckets;
    uint32_t bucket_count; /* in use; from SIEVE_BUCKETS_MIN to bucket_max */
    uint32_t bucket_mask;  /* 2^n - 1, at least bucket_count - 1 and below 2 * bucket_count */
    struct entry *newest;
    struct entry *oldest;
    struct entry *hand; /* NULL: the oldest entry is next */
    uint64_t max_bytes;
    uint64_t bytes; /* of entries, as the allocator counts them, and of buckets */
    uint64_t entries;
    uint64_t evictions; /* entries removed because of max_bytes */
    uint32_t bucket_max;
};

/* `bucket_max` is the number of buckets that have memory: a power of two, at least SIEVE_BUCKETS_MIN. */
void sieve_init(struct sieve *sieve, struct entry **buckets, uint32_t bucket_max);

/* Memory of an entry in bytes, with the allocator's header. */
size_t entry_bytes(struct entry *entry);

/* Returns the link that points to the entry of the key, or to NULL; valid until the next change. */
struct entry **sieve_find(const struct sieve *sieve, const struct hashed_key *key);

/* Removes the entry that the link points to; the caller owns it. */
struct entry *sieve_take(struct sieve *sieve, struct entry **at);

/* True if the entry would fit into an empty sieve. */
bool sieve_has_room(const struct sieve *sieve, struct entry *entry);

/* Inserts an entry whose key is not present; to be followed by sieve_trim. */
void sieve_insert(struct sieve *sieve, struct entry *entry);

/* The same if the key is present: the new entry takes the old one's position and mark; the caller owns the old one. */
struct entry *sieve_replace(struct sieve *sieve, struct entry **at, struct entry *entry);

/* Removes entries other than `keep` until the rest is within max_bytes, at most `max` of them. The caller owns the
 * returned list, linked by `next`. */
struct entry *sieve_trim(struct sieve *sieve, const struct entry *keep, uint64_t max);

/* Removes all entries and returns them as such a list. */
struct entry *sieve_empty(struct sieve *sieve);

#endif
