/* upstream_times: since when an upstream is in its state, and when it last answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "metrics/upstream_times.h"

enum { STANDBY = 0, SILENT = 3, UP = 4 };
#define WALL_S   1700000000u
#define START_NS (1000 * NS_PER_S)

struct world {
    struct upstream_times times;
    struct counters total;
    struct figures figures;
};

static int setup(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    upstream_times_init(&world->times);
    world->figures.upstream_count = 2;
    strcpy(world->figures.upstreams[0], "1.1.1.1:853#one");
    strcpy(world->figures.upstreams[1], "1.0.0.1:853#one");
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    upstream_times_done(&world->times);
    test_free(world);
    return 0;
}

/* Looks `at_s` seconds after the start. */
static void look(struct world *world, unsigned at_s)
{
    memset(world->figures.upstream_answered_s, 0, sizeof world->figures.upstream_answered_s);
    memset(world->figures.upstream_changed_s, 0, sizeof world->figures.upstream_changed_s);
    upstream_times_look(&world->times, &world->total, &world->figures, START_NS + at_s * NS_PER_S, WALL_S + at_s);
}

/* Seconds after the start; -1: not known. */
static int changed_at(const struct world *world, unsigned upstream)
{
    double changed_s = world->figures.upstream_changed_s[upstream];
    return changed_s > 0 ? (int)(changed_s - WALL_S) : -1;
}

static void a_state_counts_from_the_look_that_saw_it(void **state)
{
    struct world *world = *state;
    look(world, 0);
    assert_int_equal(changed_at(world, 0), 0);
    set_gauge_by(&world->total, upstream_state, 0, UP);
    look(world, 5);
    look(world, 60);
    assert_int_equal(changed_at(world, 0), 5);
    assert_int_equal(changed_at(world, 1), 0); /* the other one is standby all the while */
    set_gauge_by(&world->total, upstream_state, 0, SILENT);
    look(world, 61);
    assert_int_equal(changed_at(world, 0), 61);
}

static void another_upstream_in_the_series_is_a_change(void **state)
{
    struct world *world = *state;
    set_gauge_by(&world->total, upstream_state, 0, UP);
    look(world, 0);
    strcpy(world->figures.upstreams[0], "9.9.9.9:853#quad");
    look(world, 30);
    assert_int_equal(changed_at(world, 0), 30);
}

static void a_series_without_an_upstream_has_no_times(void **state)
{
    struct world *world = *state;
    world->figures.upstreams[1][0] = '\0';
    look(world, 3);
    assert_int_equal(changed_at(world, 1), -1);
    world->figures.upstream_count = UPSTREAM_SERIES;
    strcpy(world->figures.upstreams[UPSTREAM_SERIES_REST], "rest");
    look(world, 4);
    assert_int_equal(changed_at(world, UPSTREAM_SERIES_REST), -1); /* several upstreams have no state in common */
}

static void the_last_answer_is_known_once_there_was_one(void **state)
{
    struct world *world = *state;
    look(world, 9);
    assert_true(world->figures.upstream_answered_s[0] < 1);
    gauge_set(&world->total.upstream_last_ns[0], START_NS + 2 * NS_PER_S);
    look(world, 10);
    assert_int_equal((int)(world->figures.upstream_answered_s[0] - WALL_S), 2);
    gauge_set(&world->total.upstream_last_ns[0], START_NS + 20 * NS_PER_S); /* after `now`: a thread was quicker */
    look(world, 11);
    assert_int_equal((int)(world->figures.upstream_answered_s[0] - WALL_S), 11);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_state_counts_from_the_look_that_saw_it),
        TEST(another_upstream_in_the_series_is_a_change),
        TEST(a_series_without_an_upstream_has_no_times),
        TEST(the_last_answer_is_known_once_there_was_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
