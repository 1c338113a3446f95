#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/timeouts.h"

static struct timeouts timeouts;
static struct timeout a;
static struct timeout b;
static struct timeout c;

static int setup(void **state)
{
    (void)state;
    timeouts_init(&timeouts, 100);
    timeout_init(&a);
    timeout_init(&b);
    timeout_init(&c);
    return 0;
}

static void nothing_runs_so_nothing_ends(void **state)
{
    (void)state;
    assert_true(timeouts_deadline_ns(&timeouts) == CLOCK_NEVER);
    assert_null(timeouts_take_expired(&timeouts, UINT64_MAX - 1));
    assert_false(timeout_is_running(&a));
}

static void a_timeout_ends_when_its_time_has_come(void **state)
{
    (void)state;
    timeouts_start(&timeouts, &a, 1000);
    assert_true(timeout_is_running(&a));
    assert_int_equal(timeouts_deadline_ns(&timeouts), 1100);
    assert_null(timeouts_take_expired(&timeouts, 1099));
    assert_ptr_equal(timeouts_take_expired(&timeouts, 1100), &a);
    assert_false(timeout_is_running(&a));
    assert_null(timeouts_take_expired(&timeouts, 5000));
}

static void who_started_first_ends_first(void **state)
{
    (void)state;
    timeouts_start(&timeouts, &a, 1000);
    timeouts_start(&timeouts, &b, 1000);
    timeouts_start(&timeouts, &c, 1050);
    assert_ptr_equal(timeouts_take_expired(&timeouts, 1120), &a);
    assert_ptr_equal(timeouts_take_expired(&timeouts, 1120), &b);
    assert_null(timeouts_take_expired(&timeouts, 1120));
    assert_int_equal(timeouts_deadline_ns(&timeouts), 1150);
}

static void starting_again_waits_again(void **state)
{
    (void)state;
    timeouts_start(&timeouts, &a, 1000);
    timeouts_start(&timeouts, &b, 1010);
    timeouts_start(&timeouts, &a, 1020);
    assert_int_equal(timeouts_deadline_ns(&timeouts), 1110);
    assert_ptr_equal(timeouts_take_expired(&timeouts, 2000), &b);
    assert_ptr_equal(timeouts_take_expired(&timeouts, 2000), &a);
    assert_null(timeouts_take_expired(&timeouts, 2000));
}

/* Of an object that comes from elsewhere, and that has waited there. */
static void one_that_goes_on_ends_as_if_it_had_begun_here(void **state)
{
    (void)state;
    struct timeout oldest, between, youngest;
    struct timeout *all[] = {&oldest, &between, &youngest};
    timeouts_start(&timeouts, &a, 1000);
    timeouts_start(&timeouts, &b, 1010);
    for (int i = 0; i < 3; i++) {
        timeout_init(all[i]);
        all[i]->started_ns = 995 + 10 * (uint64_t)i;
    }
    timeouts_resume(&timeouts, &between);
    timeouts_resume(&timeouts, &youngest);
    timeouts_resume(&timeouts, &oldest);
    assert_int_equal(timeouts_deadline_ns(&timeouts), 1095);
    struct timeout *order[] = {&oldest, &a, &between, &b, &youngest};
    for (int i = 0; i < 5; i++) assert_ptr_equal(timeouts_take_expired(&timeouts, 2000), order[i]);
    assert_null(timeouts_take_expired(&timeouts, 2000));
    timeouts_resume(&timeouts, &b); /* the only one */
    assert_ptr_equal(timeouts_take_expired(&timeouts, 2000), &b);
}

static void a_timeout_that_is_stopped_does_not_end(void **state)
{
    (void)state;
    timeout_stop(&a); /* harmless: it does not run */
    timeouts_start(&timeouts, &a, 1000);
    timeouts_start(&timeouts, &b, 1001);
    timeout_stop(&a);
    timeout_stop(&a);
    assert_ptr_equal(timeouts_take_expired(&timeouts, 2000), &b);
    assert_null(timeouts_take_expired(&timeouts, 2000));
}

static void a_new_length_holds_for_who_waits_already(void **state)
{
    (void)state;
    timeouts_start(&timeouts, &a, 1000);
    timeouts.duration_ns = 10;
    assert_ptr_equal(timeouts_take_expired(&timeouts, 1010), &a);
}

static void a_length_of_zero_never_ends(void **state)
{
    (void)state;
    timeouts_start(&timeouts, &a, 1000);
    timeouts.duration_ns = 0;
    assert_true(timeouts_deadline_ns(&timeouts) == CLOCK_NEVER);
    assert_null(timeouts_take_expired(&timeouts, UINT64_MAX - 1));
    assert_true(timeout_is_running(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_runs_so_nothing_ends, setup),
        cmocka_unit_test_setup(a_timeout_ends_when_its_time_has_come, setup),
        cmocka_unit_test_setup(who_started_first_ends_first, setup),
        cmocka_unit_test_setup(starting_again_waits_again, setup),
        cmocka_unit_test_setup(one_that_goes_on_ends_as_if_it_had_begun_here, setup),
        cmocka_unit_test_setup(a_timeout_that_is_stopped_does_not_end, setup),
        cmocka_unit_test_setup(a_new_length_holds_for_who_waits_already, setup),
        cmocka_unit_test_setup(a_length_of_zero_never_ends, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
