/* Identical questions in flight are one question, and everybody who waits is answered as he asked. */
#include "forwarder_story.h"

static void who_asks_the_same_waits_with_the_others(void **state)
{
    (void)state;
    struct edns edns;
    begin();
    attempt(1, "a.test");
    attempt(2, "A.TEST");
    ask_edns(3, "a.Test");
    attempt(1, "a.test"); /* the same client, once more */
    assert_int_equal(fake_pool.count, 1);
    assert_int_equal(count(&story.counters->merged[0][0]), 3);
    assert_int_equal(count(&story.counters->cache_misses[0][0]), 4);
    fake_answer(0, 300, 9);
    assert_int_equal(replies(1), 2);
    for (uint32_t client = 1; client <= 3; client++) {
        assert_int_equal(message_id(reply_bytes(client)), client);
        assert_int_equal(reply_number(client), 9);
        assert_int_equal(reply_edns(client, &edns), client == 3);
    }
    assert_memory_equal(reply_bytes(1) + DNS_HEADER_BYTES, "\1a\4test", 7);
    assert_memory_equal(reply_bytes(2) + DNS_HEADER_BYTES, "\1A\4TEST", 7);
    assert_memory_equal(reply_bytes(3) + DNS_HEADER_BYTES, "\1a\4Test", 7);
    assert_int_equal(count_source(LABEL_SOURCE_UPSTREAM), 4);
    end();
}

static void another_question_is_asked_by_itself(void **state)
{
    (void)state;
    begin();
    attempt(1, "a.test");
    attempt(2, "b.test");
    ask_flags(3, "a.test", DNS_RD | DNS_CD);
    ask_flags(4, "a.test", DNS_RD | DNS_AD);
    ask_flags(5, "a.test", 0);
    ask_edns_flags(6, "a.test", 0x8000);
    packet_header(&story.query, 7, DNS_RD);
    packet_question(&story.query, "a.test", DNS_TYPE_NS);
    send_query(7);
    assert_int_equal(fake_pool.count, 7);
    assert_int_equal(count(&story.counters->merged[0][0]), 0);
    for (unsigned n = 0; n < 7; n++) fake_answer_rcode(n, DNS_RCODE_REFUSED);
    for (uint32_t client = 1; client <= 7; client++) assert_int_equal(replies(client), 1);
    end();
}

static void a_client_that_leaves_takes_nothing_from_the_others(void **state)
{
    (void)state;
    begin();
    attempt(1, "a.test");
    attempt(2, "a.test");
    attempt(3, "a.test");
    leave(1); /* whose question it was */
    leave(3);
    fake_answer(0, 300, 9);
    assert_int_equal(reply_number(2), 9);
    assert_int_equal(count(&story.counters->dropped[LABEL_DROPPED_CLIENT_GONE][0]), 2);
    assert_int_equal(story.forwarder.queries.waiters.taken, 0);
    end();
}

static void when_all_have_left_the_answer_is_kept(void **state)
{
    (void)state;
    begin();
    attempt(1, "a.test");
    leave(1);
    fake_answer(0, 300, 9);
    attempt(2, "a.test");
    assert_int_equal(reply_number(2), 9);
    assert_int_equal(fake_pool.count, 1);
    end();
}

static void a_failure_is_everybodys(void **state)
{
    (void)state;
    begin();
    for (uint32_t client = 0; client < 5; client++) attempt(client, "a.test");
    fake_fail(0, EXCHANGE_UNREACHABLE);
    for (uint32_t client = 0; client < 5; client++) assert_int_equal(reply_rcode(client), DNS_RCODE_SERVFAIL);
    assert_int_equal(count(&story.counters->in_flight[0][0]), 0);
    end();
}

static void a_question_is_light_while_its_client_has_few(void **state)
{
    (void)state;
    static const char *const names[] = {"a.test", "b.test", "c.test", "d.test", "e.test"};
    begin();
    for (int i = 0; i < 5; i++) attempt(1, names[i]);
    for (unsigned i = 0; i < 5; i++) assert_int_equal(fake_pool.asked[i]->light, i < 4);
    fake_answer(0, 300, 1);
    fake_answer(1, 300, 1); /* three are left */
    attempt(1, "f.test");
    assert_true(fake_pool.asked[5]->light);
    end();
}

static void and_so_is_one_that_a_light_client_waits_for(void **state)
{
    (void)state;
    static const char *const names[] = {"a.test", "b.test", "c.test", "d.test", "e.test"};
    begin();
    for (int i = 0; i < 5; i++) attempt(1, names[i]);
    assert_false(fake_pool.asked[4]->light);
    attempt(2, "e.test");
    assert_int_equal(fake_pool.count, 5);
    assert_true(fake_pool.asked[4]->light);
    end();
}

static void who_asks_while_a_refresh_is_in_flight_waits_for_that(void **state)
{
    (void)state;
    begin();
    struct question_key key = {.size = 11, .bytes = "\1a\4test\0\0\1\1"};
    assert_true(forwarder_refresh(&story.forwarder, &key));
    attempt(1, "a.test");
    assert_int_equal(fake_pool.count, 1);
    fake_answer(0, 300, 9);
    assert_int_equal(reply_number(1), 9);
    end();
}

