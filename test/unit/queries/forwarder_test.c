/* The way of a query: asked upstream and answered, or ended otherwise; each once. */
#include "forwarder_story.h"

static void a_question_goes_upstream_and_its_answer_comes_back(void **state)
{
    (void)state;
    begin();
    attempt(3, "www.Example.COM");
    assert_int_equal(fake_pool.count, 1);
    assert_int_equal(replies(3), 0);
    assert_memory_equal(fake_pool.asked[0]->key.bytes, "\3www\7example\3com", 17);
    assert_false(fake_pool.asked[0]->background);
    fake_answer(0, 300, 9);

    assert_int_equal(replies(3), 1);
    assert_int_equal(message_id(reply_bytes(3)), 3);
    assert_int_equal(message_flags(reply_bytes(3)), DNS_QR | DNS_RD | DNS_RA);
    assert_memory_equal(reply_bytes(3) + DNS_HEADER_BYTES, "\3www\7Example\3COM", 17);
    assert_int_equal(reply_number(3), 9);
    assert_int_equal(reply_ttl(3), 300);
    assert_int_equal(count(&story.counters->queries[LABEL_QTYPE_A][0]), 1);
    assert_int_equal(count(&story.counters->responses[LABEL_RCODE_NOERROR][0]), 1);
    assert_int_equal(count(&story.counters->cache_misses[0][0]), 1);
    assert_int_equal(count_source(LABEL_SOURCE_UPSTREAM), 1);
    end();
}

static void opt_is_in_the_reply_only_where_it_was_in_the_query(void **state)
{
    (void)state;
    struct edns edns;
    begin();
    ask_edns(0, "a.test");
    attempt(1, "a.test");
    ask_edns_flags(2, "a.test", 0x8000);
    fake_answer(0, 300, 1);
    fake_answer(1, 300, 2);
    assert_true(reply_edns(0, &edns) && !edns.dnssec_ok);
    assert_false(reply_edns(1, &edns));
    assert_true(reply_edns(2, &edns) && edns.dnssec_ok);
    end();
}

static void a_client_that_asks_for_keepalive_gets_it(void **state)
{
    (void)state;
    struct record record;
    begin();
    packet_header(&story.query, 1, DNS_RD);
    packet_question(&story.query, "a.test", DNS_TYPE_A);
    packet_opt(&story.query, 0, "\0\13\0\0", 4);
    send_query(1);
    fake_answer(0, 300, 1);
    assert_true(reply_record(1, 1, &record));
    assert_int_equal(record.data_size, 6);
    assert_int_equal(dns_u16(reply_bytes(1) + record.data + 4), FAKE_KEEPALIVE_100MS);
    end();
}

static void records_of_a_set_take_turns(void **state)
{
    (void)state;
    unsigned seen = 0;
    begin();
    attempt(0, "a.test");
    struct packet *packet = fake_packet(0, 0);
    for (uint8_t i = 0; i < 3; i++)
        packet_record(packet, DNS_ANSWER, DNS_TYPE_A, 300, (const uint8_t[]){192, 0, 2, i}, 4);
    fake_answer_packet(0);
    for (uint32_t client = 1; client <= 3; client++) {
        attempt(client, "a.test");
        seen |= 1u << reply_number(client);
        assert_int_equal(message_count(reply_bytes(client), DNS_ANSWER), 3);
    }
    assert_int_equal(seen, 7);
    end();
}

static void all_errors_of_upstream_are_in_replies_from_the_cache_too(void **state)
{
    (void)state;
    static const char errors[] = "\0\17\0\6\0\26none\0\17\0\11\0\27network";
    begin();
    ask_edns(0, "a.test");
    struct packet *packet = fake_packet(0, 0);
    packet_a(packet, DNS_ANSWER, 300);
    packet_opt(packet, 0, errors, sizeof errors - 1);
    fake_answer_packet(0);
    ask_edns(1, "a.test");
    assert_int_equal(fake_pool.count, 1);
    for (uint32_t client = 0; client < 2; client++) {
        struct record record;
        assert_true(reply_record(client, 1, &record));
        assert_int_equal(record.data_size, sizeof errors - 1);
        assert_memory_equal(reply_bytes(client) + record.data, errors, sizeof errors - 1);
    }
    end();
}

/* ---- what is never asked upstream ---- */

static void assert_refused(uint32_t client, unsigned rcode, unsigned reason)
{
    assert_int_equal(replies(client), 1);
    assert_int_equal(reply_rcode(client), rcode);
    assert_int_equal(message_id(reply_bytes(client)), client);
    assert_int_equal(count(&story.counters->invalid[reason][0]), 1);
    assert_int_equal(fake_pool.count, 0);
}

static void ask_odd(uint32_t client, unsigned flags, unsigned type, unsigned class)
{
    packet_header(&story.query, client, flags);
    packet_question(&story.query, "a.test", type);
    dns_put_u16(story.query.bytes + story.query.size - 2, (uint16_t) class);
    send_query(client);
}

