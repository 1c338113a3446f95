/* When sessions are opened, kept, replaced and mistrusted; and when another upstream is asked for its opinion. */
#include "pool_story.h"

/* ---- opening ---- */

static void a_slow_connection_is_not_waited_for_alone(void **state)
{
    (void)state;
    begin(2);
    attempt(0);
    tick();
    assert_int_equal(world.opened, 1);
    pass_ms(260);
    assert_int_equal(world.opened, 2);
    assert_int_equal(world.sessions[1]->upstream->index, 1);
    fake_ready(1);
    tick();
    fake_answer(1, &story.askers[0].exchange, 0);
    assert_answered(0);
    end();
}

static void after_a_refusal_the_next_upstream_is_tried_at_once(void **state)
{
    (void)state;
    begin(2);
    world.refuse[0] = true;
    attempt(0);
    tick();
    assert_int_equal(world.opened, 1);
    assert_int_equal(world.sessions[0]->upstream->index, 1);
    end();
}

static void a_preferred_upstream_is_used_again(void **state)
{
    (void)state;
    struct pool_options options = story_options(2);
    options.keep_warm = true;
    begin_with(&options);
    world.refuse[0] = true;
    attempt(0);
    tick();
    fake_ready(0);
    tick();
    assert_int_equal(world.sessions[0]->upstream->index, 1);
    fake_answer(0, &story.askers[0].exchange, 0);
    pass_ms(6000); /* tried meanwhile, in vain, and seldom */
    assert_in_range(counter_read(&story.counters->upstream_connects[0][0]), 2, 4);
    world.refuse[0] = false;
    for (int i = 0; i < 300 && world.opened < 2; i++) {
        pass_ms(20);
        if (exchange_is_live(&story.pool->probe.exchange)) fake_answer(0, &story.pool->probe.exchange, 0);
    }
    assert_int_equal(world.opened, 2);
    fake_ready(1);
    tick();
    assert_false(exchange_is_on(attempt(2), world.sessions[1])); /* until it has answered a query of our own */
    fake_answer(1, &story.pool->probes[0].exchange, 0);
    assert_true(exchange_is_on(attempt(1), world.sessions[1]));
    assert_int_equal(world.sessions[1]->upstream->index, 0);
    end();
}

/* So many seconds, in which the probes of the path are answered on session `i`. */
static void pass_s_answering(unsigned seconds, unsigned i)
{
    for (unsigned step = 0; step < 10 * seconds; step++) {
        pass_ms(100);
        if (exchange_is_live(&story.pool->probe.exchange)) fake_answer(i, &story.pool->probe.exchange, 0);
    }
}

static void an_upstream_that_failed_and_is_not_needed_is_found_out_by_probes(void **state)
{
    (void)state;
    begin(2);
    struct upstream *standby = &story.pool->upstreams[1];
    world.refuse[0] = world.refuse[1] = true;
    attempt(0);
    tick();
    assert_int_equal(standby->state, UPSTREAM_DOWN);
    world.refuse[0] = false;
    while (world.opened == 0) pass_ms(20);
    fake_ready(0);
    tick();
    fake_answer(0, &story.askers[0].exchange, 0);
    pass_s_answering(100, 0); /* it is not needed, and still down: that is found out now and then */
    assert_int_equal(standby->state, UPSTREAM_DOWN);
    assert_in_range(counter_read(&story.counters->upstream_connects[1][0]), 4, 40);
    world.refuse[1] = false;
    for (unsigned step = 0; step < 400 && world.opened < 2; step++) pass_s_answering(1, 0);
    assert_int_equal(world.sessions[world.opened - 1]->upstream->index, 1);
    fake_ready(world.opened - 1);
    tick();
    fake_answer(world.opened - 1, &story.pool->probes[1].exchange, 0);
    assert_int_equal(standby->state, UPSTREAM_UP);
    end();
}

static void while_all_are_gone_few_tries_are_made_and_the_return_is_seen_soon(void **state)
{
    (void)state;
    struct pool_options options = story_options(4);
    options.keep_warm = true;
    begin_with(&options);
    for (int i = 0; i < 4; i++) world.refuse[i] = true;
    for (int second = 0; second < 60; second++) {
        if (story.askers[0].done || second == 0) attempt(0);
        pass_ms(1000);
    }
    uint64_t tries = 0;
    for (int i = 0; i < 4; i++) tries += counter_read(&story.counters->upstream_connects[i][0]);
    assert_in_range(tries, 20, 120 + 20); /* two a second, and the first quick ones */
    attempt(1);
    for (int i = 0; i < 4; i++) world.refuse[i] = false;
    pass_ms(2300);
    assert_true(world.opened >= 1);
    end();
}

static void connecting_has_a_timeout(void **state)
{
    (void)state;
    begin(1);
    attempt(0);
    tick();
    pass_ms(2001);
    assert_null(world.sessions[0]);
    assert_int_equal(counter_read(&story.counters->upstream_failures[0][LABEL_FAILURE_CONNECT_TIMEOUT]), 1);
    end();
}

