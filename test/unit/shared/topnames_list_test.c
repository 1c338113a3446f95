/* The names are walked through, and those of an earlier run are added with their counts. */
#include "topnames_story.h"

static unsigned walk(struct topnames *topnames, unsigned *ret_queries)
{
    struct topnames_cursor cursor = {0};
    struct topname name;
    unsigned count = 0;
    *ret_queries = 0;
    for (; topnames_next(topnames, &cursor, &name); count++) *ret_queries += name.queries;
    return count;
}

static bool restore(struct topnames *topnames, const char *name, unsigned number, uint32_t queries, uint64_t now_ns)
{
    struct test_key key;
    return topnames_restore(topnames, key_of(&key, name, number), queries, now_ns);
}

static void every_name_is_seen_once(void **state)
{
    (void)state;
    unsigned queries;
    struct topnames *topnames = topnames_of(MANY);
    assert_int_equal(walk(topnames, &queries), 0);
    for (unsigned i = 0; i < 500; i++) query(topnames, "walk", i, 3, START_NS);
    assert_int_equal(walk(topnames, &queries), 500);
    assert_int_equal(queries, 1500);
    topnames_free(topnames);
}

static void a_restored_name_has_its_count_and_ages_from_then_on(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(100);
    assert_true(restore(topnames, "old", 1, 40, START_NS));
    assert_int_equal(listed(topnames, "old", 1), 40);
    query(topnames, "old", 1, 1, START_NS + HALF_LIFE / 2);
    assert_int_equal(listed(topnames, "old", 1), 41);
    query(topnames, "other", 1, 1, START_NS + HALF_LIFE);
    assert_int_equal(listed(topnames, "old", 1), 20);
    topnames_free(topnames);
}

/* Nothing is known of its answer, so it is not due until somebody says when that ends. */
static void a_restored_name_is_due_once_its_answer_is_known(void **state)
{
    (void)state;
    struct topname_due due[4];
    uint64_t next_ns;
    struct topnames *topnames = topnames_of(10);
    restore(topnames, "old", 1, 40, START_NS);
    assert_int_equal(topnames_take_due(topnames, 0, 1, START_NS + HALF_LIFE / 2, due, 4, &next_ns), 0);
    answer(topnames, "old", 1, 10 * NS_PER_S, START_NS);
    assert_int_equal(topnames_take_due(topnames, 0, 1, START_NS + 10 * NS_PER_S, due, 4, &next_ns), 1);
    assert_false(due[0].asked);
    topnames_free(topnames);
}

static void names_that_are_asked_now_stay(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(4);
    for (unsigned i = 0; i < 4; i++) query(topnames, "now", i, 2, START_NS);
    assert_false(restore(topnames, "old", 1, 1000, START_NS));
    assert_true(restore(topnames, "now", 1, 1000, START_NS));
    assert_int_equal(listed(topnames, "now", 1), 2);
    topnames_free(topnames);
}

static void counts_that_none_can_have_are_refused(void **state)
{
    (void)state;
    struct topnames *topnames = topnames_of(4);
    assert_false(restore(topnames, "old", 1, 0, START_NS));
    assert_false(restore(topnames, "old", 1, 1, START_NS));
    assert_false(restore(topnames, "old", 1, UINT32_MAX, START_NS));
    topnames_free(topnames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_seen_once),
        cmocka_unit_test(a_restored_name_has_its_count_and_ages_from_then_on),
        cmocka_unit_test(a_restored_name_is_due_once_its_answer_is_known),
        cmocka_unit_test(names_that_are_asked_now_stay),
        cmocka_unit_test(counts_that_none_can_have_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
