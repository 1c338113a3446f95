/* placement: the worker with the fewest clients; while connections come and go, one in a run. */
#include "clients/placement.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define START_NS (1000 * NS_PER_S)

enum { WORKERS = 3 };

/* The acceptor's view: each worker's clients, and the time. */
struct world {
    struct placement placement;
    unsigned loads[WORKERS];
    uint64_t now_ns;
};

static uint32_t open_in(const struct world *world)
{
    return world->loads[0] + world->loads[1] + world->loads[2];
}

static unsigned come(struct world *world)
{
    unsigned worker = placement_choose(&world->placement, world->loads, WORKERS, open_in(world), world->now_ns);
    world->loads[worker]++;
    return worker;
}

/* Connections of a query each, a millisecond apart. */
static void come_and_go(struct world *world, unsigned count)
{
    while (count-- > 0) {
        world->loads[come(world)]--;
        world->now_ns += NS_PER_MS;
    }
}

static void those_who_stay_are_spread_evenly(void **state)
{
    (void)state;
    struct world world = {.now_ns = START_NS};
    for (int i = 0; i < 30; i++) come(&world);
    for (int i = 0; i < WORKERS; i++) assert_int_equal(world.loads[i], 10);
}

static void also_where_they_come_over_a_long_time(void **state)
{
    (void)state;
    struct world world = {.now_ns = START_NS};
    for (int i = 0; i < 30; i++) {
        come(&world);
        world.now_ns += NS_PER_S;
    }
    for (int i = 0; i < WORKERS; i++) assert_int_equal(world.loads[i], 10);
}

static void the_one_with_fewest_gets_the_next(void **state)
{
    (void)state;
    struct world world = {.now_ns = START_NS, .loads = {5, 4, 6}};
    assert_int_equal(come(&world), 1);
}

static void those_who_come_and_go_get_one_worker(void **state)
{
    (void)state;
    struct world world = {.now_ns = START_NS};
    come_and_go(&world, 200); /* now it is known of them */
    unsigned favoured = come(&world);
    for (unsigned i = 1; i < PLACEMENT_RUN; i++) assert_int_equal(come(&world), favoured);
}

static void a_run_is_bounded(void **state)
{
    (void)state;
    struct world world = {.now_ns = START_NS};
    come_and_go(&world, 200);
    for (unsigned i = 0; i < WORKERS * PLACEMENT_RUN; i++) come(&world); /* at once, and they stay */
    for (int i = 0; i < WORKERS; i++) assert_in_range(world.loads[i], 1, PLACEMENT_RUN);
}

static void a_few_who_come_and_go_beside_many_who_stay_change_nothing(void **state)
{
    (void)state;
    struct world world = {.now_ns = START_NS};
    for (int i = 0; i < 300; i++) come(&world);
    come_and_go(&world, 1000); /* a hundred in a tenth of a second, of three hundred */
    for (int i = 0; i < 30; i++) come(&world);
    for (int i = 0; i < WORKERS; i++) assert_int_equal(world.loads[i], 110);
}

static void after_a_quiet_time_the_past_counts_no_more(void **state)
{
    (void)state;
    struct world world = {.now_ns = START_NS};
    come_and_go(&world, 200);
    world.now_ns += 100 * NS_PER_S;
    for (int i = 0; i < 6; i++) {
        come(&world);
        world.now_ns += NS_PER_S;
    }
    for (int i = 0; i < WORKERS; i++) assert_in_range(world.loads[i], 1, 3);
}

static void a_run_ends_with_its_worker(void **state)
{
    (void)state;
    struct world world = {.now_ns = START_NS, .loads = {100, 90, 0}};
    come_and_go(&world, 400); /* all to the last */
    assert_int_equal(come(&world), 2);
    world.loads[2]--;
    for (int i = 0; i < 10; i++) /* it is inactive from now on */
        assert_int_equal(placement_choose(&world.placement, world.loads, 2, open_in(&world), world.now_ns), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_who_stay_are_spread_evenly),
        cmocka_unit_test(also_where_they_come_over_a_long_time),
        cmocka_unit_test(the_one_with_fewest_gets_the_next),
        cmocka_unit_test(those_who_come_and_go_get_one_worker),
        cmocka_unit_test(a_run_is_bounded),
        cmocka_unit_test(a_run_ends_with_its_worker),
        cmocka_unit_test(a_few_who_come_and_go_beside_many_who_stay_change_nothing),
        cmocka_unit_test(after_a_quiet_time_the_past_counts_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
