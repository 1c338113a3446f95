/* worker_demand: how many workers a load needs, in virtual time. */
#include "clients/worker_demand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define START_NS (1000 * NS_PER_S)

enum { WORKERS = 8 };

/* The active workers share the offered load evenly; what more than one of them do costs more (measured: twice for
 * single queries, COST_OF_TWO for batches). */
struct world {
    struct worker_demand demand;
    struct worker_bounds bounds;
    unsigned active;
    unsigned changes;
    unsigned most; /* that were active */
    uint64_t now_ns;
    uint16_t loads[WORKERS];
};

enum { COST_OF_TWO = 1500 };

static struct world make(unsigned least)
{
    return (struct world){.bounds = {least, WORKERS}, .active = least, .now_ns = START_NS};
}

/* One window in which the load would take `offered` thousandths of one processor on one worker. */
static void pass_window(struct world *world, unsigned offered)
{
    unsigned cost = world->active > 1 ? offered * COST_OF_TWO / 1000 : offered;
    unsigned each = cost / world->active < DEMAND_WHOLE ? cost / world->active : DEMAND_WHOLE;
    for (unsigned i = 0; i < WORKERS; i++) world->loads[i] = i < world->active ? (uint16_t)each : 0;
    const struct worker_window window = {world->loads, world->active, world->now_ns, world->now_ns + DEMAND_WINDOW_NS};
    unsigned active = worker_demand_judge(&world->demand, &window, &world->bounds);
    world->now_ns = window.now_ns;
    world->changes += active != world->active;
    world->active = active;
    if (active > world->most) world->most = active;
}

static void pass(struct world *world, unsigned offered, uint64_t time_ns)
{
    for (uint64_t end_ns = world->now_ns + time_ns; world->now_ns < end_ns;) pass_window(world, offered);
}

/* ---- the number ---- */

static void a_quiet_time_needs_one(void **state)
{
    (void)state;
    struct world world = make(1);
    pass(&world, 0, 60 * NS_PER_S);
    pass(&world, 300, 60 * NS_PER_S);
    assert_int_equal(world.active, 1);
    assert_int_equal(world.changes, 0);
}

static void a_steady_load_needs_a_steady_number(void **state)
{
    (void)state;
    for (unsigned offered = 50; offered <= 4000; offered += 50) {
        struct world world = make(1);
        pass(&world, offered, 5 * NS_PER_S);
        unsigned active = world.active;
        world.changes = 0;
        pass(&world, offered, 60 * NS_PER_S);
        assert_int_equal(world.active, active);
        assert_int_equal(world.changes, 0);
    }
}

static void a_jump_gets_all_of_them_in_a_fifth_of_a_second(void **state)
{
    (void)state;
    struct world world = make(1);
    pass(&world, 10, 10 * NS_PER_S);
    pass(&world, 100000, DEMAND_ADD_WINDOWS * DEMAND_WINDOW_NS);
    assert_int_equal(world.active, 2);
    pass(&world, 100000, (WORKERS - 2) * DEMAND_ADD_WINDOWS * DEMAND_WINDOW_NS);
    assert_int_equal(world.active, WORKERS);
    assert_true(world.now_ns <= START_NS + 10 * NS_PER_S + NS_PER_S / 5);
}

/* A TLS handshake takes most of a window, once. */
static void one_full_window_is_no_load(void **state)
{
    (void)state;
    struct world world = make(1);
    for (int i = 0; i < 100; i++) {
        pass_window(&world, 1000);
        pass_window(&world, 100);
    }
    assert_int_equal(world.active, 1);
}

static void one_more_is_tried_before_the_next(void **state)
{
    (void)state;
    struct world world = make(1);
    for (unsigned active = 1; active < WORKERS; active++)
        for (unsigned i = 0; i < DEMAND_ADD_WINDOWS; i++) {
            assert_int_equal(world.active, active);
            pass_window(&world, 100000);
        }
    assert_int_equal(world.active, WORKERS);
}

static void one_less_after_a_second_of_little_load(void **state)
{
    (void)state;
    struct world world = make(1);
    pass(&world, 100000, NS_PER_S);
    assert_int_equal(world.active, WORKERS);
    pass(&world, 10, NS_PER_S - DEMAND_WINDOW_NS);
    assert_int_equal(world.active, WORKERS);
    pass(&world, 10, DEMAND_WINDOW_NS);
    assert_int_equal(world.active, WORKERS - 1);
    pass(&world, 10, WORKERS * NS_PER_S);
    assert_int_equal(world.active, 1);
}

static void a_moment_of_load_begins_the_second_anew(void **state)
{
    (void)state;
    struct world world = make(1);
    pass(&world, 700, DEMAND_ADD_WINDOWS * DEMAND_WINDOW_NS);
    assert_int_equal(world.active, 2);
    for (int i = 0; i < 20; i++) {
        pass(&world, 10, NS_PER_S - DEMAND_WINDOW_NS);
        pass_window(&world, 500); /* not enough for a third */
        assert_int_equal(world.active, 2);
    }
}

static void a_load_that_oscillates_does_not_make_the_number_oscillate(void **state)
{
    (void)state;
    struct world world = make(1);
    for (int i = 0; i < 400; i++) pass(&world, i % 2 ? 700 : 20, 20 * NS_PER_MS);
    assert_int_equal(world.active, 2);
    assert_int_equal(world.changes, 1);
}

static void a_load_that_comes_and_goes_is_followed_once_each_time(void **state)
{
    (void)state;
    struct world world = make(1);
    for (int i = 0; i < 10; i++) {
        pass(&world, 700, 3 * NS_PER_S);
        pass(&world, 20, 3 * NS_PER_S);
        assert_int_equal(world.active, 1);
    }
    assert_int_equal(world.changes, 20);
    assert_int_equal(world.most, 2);
}

