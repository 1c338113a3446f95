#include "shared/sieve.h"

#include <malloc.h>
#include <string.h>

#include "common/check.h"

/* Entries the hand passes in one eviction, at most 0.1 ms. If all of them are marked, a marked one is evicted. */
enum { HAND_STEPS = 1024 };

enum { MALLOC_HEADER_BYTES = sizeof(size_t) };

_Static_assert(offsetof(struct entry, bytes) == 52, "the header of each of a million entries");

size_t entry_bytes(struct entry *entry)
{
    return malloc_usable_size(entry) + MALLOC_HEADER_BYTES;
}

static uint64_t buckets_bytes(const struct sieve *sieve)
{
    return sieve->bucket_count * sizeof *sieve->buckets;
}

static void buckets_reset(struct sieve *sieve)
{
    sieve->bucket_count = SIEVE_BUCKETS_MIN;
    sieve->bucket_mask = 2 * SIEVE_BUCKETS_MIN - 1;
    sieve->bytes = buckets_bytes(sieve);
}

void sieve_init(struct sieve *sieve, struct entry **buckets, uint32_t bucket_max)
{
    *sieve = (struct sieve){.buckets = buckets, .bucket_max = bucket_max};
    buckets_reset(sieve);
}

/* Buckets from bucket_count on do not exist yet: their entries are still in the bucket from which they will be split,
 * half the mask lower. */
static struct entry **bucket_of(const struct sieve *sieve, uint32_t hash)
{
    uint32_t index = hash & sieve->bucket_mask;
    return &sieve->buckets[index < sieve->bucket_count ? index : index & sieve->bucket_mask >> 1];
}

static void buckets_split(struct sieve *sieve)
{
    uint32_t added = sieve->bucket_count;
    struct entry **from = &sieve->buckets[added & sieve->bucket_mask >> 1];
    struct entry **to = &sieve->buckets[added];
    while (*from) {
        struct entry *entry = *from;
        if ((entry->hash & sieve->bucket_mask) == added) {
            *from = entry->next;
            entry->next = *to;
            *to = entry;
        } else {
            from = &entry->next;
        }
    }
    sieve->bucket_count++;
    sieve->bytes += sizeof *sieve->buckets;
    if (sieve->bucket_count > sieve->bucket_mask) sieve->bucket_mask = sieve->bucket_mask << 1 | 1;
}

/* Merges the last bucket into the one from which it was split. */
static void buckets_merge(struct sieve *sieve)
{
    CHECK(sieve->bucket_count > SIEVE_BUCKETS_MIN);
    uint32_t last = --sieve->bucket_count;
    if (last == sieve->bucket_mask >> 1) sieve->bucket_mask >>= 1;
    struct entry **end = &sieve->buckets[last & sieve->bucket_mask >> 1];
    while (*end) end = &(*end)->next;
    *end = sieve->buckets[last];
    sieve->buckets[last] = NULL;
    sieve->bytes -= sizeof *sieve->buckets;
}

static bool entry_is(const struct entry *entry, const struct hashed_key *key)
{
    return entry->hash == (uint32_t)key->hash && entry->key_size == key->size &&
           memcmp(entry->bytes, key->bytes, key->size) == 0;
}

struct entry **sieve_find(const struct sieve *sieve, const struct hashed_key *key)
{
    struct entry **at = bucket_of(sieve, (uint32_t)key->hash);
    while (*at && !entry_is(*at, key)) at = &(*at)->next;
    return at;
}

static struct entry **find_entry(const struct sieve *sieve, const struct entry *entry)
{
    struct entry **at = bucket_of(sieve, entry->hash);
    while (*at != entry) at = &(*at)->next;
    return at;
}

static void queue_push(struct sieve *sieve, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = sieve->newest;
    *(sieve->newest ? &sieve->newest->newer : &sieve->oldest) = entry;
    sieve->newest = entry;
}

static void queue_remove(struct sieve *sieve, struct entry *entry)
{
    *(entry->older ? &entry->older->newer : &sieve->oldest) = entry->newer;
    *(entry->newer ? &entry->newer->older : &sieve->newest) = entry->older;
    if (sieve->hand == entry) sieve->hand = entry->newer;
}

struct entry *sieve_take(struct sieve *sieve, struct entry **at)
{
    struct entry *entry = *at;
    *at = entry->next;
    entry->next = NULL;
    queue_remove(sieve, entry);
    CHECK(sieve->entries > 0 && sieve->bytes >= entry_bytes(entry));
    sieve->bytes -= entry_bytes(entry);
    sieve->entries--;
    for (int i = 0; i < 2 && sieve->bucket_count > SIEVE_BUCKETS_MIN && sieve->entries < sieve->bucket_count / 2; i++)
        buckets_merge(sieve); /* two buckets for each entry, so that no surplus bucket counts against the bound when all
                                 entries are gone */
    return entry;
}

bool sieve_has_room(const struct sieve *sieve, struct entry *entry)
{
    return SIEVE_BUCKETS_MIN * sizeof *sieve->buckets + entry_bytes(entry) <= sieve->max_bytes;
}

void sieve_insert(struct sieve *sieve, struct entry *entry)
{
    struct entry **bucket = bucket_of(sieve, entry->hash);
    entry->next = *bucket;
    *bucket = entry;
    queue_push(sieve, entry);
    sieve->bytes += entry_bytes(entry);
    sieve->entries++;
    if (sieve->entries > sieve->bucket_count && sieve->bucket_count < sieve->bucket_max) buckets_split(sieve);
}

struct entry *sieve_replace(struct sieve *sieve, struct entry **at, struct entry *entry)
{
    struct entry *old = *at;
    entry->next = old->next;
    entry->newer = old->newer;
    entry->older = old->older;
    entry->visited = old->visited;
    *at = entry;
    *(old->older ? &old->older->newer : &sieve->oldest) = entry;
    *(old->newer ? &old->newer->older : &sieve->newest) = entry;
    if (sieve->hand == old) sieve->hand = entry;
    sieve->bytes += entry_bytes(entry);
    sieve->bytes -= entry_bytes(old);
    old->next = NULL;
    return old;
}

/* Selects the entry to evict. There must be an entry other than `keep`. */
static struct entry *choose(struct sieve *sieve, const struct entry *keep)
{
    struct entry *at = sieve->hand ? sieve->hand : sieve->oldest;
    for (unsigned steps = 0; at == keep || (at->visited && steps < HAND_STEPS); steps++) {
        if (at != keep) at->visited = false;
        at = at->newer ? at->newer : sieve->oldest;
    }
    sieve->hand = at;
    return at;
}

struct entry *sieve_trim(struct sieve *sieve, const struct entry *keep, uint64_t max)
{
    struct entry *gone = NULL;
    uint64_t kept = keep ? 1 : 0;
    for (; max > 0 && sieve->entries > kept && sieve->bytes > sieve->max_bytes; max--) {
        struct entry *entry = sieve_take(sieve, find_entry(sieve, choose(sieve, keep)));
        entry->next = gone;
        gone = entry;
        sieve->evictions++;
    }
    return gone;
}

struct entry *sieve_empty(struct sieve *sieve)
{
    struct entry *gone = NULL;
    for (struct entry *entry = sieve->newest; entry; entry = entry->older) {
        entry->next = gone;
        gone = entry;
    }
    memset(sieve->buckets, 0, buckets_bytes(sieve));
    buckets_reset(sieve);
    sieve->entries = 0;
    sieve->newest = sieve->oldest = sieve->hand = NULL;
    return gone;
}
