/* What waits in a socket, batch by batch; time is passed in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clients/udp_queue.h"
#include "common/clock.h"

#define WALL_NS (1700000000 * NS_PER_S)

static uint32_t receive(struct udp_queue *queue, bool is_full, bool has_old, uint32_t drops, uint64_t now_ns)
{
    const struct udp_batch batch = {.is_full = is_full, .has_old = has_old, .drops = drops};
    return udp_queue_received(queue, &batch, now_ns);
}

static void assert_age_max(const struct udp_queue *queue, uint64_t now_ns, uint64_t age_ns)
{
    assert_int_equal(udp_queue_oldest_ns(queue, now_ns, WALL_NS), WALL_NS - age_ns);
}

static void a_socket_that_was_empty_lately_has_nothing_old(void **state)
{
    (void)state;
    struct udp_queue queue = {0};
    assert_age_max(&queue, 10 * NS_PER_S, NS_PER_S); /* nothing is known yet */
    receive(&queue, false, false, 0, 10 * NS_PER_S);
    assert_int_equal(udp_queue_oldest_ns(&queue, 11 * NS_PER_S, WALL_NS), 0);
    assert_age_max(&queue, 11 * NS_PER_S + 1, NS_PER_S);
    receive(&queue, true, false, 0, 12 * NS_PER_S); /* full: there may be more */
    assert_age_max(&queue, 12 * NS_PER_S, NS_PER_S);
}

static void drops_of_the_kernel_shorten_the_age_for_a_second(void **state)
{
    (void)state;
    struct udp_queue queue = {.emptied_ns = 10 * NS_PER_S};
    uint64_t now_ns = 10 * NS_PER_S + 6 * NS_PER_MS;
    assert_int_equal(udp_queue_oldest_ns(&queue, now_ns, WALL_NS), 0);
    assert_int_equal(receive(&queue, true, false, 7, now_ns), 7);
    assert_age_max(&queue, now_ns, 5 * NS_PER_MS);
    assert_age_max(&queue, now_ns + NS_PER_S - 1, 5 * NS_PER_MS);
    assert_age_max(&queue, now_ns + NS_PER_S, NS_PER_S);
}

static void it_is_overrun_as_long_as_full_batches_have_old_ones(void **state)
{
    (void)state;
    struct udp_queue queue = {0};
    receive(&queue, true, false, 1, 10 * NS_PER_S);
    receive(&queue, true, true, 1, 10 * NS_PER_S + NS_PER_S / 2);
    assert_age_max(&queue, 11 * NS_PER_S, 5 * NS_PER_MS);
    receive(&queue, false, true, 1, 11 * NS_PER_S); /* a pause of the machine, and nothing behind */
    receive(&queue, true, false, 1, 11 * NS_PER_S); /* a burst, and nothing waited */
    assert_age_max(&queue, 13 * NS_PER_S, NS_PER_S);
    receive(&queue, true, true, 1, 13 * NS_PER_S); /* no sign of it by itself */
    assert_age_max(&queue, 13 * NS_PER_S, NS_PER_S);
}

static void drops_count_once_in_whatever_order_they_are_told(void **state)
{
    (void)state;
    struct udp_queue queue = {.drops = UINT32_MAX - 1};
    assert_int_equal(receive(&queue, true, false, UINT32_MAX - 1, NS_PER_S), 0);
    assert_int_equal(receive(&queue, true, false, 3, NS_PER_S), 5); /* it wraps */
    assert_int_equal(receive(&queue, false, false, UINT32_MAX, NS_PER_S), 0);
    assert_int_equal(receive(&queue, false, false, 2, NS_PER_S), 0);
    assert_int_equal(receive(&queue, false, false, 4, NS_PER_S), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_that_was_empty_lately_has_nothing_old),
        cmocka_unit_test(drops_of_the_kernel_shorten_the_age_for_a_second),
        cmocka_unit_test(it_is_overrun_as_long_as_full_batches_have_old_ones),
        cmocka_unit_test(drops_count_once_in_whatever_order_they_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
