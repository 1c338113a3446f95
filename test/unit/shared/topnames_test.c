/* Who is of the top, and for how long. */
#include "common/random.h"
#include "topnames_story.h"

/* --- who is of the top --- */

static void asked_once_is_not_of_the_top(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(100);
    query(topnames, "once", 1, 1, START_NS);
    query(topnames, "twice", 1, 2, START_NS);
    assert_int_equal(listed(topnames, "once", 1), 0);
    assert_int_equal(listed(topnames, "twice", 1), 2);
    topnames_free(topnames);
}

static void most_asked_are_listed_first(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    for (unsigned i = 0; i < 100; i++) query(topnames, "n", i, 2 + (i * 37) % 100, START_NS);
    struct topname names[100];
    assert_int_equal(topnames_list(topnames, names, 100), 100);
    for (unsigned i = 0; i < 100; i++) assert_int_equal(names[i].queries, 101 - i);

    struct topname few[7] = {0};
    assert_int_equal(topnames_list(topnames, few, 7), 7);
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(few[i].queries, 101 - i);
        assert_memory_equal(few[i].bytes, names[i].bytes, names[i].size);
    }
    assert_int_equal(topnames_list(topnames, NULL, 0), 0);
    topnames_free(topnames);
}

static void top_is_no_larger_than_configured(void **state)
{
    (void)state;
    const uint32_t sizes[] = {1, 2, 10, 63, 64, 100, 1000};
    for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct topnames *topnames = topnames_of(sizes[s]);
        for (unsigned i = 0; i < 4000; i++) query(topnames, "n", i, 3, START_NS);
        assert_int_equal(listed_count(topnames), sizes[s]);
        topnames_free(topnames);
    }
}

static void more_asked_replaces_the_least_asked(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    for (unsigned i = 0; i < 10; i++) query(topnames, "n", i, 10 + i, START_NS);
    query(topnames, "new", 1, 10, START_NS);
    assert_int_equal(listed(topnames, "new", 1), 0); /* not more than the least: nobody moves for a tie */
    query(topnames, "new", 1, 1, START_NS);
    assert_int_equal(listed(topnames, "new", 1), 11);
    assert_int_equal(listed(topnames, "n", 0), 0);
    for (unsigned i = 1; i < 10; i++) assert_int_equal(listed(topnames, "n", i), 10 + i);
    topnames_free(topnames);
}

/* The least is looked for only when it matters: what was asked meanwhile must be seen then. */
static void least_is_known_after_others_have_grown(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(3);
    for (unsigned i = 0; i < 3; i++) query(topnames, "n", i, 5, START_NS);
    query(topnames, "n", 0, 100, START_NS);
    query(topnames, "n", 1, 50, START_NS);
    query(topnames, "a", 1, 6, START_NS);
    assert_int_equal(listed(topnames, "n", 2), 0);
    query(topnames, "a", 1, 100, START_NS);
    query(topnames, "b", 1, 55, START_NS);
    assert_int_equal(listed(topnames, "b", 1), 0);
    query(topnames, "b", 1, 1, START_NS);
    assert_int_equal(listed(topnames, "b", 1), 56);
    assert_int_equal(listed(topnames, "n", 1), 0);
    topnames_free(topnames);
}

static void a_million_names_asked_once_push_out_nobody(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(100);
    for (unsigned i = 0; i < 100; i++) query(topnames, "hot", i, 50, START_NS);
    size_t before = listed_count(topnames);
    for (unsigned i = 0; i < 1000000; i++) query(topnames, "once", i, 1, START_NS);
    assert_int_equal(listed_count(topnames), before);
    for (unsigned i = 0; i < 100; i++) assert_true(listed(topnames, "hot", i) == 50 || before < 100);
    topnames_free(topnames);
}

/* Nor do they come in where there is room. */
static void a_million_names_asked_once_do_not_enter(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    query(topnames, "hot", 1, 50, START_NS);
    for (unsigned i = 0; i < 1000000; i++) query(topnames, "once", i, 1, START_NS);
    assert_int_equal(listed_count(topnames), 1);
    assert_int_equal(listed(topnames, "hot", 1), 50);
    topnames_free(topnames);
}

