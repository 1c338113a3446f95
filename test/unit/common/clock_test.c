/* Times never go backwards, and a deadline that never passes is later than any other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "common/clock.h"

static void time_does_not_go_backwards(void **state)
{
    (void)state;
    uint64_t before = clock_now_ns();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_now_ns();
        assert_true(now >= before);
        before = now;
    }
}

static void the_wall_clock_is_that_of_the_system(void **state)
{
    (void)state;
    struct timespec before, after;
    clock_gettime(CLOCK_REALTIME, &before); /* time() may be a tick behind it, and so in the second before */
    int64_t seen = clock_wall_s();
    clock_gettime(CLOCK_REALTIME, &after);
    assert_true(seen >= before.tv_sec && seen <= after.tv_sec);
}

static void monotonic_time_is_in_microseconds(void **state)
{
    (void)state;
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    uint64_t seen = clock_monotonic_us();
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(seen >= (uint64_t)before.tv_sec * 1000000 + (uint64_t)before.tv_nsec / 1000);
    assert_true(seen <= (uint64_t)after.tv_sec * 1000000 + (uint64_t)after.tv_nsec / 1000);
}

static void the_earlier_of_two_deadlines_is_chosen(void **state)
{
    (void)state;
    assert_int_equal(clock_earlier(1, 2), 1);
    assert_int_equal(clock_earlier(CLOCK_NEVER, 5), 5);
    assert_true(clock_earlier(CLOCK_NEVER, CLOCK_NEVER) == CLOCK_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_does_not_go_backwards),
        cmocka_unit_test(the_wall_clock_is_that_of_the_system),
        cmocka_unit_test(monotonic_time_is_in_microseconds),
        cmocka_unit_test(the_earlier_of_two_deadlines_is_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
