#include "shared/cache.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "shared/cache_state.h"
#include "shared/reserve.h"

enum {
    STRIPES_MAX = 64,                      /* several for each worker, so that two rarely use the same one */
    SHARE_MIN_BYTES = 256 * 1024,          /* three of the largest answers */
    RESERVED_MIN_BYTES = 64 * 1024 * 1024, /* a reload may enlarge a small cache to the usual size */
    ENTRY_LEAST_BYTES = 128,               /* one bucket is reserved for each entry of this size */
    LARGE_BYTES = 16 * 1024 * 1024,        /* of buckets: from a cache of 256 MiB on they are in large pages */
    TRIM_STEP = 64 /* entries removed while a lock is held after the bound was lowered: about 20 us */
};

static void count_stripes(struct cache *cache, uint64_t max_bytes)
{
    cache->stripe_count = 1;
    cache->stripe_shift = 32;
    while (cache->stripe_count < STRIPES_MAX && max_bytes / cache->stripe_count / 2 >= SHARE_MIN_BYTES) {
        cache->stripe_count *= 2;
        cache->stripe_shift--;
    }
}

static uint32_t count_buckets(uint64_t stripe_bytes)
{
    uint32_t buckets = SIEVE_BUCKETS_MIN;
    while (buckets < stripe_bytes / ENTRY_LEAST_BYTES && buckets < UINT32_C(1) << 31) buckets *= 2;
    return buckets;
}

struct cache *cache_new(const struct cache_options *options)
{
    struct cache *cache = calloc(1, sizeof *cache);
    if (!cache) return NULL;
    uint64_t reserved = options->max_bytes > RESERVED_MIN_BYTES ? options->max_bytes : RESERVED_MIN_BYTES;
    count_stripes(cache, options->max_bytes ? options->max_bytes : RESERVED_MIN_BYTES);
    uint32_t buckets = count_buckets(reserved / cache->stripe_count);
    cache->buckets_bytes = (size_t)cache->stripe_count * buckets * sizeof *cache->buckets;
    cache->buckets = reserve_new(cache->buckets_bytes);
    if (cache->buckets && cache->buckets_bytes >= LARGE_BYTES)
        reserve_in_large_pages(cache->buckets, cache->buckets_bytes);
    cache->stripes = aligned_alloc(alignof(struct stripe), cache->stripe_count * sizeof *cache->stripes);
    if (!cache->buckets || !cache->stripes) goto fail;
    for (unsigned i = 0; i < cache->stripe_count; i++) {
        pthread_mutex_init(&cache->stripes[i].lock, NULL);
        atomic_init(&cache->stripes[i].version, 0);
        sieve_init(&cache->stripes[i].sieve, cache->buckets + (size_t)i * buckets, buckets);
    }
    cache_set_options(cache, options);
    return cache;
fail:
    reserve_free(cache->buckets, cache->buckets_bytes);
    free(cache->stripes);
    free(cache);
    return NULL;
}

void cache_free(struct cache *cache)
{
    if (!cache) return;
    cache_clear(cache);
    for (unsigned i = 0; i < cache->stripe_count; i++) pthread_mutex_destroy(&cache->stripes[i].lock);
    reserve_free(cache->buckets, cache->buckets_bytes);
    free(cache->stripes);
    free(cache);
}

struct entry *cache_entry_new(const struct hashed_key *key, const void *value, size_t size, uint64_t lifetime_ns,
                              uint64_t put_ns)
{
    if (size > UINT32_MAX) return NULL;
    struct entry *entry = malloc(offsetof(struct entry, bytes) + key->size + size);
    if (!entry) return NULL;
    entry->put_ns = put_ns;
    entry->end_ns = lifetime_ns < UINT64_MAX - put_ns ? put_ns + lifetime_ns : UINT64_MAX;
    entry->hash = (uint32_t)key->hash;
    entry->value_size = (uint32_t)size;
    entry->key_size = key->size;
    entry->visited = false;
    entry->refresh_told = false;
    memcpy(entry->bytes, key->bytes, key->size);
    if (size) memcpy(entry->bytes + key->size, value, size);
    return entry;
}