static void what_no_upstream_is_asked_is_refused_here(void **state)
{
    (void)state;
    begin();
    ask_odd(0, 0x2000, DNS_TYPE_A, DNS_CLASS_IN); /* STATUS */
    assert_refused(0, DNS_RCODE_NOTIMP, LABEL_INVALID_OPCODE);
    ask_odd(1, DNS_RD, DNS_TYPE_AXFR, DNS_CLASS_IN);
    assert_refused(1, DNS_RCODE_REFUSED, LABEL_INVALID_TRANSFER);
    ask_odd(2, DNS_RD, DNS_TYPE_A, 3);
    assert_refused(2, DNS_RCODE_REFUSED, LABEL_INVALID_CLASS);

    packet_header(&story.query, 3, DNS_RD);
    packet_question(&story.query, "a.test", DNS_TYPE_A);
    packet_question(&story.query, "b.test", DNS_TYPE_A);
    send_query(3);
    assert_refused(3, DNS_RCODE_FORMERR, LABEL_INVALID_FORMERR);

    ask_edns_flags(4, "a.test", 0x00010000); /* version 1 */
    assert_refused(4, DNS_RCODE_BADVERS & DNS_RCODE, LABEL_INVALID_EDNS_VERSION);
    struct edns edns;
    assert_true(reply_edns(4, &edns));
    assert_int_equal(edns.rcode_high, DNS_RCODE_BADVERS >> 4);

    ask_odd(5, DNS_RD, DNS_TYPE_ANY, DNS_CLASS_IN);
    assert_refused(5, DNS_RCODE_NOTIMP, LABEL_INVALID_ANY);
    assert_int_equal(count_source(LABEL_SOURCE_LOCAL), 6);
    end();
}

static void what_is_no_query_closes_the_connection_without_a_reply(void **state)
{
    (void)state;
    begin();
    ask_flags(0, "a.test", DNS_QR);
    packet_header(&story.query, 1, DNS_RD);
    story.query.size = DNS_HEADER_BYTES - 1;
    send_query(1);
    for (uint32_t client = 0; client < 2; client++) {
        assert_int_equal(replies(client), 0);
        assert_int_equal(story.transport.clients[client].ended, 1);
        assert_true(story.transport.clients[client].aborted);
    }
    assert_int_equal(count(&story.counters->invalid[LABEL_INVALID_NOT_QUERY][0]), 2);
    assert_int_equal(count(&story.counters->dropped[LABEL_DROPPED_NOT_QUERY][0]), 2);
    end();
}

static void a_message_too_long_is_a_form_error(void **state)
{
    (void)state;
    begin();
    packet_header(&story.query, 7, DNS_RD);
    packet_question(&story.query, "a.test", DNS_TYPE_A);
    send_query_refused(7, REFUSAL_TOO_LONG);
    assert_refused(7, DNS_RCODE_FORMERR, LABEL_INVALID_TOO_LONG);

    story.query.bytes[2] |= 0x80; /* QR */
    send_query_refused(7, REFUSAL_TOO_LONG);
    assert_true(story.transport.clients[7].aborted);
    end();
}

static void a_client_that_may_not_ask_is_refused_with_the_reason(void **state)
{
    (void)state;
    begin();
    packet_header(&story.query, 7, DNS_RD);
    packet_question(&story.query, "a.test", DNS_TYPE_A);
    packet_opt(&story.query, 0, "", 0);
    send_query_refused(7, REFUSAL_PROHIBITED);
    assert_int_equal(reply_rcode(7), DNS_RCODE_REFUSED);
    assert_int_equal(reply_error_code(7), DNS_EDE_PROHIBITED);
    assert_int_equal(fake_pool.count, 0);

    story.query.bytes[2] |= 0x80; /* QR */
    send_query_refused(7, REFUSAL_PROHIBITED);
    assert_true(story.transport.clients[7].aborted);
    end();
}

/* ---- bounds and failures ---- */

static void above_the_bound_is_servfail(void **state)
{
    (void)state;
    struct story_options options = usual_story();
    options.forwarder.max_queries = 2;
    begin_with(&options);
    ask_edns(0, "a.test");
    ask_edns(1, "b.test");
    ask_edns(2, "c.test");
    assert_int_equal(fake_pool.count, 2);
    assert_int_equal(reply_rcode(2), DNS_RCODE_SERVFAIL);
    assert_int_equal(reply_error_code(2), DNS_EDE_OTHER);
    assert_int_equal(count(&story.counters->overloaded[0][0]), 1);
    assert_int_equal(count(&story.counters->in_flight[0][0]), 2);
    fake_answer(0, 300, 1);
    assert_int_equal(count(&story.counters->in_flight[0][0]), 1);
    ask_edns(2, "c.test");
    assert_int_equal(fake_pool.count, 3);
    end();
}

