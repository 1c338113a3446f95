/* The sessions of a worker that is inactive, and of one that becomes active. */
#include "pool_story.h"

/* A session that was asked just now. */
static void begin_warm(void)
{
    struct pool_options options = story_options(1);
    options.keep_warm = true;
    begin_with(&options);
    attempt(0);
    tick();
    fake_ready(0);
    tick();
    fake_answer(0, &story.askers[0].exchange, 0);
}

static void the_sessions_of_an_inactive_worker_end_when_they_are_idle(void **state)
{
    (void)state;
    begin_warm();
    pool_set_resting(story.pool, true);
    pass_ms(7000);
    assert_non_null(world.sessions[0]); /* it may be active again soon */
    pass_ms(1001);
    assert_null(world.sessions[0]);
    assert_false(story.pool->probe.active);
    pass_ms(60000);
    assert_int_equal(world.opened, 1);
    assert_true(pool_deadline_ns(story.pool) > story.loop.now_ns + 10 * NS_PER_S); /* nothing wakes it */
    end();
}

static void active_again_it_opens_one_at_once(void **state)
{
    (void)state;
    begin_warm();
    pool_set_resting(story.pool, true);
    pass_ms(400000);
    assert_int_equal(world.opened, 1);
    pool_set_resting(story.pool, false);
    pass_ms(20);
    assert_int_equal(world.opened, 2);
    end();
}

static void a_worker_that_was_never_active_opens_none(void **state)
{
    (void)state;
    struct pool_options options = story_options(1);
    options.keep_warm = true;
    begin_with(&options);
    pool_set_resting(story.pool, true);
    pass_ms(1000);
    assert_int_equal(world.opened, 0);
    end();
}

/* Over UDP, or by a client that is never idle. */
static void an_inactive_worker_that_is_asked_all_the_same_stays_warm(void **state)
{
    (void)state;
    begin_warm();
    pool_set_resting(story.pool, true);
    pass_ms(100);
    attempt(1);
    tick();
    fake_answer(0, &story.askers[1].exchange, 0);
    pass_ms(8001);
    assert_true(story.pool->probe.active);
    fake_answer(0, &story.pool->probe.exchange, 0);
    assert_non_null(world.sessions[0]);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sessions_of_an_inactive_worker_end_when_they_are_idle),
        cmocka_unit_test(active_again_it_opens_one_at_once),
        cmocka_unit_test(a_worker_that_was_never_active_opens_none),
        cmocka_unit_test(an_inactive_worker_that_is_asked_all_the_same_stays_warm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
