#include "forwarder_story.h"

#include "named_record.h"

/* ---- a forwarder with names ---- */

static struct names *names;
static uint16_t routes_asked[64]; /* of pool_of_route, in order */
static unsigned routes_asked_count;

/* Pools are only told apart here; the fake functions never look at them. */
static struct pool *pool_of_route(struct forwarder *forwarder, uint16_t route)
{
    (void)forwarder;
    routes_asked[routes_asked_count++] = route;
    return (struct pool *)(void *)&routes_asked[route];
}

static void begin_with_names(void)
{
    begin();
    routes_asked_count = 0;
    names = names_new(true);
    add_record(names, "nas.home.arpa 60 A 192.0.2.5", true);
    add_record(names, "www.home.arpa 61 CNAME www.example.com", true);
    add_record(names, "loop.home.arpa CNAME loop.home.arpa", true);
    assert_true(names_add_route(names, 0xabcdef01) && names_add_route(names, 0xabcdef02));
    assert_true(names_add_zone(names, (const uint8_t *)"\4corp\7example", 14, 1));
    assert_true(names_add_zone(names, (const uint8_t *)"\2eu\4corp\7example", 17, 2));
    assert_true(names_finish(names));
    forwarder_set_names(&story.forwarder, names);
    names_free(names);
    story.forwarder.pool_of_route = pool_of_route;
}

static unsigned reply_flags(uint32_t client)
{
    return message_flags(reply_bytes(client));
}

static unsigned reply_count(uint32_t client, enum dns_section section)
{
    return message_count(reply_bytes(client), section);
}

static void special_names_and_records_never_leave(void **state)
{
    (void)state;
    begin_with_names();
    attempt(1, "Printer.local");
    assert_int_equal(reply_flags(1), DNS_QR | DNS_AA | DNS_RD | DNS_RA | DNS_RCODE_NXDOMAIN);
    assert_int_equal(reply_count(1, DNS_AUTHORITY), 1);
    assert_memory_equal(reply_bytes(1) + DNS_HEADER_BYTES, "\7Printer\5local", 15);
    attempt(2, "localhost");
    assert_int_equal(reply_number(2), 1);
    ask_edns(3, "NAS.home.arpa");
    assert_int_equal(reply_flags(3), DNS_QR | DNS_AA | DNS_RD | DNS_RA);
    assert_int_equal(reply_number(3), 5);
    assert_int_equal(reply_ttl(3), 60);
    assert_int_equal(reply_error_code(3), DNS_EDE_NONE);
    assert_true(story.transport.clients[3].was_batched);
    assert_int_equal(fake_pool.count, 0);
    assert_int_equal(count_source(LABEL_SOURCE_LOCAL), 3);
    assert_int_equal(counter_read(&story.counters->cache_misses[0][0]), 0);
    end();
}

static void forwarded_names_are_not(void **state)
{
    (void)state;
    begin_with_names();
    packet_header(&story.query, 1, DNS_RD);
    packet_question(&story.query, "home.arpa", DNS_TYPE_DS);
    send_query(1);
    attempt(2, "example.org");
    assert_int_equal(fake_pool.count, 2);
    fake_answer_soa(0, DNS_RCODE_NOERROR, 60, 60);
    fake_answer(1, 60, 9);
    assert_int_equal(reply_number(2), 9);
    end();
}

static void rate_limit_counts_local_answers_too(void **state)
{
    (void)state;
    struct story_options options = usual_story();
    options.ratelimit.queries_per_s = 1;
    options.ratelimit.burst = 1;
    begin_with(&options);
    names = names_new(true);
    assert_true(names_finish(names));
    forwarder_set_names(&story.forwarder, names);
    names_free(names);
    attempt(1, "localhost");
    attempt(1, "localhost");
    assert_int_equal(reply_rcode(1), DNS_RCODE_SERVFAIL);
    end();
}

static void alias_leads_upstream_and_both_are_one_answer(void **state)
{
    struct record record;
    (void)state;
    begin_with_names();
    ask_edns(1, "WWW.home.arpa");
    assert_int_equal(fake_pool.count, 1);
    assert_memory_equal(fake_pool.asked[0]->key.bytes, "\3www\7example\3com", 17);
    attempt(2, "www.example.com"); /* waits for the same question */
    attempt(3, "www.home.arpa");
    assert_int_equal(fake_pool.count, 1);
    fake_answer(0, 300, 7);
    for (uint32_t client = 1; client <= 3; client += 2) {
        assert_int_equal(reply_flags(client), DNS_QR | DNS_RD | DNS_RA);
        assert_int_equal(reply_count(client, DNS_ANSWER), 2);
        assert_true(reply_record(client, 0, &record));
        assert_int_equal(record.type, DNS_TYPE_CNAME);
        assert_int_equal(record.ttl, 61);
        assert_true(reply_record(client, 1, &record));
        assert_int_equal(record.type, DNS_TYPE_A);
        assert_int_equal(record.ttl, 300);
        assert_int_equal(reply_bytes(client)[record.data + 3], 7);
    }
    assert_memory_equal(reply_bytes(1) + DNS_HEADER_BYTES, "\3WWW\4home\4arpa", 15);
    assert_memory_equal(reply_bytes(3) + DNS_HEADER_BYTES, "\3www\4home\4arpa", 15);
    assert_int_equal(reply_count(1, DNS_ADDITIONAL), 1);
    assert_int_equal(reply_count(3, DNS_ADDITIONAL), 0);
    assert_int_equal(reply_count(2, DNS_ANSWER), 1);
    assert_false(story.transport.clients[1].was_batched);

    pass_ns(10 * NS_PER_S); /* from the cache: the rest has aged */
    attempt(4, "www.home.arpa");
    assert_int_equal(fake_pool.count, 1);
    assert_true(reply_record(4, 0, &record));
    assert_int_equal(record.ttl, 61);
    assert_true(reply_record(4, 1, &record));
    assert_int_equal(record.ttl, 290);
    assert_true(story.transport.clients[4].was_batched);
    assert_int_equal(story.forwarder.aliases.slots.taken, 0);
    end();
}

