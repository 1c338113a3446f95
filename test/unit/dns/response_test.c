#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/response.h"
#include "packet.h"

enum { RCODE_YXDOMAIN = 6 };

static struct packet packet;
static struct question_key key;
static struct response response;
static uint8_t ttl_offsets[2 * (DNS_MESSAGE_MAX / 11)];

static void make_key(const char *name, unsigned type)
{
    packet_header(&packet, 0, DNS_RD);
    packet_question(&packet, name, type);
    struct question question = {
        .flags = DNS_RD,
        .name = packet.bytes + DNS_HEADER_BYTES,
        .name_size = (uint8_t)(packet.size - DNS_HEADER_BYTES - 4),
        .type = (uint16_t)type,
        .class = DNS_CLASS_IN,
    };
    question_key(&question, &key);
}

static void respond(unsigned flags)
{
    packet_header(&packet, 0x4711, DNS_QR | flags);
    packet_question(&packet, "www.example.com", DNS_TYPE_A);
}

static int setup(void **state)
{
    (void)state;
    make_key("www.example.com", DNS_TYPE_A);
    respond(DNS_RD | DNS_RA);
    return 0;
}

static enum answer_verdict match(void)
{
    return response_match(packet.bytes, packet.size, &key);
}

static bool survey(void)
{
    return response_survey(packet.bytes, packet.size, ttl_offsets, &response);
}

static uint32_t ttl_s;

static enum answer_kind kind(void)
{
    ttl_s = 4711;
    assert_true(survey());
    return response_kind(packet.bytes, packet.size, &key, &response, &ttl_s);
}

/* A CNAME record from one name to another. */
static void add_cname(const char *from, const char *to, uint32_t ttl)
{
    packet_name(&packet, from);
    packet_fixed(&packet, DNS_TYPE_CNAME, ttl, 0);
    size_t data = packet.size;
    packet_name(&packet, to);
    dns_put_u16(packet.bytes + data - 2, (uint16_t)(packet.size - data));
    packet_add_count(&packet, DNS_ANSWER);
}

static void add_a(const char *owner, uint32_t ttl)
{
    packet_name(&packet, owner);
    packet_fixed(&packet, DNS_TYPE_A, ttl, 4);
    packet_u32(&packet, 0xc0000201);
    packet_add_count(&packet, DNS_ANSWER);
}

static void the_response_to_the_question_matches_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(match(), ANSWER_GOOD);
    packet.bytes[DNS_HEADER_BYTES + 1] = 'W';
    packet.bytes[DNS_HEADER_BYTES + 6] = 'X';
    assert_int_equal(match(), ANSWER_GOOD);
}

static void another_question_does_not_match(void **state)
{
    (void)state;
    size_t type_at = packet.size - 4;
    const size_t changed[] = {DNS_HEADER_BYTES + 1, DNS_HEADER_BYTES + 15, type_at,
                              type_at + 1,          type_at + 2,           type_at + 3};
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++) {
        setup(NULL);
        packet.bytes[changed[i]] ^= 0x02;
        assert_int_equal(match(), ANSWER_MISMATCH);
    }
    packet_header(&packet, 0, DNS_QR);
    packet_question(&packet, "example.com", DNS_TYPE_A);
    assert_int_equal(match(), ANSWER_MISMATCH);
}

static void case_is_that_of_letters_only(void **state)
{
    (void)state;
    make_key("a[b.example", DNS_TYPE_A);
    packet_header(&packet, 0, DNS_QR);
    packet_question(&packet, "a{b.example", DNS_TYPE_A);
    assert_int_equal(match(), ANSWER_MISMATCH);
}

static void a_query_and_another_opcode_do_not_match(void **state)
{
    (void)state;
    dns_put_u16(packet.bytes + 2, DNS_RD);
    assert_int_equal(match(), ANSWER_MISMATCH);
    dns_put_u16(packet.bytes + 2, DNS_QR | 4 << 11);
    assert_int_equal(match(), ANSWER_MISMATCH);
}

