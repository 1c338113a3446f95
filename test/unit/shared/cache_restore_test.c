/* Entries are copied out of the cache and put back into another one, which is what a restart comes to. */
#include <stdlib.h>

#include "cache_story.h"

#define HOUR (3600 * NS_PER_S)

enum { ENTRIES = 5000 };

static enum cache_restored restore(struct cache *cache, unsigned number, const struct cache_times *times,
                                   uint64_t now_ns)
{
    struct test_key key;
    return cache_restore(cache, key_of(&key, "name", number), "value", 6, times, now_ns);
}

/* Copies the entries and counts them by number. */
static unsigned walk_through(struct cache *cache, enum cache_walk which, uint64_t now_ns,
                             uint8_t counts[static ENTRIES])
{
    struct cache_cursor cursor = {.which = which};
    struct cache_copy copy;
    uint8_t out[64];
    unsigned total = 0;
    memset(counts, 0, ENTRIES);
    while (cache_copy_next(cache, &cursor, now_ns, out, sizeof out, &copy)) {
        char text[64];
        unsigned number;
        memcpy(text, out, copy.key_size);
        text[copy.key_size] = '\0';
        assert_int_equal(sscanf(text, "name-%u", &number), 1);
        assert_int_equal(copy.value_size, 6);
        assert_memory_equal(out + copy.key_size, "value", 6);
        counts[number]++;
        total++;
    }
    return total;
}

static unsigned walk(struct cache *cache, uint64_t now_ns, uint8_t counts[static ENTRIES])
{
    return walk_through(cache, CACHE_ALL, now_ns, counts);
}

static void a_walk_sees_every_entry_once(void **state)
{
    (void)state;
    static uint8_t counts[ENTRIES];
    struct cache *cache = cache_of(64 * MIB, HOUR);
    for (unsigned i = 0; i < ENTRIES; i++) put(cache, "name", i, "value", 10, 0);
    assert_int_equal(walk(cache, NS_PER_S, counts), ENTRIES);
    for (unsigned i = 0; i < ENTRIES; i++) assert_int_equal(counts[i], 1);
    assert_int_equal(walk(cache, 10 * NS_PER_S + HOUR, counts), 0); /* of no use any more */
    cache_free(cache);
}

static void a_walk_sees_what_was_used_or_the_rest(void **state)
{
    (void)state;
    static uint8_t counts[ENTRIES];
    struct cache *cache = cache_of(64 * MIB, HOUR);
    for (unsigned i = 0; i < ENTRIES; i++) put(cache, "name", i, "value", 10, 0);
    for (unsigned i = 0; i < ENTRIES; i += 3) see(cache, "name", i, NS_PER_S);
    assert_int_equal(walk_through(cache, CACHE_USED, NS_PER_S, counts), (ENTRIES + 2) / 3);
    for (unsigned i = 0; i < ENTRIES; i++) assert_int_equal(counts[i], i % 3 == 0);
    assert_int_equal(walk_through(cache, CACHE_UNUSED, NS_PER_S, counts), ENTRIES - (ENTRIES + 2) / 3);
    for (unsigned i = 0; i < ENTRIES; i++) assert_int_equal(counts[i], i % 3 != 0);
    cache_free(cache);
}

/* Entries that are there all the time are seen although others come meanwhile. */
static void a_walk_goes_on_while_the_cache_grows(void **state)
{
    (void)state;
    struct cache *cache = cache_of(64 * MIB, HOUR);
    struct cache_cursor cursor = {0};
    struct cache_copy copy;
    uint8_t out[64];
    bool seen[500] = {false};
    unsigned added = 500;
    for (unsigned i = 0; i < 500; i++) put(cache, "name", i, "value", 10, 0);
    while (cache_copy_next(cache, &cursor, 0, out, sizeof out, &copy)) {
        unsigned number;
        out[copy.key_size] = '\0';
        assert_int_equal(sscanf((const char *)out, "name-%u", &number), 1);
        if (number < 500) seen[number] = true;
        if (added < ENTRIES) put(cache, "name", added++, "value", 10, 0);
    }
    for (unsigned i = 0; i < 500; i++) assert_true(seen[i]);
    cache_free(cache);
}

static void copying_is_no_use_and_tells_of_use(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, HOUR);
    struct test_key key;
    struct cache_copy copy;
    uint8_t out[64];
    put(cache, "name", 1, "value", 10, NS_PER_S);
    for (int i = 0; i < 2; i++)
        assert_true(cache_copy_one(cache, key_of(&key, "name", 1), 4 * NS_PER_S, out, sizeof out, &copy));
    assert_false(copy.times.is_used);
    assert_int_equal(copy.times.age_ns, 3 * NS_PER_S);
    assert_int_equal(copy.times.left_ns, 7 * NS_PER_S);
    assert_int_equal(copy.times.over_ns, 0);
    assert_int_equal(see(cache, "name", 1, 4 * NS_PER_S).state, CACHE_FRESH);
    assert_true(cache_copy_one(cache, &key.hashed, 13 * NS_PER_S, out, sizeof out, &copy));
    assert_true(copy.times.is_used);
    assert_int_equal(copy.times.left_ns, 0);
    assert_int_equal(copy.times.over_ns, 2 * NS_PER_S);
    assert_false(cache_copy_one(cache, &key.hashed, 13 * NS_PER_S, out, copy.key_size + copy.value_size - 1, &copy));
    assert_false(cache_copy_one(cache, key_of(&key, "name", 2), 13 * NS_PER_S, out, sizeof out, &copy));
    cache_free(cache);
}