static void name_that_becomes_hot_during_a_scan_enters(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    for (unsigned i = 0; i < 1000; i++) query(topnames, "hot", i, 8, START_NS);
    for (unsigned i = 0; i < 200000; i++) {
        query(topnames, "once", i, 1, START_NS);
        if (i % 1000 == 0) query(topnames, "new", 1, 1, START_NS);
    }
    assert_true(listed(topnames, "new", 1) > 100);
    topnames_free(topnames);
}

/* The thousand most asked of a hundred thousand: chance puts a few too many in some stripes, so a few of the last are
 * missing. */
static void most_of_the_top_is_found(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 1000; i++) query(topnames, "hot", i, 3, START_NS);
        for (unsigned i = 0; i < 100000; i += 10) query(topnames, "cold", i + round % 10, 1, START_NS);
    }
    struct topname *names = calloc(MANY, sizeof *names);
    size_t count = topnames_list(topnames, names, MANY);
    unsigned hot = 0;
    for (size_t i = 0; i < count; i++) hot += memcmp(names[i].bytes, "hot", 3) == 0;
    assert_true(hot > 900);
    free(names);
    topnames_free(topnames);
}

static void keys_with_the_same_hash_are_different_names(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    struct test_key one, two;
    key_of(&one, "one", 1);
    key_of(&two, "two", 1);
    two.hashed.hash = one.hashed.hash;
    for (unsigned i = 0; i < 5; i++) topnames_count(topnames, &one.hashed, 0, START_NS);
    for (unsigned i = 0; i < 7; i++) topnames_count(topnames, &two.hashed, 0, START_NS);
    assert_int_equal(listed(topnames, "one", 1), 5);
    assert_int_equal(listed(topnames, "two", 1), 7);
    topnames_free(topnames);
}

static void longest_key_is_ranked_and_longer_is_not(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    uint8_t bytes[TOPNAMES_KEY_MAX + 1] = {1};
    struct hashed_key key = {bytes, TOPNAMES_KEY_MAX + 1, 4711};
    for (unsigned i = 0; i < 5; i++) topnames_count(topnames, &key, 0, START_NS);
    topnames_answered(topnames, &key, 3 * NS_PER_S, START_NS);
    assert_int_equal(listed_count(topnames), 0);
    key.size--;
    for (unsigned i = 0; i < 5; i++) topnames_count(topnames, &key, 0, START_NS);
    assert_int_equal(listed_count(topnames), 1);
    topnames_free(topnames);
}

static void who_counts_learns_whether_the_name_is_in_the_table(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1);
    struct test_key one, two;
    key_of(&one, "one", 1);
    key_of(&two, "two", 1);
    assert_false(topnames_count(topnames, &one.hashed, 0, START_NS));
    assert_true(topnames_count(topnames, &one.hashed, 0, START_NS));
    assert_true(topnames_count(topnames, &one.hashed, 0, START_NS));
    for (int i = 0; i < 3; i++) assert_false(topnames_count(topnames, &two.hashed, 0, START_NS)); /* no more often */
    assert_true(topnames_count(topnames, &two.hashed, 0, START_NS));
    assert_false(topnames_count(topnames, &one.hashed, 0, START_NS));
    topnames_free(topnames);
}

static void without_a_top_nothing_happens(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(0);
    uint64_t next_ns = 0;
    query(topnames, "n", 1, 10, START_NS);
    answer(topnames, "n", 1, 3 * NS_PER_S, START_NS);
    assert_int_equal(listed_count(topnames), 0);
    assert_int_equal(take(topnames, START_NS + 3 * NS_PER_S, NULL, &next_ns), 0);
    assert_true(next_ns > START_NS + 3 * NS_PER_S);
    topnames_free(topnames);
    topnames_free(NULL);
}

/* --- who was --- */