static void handshakes_at_once_are_bounded(void **state)
{
    (void)state;
    begin_settled(1);
    for (int i = 0; i < 10; i++) { /* ten questions that saw two deaths each: each wants to be alone */
        struct exchange *exchange = attempt(i);
        session_forget(&exchange->attempts[0]);
        exchange->deaths = exchange->lost = 2;
        list_remove(&exchange->waiting);
        list_push(&story.pool->lines[LINE_CONSTRAINED], &exchange->waiting);
    }
    attempt(30);
    tick();
    assert_true(world.opened - 1 <= 4);
    end();
}

/* Questions that want a session each: a fresh one, one that saw a death, and two to be asked alone. */
static void ask_for_four_sessions(void)
{
    for (int i = 0; i < 4; i++) {
        struct exchange *exchange = attempt(i);
        exchange->deaths = exchange->lost = (uint8_t)(i < 2 ? i : EXCHANGE_ALONE);
        if (i == 0) continue;
        list_remove(&exchange->waiting);
        list_push(&story.pool->lines[LINE_CONSTRAINED], &exchange->waiting);
    }
    tick();
}

static void attempts_that_get_no_word_leave_room_for_the_next_upstream(void **state)
{
    (void)state;
    begin(2);
    ask_for_four_sessions();
    assert_int_equal(session_count_opening(&story.pool->upstreams[0]), 4); /* max_handshakes */
    pass_ms(260);
    assert_int_equal(session_count_opening(&story.pool->upstreams[1]), 4);
    fake_ready(4);
    tick();
    fake_answer(4, &story.askers[1].exchange, 0); /* asked already: it has waited longest */
    assert_answered(1);
    end();
}

static void an_upstream_that_failed_is_tried_once_at_a_time(void **state)
{
    (void)state;
    begin(1);
    ask_for_four_sessions();
    fake_end(0, CAUSE_CLOSED);
    for (unsigned i = 1; i < 4; i++) fake_end(i, CAUSE_CLOSED);
    pass_ms(240);
    assert_int_equal(world.opened, 5);
    fake_ready(4);
    tick();
    fake_answer(4, &story.askers[1].exchange, 0);
    tick();
    assert_int_equal(world.opened, 7); /* it is there again: one each for those still in line */
    end();
}

/* What hung in its handshake when the outage ended goes on hanging: only a new attempt sees the end. */
static void an_upstream_that_says_nothing_is_tried_again_every_second(void **state)
{
    (void)state;
    begin(1);
    attempt(0);
    tick();
    pass_ms(990);
    assert_int_equal(world.opened, 1);
    pass_ms(30);
    assert_int_equal(world.opened, 2);
    assert_non_null(world.sessions[0]);
    fake_ready(1);
    tick();
    fake_answer(1, &story.askers[0].exchange, 0);
    assert_answered(0);
    end();
}

static void in_a_long_silence_tries_stay_under_two_a_second_and_over_one_in_two(void **state)
{
    (void)state;
    for (unsigned upstreams = 1; upstreams <= 4; upstreams++) {
        begin(upstreams);
        for (int second = 0; second < 60; second++) {
            for (int i = 0; i < 10; i++)
                if (story.askers[i].done || second == 0) attempt(i);
            pass_ms(1000);
        }
        assert_in_range(world.opened, 30, 120);
        end();
    }
}

/* ---- upkeep ---- */

static void an_idle_session_is_closed_before_the_upstream_would(void **state)
{
    (void)state;
    begin_settled(1);
    pass_ms(7900);
    assert_non_null(world.sessions[0]);
    pass_ms(200);
    assert_null(world.sessions[0]);
    end();
}

static void with_recent_traffic_it_is_kept_warm_by_a_query_of_our_own(void **state)
{
    (void)state;
    struct pool_options options = story_options(1);
    options.keep_warm = true;
    begin_with(&options);
    attempt(0);
    tick();
    fake_ready(0);
    tick();
    fake_answer(0, &story.askers[0].exchange, 0);
    pass_ms(8001);
    assert_true(story.pool->probe.active);
    assert_true(exchange_is_on(&story.pool->probe.exchange, world.sessions[0]));
    fake_answer(0, &story.pool->probe.exchange, 0);
    assert_false(story.pool->probe.active);
    for (int i = 0; i < 50; i++) { /* five minutes on, nobody asks any more: it may go */
        pass_ms(8001);
        if (story.pool->probe.active && exchange_is_live(&story.pool->probe.exchange))
            fake_answer(0, &story.pool->probe.exchange, 0);
        if (!world.sessions[0]) break;
    }
    assert_null(world.sessions[0]);
    end();
}

static void an_old_session_is_replaced_before_it_goes(void **state)
{
    (void)state;
    begin_settled(1);
    world.sessions[0]->max_age_ns = 3 * NS_PER_S;
    pass_ms(3000);
    assert_int_equal(world.opened, 2);
    assert_int_equal(world.sessions[0]->state, SESSION_READY); /* still takes questions */
    struct exchange *meanwhile = attempt(0);
    assert_true(exchange_is_on(meanwhile, world.sessions[0]));
    fake_ready(1);
    tick();
    assert_int_equal(world.sessions[0]->state, SESSION_DRAINING);
    assert_true(exchange_is_on(attempt(1), world.sessions[1]));
    fake_answer(0, meanwhile, 0);
    assert_answered(0);
    tick();
    assert_null(world.sessions[0]);
    assert_true(world.resumed[1]);
    end();
}

