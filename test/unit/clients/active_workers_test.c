/* active_workers: the number of active workers by what their loops tell, and who is woken for it. */
#include "clients/active_workers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/mailbox.h"

#define START_NS (1000 * NS_PER_S)

enum { WORKERS = 3 };

struct world {
    struct active_workers active;
    struct loop loops[WORKERS];
    struct mailbox mailboxes[WORKERS];
    uint64_t now_ns;
};

static void no_event(struct loop_source *source, uint32_t events)
{
    (void)source;
    (void)events;
}

static void begin(struct world *world, unsigned least)
{
    *world = (struct world){.now_ns = START_NS};
    active_workers_init(&world->active, WORKERS, least, START_NS);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_true(mailbox_init(&world->mailboxes[i], no_event));
        world->active.of[i] = (struct active_worker){&world->loops[i], &world->mailboxes[i], NULL};
    }
}

static void end(struct world *world)
{
    for (unsigned i = 0; i < WORKERS; i++) mailbox_done(&world->mailboxes[i]);
    active_workers_done(&world->active);
}

/* A window in which the workers were busy for so many milliseconds of its ten. */
static void pass(struct world *world, const unsigned *busy_ms)
{
    for (unsigned i = 0; i < WORKERS; i++) world->loops[i].busy_ns += busy_ms[i] * NS_PER_MS;
    world->now_ns += DEMAND_WINDOW_NS;
    active_workers_look(&world->active, world->now_ns);
}

static bool was_woken(struct world *world, unsigned index)
{
    uint64_t count;
    return read(world->mailboxes[index].source.fd, &count, sizeof count) == sizeof count;
}

static void a_busy_worker_gets_help(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 1);
    pass(&world, (unsigned[]){9, 0, 0});
    assert_int_equal(active_workers_count(&world.active), 1);
    pass(&world, (unsigned[]){9, 0, 0});
    assert_int_equal(active_workers_count(&world.active), 2);
    assert_true(was_woken(&world, 1));
    assert_false(was_woken(&world, 0));
    assert_false(was_woken(&world, 2));
    end(&world);
}

static void a_turn_that_is_under_way_counts(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 1);
    world.loops[0].turn_ns = START_NS + NS_PER_MS;
    pass(&world, (unsigned[]){0, 0, 0});
    pass(&world, (unsigned[]){0, 0, 0});
    assert_int_equal(active_workers_count(&world.active), 2);
    world.loops[0].turn_ns = 0; /* it ended, and that is read a moment before its time is counted */
    pass(&world, (unsigned[]){0, 0, 0});
    assert_int_equal(active_workers_count(&world.active), 2);
    end(&world);
}

static void a_full_worker_gets_help(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 1);
    world.active.used[0] = DEMAND_ADD;
    pass(&world, (unsigned[]){0, 0, 0});
    pass(&world, (unsigned[]){0, 0, 0});
    assert_int_equal(active_workers_count(&world.active), 2);
    end(&world);
}

static void nothing_is_looked_at_before_the_window_is_over(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 1);
    world.loops[0].busy_ns = NS_PER_S;
    active_workers_look(&world.active, START_NS + DEMAND_WINDOW_NS - 1);
    assert_int_equal(world.active.windows, 0);
    active_workers_look(&world.active, START_NS + DEMAND_WINDOW_NS);
    assert_int_equal(world.active.windows, 1);
    end(&world);
}

static void a_clock_behind_the_others_ends_no_window(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 1);
    pass(&world, (unsigned[]){0, 0, 0});
    active_workers_look(&world.active, world.now_ns - NS_PER_MS);
    assert_int_equal(world.active.windows, 1);
    end(&world);
}

static void only_who_looks_first_ends_the_window(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 1);
    pthread_mutex_lock(&world.active.lock); /* another worker looks */
    active_workers_look(&world.active, START_NS + DEMAND_WINDOW_NS);
    assert_int_equal(world.active.windows, 0);
    pthread_mutex_unlock(&world.active.lock);
    end(&world);
}

static void after_a_quiet_second_it_is_woken_to_rest(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 1);
    pass(&world, (unsigned[]){9, 0, 0});
    pass(&world, (unsigned[]){9, 0, 0});
    assert_true(was_woken(&world, 1));
    assert_true(active_workers_deadline_ns(&world.active, world.now_ns) <= world.now_ns + DEMAND_LOW_NS);
    for (int i = 0; i < 99; i++) pass(&world, (unsigned[]){1, 1, 0});
    assert_int_equal(active_workers_count(&world.active), 2);
    pass(&world, (unsigned[]){1, 1, 0});
    assert_int_equal(active_workers_count(&world.active), 1);
    assert_true(was_woken(&world, 1));
    assert_false(was_woken(&world, 0));
    assert_true(active_workers_deadline_ns(&world.active, world.now_ns) == CLOCK_NEVER);
    end(&world);
}

static void as_many_as_are_set_are_active_at_any_load(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 64);
    assert_int_equal(active_workers_count(&world.active), WORKERS);
    for (int i = 0; i < 1000; i++) pass(&world, (unsigned[]){0, 0, 0});
    assert_int_equal(active_workers_count(&world.active), WORKERS);
    active_workers_set_least(&world.active, 2);
    for (int i = 0; i < 1000; i++) pass(&world, (unsigned[]){0, 0, 0});
    assert_int_equal(active_workers_count(&world.active), 2);
    active_workers_set_least(&world.active, 3);
    pass(&world, (unsigned[]){0, 0, 0});
    assert_int_equal(active_workers_count(&world.active), 3);
    end(&world);
}

static void loads_say_who_gives_to_whom(void **state)
{
    (void)state;
    struct world world;
    unsigned to = 9;
    begin(&world, 2);
    pass(&world, (unsigned[]){3, 5, 1});
    assert_int_equal(active_workers_part(&world.active, 0, &to), 0);
    assert_int_equal(active_workers_part(&world.active, 2, &to), DEMAND_WHOLE);
    assert_int_equal(to, 0);
    pass(&world, (unsigned[]){1, 10, 0});
    assert_in_range(active_workers_part(&world.active, 1, &to), 440, 460);
    assert_int_equal(to, 0);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_busy_worker_gets_help),
        cmocka_unit_test(a_turn_that_is_under_way_counts),
        cmocka_unit_test(a_full_worker_gets_help),
        cmocka_unit_test(nothing_is_looked_at_before_the_window_is_over),
        cmocka_unit_test(a_clock_behind_the_others_ends_no_window),
        cmocka_unit_test(only_who_looks_first_ends_the_window),
        cmocka_unit_test(after_a_quiet_second_it_is_woken_to_rest),
        cmocka_unit_test(as_many_as_are_set_are_active_at_any_load),
        cmocka_unit_test(loads_say_who_gives_to_whom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