static void what_is_in_flight_is_not_refreshed(void **state)
{
    (void)state;
    begin();
    struct question_key key = {.size = 11, .bytes = "\1a\4test\0\0\1\1"};
    attempt(1, "a.test");
    assert_false(forwarder_refresh(&story.forwarder, &key));
    assert_int_equal(fake_pool.count, 1);
    fake_answer(0, 300, 9);
    assert_int_equal(count(&story.counters->prefetch[LABEL_PREFETCH_REFRESHED][0]), 0);
    end();
}

static void a_refresh_has_its_bound_too(void **state)
{
    (void)state;
    struct story_options options = usual_story();
    options.forwarder.max_queries = 1;
    begin_with(&options);
    struct question_key key = {.size = 11, .bytes = "\1b\4test\0\0\1\1"};
    attempt(1, "a.test");
    assert_false(forwarder_refresh(&story.forwarder, &key));
    end();
}

static void a_query_after_an_answer_that_was_not_kept_is_a_new_question(void **state)
{
    (void)state;
    begin();
    attempt(1, "a.test");
    fake_answer(0, 0, 1); /* not kept */
    attempt(2, "a.test");
    assert_int_equal(fake_pool.count, 2);
    fake_answer(1, 0, 2);
    assert_int_equal(reply_number(1), 1);
    assert_int_equal(reply_number(2), 2);
    end();
}

static void those_who_wait_are_bounded(void **state)
{
    (void)state;
    struct story_options options = usual_story();
    options.forwarder.max_queries = 4;
    begin_with(&options);
    for (uint32_t i = 0; i < 3 * WAITERS_PER_QUERY; i++) attempt(1, "a.test");
    assert_int_equal(replies(1), 0);
    ask_edns(1, "a.test"); /* the last quarter is not for a client that waits for so much */
    assert_int_equal(reply_rcode(1), DNS_RCODE_SERVFAIL);
    assert_int_equal(reply_error_code(1), DNS_EDE_OTHER);
    attempt(1, "b.test");
    assert_int_equal(reply_rcode(1), DNS_RCODE_SERVFAIL);
    assert_int_equal(fake_pool.count, 1);
    assert_int_equal(count(&story.counters->overloaded[0][0]), 2);
    attempt(2, "a.test"); /* but for those that wait for little */
    attempt(3, "b.test");
    assert_int_equal(replies(2) + replies(3), 0);
    assert_int_equal(fake_pool.count, 2);
    fake_answer(0, 300, 9);
    assert_int_equal(replies(1), 3 * WAITERS_PER_QUERY + 2);
    assert_int_equal(reply_number(2), 9);
    end();
}

static void the_bound_of_queries_in_flight_follows_a_reload(void **state)
{
    (void)state;
    struct story_options options = usual_story();
    options.forwarder.max_queries = 4;
    begin_with(&options);
    static const char *const names[] = {"a.test", "b.test", "c.test", "d.test", "e.test", "f.test", "g.test", "h.test"};
    for (uint32_t i = 0; i < 5; i++) attempt(i, names[i]);
    assert_int_equal(fake_pool.count, 4);
    assert_int_equal(reply_rcode(4), DNS_RCODE_SERVFAIL);
    options.forwarder.max_queries = 100;
    assert_true(forwarder_set_options(&story.forwarder, &options.forwarder));
    for (uint32_t i = 5; i < 8; i++) attempt(i, names[i]);
    assert_int_equal(fake_pool.count, 7);
    attempt(8, "a.test"); /* those in flight are still found */
    assert_int_equal(fake_pool.count, 7);
    options.forwarder.max_queries = 1;
    assert_true(forwarder_set_options(&story.forwarder, &options.forwarder));
    attempt(9, "i.test");
    assert_int_equal(reply_rcode(9), DNS_RCODE_SERVFAIL);
    fake_answer(0, 300, 9);
    assert_int_equal(reply_number(0), 9);
    assert_int_equal(reply_number(8), 9);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_the_same_waits_with_the_others),
        cmocka_unit_test(another_question_is_asked_by_itself),
        cmocka_unit_test(a_client_that_leaves_takes_nothing_from_the_others),
        cmocka_unit_test(when_all_have_left_the_answer_is_kept),
        cmocka_unit_test(a_failure_is_everybodys),
        cmocka_unit_test(a_question_is_light_while_its_client_has_few),
        cmocka_unit_test(and_so_is_one_that_a_light_client_waits_for),
        cmocka_unit_test(who_asks_while_a_refresh_is_in_flight_waits_for_that),
        cmocka_unit_test(what_is_in_flight_is_not_refreshed),
        cmocka_unit_test(a_refresh_has_its_bound_too),
        cmocka_unit_test(a_query_after_an_answer_that_was_not_kept_is_a_new_question),
        cmocka_unit_test(those_who_wait_are_bounded),
        cmocka_unit_test(the_bound_of_queries_in_flight_follows_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
