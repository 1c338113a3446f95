/* With a table of hot answers all is as without one, whatever is done to the cache. */
#include "common/random.h"
#include "hot_story.h"

enum { NAMES = 60 };

static void assert_same(const struct seen *seen, const struct seen *plain)
{
    assert_int_equal(seen->state, plain->state);
    if (seen->state == CACHE_ABSENT) return;
    assert_int_equal(seen->found.size, plain->found.size);
    assert_int_equal(seen->found.age_ns, plain->found.age_ns);
    assert_int_equal(seen->found.left_ns, plain->found.left_ns);
    assert_int_equal(seen->found.refresh_due, plain->found.refresh_due);
    assert_memory_equal(seen->value, plain->value, seen->found.size);
}

/* Does to all of them what is done to a cache. */
static void change(struct worker *workers, unsigned count, struct random *random, const struct hashed_key *key,
                   uint64_t now_ns, const struct cache_options *options)
{
    uint8_t value[VALUE_MAX];
    size_t size = random_next(random) % (random_next(random) % 8 ? 300 : VALUE_MAX);
    uint64_t lifetime_ns = random_next(random) % (4 * NS_PER_S);
    uint64_t what = random_next(random) % 1000;
    const struct cache_options none = {.max_bytes = 0};
    const struct cache_times times = {.age_ns = NS_PER_S, .left_ns = lifetime_ns, .is_used = what % 2};
    memset(value, (int)what, sizeof value);
    for (unsigned i = 0; i < count; i++) {
        struct cache *cache = workers[i].cache;
        if (what == 0)
            cache_clear(cache);
        else if (what < 4)
            cache_set_options(cache, &none);
        else if (what < 50)
            cache_set_options(cache, options);
        else if (what < 150)
            cache_remove(cache, key);
        else if (what < 200)
            cache_restore(cache, key, value, size, &times, now_ns);
        else
            cache_put(cache, key, value, size, lifetime_ns, now_ns);
    }
}

static void assert_same_tables(struct worker workers[static 2])
{
    struct test_key key;
    struct cache_figures figures = cache_figures(workers[0].cache), plain = cache_figures(workers[1].cache);
    assert_int_equal(figures.entries, plain.entries);
    assert_int_equal(figures.evictions, plain.evictions);
    for (unsigned name = 0; name < NAMES; name++) {
        key_of(&key, "n", name);
        assert_int_equal(ranked(workers[0].topnames, &key.hashed), ranked(workers[1].topnames, &key.hashed));
    }
}

static void everything_is_as_without_the_table(void **state)
{
    (void)state;
    struct random random = {7};
    struct worker workers[2];
    uint64_t now_ns = START_NS;
    const struct cache_options roomy = {.max_bytes = 8 * 1024 * 1024, .stale_ns = usual.stale_ns};
    begin(&workers[0], true, &roomy);
    begin(&workers[1], false, &roomy);
    for (unsigned step = 0; step < 30000; step++) {
        struct test_key key;
        key_of(&key, "n", (unsigned)(random_next(&random) % (1 + random_next(&random) % NAMES)));
        uint64_t times = random_next(&random) % 4 ? random_next(&random) % 4 : random_next(&random) % 80;
        for (uint64_t i = 0; i < times; i++) {
            struct seen seen = ask_key(&workers[0], &key.hashed, now_ns);
            struct seen plain = ask_key(&workers[1], &key.hashed, now_ns);
            assert_same(&seen, &plain);
        }
        if (random_next(&random) % 3 == 0) change(workers, 2, &random, &key.hashed, now_ns, &roomy);
        if (random_next(&random) % 16) continue;
        hot_answers_count_all(&workers[0].hot, now_ns); /* the turn ends */
        assert_same_tables(workers);
        now_ns += random_next(&random) % (200 * NS_PER_MS);
    }
    assert_true(workers[0].copies > 10000);
    end(&workers[0]);
    end(&workers[1]);
}

/* What the cache has of the key at that moment, seen without being used. */
static void assert_copy_is_in_the_cache(struct worker *worker, const struct hashed_key *key, const struct seen *seen,
                                        uint64_t now_ns)
{
    uint8_t bytes[sizeof((struct test_key *)NULL)->text + VALUE_MAX];
    struct cache_copy entry;
    assert_true(cache_copy_one(worker->cache, key, now_ns, bytes, sizeof bytes, &entry));
    assert_true(entry.times.is_used); /* so that it is spared, as one that was found */
    assert_int_equal(entry.value_size, seen->found.size);
    assert_memory_equal(bytes + entry.key_size, seen->value, entry.value_size);
    assert_int_equal(entry.times.age_ns, seen->found.age_ns);
    assert_int_equal(entry.times.left_ns, seen->found.left_ns);
}

/* The cache is full, so that entries are evicted and marks of use cleared all the time. */
static void a_copy_that_is_used_is_in_the_cache_and_marked(void **state)
{
    (void)state;
    struct random random = {8};
    struct worker worker;
    uint64_t now_ns = START_NS;
    begin(&worker, true, &usual);
    for (unsigned step = 0; step < 30000; step++) {
        struct test_key key;
        key_of(&key, "n", (unsigned)(random_next(&random) % (1 + random_next(&random) % 1000)));
        change(&worker, 1, &random, &key.hashed, now_ns, &usual);
        key_of(&key, "n", (unsigned)(random_next(&random) % 8));
        for (uint64_t times = random_next(&random) % 40; times > 0; times--) {
            struct seen seen = ask_key(&worker, &key.hashed, now_ns);
            if (seen.is_copy) assert_copy_is_in_the_cache(&worker, &key.hashed, &seen, now_ns);
        }
        now_ns += random_next(&random) % (10 * NS_PER_MS);
    }
    assert_true(worker.copies > 10000);
    assert_true(cache_figures(worker.cache).evictions > 1000);
    end(&worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_as_without_the_table),
        cmocka_unit_test(a_copy_that_is_used_is_in_the_cache_and_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
