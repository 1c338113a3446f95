/* Queries that are counted together are counted as if they were counted one by one. */
#include "common/random.h"
#include "topnames_story.h"

static void query_together(struct topnames *topnames, const char *name, unsigned number, uint32_t times,
                           uint64_t now_ns)
{
    struct test_key key;
    topnames_count_times(topnames, key_of(&key, name, number), times, 0, now_ns);
}

static void several_count_as_each_of_them(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(64);
    query_together(topnames, "once", 1, 1, START_NS);
    assert_int_equal(listed(topnames, "once", 1), 0);
    query_together(topnames, "twice", 1, 2, START_NS);
    assert_int_equal(listed(topnames, "twice", 1), 2);
    query_together(topnames, "twice", 1, 1000, START_NS);
    assert_int_equal(listed(topnames, "twice", 1), 1002);
    query_together(topnames, "twice", 1, 10, START_NS + HALF_LIFE); /* halved first */
    assert_int_equal(listed(topnames, "twice", 1), 511);
    topnames_free(topnames);
}

/* In a full table, where names come and go. */
static void together_is_as_one_by_one(void **state)
{
    (void)state;
    struct topnames *together = topnames_of(50), *each = topnames_of(50);
    struct random random = {3};
    for (unsigned step = 0; step < 20000; step++) {
        unsigned number = (unsigned)(random_next(&random) % (1 + random_next(&random) % 300));
        uint32_t times = 1 + (uint32_t)(random_next(&random) % 20);
        uint64_t now_ns = START_NS + step * (HALF_LIFE / 300);
        query_together(together, "n", number, times, now_ns);
        query(each, "n", number, times, now_ns);
        assert_int_equal(listed(together, "n", number), listed(each, "n", number));
    }
    for (unsigned number = 0; number < 300; number++)
        assert_int_equal(listed(together, "n", number), listed(each, "n", number));
    topnames_free(together);
    topnames_free(each);
}

static void a_count_ends_at_its_greatest(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(64);
    struct test_key key;
    assert_true(topnames_restore(topnames, key_of(&key, "n", 1), INT32_MAX - 5, START_NS));
    query_together(topnames, "n", 1, 3, START_NS);
    assert_int_equal(listed(topnames, "n", 1), INT32_MAX - 2);
    query_together(topnames, "n", 1, UINT32_MAX, START_NS);
    assert_int_equal(listed(topnames, "n", 1), INT32_MAX);
    query_together(topnames, "n", 1, 2, START_NS);
    assert_int_equal(listed(topnames, "n", 1), INT32_MAX);
    topnames_free(topnames);
}

/* That it was asked since its answer, and when that ends. */
static void the_expiry_and_the_asking_are_known(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(64);
    struct topname_due due = {0};
    struct test_key key;
    key_of(&key, "n", 1);
    topnames_count_times(topnames, &key.hashed, 5, START_NS + 100 * NS_PER_S, START_NS);
    assert_int_equal(due_count(topnames, START_NS + 86 * NS_PER_S), 0);
    assert_int_equal(take(topnames, START_NS + 90 * NS_PER_S, &due, NULL), 1);
    assert_true(due.asked);
    answer(topnames, "n", 1, 100 * NS_PER_S, START_NS + 90 * NS_PER_S);
    assert_int_equal(take(topnames, START_NS + 180 * NS_PER_S, &due, NULL), 1);
    assert_false(due.asked);
    topnames_free(topnames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_count_as_each_of_them),
        cmocka_unit_test(together_is_as_one_by_one),
        cmocka_unit_test(a_count_ends_at_its_greatest),
        cmocka_unit_test(the_expiry_and_the_asking_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
