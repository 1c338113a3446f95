/* How a question comes through, whatever upstreams do: stories told to the pool without sockets, with time as a number.
 */
#include "fake_session.h"

enum { ASKERS = 40 };

struct asker_story {
    struct exchange exchange;
    unsigned done;
    enum exchange_result result;
    uint16_t rcode;
};

static struct story {
    struct loop loop;
    struct buffers buffers;
    struct log log;
    struct counters *counters;
    struct tls_context tls;
    struct pool pool;
    struct asker_story askers[ASKERS];
    uint8_t scratch[16];
} story;

static void on_done(struct exchange *exchange, enum exchange_result result, const struct answer *answer)
{
    struct asker_story *asker = container_of(exchange, struct asker_story, exchange);
    asker->done++;
    asker->result = result;
    if (answer) asker->rcode = answer->rcode;
}

static struct pool_options options_for(unsigned upstreams)
{
    struct pool_options options = {
        .upstream_count = upstreams,
        .query_timeout_ns = 4500 * NS_PER_MS,
        .connect_timeout_ns = 2 * NS_PER_S,
        .idle_timeout_ns = 8 * NS_PER_S,
        .revalidate_ns = 3600 * NS_PER_S,
        .probe_ns = 4 * NS_PER_S,
        .max_in_flight = 100,
        .max_sessions = 4,
        .max_handshakes = 4,
        .hedge_percent = 100,
    };
    for (unsigned i = 0; i < upstreams; i++) {
        address_parse("127.0.0.1:853", 0, &options.upstreams[i].address);
        options.upstreams[i].address.port = (uint16_t)(853 + i);
        strcpy(options.upstreams[i].name, "dns.example");
    }
    return options;
}

static void begin_with(const struct pool_options *options)
{
    const struct log_options quiet = {.level = LOG_LEVEL_ERROR};
    memset(&world, 0, sizeof world);
    memset(&story, 0, sizeof story);
    story.loop.now_ns = 1000 * NS_PER_S;
    log_init(&story.log, &quiet, -1);
    story.counters = counters_new();
    const struct pool_place place = {&story.loop, &story.buffers, story.scratch, story.counters, &story.log, 1, false};
    assert_true(pool_init(&story.pool, options, &story.tls, &place));
}

static void begin(unsigned upstreams)
{
    const struct pool_options options = options_for(upstreams);
    begin_with(&options);
}

static void end(void)
{
    for (int i = 0; i < ASKERS; i++)
        if (story.askers[i].exchange.on_done && story.askers[i].done == 0) pool_cancel(&story.askers[i].exchange);
    for (unsigned i = 0; i < world.opened; i++)
        if (world.sessions[i] && story.pool.probing) pool_cancel(&story.pool.probe), story.pool.probing = false;
    pool_done(&story.pool);
    counters_free(story.counters);
    assert_int_equal(world.tickets, 0);
    for (unsigned i = 0; i < world.opened; i++) assert_null(world.sessions[i]);
}

static struct exchange *ask(int i)
{
    struct asker_story *asker = &story.askers[i];
    struct exchange *exchange = &asker->exchange;
    uint8_t name[] = {1, (uint8_t)('a' + i % 26), 1, (uint8_t)('a' + i / 26), 0, 0, 1, QUESTION_KEY_RD};
    memset(asker, 0, sizeof *asker);
    memcpy(exchange->key.bytes, name, sizeof name);
    exchange->key.size = sizeof name;
    exchange->on_done = on_done;
    pool_ask(&story.pool, exchange, story.loop.now_ns);
    return exchange;
}

static void tick(void)
{
    pool_tick(&story.pool, story.loop.now_ns);
}

/* Lets time pass as the worker's loop would: from deadline to deadline. */
static void pass_ms(uint64_t ms)
{
    uint64_t until_ns = story.loop.now_ns + ms * NS_PER_MS;
    while (story.loop.now_ns < until_ns) {
        uint64_t next_ns = pool_deadline_ns(&story.pool);
        if (next_ns <= story.loop.now_ns) next_ns = story.loop.now_ns + NS_PER_MS;
        story.loop.now_ns = next_ns < until_ns ? next_ns : until_ns;
        tick();
    }
}

static unsigned alive(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < world.opened; i++) count += world.sessions[i] != NULL;
    return count;
}