static void alias_reports_how_its_rest_failed(void **state)
{
    (void)state;
    begin_with_names();
    ask_edns(1, "www.home.arpa");
    fake_fail(0, EXCHANGE_UNREACHABLE);
    assert_int_equal(reply_rcode(1), DNS_RCODE_SERVFAIL);
    assert_int_equal(reply_error_code(1), DNS_EDE_NETWORK_ERROR);
    assert_int_equal(reply_count(1, DNS_ANSWER), 1);
    end();
}

static void alias_of_a_client_that_has_gone_is_forgotten(void **state)
{
    (void)state;
    begin_with_names();
    attempt(1, "www.home.arpa");
    leave(1);
    fake_answer(0, 300, 7);
    assert_int_equal(story.forwarder.aliases.slots.taken, 0);
    attempt(2, "www.home.arpa"); /* and one that waits at the end is, too */
    end();
}

static void alias_is_cut_to_what_its_transport_takes(void **state)
{
    (void)state;
    begin_with_names();
    story.transport.transport.max_reply_bytes = 60;
    attempt(1, "www.home.arpa");
    fake_answer(0, 300, 7);
    assert_int_equal(reply_flags(1), DNS_QR | DNS_TC | DNS_RD | DNS_RA);
    assert_int_equal(reply_count(1, DNS_ANSWER), 0);
    end();
}

static void circle_of_aliases_is_servfail(void **state)
{
    (void)state;
    begin_with_names();
    attempt(1, "loop.home.arpa");
    assert_int_equal(reply_rcode(1), DNS_RCODE_SERVFAIL);
    assert_int_equal(fake_pool.count, 0);
    end();
}

static void routes_have_pools_and_answers_of_their_own(void **state)
{
    (void)state;
    begin_with_names();
    attempt(1, "www.corp.example");
    attempt(2, "www.eu.corp.example");
    attempt(3, "www.example");
    assert_int_equal(routes_asked_count, 2);
    assert_int_equal(routes_asked[0], 1);
    assert_int_equal(routes_asked[1], 2);
    assert_int_equal(question_key_route(&fake_pool.asked[0]->key), 0xabcdef01);
    assert_int_equal(question_key_route(&fake_pool.asked[1]->key), 0xabcdef02);
    assert_int_equal(question_key_route(&fake_pool.asked[2]->key), 0);
    assert_int_equal(question_key_name_size(&fake_pool.asked[0]->key), 18);
    fake_answer(0, 300, 1);
    fake_answer(1, 300, 2);
    fake_answer(2, 300, 3);
    for (uint32_t client = 1; client <= 3; client++) assert_int_equal(reply_number(client), client);
    attempt(4, "www.corp.example");
    assert_int_equal(reply_number(4), 1);
    assert_int_equal(fake_pool.count, 3);
    end();
}

/* A reload gives a zone another route: what the former one answered is not its answer. */
static void answer_of_one_route_is_never_anothers(void **state)
{
    (void)state;
    begin_with_names();
    attempt(1, "www.corp.example");
    fake_answer(0, 300, 1);
    attempt(2, "x.corp.example"); /* on its way over the reload */
    struct names *others = names_new(true);
    assert_true(names_add_route(others, 0xabcdef03));
    assert_true(names_add_zone(others, (const uint8_t *)"\4corp\7example", 14, 1));
    assert_true(names_finish(others));
    forwarder_set_names(&story.forwarder, others);
    names_free(others);
    attempt(3, "www.corp.example");
    attempt(4, "x.corp.example");
    assert_int_equal(fake_pool.count, 4);
    fake_answer(1, 300, 2);
    fake_answer(2, 300, 3);
    fake_answer(3, 300, 4);
    assert_int_equal(reply_number(2), 2);
    assert_int_equal(reply_number(3), 3);
    assert_int_equal(reply_number(4), 4);
    end();
}

static void refresh_takes_the_route_of_its_key(void **state)
{
    (void)state;
    begin_with_names();
    struct question_key key = {.size = 17, .bytes = "\4corp\7example\0\0\1\1"};
    question_key_set_route(&key, 0xabcdef02);
    assert_true(forwarder_refresh(&story.forwarder, &key));
    assert_int_equal(routes_asked[0], 2);
    fake_answer(0, 300, 1);
    struct question_key gone = {.size = 17, .bytes = "\4corp\7example\0\0\1\1"};
    question_key_set_route(&gone, 0xabcdef77);
    assert_false(forwarder_refresh(&story.forwarder, &gone));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_names_and_records_never_leave),
        cmocka_unit_test(forwarded_names_are_not),
        cmocka_unit_test(rate_limit_counts_local_answers_too),
        cmocka_unit_test(alias_leads_upstream_and_both_are_one_answer),
        cmocka_unit_test(alias_reports_how_its_rest_failed),
        cmocka_unit_test(alias_of_a_client_that_has_gone_is_forgotten),
        cmocka_unit_test(alias_is_cut_to_what_its_transport_takes),
        cmocka_unit_test(circle_of_aliases_is_servfail),
        cmocka_unit_test(routes_have_pools_and_answers_of_their_own),
        cmocka_unit_test(answer_of_one_route_is_never_anothers),
        cmocka_unit_test(refresh_takes_the_route_of_its_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