static void who_asks_much_leaves_room_for_others(void **state)
{
    (void)state;
    static const char *const names[] = {"a.test", "b.test", "c.test", "d.test", "e.test", "f.test", "g.test", "h.test"};
    struct story_options options = usual_story();
    options.forwarder.max_queries = 8;
    begin_with(&options);
    for (int i = 0; i < 7; i++) attempt(1, names[i]);
    assert_int_equal(fake_pool.count, 6); /* three quarters */
    assert_int_equal(replies(1), 1);
    assert_int_equal(reply_rcode(1), DNS_RCODE_SERVFAIL);
    attempt(1, names[0]); /* waits with himself: that takes no room */
    assert_int_equal(replies(1), 1);
    attempt(2, names[6]);
    attempt(3, names[7]);
    assert_int_equal(fake_pool.count, 8);
    assert_int_equal(replies(2) + replies(3), 0);
    end();
}

static void a_failure_is_servfail_with_its_reason(void **state)
{
    (void)state;
    begin();
    ask_edns(0, "a.test");
    ask_edns(1, "b.test");
    ask_edns(2, "c.test");
    attempt(3, "d.test");
    fake_fail(0, EXCHANGE_TIMED_OUT);
    fake_fail(1, EXCHANGE_UNREACHABLE);
    fake_fail(2, EXCHANGE_FAULTY);
    fake_fail(3, EXCHANGE_TIMED_OUT);
    static const uint16_t reasons[] = {DNS_EDE_NO_REACHABLE_AUTHORITY, DNS_EDE_NETWORK_ERROR, DNS_EDE_NETWORK_ERROR,
                                       DNS_EDE_NONE};
    for (uint32_t client = 0; client < 4; client++) {
        assert_int_equal(reply_rcode(client), DNS_RCODE_SERVFAIL);
        assert_int_equal(reply_error_code(client), reasons[client]);
        assert_int_equal(message_id(reply_bytes(client)), client);
    }
    assert_int_equal(count_source(LABEL_SOURCE_UPSTREAM), 4);
    end();
}

static void a_client_that_left_gets_nothing(void **state)
{
    (void)state;
    begin();
    attempt(0, "a.test");
    attempt(1, "b.test");
    leave(0);
    leave(1);
    fake_answer(0, 300, 1);
    fake_fail(1, EXCHANGE_TIMED_OUT);
    assert_int_equal(count(&story.counters->dropped[LABEL_DROPPED_CLIENT_GONE][0]), 2);
    assert_int_equal(count(&story.counters->responses[LABEL_RCODE_NOERROR][0]), 0);
    assert_int_equal(count_source(LABEL_SOURCE_UPSTREAM), 0);
    end();
}

static void without_memory_for_a_reply_the_query_ends_all_the_same(void **state)
{
    (void)state;
    begin();
    attempt(0, "a.test");
    story.transport.short_of_memory = true;
    fake_answer(0, 300, 1);
    assert_int_equal(story.transport.clients[0].ended, 1);
    attempt(1, "a.test"); /* cached, but there is no room to say so: it waits like any other */
    ask_odd(2, DNS_RD, DNS_TYPE_ANY, DNS_CLASS_IN);
    ask_odd(3, DNS_RD, DNS_TYPE_AXFR, DNS_CLASS_IN);
    assert_int_equal(story.transport.clients[2].ended, 1);
    assert_int_equal(story.transport.clients[3].ended, 1);
    story.transport.short_of_memory = false;
    fake_answer(1, 300, 2);
    assert_int_equal(reply_number(1), 2);
    end();
}

static void what_is_in_flight_at_the_end_is_dropped(void **state)
{
    (void)state;
    begin();
    attempt(0, "a.test");
    attempt(1, "a.test");
    attempt(2, "b.test");
    end(); /* sees that each was cancelled */
    assert_int_equal(fake_pool.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_goes_upstream_and_its_answer_comes_back),
        cmocka_unit_test(opt_is_in_the_reply_only_where_it_was_in_the_query),
        cmocka_unit_test(a_client_that_asks_for_keepalive_gets_it),
        cmocka_unit_test(records_of_a_set_take_turns),
        cmocka_unit_test(all_errors_of_upstream_are_in_replies_from_the_cache_too),
        cmocka_unit_test(what_no_upstream_is_asked_is_refused_here),
        cmocka_unit_test(what_is_no_query_closes_the_connection_without_a_reply),
        cmocka_unit_test(a_message_too_long_is_a_form_error),
        cmocka_unit_test(a_client_that_may_not_ask_is_refused_with_the_reason),
        cmocka_unit_test(above_the_bound_is_servfail),
        cmocka_unit_test(who_asks_much_leaves_room_for_others),
        cmocka_unit_test(a_failure_is_servfail_with_its_reason),
        cmocka_unit_test(a_client_that_left_gets_nothing),
        cmocka_unit_test(without_memory_for_a_reply_the_query_ends_all_the_same),
        cmocka_unit_test(what_is_in_flight_at_the_end_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
