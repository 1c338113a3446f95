/* cache_story: a cache, and what tests of it do all the time. */
#ifndef UNIT_SHARED_CACHE_STORY_H
#define UNIT_SHARED_CACHE_STORY_H

#include "shared/cache.h"

#include "keys.h"

#define MIB (UINT64_C(1) << 20)

static inline struct cache *cache_of(uint64_t max_bytes, uint64_t stale_ns)
{
    struct cache *cache = cache_new(&(struct cache_options){.max_bytes = max_bytes, .stale_ns = stale_ns});
    assert_non_null(cache);
    return cache;
}

static inline bool put(struct cache *cache, const char *name, unsigned number, const char *value, uint64_t lifetime_s,
                       uint64_t now_ns)
{
    struct test_key key;
    return cache_put(cache, key_of(&key, name, number), value, strlen(value) + 1, lifetime_s * NS_PER_S, now_ns);
}

/* What the cache says of a name; its value is left in a buffer that is good until the next call. */
struct seen {
    enum cache_state state;
    struct cache_found found;
    char value[64];
};

static inline struct seen see(struct cache *cache, const char *name, unsigned number, uint64_t now_ns)
{
    struct test_key key;
    struct seen seen = {.found = {.size = SIZE_MAX}};
    seen.state =
        cache_find(cache, key_of(&key, name, number), now_ns, (uint8_t *)seen.value, sizeof seen.value, &seen.found);
    return seen;
}

#endif
