/* An answer behind its end is given where upstream takes too long, fails or is down (RFC 8767). */
#include "forwarder_story.h"

enum { PATIENCE_MS = 1800, STALE_TTL_S = 30 };

/* A story in which a.test had an answer, number 1, that has come to its end. */
static void begin_expired_with(const struct story_options *options, uint32_t ttl)
{
    begin_with(options);
    attempt(0, "a.test");
    fake_answer(0, ttl, 1);
    pass_ns(ttl * NS_PER_S);
}

static void begin_expired(void)
{
    const struct story_options options = usual_story();
    begin_expired_with(&options, 300);
}

static void assert_stale(uint32_t client)
{
    assert_int_equal(reply_rcode(client), DNS_RCODE_NOERROR);
    assert_int_equal(reply_number(client), 1);
    assert_int_equal(reply_ttl(client), STALE_TTL_S);
    assert_int_equal(reply_error_code(client), DNS_EDE_STALE);
}

static void upstream_has_its_time_then_the_stale_answer_does(void **state)
{
    (void)state;
    begin_expired();
    ask_edns(1, "a.test");
    assert_int_equal(fake_pool.count, 2);
    assert_int_equal(forwarder_deadline_ns(&story.forwarder), story.loop.now_ns + PATIENCE_MS * NS_PER_MS);
    pass_ms(PATIENCE_MS - 1);
    assert_int_equal(replies(1), 0);
    pass_ms(1);
    assert_stale(1);
    assert_int_equal(count(&story.counters->cache_stale[0][0]), 1);
    assert_int_equal(count_source(LABEL_SOURCE_STALE), 1);

    fake_answer(1, 300, 2); /* what was asked goes on in the background */
    assert_int_equal(replies(1), 1);
    ask_edns(2, "a.test");
    assert_int_equal(reply_number(2), 2);
    assert_int_equal(reply_error_code(2), DNS_EDE_NONE);
    assert_int_equal(fake_pool.count, 2);
    end();
}

static void an_answer_in_time_is_not_stale(void **state)
{
    (void)state;
    begin_expired();
    ask_edns(1, "a.test");
    pass_ms(PATIENCE_MS - 1);
    fake_answer(1, 300, 2);
    assert_int_equal(reply_number(1), 2);
    assert_int_equal(reply_error_code(1), DNS_EDE_NONE);
    assert_int_equal(forwarder_deadline_ns(&story.forwarder), CLOCK_NEVER);
    pass_ms(10 * PATIENCE_MS);
    assert_int_equal(replies(1), 1);
    end();
}

static void all_who_wait_are_given_it_by_the_patience_of_the_first(void **state)
{
    (void)state;
    begin_expired();
    ask_edns(1, "a.test");
    pass_ms(PATIENCE_MS - 1);
    ask_edns(2, "a.test");
    assert_int_equal(replies(2), 0);
    pass_ms(1);
    assert_stale(1);
    assert_stale(2);
    ask_edns(3, "a.test"); /* patience is over */
    assert_stale(3);
    assert_int_equal(fake_pool.count, 2);
    end();
}

static void without_edns_nothing_says_that_it_is_stale(void **state)
{
    (void)state;
    struct edns edns;
    begin_expired();
    attempt(1, "a.test");
    pass_ms(PATIENCE_MS);
    assert_int_equal(reply_number(1), 1);
    assert_false(reply_edns(1, &edns));
    end();
}

static void the_ttl_is_30_whatever_it_was(void **state)
{
    (void)state;
    const struct story_options options = usual_story();
    begin_expired_with(&options, 2);
    ask_edns(1, "a.test");
    pass_ms(PATIENCE_MS);
    assert_stale(1);
    end();
}

static void who_knows_that_upstream_is_down_does_not_wait(void **state)
{
    (void)state;
    begin_expired();
    fake_pool.down = true;
    ask_edns(1, "a.test");
    assert_stale(1);
    assert_int_equal(fake_pool.count, 2); /* it is asked all the same, and answers when it is back */
    fake_answer(1, 300, 2);
    attempt(2, "a.test");
    assert_int_equal(reply_number(2), 2);
    end();
}

static void a_name_never_heard_of_waits_also_while_upstream_is_down(void **state)
{
    (void)state;
    begin_expired();
    fake_pool.down = true;
    attempt(1, "b.test");
    pass_ms(PATIENCE_MS);
    assert_int_equal(replies(1), 0);
    fake_fail(1, EXCHANGE_UNREACHABLE);
    assert_int_equal(reply_rcode(1), DNS_RCODE_SERVFAIL);
    end();
}

/* ---- upstream fails ---- */

static void it_is_better_than_a_failure(void **state)
{
    (void)state;
    static const enum exchange_result failures[] = {EXCHANGE_TIMED_OUT, EXCHANGE_UNREACHABLE, EXCHANGE_FAULTY};
    for (size_t i = 0; i < 3; i++) {
        begin_expired();
        ask_edns(1, "a.test");
        fake_fail(1, failures[i]);
        assert_stale(1);
        end();
    }
}

/* Only NOERROR and NXDOMAIN are news of a name (RFC 8767, 4). */
static void it_is_better_than_an_answer_that_says_nothing_of_the_name(void **state)
{
    (void)state;
    static const unsigned rcodes[] = {DNS_RCODE_SERVFAIL, DNS_RCODE_REFUSED, DNS_RCODE_NOTIMP, DNS_RCODE_FORMERR};
    for (size_t i = 0; i < 4; i++) {
        begin_expired();
        ask_edns(1, "a.test");
        fake_answer_rcode(1, rcodes[i]);
        assert_stale(1);
        end();
    }
}