/* Loads at random around where one more is added: a change is a move of clients, so there are few. */
static void noise_makes_few_changes(void **state)
{
    (void)state;
    struct world world = make(1);
    uint64_t seed = 1;
    for (int i = 0; i < 6000; i++) { /* a minute */
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        pass_window(&world, 300 + (unsigned)(seed >> 33) % 600);
    }
    assert_in_range(world.changes, 1, 4);
}

static void a_wait_of_a_second_is_a_quiet_second(void **state)
{
    (void)state;
    struct worker_demand demand = {0};
    const struct worker_bounds bounds = {1, WORKERS};
    const uint16_t loads[WORKERS] = {100, 100};
    const struct worker_window window = {loads, 2, START_NS, START_NS + NS_PER_S};
    assert_int_equal(worker_demand_judge(&demand, &window, &bounds), 1);
}

static void the_bounds_are_kept(void **state)
{
    (void)state;
    struct world world = make(3);
    pass(&world, 0, 10 * NS_PER_S);
    assert_int_equal(world.active, 3);
    world.bounds.most = 4;
    pass(&world, 100000, 10 * NS_PER_S);
    assert_int_equal(world.active, 4);
}

static void other_bounds_count_at_once(void **state)
{
    (void)state;
    struct world world = make(1);
    pass_window(&world, 0);
    world.bounds.least = 5;
    pass_window(&world, 0);
    assert_int_equal(world.active, 5);
    world.bounds.least = world.bounds.most = 2;
    pass_window(&world, 0);
    assert_int_equal(world.active, 2);
}

/* ---- what is given away ---- */

static unsigned part(const uint16_t *loads, unsigned active, unsigned index, unsigned *ret_to)
{
    const struct worker_window window = {.loads = loads, .active = active};
    return worker_demand_part(&window, index, ret_to);
}

static void a_busy_worker_gives_half_to_a_new_one(void **state)
{
    (void)state;
    unsigned to = 9;
    assert_int_equal(part((uint16_t[]){1000, 0}, 2, 0, &to), 500);
    assert_int_equal(to, 1);
}

static void all_busy_ones_together_fill_a_new_one_to_the_mean(void **state)
{
    (void)state;
    unsigned to = 9;
    const uint16_t loads[] = {900, 900, 900, 0};
    for (unsigned i = 0; i < 3; i++) {
        assert_in_range(part(loads, 4, i, &to), 245, 250); /* 225 of 900 */
        assert_int_equal(to, 3);
    }
    assert_int_equal(part(loads, 4, 3, &to), 0);
}

static void nothing_is_given_while_nobody_is_busy(void **state)
{
    (void)state;
    unsigned to = 9;
    assert_int_equal(part((uint16_t[]){DEMAND_ADD - 1, 0}, 2, 0, &to), 0);
    assert_int_equal(to, 9);
}

static void nothing_is_given_to_one_that_is_as_busy(void **state)
{
    (void)state;
    unsigned to = 9;
    assert_int_equal(part((uint16_t[]){1000, 1000 - DEMAND_APART + 1}, 2, 0, &to), 0);
    assert_int_equal(part((uint16_t[]){1000}, 1, 0, &to), 0);
}

static void giving_never_makes_the_other_the_busier_one(void **state)
{
    (void)state;
    srand(1);
    for (int n = 0; n < 10000; n++) {
        uint16_t loads[WORKERS];
        unsigned active = 1 + (unsigned)rand() % WORKERS;
        unsigned sum = 0;
        unsigned given = 0;
        unsigned to = 0;
        for (unsigned i = 0; i < active; i++) sum += loads[i] = (uint16_t)(rand() % (DEMAND_WHOLE + 1));
        for (unsigned i = 0; i < active; i++) {
            unsigned each = part(loads, active, i, &to);
            assert_true(each <= DEMAND_WHOLE);
            given += each * loads[i] / DEMAND_WHOLE;
        }
        assert_true(given == 0 || loads[to] + given <= sum / active);
    }
}

static void an_inactive_worker_gives_all_to_the_least_loaded(void **state)
{
    (void)state;
    unsigned to = 9;
    assert_int_equal(part((uint16_t[]){500, 200, 0}, 2, 2, &to), DEMAND_WHOLE);
    assert_int_equal(to, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_time_needs_one),
        cmocka_unit_test(a_steady_load_needs_a_steady_number),
        cmocka_unit_test(a_jump_gets_all_of_them_in_a_fifth_of_a_second),
        cmocka_unit_test(one_full_window_is_no_load),
        cmocka_unit_test(one_more_is_tried_before_the_next),
        cmocka_unit_test(one_less_after_a_second_of_little_load),
        cmocka_unit_test(a_moment_of_load_begins_the_second_anew),
        cmocka_unit_test(a_load_that_oscillates_does_not_make_the_number_oscillate),
        cmocka_unit_test(a_load_that_comes_and_goes_is_followed_once_each_time),
        cmocka_unit_test(noise_makes_few_changes),
        cmocka_unit_test(a_wait_of_a_second_is_a_quiet_second),
        cmocka_unit_test(the_bounds_are_kept),
        cmocka_unit_test(other_bounds_count_at_once),
        cmocka_unit_test(a_busy_worker_gives_half_to_a_new_one),
        cmocka_unit_test(all_busy_ones_together_fill_a_new_one_to_the_mean),
        cmocka_unit_test(nothing_is_given_while_nobody_is_busy),
        cmocka_unit_test(nothing_is_given_to_one_that_is_as_busy),
        cmocka_unit_test(giving_never_makes_the_other_the_busier_one),
        cmocka_unit_test(an_inactive_worker_gives_all_to_the_least_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
