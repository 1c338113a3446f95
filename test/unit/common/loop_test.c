#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/loop.h"

/* A source that counts its events, and may take another one out of the loop. */
struct bell {
    struct loop_source source;
    unsigned rung;
    uint32_t events;
    struct loop *loop;
    struct bell *victim;
    bool closes; /* the victim, after it was forgotten */
};

static struct loop loop;
static struct bell one;
static struct bell two;

static void on_event(struct loop_source *source, uint32_t events)
{
    struct bell *bell = container_of(source, struct bell, source);
    bell->rung++;
    bell->events = events;
    if (!bell->victim) return;
    if (bell->closes) {
        loop_forget(bell->loop, &bell->victim->source);
        close(bell->victim->source.fd);
        bell->victim->source.fd = -1;
    } else {
        loop_remove(bell->loop, &bell->victim->source);
    }
}

static void bell_open(struct bell *bell)
{
    *bell = (struct bell){.source = {eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), on_event}, .loop = &loop};
    assert_true(bell->source.fd >= 0);
}

static void bell_ring(struct bell *bell)
{
    assert_int_equal(write(bell->source.fd, &(uint64_t){1}, 8), 8);
}

static int setup(void **state)
{
    (void)state;
    bell_open(&one);
    bell_open(&two);
    return loop_init(&loop) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    if (one.source.fd >= 0) close(one.source.fd);
    if (two.source.fd >= 0) close(two.source.fd);
    loop_done(&loop);
    return 0;
}

static void an_event_reaches_its_source(void **state)
{
    (void)state;
    assert_true(loop_add(&loop, &one.source, EPOLLIN));
    assert_true(loop_add(&loop, &two.source, EPOLLIN));
    bell_ring(&one);
    loop_turn(&loop, CLOCK_NEVER);
    assert_int_equal(one.rung, 1);
    assert_true(one.events & EPOLLIN);
    assert_int_equal(two.rung, 0);
}

static void a_turn_without_events_ends_at_its_deadline(void **state)
{
    (void)state;
    assert_true(loop_add(&loop, &one.source, EPOLLIN));
    loop_turn(&loop, 0); /* past: does not wait at all */
    assert_int_equal(one.rung, 0);
    uint64_t deadline_ns = clock_now_ns() + 2 * NS_PER_MS + 1;
    loop_turn(&loop, deadline_ns);
    assert_true(loop.now_ns >= deadline_ns); /* never too early, or the caller would spin */
    assert_int_equal(one.rung, 0);
}

static void input_that_was_not_read_is_reported_once(void **state)
{
    (void)state;
    assert_true(loop_add(&loop, &one.source, EPOLLIN));
    bell_ring(&one);
    loop_turn(&loop, 0);
    loop_turn(&loop, 0);
    assert_int_equal(one.rung, 1);
    bell_ring(&one);
    loop_turn(&loop, 0);
    assert_int_equal(one.rung, 2);
}

static void all_that_is_ready_comes_in_one_turn(void **state)
{
    (void)state;
    assert_true(loop_add(&loop, &one.source, EPOLLIN));
    assert_true(loop_add(&loop, &two.source, EPOLLIN));
    bell_ring(&one);
    bell_ring(&two);
    loop_turn(&loop, 0);
    assert_int_equal(one.rung, 1);
    assert_int_equal(two.rung, 1);
}

static void a_source_taken_out_hears_nothing(void **state)
{
    (void)state;
    assert_true(loop_add(&loop, &one.source, EPOLLIN));
    bell_ring(&one);
    loop_remove(&loop, &one.source);
    loop_turn(&loop, 0);
    assert_int_equal(one.rung, 0);
}

/* Both have something to hear in one turn, and whichever hears first takes the other out of the loop. */
static void assert_one_silences_the_other(void)
{
    one.victim = &two;
    two.victim = &one;
    assert_true(loop_add(&loop, &one.source, EPOLLIN));
    assert_true(loop_add(&loop, &two.source, EPOLLIN));
    bell_ring(&one);
    bell_ring(&two);
    loop_turn(&loop, 0);
    assert_int_equal(one.rung + two.rung, 1);
    loop_turn(&loop, 0);
    assert_int_equal(one.rung + two.rung, 1);
}

static void a_source_taken_out_in_a_turn_does_not_hear_what_waits_in_it(void **state)
{
    (void)state;
    assert_one_silences_the_other();
}

static void a_source_forgotten_and_closed_hears_nothing_either(void **state)
{
    (void)state;
    one.closes = two.closes = true;
    assert_one_silences_the_other();
}

static void a_source_may_take_itself_out(void **state)
{
    (void)state;
    one.victim = &one;
    assert_true(loop_add(&loop, &one.source, EPOLLIN));
    bell_ring(&one);
    loop_turn(&loop, 0);
    bell_ring(&one);
    loop_turn(&loop, 0);
    assert_int_equal(one.rung, 1);
}

static void *add_and_ring(void *bell)
{
    if (loop_add(&loop, &one.source, EPOLLIN)) bell_ring(bell);
    return NULL;
}

