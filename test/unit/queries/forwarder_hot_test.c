/* A client gets of a name that is asked all the time what it would get of any other, and all is counted as ever. */
#include "forwarder_story.h"

static unsigned asked; /* of the hot name, answered from the cache */

/* Asks for the name in a turn of its own. Returns whether the worker's copy answered. */
static bool ask_hot(uint32_t client, const char *name)
{
    forwarder_end_messages(&story.forwarder);
    assert_int_equal(story.forwarder.hot.uncounted, 0);
    attempt(client, name);
    asked++;
    return story.forwarder.hot.uncounted != 0;
}

/* Asked once, answered with that TTL as number 1, and asked from then on until a copy answers. */
static void begin_hot_with(const struct story_options *options, uint32_t ttl)
{
    begin_with(options);
    asked = 0;
    attempt(0, "a.test");
    fake_answer(0, ttl, 1);
    for (unsigned i = 2; i < HOT_ANSWERS_VOTES; i++) assert_false(ask_hot(1, "a.test"));
    assert_true(ask_hot(1, "a.test"));
}

static void begin_hot(uint32_t ttl)
{
    struct story_options options = usual_story();
    options.topnames = (struct topnames_options){.top = 100};
    begin_hot_with(&options, ttl);
}

static void remove_from_cache(unsigned n)
{
    const struct question_key *key = &story.forwarder.ahead[n].key;
    const struct hashed_key hashed = {key->bytes, key->size, story.forwarder.ahead[n].hashed.hash};
    assert_true(cache_remove(story.shared.cache, &hashed));
}

static uint32_t ranked_first(void)
{
    struct topname name;
    forwarder_end_messages(&story.forwarder);
    return topnames_list(story.shared.topnames, &name, 1) == 1 ? name.queries : 0;
}

static void a_copy_ages_and_is_each_clients_own(void **state)
{
    (void)state;
    begin_hot(300);
    pass_ms(2999);
    assert_true(ask_hot(7, "A.Test"));
    assert_int_equal(reply_ttl(7), 298);
    assert_int_equal(message_id(reply_bytes(7)), 7);
    assert_memory_equal(reply_bytes(7) + DNS_HEADER_BYTES, "\1A\4Test", 8);
    pass_ms(1);
    assert_true(ask_hot(8, "a.test"));
    assert_int_equal(reply_ttl(8), 297);
    assert_int_equal(fake_pool.count, 1);
    end();
}

static void hits_and_ranks_are_those_of_all_queries(void **state)
{
    (void)state;
    begin_hot(300);
    for (unsigned i = 0; i < 1000; i++) attempt(1, "a.test");
    assert_int_equal(count(&story.counters->cache_hits[0][0]), asked + 1000);
    assert_int_equal(count(&story.counters->cache_misses[0][0]), 1);
    forwarder_tick(&story.forwarder, story.loop.now_ns);
    assert_int_equal(count_source(LABEL_SOURCE_CACHE), asked + 1000);
    assert_int_equal(ranked_first(), 1 + asked + 1000);
    end();
}

static void another_type_or_flag_is_another_answer(void **state)
{
    (void)state;
    begin_hot(300);
    ask_flags(2, "a.test", DNS_RD | DNS_CD);
    ask_edns_flags(3, "a.test", 0x8000);
    packet_header(&story.query, 4, DNS_RD);
    packet_question(&story.query, "a.test", DNS_TYPE_AAAA);
    send_query(4);
    assert_int_equal(fake_pool.count, 4);
    for (uint32_t client = 2; client < 5; client++) assert_int_equal(replies(client), 0);
    for (unsigned n = 1; n < 4; n++) fake_answer_soa(n, DNS_RCODE_NXDOMAIN, 300, 300);
    for (uint32_t client = 2; client < 5; client++) assert_int_equal(reply_rcode(client), DNS_RCODE_NXDOMAIN);
    ask_hot(1, "a.test");
    assert_int_equal(reply_number(1), 1);
    end();
}

/* Of the same name, while it takes a route. */
static struct pool *pool_of_route(struct forwarder *forwarder, uint16_t route)
{
    (void)route;
    return (struct pool *)(void *)forwarder; /* only told apart here */
}

static void another_route_is_another_answer(void **state)
{
    (void)state;
    begin_hot(300);
    struct names *names = names_new(true);
    assert_true(names_add_route(names, 0xabcdef01) && names_add_zone(names, (const uint8_t *)"\4test", 6, 1));
    assert_true(names_finish(names));
    forwarder_set_names(&story.forwarder, names);
    names_free(names);
    story.forwarder.pool_of_route = pool_of_route;
    unsigned before = replies(1);
    attempt(1, "a.test");
    assert_int_equal(replies(1), before);
    fake_answer(1, 300, 2);
    assert_int_equal(reply_number(1), 2);
    forwarder_set_names(&story.forwarder, NULL);
    attempt(1, "a.test");
    assert_int_equal(reply_number(1), 1);
    end();
}

