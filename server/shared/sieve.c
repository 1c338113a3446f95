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

/* ---- buckets ---- */

enum { ADDRESS_BITS = 48 }; /* of user space: x86-64 gives more only to who asks for it, arm64 never */

static struct entry *first_of(uint64_t word)
{
    return (struct entry *)(uintptr_t)(word & ((UINT64_C(1) << ADDRESS_BITS) - 1));
}

/* The bit of an entry in the filter of its bucket: the hash's upper four bits, since the lower ones select the bucket.
 */
static uint64_t filter_of(uint32_t hash)
{
    return UINT64_C(1) << (ADDRESS_BITS + (hash >> 28));
}

static uint64_t bucket_read(const struct sieve_bucket *bucket)
{
    return atomic_load_explicit(&bucket->word, memory_order_relaxed);
}

static void bucket_write(struct sieve_bucket *bucket, const struct entry *first, uint64_t filter)
{
    uint64_t address = (uintptr_t)first;
    CHECK(address >> ADDRESS_BITS == 0);
    atomic_store_explicit(&bucket->word, address | filter, memory_order_relaxed);
}

static void bucket_push(struct sieve_bucket *bucket, struct entry *entry)
{
    uint64_t word = bucket_read(bucket);
    entry->next = first_of(word);
    bucket_write(bucket, entry, (word >> ADDRESS_BITS << ADDRESS_BITS) | filter_of(entry->hash));
}

static uint32_t count_of(const struct sieve *sieve)
{
    return atomic_load_explicit(&sieve->bucket_count, memory_order_relaxed);
}

static void change_count(struct sieve *sieve, uint32_t count)
{
    sieve->bytes -= count_of(sieve) * sizeof *sieve->buckets;
    sieve->bytes += count * sizeof *sieve->buckets;
    atomic_store_explicit(&sieve->bucket_count, count, memory_order_relaxed);
}

/* 2^n - 1, at least `count` and below 2 * `count`. */
static uint32_t mask_of(uint32_t count)
{
    return UINT32_MAX >> __builtin_clz(count);
}

void sieve_init(struct sieve *sieve, struct sieve_bucket *buckets, uint32_t bucket_max)
{
    *sieve = (struct sieve){.buckets = buckets, .bucket_max = bucket_max};
    change_count(sieve, SIEVE_BUCKETS_MIN);
}

/* Buckets from bucket_count on do not exist yet: their entries are still in the bucket from which they will be split,
 * half the mask lower. The bucket has memory whatever the hash, also where another thread changes the count. */
static struct sieve_bucket *bucket_of(const struct sieve *sieve, uint32_t hash)
{
    uint32_t count = count_of(sieve);
    uint32_t mask = mask_of(count);
    uint32_t index = hash & mask;
    return &sieve->buckets[index < count ? index : index & mask >> 1];
}

/* The bucket from which number `added` is split. */
static struct sieve_bucket *origin_of(const struct sieve *sieve, uint32_t added)
{
    return &sieve->buckets[added & mask_of(added) >> 1];
}

/* Adds SIEVE_SPLITS buckets, or as many as there is memory for. The entries of their origins are read side by side, so
 * that the waits for memory overlap: in a large cache they are most of what an insertion takes. */
static void buckets_split(struct sieve *sieve)
{
    struct entry *left[SIEVE_SPLITS];
    const uint32_t count = count_of(sieve);
    const uint32_t spare = sieve->bucket_max - count;
    const uint32_t more = spare < SIEVE_SPLITS ? spare : SIEVE_SPLITS;
    bool is_any_left = false;
    for (uint32_t i = 0; i < more; i++) {
        struct sieve_bucket *from = origin_of(sieve, count + i);
        left[i] = first_of(bucket_read(from));
        __builtin_prefetch(left[i], 1);
        bucket_write(from, NULL, 0);
        is_any_left |= left[i] != NULL;
    }
    while (is_any_left) {
        is_any_left = false;
        for (uint32_t i = 0; i < more; i++) {
            const uint32_t added = count + i;
            struct entry *entry = left[i];
            if (!entry) continue;
            left[i] = entry->next;
            __builtin_prefetch(left[i], 1);
            is_any_left |= left[i] != NULL;
            bool moves = (entry->hash & mask_of(added)) == added;
            bucket_push(moves ? &sieve->buckets[added] : origin_of(sieve, added), entry);
        }
    }
    change_count(sieve, count + more);
}

/* Merges the last bucket into the one from which it was split. */
static void buckets_merge(struct sieve *sieve)
{
    CHECK(count_of(sieve) > SIEVE_BUCKETS_MIN);
    uint32_t last = count_of(sieve) - 1;
    struct sieve_bucket *into = origin_of(sieve, last);
    struct entry *entry = first_of(bucket_read(&sieve->buckets[last]));
    while (entry) {
        struct entry *next = entry->next;
        bucket_push(into, entry);
        entry = next;
    }
    bucket_write(&sieve->buckets[last], NULL, 0);
    change_count(sieve, last);
}

/* Takes the entry out of its bucket, and puts another in its place unless that is NULL. The filter is made anew. */
static void bucket_exchange(struct sieve *sieve, const struct entry *old, struct entry *new)
{
    struct sieve_bucket *bucket = bucket_of(sieve, old->hash);
    struct entry *entry = first_of(bucket_read(bucket));
    bool found = false;
    bucket_write(bucket, NULL, 0);
    while (entry) {
        struct entry *next = entry->next;
        if (entry != old)
            bucket_push(bucket, entry);
        else
            found = true;
        entry = next;
    }
    CHECK(found);
    if (new) bucket_push(bucket, new);
}

