/* The time-out follows what an upstream usually takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "upstream/rtt.h"

static void before_the_first_sample_the_timeout_is_a_guess(void **state)
{
    (void)state;
    struct rtt rtt = {0};
    assert_int_equal(rtt_timeout_ns(&rtt), RTT_TIMEOUT_FIRST_NS);
}

static void the_first_sample_sets_the_mean_and_half_of_it_as_variance(void **state)
{
    (void)state;
    struct rtt rtt = {0};
    rtt_sample(&rtt, 100 * NS_PER_MS);
    assert_int_equal(rtt.smoothed_ns, 100 * NS_PER_MS);
    assert_int_equal(rtt_timeout_ns(&rtt), 300 * NS_PER_MS); /* 100 + 4 x 50 */
}

static void steady_samples_bring_the_timeout_down_to_the_least(void **state)
{
    (void)state;
    struct rtt rtt = {0};
    for (int i = 0; i < 100; i++) rtt_sample(&rtt, NS_PER_MS);
    assert_int_equal(rtt_timeout_ns(&rtt), RTT_TIMEOUT_MIN_NS);
}

static void scattered_samples_keep_the_timeout_above_them(void **state)
{
    (void)state;
    struct rtt rtt = {0};
    for (int i = 0; i < 200; i++) rtt_sample(&rtt, (i % 2 ? 10 : 300) * NS_PER_MS);
    assert_true(rtt_timeout_ns(&rtt) > 300 * NS_PER_MS);
    assert_true(rtt_timeout_ns(&rtt) <= RTT_TIMEOUT_MAX_NS);
}

static void backing_off_doubles_up_to_the_most_and_a_sample_ends_it(void **state)
{
    (void)state;
    struct rtt rtt = {0};
    for (int i = 0; i < 100; i++) rtt_sample(&rtt, NS_PER_MS);
    rtt_back_off(&rtt);
    assert_int_equal(rtt_timeout_ns(&rtt), 2 * RTT_TIMEOUT_MIN_NS);
    for (int i = 0; i < 100; i++) rtt_back_off(&rtt);
    assert_int_equal(rtt_timeout_ns(&rtt), RTT_TIMEOUT_MAX_NS);
    rtt_sample(&rtt, NS_PER_MS);
    assert_int_equal(rtt_timeout_ns(&rtt), RTT_TIMEOUT_MIN_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_first_sample_the_timeout_is_a_guess),
        cmocka_unit_test(the_first_sample_sets_the_mean_and_half_of_it_as_variance),
        cmocka_unit_test(steady_samples_bring_the_timeout_down_to_the_least),
        cmocka_unit_test(scattered_samples_keep_the_timeout_above_them),
        cmocka_unit_test(backing_off_doubles_up_to_the_most_and_a_sample_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
