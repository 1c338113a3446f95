/* Work pauses, hurries and stops as it is told. No test waits for a time to pass: pauses are never, or endless. */
#include "state/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/clock.h"

#define FOREVER (NS_PER_S * 3600)

static enum pace_verdict steps(struct pace *pace, struct pace_stretch *stretch, uint64_t work_ns, uint64_t pause_ns,
                               unsigned count)
{
    enum pace_verdict verdict = PACE_GO_ON;
    uint64_t now_ns;
    while (count-- > 0 && verdict == PACE_GO_ON) verdict = pace_step(pace, stretch, work_ns, pause_ns, &now_ns);
    return verdict;
}

static void work_that_is_not_over_goes_on(void **state)
{
    (void)state;
    struct pace pace;
    struct pace_stretch stretch = {0};
    pace_init(&pace);
    assert_int_equal(steps(&pace, &stretch, FOREVER, FOREVER, 1000), PACE_GO_ON);
    assert_int_equal(steps(&pace, &stretch, 0, 0, 1000), PACE_GO_ON); /* pauses of no length */
    pace_done(&pace);
}

static void *stop_it(void *pace)
{
    pace_stop(pace);
    return NULL;
}

static void *hurry_it(void *pace)
{
    pace_hurry(pace, UINT64_MAX - 1);
    return NULL;
}

static void a_pause_ends_when_it_is_to_stop(void **state)
{
    (void)state;
    struct pace pace;
    struct pace_stretch stretch = {0};
    pthread_t thread;
    pace_init(&pace);
    assert_int_equal(pthread_create(&thread, NULL, stop_it, &pace), 0);
    assert_int_equal(steps(&pace, &stretch, 0, FOREVER, UINT32_MAX), PACE_STOP);
    assert_true(pace_is_stopped(&pace));
    pthread_join(thread, NULL);
    pace_done(&pace);
}

static void a_pause_ends_when_it_is_to_hurry_and_there_are_no_more(void **state)
{
    (void)state;
    struct pace pace;
    struct pace_stretch stretch = {0};
    pthread_t thread;
    pace_init(&pace);
    assert_int_equal(pthread_create(&thread, NULL, hurry_it, &pace), 0);
    assert_int_equal(steps(&pace, &stretch, 0, FOREVER, 1000), PACE_GO_ON);
    pthread_join(thread, NULL);
    pace_hurry(&pace, 1);
    assert_int_equal(steps(&pace, &stretch, 0, FOREVER, 1000), PACE_FINISH);
    assert_false(pace_is_stopped(&pace));
    pace_done(&pace);
}

static void a_wait_ends_at_once_if_somebody_woke_it_before(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace);
    pace_wake(&pace);
    pace_wait(&pace, FOREVER);
    pace_wait(&pace, 0);
    pace_hurry(&pace, 1);
    pace_wait(&pace, UINT64_MAX);
    pace_done(&pace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_that_is_not_over_goes_on),
        cmocka_unit_test(a_pause_ends_when_it_is_to_stop),
        cmocka_unit_test(a_pause_ends_when_it_is_to_hurry_and_there_are_no_more),
        cmocka_unit_test(a_wait_ends_at_once_if_somebody_woke_it_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
