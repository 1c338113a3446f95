/* A worker's copies of hot answers: which there are, when they are used, and that each use is counted. */
#include "common/random.h"
#include "hot_story.h"

/* ---- which names have a copy ---- */

static void a_name_that_is_asked_again_and_again_is_copied_and_ages(void **state)
{
    (void)state;
    struct worker worker;
    begin(&worker, true, &usual);
    put(&worker, "hot", 1, "answer", 300 * NS_PER_S, START_NS);
    heat(&worker, "hot", 1, START_NS + NS_PER_S);
    struct seen seen = ask(&worker, "hot", 1, START_NS + 7 * NS_PER_S + 1);
    assert_seen(&seen, true, "answer", 7 * NS_PER_S + 1);
    assert_int_equal(seen.found.left_ns, 293 * NS_PER_S - 1);
    end(&worker);
}

static void one_name_of_many_is_never_copied(void **state)
{
    (void)state;
    struct worker worker;
    struct random random = {1};
    begin(&worker, true, &(struct cache_options){.max_bytes = 4 * 1024 * 1024});
    for (unsigned name = 0; name < 1000; name++) put(&worker, "n", name, "answer", 300 * NS_PER_S, START_NS);
    for (unsigned i = 0; i < 50000; i++) ask(&worker, "n", (unsigned)(random_next(&random) % 1000), START_NS);
    assert_true(worker.copies < 500);
    end(&worker);
}

/* Two names of one place, and a third key that only the hash takes for the first. */
static void a_place_is_its_most_asked_names(void **state)
{
    (void)state;
    struct worker worker;
    struct test_key first, other;
    begin(&worker, true, &usual);
    key_of(&first, "hot", 1);
    unsigned number = 0;
    do key_of(&other, "other", number++);
    while (other.hashed.hash % HOT_ANSWERS != first.hashed.hash % HOT_ANSWERS);
    assert_true(cache_put(worker.cache, &first.hashed, "first", 6, 300 * NS_PER_S, START_NS));
    assert_true(cache_put(worker.cache, &other.hashed, "other", 6, 300 * NS_PER_S, START_NS));
    heat(&worker, "hot", 1, START_NS);
    assert_false(ask_key(&worker, &other.hashed, START_NS).is_copy);
    ask(&worker, "hot", 1, START_NS);
    struct seen seen = ask(&worker, "hot", 1, START_NS);
    assert_seen(&seen, true, "first", 0);
    while (!ask_key(&worker, &other.hashed, START_NS).is_copy) number++;
    seen = ask_key(&worker, &other.hashed, START_NS);
    assert_seen(&seen, true, "other", 0);
    seen = ask(&worker, "hot", 1, START_NS);
    assert_seen(&seen, false, "first", 0);
    hot_answers_count_all(&worker.hot, START_NS);
    assert_int_equal(ranked(worker.topnames, &first.hashed), HOT_ANSWERS_VOTES + 3);
    end(&worker);
}

static void the_table_never_takes_a_hashs_word_for_a_key(void **state)
{
    (void)state;
    struct worker worker;
    struct test_key same, shorter;
    begin(&worker, true, &usual);
    put(&worker, "hot", 1, "answer", 300 * NS_PER_S, START_NS);
    heat(&worker, "hot", 1, START_NS);
    key_of(&same, "hut", 1);
    key_of(&shorter, "hot", 1);
    same.hashed.hash = shorter.hashed.hash;
    shorter.hashed.size--;
    assert_int_equal(ask_key(&worker, &same.hashed, START_NS).state, CACHE_ABSENT);
    heat(&worker, "hot", 1, START_NS);
    assert_int_equal(ask_key(&worker, &shorter.hashed, START_NS).state, CACHE_ABSENT);
    end(&worker);
}

static void what_is_large_is_not_copied(void **state)
{
    (void)state;
    struct worker worker;
    struct test_key fits, large;
    uint8_t value[HOT_ANSWER_BYTES + 1];
    memset(value, 7, sizeof value);
    begin(&worker, true, &usual);
    assert_true(cache_put(worker.cache, key_of(&fits, "fits", 1), value, HOT_ANSWER_BYTES, NS_PER_S * 300, START_NS));
    assert_true(cache_put(worker.cache, key_of(&large, "large", 1), value, sizeof value, NS_PER_S * 300, START_NS));
    heat(&worker, "fits", 1, START_NS);
    worker.copies = 0;
    for (unsigned i = 0; i < 1000; i++) assert_int_equal(ask(&worker, "large", 1, START_NS).found.size, sizeof value);
    assert_int_equal(worker.copies, 0);
    end(&worker);
}

/* ---- when a copy is not used any more ---- */

