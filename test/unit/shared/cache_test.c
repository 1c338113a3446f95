/* What the cache holds, and for how long. */
#include "cache_story.h"

static void answer_is_kept_for_its_lifetime(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, 0);
    assert_true(put(cache, "www", 1, "192.0.2.1", 10, 5 * NS_PER_S));

    struct seen seen = see(cache, "www", 1, 8 * NS_PER_S);
    assert_int_equal(seen.state, CACHE_FRESH);
    assert_string_equal(seen.value, "192.0.2.1");
    assert_int_equal(seen.found.size, 10);
    assert_int_equal(seen.found.age_ns, 3 * NS_PER_S);
    assert_int_equal(seen.found.left_ns, 7 * NS_PER_S);
    assert_false(seen.found.refresh_due);

    assert_int_equal(see(cache, "www", 1, 15 * NS_PER_S - 1).state, CACHE_FRESH);
    assert_int_equal(see(cache, "www", 1, 15 * NS_PER_S).state, CACHE_ABSENT);
    cache_free(cache);
}

static void unknown_name_is_absent(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, 0);
    put(cache, "www", 1, "192.0.2.1", 10, 0);
    struct seen seen = see(cache, "www", 2, 0);
    assert_int_equal(seen.state, CACHE_ABSENT);
    assert_int_equal(seen.found.size, SIZE_MAX); /* outputs are left alone */
    cache_free(cache);
}

/* The table never takes a hash's word for it. */
static void keys_with_the_same_hash_are_different_keys(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, 0);
    struct test_key one, two, longer;
    key_of(&one, "one", 1);
    key_of(&two, "two", 1);
    key_of(&longer, "one", 10);
    two.hashed.hash = longer.hashed.hash = one.hashed.hash;
    longer.hashed.bytes = one.hashed.bytes; /* the same bytes, but for the last */
    longer.hashed.size = one.hashed.size - 1;

    assert_true(cache_put(cache, &one.hashed, "1", 1, NS_PER_S, 0));
    assert_true(cache_put(cache, &two.hashed, "2", 1, NS_PER_S, 0));
    uint8_t value;
    struct cache_found found;
    assert_int_equal(cache_find(cache, &one.hashed, 0, &value, 1, &found), CACHE_FRESH);
    assert_int_equal(value, '1');
    assert_int_equal(cache_find(cache, &two.hashed, 0, &value, 1, &found), CACHE_FRESH);
    assert_int_equal(value, '2');
    assert_int_equal(cache_find(cache, &longer.hashed, 0, &value, 1, &found), CACHE_ABSENT);
    cache_free(cache);
}

static void stale_answer_is_given_until_stale_time_is_over(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, 100 * NS_PER_S);
    put(cache, "www", 1, "192.0.2.1", 10, 0);

    struct seen seen = see(cache, "www", 1, 10 * NS_PER_S);
    assert_int_equal(seen.state, CACHE_STALE);
    assert_string_equal(seen.value, "192.0.2.1");
    assert_int_equal(seen.found.left_ns, 0);
    assert_int_equal(seen.found.age_ns, 10 * NS_PER_S);
    assert_false(seen.found.refresh_due); /* who gets a stale answer asks anyway */

    assert_int_equal(see(cache, "www", 1, 110 * NS_PER_S - 1).state, CACHE_STALE);
    assert_int_equal(see(cache, "www", 1, 110 * NS_PER_S).state, CACHE_ABSENT);
    cache_free(cache);
}

static void what_is_over_gives_its_memory_back_when_asked_for(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, NS_PER_S);
    uint64_t empty_bytes = cache_figures(cache).bytes;
    put(cache, "www", 1, "192.0.2.1", 10, 0);
    assert_int_equal(cache_figures(cache).entries, 1);
    see(cache, "www", 1, 60 * NS_PER_S);
    assert_int_equal(cache_figures(cache).entries, 0);
    assert_int_equal(cache_figures(cache).bytes, empty_bytes);
    assert_int_equal(cache_figures(cache).evictions, 0);
    cache_free(cache);
}

static void refresh_is_due_once_in_the_last_tenth(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, 0);
    put(cache, "www", 1, "192.0.2.1", 300, 0);
    assert_false(see(cache, "www", 1, 270 * NS_PER_S - 1).found.refresh_due);
    assert_true(see(cache, "www", 1, 270 * NS_PER_S).found.refresh_due);
    assert_false(see(cache, "www", 1, 280 * NS_PER_S).found.refresh_due);

    put(cache, "www", 1, "192.0.2.2", 300, 281 * NS_PER_S); /* a new lifetime, a new refresh */
    assert_false(see(cache, "www", 1, 290 * NS_PER_S).found.refresh_due);
    assert_true(see(cache, "www", 1, 580 * NS_PER_S).found.refresh_due);
    cache_free(cache);
}

static void refresh_of_a_short_lifetime_is_due_a_second_before_its_end(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, 0);
    put(cache, "three", 1, "x", 3, 0);
    assert_false(see(cache, "three", 1, 2 * NS_PER_S - 1).found.refresh_due);
    assert_true(see(cache, "three", 1, 2 * NS_PER_S).found.refresh_due);

    put(cache, "one", 1, "x", 1, 0); /* not all its life */
    assert_false(see(cache, "one", 1, 0).found.refresh_due);
    assert_false(see(cache, "one", 1, 900 * NS_PER_MS - 1).found.refresh_due);
    assert_true(see(cache, "one", 1, 900 * NS_PER_MS).found.refresh_due);
    cache_free(cache);
}

