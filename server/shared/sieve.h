/* sieve: the entries of one stripe of the cache, found by key and bounded in bytes. No lock: the owner holds its own.
 *
 * Look-up: chained buckets, of which a few are added and one is removed at a time (linear hashing, Litwin 1980), so
 * there is no pause for a rehash and a small table uses adjacent memory. The caller owns the zeroed memory of the
 * buckets. Eviction: SIEVE (Zhang et al., NSDI 2024): a queue in order of arrival and a pointer, the hand, which moves
 * from the oldest to the newest entry, clears the mark of entries that were found since it passed last, and evicts the
 * first entry without a mark. */
#ifndef SHARED_SIEVE_H
#define SHARED_SIEVE_H

#include <stdatomic.h>
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
    uint32_t hash; /* lower half of the key's hash: selects the bucket and its filter's bit, and is compared first */
    uint32_t value_size;
    uint16_t key_size;
    bool visited; /* found since the hand passed last */
    bool refresh_told;
    uint8_t bytes[];
};

enum {
    SIEVE_BUCKETS_MIN = 16,
    SIEVE_SPLITS = 16, /* buckets that are added at a time, once there are more entries than buckets */
};

/* The address of a bucket's first entry in the lower 48 bits. The upper 16 are a filter: bit n is set if the hash of an
 * entry of the bucket begins with n. So most look-ups of absent keys touch no entry, each of which is a line of memory
 * that no cache of the processor holds. Atomic, with relaxed order, for sieve_prefetch, which takes no lock. */
struct sieve_bucket {
    _Atomic uint64_t word;
};

struct sieve {
    struct sieve_bucket *buckets;
    _Atomic uint32_t bucket_count; /* in use; from SIEVE_BUCKETS_MIN to bucket_max; atomic as the buckets are */
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
void sieve_init(struct sieve *sieve, struct sieve_bucket *buckets, uint32_t bucket_max);

/* Memory of an entry in bytes, with the allocator's header. */
size_t entry_bytes(struct entry *entry);

/* The entry of the key, or NULL. */
struct entry *sieve_find(const struct sieve *sieve, const struct hashed_key *key);

/* Have the processor fetch what sieve_find will read: the bucket; later, when that has come, the first entry, if the
 * filter says that the key may be there. Returns whether it does. Any thread, without the lock: what another thread
 * changes meanwhile only makes this useless. */
void sieve_prefetch(const struct sieve *sieve, const struct hashed_key *key);
bool sieve_prefetch_entry(const struct sieve *sieve, const struct hashed_key *key);

/* Removes an entry that is in the sieve; the caller owns it. */
void sieve_take(struct sieve *sieve, struct entry *entry);

/* True if the entry would fit into an empty sieve. */
bool sieve_has_room(const struct sieve *sieve, struct entry *entry);

/* Inserts an entry whose key is not present; to be followed by sieve_trim. */
void sieve_insert(struct sieve *sieve, struct entry *entry);

/* The same for an entry that is older than all others: the next to be evicted if it has no mark. There must be room for
 * it (sieve_has_spare). */
void sieve_insert_oldest(struct sieve *sieve, struct entry *entry);

/* True if the entry, which has no former value, fits without an eviction. */
bool sieve_has_spare(const struct sieve *sieve, struct entry *entry);

/* The same as sieve_insert if the key is present, in `old`: the new entry takes its position and mark; the caller owns
 * the old one. */
void sieve_replace(struct sieve *sieve, struct entry *old, struct entry *entry);

/* The entry of that index in a bucket, or NULL behind the last; for a walk through all. */
const struct entry *sieve_entry_at(const struct sieve *sieve, uint32_t bucket, uint32_t index);
uint32_t sieve_bucket_count(const struct sieve *sieve);

/* Removes entries other than `keep` until the rest is within max_bytes, at most `max` of them. The caller owns the
 * returned list, linked by `next`. */
struct entry *sieve_trim(struct sieve *sieve, const struct entry *keep, uint64_t max);

/* Removes all entries and returns them as such a list. */
struct entry *sieve_empty(struct sieve *sieve);

#endif
