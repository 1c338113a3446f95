/* What the forwarder keeps, for how long, and what a cached answer becomes for who asks later. */
#include "forwarder_story.h"

enum { TYPE_TXT = 16 };

/* Asks once and has it answered with that TTL; number 1. */
static void keep(const char *name, uint32_t ttl)
{
    attempt(0, name);
    fake_answer(fake_pool.count - 1, ttl, 1);
}

/* Whether the name, asked at this moment, is answered without upstream. Whatever upstream is asked fails. */
static bool is_kept(const char *name)
{
    unsigned before = replies(1);
    unsigned asked = fake_pool.count;
    attempt(1, name);
    bool kept = replies(1) > before;
    assert_true(kept || fake_pool.count == asked + 1);
    if (fake_pool.count > asked) fake_fail(asked, EXCHANGE_TIMED_OUT); /* near its end it is fetched anew */
    return kept;
}

static void a_cached_answer_ages_and_is_each_clients_own(void **state)
{
    (void)state;
    begin();
    keep("www.example.com", 300);
    pass_ms(2999);
    attempt(7, "WWW.example.com");
    assert_int_equal(fake_pool.count, 1);
    assert_int_equal(reply_ttl(7), 298);
    assert_int_equal(message_id(reply_bytes(7)), 7);
    assert_memory_equal(reply_bytes(7) + DNS_HEADER_BYTES, "\3WWW\7example\3com", 17);
    pass_ms(1);
    ask_edns(8, "www.example.com");
    assert_int_equal(reply_ttl(8), 297);
    assert_int_equal(reply_error_code(8), DNS_EDE_NONE);
    forwarder_tick(&story.forwarder, story.loop.now_ns);
    assert_int_equal(count(&story.counters->cache_hits[0][0]), 2);
    assert_int_equal(count(&story.counters->cache_misses[0][0]), 1);
    assert_int_equal(count_source(LABEL_SOURCE_CACHE), 2);
    end();
}

static void at_its_end_it_is_asked_for_again(void **state)
{
    (void)state;
    begin();
    keep("a.test", 300);
    pass_ns(300 * NS_PER_S);
    attempt(1, "a.test");
    assert_int_equal(replies(1), 0);
    fake_answer(fake_pool.count - 1, 300, 2);
    assert_int_equal(reply_number(1), 2);
    end();
}

static void flags_that_make_another_answer_are_entries_of_their_own(void **state)
{
    (void)state;
    static const unsigned flags[] = {0, DNS_RD, DNS_RD | DNS_AD, DNS_RD | DNS_CD, DNS_RD | DNS_AD | DNS_CD};
    begin();
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 5; i++) {
            ask_flags(i, "a.test", flags[i]);
            if (round == 0) fake_answer(i, 300, (uint8_t)i);
            assert_int_equal(reply_number(i), i);
        }
        ask_edns_flags(5, "a.test", 0x8000);
        if (round == 0) fake_answer(5, 300, 5);
        assert_int_equal(reply_number(5), 5);
    }
    assert_int_equal(fake_pool.count, 6);
    end();
}

/* ---- lifetimes ---- */

enum kind { POSITIVE, NXDOMAIN, NO_DATA };

struct lifetime {
    enum kind kind;
    uint32_t ttl;
    uint32_t minimum; /* of a negative answer's SOA record */
    uint64_t min_s;
    uint64_t max_s;
    uint64_t negative_s;
    uint64_t kept_s; /* 0: not at all */
};

static void answer_as(const struct lifetime *lifetime)
{
    unsigned n = fake_pool.count - 1;
    if (lifetime->kind == POSITIVE)
        fake_answer(n, lifetime->ttl, 1);
    else
        fake_answer_soa(n, lifetime->kind == NXDOMAIN ? DNS_RCODE_NXDOMAIN : 0, lifetime->ttl, lifetime->minimum);
}

static void check_lifetime(const struct lifetime *lifetime)
{
    struct story_options options = usual_story();
    options.cache.stale_ns = 0;
    options.forwarder.cache_min_ns = lifetime->min_s * NS_PER_S;
    options.forwarder.cache_max_ns = lifetime->max_s * NS_PER_S;
    options.forwarder.cache_negative_ns = lifetime->negative_s * NS_PER_S;
    begin_with(&options);
    attempt(0, "a.test");
    answer_as(lifetime);
    if (lifetime->kept_s > 0) {
        pass_ns(lifetime->kept_s * NS_PER_S - 1);
        assert_true(is_kept("a.test"));
        pass_ns(1);
    }
    assert_false(is_kept("a.test"));
    end();
}

