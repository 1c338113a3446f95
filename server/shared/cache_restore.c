#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "shared/cache.h"
#include "shared/cache_state.h"

static bool is_walked(const struct entry *entry, enum cache_walk which)
{
    return which == CACHE_ALL || entry->visited == (which == CACHE_USED);
}

/* False if the entry does not fit, or is no longer of use. With the stripe's lock. */
static bool copy_entry(const struct entry *entry, uint64_t stale_ns, uint64_t now_ns, uint8_t *out, size_t capacity,
                       struct cache_copy *ret_copy)
{
    size_t size = (size_t)entry->key_size + entry->value_size;
    if (size > capacity || !entry_is_of_use(entry, stale_ns, now_ns)) return false;
    memcpy(out, entry->bytes, size);
    *ret_copy = (struct cache_copy){
        .key_size = entry->key_size,
        .value_size = entry->value_size,
        .times = {.age_ns = now_ns > entry->put_ns ? now_ns - entry->put_ns : 0,
                  .left_ns = entry->end_ns > now_ns ? entry->end_ns - now_ns : 0,
                  .over_ns = now_ns > entry->end_ns ? now_ns - entry->end_ns : 0,
                  .is_used = entry->visited},
    };
    return true;
}

bool cache_copy_next(struct cache *cache, struct cache_cursor *cursor, uint64_t now_ns, uint8_t *out, size_t capacity,
                     struct cache_copy *ret_copy)
{
    enum { STEPS = 4 }; /* entries and buckets that are looked at while a lock is held: each may be a wait for memory */
    bool is_copied = false;
    now_ns += EPOCH_NS;
    while (!is_copied && cursor->stripe < cache->stripe_count) {
        struct stripe *stripe = &cache->stripes[cursor->stripe];
        pthread_mutex_lock(&stripe->lock);
        for (unsigned i = 0; !is_copied && i < STEPS && cursor->bucket < sieve_bucket_count(&stripe->sieve); i++) {
            const struct entry *entry = sieve_entry_at(&stripe->sieve, cursor->bucket, cursor->index);
            cursor->index = entry ? cursor->index + 1 : 0;
            if (!entry)
                cursor->bucket++;
            else if (is_walked(entry, cursor->which))
                is_copied = copy_entry(entry, stripe->stale_ns, now_ns, out, capacity, ret_copy);
        }
        bool is_over = cursor->bucket >= sieve_bucket_count(&stripe->sieve);
        pthread_mutex_unlock(&stripe->lock);
        if (is_over) *cursor = (struct cache_cursor){.which = cursor->which, .stripe = cursor->stripe + 1};
    }
    return is_copied;
}

bool cache_copy_one(struct cache *cache, const struct hashed_key *key, uint64_t now_ns, uint8_t *out, size_t capacity,
                    struct cache_copy *ret_copy)
{
    struct stripe *stripe = stripe_of(cache, key);
    pthread_mutex_lock(&stripe->lock);
    const struct entry *entry = sieve_find(&stripe->sieve, key);
    bool is_copied = entry && copy_entry(entry, stripe->stale_ns, now_ns + EPOCH_NS, out, capacity, ret_copy);
    pthread_mutex_unlock(&stripe->lock);
    return is_copied;
}

bool cache_has_fresh(struct cache *cache, const struct hashed_key *key, uint64_t now_ns)
{
    struct stripe *stripe = stripe_of(cache, key);
    pthread_mutex_lock(&stripe->lock);
    const struct entry *entry = sieve_find(&stripe->sieve, key);
    bool is_fresh = entry && now_ns + EPOCH_NS < entry->end_ns;
    pthread_mutex_unlock(&stripe->lock);
    return is_fresh;
}

enum cache_restored cache_restore(struct cache *cache, const struct hashed_key *key, const void *value, size_t size,
                                  const struct cache_times *times, uint64_t now_ns)
{
    CHECK(times->age_ns <= CACHE_AGE_MAX_NS && times->over_ns <= times->age_ns);
    struct stripe *stripe = stripe_of(cache, key);
    uint64_t lifetime_ns = times->age_ns + times->left_ns - times->over_ns;
    struct entry *entry = cache_entry_new(key, value, size, lifetime_ns, now_ns + EPOCH_NS - times->age_ns);
    if (!entry) return CACHE_FULL;
    entry->visited = times->is_used;
    pthread_mutex_lock(&stripe->lock);
    enum cache_restored restored = CACHE_RESTORED;
    if (sieve_find(&stripe->sieve, key))
        restored = CACHE_KNOWN;
    else if (!sieve_has_spare(&stripe->sieve, entry))
        restored = CACHE_FULL;
    else
        sieve_insert_oldest(&stripe->sieve, entry);
    if (restored == CACHE_RESTORED) change_version(stripe);
    pthread_mutex_unlock(&stripe->lock);
    if (restored != CACHE_RESTORED) free(entry);
    return restored;
}