static unsigned number_of(const struct session *session)
{
    for (unsigned i = 0; i < world.opened; i++)
        if (world.sessions[i] == session) return i;
    fail_msg("no such session");
    return 0;
}

static void assert_answered(int i)
{
    assert_int_equal(story.askers[i].done, 1);
    assert_int_equal(story.askers[i].result, EXCHANGE_ANSWERED);
}

/* One session is ready and has proved itself with ten quick answers, so that the time-out is the least. */
static void begin_settled(unsigned upstreams)
{
    begin(upstreams);
    ask(39);
    tick();
    fake_ready(0);
    tick();
    for (int i = 0; i < 30; i++) {
        if (i > 0) ask(39);
        story.loop.now_ns += NS_PER_MS;
        fake_answer(0, &story.askers[39].exchange, 0);
    }
    assert_int_equal(rtt_timeout_ns(&story.pool.remotes[0].rtt), RTT_TIMEOUT_MIN_NS);
}

/* ---- the plain way ---- */

static void a_question_waits_for_a_session_and_is_answered_once(void **state)
{
    (void)state;
    begin(1);
    struct exchange *exchange = ask(0);
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
    for (int i = 0; i < 20; i++) ask(i);
    tick();
    fake_ready(0);
    tick();
    assert_int_equal(world.opened, 1);
    assert_int_equal(world.sessions[0]->in_flight, 20);
    for (int i = 19; i >= 0; i--) fake_answer(0, &story.askers[i].exchange, 0); /* in any order */
    for (int i = 0; i < 20; i++) assert_answered(i);
    end();
}

static void a_full_session_makes_the_next_question_open_another(void **state)
{
    (void)state;
    struct pool_options options = options_for(1);
    options.max_in_flight = 2;
    begin_with(&options);
    for (int i = 0; i < 3; i++) ask(i);
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
    ask(0);
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
    ask(0);
    pass_ms(4501);
    assert_int_equal(story.askers[0].result, EXCHANGE_UNREACHABLE);
    assert_true(pool_is_down(&story.pool));
    end();
}

/* ---- dead sessions ---- */

static void a_dead_sessions_questions_are_asked_elsewhere_at_once(void **state)
{
    (void)state;
    begin_settled(1);
    for (int i = 0; i < 5; i++) ask(i);
    fake_end(0, LABEL_FAILURE_RESET);
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
    struct exchange *suspect = ask(0);
    fake_end(0, LABEL_FAILURE_CLOSED);
    struct exchange *fresh = ask(1);
    tick();
    assert_int_equal(world.opened, 3); /* one for each kind */
    fake_ready(1);
    fake_ready(2);
    tick();
    assert_true(exchange_is_live(suspect) && exchange_is_live(fresh));
    assert_ptr_not_equal(suspect->asks[0].session, fresh->asks[0].session);
    end();
}

static void a_question_that_kills_sessions_is_given_up_after_three_and_alone_on_the_last(void **state)
{
    (void)state;
    begin_settled(1);
    struct exchange *poison = ask(0);
    for (int death = 1; death <= 3; death++) {
        unsigned killed = number_of(poison->asks[0].session);
        if (death == 3) assert_int_equal(world.sessions[killed]->in_flight, 1);
        fake_end(killed, LABEL_FAILURE_CLOSED);
        if (death == 3) break;
        ask(10 + death); /* a fresh question comes by */
        tick();
        for (unsigned i = 0; i < world.opened; i++)
            if (world.sessions[i] && world.sessions[i]->state < SESSION_READY) fake_ready(i);
        tick();
    }
    assert_true(exchange_is_live(&story.askers[11].exchange) && exchange_is_live(&story.askers[12].exchange));
    assert_int_equal(story.askers[0].done, 1);
    assert_int_equal(story.askers[0].result, EXCHANGE_FAULTY);
    assert_int_equal(story.pool.remotes[0].backoff.failures, 0); /* the upstream is not to blame */
    end();
}

static void answers_that_are_none_count_against_the_question_not_the_session(void **state)
{
    (void)state;
    begin_settled(1);
    struct exchange *other = ask(1);
    struct exchange *bad = ask(0);
    fake_garbage(0, bad);
    assert_non_null(world.sessions[0]);
    assert_true(exchange_is_on(other, world.sessions[0]));
    assert_int_equal(bad->deaths, 1);
    fake_answer(0, other, 0);
    assert_answered(1);
    end();
}