static void an_answer_is_kept_by_its_kind_and_the_settings(void **state)
{
    (void)state;
    static const struct lifetime lifetimes[] = {
        {POSITIVE, 300, 0, 0, 86400, 3600, 300},       {POSITIVE, 0, 0, 0, 86400, 3600, 0},
        {POSITIVE, 0, 0, 5, 86400, 3600, 5},           {POSITIVE, 3, 0, 5, 86400, 3600, 5},
        {POSITIVE, 86401, 0, 0, 86400, 3600, 86400},   {POSITIVE, 604800, 0, 0, 60, 3600, 60},
        {POSITIVE, 300, 0, 60, 10, 3600, 10}, /* the largest wins over the least */
        {POSITIVE, 7200, 0, 0, 86400, 3600, 7200},     {NXDOMAIN, 300, 60, 0, 86400, 3600, 60},
        {NXDOMAIN, 60, 300, 0, 86400, 3600, 60},       {NXDOMAIN, 86400, 86400, 0, 86400, 3600, 3600},
        {NXDOMAIN, 86400, 86400, 0, 60, 3600, 60},     {NXDOMAIN, 300, 0, 0, 86400, 3600, 0},
        {NXDOMAIN, 300, 300, 0, 86400, 0, 0},          {NXDOMAIN, 1, 1, 5, 86400, 3600, 5},
        {NO_DATA, 300, 60, 0, 86400, 3600, 60},        {NO_DATA, 60, 300, 0, 86400, 3600, 60},
        {NO_DATA, 86400, 86400, 0, 86400, 3600, 3600},
    };
    for (size_t i = 0; i < sizeof lifetimes / sizeof *lifetimes; i++) check_lifetime(&lifetimes[i]);
}

static void what_may_not_be_kept_is_not(void **state)
{
    (void)state;
    struct story_options options = usual_story();
    options.forwarder.cache_min_ns = 5 * NS_PER_S; /* whatever the least lifetime */
    begin_with(&options);
    attempt(0, "no-soa.test");
    fake_answer_rcode(0, DNS_RCODE_NXDOMAIN);
    attempt(0, "no-data.test");
    fake_answer_rcode(1, DNS_RCODE_NOERROR);
    attempt(0, "too-long.test");
    fake_answer_rcode(2, DNS_RCODE_YXDOMAIN);
    assert_int_equal(replies(0), 3);
    assert_int_equal(cache_figures(story.shared.cache).entries, 0);
    end();
}

static void what_upstream_kept_too_long_is_not_kept_longer(void **state)
{
    (void)state;
    struct story_options options = usual_story();
    options.forwarder.cache_min_ns = 60 * NS_PER_S;
    begin_with(&options);
    ask_edns(0, "a.test");
    struct packet *packet = fake_packet(0, 0);
    packet_a(packet, DNS_ANSWER, 30);
    packet_opt(packet, 0, "\0\17\0\2\0\3", 6);
    fake_answer_packet(0);
    assert_int_equal(reply_ttl(0), 30);
    pass_ns(26 * NS_PER_S);
    ask_edns(1, "a.test");
    assert_int_equal(reply_error_code(1), DNS_EDE_STALE); /* it still is */
    pass_ns(4 * NS_PER_S);
    assert_false(is_kept("a.test"));
    end();
}

static void options_of_a_reload_hold_from_the_next_answer_on(void **state)
{
    (void)state;
    begin();
    story.forwarder.options.cache_max_ns = 10 * NS_PER_S;
    keep("a.test", 300);
    pass_ns(10 * NS_PER_S);
    assert_false(is_kept("a.test"));
    end();
}

/* ---- failures ---- */

static void a_failure_is_remembered_for_a_second(void **state)
{
    (void)state;
    begin();
    ask_edns(0, "servfail.test");
    fake_answer_rcode(0, DNS_RCODE_SERVFAIL);
    ask_edns(0, "silent.test");
    fake_fail(1, EXCHANGE_TIMED_OUT);
    pass_ms(899);
    ask_edns(1, "servfail.test");
    ask_edns(2, "silent.test");
    assert_int_equal(fake_pool.count, 2);
    assert_int_equal(reply_rcode(1), DNS_RCODE_SERVFAIL);
    assert_int_equal(reply_rcode(2), DNS_RCODE_SERVFAIL);
    assert_int_equal(reply_error_code(2), DNS_EDE_NO_REACHABLE_AUTHORITY);
    pass_ms(101);
    ask_edns(1, "servfail.test");
    ask_edns(2, "silent.test");
    assert_int_equal(fake_pool.count, 4);
    end();
}

static void a_failure_is_not_asked_again_before_its_second_is_over(void **state)
{
    (void)state;
    begin();
    attempt(0, "servfail.test");
    fake_answer_rcode(0, DNS_RCODE_SERVFAIL);
    for (int i = 0; i < 99; i++) {
        pass_ms(10);
        attempt(1, "servfail.test");
    }
    assert_int_equal(replies(1), 99);
    assert_int_equal(fake_pool.count, 1);
    end();
}

/* ---- fetched anew ---- */

static void a_query_near_the_expiry_refreshes_the_answer_and_does_not_wait(void **state)
{
    (void)state;
    begin();
    keep("a.test", 300);
    pass_ns(270 * NS_PER_S);
    attempt(1, "a.test");
    assert_int_equal(reply_number(1), 1);
    assert_int_equal(reply_ttl(1), 30);
    assert_int_equal(fake_pool.count, 2);
    assert_true(fake_pool.asked[1]->background);
    attempt(2, "a.test");
    assert_int_equal(reply_number(2), 1);
    assert_int_equal(fake_pool.count, 2);
    fake_answer(1, 300, 2);
    attempt(3, "a.test");
    assert_int_equal(reply_number(3), 2);
    assert_int_equal(reply_ttl(3), 300);
    assert_int_equal(count(&story.counters->prefetch[LABEL_PREFETCH_REFRESHED][0]), 0);
    end();
}

