/* hot_story: a worker's table of hot answers between a cache and the top names, asked as the forwarder asks it. */
#ifndef UNIT_QUERIES_HOT_STORY_H
#define UNIT_QUERIES_HOT_STORY_H

#include <stdlib.h>

#include "../shared/keys.h"
#include "queries/hot_answers.h"

enum { VALUE_MAX = 2048, TOP = 200 };

#define START_NS  (1000 * NS_PER_S)
#define CACHE_MAX (64 * 1024)

/* A worker with its table, or without one. */
struct worker {
    bool has_table;
    struct cache *cache;
    struct topnames *topnames;
    struct hot_answers hot;
    uint64_t copies; /* queries answered by one */
};

/* What a query got. */
struct seen {
    bool is_copy;
    enum cache_state state;
    struct cache_found found;
    uint8_t value[VALUE_MAX];
};

static const struct cache_options usual = {.max_bytes = CACHE_MAX, .stale_ns = 5 * NS_PER_S};

static inline void begin(struct worker *worker, bool has_table, const struct cache_options *options)
{
    *worker = (struct worker){.has_table = has_table};
    worker->cache = cache_new(options);
    worker->topnames = topnames_new(&(struct topnames_options){.top = TOP});
    assert_true(hot_answers_init(&worker->hot, worker->cache, worker->topnames));
}

static inline void end(struct worker *worker)
{
    hot_answers_count_all(&worker->hot, START_NS);
    hot_answers_done(&worker->hot);
    cache_free(worker->cache);
    topnames_free(worker->topnames);
}

/* As the forwarder does it. */
static inline struct seen ask_key(struct worker *worker, const struct hashed_key *key, uint64_t now_ns)
{
    struct seen seen = {.state = CACHE_ABSENT};
    struct hot_answer *copy = NULL;
    if (worker->has_table) hot_answers_vote(&worker->hot, key->hash);
    if (hot_answers_may_have(&worker->hot, key->hash))
        copy = hot_answers_find(&worker->hot, key, now_ns, seen.value, &seen.found);
    seen.is_copy = copy != NULL;
    worker->copies += seen.is_copy;
    seen.state = CACHE_FRESH;
    if (!copy) seen.state = cache_find(worker->cache, key, now_ns, seen.value, sizeof seen.value, &seen.found);
    uint64_t expires_ns = now_ns + seen.found.left_ns;
    if (copy)
        hot_answers_count(&worker->hot, copy, expires_ns, now_ns);
    else if (seen.state == CACHE_FRESH)
        topnames_count(worker->topnames, key, expires_ns, now_ns);
    return seen;
}

static inline struct seen ask(struct worker *worker, const char *name, unsigned number, uint64_t now_ns)
{
    struct test_key key;
    return ask_key(worker, key_of(&key, name, number), now_ns);
}

static inline void put(struct worker *worker, const char *name, unsigned number, const char *value,
                       uint64_t lifetime_ns, uint64_t now_ns)
{
    struct test_key key;
    assert_true(cache_put(worker->cache, key_of(&key, name, number), value, strlen(value) + 1, lifetime_ns, now_ns));
}

/* Asks until the name is hot; the last time from the copy. */
static inline void heat(struct worker *worker, const char *name, unsigned number, uint64_t now_ns)
{
    for (unsigned i = 1; i <= HOT_ANSWERS_VOTES; i++)
        assert_int_equal(ask(worker, name, number, now_ns).is_copy, i == HOT_ANSWERS_VOTES);
}

static inline uint32_t ranked(struct topnames *topnames, const struct hashed_key *key)
{
    static struct topname names[TOP];
    size_t count = topnames_list(topnames, names, TOP);
    for (size_t i = 0; i < count; i++)
        if (names[i].size == key->size && memcmp(names[i].bytes, key->bytes, key->size) == 0) return names[i].queries;
    return 0;
}

static inline void assert_seen(const struct seen *seen, bool is_copy, const char *value, uint64_t age_ns)
{
    assert_int_equal(seen->state, CACHE_FRESH);
    assert_int_equal(seen->is_copy, is_copy);
    assert_int_equal(seen->found.size, strlen(value) + 1);
    assert_string_equal((const char *)seen->value, value);
    assert_int_equal(seen->found.age_ns, age_ns);
    assert_false(seen->found.refresh_due);
}

#endif
