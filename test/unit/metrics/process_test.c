/* process: what /proc says of the test itself. */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "metrics/process.h"

static struct figures figures_now(void)
{
    struct figures figures = {0};
    process_read(&figures);
    return figures;
}

static void memory_and_time_are_plausible(void **state)
{
    (void)state;
    struct figures figures = figures_now();
    assert_true(figures.process_resident_bytes > 100000);
    assert_true(figures.process_virtual_bytes > figures.process_resident_bytes);
    assert_true(figures.process_cpu_s > 0 && figures.process_cpu_s < 60);
    assert_true(figures.process_threads >= 1);
}

static void every_descriptor_counts(void **state)
{
    (void)state;
    double before = figures_now().process_open_fds;
    int fds[5];
    for (int i = 0; i < 5; i++) assert_true((fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
    assert_int_equal((int)(figures_now().process_open_fds - before), 5);
    for (int i = 0; i < 5; i++) close(fds[i]);
    assert_int_equal((int)(figures_now().process_open_fds - before), 0);
}

static void the_limit_is_the_soft_one(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal((uint64_t)figures_now().process_max_fds, limit.rlim_cur);
}

static void *wait_for(void *done)
{
    sem_wait(done);
    return NULL;
}

static void every_thread_counts(void **state)
{
    (void)state;
    sem_t done;
    pthread_t threads[2];
    sem_init(&done, 0, 0);
    assert_int_equal(pthread_create(&threads[0], NULL, wait_for, &done), 0); /* with it come a sanitizer's own */
    double before = figures_now().process_threads;
    assert_int_equal(pthread_create(&threads[1], NULL, wait_for, &done), 0);
    assert_int_equal((int)(figures_now().process_threads - before), 1);
    for (int i = 0; i < 2; i++) sem_post(&done);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    sem_destroy(&done);
}

/* The fields of /proc/self/stat stand behind the name, which may look like fields. */
static void a_name_that_looks_like_fields_misleads_nobody(void **state)
{
    (void)state;
    char name[16];
    double before = process_started_s();
    assert_int_equal(prctl(PR_GET_NAME, name), 0);
    assert_int_equal(prctl(PR_SET_NAME, "a) R 1 (b 9 9 9"), 0);
    assert_true(figures_now().process_virtual_bytes > figures_now().process_resident_bytes);
    assert_int_equal((int)(process_started_s() - before), 0);
    assert_int_equal(prctl(PR_SET_NAME, name), 0);
}

static void it_started_before_now_and_after_the_machine(void **state)
{
    (void)state;
    double started_s = process_started_s();
    double now_s = (double)clock_wall_s();
    assert_true(started_s <= now_s + 1);
    assert_true(started_s >= now_s - (double)clock_now_ns() / 1e9 - 1);
    assert_true(started_s > now_s - 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_and_time_are_plausible),
        cmocka_unit_test(every_descriptor_counts),
        cmocka_unit_test(the_limit_is_the_soft_one),
        cmocka_unit_test(every_thread_counts),
        cmocka_unit_test(a_name_that_looks_like_fields_misleads_nobody),
        cmocka_unit_test(it_started_before_now_and_after_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