/* Two workers read the clock at the beginning of their turns, so one may be a little behind the other. */
static void time_may_be_behind_that_of_the_put(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, 0);
    put(cache, "www", 1, "x", 10, 100 * NS_PER_S);
    struct seen seen = see(cache, "www", 1, 100 * NS_PER_S - NS_PER_MS);
    assert_int_equal(seen.state, CACHE_FRESH);
    assert_int_equal(seen.found.age_ns, 0);
    cache_free(cache);
}

static void endless_lifetime_does_not_wrap(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, UINT64_MAX);
    struct test_key key;
    assert_true(cache_put(cache, key_of(&key, "www", 1), "x", 2, UINT64_MAX, 5 * NS_PER_S));
    assert_int_equal(see(cache, "www", 1, UINT64_MAX - 1).state, CACHE_FRESH);
    cache_free(cache);
}

static void put_again_replaces(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, 0);
    put(cache, "www", 1, "192.0.2.1", 10, 0);
    struct cache_figures before = cache_figures(cache);
    put(cache, "www", 1, "198.51.100.17 and a longer value than it was", 10, 0);
    assert_string_equal(see(cache, "www", 1, 0).value, "198.51.100.17 and a longer value than it was");
    assert_int_equal(cache_figures(cache).entries, 1);
    assert_true(cache_figures(cache).bytes > before.bytes);
    put(cache, "www", 1, "192.0.2.1", 10, 0);
    assert_int_equal(cache_figures(cache).bytes, before.bytes);
    assert_int_equal(cache_figures(cache).evictions, 0);
    cache_free(cache);
}

static void value_that_does_not_fit_the_reader_is_absent_but_kept(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, 0);
    struct test_key key;
    uint8_t out[10] = {0};
    struct cache_found found;
    put(cache, "www", 1, "192.0.2.1", 10, 0); /* ten octets with its end */
    assert_int_equal(cache_find(cache, key_of(&key, "www", 1), 0, out, 9, &found), CACHE_ABSENT);
    assert_int_equal(out[0], 0);
    assert_int_equal(cache_find(cache, &key.hashed, 0, out, 10, &found), CACHE_FRESH);
    assert_memory_equal(out, "192.0.2.1", 10);
    cache_free(cache);
}

static void empty_value_is_a_value(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, 0);
    struct test_key key;
    uint8_t out[1];
    struct cache_found found;
    assert_true(cache_put(cache, key_of(&key, "www", 1), NULL, 0, NS_PER_S, 0));
    assert_int_equal(cache_find(cache, &key.hashed, 0, out, 0, &found), CACHE_FRESH);
    assert_int_equal(found.size, 0);
    cache_free(cache);
}

static void removed_is_absent(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, 0);
    struct test_key key;
    put(cache, "www", 1, "x", 10, 0);
    put(cache, "www", 2, "y", 10, 0);
    assert_true(cache_remove(cache, key_of(&key, "www", 1)));
    assert_false(cache_remove(cache, &key.hashed));
    assert_int_equal(see(cache, "www", 1, 0).state, CACHE_ABSENT);
    assert_int_equal(see(cache, "www", 2, 0).state, CACHE_FRESH);
    cache_free(cache);
}

static void cleared_is_empty_and_usable(void **state)
{
    (void)state;
    struct cache *cache = cache_of(16 * MIB, 0);
    uint64_t empty_bytes = cache_figures(cache).bytes;
    for (unsigned i = 0; i < 10000; i++) put(cache, "www", i, "x", 10, 0);
    cache_clear(cache);
    assert_int_equal(cache_figures(cache).entries, 0);
    assert_int_equal(cache_figures(cache).bytes, empty_bytes);
    for (unsigned i = 0; i < 10000; i++) assert_int_equal(see(cache, "www", i, 0).state, CACHE_ABSENT);
    for (unsigned i = 0; i < 10000; i++) put(cache, "www", i, "y", 10, 0);
    for (unsigned i = 0; i < 10000; i++) assert_string_equal(see(cache, "www", i, 0).value, "y");
    cache_free(cache);
}

static void stale_time_can_be_changed(void **state)
{
    (void)state;
    struct cache *cache = cache_of(MIB, 0);
    put(cache, "www", 1, "x", 10, 0);
    cache_set_options(cache, &(struct cache_options){.max_bytes = MIB, .stale_ns = NS_PER_S});
    assert_int_equal(see(cache, "www", 1, 10 * NS_PER_S).state, CACHE_STALE);
    cache_free(cache);
}

/* Names that are asked again and again stay, whatever passes through: 100,000 names asked once, ten times what fits. */
static void nothing_is_freed_without_a_cache(void **state)
{
    (void)state;
    cache_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_is_kept_for_its_lifetime),
        cmocka_unit_test(unknown_name_is_absent),
        cmocka_unit_test(keys_with_the_same_hash_are_different_keys),
        cmocka_unit_test(stale_answer_is_given_until_stale_time_is_over),
        cmocka_unit_test(what_is_over_gives_its_memory_back_when_asked_for),
        cmocka_unit_test(refresh_is_due_once_in_the_last_tenth),
        cmocka_unit_test(refresh_of_a_short_lifetime_is_due_a_second_before_its_end),
        cmocka_unit_test(time_may_be_behind_that_of_the_put),
        cmocka_unit_test(endless_lifetime_does_not_wrap),
        cmocka_unit_test(put_again_replaces),
        cmocka_unit_test(value_that_does_not_fit_the_reader_is_absent_but_kept),
        cmocka_unit_test(empty_value_is_a_value),
        cmocka_unit_test(removed_is_absent),
        cmocka_unit_test(cleared_is_empty_and_usable),
        cmocka_unit_test(stale_time_can_be_changed),
        cmocka_unit_test(nothing_is_freed_without_a_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
