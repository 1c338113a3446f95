/* Which queries are admitted: the rate limit, and what a transport decides by itself. */
#include "forwarder_story.h"

/* ---- the limit of rate ---- */

static void begin_limited(enum rate_limit_action action)
{
    struct story_options options = usual_story();
    options.ratelimit.queries_per_s = 1;
    options.ratelimit.burst = 2;
    options.forwarder.rate_limit_action = (uint8_t)action;
    options.ratelimit.ipv4_prefix = 24; /* all clients share a bucket */
    begin_with(&options);
    ask_edns(0, "a.test");
    ask_edns(1, "b.test");
    ask_edns(2, "c.test");
    assert_int_equal(fake_pool.count, 2);
    assert_int_equal(count(&story.counters->rate_limited[0][0]), 1);
}

static void over_the_limit_is_an_error_that_says_why(void **state)
{
    (void)state;
    static const unsigned rcodes[] = {
        [RATE_LIMIT_SERVFAIL] = DNS_RCODE_SERVFAIL,
        [RATE_LIMIT_REFUSE] = DNS_RCODE_REFUSED,
    };
    for (unsigned action = RATE_LIMIT_SERVFAIL; action <= RATE_LIMIT_REFUSE; action++) {
        begin_limited(action);
        assert_int_equal(reply_rcode(2), rcodes[action]);
        assert_int_equal(reply_error_code(2), DNS_EDE_OTHER);
        assert_false(story.transport.clients[2].aborted);
        ask_flags(3, "d.test", DNS_QR); /* the limit is no excuse */
        assert_true(story.transport.clients[3].aborted);
        pass_ms(1000);
        attempt(4, "d.test");
        assert_int_equal(fake_pool.count, 3);
        end();
    }
}

static void over_the_limit_is_dropped_and_closed_where_that_is_configured(void **state)
{
    (void)state;
    begin_limited(RATE_LIMIT_DROP);
    assert_int_equal(replies(2), 0);
    assert_int_equal(story.transport.clients[2].ended, 1);
    assert_true(story.transport.clients[2].aborted);
    assert_int_equal(count(&story.counters->dropped[LABEL_DROPPED_RATE][0]), 1);
    end();
}

static void what_is_too_long_is_limited_like_any_other(void **state)
{
    (void)state;
    struct story_options options = usual_story();
    options.ratelimit.queries_per_s = 1;
    options.ratelimit.burst = 1;
    begin_with(&options);
    attempt(1, "a.test");
    send_query_refused(1, REFUSAL_TOO_LONG);
    assert_int_equal(reply_rcode(1), DNS_RCODE_SERVFAIL);
    assert_int_equal(count(&story.counters->rate_limited[0][0]), 1);
    end();
}

/* Hands over A? of `name` as the client's; `behind`: so many more of it are said to follow. */
static void send_with_others_behind(uint32_t client, const char *name, uint32_t behind)
{
    const struct requester requester = begin_asking(client);
    packet_header(&story.query, client, DNS_RD);
    packet_question(&story.query, name, DNS_TYPE_A);
    const struct client_message message = {.bytes = story.query.bytes, .size = story.query.size, .behind = behind};
    forwarder_handle(&story.forwarder, &requester, &message);
}

/* Another worker's clients of the same prefix: how many tokens there are for them. */
static uint32_t tokens_for_others(void)
{
    return ratelimit_take(story.shared.ratelimit, &story.addresses[2], 100, story.loop.now_ns);
}

static void tokens_for_messages_that_do_not_follow_go_back(void **state)
{
    (void)state;
    struct story_options options = usual_story();
    options.ratelimit.queries_per_s = 1;
    options.ratelimit.burst = 20;
    options.ratelimit.ipv4_prefix = 24; /* all clients share a bucket */
    begin_with(&options);
    send_with_others_behind(1, "a.test", 9);
    assert_int_equal(tokens_for_others(), 10);
    attempt(1, "b.test");
    attempt(1, "c.test");
    ask_flags(1, "d.test", DNS_QR); /* it is closed, and 7 of the batch do not follow */
    assert_true(story.transport.clients[1].aborted);
    assert_int_equal(tokens_for_others(), 0);
    forwarder_end_messages(&story.forwarder);
    assert_int_equal(tokens_for_others(), 7);
    forwarder_end_messages(&story.forwarder);
    assert_int_equal(tokens_for_others(), 0);
    assert_int_equal(count(&story.counters->rate_limited[0][0]), 0);
    end();
}

