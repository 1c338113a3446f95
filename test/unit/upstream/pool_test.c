/* How a question comes through, whatever upstreams do: stories told to the pool without sockets. */
#include "pool_story.h"

/* ---- the plain way ---- */

static void a_question_waits_for_a_session_and_is_answered_once(void **state)
{
    (void)state;
    begin(1);
    struct exchange *exchange = attempt(0);
    assert_false(exchange_is_live(exchange));
    tick();
    assert_int_equal(world.opened, 1);
    fake_ready(0);
    tick();
    assert_true(exchange_is_on(exchange, world.sessions[0]));
    fake_answer(0, exchange, 0);
    assert_answered(0);
    end();
}

static void many_questions_share_one_session(void **state)
{
    (void)state;
    begin(1);
    for (int i = 0; i < 20; i++) attempt(i);
    tick();
    fake_ready(0);
    tick();
    assert_int_equal(world.opened, 1);
    assert_int_equal(world.sessions[0]->in_flight, 20);
    for (int i = 19; i >= 0; i--) fake_answer(0, &story.askers[i].exchange, 0); /* in any order */
    for (int i = 0; i < 20; i++) assert_answered(i);
    end();
}

/* Of a route whose upstreams are asked over TLS and over plain TCP, in either order. */
static void questions_are_padded_over_tls_alone(void **state)
{
    (void)state;
    for (unsigned tcp = 0; tcp < 2; tcp++)
        for (unsigned used = 0; used < 2; used++) {
            struct pool_options options = options_for(2);
            options.route = "corp.example";
            options.padding = 128;
            options.upstreams[tcp].transport = UPSTREAM_TCP;
            begin_with(&options);
            world.refuse[1 - used] = true;
            attempt(0);
            tick();
            fake_ready(0);
            tick();
            assert_int_equal(world.sessions[0]->upstream->index, used);
            size_t size = world.sessions[0]->channel->sent_bytes;
            assert_int_equal(size % 128 == 0, used != tcp);
            assert_true(size > 0);
            end();
        }
}

static void a_full_session_makes_the_next_question_open_another(void **state)
{
    (void)state;
    struct pool_options options = story_options(1);
    options.max_in_flight = 2;
    begin_with(&options);
    for (int i = 0; i < 3; i++) attempt(i);
    tick();
    fake_ready(0);
    tick();
    assert_int_equal(world.sessions[0]->in_flight, 2);
    assert_int_equal(world.opened, 2);
    fake_ready(1);
    tick();
    assert_int_equal(world.sessions[1]->in_flight, 1);
    end();
}

static void without_an_answer_the_question_ends_at_its_total_timeout(void **state)
{
    (void)state;
    begin(1);
    attempt(0);
    tick();
    fake_ready(0);
    pass_ms(4499);
    assert_int_equal(story.askers[0].done, 0);
    pass_ms(2);
    assert_int_equal(story.askers[0].done, 1);
    assert_int_equal(story.askers[0].result, EXCHANGE_TIMED_OUT);
    end();
}

static void without_a_session_it_ends_as_unreachable(void **state)
{
    (void)state;
    begin(2);
    world.refuse[0] = world.refuse[1] = true;
    attempt(0);
    pass_ms(4501);
    assert_int_equal(story.askers[0].result, EXCHANGE_UNREACHABLE);
    assert_true(pool_is_down(story.pool));
    end();
}

/* ---- dead sessions ---- */

static void a_dead_sessions_questions_are_asked_elsewhere_at_once(void **state)
{
    (void)state;
    begin_settled(1);
    for (int i = 0; i < 5; i++) attempt(i);
    fake_end(0, CAUSE_RESET);
    tick();
    assert_int_equal(world.opened, 2);
    fake_ready(1);
    tick();
    assert_int_equal(world.sessions[1]->in_flight, 5);
    for (int i = 0; i < 5; i++) fake_answer(1, &story.askers[i].exchange, 0);
    for (int i = 0; i < 5; i++) assert_answered(i);
    end();
}

static void a_question_that_saw_a_death_is_kept_apart_from_fresh_ones(void **state)
{
    (void)state;
    begin_settled(1);
    struct exchange *suspect = attempt(0);
    fake_end(0, CAUSE_CLOSED);
    struct exchange *fresh = attempt(1);
    tick();
    assert_int_equal(world.opened, 3); /* one for each kind */
    fake_ready(1);
    fake_ready(2);
    tick();
    assert_true(exchange_is_live(suspect) && exchange_is_live(fresh));
    assert_ptr_not_equal(suspect->attempts[0].session, fresh->attempts[0].session);
    end();
}