static void none_or_two_questions_do_not_match(void **state)
{
    (void)state;
    packet_question(&packet, "www.example.com", DNS_TYPE_A);
    assert_int_equal(match(), ANSWER_MISMATCH);
    packet_header(&packet, 0, DNS_QR);
    packet_a(&packet, DNS_ANSWER, 60);
    assert_int_equal(match(), ANSWER_MISMATCH);
}

static void a_question_that_is_cut_is_malformed(void **state)
{
    (void)state;
    while (packet.size-- > 0) assert_int_equal(match(), ANSWER_MALFORMED);
    respond(0);
    packet.bytes[DNS_HEADER_BYTES] = 0xc0;
    assert_int_equal(match(), ANSWER_MALFORMED);
}

static void the_survey_finds_ttls_and_opt(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 300);
    packet_soa(&packet, 20, 10);
    packet_a(&packet, DNS_ADDITIONAL, 4000);
    size_t opt_at = packet.size;
    packet_opt(&packet, 0x01008000, "\0\17\0\2\0\3", 6);
    assert_true(survey());
    assert_int_equal(response.ttl_count, 3);
    const uint32_t expected[] = {300, 20, 4000};
    for (size_t i = 0; i < 3; i++) assert_int_equal(dns_u32(packet.bytes + dns_u16(ttl_offsets + 2 * i)), expected[i]);
    assert_int_equal(response.ttl_min, 20);
    assert_int_equal(response.ttl_max, 4000);
    assert_int_equal(response.opt_at, opt_at);
    assert_int_equal(response.opt_end, packet.size);
    assert_int_equal(response.edns.rcode_high, 1);
    assert_int_equal(response.edns.ede_code, 3);
}

static void without_records_there_is_nothing_to_find(void **state)
{
    (void)state;
    assert_true(survey());
    assert_int_equal(response.ttl_count, 0);
    assert_int_equal(response.opt_at, 0);
    assert_int_equal(response.edns.ede_code, DNS_EDE_NONE);
}

static void a_response_that_is_cut_or_goes_on_is_refused(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 300);
    packet_opt(&packet, 0, "\0\14\0\2\0\0", 6);
    assert_true(survey());
    size_t whole = packet.size;
    packet.size++;
    assert_false(survey());
    for (packet.size = DNS_HEADER_BYTES; packet.size < whole; packet.size++) assert_false(survey());
}

static void opt_is_there_once_whole_and_in_its_place(void **state)
{
    (void)state;
    packet_opt(&packet, 0, "", 0);
    packet_opt(&packet, 0, "", 0);
    assert_false(survey());
    respond(0);
    packet_opt(&packet, 0, "\0\14\0\2\0", 5);
    assert_false(survey());
    for (enum dns_section section = DNS_ANSWER; section <= DNS_AUTHORITY; section++) {
        respond(0);
        packet_opt(&packet, 0, "", 0);
        packet_count(&packet, DNS_ADDITIONAL, 0);
        packet_count(&packet, section, 1);
        assert_false(survey());
    }
}

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
    assert_int_equal(kind(), ANSWER_TRANSIENT);
    respond(0);
    packet_record(&packet, DNS_ANSWER, 28, 60, "0123456789abcdef", 16);
    assert_int_equal(kind(), ANSWER_TRANSIENT);
    respond(0);
    add_a("www.example.com", 60);
    packet.bytes[packet.size - 11] = 3; /* class CHAOS */
    assert_int_equal(kind(), ANSWER_TRANSIENT);
    assert_int_equal(ttl_s, 0);
}