static void what_is_being_refreshed_is_not_asked_for_twice(void **state)
{
    (void)state;
    begin();
    keep("a.test", 300);
    pass_ns(270 * NS_PER_S);
    struct question_key key = {.size = 11, .bytes = "\1a\4test\0\0\1\1"};
    assert_true(forwarder_refresh(&story.forwarder, &key));
    attempt(1, "a.test");
    assert_int_equal(reply_number(1), 1);
    assert_int_equal(fake_pool.count, 2);
    end();
}

static void a_fetch_that_fails_leaves_the_answer_to_its_end(void **state)
{
    (void)state;
    begin();
    keep("a.test", 300);
    pass_ns(270 * NS_PER_S);
    attempt(1, "a.test");
    fake_answer_rcode(1, DNS_RCODE_SERVFAIL);
    pass_ns(29 * NS_PER_S);
    ask_edns(2, "a.test");
    assert_int_equal(reply_rcode(2), DNS_RCODE_NOERROR);
    assert_int_equal(reply_ttl(2), 1);
    assert_int_equal(reply_error_code(2), DNS_EDE_NONE);
    end();
}

static void a_refresh_is_for_the_cache_alone(void **state)
{
    (void)state;
    begin();
    keep("a.test", 300);
    struct question_key key = {.size = 11, .bytes = "\1a\4test\0\0\1\1"};
    assert_true(forwarder_refresh(&story.forwarder, &key));
    assert_int_equal(fake_pool.count, 2);
    assert_true(fake_pool.asked[1]->background);
    assert_false(forwarder_refresh(&story.forwarder, &key)); /* it is being done */
    fake_answer(1, 300, 2);
    attempt(1, "a.test");
    assert_int_equal(reply_number(1), 2);
    assert_int_equal(count(&story.counters->prefetch[LABEL_PREFETCH_REFRESHED][0]), 1);

    assert_true(forwarder_refresh(&story.forwarder, &key));
    fake_fail(2, EXCHANGE_TIMED_OUT);
    assert_int_equal(count(&story.counters->prefetch[LABEL_PREFETCH_FAILED][0]), 1);
    attempt(2, "a.test");
    assert_int_equal(reply_number(2), 2);
    end();
}

/* ---- size ---- */

/* An A record and so many TXT records of 255 octets. */
static void answer_large(unsigned n, unsigned records)
{
    uint8_t text[256];
    memset(text, 'x', sizeof text);
    text[0] = 255;
    struct packet *packet = fake_packet(n, 0);
    packet_a(packet, DNS_ANSWER, 300);
    for (unsigned i = 0; i < records; i++) packet_record(packet, DNS_ADDITIONAL, TYPE_TXT, 300, text, sizeof text);
    fake_answer_packet(n);
}

static void the_largest_answer_is_kept_and_given(void **state)
{
    (void)state;
    begin();
    attempt(0, "large.test");
    answer_large(0, 240);
    size_t size = story.transport.clients[0].size;
    assert_true(size > 60000);
    attempt(1, "large.test");
    assert_int_equal(fake_pool.count, 1);
    assert_int_equal(story.transport.clients[1].size, size);
    assert_memory_equal(reply_bytes(1) + 2, reply_bytes(0) + 2, size - 2);
    end();
}

static void without_a_cache_each_is_asked_upstream(void **state)
{
    (void)state;
    struct story_options options = usual_story();
    options.cache.max_bytes = 0;
    begin_with(&options);
    keep("a.test", 300);
    assert_false(is_kept("a.test"));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cached_answer_ages_and_is_each_clients_own),
        cmocka_unit_test(at_its_end_it_is_asked_for_again),
        cmocka_unit_test(flags_that_make_another_answer_are_entries_of_their_own),
        cmocka_unit_test(an_answer_is_kept_by_its_kind_and_the_settings),
        cmocka_unit_test(what_may_not_be_kept_is_not),
        cmocka_unit_test(what_upstream_kept_too_long_is_not_kept_longer),
        cmocka_unit_test(options_of_a_reload_hold_from_the_next_answer_on),
        cmocka_unit_test(a_failure_is_remembered_for_a_second),
        cmocka_unit_test(a_failure_is_not_asked_again_before_its_second_is_over),
        cmocka_unit_test(a_query_near_the_expiry_refreshes_the_answer_and_does_not_wait),
        cmocka_unit_test(what_is_being_refreshed_is_not_asked_for_twice),
        cmocka_unit_test(a_fetch_that_fails_leaves_the_answer_to_its_end),
        cmocka_unit_test(a_refresh_is_for_the_cache_alone),
        cmocka_unit_test(the_largest_answer_is_kept_and_given),
        cmocka_unit_test(without_a_cache_each_is_asked_upstream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