static void a_question_that_ends_sessions_is_given_up_after_six_and_alone_from_the_third_on(void **state)
{
    (void)state;
    begin_settled(1);
    struct exchange *poison = attempt(0);
    for (int lost = 1; lost <= EXCHANGE_SESSIONS_MAX; lost++) {
        assert_true(exchange_is_live(poison));
        unsigned ended = number_of(session_of(poison));
        if (lost > EXCHANGE_ALONE) assert_int_equal(world.sessions[ended]->in_flight, 1);
        fake_end(ended, CAUSE_CLOSED);
        assert_int_equal(poison->lost, lost);
        if (lost == EXCHANGE_SESSIONS_MAX) break;
        attempt(10 + lost); /* a fresh question comes by */
        tick();
        for (unsigned i = 0; i < world.opened; i++)
            if (world.sessions[i] && world.sessions[i]->state == SESSION_OPENING) fake_ready(i);
        tick();
    }
    for (int i = 11; i < 16; i++) assert_true(exchange_is_live(&story.askers[i].exchange));
    assert_int_equal(story.askers[0].done, 1);
    assert_int_equal(story.askers[0].result, EXCHANGE_FAULTY);
    assert_int_equal(story.pool->upstreams[0].backoff.failures, 0); /* the upstream is not to blame */
    end();
}

static void a_silent_suspect_does_not_keep_its_session_to_itself(void **state)
{
    (void)state;
    begin_settled(1);
    story.pool->options.max_sessions = 1;
    struct exchange *silent = attempt(0);
    session_forget(&silent->attempts[0]);
    silent->deaths = EXCHANGE_ALONE;
    dispatch_again(story.pool, silent);
    struct exchange *fresh = attempt(1);
    assert_true(exchange_is_on(silent, world.sessions[0]));
    assert_false(exchange_is_live(fresh)); /* it is alone there, */
    pass_ms(40);
    assert_true(exchange_is_on(silent, world.sessions[0]));
    assert_true(exchange_is_on(fresh, world.sessions[0])); /* until it is overdue */
    end();
}

static void suspects_are_asked_a_few_at_a_time(void **state)
{
    (void)state;
    begin_settled(1);
    for (int i = 0; i < 30; i++) attempt(i);
    fake_end(0, CAUSE_RESET);
    tick();
    fake_ready(1);
    tick();
    assert_int_equal(world.sessions[1]->in_flight, 8);
    for (int i = 0; i < 30; i++) {
        fake_answer(1, &story.askers[i].exchange, 0);
        tick();
    }
    for (int i = 0; i < 30; i++) assert_answered(i);
    end();
}

static void invalid_answers_count_against_the_question_not_the_session(void **state)
{
    (void)state;
    begin_settled(1);
    struct exchange *other = attempt(1);
    struct exchange *bad = attempt(0);
    fake_garbage(0, bad);
    assert_non_null(world.sessions[0]);
    assert_true(exchange_is_on(other, world.sessions[0]));
    assert_int_equal(bad->invalid, 1);
    fake_answer(0, other, 0);
    assert_answered(1);
    end();
}

static void an_idle_session_that_dies_costs_nobody_anything(void **state)
{
    (void)state;
    begin_settled(1);
    story.loop.now_ns += 5 * NS_PER_S;
    fake_end(0, CAUSE_CLOSED);
    assert_int_equal(story.pool->upstreams[0].backoff.failures, 0);
    assert_int_equal(story.pool->upstreams[0].idle_limit_ns, 5 * NS_PER_S + 21 * NS_PER_MS); /* and is learnt from */
    end();
}

/* ---- silence ---- */

static void an_overdue_question_is_hedged_and_the_first_answer_wins(void **state)
{
    (void)state;
    begin_settled(1);
    struct exchange *slow = attempt(0);
    pass_ms(30);
    assert_int_equal(world.opened, 2);
    fake_ready(1);
    tick();
    assert_true(exchange_is_on(slow, world.sessions[0]) && exchange_is_on(slow, world.sessions[1]));
    fake_answer(1, slow, 0);
    assert_answered(0);
    assert_int_equal(world.sessions[0]->in_flight, 0); /* the other ask is forgotten */
    end();
}

static void hedges_are_held_to_their_share(void **state)
{
    (void)state;
    struct pool_options options = story_options(1);
    options.hedge_percent = 10;
    begin_with(&options);
    story.pool->hedge_credit = 0;
    for (int i = 0; i < 30; i++) attempt(i);
    tick();
    fake_ready(0);
    tick();
    for (int i = 0; i < 10; i++) fake_answer(0, &story.askers[i].exchange, 0); /* so it is not hung */
    story.pool->options.max_sessions = 1;
    story.loop.now_ns += 2 * NS_PER_S;
    tick();
    assert_int_equal(counter_read(&story.counters->upstream_retries[0][LABEL_RETRY_HEDGE]),
                     3 + 2); /* 10 % of 30, and one a second */
    end();
}