/* The clock of the new run has just begun. */
static void a_restored_entry_is_as_old_as_it_was(void **state)
{
    (void)state;
    const struct cache_times times = {.age_ns = 3 * HOUR, .left_ns = HOUR};
    struct cache *cache = cache_of(MIB, HOUR);
    struct test_key key;
    assert_int_equal(restore(cache, 1, &times, NS_PER_S), CACHE_RESTORED);
    struct seen seen = see(cache, "name", 1, 2 * NS_PER_S);
    assert_int_equal(seen.state, CACHE_FRESH);
    assert_int_equal(seen.found.age_ns, 3 * HOUR + NS_PER_S);
    assert_int_equal(seen.found.left_ns, HOUR - NS_PER_S);
    assert_true(cache_has_fresh(cache, key_of(&key, "name", 1), HOUR));
    assert_false(cache_has_fresh(cache, key_of(&key, "name", 1), NS_PER_S + HOUR));
    assert_int_equal(see(cache, "name", 1, NS_PER_S + HOUR).state, CACHE_STALE);
    assert_int_equal(see(cache, "name", 1, NS_PER_S + 2 * HOUR).state, CACHE_ABSENT);
    cache_free(cache);
}

static void a_stale_entry_stays_as_long_as_it_would_have(void **state)
{
    (void)state;
    const struct cache_times times = {.age_ns = 3 * HOUR, .over_ns = HOUR / 2};
    struct cache *cache = cache_of(MIB, HOUR);
    assert_int_equal(restore(cache, 1, &times, NS_PER_S), CACHE_RESTORED);
    assert_int_equal(see(cache, "name", 1, NS_PER_S + HOUR / 2 - 1).state, CACHE_STALE);
    assert_int_equal(see(cache, "name", 1, NS_PER_S + HOUR / 2).state, CACHE_ABSENT);
    cache_free(cache);
}

static void what_is_there_is_newer(void **state)
{
    (void)state;
    const struct cache_times times = {.age_ns = HOUR, .left_ns = 9 * HOUR};
    struct cache *cache = cache_of(MIB, HOUR);
    put(cache, "name", 1, "newer", 10, 0);
    assert_int_equal(restore(cache, 1, &times, 0), CACHE_KNOWN);
    assert_string_equal(see(cache, "name", 1, 0).value, "newer");
    cache_free(cache);
}

/* What came since the start stays, however much is restored; then new answers evict what was restored. */
static void restoring_evicts_nothing_and_is_evicted_first(void **state)
{
    (void)state;
    const struct cache_times times = {.age_ns = HOUR, .left_ns = HOUR};
    struct cache *cache = cache_of(256 * 1024, HOUR);
    unsigned restored = 0;
    for (unsigned i = 0; i < 100; i++) put(cache, "live", i, "value", 1000, 0);
    for (unsigned i = 0; i < ENTRIES; i++) restored += restore(cache, i, &times, 0) == CACHE_RESTORED;
    assert_in_range(restored, 1000, ENTRIES - 1000);
    struct cache_figures figures = cache_figures(cache);
    assert_int_equal(figures.evictions, 0);
    assert_true(figures.bytes <= 256 * 1024);
    assert_int_equal(figures.entries, restored + 100);
    for (unsigned i = 0; i < restored; i++) put(cache, "new", i, "value", 1000, 0);
    for (unsigned i = 0; i < 100; i++) assert_int_equal(see(cache, "live", i, 0).state, CACHE_FRESH);
    assert_int_equal(see(cache, "name", restored - 1, 0).state, CACHE_ABSENT); /* the oldest went first */
    cache_free(cache);
}

static void of_the_restored_ones_the_used_stay_longest(void **state)
{
    (void)state;
    struct cache *cache = cache_of(256 * 1024, HOUR);
    unsigned kept = 0;
    for (unsigned i = 0; i < 1000; i++) {
        const struct cache_times times = {.left_ns = HOUR, .is_used = i % 10 == 0};
        assert_int_equal(restore(cache, i, &times, 0), CACHE_RESTORED);
    }
    for (unsigned i = 0; i < 1800; i++) put(cache, "new", i, "value", 1000, 0);
    for (unsigned i = 0; i < 1000; i++) kept += see(cache, "name", i, 0).state == CACHE_FRESH && i % 10 == 0;
    assert_int_equal(kept, 100);
    cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_sees_every_entry_once),
        cmocka_unit_test(a_walk_sees_what_was_used_or_the_rest),
        cmocka_unit_test(a_walk_goes_on_while_the_cache_grows),
        cmocka_unit_test(copying_is_no_use_and_tells_of_use),
        cmocka_unit_test(a_restored_entry_is_as_old_as_it_was),
        cmocka_unit_test(a_stale_entry_stays_as_long_as_it_would_have),
        cmocka_unit_test(what_is_there_is_newer),
        cmocka_unit_test(restoring_evicts_nothing_and_is_evicted_first),
        cmocka_unit_test(of_the_restored_ones_the_used_stay_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
