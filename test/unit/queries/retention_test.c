/* The TTLs that clients are told, where the settings lengthen or cut what an answer is kept for. */
#include "forwarder_story.h"

enum { DAY_S = 86400, HOUR_S = 3600 };

struct bounds {
    uint64_t min_ms;
    uint64_t max_ms;
    uint64_t negative_ms;
};

static const struct bounds usual = {0, DAY_S * 1000, HOUR_S * 1000};

static void begin_bounded(const struct bounds *bounds)
{
    struct story_options options = usual_story();
    options.forwarder.cache_min_ns = bounds->min_ms * NS_PER_MS;
    options.forwarder.cache_max_ns = bounds->max_ms * NS_PER_MS;
    options.forwarder.cache_negative_ns = bounds->negative_ms * NS_PER_MS;
    begin_with(&options);
}

/* The TTL at `place` of the client's last reply. */
static uint32_t told(uint32_t client, unsigned deps)
{
    struct record record;
    assert_true(reply_record(client, deps, &record));
    return record.ttl;
}

/* One asks and is told `at_first`; another, `later_s` on, is told so much less from the cache. */
static void assert_told(uint32_t at_first, uint32_t later_s)
{
    assert_int_equal(told(0, 0), at_first);
    pass_ns(later_s * NS_PER_S);
    attempt(1, "a.test");
    assert_int_equal(replies(1), 1);
    assert_int_equal(told(1, 0), at_first - later_s);
    end();
}

static void a_ttl_under_the_least_is_raised_and_counts_down_from_there(void **state)
{
    (void)state;
    const struct bounds bounds = {60000, usual.max_ms, usual.negative_ms};
    static const uint32_t ttls[] = {0, 1, 59, 60};
    for (size_t i = 0; i < sizeof ttls / sizeof *ttls; i++) {
        begin_bounded(&bounds);
        attempt(0, "a.test");
        fake_answer(0, ttls[i], 1);
        assert_told(60, 40);
    }
    begin_bounded(&bounds);
    attempt(0, "a.test");
    fake_answer(0, 61, 1);
    assert_told(61, 40);
}

static void each_record_is_raised_for_itself(void **state)
{
    (void)state;
    const struct bounds bounds = {60000, usual.max_ms, usual.negative_ms};
    begin_bounded(&bounds);
    ask_edns(0, "a.test");
    struct packet *packet = fake_packet(0, DNS_RD);
    packet_a(packet, DNS_ANSWER, 5);
    packet_a(packet, DNS_ANSWER, 300);
    packet_a(packet, DNS_ADDITIONAL, 7);
    packet_opt(packet, 0, "", 0);
    fake_answer_packet(0);
    assert_int_equal(told(0, 0), 60);
    assert_int_equal(told(0, 1), 300);
    assert_int_equal(told(0, 2), 60);
    assert_int_equal(told(0, 3), 0); /* OPT's is none */
    end();
}

static void no_ttl_is_above_the_largest(void **state)
{
    (void)state;
    const struct bounds bounds = {0, 60000, usual.negative_ms};
    begin_bounded(&bounds);
    attempt(0, "a.test");
    struct packet *packet = fake_packet(0, DNS_RD);
    packet_a(packet, DNS_ANSWER, 604800);
    packet_a(packet, DNS_ADDITIONAL, 61);
    fake_answer_packet(0);
    assert_int_equal(told(0, 1), 60);
    assert_told(60, 45);
    begin_bounded(&bounds); /* kept for its own, smaller TTL; the other goes out no larger all the same */
    attempt(0, "a.test");
    packet = fake_packet(0, DNS_RD);
    packet_a(packet, DNS_ANSWER, 30);
    packet_a(packet, DNS_ADDITIONAL, 604800);
    fake_answer_packet(0);
    assert_int_equal(told(0, 1), 60);
    assert_told(30, 20);
}

static void the_largest_wins_over_the_least(void **state)
{
    (void)state;
    const struct bounds bounds = {60000, 10000, usual.negative_ms};
    begin_bounded(&bounds);
    attempt(0, "a.test");
    fake_answer(0, 300, 1);
    assert_told(10, 8);
}

static void a_negative_answer_has_the_ttl_for_which_it_is_kept(void **state)
{
    (void)state;
    static const struct {
        struct bounds bounds;
        uint32_t ttl, minimum, told;
    } cases[] = {
        {{0, DAY_S * 1000, 60000}, 7200, 7200, 60},         {{0, DAY_S * 1000, HOUR_S * 1000}, 300, 60, 60},
        {{0, 30000, HOUR_S * 1000}, 7200, 7200, 30},        {{20000, DAY_S * 1000, HOUR_S * 1000}, 300, 0, 20},
        {{20000, DAY_S * 1000, HOUR_S * 1000}, 0, 300, 20}, {{0, DAY_S * 1000, HOUR_S * 1000}, 60, 300, 60},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned rcode = 0; rcode <= DNS_RCODE_NXDOMAIN; rcode += DNS_RCODE_NXDOMAIN) {
            begin_bounded(&cases[i].bounds);
            attempt(0, "a.test");
            fake_answer_soa(0, rcode, cases[i].ttl, cases[i].minimum);
            assert_told(cases[i].told, 10);
        }
    }
}

static void ttls_are_whole_seconds_and_never_more_than_are_left(void **state)
{
    (void)state;
    const struct bounds bounds = {2900, 2900, usual.negative_ms};
    begin_bounded(&bounds);
    attempt(0, "a.test");
    fake_answer(0, 300, 1);
    assert_told(2, 1);
}

static void no_ttl_is_above_the_largest_where_the_answer_is_not_kept(void **state)
{
    (void)state;
    const struct bounds bounds = {60000, 120000, usual.negative_ms};
    begin_bounded(&bounds);
    attempt(0, "a.test"); /* a referral */
    struct packet *packet = fake_packet(0, DNS_RD);
    packet_record(packet, DNS_AUTHORITY, DNS_TYPE_NS, 604800, "\2ns\0", 4);
    packet_a(packet, DNS_ADDITIONAL, 5);
    fake_answer_packet(0);
    assert_int_equal(told(0, 0), 120);
    assert_int_equal(told(0, 1), 5);
    attempt(0, "b.test"); /* NXDOMAIN without SOA, with an alias */
    packet = fake_packet(1, DNS_RD | DNS_RCODE_NXDOMAIN);
    packet_record(packet, DNS_ANSWER, DNS_TYPE_CNAME, 0xffffffff, "\1c\0", 3);
    fake_answer_packet(1);
    assert_int_equal(told(0, 0), 120);
    end();
}

static void a_ttl_above_31_bits_is_the_largest(void **state)
{
    (void)state;
    static const uint32_t ttls[] = {0x7fffffff, 0x80000000, 0xffffffff};
    for (size_t i = 0; i < sizeof ttls / sizeof *ttls; i++) {
        begin_bounded(&usual);
        attempt(0, "a.test");
        fake_answer(0, ttls[i], 1);
        assert_told(DAY_S, 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ttl_under_the_least_is_raised_and_counts_down_from_there),
        cmocka_unit_test(each_record_is_raised_for_itself),
        cmocka_unit_test(no_ttl_is_above_the_largest),
        cmocka_unit_test(the_largest_wins_over_the_least),
        cmocka_unit_test(a_negative_answer_has_the_ttl_for_which_it_is_kept),
        cmocka_unit_test(ttls_are_whole_seconds_and_never_more_than_are_left),
        cmocka_unit_test(no_ttl_is_above_the_largest_where_the_answer_is_not_kept),
        cmocka_unit_test(a_ttl_above_31_bits_is_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
