/* When silence is held against a session, and against which others: stories told to the pool without sockets. */
#include "pool_story.h"

#include "upstream/opening.h"

static void answer_quickly(int times)
{
    for (int i = 0; i < times; i++) {
        struct exchange *exchange = attempt(39);
        story.loop.now_ns += NS_PER_MS;
        fake_answer(0, exchange, 0);
    }
}

/* Two sessions, the second of them idle: a question was hedged onto it, and answered. */
static void begin_with_spare(void)
{
    begin_settled(1);
    struct exchange *slow = attempt(0);
    pass_ms(30);
    fake_ready(1);
    tick();
    fake_answer(1, slow, 0);
    answer_quickly(40);
    assert_int_equal(rtt_timeout_ns(&story.pool->upstreams[0].rtt), RTT_TIMEOUT_MIN_NS);
    assert_int_equal(alive(), 2);
}

/* A question in flight on a silent session is answered elsewhere. Where that was the same upstream, it does answer. */
static void an_upstream_is_suspected_when_another_one_answers(void **state)
{
    (void)state;
    for (unsigned upstreams = 1; upstreams <= 2; upstreams++) {
        begin_settled(upstreams);
        story.pool->upstreams[0].reorders = false;
        struct exchange *slow = attempt(0);
        pass_ms(60);
        assert_int_equal(world.opened, 2);
        assert_int_equal(world.sessions[1]->upstream->index, upstreams - 1);
        fake_ready(1);
        tick();
        fake_answer(1, slow, 0);
        assert_answered(0);
        assert_int_equal(story.pool->upstreams[0].avoided, upstreams == 2);
        end();
    }
}

static void what_stopped_one_session_stopped_those_not_heard_since(void **state)
{
    (void)state;
    begin_with_spare();
    for (int i = 0; i < 5; i++) attempt(i);
    pass_ms(55); /* hedged onto the spare one, and no word from either */
    assert_int_equal(world.opened, 3);
    fake_ready(2);
    tick();
    for (int i = 0; i < 5; i++) {
        assert_true(exchange_is_on(&story.askers[i].exchange, world.sessions[2]));
        fake_answer(2, &story.askers[i].exchange, 0);
    }
    tick();
    assert_null(world.sessions[0]);
    assert_null(world.sessions[1]);
    end();
}

static void an_idle_session_not_heard_since_is_not_relied_on_either(void **state)
{
    (void)state;
    begin_with_spare();
    story.pool->upstreams[0].reads_batches = true; /* else the questions that shared a record are hedged */
    story.pool->hedge_credit = story.pool->options.hedge_percent = 0;
    for (int i = 0; i < 3; i++) attempt(i);
    pass_ms(55);
    assert_null(world.sessions[1]);
    assert_int_equal(world.opened, 3);
    fake_ready(2);
    tick();
    for (int i = 0; i < 3; i++) assert_true(exchange_is_on(&story.askers[i].exchange, world.sessions[2]));
    end();
}

static void a_session_heard_since_stays_when_another_hangs(void **state)
{
    (void)state;
    begin_with_spare();
    for (int i = 0; i < 5; i++) attempt(i);
    pass_ms(30);
    fake_answer(1, &story.askers[0].exchange, 0);
    pass_ms(25);
    assert_true(world.sessions[0]->doubted);
    assert_false(world.sessions[1]->doubted);
    assert_int_equal(world.opened, 2);
    end();
}

/* Three questions on session 0, which falls silent, so that they are asked on session 1, too. */
static void begin_hung(void)
{
    begin_settled(1);
    story.pool->hedge_credit = story.pool->options.hedge_percent = 0;
    for (int i = 0; i < 3; i++) attempt(i);
    pass_ms(55);
    fake_ready(1);
    tick();
    for (int i = 0; i < 3; i++) assert_true(exchange_is_on(&story.askers[i].exchange, world.sessions[1]));
}

/* The fastest answer took 10 ms: what the upstream does within 5 ms cannot be because of the question. */
static void a_question_that_cannot_have_arrived_did_not_end_the_session(void **state)
{
    (void)state;
    for (unsigned age_ms = 3; age_ms <= 6; age_ms += 3) { /* fake_end adds a millisecond */
        begin(1);
        struct exchange *exchange = first_attempt(0);
        pass_ms(10);
        fake_answer(0, exchange, DNS_RCODE_NOERROR);
        pass_ms(50); /* a session that ends directly after an answer accuses no question */
        exchange = attempt(1);
        pass_ms(age_ms);
        fake_end(0, CAUSE_RESET);
        assert_int_equal(exchange->lost, 1);
        assert_int_equal(exchange->deaths, age_ms == 6);
        end();
    }
}

static void a_hung_session_is_no_reason_not_to_ask_again(void **state)
{
    (void)state;
    begin_hung();
    fake_end(1, CAUSE_RESET);
    tick();
    for (unsigned i = 2; i < world.opened; i++) fake_ready(i);
    tick();
    for (int i = 0; i < 3; i++) {
        assert_true(exchange_is_on(&story.askers[i].exchange, world.sessions[0])); /* it may still speak */
        assert_non_null(session_of(&story.askers[i].exchange));
        assert_int_equal(story.askers[i].exchange.deaths, 1);
    }
    end();
}