static bool entry_is(const struct entry *entry, const struct hashed_key *key)
{
    return entry->hash == (uint32_t)key->hash && entry->key_size == key->size &&
           memcmp(entry->bytes, key->bytes, key->size) == 0;
}

struct entry *sieve_find(const struct sieve *sieve, const struct hashed_key *key)
{
    uint64_t word = bucket_read(bucket_of(sieve, (uint32_t)key->hash));
    if (!(word & filter_of((uint32_t)key->hash))) return NULL;
    struct entry *entry = first_of(word);
    while (entry && !entry_is(entry, key)) entry = entry->next;
    return entry;
}

void sieve_prefetch(const struct sieve *sieve, const struct hashed_key *key)
{
    __builtin_prefetch(bucket_of(sieve, (uint32_t)key->hash));
}

bool sieve_prefetch_entry(const struct sieve *sieve, const struct hashed_key *key)
{
    enum { LINE = 64 };
    uint64_t word = bucket_read(bucket_of(sieve, (uint32_t)key->hash));
    if (!(word & filter_of((uint32_t)key->hash))) return false;
    const uint8_t *entry = (const uint8_t *)first_of(word);
    for (unsigned i = 0; i < 3; i++) __builtin_prefetch(entry + i * LINE); /* a usual entry */
    return true;
}

/* ---- the queue ---- */

static void queue_push(struct sieve *sieve, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = sieve->newest;
    *(sieve->newest ? &sieve->newest->newer : &sieve->oldest) = entry;
    sieve->newest = entry;
}

static void queue_push_oldest(struct sieve *sieve, struct entry *entry)
{
    entry->older = NULL;
    entry->newer = sieve->oldest;
    *(sieve->oldest ? &sieve->oldest->older : &sieve->newest) = entry;
    sieve->oldest = entry;
}

static void queue_remove(struct sieve *sieve, struct entry *entry)
{
    *(entry->older ? &entry->older->newer : &sieve->oldest) = entry->newer;
    *(entry->newer ? &entry->newer->older : &sieve->newest) = entry->older;
    if (sieve->hand == entry) sieve->hand = entry->newer;
}

void sieve_take(struct sieve *sieve, struct entry *entry)
{
    bucket_exchange(sieve, entry, NULL);
    entry->next = NULL;
    queue_remove(sieve, entry);
    CHECK(sieve->entries > 0 && sieve->bytes >= entry_bytes(entry));
    sieve->bytes -= entry_bytes(entry);
    sieve->entries--;
    for (int i = 0; i < 2 && count_of(sieve) > SIEVE_BUCKETS_MIN && sieve->entries < count_of(sieve) / 2; i++)
        buckets_merge(sieve); /* two buckets for each entry, so that no surplus bucket counts against the bound when all
                                 entries are gone */
}

bool sieve_has_room(const struct sieve *sieve, struct entry *entry)
{
    return SIEVE_BUCKETS_MIN * sizeof *sieve->buckets + entry_bytes(entry) <= sieve->max_bytes;
}

static void add_to_bucket(struct sieve *sieve, struct entry *entry)
{
    bucket_push(bucket_of(sieve, entry->hash), entry);
    sieve->bytes += entry_bytes(entry);
    sieve->entries++;
    if (sieve->entries > count_of(sieve) && count_of(sieve) < sieve->bucket_max) buckets_split(sieve);
}

void sieve_insert(struct sieve *sieve, struct entry *entry)
{
    queue_push(sieve, entry);
    add_to_bucket(sieve, entry);
}

bool sieve_has_spare(const struct sieve *sieve, struct entry *entry)
{
    return sieve->bytes + entry_bytes(entry) + SIEVE_SPLITS * sizeof *sieve->buckets <= sieve->max_bytes;
}

void sieve_insert_oldest(struct sieve *sieve, struct entry *entry)
{
    CHECK(sieve_has_spare(sieve, entry));
    queue_push_oldest(sieve, entry);
    add_to_bucket(sieve, entry);
}

const struct entry *sieve_entry_at(const struct sieve *sieve, uint32_t bucket, uint32_t index)
{
    CHECK(bucket < count_of(sieve));
    const struct entry *entry = first_of(bucket_read(&sieve->buckets[bucket]));
    while (entry && index-- > 0) entry = entry->next;
    return entry;
}

uint32_t sieve_bucket_count(const struct sieve *sieve)
{
    return count_of(sieve);
}

void sieve_replace(struct sieve *sieve, struct entry *old, struct entry *entry)
{
    bucket_exchange(sieve, old, entry);
    entry->newer = old->newer;
    entry->older = old->older;
    entry->visited = old->visited;
    *(old->older ? &old->older->newer : &sieve->oldest) = entry;
    *(old->newer ? &old->newer->older : &sieve->newest) = entry;
    if (sieve->hand == old) sieve->hand = entry;
    sieve->bytes += entry_bytes(entry);
    sieve->bytes -= entry_bytes(old);
    old->next = NULL;
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
        struct entry *entry = choose(sieve, keep);
        sieve_take(sieve, entry);
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
    for (uint32_t i = 0; i < count_of(sieve); i++) bucket_write(&sieve->buckets[i], NULL, 0);
    sieve->bytes = count_of(sieve) * sizeof *sieve->buckets;
    change_count(sieve, SIEVE_BUCKETS_MIN);
    sieve->entries = 0;
    sieve->newest = sieve->oldest = sieve->hand = NULL;
    return gone;
}