static void counts_are_halved_every_half_life(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    uint64_t now_ns = 10 * HALF_LIFE;
    query(topnames, "other", 1, 1, now_ns); /* from here on half-lives are counted */
    query(topnames, "n", 1, 49, now_ns);
    query(topnames, "n", 1, 1, now_ns + HALF_LIFE - 1);
    assert_int_equal(listed(topnames, "n", 1), 50);
    query(topnames, "n", 1, 1, now_ns + HALF_LIFE);
    assert_int_equal(listed(topnames, "n", 1), 26);
    query(topnames, "n", 1, 1, now_ns + 4 * HALF_LIFE); /* three at once */
    assert_int_equal(listed(topnames, "n", 1), 4);
    topnames_free(topnames);
}

/* Once in a while is not often, however long it goes on. */
static void asked_once_in_each_half_life_is_not_of_the_top(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    for (unsigned i = 10; i < 100; i++) query(topnames, "n", 1, 1, i * HALF_LIFE);
    assert_int_equal(listed_count(topnames), 0);
    topnames_free(topnames);
}

/* Those who are halved are measured by what is left of them. */
static void new_names_are_measured_by_the_halved(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(2);
    uint64_t now_ns = 10 * HALF_LIFE;
    query(topnames, "n", 1, 50, now_ns);
    query(topnames, "n", 2, 60, now_ns);
    query(topnames, "new", 1, 40, now_ns); /* in vain, and now the least is known */
    query(topnames, "new", 2, 26, now_ns + HALF_LIFE);
    assert_int_equal(listed(topnames, "n", 1), 0);
    assert_int_equal(listed(topnames, "n", 2), 30);
    assert_int_equal(listed(topnames, "new", 2), 26);
    topnames_free(topnames);
}

static void name_nobody_asks_for_falls_out(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    uint64_t now_ns = 10 * HALF_LIFE;
    due_count(topnames, now_ns);
    for (unsigned i = 0; i < 10; i++) query(topnames, "n", i, 2 << i, now_ns);
    for (unsigned halved = 1; halved <= 10; halved++) { /* nobody asks any more, but the refreshing goes on */
        due_count(topnames, now_ns + halved * HALF_LIFE);
        assert_int_equal(listed_count(topnames), 10 - halved);
    }
    topnames_free(topnames);
}

static void name_that_fell_out_is_not_due(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    due_count(topnames, START_NS); /* half-lives are counted from here on */
    for (unsigned i = 0; i < 5; i++) {
        query(topnames, "n", i, i == 2 ? 2 : 20, START_NS);
        answer(topnames, "n", i, 3600 * NS_PER_S, START_NS);
    }
    due_count(topnames, START_NS + HALF_LIFE);
    struct topname_due due[10];
    uint64_t next_ns;
    assert_int_equal(topnames_take_due(topnames, 0, 1, START_NS + HALF_LIFE + 3600 * NS_PER_S, due, 10, &next_ns), 0);
    topnames_free(topnames);
}

static void names_keep_their_time_when_others_go(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(3);
    struct topname_due due;
    for (unsigned i = 0; i < 3; i++) {
        query(topnames, "n", i, i == 0 ? 5 : 50, START_NS);
        answer(topnames, "n", i, (i + 1) * 100 * NS_PER_S, START_NS);
    }
    query(topnames, "new", 1, 6, START_NS);
    assert_int_equal(listed(topnames, "n", 0), 0);
    assert_int_equal(due_count(topnames, START_NS + 100 * NS_PER_S), 0);
    assert_int_equal(take(topnames, START_NS + 200 * NS_PER_S, &due, NULL), 1);
    assert_true(is_key(due.bytes, due.size, "n", 1));
    answer(topnames, "n", 1, 1000 * NS_PER_S, START_NS + 200 * NS_PER_S);
    assert_int_equal(take(topnames, START_NS + 300 * NS_PER_S, &due, NULL), 1);
    assert_true(is_key(due.bytes, due.size, "n", 2));
    topnames_free(topnames);
}