static void a_session_silent_to_three_is_hung_and_all_are_asked_elsewhere(void **state)
{
    (void)state;
    begin_settled(1);
    for (int i = 0; i < 5; i++) attempt(i);
    pass_ms(55);
    assert_true(world.sessions[0]->doubted);
    assert_int_equal(counter_read(&story.counters->upstream_failures[0][LABEL_FAILURE_HUNG]), 1);
    fake_ready(1);
    tick();
    for (int i = 0; i < 5; i++) assert_true(exchange_is_on(&story.askers[i].exchange, world.sessions[1]));
    for (int i = 0; i < 4; i++) fake_answer(1, &story.askers[i].exchange, 0);
    fake_answer(0, &story.askers[4].exchange, 0); /* it speaks after all: that counts, too */
    for (int i = 0; i < 5; i++) assert_answered(i);
    end();
}

static void a_question_hedged_onto_a_session_that_hangs_too_is_asked_a_third_time(void **state)
{
    (void)state;
    begin_settled(1);
    for (int i = 0; i < 3; i++) attempt(i);
    pass_ms(30); /* hedged: a second session is on its way */
    fake_ready(1);
    tick();
    assert_int_equal(world.sessions[1]->in_flight, 3);
    for (int i = 3; i < 6; i++) attempt(i); /* on the first still, or on the second */
    pass_ms(1000);
    assert_true(world.sessions[0]->doubted && world.sessions[1]->doubted);
    assert_true(world.opened > 2);
    for (unsigned n = 2; n < world.opened; n++)
        if (world.sessions[n] && world.sessions[n]->state == SESSION_OPENING) fake_ready(n);
    tick();
    for (int i = 0; i < 6; i++) assert_int_equal(story.askers[i].done, 0);
    for (int i = 0; i < 6; i++)
        assert_true(exchange_is_on(&story.askers[i].exchange, world.sessions[world.opened - 1]));
    end();
}

static void one_slow_name_does_not_make_a_session_hung(void **state)
{
    (void)state;
    begin_settled(1);
    struct exchange *slow = attempt(0);
    pass_ms(300);
    assert_false(world.sessions[0]->doubted);
    fake_answer(0, slow, 0);
    assert_answered(0);
    end();
}

static void names_that_are_never_answered_do_not_make_a_talking_session_hung(void **state)
{
    (void)state;
    begin_settled(1);
    for (int i = 0; i < 6; i++) attempt(i); /* never answered */
    for (int i = 0; i < 30; i++) {
        struct exchange *exchange = attempt(20);
        pass_ms(10);
        fake_answer(0, exchange, 0);
    }
    assert_false(world.sessions[0]->doubted);
    end();
}

static void a_hung_session_goes_when_nothing_waits_on_it(void **state)
{
    (void)state;
    begin_settled(1);
    for (int i = 0; i < 3; i++) attempt(i);
    pass_ms(55);
    fake_ready(1);
    tick();
    for (int i = 0; i < 3; i++) fake_answer(1, &story.askers[i].exchange, 0);
    tick();
    assert_null(world.sessions[0]);
    assert_non_null(world.sessions[1]);
    end();
}

static void a_session_that_speaks_again_is_shown_again(void **state)
{
    (void)state;
    begin_settled(1);
    const _Atomic uint64_t *shown = &story.counters->upstream_sessions[0][0];
    for (int i = 0; i < 3; i++) attempt(i);
    pass_ms(55);
    assert_int_equal(counter_read(shown), 0);
    fake_answer(0, &story.askers[0].exchange, 0);
    tick();
    assert_int_equal(counter_read(shown), 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_waits_for_a_session_and_is_answered_once),
        cmocka_unit_test(many_questions_share_one_session),
        cmocka_unit_test(questions_are_padded_over_tls_alone),
        cmocka_unit_test(a_full_session_makes_the_next_question_open_another),
        cmocka_unit_test(without_an_answer_the_question_ends_at_its_total_timeout),
        cmocka_unit_test(without_a_session_it_ends_as_unreachable),
        cmocka_unit_test(a_dead_sessions_questions_are_asked_elsewhere_at_once),
        cmocka_unit_test(a_question_that_saw_a_death_is_kept_apart_from_fresh_ones),
        cmocka_unit_test(a_question_that_ends_sessions_is_given_up_after_six_and_alone_from_the_third_on),
        cmocka_unit_test(a_silent_suspect_does_not_keep_its_session_to_itself),
        cmocka_unit_test(suspects_are_asked_a_few_at_a_time),
        cmocka_unit_test(invalid_answers_count_against_the_question_not_the_session),
        cmocka_unit_test(an_idle_session_that_dies_costs_nobody_anything),
        cmocka_unit_test(an_overdue_question_is_hedged_and_the_first_answer_wins),
        cmocka_unit_test(hedges_are_held_to_their_share),
        cmocka_unit_test(a_session_silent_to_three_is_hung_and_all_are_asked_elsewhere),
        cmocka_unit_test(a_question_hedged_onto_a_session_that_hangs_too_is_asked_a_third_time),
        cmocka_unit_test(one_slow_name_does_not_make_a_session_hung),
        cmocka_unit_test(names_that_are_never_answered_do_not_make_a_talking_session_hung),
        cmocka_unit_test(a_hung_session_goes_when_nothing_waits_on_it),
        cmocka_unit_test(a_session_that_speaks_again_is_shown_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
