/* recorder: calls each second, and ends at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <semaphore.h>
#include <time.h>

#include "common/clock.h"
#include "metrics/recorder.h"

static void record(void *context)
{
    sem_post(context);
}

static void await(sem_t *calls)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20; /* long enough for the slowest machine */
    assert_int_equal(sem_timedwait(calls, &until), 0);
}

static void it_is_called_at_once_and_then_as_a_second_begins(void **state)
{
    (void)state;
    sem_t calls;
    sem_init(&calls, 0, 0);
    uint64_t begun_s = clock_now_ns() / NS_PER_S;
    struct recorder *recorder = recorder_start(record, &calls);
    assert_non_null(recorder);
    await(&calls);
    await(&calls);
    assert_true(clock_now_ns() / NS_PER_S > begun_s);
    await(&calls);
    assert_true(clock_now_ns() / NS_PER_S > begun_s + 1);
    recorder_stop(recorder);
    sem_destroy(&calls);
    recorder_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_called_at_once_and_then_as_a_second_begins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