static void an_idle_session_that_dies_costs_nobody_anything(void **state)
{
    (void)state;
    begin_settled(1);
    story.loop.now_ns += 5 * NS_PER_S;
    fake_end(0, LABEL_FAILURE_CLOSED);
    assert_int_equal(story.pool.remotes[0].backoff.failures, 0);
    assert_int_equal(story.pool.remotes[0].idle_limit_ns, 5 * NS_PER_S); /* and is learnt from */
    end();
}

/* ---- silence ---- */

static void an_overdue_question_is_hedged_and_the_first_answer_wins(void **state)
{
    (void)state;
    begin_settled(1);
    struct exchange *slow = ask(0);
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
    struct pool_options options = options_for(1);
    options.hedge_percent = 10;
    begin_with(&options);
    for (int i = 0; i < 30; i++) ask(i);
    tick();
    fake_ready(0);
    tick();
    for (int i = 0; i < 10; i++) fake_answer(0, &story.askers[i].exchange, 0); /* so it is not hung */
    story.pool.options.max_sessions = 1;
    story.loop.now_ns += 2 * NS_PER_S;
    world.sessions[0]->asked_in_silence = 0;
    tick();
    assert_int_equal(counter_read(&story.counters->upstream_retries[0][LABEL_RETRY_HEDGE]), 3); /* 10 % of 30 */
    end();
}

static void a_session_silent_to_three_is_hung_and_all_are_asked_elsewhere(void **state)
{
    (void)state;
    begin_settled(1);
    for (int i = 0; i < 5; i++) ask(i);
    pass_ms(55);
    assert_true(world.sessions[0]->doubted);
    assert_int_equal(counter_read(&story.counters->upstream_failures[0][LABEL_FAILURE_HUNG]), 1);
    fake_ready(1);
    tick();
    assert_int_equal(world.sessions[1]->in_flight, 5);
    for (int i = 0; i < 4; i++) fake_answer(1, &story.askers[i].exchange, 0);
    fake_answer(0, &story.askers[4].exchange, 0); /* it speaks after all: that counts, too */
    for (int i = 0; i < 5; i++) assert_answered(i);
    end();
}