static void that_there_is_no_such_name_any_more_is_news(void **state)
{
    (void)state;
    begin_expired();
    ask_edns(1, "a.test");
    fake_answer_soa(1, DNS_RCODE_NXDOMAIN, 60, 60);
    assert_int_equal(reply_rcode(1), DNS_RCODE_NXDOMAIN);
    assert_int_equal(reply_error_code(1), DNS_EDE_NONE);
    end();
}

static void a_failing_upstream_is_not_asked_for_each_client(void **state)
{
    (void)state;
    begin_expired();
    ask_edns(1, "a.test");
    fake_answer_rcode(1, DNS_RCODE_SERVFAIL);
    for (uint32_t i = 0; i < 10; i++) {
        pass_ms(50);
        ask_edns(2, "a.test");
        assert_stale(2);
    }
    assert_int_equal(fake_pool.count, 2);
    end();
}

static void a_failure_does_not_get_better_with_age(void **state)
{
    (void)state;
    static const unsigned rcodes[] = {DNS_RCODE_SERVFAIL, DNS_RCODE_BADVERS /* its low bits are those of NOERROR */};
    for (size_t i = 0; i < sizeof rcodes / sizeof *rcodes; i++) {
        begin();
        ask_edns(1, "a.test");
        fake_answer_rcode(0, rcodes[i]);
        pass_ms(1000);
        ask_edns(1, "a.test");
        pass_ms(PATIENCE_MS);
        assert_int_equal(replies(1), 1);
        fake_fail(1, EXCHANGE_TIMED_OUT);
        assert_int_equal(reply_rcode(1), DNS_RCODE_SERVFAIL);
        assert_int_equal(reply_error_code(1), DNS_EDE_NO_REACHABLE_AUTHORITY);
        assert_int_equal(count(&story.counters->cache_stale[0][0]), 0);
        end();
    }
}

/* ---- its own end ---- */

static void behind_serve_stale_it_is_gone(void **state)
{
    (void)state;
    struct story_options options = usual_story();
    options.cache.stale_ns = 60 * NS_PER_S;
    begin_expired_with(&options, 300);
    pass_ns(59 * NS_PER_S);
    ask_edns(1, "a.test");
    fake_fail(1, EXCHANGE_TIMED_OUT);
    assert_stale(1);
    pass_ns(1 * NS_PER_S);
    ask_edns(2, "a.test");
    fake_fail(2, EXCHANGE_TIMED_OUT);
    assert_int_equal(reply_rcode(2), DNS_RCODE_SERVFAIL);
    end();
}

static void it_may_go_while_somebody_waits_for_it(void **state)
{
    (void)state;
    begin_expired();
    ask_edns(1, "a.test");
    cache_clear(story.shared.cache);
    pass_ms(PATIENCE_MS);
    assert_int_equal(replies(1), 0);
    fake_answer(1, 300, 2);
    assert_int_equal(reply_number(1), 2);
    end();
}

static void without_stale_answers_the_failure_is_the_reply(void **state)
{
    (void)state;
    struct story_options options = usual_story();
    options.cache.stale_ns = 0;
    begin_expired_with(&options, 300);
    ask_edns(1, "a.test");
    pass_ms(PATIENCE_MS);
    assert_int_equal(replies(1), 0);
    fake_fail(1, EXCHANGE_TIMED_OUT);
    assert_int_equal(reply_rcode(1), DNS_RCODE_SERVFAIL);
    end();
}

/* Another worker's question was quicker: the answer it put into the cache is no stale one. */
static void what_another_worker_fetched_meanwhile_is_given_as_it_is(void **state)
{
    (void)state;
    begin_expired();
    struct forwarder other;
    const struct forwarder_options options = usual_options();
    assert_true(forwarder_init(&other, &options, &story.shared, NULL, story.counters, &story.loop));
    ask_edns(1, "a.test");
    const struct question_key key = fake_pool.asked[1]->key;
    assert_true(forwarder_refresh(&other, &key));
    fake_answer(2, 20, 2);
    pass_ms(PATIENCE_MS);
    assert_int_equal(reply_number(1), 2);
    assert_int_equal(reply_ttl(1), 19); /* 1.8 s old */
    assert_int_equal(reply_error_code(1), DNS_EDE_NONE);
    assert_int_equal(count(&story.counters->cache_stale[0][0]), 0);
    forwarder_done(&other);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upstream_has_its_time_then_the_stale_answer_does),
        cmocka_unit_test(an_answer_in_time_is_not_stale),
        cmocka_unit_test(all_who_wait_are_given_it_by_the_patience_of_the_first),
        cmocka_unit_test(without_edns_nothing_says_that_it_is_stale),
        cmocka_unit_test(the_ttl_is_30_whatever_it_was),
        cmocka_unit_test(who_knows_that_upstream_is_down_does_not_wait),
        cmocka_unit_test(a_name_never_heard_of_waits_also_while_upstream_is_down),
        cmocka_unit_test(it_is_better_than_a_failure),
        cmocka_unit_test(it_is_better_than_an_answer_that_says_nothing_of_the_name),
        cmocka_unit_test(that_there_is_no_such_name_any_more_is_news),
        cmocka_unit_test(a_failing_upstream_is_not_asked_for_each_client),
        cmocka_unit_test(a_failure_does_not_get_better_with_age),
        cmocka_unit_test(behind_serve_stale_it_is_gone),
        cmocka_unit_test(it_may_go_while_somebody_waits_for_it),
        cmocka_unit_test(without_stale_answers_the_failure_is_the_reply),
        cmocka_unit_test(what_another_worker_fetched_meanwhile_is_given_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