static void endless_half_life_keeps_all(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_new(&(struct topnames_options){.top = 10, .half_life_ns = 0});
    query(topnames, "n", 1, 2, START_NS);
    query(topnames, "n", 1, 1, START_NS * 1000000);
    assert_int_equal(listed(topnames, "n", 1), 3);
    topnames_free(topnames);
}

/* The clocks of two workers differ by a turn. */
static void a_new_half_life_counts_from_the_next_ask_on(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(MANY);
    uint64_t now_ns = 10 * HALF_LIFE;
    query(topnames, "n", 1, 64, now_ns);
    topnames_set_options(topnames, &(struct topnames_options){.top = MANY, .half_life_ns = HALF_LIFE / 60});
    query(topnames, "n", 1, 1, now_ns + HALF_LIFE / 60 * 3);
    assert_in_range(listed(topnames, "n", 1), 8, 10);
    topnames_free(topnames);
}

static void time_that_goes_back_is_harmless(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    uint64_t now_ns = 10 * HALF_LIFE;
    query(topnames, "n", 1, 10, now_ns);
    query(topnames, "n", 1, 10, now_ns - NS_PER_MS);
    assert_int_equal(listed(topnames, "n", 1), 20);
    topnames_free(topnames);
}

/* Names come and go at random places of the table: it must hold together. */
static void table_holds_together_in_the_bustle(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(50);
    struct random random = {4};
    struct topname names[50];
    uint64_t now_ns = 10 * HALF_LIFE;
    for (unsigned step = 0; step < 200000; step++) {
        unsigned number = (unsigned)(random_next(&random) % (1 + random_next(&random) % 300));
        query(topnames, "n", number, 1, now_ns);
        answer(topnames, "n", number, 5 * NS_PER_S, now_ns);
        now_ns += HALF_LIFE / 300;
        if (step % 1000 != 999) continue;
        due_count(topnames, now_ns); /* what a half-life has gone by for is halved now, not in between */
        size_t count = topnames_list(topnames, names, 50);
        assert_true(count > 20);
        for (size_t i = 0; i < count; i++) {
            number = (unsigned)strtoul((const char *)names[i].bytes + 2, NULL, 10);
            for (size_t j = 0; j < i; j++) assert_true(!is_key(names[j].bytes, names[j].size, "n", number));
            query(topnames, "n", number, 1, now_ns); /* found where it is listed */
            assert_int_equal(listed(topnames, "n", number), names[i].queries + 1);
        }
    }
    topnames_free(topnames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_once_is_not_of_the_top),
        cmocka_unit_test(most_asked_are_listed_first),
        cmocka_unit_test(top_is_no_larger_than_configured),
        cmocka_unit_test(more_asked_replaces_the_least_asked),
        cmocka_unit_test(least_is_known_after_others_have_grown),
        cmocka_unit_test(a_million_names_asked_once_push_out_nobody),
        cmocka_unit_test(a_million_names_asked_once_do_not_enter),
        cmocka_unit_test(name_that_becomes_hot_during_a_scan_enters),
        cmocka_unit_test(most_of_the_top_is_found),
        cmocka_unit_test(keys_with_the_same_hash_are_different_names),
        cmocka_unit_test(longest_key_is_ranked_and_longer_is_not),
        cmocka_unit_test(who_counts_learns_whether_the_name_is_in_the_table),
        cmocka_unit_test(without_a_top_nothing_happens),
        cmocka_unit_test(counts_are_halved_every_half_life),
        cmocka_unit_test(asked_once_in_each_half_life_is_not_of_the_top),
        cmocka_unit_test(new_names_are_measured_by_the_halved),
        cmocka_unit_test(name_nobody_asks_for_falls_out),
        cmocka_unit_test(name_that_fell_out_is_not_due),
        cmocka_unit_test(names_keep_their_time_when_others_go),
        cmocka_unit_test(endless_half_life_keeps_all),
        cmocka_unit_test(a_new_half_life_counts_from_the_next_ask_on),
        cmocka_unit_test(time_that_goes_back_is_harmless),
        cmocka_unit_test(table_holds_together_in_the_bustle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