static void entries_free(struct entry *entry)
{
    while (entry) {
        struct entry *next = entry->next;
        free(entry);
        entry = next;
    }
}

void cache_set_options(struct cache *cache, const struct cache_options *options)
{
    for (unsigned i = 0; i < cache->stripe_count; i++) {
        struct stripe *stripe = &cache->stripes[i];
        struct entry *gone;
        do {
            pthread_mutex_lock(&stripe->lock);
            stripe->stale_ns = options->stale_ns;
            stripe->sieve.max_bytes = options->max_bytes / cache->stripe_count;
            gone = sieve_trim(&stripe->sieve, NULL, TRIM_STEP);
            if (gone) change_version(stripe);
            pthread_mutex_unlock(&stripe->lock);
            entries_free(gone);
        } while (gone);
    }
}

static enum cache_state entry_state(const struct entry *entry, uint64_t stale_ns, uint64_t now_ns)
{
    if (now_ns < entry->end_ns) return CACHE_FRESH;
    return entry_is_of_use(entry, stale_ns, now_ns) ? CACHE_STALE : CACHE_ABSENT;
}

/* How long before its end an entry should be refreshed. */
static uint64_t entry_last_ns(const struct entry *entry)
{
    uint64_t lifetime_ns = entry->end_ns - entry->put_ns;
    uint64_t last_ns = lifetime_ns / 10;
    return last_ns < NS_PER_S && lifetime_ns >= 2 * NS_PER_S ? NS_PER_S : last_ns;
}

/* Whether the caller should refresh this fresh entry; true once. */
static bool entry_tell_refresh(struct entry *entry, uint64_t now_ns)
{
    if (entry->refresh_told || entry->end_ns - now_ns > entry_last_ns(entry)) return false;
    entry->refresh_told = true;
    return true;
}

static void entry_read(struct entry *entry, enum cache_state state, uint64_t now_ns, uint8_t *out,
                       struct cache_found *ret_found)
{
    if (!entry->visited)
        entry->visited =
            true; /* written once only, so that all processors can share the cache line of a frequently used entry */
    ret_found->size = entry->value_size;
    ret_found->age_ns = now_ns > entry->put_ns ? now_ns - entry->put_ns : 0;
    ret_found->left_ns = state == CACHE_FRESH ? entry->end_ns - now_ns : 0;
    ret_found->refresh_due = state == CACHE_FRESH && entry_tell_refresh(entry, now_ns);
    memcpy(out, entry->bytes + entry->key_size, entry->value_size);
}

void cache_prefetch(const struct cache *cache, const struct hashed_key *key)
{
    const struct stripe *stripe = stripe_of(cache, key);
    __builtin_prefetch(&stripe->lock, 1);
    sieve_prefetch(&stripe->sieve, key);
}

bool cache_prefetch_value(const struct cache *cache, const struct hashed_key *key)
{
    return sieve_prefetch_entry(&stripe_of(cache, key)->sieve, key);
}

enum cache_state cache_find(struct cache *cache, const struct hashed_key *key, uint64_t now_ns, uint8_t *out,
                            size_t capacity, struct cache_found *ret_found)
{
    struct stripe *stripe = stripe_of(cache, key);
    struct entry *gone = NULL;
    enum cache_state state = CACHE_ABSENT;
    now_ns += EPOCH_NS;
    pthread_mutex_lock(&stripe->lock);
    struct entry *entry = sieve_find(&stripe->sieve, key);
    if (entry) state = entry_state(entry, stripe->stale_ns, now_ns);
    if (entry && state == CACHE_ABSENT) {
        sieve_take(&stripe->sieve, entry);
        change_version(stripe);
        gone = entry;
    } else if (entry && entry->value_size > capacity) {
        state = CACHE_ABSENT;
    } else if (entry) {
        entry_read(entry, state, now_ns, out, ret_found);
    }
    pthread_mutex_unlock(&stripe->lock);
    free(gone);
    return state;
}