static void another_thread_may_add_a_source_while_the_loop_waits(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, add_and_ring, &one), 0);
    loop_turn(&loop, CLOCK_NEVER); /* does not end before the event */
    pthread_join(thread, NULL);
    assert_int_equal(one.rung, 1);
}

static void what_cannot_be_watched_is_refused(void **state)
{
    (void)state;
    struct loop_source closed = {.fd = -1, .on_event = on_event};
    assert_false(loop_add(&loop, &closed, EPOLLIN));
    assert_true(loop_add(&loop, &one.source, EPOLLIN));
    assert_false(loop_add(&loop, &one.source, EPOLLIN)); /* twice */
}

static void the_descriptor_is_not_inherited_and_is_closed(void **state)
{
    (void)state;
    int fd = loop.epoll_fd;
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    loop_done(&loop);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    loop_done(&loop); /* twice is harmless */
}

static uint64_t delay_of(uint64_t turn_ms, uint64_t asked_ms, uint64_t waited_ms)
{
    struct loop delayed = {.now_ns = NS_PER_S};
    uint64_t waits_ns = NS_PER_S + turn_ms * NS_PER_MS;
    loop_count_delay(&delayed, waits_ns, waits_ns + asked_ms * NS_PER_MS, waits_ns + waited_ms * NS_PER_MS);
    return delayed.own_delay_ns / NS_PER_MS;
}

static void what_a_turn_and_a_wait_take_too_long_is_an_own_delay(void **state)
{
    (void)state;
    assert_int_equal(delay_of(0, 100, 3), 0);
    assert_int_equal(delay_of(10, 100, 110), 0);
    assert_int_equal(delay_of(60, 100, 100), 50);
    assert_int_equal(delay_of(0, 100, 300), 250); /* when in it the thread was stopped is not known */
    assert_int_equal(delay_of(0, 0, 300), 295);
    assert_int_equal(delay_of(60, 0, 10), 50);
}

static void a_deadline_long_past_is_no_delay_of_the_wait(void **state)
{
    (void)state;
    struct loop late = {.now_ns = NS_PER_S};
    loop_count_delay(&late, NS_PER_S, 1, NS_PER_S + NS_PER_MS);
    loop_count_delay(&late, NS_PER_S, CLOCK_NEVER, 100 * NS_PER_S);
    assert_int_equal(late.own_delay_ns, 0);
}

/* The turn under way counts until now, turns that are over as a whole, and waiting not at all. */
static void turns_are_busy_time_and_waiting_is_not(void **state)
{
    (void)state;
    struct loop other;
    assert_true(loop_init(&other));
    assert_int_equal(loop_busy_ns(&other, clock_now_ns()), 0);
    loop_turn(&other, 0);
    assert_int_equal(loop_busy_ns(&other, other.now_ns + 5), 5);
    assert_int_equal(loop_busy_ns(&other, other.now_ns - 5), 0); /* a clock that was read a moment before */
    other.turn_ns -= NS_PER_S;                                   /* it began a second ago */
    loop_turn(&other, other.now_ns + 20 * NS_PER_MS);
    other.turn_ns = 0;
    uint64_t busy_ns = loop_busy_ns(&other, clock_now_ns());
    assert_true(busy_ns >= NS_PER_S);
    loop_turn(&other, 0);
    assert_int_equal(loop_busy_ns(&other, other.now_ns), busy_ns);
    loop_done(&other);
}

static void attended_time_passes_whatever_the_delays(void **state)
{
    (void)state;
    struct loop slow = {.now_ns = NS_PER_S};
    uint64_t before_ns = loop_attended_ns(&slow);
    for (unsigned turn = 0; turn < 100; turn++) {
        uint64_t waits_ns = slow.now_ns + NS_PER_S;
        loop_count_delay(&slow, waits_ns, 0, waits_ns + NS_PER_S);
        slow.now_ns = waits_ns + NS_PER_S;
        assert_true(loop_attended_ns(&slow) > before_ns);
        before_ns = loop_attended_ns(&slow);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_reaches_its_source, setup, teardown),
        cmocka_unit_test_setup_teardown(a_turn_without_events_ends_at_its_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(input_that_was_not_read_is_reported_once, setup, teardown),
        cmocka_unit_test_setup_teardown(all_that_is_ready_comes_in_one_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_taken_out_hears_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_taken_out_in_a_turn_does_not_hear_what_waits_in_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_forgotten_and_closed_hears_nothing_either, setup, teardown),
        cmocka_unit_test_setup_teardown(a_source_may_take_itself_out, setup, teardown),
        cmocka_unit_test_setup_teardown(another_thread_may_add_a_source_while_the_loop_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_watched_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_descriptor_is_not_inherited_and_is_closed, setup, teardown),
        cmocka_unit_test(what_a_turn_and_a_wait_take_too_long_is_an_own_delay),
        cmocka_unit_test(a_deadline_long_past_is_no_delay_of_the_wait),
        cmocka_unit_test(turns_are_busy_time_and_waiting_is_not),
        cmocka_unit_test(attended_time_passes_whatever_the_delays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