static void a_question_hedged_onto_a_session_that_hangs_too_is_asked_a_third_time(void **state)
{
    (void)state;
    begin_settled(1);
    for (int i = 0; i < 3; i++) ask(i);
    pass_ms(30); /* hedged: a second session is on its way */
    fake_ready(1);
    tick();
    assert_int_equal(world.sessions[1]->in_flight, 3);
    for (int i = 3; i < 6; i++) ask(i); /* on the first still, or on the second */
    pass_ms(1000);
    assert_true(world.sessions[0]->doubted && world.sessions[1]->doubted);
    assert_true(world.opened > 2);
    for (unsigned n = 2; n < world.opened; n++)
        if (world.sessions[n] && world.sessions[n]->state < SESSION_READY) fake_ready(n);
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
    struct exchange *slow = ask(0);
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
    for (int i = 0; i < 6; i++) ask(i); /* never answered */
    for (int i = 0; i < 30; i++) {
        struct exchange *exchange = ask(20);
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
    for (int i = 0; i < 3; i++) ask(i);
    pass_ms(55);
    fake_ready(1);
    tick();
    for (int i = 0; i < 3; i++) fake_answer(1, &story.askers[i].exchange, 0);
    tick();
    assert_null(world.sessions[0]);
    assert_non_null(world.sessions[1]);
    end();
}

/* ---- opening ---- */

static void a_slow_connection_is_not_waited_for_alone(void **state)
{
    (void)state;
    begin(2);
    ask(0);
    tick();
    assert_int_equal(world.opened, 1);
    pass_ms(260);
    assert_int_equal(world.opened, 2);
    assert_int_equal(world.sessions[1]->remote->index, 1);
    fake_ready(1);
    tick();
    fake_answer(1, &story.askers[0].exchange, 0);
    assert_answered(0);
    end();
}

static void a_refusing_upstream_gives_way_to_the_next_at_once(void **state)
{
    (void)state;
    begin(2);
    world.refuse[0] = true;
    ask(0);
    tick();
    assert_int_equal(world.opened, 1);
    assert_int_equal(world.sessions[0]->remote->index, 1);
    end();
}

static void while_all_are_gone_few_tries_are_made_and_the_return_is_seen_soon(void **state)
{
    (void)state;
    struct pool_options options = options_for(4);
    options.keep_warm = true;
    begin_with(&options);
    for (int i = 0; i < 4; i++) world.refuse[i] = true;
    for (int second = 0; second < 60; second++) {
        if (story.askers[0].done || second == 0) ask(0);
        pass_ms(1000);
    }
    uint64_t tries = 0;
    for (int i = 0; i < 4; i++) tries += counter_read(&story.counters->upstream_connects[i][0]);
    assert_in_range(tries, 20, 120 + 20); /* two a second, and the first quick ones */
    ask(1);
    for (int i = 0; i < 4; i++) world.refuse[i] = false;
    pass_ms(2300);
    assert_true(world.opened >= 1);
    end();
}

static void connecting_has_a_timeout(void **state)
{
    (void)state;
    begin(1);
    ask(0);
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
        struct exchange *exchange = ask(i);
        session_forget(&exchange->asks[0]);
        exchange->deaths = 2;
        list_push(&story.pool.waiting, &exchange->waiting);
    }
    ask(30);
    tick();
    assert_true(world.opened - 1 <= 4);
    end();
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
    struct pool_options options = options_for(1);
    options.keep_warm = true;
    begin_with(&options);
    ask(0);
    tick();
    fake_ready(0);
    tick();
    fake_answer(0, &story.askers[0].exchange, 0);
    pass_ms(8001);
    assert_true(story.pool.probing);
    assert_true(exchange_is_on(&story.pool.probe, world.sessions[0]));
    fake_answer(0, &story.pool.probe, 0);
    assert_false(story.pool.probing);
    for (int i = 0; i < 50; i++) { /* five minutes on, nobody asks any more: it may go */
        pass_ms(8001);
        if (story.pool.probing && exchange_is_live(&story.pool.probe)) fake_answer(0, &story.pool.probe, 0);
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
    struct exchange *meanwhile = ask(0);
    assert_true(exchange_is_on(meanwhile, world.sessions[0]));
    fake_ready(1);
    tick();
    assert_int_equal(world.sessions[0]->state, SESSION_DRAINING);
    assert_true(exchange_is_on(ask(1), world.sessions[1]));
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
    story.pool.remotes[0].revalidate_at_ns = story.loop.now_ns + NS_PER_S;
    pass_ms(1001);
    assert_int_equal(world.opened, 2);
    assert_false(world.resumed[1]);
    fake_ready(1);
    tick();
    assert_null(world.sessions[0]);
    assert_int_equal(alive(), 1);
    end();
}

static void a_wrong_certificate_takes_the_upstream_out_of_use_with_its_sessions(void **state)
{
    (void)state;
    begin_settled(2);
    struct exchange *in_flight = ask(0);
    story.pool.remotes[0].revalidate_at_ns = story.loop.now_ns;
    pass_ms(20);
    assert_int_equal(world.opened, 2);
    fake_end(1, LABEL_FAILURE_CERTIFICATE);
    assert_null(world.sessions[0]);
    assert_true(story.pool.remotes[0].distrusted);
    assert_int_equal(in_flight->deaths, 0); /* not its fault */
    tick();
    assert_int_equal(world.sessions[2]->remote->index, 1);
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
    story.pool.remotes[0].revalidate_at_ns = story.loop.now_ns;
    pass_ms(20);
    fake_end(1, LABEL_FAILURE_CERTIFICATE);
    ask(0);
    pass_ms(100);
    assert_false(world.resumed[world.opened - 1]);
    fake_ready(world.opened - 1);
    assert_false(story.pool.remotes[0].distrusted);
    end();
}

static void a_refused_resumption_is_tried_again_in_full_without_waiting(void **state)
{
    (void)state;
    begin_settled(1);
    fake_end(0, LABEL_FAILURE_RESET);
    ask(0);
    tick();
    assert_true(world.resumed[1]);
    world.sessions[1]->state = SESSION_HANDSHAKING;
    fake_end(1, LABEL_FAILURE_TLS);
    tick();
    assert_int_equal(world.opened, 3);
    assert_false(world.resumed[2]);
    end();
}

/* ---- second opinions ---- */

static void servfail_is_asked_of_an_upstream_of_another_name(void **state)
{
    (void)state;
    struct pool_options options = options_for(2);
    strcpy(options.upstreams[1].name, "other.example");
    begin_with(&options);
    struct exchange *exchange = ask(0);
    tick();
    fake_ready(0);
    tick();
    fake_answer(0, exchange, DNS_RCODE_SERVFAIL);
    assert_int_equal(story.askers[0].done, 0);
    tick();
    fake_end(1, LABEL_FAILURE_REFUSED); /* the first of the list is tried first; it has nothing to say here */
    pass_ms(50);
    assert_int_equal(story.askers[0].done, 0);
    end();
}

static void where_nobody_has_a_better_answer_the_first_stands(void **state)
{
    (void)state;
    struct pool_options options = options_for(2);
    strcpy(options.upstreams[1].name, "other.example");
    begin_with(&options);
    struct exchange *exchange = ask(0);
    tick();
    fake_ready(0);
    tick();
    world.refuse[1] = true;
    fake_answer(0, exchange, DNS_RCODE_REFUSED);
    pass_ms(4501);
    assert_answered(0);
    assert_int_equal(story.askers[0].rcode, DNS_RCODE_REFUSED);
    end();
}

static void siblings_of_one_name_are_not_asked_for_a_second_opinion(void **state)
{
    (void)state;
    begin(2);
    struct exchange *exchange = ask(0);
    tick();
    fake_ready(0);
    tick();
    fake_answer(0, exchange, DNS_RCODE_SERVFAIL);
    assert_answered(0);
    assert_int_equal(story.askers[0].rcode, DNS_RCODE_SERVFAIL);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_waits_for_a_session_and_is_answered_once),
        cmocka_unit_test(many_questions_share_one_session),
        cmocka_unit_test(a_full_session_makes_the_next_question_open_another),
        cmocka_unit_test(without_an_answer_the_question_ends_at_its_total_timeout),
        cmocka_unit_test(without_a_session_it_ends_as_unreachable),
        cmocka_unit_test(a_dead_sessions_questions_are_asked_elsewhere_at_once),
        cmocka_unit_test(a_question_that_saw_a_death_is_kept_apart_from_fresh_ones),
        cmocka_unit_test(a_question_that_kills_sessions_is_given_up_after_three_and_alone_on_the_last),
        cmocka_unit_test(answers_that_are_none_count_against_the_question_not_the_session),
        cmocka_unit_test(an_idle_session_that_dies_costs_nobody_anything),
        cmocka_unit_test(an_overdue_question_is_hedged_and_the_first_answer_wins),
        cmocka_unit_test(hedges_are_held_to_their_share),
        cmocka_unit_test(a_session_silent_to_three_is_hung_and_all_are_asked_elsewhere),
        cmocka_unit_test(a_question_hedged_onto_a_session_that_hangs_too_is_asked_a_third_time),
        cmocka_unit_test(one_slow_name_does_not_make_a_session_hung),
        cmocka_unit_test(names_that_are_never_answered_do_not_make_a_talking_session_hung),
        cmocka_unit_test(a_hung_session_goes_when_nothing_waits_on_it),
        cmocka_unit_test(a_slow_connection_is_not_waited_for_alone),
        cmocka_unit_test(a_refusing_upstream_gives_way_to_the_next_at_once),
        cmocka_unit_test(while_all_are_gone_few_tries_are_made_and_the_return_is_seen_soon),
        cmocka_unit_test(connecting_has_a_timeout),
        cmocka_unit_test(handshakes_at_once_are_bounded),
        cmocka_unit_test(an_idle_session_is_closed_before_the_upstream_would),
        cmocka_unit_test(with_recent_traffic_it_is_kept_warm_by_a_query_of_our_own),
        cmocka_unit_test(an_old_session_is_replaced_before_it_goes),
        cmocka_unit_test(a_full_handshake_comes_round_and_takes_over),
        cmocka_unit_test(a_wrong_certificate_takes_the_upstream_out_of_use_with_its_sessions),
        cmocka_unit_test(trust_comes_back_with_a_right_certificate),
        cmocka_unit_test(a_refused_resumption_is_tried_again_in_full_without_waiting),
        cmocka_unit_test(servfail_is_asked_of_an_upstream_of_another_name),
        cmocka_unit_test(where_nobody_has_a_better_answer_the_first_stands),
        cmocka_unit_test(siblings_of_one_name_are_not_asked_for_a_second_opinion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
