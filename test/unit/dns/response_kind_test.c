/* What a response says, and for how long it may be kept. */
#include "response_story.h"

static void an_answer_is_kept_for_its_smallest_ttl(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 300);
    packet_a(&packet, DNS_ANSWER, 299);
    packet_opt(&packet, 0, "", 0); /* whose TTL of 0 is none */
    assert_int_equal(kind(), ANSWER_POSITIVE);
    assert_int_equal(ttl_s, 299);
}

static void the_owner_may_be_spelt_otherwise(void **state)
{
    (void)state;
    add_a("WWW.Example.COM", 5);
    assert_int_equal(kind(), ANSWER_POSITIVE);
}

static void an_alias_leads_to_the_answer_in_any_order(void **state)
{
    (void)state;
    add_cname("www.example.com", "a.example.net", 100);
    add_cname("A.example.net", "b.example.org", 50);
    add_a("b.EXAMPLE.org", 70);
    assert_int_equal(kind(), ANSWER_POSITIVE);
    assert_int_equal(ttl_s, 50);
    respond(0);
    add_a("b.example.org", 70);
    add_cname("a.example.net", "b.example.org", 50);
    add_cname("www.example.com", "a.example.net", 100);
    assert_int_equal(kind(), ANSWER_POSITIVE);
}

static void an_alias_asked_for_is_the_answer(void **state)
{
    (void)state;
    make_key("www.example.com", DNS_TYPE_CNAME);
    respond(0);
    add_cname("www.example.com", "a.example.net", 100);
    assert_int_equal(kind(), ANSWER_POSITIVE);
}

static void data_of_another_name_or_type_are_no_answer(void **state)
{
    (void)state;
    add_a("other.example.com", 60);
    assert_int_equal(kind(), ANSWER_UNCACHEABLE);
    respond(0);
    packet_record(&packet, DNS_ANSWER, 28, 60, "0123456789abcdef", 16);
    assert_int_equal(kind(), ANSWER_UNCACHEABLE);
    respond(0);
    add_a("www.example.com", 60);
    packet.bytes[packet.size - 11] = 3; /* class CHAOS */
    assert_int_equal(kind(), ANSWER_UNCACHEABLE);
    assert_int_equal(ttl_s, 0);
}

static void aliases_in_a_circle_and_without_end_are_no_answer(void **state)
{
    (void)state;
    add_cname("www.example.com", "a.example", 60);
    add_cname("a.example", "www.example.com", 60);
    add_a("b.example", 60);
    assert_int_equal(kind(), ANSWER_UNCACHEABLE);
    for (char aliases = 16; aliases <= 17; aliases++) {
        respond(0);
        add_cname("www.example.com", "aa", 60);
        for (char c = 'a'; c < 'a' + aliases - 1; c++)
            add_cname((char[]){'a', c, 0}, (char[]){'a', (char)(c + 1), 0}, 60);
        add_a((char[]){'a', (char)('a' + aliases - 1), 0}, 60);
        assert_int_equal(kind(), aliases == 16 ? ANSWER_POSITIVE : ANSWER_UNCACHEABLE);
    }
}

static void no_such_name_is_kept_as_long_as_the_soa_says(void **state)
{
    (void)state;
    const struct {
        uint32_t ttl, minimum, expected;
    } cases[] = {{300, 60, 60}, {60, 300, 60}, {0, 60, 0}, {60, 0xffffffff, 60}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        respond(DNS_RCODE_NXDOMAIN);
        packet_soa(&packet, cases[i].ttl, cases[i].minimum);
        assert_int_equal(kind(), ANSWER_NEGATIVE);
        assert_int_equal(ttl_s, cases[i].expected);
    }
}

static void no_data_is_kept_and_behind_an_alias_no_longer_than_that(void **state)
{
    (void)state;
    packet_soa(&packet, 300, 200);
    assert_int_equal(kind(), ANSWER_NEGATIVE);
    assert_int_equal(ttl_s, 200);
    respond(0);
    add_cname("www.example.com", "empty.example", 30);
    packet_soa(&packet, 300, 200);
    assert_int_equal(kind(), ANSWER_NEGATIVE);
    assert_int_equal(ttl_s, 30);
}

static void negative_without_an_soa_is_not_kept(void **state)
{
    (void)state;
    assert_int_equal(kind(), ANSWER_UNCACHEABLE);
    respond(DNS_RCODE_NXDOMAIN);
    assert_int_equal(kind(), ANSWER_UNCACHEABLE);
    respond(DNS_RCODE_NXDOMAIN); /* an SOA record where it does not count */
    packet_soa(&packet, 300, 200);
    packet_count(&packet, DNS_AUTHORITY, 0);
    packet_count(&packet, DNS_ADDITIONAL, 1);
    assert_int_equal(kind(), ANSWER_UNCACHEABLE);
    packet_count(&packet, DNS_ADDITIONAL, 0);
    packet_count(&packet, DNS_ANSWER, 1);
    assert_int_equal(kind(), ANSWER_UNCACHEABLE);
}

static void a_referral_is_not_kept(void **state)
{
    (void)state;
    packet_record(&packet, DNS_AUTHORITY, DNS_TYPE_NS, 300, "\2ns\xc0\x10", 5);
    packet_a(&packet, DNS_ADDITIONAL, 300);
    assert_int_equal(kind(), ANSWER_UNCACHEABLE);
    assert_int_equal(ttl_s, 0);
}