static void what_is_removed_purged_or_replaced_is_gone_at_once(void **state)
{
    (void)state;
    struct worker worker;
    struct test_key key;
    begin(&worker, true, &usual);
    key_of(&key, "hot", 1);
    put(&worker, "hot", 1, "first", 300 * NS_PER_S, START_NS);
    heat(&worker, "hot", 1, START_NS);
    put(&worker, "hot", 1, "second", 300 * NS_PER_S, START_NS + 1);
    struct seen seen = ask(&worker, "hot", 1, START_NS + 1);
    assert_seen(&seen, true, "second", 0); /* copied anew, as it is hot still */
    assert_true(cache_remove(worker.cache, &key.hashed));
    assert_int_equal(ask(&worker, "hot", 1, START_NS + 1).state, CACHE_ABSENT);
    put(&worker, "hot", 1, "third", 300 * NS_PER_S, START_NS + 1);
    heat(&worker, "hot", 1, START_NS + 1);
    cache_clear(worker.cache);
    assert_int_equal(ask(&worker, "hot", 1, START_NS + 1).state, CACHE_ABSENT);
    put(&worker, "hot", 1, "fourth", 300 * NS_PER_S, START_NS + 1);
    heat(&worker, "hot", 1, START_NS + 1);
    cache_set_options(worker.cache, &(struct cache_options){.max_bytes = 0});
    assert_int_equal(ask(&worker, "hot", 1, START_NS + 1).state, CACHE_ABSENT);
    end(&worker);
}

/* The refresh falls due in the last tenth; from the moment when that is told the copy serves until the end. */
static void its_refresh_and_its_end_come_to_the_nanosecond(void **state)
{
    (void)state;
    struct worker worker;
    const uint64_t end_ns = START_NS + 100 * NS_PER_S;
    begin(&worker, true, &usual);
    put(&worker, "hot", 1, "answer", 100 * NS_PER_S, START_NS);
    heat(&worker, "hot", 1, START_NS);
    struct seen seen = ask(&worker, "hot", 1, end_ns - 10 * NS_PER_S - 1);
    assert_seen(&seen, true, "answer", 90 * NS_PER_S - 1);
    seen = ask(&worker, "hot", 1, end_ns - 10 * NS_PER_S);
    assert_false(seen.is_copy);
    assert_true(seen.found.refresh_due);
    heat(&worker, "hot", 1, end_ns - 9 * NS_PER_S);
    seen = ask(&worker, "hot", 1, end_ns - 1);
    assert_seen(&seen, true, "answer", 100 * NS_PER_S - 1);
    assert_int_equal(seen.found.left_ns, 1);
    assert_int_equal(ask(&worker, "hot", 1, end_ns).state, CACHE_STALE);
    for (unsigned i = 0; i < 100; i++) assert_int_equal(ask(&worker, "hot", 1, end_ns).state, CACHE_STALE);
    assert_int_equal(ask(&worker, "hot", 1, end_ns + 5 * NS_PER_S).state, CACHE_ABSENT);
    end(&worker);
}

/* ---- what is counted ---- */

static void each_query_is_counted_among_the_top_names(void **state)
{
    (void)state;
    struct worker worker;
    struct test_key key;
    begin(&worker, true, &usual);
    key_of(&key, "hot", 1);
    put(&worker, "hot", 1, "answer", 300 * NS_PER_S, START_NS);
    heat(&worker, "hot", 1, START_NS);
    assert_int_equal(ranked(worker.topnames, &key.hashed), HOT_ANSWERS_VOTES - 1);
    for (unsigned i = 0; i < HOT_ANSWERS_BATCH; i++) ask(&worker, "hot", 1, START_NS);
    assert_int_equal(ranked(worker.topnames, &key.hashed), HOT_ANSWERS_VOTES + HOT_ANSWERS_BATCH - 1);
    hot_answers_count_all(&worker.hot, START_NS);
    assert_int_equal(ranked(worker.topnames, &key.hashed), HOT_ANSWERS_VOTES + HOT_ANSWERS_BATCH);
    ask(&worker, "hot", 1, START_NS);
    assert_true(cache_remove(worker.cache, &key.hashed)); /* what was counted for it is not lost with it */
    ask(&worker, "hot", 1, START_NS);
    hot_answers_count_all(&worker.hot, START_NS);
    assert_int_equal(ranked(worker.topnames, &key.hashed), HOT_ANSWERS_VOTES + HOT_ANSWERS_BATCH + 1);
    end(&worker);
}

/* Names come that are asked once, more than there is room for: the hot one is not evicted, as it is in use. */
static void the_cache_keeps_what_is_asked_from_the_copy(void **state)
{
    (void)state;
    struct worker worker;
    begin(&worker, true, &usual);
    put(&worker, "hot", 1, "answer", 3000 * NS_PER_S, START_NS);
    heat(&worker, "hot", 1, START_NS);
    worker.copies = 0;
    for (unsigned i = 0; i < 20000; i++) {
        put(&worker, "once", i, "answer", 300 * NS_PER_S, START_NS);
        for (unsigned j = 0; j < 2; j++) assert_int_equal(ask(&worker, "hot", 1, START_NS).state, CACHE_FRESH);
    }
    assert_true(cache_figures(worker.cache).evictions > 10000);
    assert_int_equal(worker.copies, 40000);
    struct test_key key;
    assert_true(cache_has_fresh(worker.cache, key_of(&key, "hot", 1), START_NS));
    end(&worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_is_asked_again_and_again_is_copied_and_ages),
        cmocka_unit_test(one_name_of_many_is_never_copied),
        cmocka_unit_test(a_place_is_its_most_asked_names),
        cmocka_unit_test(the_table_never_takes_a_hashs_word_for_a_key),
        cmocka_unit_test(what_is_large_is_not_copied),
        cmocka_unit_test(what_is_removed_purged_or_replaced_is_gone_at_once),
        cmocka_unit_test(its_refresh_and_its_end_come_to_the_nanosecond),
        cmocka_unit_test(each_query_is_counted_among_the_top_names),
        cmocka_unit_test(the_cache_keeps_what_is_asked_from_the_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
