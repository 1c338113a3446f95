#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/response.h"
#include "packet.h"

static struct packet packet;
static struct question_key key;
static struct response response;
static uint8_t ttl_offsets[2 * (DNS_MESSAGE_MAX / 11)];
static uint8_t without_opt[DNS_MESSAGE_MAX];

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
    static struct packet copy; /* OPT is removed in place */
    copy = packet;
    bool sound = response_read(copy.bytes, copy.size, &key, ttl_offsets, &response);
    if (sound) memcpy(without_opt, copy.bytes, response.size);
    return sound;
}

static uint32_t ttl_s;

static enum answer_kind kind(void)
{
    ttl_s = 4711;
    assert_true(survey());
    return response_kind(&response, message_flags(packet.bytes), &ttl_s);
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
    assert_int_equal(response.size, opt_at);
    assert_int_equal(response.rcode, DNS_RCODE_BADVERS);
    assert_int_equal(response.errors_size, 6);
    assert_memory_equal(response.errors, "\0\17\0\2\0\3", 6);
}

static void without_records_there_is_nothing_to_find(void **state)
{
    (void)state;
    assert_true(survey());
    assert_int_equal(response.ttl_count, 0);
    assert_int_equal(response.size, packet.size);
    assert_int_equal(response.errors_size, 0);
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
    packet_opt(&packet, 0, "", 0);
    packet_a(&packet, DNS_ADDITIONAL, 60);
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

static void a_failure_that_is_explained_for_good_is_a_verdict(void **state)
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

static void a_truncated_answer_is_as_good_as_none(void **state)
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

/* ---- OPT that is not the last record ---- */

static void assert_moved(const struct packet *expected)
{
    assert_true(survey());
    assert_int_equal(response.size, expected->size);
    assert_memory_equal(without_opt, expected->bytes, expected->size);
}

static void opt_is_removed_where_it_stands_and_names_behind_it_are_kept(void **state)
{
    (void)state;
    static struct packet expected;
    for (int with_opt = 0; with_opt <= 1; with_opt++) {
        respond(DNS_RD | DNS_RA);
        packet_record(&packet, DNS_AUTHORITY, DNS_TYPE_NS, 300, "\2ns\xc0\x10", 5);
        size_t server = packet.size - 5;
        if (with_opt) packet_opt(&packet, 0, "\0\14\0\7padding\0\17\0\4\0\3hi", 19);
        packet_pointer(&packet, server);
        packet_fixed(&packet, DNS_TYPE_A, 300, 4);
        packet_u32(&packet, 0xc0000201);
        size_t later = packet.size;
        packet_name(&packet, "later.example");
        packet_fixed(&packet, 15, 300, 6); /* MX */
        packet_raw(&packet, "\0\12\1a", 4);
        packet_pointer(&packet, later);
        packet_pointer(&packet, later + 6);
        packet_fixed(&packet, 65280, 300, 4); /* a type without a known form: octets are octets */
        packet_u32(&packet, 0xc0ffc0ff);
        packet_count(&packet, DNS_ADDITIONAL, with_opt ? 4 : 3);
        if (!with_opt) expected = packet;
    }
    packet_count(&packet, DNS_ADDITIONAL, 4);
    assert_moved(&expected);
    assert_int_equal(response.errors_size, 8);
    assert_int_equal(response.ttl_count, 4);
}

static void a_pointer_into_opt_is_malformed(void **state)
{
    (void)state;
    packet_opt(&packet, 0, "\0\14\0\3\1a\0", 7);
    size_t inside = packet.size - 3;
    packet_pointer(&packet, inside);
    packet_fixed(&packet, DNS_TYPE_A, 300, 4);
    packet_u32(&packet, 0);
    packet_add_count(&packet, DNS_ADDITIONAL);
    assert_false(survey());
}

static void opt_before_records_that_are_cut_is_malformed(void **state)
{
    (void)state;
    packet_opt(&packet, 0, "", 0);
    size_t before = packet.size;
    packet_a(&packet, DNS_ADDITIONAL, 60);
    packet_record(&packet, DNS_ADDITIONAL, 15, 60, "\0\12\1a\xc0\x0c", 6);
    assert_true(survey());
    while (--packet.size > before) assert_false(survey());
}

static void opt_first_behind_a_large_answer_is_removed(void **state)
{
    (void)state;
    for (int i = 0; i < 1500; i++) packet_a(&packet, DNS_ANSWER, 300);
    packet_opt(&packet, 0, "", 0);
    packet_a(&packet, DNS_ADDITIONAL, 300);
    assert_int_equal(kind(), ANSWER_POSITIVE);
    assert_int_equal(response.size, packet.size - 11);
    respond(0);
    uint8_t text[33 * 256];
    for (int i = 0; i < 33; i++) {
        text[256 * i] = 255;
        memset(text + 256 * i + 1, 'x', 255);
    }
    packet_record(&packet, DNS_ANSWER, 16, 300, text, sizeof text);
    packet_opt(&packet, 0, "", 0);
    packet_a(&packet, DNS_ADDITIONAL, 300);
    assert_true(survey());
    assert_int_equal(response.size, packet.size - 11);
}

/* ---- sets ---- */

static void the_set_asked_for_is_found(void **state)
{
    (void)state;
    add_cname("www.example.com", "a.example.net", 100);
    add_a("a.example.net", 70);
    add_a("a.example.net", 70);
    add_a("A.example.net", 70);
    packet_soa(&packet, 60, 60);
    assert_true(survey());
    assert_int_equal(response.set_first, 1);
    assert_int_equal(response.set_count, 3);
    add_a("a.example.net", 70); /* not in a row: counted into the answer by its number, and another set */
    respond(0);
    add_a("www.example.com", 70);
    packet_record(&packet, DNS_ANSWER, 46, 60, "\0\1\10\2\0\0\0\74\0\0\0\1\0\0\0\0\0\7\0sig", 22);
    add_a("www.example.com", 70);
    assert_true(survey());
    assert_int_equal(response.set_first, 2);
    assert_int_equal(response.set_count, 1);
}

static void a_set_that_names_lead_into_stays_as_it_is(void **state)
{
    (void)state;
    make_key("example.com", DNS_TYPE_NS);
    for (int leads = 0; leads <= 1; leads++) {
        packet_header(&packet, 0, DNS_QR);
        packet_question(&packet, "example.com", DNS_TYPE_NS);
        packet_record(&packet, DNS_ANSWER, DNS_TYPE_NS, 300, "\1a\xc0\x0c", 4);
        size_t first = packet.size - 4;
        packet_record(&packet, DNS_ANSWER, DNS_TYPE_NS, 300, "\1b\xc0\x0c", 4);
        packet_pointer(&packet, leads ? first : DNS_HEADER_BYTES);
        packet_fixed(&packet, DNS_TYPE_A, 300, 4);
        packet_u32(&packet, 0xc0000201);
        packet_add_count(&packet, DNS_ADDITIONAL);
        assert_true(survey());
        assert_int_equal(response.set_count, leads ? 0 : 2);
    }
    packet_header(&packet, 0, DNS_QR); /* one record's name in another's */
    packet_question(&packet, "example.com", DNS_TYPE_NS);
    packet_record(&packet, DNS_ANSWER, DNS_TYPE_NS, 300, "\1a\4test\0", 8);
    const uint8_t other[] = {1, 'b', 0xc0, (uint8_t)(packet.size - 6)};
    packet_record(&packet, DNS_ANSWER, DNS_TYPE_NS, 300, other, sizeof other);
    assert_true(survey());
    assert_int_equal(response.set_count, 0);
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
        cmocka_unit_test_setup(an_alias_without_data_and_soa_is_kept_for_its_ttl, setup),
        cmocka_unit_test_setup(rcodes_that_say_nothing_of_the_name_are_failures, setup),
        cmocka_unit_test_setup(the_upper_bits_of_the_rcode_count, setup),
        cmocka_unit_test_setup(a_failure_that_is_explained_for_good_is_a_verdict, setup),
        cmocka_unit_test_setup(a_truncated_answer_is_as_good_as_none, setup),
        cmocka_unit_test_setup(a_ttl_above_31_bits_is_the_largest, setup),
        cmocka_unit_test_setup(opt_is_removed_where_it_stands_and_names_behind_it_are_kept, setup),
        cmocka_unit_test_setup(a_pointer_into_opt_is_malformed, setup),
        cmocka_unit_test_setup(opt_before_records_that_are_cut_is_malformed, setup),
        cmocka_unit_test_setup(opt_first_behind_a_large_answer_is_removed, setup),
        cmocka_unit_test_setup(the_set_asked_for_is_found, setup),
        cmocka_unit_test_setup(a_set_that_names_lead_into_stays_as_it_is, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
