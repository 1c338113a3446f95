/* The bound of the cache, and who gives way to whom. */
#include <stdlib.h>

#include "cache_story.h"
#include "common/random.h"

enum { LARGEST = 77 * 1024 }; /* the largest DNS answer, with what is kept beside it */

static void nothing_is_kept_without_memory_to_keep_it(void **state)
{
    (void)state;
    struct cache *cache = cache_of(0, NS_PER_S);
    assert_false(put(cache, "www", 1, "x", 10, 0));
    assert_int_equal(see(cache, "www", 1, 0).state, CACHE_ABSENT);
    cache_set_options(cache, &(struct cache_options){.max_bytes = 64 * MIB});
    for (unsigned i = 0; i < 1000; i++) assert_true(put(cache, "www", i, "x", 10, 0));
    assert_int_equal(cache_figures(cache).entries, 1000);
    cache_free(cache);
}

static void bytes_stay_within_the_bound(void **state)
{
    (void)state;
    const uint64_t sizes[] = {4096, 100000, MIB, 3 * MIB + 1};
    for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct cache *cache = cache_of(sizes[s], 0);
        struct random random = {s};
        for (unsigned i = 0; i < 40000; i++) {
            struct test_key key;
            uint8_t value[1000] = {0};
            size_t size = random_next(&random) % sizeof value;
            assert_true(cache_put(cache, key_of(&key, "www", i), value, size, NS_PER_S, 0));
            if (i % 1000 == 0) assert_true(cache_figures(cache).bytes <= sizes[s]);
        }
        struct cache_figures figures = cache_figures(cache);
        assert_true(figures.bytes <= sizes[s]);
        assert_true(figures.bytes > sizes[s] / 3); /* and the memory given is used */
        assert_int_equal(figures.entries + figures.evictions, 40000);
        cache_free(cache);
    }
}

static void largest_answer_fits_where_the_cache_is_of_sensible_size(void **state)
{
    (void)state;
    uint8_t *value = malloc(LARGEST);
    uint8_t *out = malloc(LARGEST);
    memset(value, 0x5a, LARGEST);
    for (uint64_t max_bytes = MIB / 4; max_bytes <= 256 * MIB; max_bytes *= 4) {
        struct cache *cache = cache_of(max_bytes, 0);
        struct test_key key;
        struct cache_found found;
        for (unsigned i = 0; i < 2000; i++) put(cache, "small", i, "x", 10, 0);
        for (unsigned i = 0; i < 20; i++) {
            assert_true(cache_put(cache, key_of(&key, "large", i), value, LARGEST, NS_PER_S, 0));
            assert_int_equal(cache_find(cache, &key.hashed, 0, out, LARGEST, &found), CACHE_FRESH);
            assert_memory_equal(out, value, LARGEST);
            assert_true(cache_figures(cache).bytes <= max_bytes);
        }
        cache_free(cache);
    }
    free(value);
    free(out);
}

static void value_larger_than_the_cache_is_refused_and_what_was_there_is_gone(void **state)
{
    (void)state;
    struct cache *cache = cache_of(8192, 0);
    struct test_key key;
    uint8_t large[9000] = {0};
    put(cache, "www", 1, "old", 10, 0);
    put(cache, "www", 2, "other", 10, 0);
    assert_false(cache_put(cache, key_of(&key, "www", 1), large, sizeof large, NS_PER_S, 0));
    assert_int_equal(see(cache, "www", 1, 0).state, CACHE_ABSENT); /* never an answer that is known to be outdated */
    assert_string_equal(see(cache, "www", 2, 0).value, "other");
    cache_free(cache);
}

/* One that just fits has all others give way, but not itself, nor does it leave more buckets than fit. */
static void a_value_as_large_as_the_cache_evicts_all_others(void **state)
{
    (void)state;
    const uint64_t max_bytes = 100000;
    struct cache *cache = cache_of(max_bytes, 0);
    for (unsigned i = 0; i < 5000; i++) put(cache, "www", i, "x", 10, 0);
    uint8_t *value = calloc(1, max_bytes);
    struct test_key key;
    size_t size = max_bytes - 240;
    assert_true(cache_put(cache, key_of(&key, "large", 1), value, size, NS_PER_S, 0));
    assert_int_equal(cache_figures(cache).entries, 1);
    assert_true(cache_figures(cache).bytes <= max_bytes);
    assert_true(put(cache, "www", 1, "x", 10, 0));
    assert_int_equal(cache_figures(cache).entries, 1);
    assert_int_equal(see(cache, "www", 1, 0).state, CACHE_FRESH);
    assert_true(cache_put(cache, &key.hashed, value, size, NS_PER_S, 0));
    assert_true(cache_put(cache, &key.hashed, value, size + 1, NS_PER_S, 0)); /* in its own place */
    assert_int_equal(cache_figures(cache).entries, 1);
    free(value);
    cache_free(cache);
}

