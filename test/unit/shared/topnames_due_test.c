/* Which of the top are due to be asked for again, and when. */
#include "common/random.h"
#include "topnames_story.h"

static void due_a_second_before_the_end_of_three(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    for (unsigned i = 0; i < 200; i++) ask_and_answer(topnames, "n", i, 3 * NS_PER_S);
    assert_int_equal(due_count(topnames, START_NS + 1700 * NS_PER_MS - 1), 0);
    size_t early = due_count(topnames, START_NS + 1850 * NS_PER_MS);
    assert_in_range(early, 60, 140); /* half of the jitter's way: spread, not in one go */
    assert_int_equal(early + due_count(topnames, START_NS + 2000 * NS_PER_MS), 200);
    topnames_free(topnames);
}

static void due_in_the_last_tenth_of_long_lifetimes(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    for (unsigned i = 0; i < 200; i++) ask_and_answer(topnames, "n", i, 300 * NS_PER_S);
    assert_int_equal(due_count(topnames, START_NS + 261 * NS_PER_S - 1), 0);
    assert_int_equal(due_count(topnames, START_NS + 270 * NS_PER_S), 200);
    topnames_free(topnames);
}

static void due_in_the_second_half_of_a_single_second(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    for (unsigned i = 0; i < 200; i++) ask_and_answer(topnames, "n", i, NS_PER_S);
    assert_int_equal(due_count(topnames, START_NS + 350 * NS_PER_MS - 1), 0);
    assert_int_equal(due_count(topnames, START_NS + 500 * NS_PER_MS), 200);
    topnames_free(topnames);
}

static void lifetime_under_a_second_is_not_refreshed(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    struct test_key key;
    ask_and_answer(topnames, "n", 1, NS_PER_S - 1);
    topnames_count(topnames, key_of(&key, "n", 1), START_NS + NS_PER_S, START_NS); /* it is known by now what it is */
    for (unsigned i = 0; i < 20; i++) assert_int_equal(due_count(topnames, START_NS + i * NS_PER_S), 0);
    answer(topnames, "n", 1, 3 * NS_PER_S, START_NS + 20 * NS_PER_S);
    assert_int_equal(due_count(topnames, START_NS + 22 * NS_PER_S), 1);
    topnames_free(topnames);
}

static void lifetime_that_became_short_ends_the_refreshing(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    ask_and_answer(topnames, "n", 1, 3 * NS_PER_S);
    answer(topnames, "n", 1, NS_PER_S / 2, START_NS + NS_PER_S);
    assert_int_equal(due_count(topnames, START_NS + 3 * NS_PER_S), 0);
    topnames_free(topnames);
}

static void taken_is_not_due_until_answered_or_for_a_second(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    ask_and_answer(topnames, "n", 1, 3 * NS_PER_S);
    uint64_t now_ns = START_NS + 2 * NS_PER_S;
    assert_int_equal(due_count(topnames, now_ns), 1);
    assert_int_equal(due_count(topnames, now_ns), 0);
    assert_int_equal(due_count(topnames, now_ns + NS_PER_S - 1), 0);
    assert_int_equal(due_count(topnames, now_ns + NS_PER_S), 1);
    answer(topnames, "n", 1, 3 * NS_PER_S, now_ns + NS_PER_S);
    assert_int_equal(due_count(topnames, now_ns + 2600 * NS_PER_MS), 0);
    assert_int_equal(due_count(topnames, now_ns + 3000 * NS_PER_MS), 1);
    topnames_free(topnames);
}

static void a_due_name_has_its_key_and_whether_clients_asked(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    struct topname_due due;
    ask_and_answer(topnames, "n", 1, 3 * NS_PER_S);
    assert_int_equal(take(topnames, START_NS + 2 * NS_PER_S, &due, NULL), 1);
    assert_true(is_key(due.bytes, due.size, "n", 1));
    assert_false(due.asked);

    answer(topnames, "n", 1, 3 * NS_PER_S, START_NS + 2 * NS_PER_S);
    query(topnames, "n", 1, 1, START_NS + 3 * NS_PER_S);
    assert_int_equal(take(topnames, START_NS + 4 * NS_PER_S, &due, NULL), 1);
    assert_true(due.asked);
    topnames_free(topnames);
}

/* A name whose answer was cached before it came into the top. */
static void due_by_the_answer_a_client_was_given(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(10);
    struct test_key key;
    answer(topnames, "n", 1, 100 * NS_PER_S, START_NS - 90 * NS_PER_S); /* not of the top then: ignored */
    for (unsigned i = 0; i < 2; i++) topnames_count(topnames, key_of(&key, "n", 1), START_NS + 10 * NS_PER_S, START_NS);
    assert_int_equal(due_count(topnames, START_NS + 8700 * NS_PER_MS - 1), 0);
    assert_int_equal(due_count(topnames, START_NS + 9000 * NS_PER_MS), 1);

    query(topnames, "unknown", 1, 5, START_NS); /* nothing was said about its answer */
    assert_int_equal(due_count(topnames, START_NS + 9500 * NS_PER_MS), 0);

    for (unsigned i = 0; i < 2; i++) topnames_count(topnames, key_of(&key, "over", 1), START_NS - 1, START_NS);
    assert_int_equal(due_count(topnames, START_NS), 1);
    topnames_free(topnames);
}