/* The tokens are over in the middle: each of the rest is refused, and counted, by itself. */
static void what_a_batch_has_no_tokens_for_is_refused(void **state)
{
    (void)state;
    struct story_options options = usual_story();
    options.ratelimit.queries_per_s = 1;
    options.ratelimit.burst = 3;
    begin_with(&options);
    for (uint32_t i = 0; i < 5; i++) {
        send_with_others_behind(1, "a.test", 4 - i);
        assert_int_equal(count(&story.counters->rate_limited[0][0]), i < 3 ? 0 : i - 2);
    }
    assert_int_equal(reply_rcode(1), DNS_RCODE_SERVFAIL);
    forwarder_end_messages(&story.forwarder);
    pass_ms(1000);
    send_with_others_behind(1, "b.test", 0);
    assert_int_equal(count(&story.counters->rate_limited[0][0]), 2);
    end();
}

/* ---- what a transport adds ---- */

static unsigned admitted;
static enum question_verdict admitted_verdict;
static bool is_verified;

/* A transport that lets nobody have more than 100 bytes, gives a cookie to whoever is good, and refuses the rest as
 * overloaded. */
static enum refusal admit(const struct requester *requester, const struct question *question,
                          enum question_verdict verdict, struct reply_profile *profile, bool *ret_is_verified)
{
    static const uint8_t cookie[] = {0, 10, 0, 2, 'o', 'k'};
    assert_ptr_equal(requester->transport, &story.transport.transport);
    assert_int_equal(question->id, profile->id);
    admitted++;
    admitted_verdict = verdict;
    *ret_is_verified = is_verified;
    profile->max_bytes = 100;
    profile->option_bytes = sizeof cookie;
    memcpy(profile->option, cookie, sizeof cookie);
    return verdict == QUESTION_GOOD ? REFUSAL_NONE : REFUSAL_OVERLOADED;
}

static void a_transport_may_admit_queries_by_its_own_rules(void **state)
{
    (void)state;
    begin();
    admitted = 0;
    story.transport.transport.admit = admit;
    ask_edns(1, "a.test");
    struct packet *packet = fake_packet(0, DNS_RD);
    for (int i = 0; i < 10; i++) packet_a(packet, DNS_ANSWER, 300);
    fake_answer_packet(0);
    assert_true(message_flags(reply_bytes(1)) & DNS_TC); /* to one that waited */
    ask_edns(2, "a.test");                               /* and from the cache */
    for (uint32_t client = 1; client <= 2; client++) {
        size_t size = story.transport.clients[client].size;
        assert_true(message_flags(reply_bytes(client)) & DNS_TC);
        assert_int_equal(size, DNS_HEADER_BYTES + 8 + 4 + 11 + 6);
        assert_memory_equal(reply_bytes(client) + size - 2, "ok", 2);
    }
    ask_flags(3, "a.test", 0x2000); /* STATUS */
    assert_int_equal(admitted, 3);
    assert_int_equal(admitted_verdict, QUESTION_NOTIMP);
    assert_int_equal(reply_rcode(3), DNS_RCODE_SERVFAIL);
    ask_flags(4, "a.test", DNS_QR); /* nothing to admit */
    assert_int_equal(admitted, 3);
    end();
}

static void only_clients_that_a_transport_has_verified_count_in_the_common_limit(void **state)
{
    (void)state;
    begin();
    const struct ratelimit_options none = {.queries_per_s = 1, .burst = 1, .ipv4_prefix = 32, .ipv6_prefix = 64};
    ratelimit_set_options(story.shared.ratelimit, &none);
    story.transport.transport.admit = admit;
    is_verified = false;
    for (uint32_t client = 1; client <= 3; client++) attempt(client, "a.test");
    assert_int_equal(count(&story.counters->rate_limited[0][0]), 0);
    is_verified = true;
    attempt(4, "a.test");
    attempt(4, "a.test");
    assert_int_equal(count(&story.counters->rate_limited[0][0]), 1);
    end();
}

static void the_limit_of_a_transport_holds_for_every_reply(void **state)
{
    (void)state;
    begin();
    story.transport.transport.max_reply_bytes = 512;
    attempt(1, "a.test");
    struct packet *packet = fake_packet(0, DNS_RD);
    for (int i = 0; i < 40; i++) packet_a(packet, DNS_ANSWER, 300);
    fake_answer_packet(0);
    assert_true(message_flags(reply_bytes(1)) & DNS_TC);
    assert_int_equal(story.transport.clients[1].size, DNS_HEADER_BYTES + 8 + 4);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_the_limit_is_an_error_that_says_why),
        cmocka_unit_test(over_the_limit_is_dropped_and_closed_where_that_is_configured),
        cmocka_unit_test(tokens_for_messages_that_do_not_follow_go_back),
        cmocka_unit_test(what_a_batch_has_no_tokens_for_is_refused),
        cmocka_unit_test(a_transport_may_admit_queries_by_its_own_rules),
        cmocka_unit_test(only_clients_that_a_transport_has_verified_count_in_the_common_limit),
        cmocka_unit_test(the_limit_of_a_transport_holds_for_every_reply),
        cmocka_unit_test(what_is_too_long_is_limited_like_any_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