static void a_purge_between_two_hits_is_seen(void **state)
{
    (void)state;
    begin_hot(300);
    struct client_message message = {.bytes = story.query.bytes, .size = story.query.size};
    forwarder_read_ahead(&story.forwarder, &message, 1); /* read before, and handled after */
    remove_from_cache(0);
    const struct requester requester = begin_asking(1);
    unsigned before = replies(1);
    forwarder_handle(&story.forwarder, &requester, &message);
    assert_int_equal(replies(1), before);
    fake_answer(1, 300, 2);
    assert_int_equal(reply_number(1), 2);
    end();
}

/* Its refresh is asked for when it is due, and what upstream says then is what clients get at once. */
static void a_refresh_is_asked_for_and_replaces_it(void **state)
{
    (void)state;
    begin_hot(300);
    pass_ns(270 * NS_PER_S - 1);
    assert_true(ask_hot(1, "a.test"));
    assert_int_equal(fake_pool.count, 1);
    pass_ns(1);
    assert_false(ask_hot(1, "a.test"));
    assert_int_equal(reply_ttl(1), 30);
    assert_int_equal(fake_pool.count, 2);
    fake_answer(1, 300, 2);
    attempt(1, "a.test");
    assert_int_equal(reply_number(1), 2);
    assert_int_equal(reply_ttl(1), 300);
    end();
}

static void at_its_end_it_is_asked_for_again(void **state)
{
    (void)state;
    begin_hot(300);
    pass_ns(299 * NS_PER_S);
    attempt(1, "a.test");
    fake_fail(1, EXCHANGE_TIMED_OUT); /* its refresh */
    pass_ns(NS_PER_S - 1);
    attempt(1, "a.test");
    assert_int_equal(reply_ttl(1), 1);
    pass_ns(1);
    unsigned before = replies(1);
    attempt(1, "a.test");
    assert_int_equal(replies(1), before);
    fake_answer(fake_pool.count - 1, 300, 2);
    assert_int_equal(reply_number(1), 2);
    end();
}

/* A failure is remembered for a second, hot or not, and never refreshed. */
static void a_hot_failure_is_asked_again_after_its_second(void **state)
{
    (void)state;
    begin();
    attempt(0, "a.test");
    fake_fail(0, EXCHANGE_TIMED_OUT);
    for (unsigned i = 0; i < 100; i++) attempt(1, "a.test");
    assert_true(story.forwarder.hot.uncounted != 0);
    assert_int_equal(reply_rcode(1), DNS_RCODE_SERVFAIL);
    pass_ns(NS_PER_S - 1);
    for (unsigned i = 0; i < 100; i++) attempt(1, "a.test");
    assert_int_equal(fake_pool.count, 1);
    pass_ns(1);
    attempt(1, "a.test");
    assert_int_equal(fake_pool.count, 2);
    fake_answer(1, 300, 1);
    end();
}

static void records_rotate_from_reply_to_reply(void **state)
{
    (void)state;
    static const uint8_t data[][4] = {{192, 0, 2, 1}, {192, 0, 2, 2}};
    begin();
    attempt(0, "a.test");
    struct packet *packet = fake_packet(0, DNS_RD);
    for (unsigned i = 0; i < 2; i++) packet_record(packet, DNS_ANSWER, DNS_TYPE_A, 300, data[i], sizeof data[i]);
    fake_answer_packet(0);
    unsigned first[3] = {0};
    for (unsigned i = 0; i < 100; i++) {
        attempt(1, "a.test");
        first[reply_number(1)]++;
    }
    assert_true(story.forwarder.hot.uncounted != 0);
    assert_int_equal(first[1], 50);
    assert_int_equal(first[2], 50);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_ages_and_is_each_clients_own),
        cmocka_unit_test(hits_and_ranks_are_those_of_all_queries),
        cmocka_unit_test(another_type_or_flag_is_another_answer),
        cmocka_unit_test(another_route_is_another_answer),
        cmocka_unit_test(a_purge_between_two_hits_is_seen),
        cmocka_unit_test(a_refresh_is_asked_for_and_replaces_it),
        cmocka_unit_test(at_its_end_it_is_asked_for_again),
        cmocka_unit_test(a_hot_failure_is_asked_again_after_its_second),
        cmocka_unit_test(records_rotate_from_reply_to_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