static void each_name_belongs_to_one_worker(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 64; workers = workers * 2 + 1) {
        struct topnames *topnames = topnames_of(2000);
        for (unsigned i = 0; i < 500; i++) ask_and_answer(topnames, "n", i, 3 * NS_PER_S);
        size_t count = 0;
        bool seen[500] = {false};
        for (unsigned worker = 0; worker < workers; worker++) {
            struct topname_due due[500];
            uint64_t next_ns;
            size_t of_worker =
                topnames_take_due(topnames, worker, workers, START_NS + 2 * NS_PER_S, due, 500, &next_ns);
            for (size_t i = 0; i < of_worker; i++) {
                unsigned number = (unsigned)strtoul((const char *)due[i].bytes + 2, NULL, 10);
                assert_true(is_key(due[i].bytes, due[i].size, "n", number));
                assert_false(seen[number]);
                seen[number] = true;
            }
            count += of_worker;
        }
        assert_int_equal(count, 500);
        topnames_free(topnames);
    }
}

static void no_more_than_asked_for_are_taken_and_the_rest_at_once(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(1000);
    for (unsigned i = 0; i < 25; i++) ask_and_answer(topnames, "n", i, 3 * NS_PER_S);
    uint64_t now_ns = START_NS + 2 * NS_PER_S;
    struct topname_due due[10];
    uint64_t next_ns;
    assert_int_equal(topnames_take_due(topnames, 0, 1, now_ns, due, 10, &next_ns), 10);
    assert_true(next_ns <= now_ns);
    assert_int_equal(topnames_take_due(topnames, 0, 1, now_ns, due, 10, &next_ns), 10);
    assert_true(next_ns <= now_ns);
    assert_int_equal(topnames_take_due(topnames, 0, 1, now_ns, due, 10, &next_ns), 5);
    assert_true(next_ns > now_ns);
    assert_int_equal(topnames_take_due(topnames, 0, 1, now_ns + NS_PER_S, due, 0, &next_ns), 0);
    assert_true(next_ns <= now_ns + NS_PER_S);
    topnames_free(topnames);
}

/* Whoever comes when told to finds every name the moment it is due, even one that was answered by another worker
 * meanwhile. */
static void the_next_look_is_in_time_for_every_name(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(100);
    struct random random = {3};
    uint64_t now_ns = START_NS;
    uint64_t next_ns = now_ns;
    for (unsigned i = 0; i < 50; i++) ask_and_answer(topnames, "n", i, (1 + random_next(&random) % 20) * NS_PER_S);
    for (unsigned step = 0; step < 2000; step++) {
        struct topname_due due[100];
        uint64_t again_ns;
        assert_int_equal(topnames_take_due(topnames, 0, 1, next_ns - 1, due, 100, &again_ns), 0); /* none was missed */
        assert_true(again_ns >= next_ns);
        now_ns = next_ns;
        size_t count = topnames_take_due(topnames, 0, 1, now_ns, due, 100, &next_ns);
        assert_in_range(next_ns, now_ns + 1, now_ns + 250 * NS_PER_MS);
        for (size_t i = 0; i < count; i++) {
            struct hashed_key key = {due[i].bytes, due[i].size, hash_bytes(&test_hash_key, due[i].bytes, due[i].size)};
            topnames_answered(topnames, &key, (1 + random_next(&random) % 20) * NS_PER_S, now_ns);
        }
    }
    topnames_free(topnames);
}

/* A name with TTL 3 asked 50 times, then silence, during 100,000 names asked once: as long as it is of the top, its
 * answer never ends. */
static void top_name_never_runs_out(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(100);
    uint64_t now_ns = START_NS;
    uint64_t end_ns = START_NS + 3 * NS_PER_S;
    unsigned once = 0;
    unsigned refreshes = 0;
    due_count(topnames, now_ns);
    query(topnames, "top", 1, 50, now_ns);
    answer(topnames, "top", 1, 3 * NS_PER_S, now_ns);
    while (now_ns < START_NS + HALF_LIFE) {
        struct topname_due due;
        uint64_t next_ns;
        assert_true(now_ns + NS_PER_S <= end_ns);
        if (take(topnames, now_ns, &due, &next_ns) == 1) {
            assert_true(is_key(due.bytes, due.size, "top", 1));
            answer(topnames, "top", 1, 3 * NS_PER_S, now_ns);
            end_ns = now_ns + 3 * NS_PER_S;
            refreshes++;
            if (next_ns > now_ns + 250 * NS_PER_MS) next_ns = now_ns + 250 * NS_PER_MS;
        }
        for (unsigned i = 0; i < 40; i++) query(topnames, "once", once++, 1, now_ns);
        now_ns = next_ns;
    }
    assert_true(once > 90000);
    assert_in_range(refreshes, HALF_LIFE / (2 * NS_PER_S) - 1, HALF_LIFE / (1700 * NS_PER_MS) + 1);
    topnames_free(topnames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(due_a_second_before_the_end_of_three),
        cmocka_unit_test(due_in_the_last_tenth_of_long_lifetimes),
        cmocka_unit_test(due_in_the_second_half_of_a_single_second),
        cmocka_unit_test(lifetime_under_a_second_is_not_refreshed),
        cmocka_unit_test(lifetime_that_became_short_ends_the_refreshing),
        cmocka_unit_test(taken_is_not_due_until_answered_or_for_a_second),
        cmocka_unit_test(a_due_name_has_its_key_and_whether_clients_asked),
        cmocka_unit_test(due_by_the_answer_a_client_was_given),
        cmocka_unit_test(each_name_belongs_to_one_worker),
        cmocka_unit_test(no_more_than_asked_for_are_taken_and_the_rest_at_once),
        cmocka_unit_test(the_next_look_is_in_time_for_every_name),
        cmocka_unit_test(top_name_never_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
