/* An id finds its question, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "upstream/ids.h"
#include "upstream/session.h"

static void an_id_finds_its_ask_until_it_is_given_back(void **state)
{
    (void)state;
    struct ids ids;
    struct attempt attempt;
    uint16_t id;
    assert_true(ids_init(&ids, 4));
    assert_true(ids_take(&ids, &attempt, &id));
    assert_ptr_equal(ids_find(&ids, id), &attempt);
    assert_null(ids_find(&ids, (uint16_t)(id + 1)));
    assert_null(ids_find(&ids, (uint16_t)(id + 4))); /* the same place, another use of it */
    ids_give(&ids, id);
    assert_null(ids_find(&ids, id));
    ids_done(&ids);
}

static void no_more_are_given_out_than_there_are_slots(void **state)
{
    (void)state;
    struct ids ids;
    struct attempt attempts[5];
    uint16_t taken[5];
    assert_true(ids_init(&ids, 4));
    for (int i = 0; i < 4; i++) assert_true(ids_take(&ids, &attempts[i], &taken[i]));
    assert_false(ids_take(&ids, &attempts[4], &taken[4]));
    ids_give(&ids, taken[2]);
    assert_true(ids_take(&ids, &attempts[4], &taken[4]));
    assert_ptr_equal(ids_find(&ids, taken[4]), &attempts[4]);
    for (int i = 0; i < 4; i++)
        if (i != 2) assert_ptr_equal(ids_find(&ids, taken[i]), &attempts[i]);
    ids_done(&ids);
}

static void a_late_response_does_not_find_the_slots_next_owner(void **state)
{
    (void)state;
    struct ids ids;
    struct attempt first;
    struct attempt second;
    uint16_t early;
    uint16_t late;
    assert_true(ids_init(&ids, 1));
    assert_true(ids_take(&ids, &first, &early));
    ids_give(&ids, early);
    assert_true(ids_take(&ids, &second, &late));
    assert_int_not_equal(early, late);
    assert_null(ids_find(&ids, early));
    assert_ptr_equal(ids_find(&ids, late), &second);
    ids_done(&ids);
}

static void every_id_in_flight_is_different_over_many_rounds(void **state)
{
    (void)state;
    enum { IN_FLIGHT = 700, ROUNDS = 200000 };
    struct ids ids;
    static struct attempt attempts[IN_FLIGHT];
    static uint16_t taken[IN_FLIGHT];
    assert_true(ids_init(&ids, 1000));
    for (int i = 0; i < IN_FLIGHT; i++) assert_true(ids_take(&ids, &attempts[i], &taken[i]));
    for (int round = 0; round < ROUNDS; round++) {
        int i = (int)((unsigned)round * 2654435761u % IN_FLIGHT);
        assert_ptr_equal(ids_find(&ids, taken[i]), &attempts[i]);
        ids_give(&ids, taken[i]);
        assert_true(ids_take(&ids, &attempts[i], &taken[i]));
    }
    for (int i = 0; i < IN_FLIGHT; i++) assert_ptr_equal(ids_find(&ids, taken[i]), &attempts[i]);
    ids_done(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_finds_its_ask_until_it_is_given_back),
        cmocka_unit_test(no_more_are_given_out_than_there_are_slots),
        cmocka_unit_test(a_late_response_does_not_find_the_slots_next_owner),
        cmocka_unit_test(every_id_in_flight_is_different_over_many_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
