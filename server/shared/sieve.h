/* sieve: entries by key, bounded in bytes: what a stripe of the cache holds. Not locked: whoever owns it holds its
 * lock.
 *
 * Look-up: chained buckets, added and taken back one at a time as entries come and go (linear hashing, Litwin 1980), so
 * that there is no pause for a rehash and a small table lies close together. The memory of the buckets is the caller's
 * and zeroed. Eviction: SIEVE (Zhang et al., NSDI 2024): a queue in the order of arrival, and a hand that goes from the
 * oldest to the newest, clears the mark of what was found since it last came by, and takes the first without one. */
#ifndef SHARED_SIEVE_H
#define SHARED_SIEVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hash.h"

/* One allocation: this, the key, the value. The three links belong to the sieve; sizes, hash and bytes do not change
 * while the entry is in it. */
struct entry {
    struct entry *next; /* in its bucket; once taken out, in a list of such */
    struct entry *newer;
    struct entry *older;
    uint64_t put_ns;
    uint64_t end_ns;
    uint32_t hash; /* the lower half of the key's: its bucket, and a first comparison */
    uint32_t value_size;
    uint16_t key_size;
    bool visited; /* found since the hand passed */
    bool refresh_told;
    uint8_t bytes[];
};

enum { SIEVE_BUCKETS_MIN = 16 };

struct sieve {
    struct entry **buckets;
    uint32_t bucket_count; /* in use; from SIEVE_BUCKETS_MIN to bucket_max */
    uint32_t bucket_mask;  /* 2^n - 1, at least bucket_count, less than twice that */
    struct entry *newest;
    struct entry *oldest;
    struct entry *hand; /* NULL: at the oldest */
    uint64_t max_bytes;
    uint64_t bytes; /* of entries, as the allocator counts, and of buckets */
    uint64_t entries;
    uint64_t evictions; /* entries that gave way to max_bytes */
    uint32_t bucket_max;
};

/* `bucket_max`: how many have memory, a power of two, at least SIEVE_BUCKETS_MIN. */
void sieve_init(struct sieve *sieve, struct entry **buckets, uint32_t bucket_max);

/* What an entry costs, the allocator's own header included. */
size_t entry_bytes(struct entry *entry);

/* Where the link to the key's entry is, or to NULL; good until the next change. */
struct entry **sieve_find(const struct sieve *sieve, const struct hashed_key *key);

/* Takes out the entry linked at `at`; the caller's now. */
struct entry *sieve_take(struct sieve *sieve, struct entry **at);

/* True where the entry fits once all others are gone. */
bool sieve_has_room(const struct sieve *sieve, struct entry *entry);

/* Puts an entry whose key is not there; to be followed by sieve_trim. */
void sieve_insert(struct sieve *sieve, struct entry *entry);

/* The same where the key is there: the new entry has the old one's place and mark, the old one is the caller's. */
struct entry *sieve_replace(struct sieve *sieve, struct entry **at, struct entry *entry);

/* Takes out entries other than `keep` until the rest is within max_bytes, but no more than `max`; they are the
 * caller's, a list by `next`. */
struct entry *sieve_trim(struct sieve *sieve, const struct entry *keep, uint64_t max);

/* Takes out all, as a list. */
struct entry *sieve_empty(struct sieve *sieve);

#endif
