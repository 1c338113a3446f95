/* What a reload changes of a pool, and what it shows of its upstreams. */
#include "pool_story.h"

static void new_settings_are_taken_for_the_same_upstreams_only(void **state)
{
    (void)state;
    begin(2);
    struct pool_options options = story_options(2);
    options.query_timeout_ns = NS_PER_S;
    options.upstreams[1].address.port++;
    assert_false(pool_set_options(story.pool, &options));
    options = story_options(2);
    options.query_timeout_ns = NS_PER_S;
    strcpy(options.upstreams[1].name, "other.example");
    assert_false(pool_set_options(story.pool, &options));
    options = story_options(2);
    options.query_timeout_ns = NS_PER_S;
    options.upstreams[0].transport = UPSTREAM_TCP;
    assert_false(pool_set_options(story.pool, &options));
    options = story_options(1);
    options.query_timeout_ns = NS_PER_S;
    assert_false(pool_set_options(story.pool, &options));
    assert_int_equal(story.pool->options.query_timeout_ns, 4500 * NS_PER_MS);
    options = story_options(2);
    options.query_timeout_ns = NS_PER_S;
    assert_true(pool_set_options(story.pool, &options));
    assert_int_equal(story.pool->options.query_timeout_ns, NS_PER_S);
    end();
}

/* A session's table of ids has the size that the settings had when it was opened. */
static void more_questions_in_flight_need_new_sessions(void **state)
{
    (void)state;
    begin(1);
    struct exchange *exchange = first_attempt(0);
    struct pool_options options = story_options(1);
    options.max_in_flight--;
    assert_true(pool_set_options(story.pool, &options));
    assert_int_equal(world.sessions[0]->state, SESSION_READY);
    options.max_in_flight += 2;
    assert_true(pool_set_options(story.pool, &options));
    assert_int_equal(world.sessions[0]->state, SESSION_DRAINING);
    fake_answer(0, exchange, DNS_RCODE_NOERROR);
    assert_answered(0);
    end();
}

static void the_reason_of_the_first_upstream_that_fails_is_known(void **state)
{
    (void)state;
    begin(2);
    assert_null(pool_error(story.pool));
    world.refuse[0] = world.refuse[1] = true;
    attempt(0);
    tick();
    assert_non_null(pool_error(story.pool));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_settings_are_taken_for_the_same_upstreams_only),
        cmocka_unit_test(more_questions_in_flight_need_new_sessions),
        cmocka_unit_test(the_reason_of_the_first_upstream_that_fails_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