static void a_question_in_flight_on_a_hung_session_may_end_no_more_than_six(void **state)
{
    (void)state;
    begin_hung();
    struct exchange *poison = &story.askers[0].exchange;
    int lost = 0;
    for (; story.askers[0].done == 0 && lost < 10; lost++) {
        struct session *session = session_of(poison);
        fake_end(number_of(session ? session : world.sessions[0]), CAUSE_CLOSED);
        tick();
        for (unsigned i = 0; i < world.opened; i++)
            if (world.sessions[i] && world.sessions[i]->state == SESSION_OPENING) fake_ready(i);
        tick();
    }
    assert_int_equal(lost, EXCHANGE_SESSIONS_MAX);
    assert_int_equal(story.askers[0].done, 1);
    assert_int_equal(story.askers[0].result, EXCHANGE_FAULTY);
    end();
}

static void a_question_with_an_invalid_answer_is_asked_again_beside_a_hung_session(void **state)
{
    (void)state;
    begin_hung();
    fake_garbage(1, &story.askers[0].exchange);
    fake_answer(1, &story.askers[1].exchange, 0);
    fake_answer(1, &story.askers[2].exchange, 0);
    tick();
    assert_true(exchange_is_on(&story.askers[0].exchange, world.sessions[1]));
    end();
}

static void however_slow_an_upstream_was_silence_leaves_time_for_two_more_asks(void **state)
{
    (void)state;
    for (int asked = 1; asked <= 3; asked += 2) {
        begin_settled(1);
        story.pool->hedge_credit = story.pool->options.hedge_percent = 0;
        story.pool->upstreams[0].rtt.smoothed_ns = NS_PER_S;
        story.pool->upstreams[0].rtt.doublings = 5; /* its sessions hung before */
        for (int i = 0; i < asked; i++) attempt(i);
        pass_ms(1490);
        assert_false(world.sessions[0]->doubted);
        pass_ms(20); /* a third of query_timeout */
        assert_true(world.sessions[0]->doubted);
        end();
    }
}

/* Whatever ended one session may be ending the next to the same upstream at this moment. */
static void after_a_death_another_upstream_is_asked_first_where_there_is_one(void **state)
{
    (void)state;
    for (unsigned upstreams = 1; upstreams <= 2; upstreams++) {
        begin_settled(upstreams);
        for (unsigned i = 0; i < upstreams; i++) {
            opening_begin(story.pool, &story.pool->upstreams[i], story.loop.now_ns);
            fake_ready(1 + i);
            if (i > 0) fake_answer(1 + i, &story.pool->probes[i].exchange, 0);
        }
        struct exchange *exchange = attempt(0);
        assert_true(exchange_is_on(exchange, world.sessions[0]));
        fake_end(0, CAUSE_CLOSED);
        assert_int_equal(exchange->deaths, 1);
        assert_true(exchange_is_on(exchange, world.sessions[upstreams])); /* the spare one, or the other upstream's */
        end();
    }
}

static void a_session_that_drains_and_falls_silent_is_not_waited_for(void **state)
{
    (void)state;
    begin_settled(1);
    story.pool->hedge_credit = story.pool->options.hedge_percent = 0;
    for (int i = 0; i < 3; i++) attempt(i);
    session_drain(world.sessions[0], CAUSE_AGE);
    pass_ms(55);
    fake_ready(1);
    tick();
    for (int i = 0; i < 3; i++) {
        assert_true(exchange_is_on(&story.askers[i].exchange, world.sessions[1]));
        fake_answer(1, &story.askers[i].exchange, 0);
    }
    tick();
    assert_null(world.sessions[0]);
    end();
}

static void what_drains_may_still_answer(void **state)
{
    (void)state;
    begin_settled(1);
    attempt(0);
    session_drain(world.sessions[0], CAUSE_AGE);
    tick();
    assert_int_equal(world.opened, 1);
    fake_answer(0, &story.askers[0].exchange, 0);
    assert_answered(0);
    end();
}

static void an_upstream_where_no_attempt_failed_is_asked_first(void **state)
{
    (void)state;
    begin_settled(3);
    for (unsigned i = 1; i < 3; i++) {
        opening_begin(story.pool, &story.pool->upstreams[i], story.loop.now_ns);
        fake_ready(i);
        fake_answer(i, &story.pool->probes[i].exchange, 0);
    }
    struct exchange *exchange = attempt(0);
    assert_true(exchange_is_on(exchange, world.sessions[0]));
    fake_end(0, CAUSE_RESET);
    assert_true(exchange_is_on(exchange, world.sessions[1])); /* of the second upstream */
    fake_end(1, CAUSE_RESET);
    tick();
    assert_int_equal(world.sessions[3]->upstream->index, 2); /* one of its own, as it is asked alone now */
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_that_drains_and_falls_silent_is_not_waited_for),
        cmocka_unit_test(what_drains_may_still_answer),
        cmocka_unit_test(an_upstream_is_suspected_when_another_one_answers),
        cmocka_unit_test(what_stopped_one_session_stopped_those_not_heard_since),
        cmocka_unit_test(an_idle_session_not_heard_since_is_not_relied_on_either),
        cmocka_unit_test(a_session_heard_since_stays_when_another_hangs),
        cmocka_unit_test(a_question_that_cannot_have_arrived_did_not_end_the_session),
        cmocka_unit_test(a_hung_session_is_no_reason_not_to_ask_again),
        cmocka_unit_test(a_question_in_flight_on_a_hung_session_may_end_no_more_than_six),
        cmocka_unit_test(a_question_with_an_invalid_answer_is_asked_again_beside_a_hung_session),
        cmocka_unit_test(after_a_death_another_upstream_is_asked_first_where_there_is_one),
        cmocka_unit_test(an_upstream_where_no_attempt_failed_is_asked_first),
        cmocka_unit_test(however_slow_an_upstream_was_silence_leaves_time_for_two_more_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
