#include "shared/candidates.h"

#include "common/random.h"
#include "keys.h"

enum { SETS_MAX = 256 };

struct fixture {
    struct candidates candidates;
    uint64_t cells[SETS_MAX * CANDIDATES_WAYS];
};

static void fixture_init(struct fixture *fixture, uint32_t sets)
{
    memset(fixture->cells, 0, sizeof fixture->cells);
    candidates_init(&fixture->candidates, fixture->cells, sets);
}

static uint32_t query(struct fixture *fixture, uint64_t hash, unsigned times)
{
    uint32_t queries = 0;
    while (times-- > 0) queries = candidates_count(&fixture->candidates, hash);
    return queries;
}

static void asks_are_counted(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, SETS_MAX);
    for (uint32_t i = 1; i <= 1000; i++) assert_int_equal(query(&fixture, 77, 1), i);
    assert_int_equal(query(&fixture, 78, 1), 1);
    assert_int_equal(query(&fixture, 77, 1), 1001);
}

static void hash_zero_is_a_name_as_others(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, 1);
    for (uint32_t i = 1; i <= 10; i++) assert_int_equal(query(&fixture, 0, 1), i);
}

/* What a sketch that adds up its collisions cannot promise. */
static void name_asked_once_counts_one_among_a_million(void **state)
{
    (void)state;
    struct fixture fixture;
    struct random random = {1};
    fixture_init(&fixture, SETS_MAX);
    for (unsigned i = 0; i < 1000000; i++) assert_int_equal(query(&fixture, random_next(&random), 1), 1);
}

static void names_of_one_set_do_not_add_up(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, 1);
    for (uint64_t i = 0; i < CANDIDATES_WAYS; i++) query(&fixture, i, 10 + (unsigned)i);
    for (uint64_t i = 0; i < CANDIDATES_WAYS; i++) assert_int_equal(query(&fixture, i, 1), 11 + i);
}

static void asked_once_is_evicted_before_asked_twice(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, 1);
    for (uint64_t i = 0; i < CANDIDATES_WAYS; i++) query(&fixture, i, i == 3 ? 1 : 2);
    query(&fixture, 100, 1);
    assert_int_equal(query(&fixture, 100, 1), 2);
    for (uint64_t i = 0; i < CANDIDATES_WAYS; i++)
        if (i != 3) assert_int_equal(query(&fixture, i, 1), 3);
}

/* A set full of names once hot does not shut out one that is hot now. */
static void new_name_wears_down_the_lowest(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, 1);
    for (uint64_t i = 0; i < CANDIDATES_WAYS; i++) query(&fixture, i, i == 5 ? 10 : 1000);
    assert_int_equal(query(&fixture, 100, 10), 1); /* 5 is down to 1, and then 100 has its place */
    assert_int_equal(query(&fixture, 100, 50), 51);
    for (uint64_t i = 0; i < CANDIDATES_WAYS; i++)
        if (i != 5) assert_int_equal(query(&fixture, i, 1), 1001);
}

static void often_asked_is_counted_among_those_asked_once(void **state)
{
    (void)state;
    struct fixture fixture;
    struct random random = {2};
    fixture_init(&fixture, SETS_MAX);
    uint32_t queries = 0;
    for (unsigned i = 0; i < 100000; i++) {
        query(&fixture, random_next(&random), 1);
        if (i % 1000 == 0) queries = query(&fixture, 4711, 1);
    }
    assert_in_range(queries, 80, 100);
}

static void a_forgotten_client_starts_with_a_full_bucket(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, 1);
    query(&fixture, 1, 10);
    query(&fixture, 2, 10);
    candidates_forget(&fixture.candidates, 1);
    candidates_forget(&fixture.candidates, 3); /* not there */
    assert_int_equal(query(&fixture, 1, 1), 1);
    assert_int_equal(query(&fixture, 2, 1), 11);
}

static void halved_counts_sink_and_free_their_cell(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, 1);
    query(&fixture, 1, 41);
    query(&fixture, 2, 1);
    candidates_halve(&fixture.candidates, 1);
    assert_int_equal(query(&fixture, 1, 1), 21);
    assert_int_equal(query(&fixture, 2, 1), 1);
    candidates_halve(&fixture.candidates, 2);
    assert_int_equal(query(&fixture, 1, 1), 6);
    candidates_halve(&fixture.candidates, 1000);
    for (unsigned i = 0; i < CANDIDATES_WAYS; i++) assert_int_equal(fixture.cells[i], 0);
}

static void count_does_not_run_over_into_the_hash(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture, 1);
    const uint64_t full = (UINT64_C(1) << 24) - 1;
    query(&fixture, 9, 1);
    fixture.cells[0] |= full;
    assert_int_equal(query(&fixture, 9, 1), full);
    assert_int_equal(query(&fixture, 9, 1), full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_are_counted),
        cmocka_unit_test(hash_zero_is_a_name_as_others),
        cmocka_unit_test(name_asked_once_counts_one_among_a_million),
        cmocka_unit_test(names_of_one_set_do_not_add_up),
        cmocka_unit_test(asked_once_is_evicted_before_asked_twice),
        cmocka_unit_test(new_name_wears_down_the_lowest),
        cmocka_unit_test(often_asked_is_counted_among_those_asked_once),
        cmocka_unit_test(a_forgotten_client_starts_with_a_full_bucket),
        cmocka_unit_test(halved_counts_sink_and_free_their_cell),
        cmocka_unit_test(count_does_not_run_over_into_the_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
