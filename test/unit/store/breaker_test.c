/* The store is left alone after failures, for longer each time, and tried again soon where it was well. */
#include "store/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BEGIN_NS (1000 * NS_PER_S)

/* A question that was asked a moment ago was not answered in time. */
static bool time_out(struct breaker *breaker, uint64_t at_ms)
{
    return breaker_on_time_out(breaker, BEGIN_NS + (at_ms - 5) * NS_PER_MS, BEGIN_NS + at_ms * NS_PER_MS);
}

static void three_time_outs_in_a_row_are_one_too_many(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker);
    breaker_on_use(&breaker, BEGIN_NS);
    assert_false(time_out(&breaker, 10));
    assert_false(time_out(&breaker, 15));
    breaker_on_answer(&breaker);
    assert_false(time_out(&breaker, 20));
    assert_false(time_out(&breaker, 25));
    assert_true(time_out(&breaker, 30));
}

static void questions_that_waited_at_the_same_moment_are_one_time_out(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker);
    for (uint64_t at_ms = 10; at_ms < 15; at_ms++)
        for (unsigned i = 0; i < 100; i++) assert_false(time_out(&breaker, at_ms));
    assert_false(time_out(&breaker, 15));
    assert_true(time_out(&breaker, 20));
}

static void a_new_connection_begins_without_time_outs(void **state)
{
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker);
    time_out(&breaker, 10);
    time_out(&breaker, 20);
    breaker_on_use(&breaker, BEGIN_NS);
    assert_false(time_out(&breaker, 30));
}

/* The pause after a failure. */
static uint64_t pause_ns(struct breaker *breaker, bool is_slow, struct random *random, uint64_t now_ns)
{
    breaker_on_failure(breaker, is_slow, random, now_ns);
    assert_false(breaker_allows(breaker, breaker->next_ns - 1));
    assert_true(breaker_allows(breaker, breaker->next_ns));
    return breaker->next_ns - now_ns;
}

static void pauses_double_up_to_the_longest_with_jitter(void **state)
{
    (void)state;
    for (unsigned is_slow = 0; is_slow < 2; is_slow++) {
        struct breaker breaker;
        struct random random = {is_slow};
        breaker_init(&breaker);
        assert_true(breaker_allows(&breaker, 0));
        uint64_t most_ns = is_slow ? BREAKER_SLOW_NS : BREAKER_LOST_NS;
        for (unsigned i = 0; i < 40; i++) {
            assert_in_range(pause_ns(&breaker, is_slow, &random, BEGIN_NS), most_ns / 4 * 3, most_ns);
            most_ns = 2 * most_ns < BREAKER_MAX_NS ? 2 * most_ns : BREAKER_MAX_NS;
        }
    }
}

static void good_health_is_what_forgives(void **state)
{
    (void)state;
    struct breaker breaker;
    struct random random = {7};
    breaker_init(&breaker);
    for (unsigned i = 0; i < 5; i++) pause_ns(&breaker, false, &random, BEGIN_NS);
    breaker_on_use(&breaker, BEGIN_NS);
    uint64_t soon_ns = BEGIN_NS + BREAKER_GOOD_NS - 1;
    assert_in_range(pause_ns(&breaker, false, &random, soon_ns), BREAKER_LOST_NS * 24, BREAKER_LOST_NS * 32);
    breaker_on_use(&breaker, BEGIN_NS);
    uint64_t late_ns = BEGIN_NS + BREAKER_GOOD_NS;
    assert_in_range(pause_ns(&breaker, false, &random, late_ns), 0, BREAKER_LOST_NS);
    assert_in_range(pause_ns(&breaker, false, &random, late_ns + BREAKER_GOOD_NS), BREAKER_LOST_NS,
                    BREAKER_LOST_NS * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_time_outs_in_a_row_are_one_too_many),
        cmocka_unit_test(questions_that_waited_at_the_same_moment_are_one_time_out),
        cmocka_unit_test(a_new_connection_begins_without_time_outs),
        cmocka_unit_test(pauses_double_up_to_the_longest_with_jitter),
        cmocka_unit_test(good_health_is_what_forgives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