static void an_alias_without_data_and_soa_is_kept_for_its_ttl(void **state)
{
    (void)state;
    add_cname("www.example.com", "a.example.net", 100);
    add_cname("a.example.net", "b.example.net", 90);
    assert_int_equal(kind(), ANSWER_POSITIVE);
    assert_int_equal(ttl_s, 90);
    respond(DNS_RCODE_NXDOMAIN); /* of the name it leads to; for how long nobody says */
    add_cname("www.example.com", "a.example.net", 100);
    assert_int_equal(kind(), ANSWER_UNCACHEABLE);
    respond(0);
    add_cname("other.example.com", "a.example.net", 100);
    assert_int_equal(kind(), ANSWER_UNCACHEABLE);
}

static void rcodes_that_say_nothing_of_the_name_are_failures(void **state)
{
    (void)state;
    for (unsigned rcode = 1; rcode <= 15; rcode++) {
        if (rcode == DNS_RCODE_NXDOMAIN || rcode == DNS_RCODE_YXDOMAIN) continue;
        respond(rcode);
        packet_a(&packet, DNS_ANSWER, 300);
        assert_int_equal(kind(), ANSWER_FAILURE);
        assert_int_equal(ttl_s, 0);
    }
    respond(DNS_RCODE_YXDOMAIN); /* DNAME makes a name that is too long (RFC 6672, 2.2) */
    assert_int_equal(kind(), ANSWER_UNCACHEABLE);
}

static void the_upper_bits_of_the_rcode_count(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 300);
    packet_opt(&packet, 0x01000000, "", 0); /* 16: BADVERS */
    assert_int_equal(kind(), ANSWER_FAILURE);
    assert_int_equal(response.rcode, DNS_RCODE_BADVERS);
}

static enum answer_kind kind_with_errors(unsigned rcode, const char *options, size_t size)
{
    respond(rcode);
    packet_opt(&packet, 0, options, size);
    return kind();
}

static void a_failure_with_a_definitive_explanation_is_final(void **state)
{
    (void)state;
    static const uint8_t verdicts[] = {1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 17, 25, 27, 35};
    for (unsigned code = 0; code < 64; code++) {
        const char option[] = {0, 15, 0, 2, 0, (char)code};
        bool is_verdict = memchr(verdicts, (int)code, sizeof verdicts);
        enum answer_kind expected = is_verdict ? ANSWER_VERDICT : ANSWER_FAILURE;
        assert_int_equal(kind_with_errors(DNS_RCODE_SERVFAIL, option, sizeof option), expected);
        assert_int_equal(kind_with_errors(DNS_RCODE_REFUSED, option, sizeof option), expected);
        assert_int_equal(kind_with_errors(DNS_RCODE_NOERROR, option, sizeof option), ANSWER_UNCACHEABLE);
        assert_int_equal(kind_with_errors(DNS_RCODE_NXDOMAIN, option, sizeof option), ANSWER_UNCACHEABLE);
    }
    const char second[] = "\0\17\0\2\0\26\0\17\0\3\0\6x"; /* 22, then 6 */
    assert_int_equal(kind_with_errors(DNS_RCODE_SERVFAIL, second, sizeof second - 1), ANSWER_VERDICT);
}

static void a_truncated_answer_is_no_answer(void **state)
{
    (void)state;
    respond(DNS_TC);
    packet_a(&packet, DNS_ANSWER, 300);
    assert_int_equal(kind(), ANSWER_TRUNCATED);
    respond(DNS_TC | DNS_RCODE_SERVFAIL);
    assert_int_equal(kind(), ANSWER_TRUNCATED);
}

static void a_ttl_above_31_bits_is_the_largest(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 0x80000000);
    packet_a(&packet, DNS_ANSWER, 0xffffffff);
    assert_int_equal(kind(), ANSWER_POSITIVE);
    assert_int_equal(ttl_s, 0x7fffffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_answer_is_kept_for_its_smallest_ttl, setup),
        cmocka_unit_test_setup(the_owner_may_be_spelt_otherwise, setup),
        cmocka_unit_test_setup(an_alias_leads_to_the_answer_in_any_order, setup),
        cmocka_unit_test_setup(an_alias_asked_for_is_the_answer, setup),
        cmocka_unit_test_setup(data_of_another_name_or_type_are_no_answer, setup),
        cmocka_unit_test_setup(aliases_in_a_circle_and_without_end_are_no_answer, setup),
        cmocka_unit_test_setup(no_such_name_is_kept_as_long_as_the_soa_says, setup),
        cmocka_unit_test_setup(no_data_is_kept_and_behind_an_alias_no_longer_than_that, setup),
        cmocka_unit_test_setup(negative_without_an_soa_is_not_kept, setup),
        cmocka_unit_test_setup(a_referral_is_not_kept, setup),
        cmocka_unit_test_setup(an_alias_without_data_and_soa_is_kept_for_its_ttl, setup),
        cmocka_unit_test_setup(rcodes_that_say_nothing_of_the_name_are_failures, setup),
        cmocka_unit_test_setup(the_upper_bits_of_the_rcode_count, setup),
        cmocka_unit_test_setup(a_failure_with_a_definitive_explanation_is_final, setup),
        cmocka_unit_test_setup(a_truncated_answer_is_no_answer, setup),
        cmocka_unit_test_setup(a_ttl_above_31_bits_is_the_largest, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
