/* Which responses belong to a question, and what is found in one that does. */
#include "response_story.h"

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

static void no_question_or_two_do_not_match(void **state)
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

static void opt_is_there_once_whole_and_in_the_additional_section(void **state)
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

/* ---- OPT that is not the last record ---- */

static void assert_moved(const struct packet *expected)
{
    assert_true(survey());
    assert_int_equal(response.size, expected->size);
    assert_memory_equal(without_opt, expected->bytes, expected->size);
}

static void opt_is_removed_anywhere_and_names_after_it_are_kept(void **state)
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

/* The length of an A record's data as a label of four octets, which the root of the OPT record ended: without that, the
 * name would go on in the record behind. */
static void a_name_that_leads_into_opt_is_malformed(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ADDITIONAL, 60);
    size_t length_at = packet.size - 5;
    packet_opt(&packet, 0, "", 0);
    packet_a(&packet, DNS_ADDITIONAL, 60);
    assert_true(survey());
    packet_pointer(&packet, length_at);
    packet_fixed(&packet, DNS_TYPE_A, 300, 4);
    packet_u32(&packet, 0xc0000201);
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

/* Two NS records whose owners are spelled out; the data of number `leading` lead into its own owner, or none does. */
static void add_spelled_out(int leading)
{
    for (int i = 0; i < 2; i++) {
        size_t owner = packet.size;
        packet_name(&packet, "example.com");
        packet_fixed(&packet, DNS_TYPE_NS, 300, i == leading ? 4 : 8);
        packet_add_count(&packet, DNS_ANSWER);
        if (i == leading) {
            packet_raw(&packet, i == 0 ? "\1a" : "\1b", 2);
            packet_pointer(&packet, owner);
        } else {
            packet_name(&packet, i == 0 ? "a.test" : "b.test");
        }
    }
}

/* Where a record moves, a name in its data must not lead to where its own owner was. */
static void a_set_whose_data_lead_into_their_own_owner_stays_as_it_is(void **state)
{
    (void)state;
    make_key("example.com", DNS_TYPE_NS);
    for (int leading = 0; leading <= 2; leading++) {
        packet_header(&packet, 0, DNS_QR);
        packet_question(&packet, "example.com", DNS_TYPE_NS);
        add_spelled_out(leading);
        assert_true(survey());
        assert_int_equal(response.set_count, leading < 2 ? 0 : 2);
    }
}

/* Nor one in the data to another of the same data. */
static void a_set_whose_data_lead_into_themselves_stays_as_it_is(void **state)
{
    enum { TYPE_RP = 17 };
    (void)state;
    make_key("example.com", TYPE_RP);
    packet_header(&packet, 0, DNS_QR);
    packet_question(&packet, "example.com", TYPE_RP);
    packet_record(&packet, DNS_ANSWER, TYPE_RP, 300, "\1a\4test\0\1b\4test\0", 16);
    const uint8_t second[] = {1, 'c', 4, 't', 'e', 's', 't', 0, 0xc0, (uint8_t)(packet.size + 12)};
    packet_record(&packet, DNS_ANSWER, TYPE_RP, 300, second, sizeof second);
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
        cmocka_unit_test_setup(no_question_or_two_do_not_match, setup),
        cmocka_unit_test_setup(a_question_that_is_cut_is_malformed, setup),
        cmocka_unit_test_setup(the_survey_finds_ttls_and_opt, setup),
        cmocka_unit_test_setup(without_records_there_is_nothing_to_find, setup),
        cmocka_unit_test_setup(a_response_that_is_cut_or_goes_on_is_refused, setup),
        cmocka_unit_test_setup(opt_is_there_once_whole_and_in_the_additional_section, setup),
        cmocka_unit_test_setup(opt_is_removed_anywhere_and_names_after_it_are_kept, setup),
        cmocka_unit_test_setup(a_pointer_into_opt_is_malformed, setup),
        cmocka_unit_test_setup(opt_before_records_that_are_cut_is_malformed, setup),
        cmocka_unit_test_setup(a_name_that_leads_into_opt_is_malformed, setup),
        cmocka_unit_test_setup(opt_first_behind_a_large_answer_is_removed, setup),
        cmocka_unit_test_setup(the_set_asked_for_is_found, setup),
        cmocka_unit_test_setup(a_set_that_names_lead_into_stays_as_it_is, setup),
        cmocka_unit_test_setup(a_set_whose_data_lead_into_their_own_owner_stays_as_it_is, setup),
        cmocka_unit_test_setup(a_set_whose_data_lead_into_themselves_stays_as_it_is, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