static void aliases_in_a_circle_and_without_end_are_no_answer(void **state)
{
    (void)state;
    add_cname("www.example.com", "a.example", 60);
    add_cname("a.example", "www.example.com", 60);
    add_a("b.example", 60);
    assert_int_equal(kind(), ANSWER_TRANSIENT);
    for (char aliases = 16; aliases <= 17; aliases++) {
        respond(0);
        add_cname("www.example.com", "aa", 60);
        for (char c = 'a'; c < 'a' + aliases - 1; c++)
            add_cname((char[]){'a', c, 0}, (char[]){'a', (char)(c + 1), 0}, 60);
        add_a((char[]){'a', (char)('a' + aliases - 1), 0}, 60);
        assert_int_equal(kind(), aliases == 16 ? ANSWER_POSITIVE : ANSWER_TRANSIENT);
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
    assert_int_equal(kind(), ANSWER_TRANSIENT);
    respond(DNS_RCODE_NXDOMAIN);
    assert_int_equal(kind(), ANSWER_TRANSIENT);
    respond(DNS_RCODE_NXDOMAIN); /* an SOA record where it does not count */
    packet_soa(&packet, 300, 200);
    packet_count(&packet, DNS_AUTHORITY, 0);
    packet_count(&packet, DNS_ADDITIONAL, 1);
    assert_int_equal(kind(), ANSWER_TRANSIENT);
    packet_count(&packet, DNS_ADDITIONAL, 0);
    packet_count(&packet, DNS_ANSWER, 1);
    assert_int_equal(kind(), ANSWER_TRANSIENT);
}

static void a_referral_is_not_kept(void **state)
{
    (void)state;
    packet_record(&packet, DNS_AUTHORITY, DNS_TYPE_NS, 300, "\2ns\xc0\x10", 5);
    packet_a(&packet, DNS_ADDITIONAL, 300);
    assert_int_equal(kind(), ANSWER_TRANSIENT);
    assert_int_equal(ttl_s, 0);
}

static void failures_are_told_from_other_refusals(void **state)
{
    (void)state;
    respond(DNS_RCODE_SERVFAIL);
    assert_int_equal(kind(), ANSWER_FAILURE);
    const unsigned rcodes[] = {DNS_RCODE_FORMERR, DNS_RCODE_NOTIMP, DNS_RCODE_REFUSED, RCODE_YXDOMAIN, 15};
    for (size_t i = 0; i < sizeof rcodes / sizeof *rcodes; i++) {
        respond(rcodes[i]);
        packet_a(&packet, DNS_ANSWER, 300);
        assert_int_equal(kind(), ANSWER_TRANSIENT);
        assert_int_equal(ttl_s, 0);
    }
}

static void the_upper_bits_of_the_rcode_count(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 300);
    packet_opt(&packet, 0x01000000, "", 0); /* 16: BADVERS */
    assert_int_equal(kind(), ANSWER_TRANSIENT);
}

static void a_truncated_answer_is_not_kept(void **state)
{
    (void)state;
    respond(DNS_TC);
    packet_a(&packet, DNS_ANSWER, 300);
    assert_int_equal(kind(), ANSWER_TRANSIENT);
}

static void a_ttl_above_31_bits_is_not_kept(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 0x7fffffff);
    assert_int_equal(kind(), ANSWER_POSITIVE);
    assert_int_equal(ttl_s, 0x7fffffff);
    packet_a(&packet, DNS_ADDITIONAL, 0x80000000);
    assert_int_equal(kind(), ANSWER_TRANSIENT);
    assert_int_equal(ttl_s, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_response_to_the_question_matches_in_any_case, setup),
        cmocka_unit_test_setup(another_question_does_not_match, setup),
        cmocka_unit_test_setup(case_is_that_of_letters_only, setup),
        cmocka_unit_test_setup(a_query_and_another_opcode_do_not_match, setup),
        cmocka_unit_test_setup(none_or_two_questions_do_not_match, setup),
        cmocka_unit_test_setup(a_question_that_is_cut_is_malformed, setup),
        cmocka_unit_test_setup(the_survey_finds_ttls_and_opt, setup),
        cmocka_unit_test_setup(without_records_there_is_nothing_to_find, setup),
        cmocka_unit_test_setup(a_response_that_is_cut_or_goes_on_is_refused, setup),
        cmocka_unit_test_setup(opt_is_there_once_whole_and_in_its_place, setup),
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
        cmocka_unit_test_setup(failures_are_told_from_other_refusals, setup),
        cmocka_unit_test_setup(the_upper_bits_of_the_rcode_count, setup),
        cmocka_unit_test_setup(a_truncated_answer_is_not_kept, setup),
        cmocka_unit_test_setup(a_ttl_above_31_bits_is_not_kept, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