static void a_full_handshake_comes_round_and_takes_over(void **state)
{
    (void)state;
    begin_settled(1);
    story.pool->upstreams[0].revalidate_at_ns = story.loop.now_ns + NS_PER_S;
    pass_ms(1001);
    assert_int_equal(world.opened, 2);
    assert_false(world.resumed[1]);
    fake_ready(1);
    tick();
    assert_null(world.sessions[0]);
    assert_int_equal(alive(), 1);
    end();
}

static void a_full_handshake_makes_no_idle_session_busy(void **state)
{
    (void)state;
    begin_settled(1);
    struct upstream *upstream = &story.pool->upstreams[0];
    for (unsigned i = 1; i < 5 && alive() > 0; i++) {
        upstream->revalidate_at_ns = story.loop.now_ns + 2 * NS_PER_S;
        pass_ms(2001);
        if (world.opened > i) fake_ready(i);
        tick();
    }
    assert_int_equal(alive(), 0); /* eight seconds after its last answer */
    end();
}

static void a_wrong_certificate_takes_the_upstream_out_of_use_with_its_sessions(void **state)
{
    (void)state;
    begin_settled(2);
    struct exchange *in_flight = attempt(0);
    story.pool->upstreams[0].revalidate_at_ns = story.loop.now_ns;
    pass_ms(20);
    assert_int_equal(world.opened, 2);
    fake_end(1, CAUSE_CERTIFICATE);
    assert_null(world.sessions[0]);
    assert_int_equal(story.pool->upstreams[0].state, UPSTREAM_CERTIFICATE);
    assert_int_equal(in_flight->deaths, 0); /* not its fault */
    tick();
    assert_int_equal(world.sessions[2]->upstream->index, 1);
    fake_ready(2);
    tick();
    fake_answer(2, in_flight, 0);
    assert_answered(0);
    end();
}

static void trust_comes_back_with_a_right_certificate(void **state)
{
    (void)state;
    begin_settled(1);
    story.pool->upstreams[0].revalidate_at_ns = story.loop.now_ns;
    pass_ms(20);
    fake_end(1, CAUSE_CERTIFICATE);
    attempt(0);
    pass_ms(100);
    assert_int_equal(story.askers[0].result, EXCHANGE_UNREACHABLE); /* at once: no wait would help */
    assert_int_equal(story.askers[0].done, 1);
    assert_false(world.resumed[world.opened - 1]);
    fake_ready(world.opened - 1);
    fake_answer(world.opened - 1, &story.pool->probes[0].exchange, 0);
    assert_int_equal(story.pool->upstreams[0].state, UPSTREAM_UP);
    end();
}

static void a_refused_resumption_is_tried_again_in_full_without_waiting(void **state)
{
    (void)state;
    begin_settled(1);
    fake_end(0, CAUSE_RESET);
    attempt(0);
    tick();
    assert_true(world.resumed[1]);
    world.sessions[1]->channel->state = CHANNEL_HANDSHAKING;
    fake_end(1, CAUSE_TLS);
    tick();
    assert_int_equal(world.opened, 3);
    assert_false(world.resumed[2]);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_connection_is_not_waited_for_alone),
        cmocka_unit_test(after_a_refusal_the_next_upstream_is_tried_at_once),
        cmocka_unit_test(a_preferred_upstream_is_used_again),
        cmocka_unit_test(an_upstream_that_failed_and_is_not_needed_is_found_out_by_probes),
        cmocka_unit_test(while_all_are_gone_few_tries_are_made_and_the_return_is_seen_soon),
        cmocka_unit_test(connecting_has_a_timeout),
        cmocka_unit_test(handshakes_at_once_are_bounded),
        cmocka_unit_test(attempts_that_get_no_word_leave_room_for_the_next_upstream),
        cmocka_unit_test(an_upstream_that_failed_is_tried_once_at_a_time),
        cmocka_unit_test(an_upstream_that_says_nothing_is_tried_again_every_second),
        cmocka_unit_test(in_a_long_silence_tries_stay_under_two_a_second_and_over_one_in_two),
        cmocka_unit_test(an_idle_session_is_closed_before_the_upstream_would),
        cmocka_unit_test(with_recent_traffic_it_is_kept_warm_by_a_query_of_our_own),
        cmocka_unit_test(an_old_session_is_replaced_before_it_goes),
        cmocka_unit_test(a_full_handshake_comes_round_and_takes_over),
        cmocka_unit_test(a_full_handshake_makes_no_idle_session_busy),
        cmocka_unit_test(a_wrong_certificate_takes_the_upstream_out_of_use_with_its_sessions),
        cmocka_unit_test(trust_comes_back_with_a_right_certificate),
        cmocka_unit_test(a_refused_resumption_is_tried_again_in_full_without_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