static void smaller_bound_is_met_at_once(void **state)
{
    (void)state;
    struct cache *cache = cache_of(32 * MIB, 0);
    for (unsigned i = 0; i < 50000; i++) put(cache, "www", i, "192.0.2.1", 10, 0);
    assert_int_equal(cache_figures(cache).entries, 50000);
    cache_set_options(cache, &(struct cache_options){.max_bytes = MIB});
    struct cache_figures figures = cache_figures(cache);
    assert_true(figures.bytes <= MIB);
    assert_true(figures.entries > 3000);
    assert_int_equal(figures.entries + figures.evictions, 50000);
    unsigned found = 0;
    for (unsigned i = 0; i < 50000; i++) found += see(cache, "www", i, 0).state == CACHE_FRESH;
    assert_int_equal(found, figures.entries);

    cache_set_options(cache, &(struct cache_options){.max_bytes = 32 * MIB});
    for (unsigned i = 0; i < 50000; i++) put(cache, "www", i, "192.0.2.1", 10, 0);
    assert_int_equal(cache_figures(cache).entries, 50000);
    cache_set_options(cache, &(struct cache_options){.max_bytes = 0});
    assert_int_equal(cache_figures(cache).entries, 0);
    cache_free(cache);
}

static void scan_does_not_push_out_the_hot(void **state)
{
    (void)state;
    struct cache *cache = cache_of(2 * MIB, 0);
    enum { HOT = 2000 };
    for (unsigned i = 0; i < HOT; i++) put(cache, "hot", i, "192.0.2.1", 10, 0);
    unsigned lost = 0;
    for (unsigned i = 0; i < 100000; i++) {
        put(cache, "scan", i, "192.0.2.1", 10, 0);
        if (see(cache, "hot", i % HOT, 0).state == CACHE_ABSENT) {
            put(cache, "hot", i % HOT, "192.0.2.1", 10, 0);
            lost++;
        }
    }
    assert_true(cache_figures(cache).evictions > 80000);
    assert_int_equal(lost, 0);
    for (unsigned i = 0; i < HOT; i++) assert_int_equal(see(cache, "hot", i, 0).state, CACHE_FRESH);
    cache_free(cache);
}

static void a_million_entries_are_within_the_bound(void **state)
{
    (void)state;
    const uint64_t max_bytes = 256 * MIB;
    struct cache *cache = cache_of(max_bytes, 0);
    const char value[64] = "an answer with an A record is as long as this text, and a bit.";
    for (unsigned i = 0; i < 1000000; i++) {
        struct test_key key;
        assert_true(cache_put(cache, key_of(&key, "name", i), value, sizeof value, NS_PER_S, 0));
    }
    struct cache_figures figures = cache_figures(cache);
    assert_int_equal(figures.entries, 1000000);
    assert_int_equal(figures.evictions, 0);
    assert_true(figures.bytes <= max_bytes);
    assert_true(figures.bytes / figures.entries < 250);
    cache_set_options(cache, &(struct cache_options){.max_bytes = max_bytes / 4});
    figures = cache_figures(cache);
    assert_true(figures.bytes <= max_bytes / 4);
    assert_true(figures.entries > 300000);
    cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_kept_without_memory_to_keep_it),
        cmocka_unit_test(bytes_stay_within_the_bound),
        cmocka_unit_test(largest_answer_fits_where_the_cache_is_of_sensible_size),
        cmocka_unit_test(value_larger_than_the_cache_is_refused_and_what_was_there_is_gone),
        cmocka_unit_test(a_value_as_large_as_the_cache_evicts_all_others),
        cmocka_unit_test(smaller_bound_is_met_at_once),
        cmocka_unit_test(scan_does_not_push_out_the_hot),
        cmocka_unit_test(a_million_entries_are_within_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