bool cache_copy_valid(struct cache *cache, const struct hashed_key *key, uint64_t now_ns, uint8_t *out, size_t capacity,
                      struct cache_validity *ret_validity)
{
    struct stripe *stripe = stripe_of(cache, key);
    now_ns += EPOCH_NS;
    pthread_mutex_lock(&stripe->lock);
    struct entry *entry = sieve_find(&stripe->sieve, key);
    uint64_t until_ns = 0;
    if (entry && entry->value_size <= capacity)
        until_ns = entry->refresh_told ? entry->end_ns : entry->end_ns - entry_last_ns(entry);
    bool is_valid = now_ns < until_ns;
    if (is_valid) {
        if (!entry->visited) entry->visited = true;
        memcpy(out, entry->bytes + entry->key_size, entry->value_size);
        *ret_validity = (struct cache_validity){
            .version = atomic_load_explicit(&stripe->version, memory_order_relaxed),
            .put_ns = entry->put_ns,
            .end_ns = entry->end_ns,
            .until_ns = until_ns,
            .size = entry->value_size,
        };
    }
    pthread_mutex_unlock(&stripe->lock);
    return is_valid;
}

bool cache_is_valid(const struct cache *cache, const struct hashed_key *key, const struct cache_validity *validity,
                    uint64_t now_ns, struct cache_found *ret_found)
{
    now_ns += EPOCH_NS;
    if (now_ns >= validity->until_ns) return false;
    if (atomic_load_explicit(&stripe_of(cache, key)->version, memory_order_relaxed) != validity->version) return false;
    *ret_found = (struct cache_found){
        .size = validity->size,
        .age_ns = now_ns > validity->put_ns ? now_ns - validity->put_ns : 0,
        .left_ns = validity->end_ns - now_ns,
    };
    return true;
}

bool cache_put(struct cache *cache, const struct hashed_key *key, const void *value, size_t size, uint64_t lifetime_ns,
               uint64_t now_ns)
{
    struct stripe *stripe = stripe_of(cache, key);
    struct sieve *sieve = &stripe->sieve;
    struct entry *entry = cache_entry_new(key, value, size, lifetime_ns, now_ns + EPOCH_NS);
    struct entry *gone = NULL;
    pthread_mutex_lock(&stripe->lock);
    struct entry *former = sieve_find(sieve, key);
    bool fits = entry && sieve_has_room(sieve, entry);
    if (former && fits)
        sieve_replace(sieve, former, entry);
    else if (former)
        sieve_take(sieve, former);
    else if (fits)
        sieve_insert(sieve, entry);
    if (fits) gone = sieve_trim(sieve, entry, UINT64_MAX);
    if (former || fits) change_version(stripe);
    pthread_mutex_unlock(&stripe->lock);
    entries_free(gone);
    free(former);
    if (!fits) free(entry);
    return fits;
}

bool cache_remove(struct cache *cache, const struct hashed_key *key)
{
    struct stripe *stripe = stripe_of(cache, key);
    pthread_mutex_lock(&stripe->lock);
    struct entry *gone = sieve_find(&stripe->sieve, key);
    if (gone) {
        sieve_take(&stripe->sieve, gone);
        change_version(stripe);
    }
    pthread_mutex_unlock(&stripe->lock);
    bool was_there = gone != NULL;
    free(gone);
    return was_there;
}

void cache_clear(struct cache *cache)
{
    for (unsigned i = 0; i < cache->stripe_count; i++) {
        struct stripe *stripe = &cache->stripes[i];
        pthread_mutex_lock(&stripe->lock);
        struct entry *gone = sieve_empty(&stripe->sieve);
        change_version(stripe);
        pthread_mutex_unlock(&stripe->lock);
        entries_free(gone);
    }
}

struct cache_figures cache_figures(struct cache *cache)
{
    struct cache_figures figures = {0};
    for (unsigned i = 0; i < cache->stripe_count; i++) {
        struct stripe *stripe = &cache->stripes[i];
        pthread_mutex_lock(&stripe->lock);
        figures.entries += stripe->sieve.entries;
        figures.bytes += stripe->sieve.bytes;
        figures.evictions += stripe->sieve.evictions;
        pthread_mutex_unlock(&stripe->lock);
    }
    return figures;
}
