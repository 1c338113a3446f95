/* An upstream that fails is tried again after a wait that grows, with jitter, up to a bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "upstream/backoff.h"

static void a_fresh_one_allows_at_once(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    assert_true(backoff_allows(&backoff, 1));
}

static void each_failure_doubles_the_wait_less_jitter(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    struct random random = {7};
    uint64_t wait_ns = BACKOFF_FIRST_NS;
    for (int i = 0; i < 5; i++, wait_ns *= 2) {
        backoff_failed(&backoff, NS_PER_S * 100, &random, NS_PER_S);
        assert_true(backoff.next_ns <= NS_PER_S + wait_ns);
        assert_true(backoff.next_ns > NS_PER_S + wait_ns / 4 * 3 - NS_PER_MS);
        assert_false(backoff_allows(&backoff, backoff.next_ns - 1));
        assert_true(backoff_allows(&backoff, backoff.next_ns));
    }
}

static void the_wait_has_a_bound_however_often_it_fails(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    struct random random = {7};
    for (int i = 0; i < 100; i++) backoff_failed(&backoff, NS_PER_S, &random, 0);
    assert_true(backoff.next_ns <= NS_PER_S);
    assert_true(backoff.next_ns >= NS_PER_S / 4 * 3 - NS_PER_MS);
}

static void waits_of_two_workers_differ(void **state)
{
    (void)state;
    struct backoff a = {0};
    struct backoff b = {0};
    backoff_failed(&a, NS_PER_S, &(struct random){1}, 0);
    backoff_failed(&b, NS_PER_S, &(struct random){2}, 0);
    assert_int_not_equal(a.next_ns, b.next_ns);
}

static void success_forgets_all(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    backoff_failed(&backoff, NS_PER_S, &(struct random){1}, NS_PER_S);
    backoff_succeeded(&backoff);
    assert_true(backoff_allows(&backoff, 0));
    assert_int_equal(backoff.failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_one_allows_at_once),
        cmocka_unit_test(each_failure_doubles_the_wait_less_jitter),
        cmocka_unit_test(the_wait_has_a_bound_however_often_it_fails),
        cmocka_unit_test(waits_of_two_workers_differ),
        cmocka_unit_test(success_forgets_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
