#include "question_story.h"

enum { TYPE_NXNAME = 128, TYPE_TKEY = 249, TYPE_MAILB = 253, TYPE_MAILA = 254, TYPE_SIG = 24 };
enum { OPCODE_UPDATE = 5 << 11, CLASS_CHAOS = 3, CLASS_ANY = 255 };

static void a_usual_query_is_good(void **state)
{
    (void)state;
    ask("wWw.Example.com", 28);
    packet_opt(&packet, 0x8000, "\0\12\0\10cookie!!\0\13\0\0", 16);
    assert_int_equal(parse(), QUESTION_GOOD);
    assert_int_equal(question.id, 0x1234);
    assert_int_equal(question.flags, DNS_RD);
    assert_ptr_equal(question.name, packet.bytes + DNS_HEADER_BYTES);
    assert_int_equal(question.name_size, 17);
    assert_int_equal(question.type, 28);
    assert_int_equal(question.class, DNS_CLASS_IN);
    assert_true(question.edns);
    assert_true(question.dnssec_ok);
    assert_true(question.keepalive);
}

static void a_query_without_opt_has_no_edns(void **state)
{
    (void)state;
    assert_int_equal(parse(), QUESTION_GOOD);
    assert_false(question.edns);
    assert_false(question.dnssec_ok);
    assert_false(question.keepalive);
}

static void without_a_header_nothing_is_said(void **state)
{
    (void)state;
    for (packet.size = 0; packet.size < DNS_HEADER_BYTES; packet.size++) assert_int_equal(parse(), QUESTION_CLOSE);
    assert_int_equal(question.id, 0);
}

static void a_response_is_not_answered(void **state)
{
    (void)state;
    dns_put_u16(packet.bytes + 2, DNS_QR | OPCODE_UPDATE);
    assert_int_equal(parse(), QUESTION_CLOSE);
    assert_int_equal(question.id, 0);
}

static void another_opcode_is_not_implemented_whatever_follows(void **state)
{
    (void)state;
    dns_put_u16(packet.bytes + 2, OPCODE_UPDATE | DNS_RD);
    packet_record(&packet, DNS_ANSWER, DNS_TYPE_A, 0, "", 0); /* a prerequisite */
    packet_opt(&packet, 0x8000, "", 0);
    assert_int_equal(parse(), QUESTION_NOTIMP);
    assert_int_equal(question.flags, OPCODE_UPDATE | DNS_RD);
    assert_null(question.name); /* the reply is a header */
    assert_false(question.edns);
    packet.size = DNS_HEADER_BYTES + 3;
    assert_int_equal(parse(), QUESTION_NOTIMP);
    assert_null(question.name);
    assert_int_equal(question.id, 0x1234);
}

static void there_is_exactly_one_question(void **state)
{
    (void)state;
    packet_question(&packet, "example.org", DNS_TYPE_A);
    assert_int_equal(parse(), QUESTION_FORMERR);
    assert_null(question.name);
    packet_header(&packet, 9, 0);
    assert_int_equal(parse(), QUESTION_FORMERR);
    assert_null(question.name);
    packet_opt(&packet, 0, "", 0);
    assert_int_equal(parse(), QUESTION_FORMERR);
    assert_true(question.edns); /* so the reply has one */
}

static void a_query_that_is_cut_anywhere_is_malformed(void **state)
{
    (void)state;
    packet_opt(&packet, 0, "\0\12\0\10cookie!!", 12);
    while (--packet.size >= DNS_HEADER_BYTES) {
        assert_int_equal(parse(), QUESTION_FORMERR);
        assert_int_equal(question.id, 0x1234);
    }
}

static void rubbish_behind_the_end_is_malformed_but_the_question_is_known(void **state)
{
    (void)state;
    packet_u8(&packet, 0);
    assert_int_equal(parse(), QUESTION_FORMERR);
    assert_int_equal(question.name_size, 13);
    assert_int_equal(question.type, DNS_TYPE_A);
}

static void names_are_as_long_as_they_may_be(void **state)
{
    (void)state;
    for (size_t size = 254; size <= 256; size++) {
        packet_header(&packet, 0, 0);
        packet_long_name(&packet, size);
        packet_u32(&packet, 0x00010001);
        packet_count(&packet, DNS_QUESTION, 1);
        assert_int_equal(parse(), size <= 255 ? QUESTION_GOOD : QUESTION_FORMERR);
    }
    assert_null(question.name);
}

static void the_root_can_be_asked_for(void **state)
{
    (void)state;
    ask("", DNS_TYPE_NS);
    assert_int_equal(parse(), QUESTION_GOOD);
    assert_int_equal(question.name_size, 1);
}

static void a_label_of_64_octets_and_a_compressed_name_are_malformed(void **state)
{
    (void)state;
    packet.bytes[DNS_HEADER_BYTES] = 64;
    assert_int_equal(parse(), QUESTION_FORMERR);
    packet.bytes[DNS_HEADER_BYTES] = 0xc0;
    assert_int_equal(parse(), QUESTION_FORMERR);
    assert_null(question.name);
}

static void a_query_with_answers_is_refused(void **state)
{
    (void)state;
    packet_a(&packet, DNS_ANSWER, 60);
    assert_int_equal(parse(), QUESTION_FORMERR);
    assert_non_null(question.name);
    setup(NULL);
    packet_soa(&packet, 60, 60);
    assert_int_equal(parse(), QUESTION_FORMERR);
    assert_non_null(question.name);
}

static void a_broken_opt_is_malformed(void **state)
{
    (void)state;
    packet_opt(&packet, 0, "\0\12\0\10cookie", 10);
    assert_int_equal(parse(), QUESTION_FORMERR);
    assert_false(question.edns);
    setup(NULL);
    packet_record(&packet, DNS_ADDITIONAL, DNS_TYPE_OPT, 0, "", 0); /* its owner is not the root */
    assert_int_equal(parse(), QUESTION_FORMERR);
}

static void two_opts_are_malformed_and_the_reply_has_one(void **state)
{
    (void)state;
    packet_opt(&packet, 0x8000, "", 0);
    packet_opt(&packet, 0, "", 0);
    assert_int_equal(parse(), QUESTION_FORMERR);
    assert_true(question.edns);
    assert_true(question.dnssec_ok);
}

static void an_opt_outside_the_additional_section_is_malformed(void **state)
{
    (void)state;
    ask("example.com", DNS_TYPE_IXFR);
    packet_opt(&packet, 0, "", 0);
    packet_count(&packet, DNS_AUTHORITY, 1);
    packet_count(&packet, DNS_ADDITIONAL, 0);
    assert_int_equal(parse(), QUESTION_FORMERR);
}

static void a_sig_record_is_passed_over(void **state)
{
    (void)state;
    const char sig[] = "\0\0\10\0\0\0\0\0\0\0\0\1\0\0\0\0\0\7\3key\0sig";
    packet_opt(&packet, 0, "", 0);
    packet_record(&packet, DNS_ADDITIONAL, TYPE_SIG, 0, sig, sizeof sig - 1);
    assert_int_equal(parse(), QUESTION_GOOD);
    assert_true(question.edns);
}

/* A TSIG record of the key "key." of class ANY, with a MAC of two octets, of which the last `cut`
 * octets are missing. */
static void add_tsig(uint32_t ttl, size_t cut)
{
    static const char data[] = "\3alg\0\0\0\1\2\3\4\1\54\0\2ab\0\1\0\0\0\0";
    packet_name(&packet, "Key");
    packet_fixed(&packet, DNS_TYPE_TSIG, ttl, sizeof data - 1 - cut);
    dns_put_u16(packet.bytes + packet.size - 8, DNS_CLASS_ANY);
    packet_raw(&packet, data, sizeof data - 1 - cut);
    packet_add_count(&packet, DNS_ADDITIONAL);
}

static void a_signed_query_gets_the_error_unknown_key(void **state)
{
    (void)state;
    packet_opt(&packet, 0, "", 0);
    add_tsig(0, 0);
    assert_int_equal(parse(), QUESTION_SIGNED);
    assert_true(question.edns);
    uint8_t out[TSIG_REPLY_MAX];
    static const uint8_t expected[] = "\3key\0\0\372\0\377\0\0\0\0\0\25\3alg\0\0\0\1\2\3\4\1\54\0\0\x47\x11\0\21\0\0";
    assert_int_equal(tsig_write_badkey(&question.tsig, 0x4711, out), sizeof expected - 1);
    assert_memory_equal(out, expected, sizeof expected - 1);
}

static void a_signature_that_is_malformed_or_not_last_is_malformed(void **state)
{
    (void)state;
    for (size_t cut = 1; cut <= 20; cut++) {
        setup(NULL);
        add_tsig(0, cut);
        assert_int_equal(parse(), QUESTION_FORMERR);
    }
    setup(NULL);
    add_tsig(1, 0); /* has no TTL */
    assert_int_equal(parse(), QUESTION_FORMERR);
    setup(NULL);
    add_tsig(0, 0);
    packet_opt(&packet, 0, "", 0);
    assert_int_equal(parse(), QUESTION_FORMERR);
    setup(NULL);
    add_tsig(0, 0);
    add_tsig(0, 0);
    assert_int_equal(parse(), QUESTION_FORMERR);
    setup(NULL);
    add_tsig(0, 0);
    packet.bytes[packet.size - 30] = 1; /* class IN */
    assert_int_equal(parse(), QUESTION_FORMERR);
}

static void more_records_than_a_query_can_need_are_malformed(void **state)
{
    (void)state;
    for (int count = 1; count <= 9; count++) {
        packet_a(&packet, DNS_ADDITIONAL, 0);
        assert_int_equal(parse(), count <= 8 ? QUESTION_GOOD : QUESTION_FORMERR);
    }
}

static void another_edns_version_gets_badvers(void **state)
{
    (void)state;
    packet_opt(&packet, 0x00010000, "", 0);
    assert_int_equal(parse(), QUESTION_BADVERS);
    assert_true(question.edns);
    assert_non_null(question.name);
    packet_u8(&packet, 0); /* but what is malformed is malformed first */
    assert_int_equal(parse(), QUESTION_FORMERR);
}

static void transfers_are_recognised(void **state)
{
    (void)state;
    ask("example.com", DNS_TYPE_AXFR);
    assert_int_equal(parse(), QUESTION_TRANSFER);
    ask("example.com", DNS_TYPE_IXFR);
    packet_soa(&packet, 60, 60);
    assert_int_equal(parse(), QUESTION_TRANSFER);
}

static void other_classes_are_recognised(void **state)
{
    (void)state;
    const unsigned classes[] = {0, CLASS_CHAOS, 254, CLASS_ANY};
    for (size_t i = 0; i < 4; i++) {
        setup(NULL);
        dns_put_u16(packet.bytes + packet.size - 2, (uint16_t)classes[i]);
        assert_int_equal(parse(), QUESTION_CLASS);
        assert_int_equal(question.class, classes[i]);
    }
}

static void any_is_recognised(void **state)
{
    (void)state;
    ask("example.com", DNS_TYPE_ANY);
    assert_int_equal(parse(), QUESTION_ANY);
    dns_put_u16(packet.bytes + packet.size - 2, CLASS_CHAOS);
    assert_int_equal(parse(), QUESTION_CLASS);
}

static void types_that_no_record_has_are_malformed(void **state)
{
    (void)state;
    const unsigned types[] = {0, DNS_TYPE_OPT, TYPE_NXNAME, 200, TYPE_TKEY, DNS_TYPE_TSIG, TYPE_MAILB, TYPE_MAILA};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        ask("example.com", types[i]);
        assert_int_equal(parse(), QUESTION_FORMERR);
        assert_non_null(question.name);
    }
    const unsigned others[] = {1, 40, 42, 127, 256, 65280, 65535};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ask("example.com", others[i]);
        assert_int_equal(parse(), QUESTION_GOOD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_usual_query_is_good, setup),
        cmocka_unit_test_setup(a_query_without_opt_has_no_edns, setup),
        cmocka_unit_test_setup(without_a_header_nothing_is_said, setup),
        cmocka_unit_test_setup(a_response_is_not_answered, setup),
        cmocka_unit_test_setup(another_opcode_is_not_implemented_whatever_follows, setup),
        cmocka_unit_test_setup(there_is_exactly_one_question, setup),
        cmocka_unit_test_setup(a_query_that_is_cut_anywhere_is_malformed, setup),
        cmocka_unit_test_setup(rubbish_behind_the_end_is_malformed_but_the_question_is_known, setup),
        cmocka_unit_test_setup(names_are_as_long_as_they_may_be, setup),
        cmocka_unit_test_setup(the_root_can_be_asked_for, setup),
        cmocka_unit_test_setup(a_label_of_64_octets_and_a_compressed_name_are_malformed, setup),
        cmocka_unit_test_setup(a_query_with_answers_is_refused, setup),
        cmocka_unit_test_setup(a_broken_opt_is_malformed, setup),
        cmocka_unit_test_setup(two_opts_are_malformed_and_the_reply_has_one, setup),
        cmocka_unit_test_setup(an_opt_outside_the_additional_section_is_malformed, setup),
        cmocka_unit_test_setup(a_sig_record_is_passed_over, setup),
        cmocka_unit_test_setup(a_signed_query_gets_the_error_unknown_key, setup),
        cmocka_unit_test_setup(a_signature_that_is_malformed_or_not_last_is_malformed, setup),
        cmocka_unit_test_setup(more_records_than_a_query_can_need_are_malformed, setup),
        cmocka_unit_test_setup(another_edns_version_gets_badvers, setup),
        cmocka_unit_test_setup(transfers_are_recognised, setup),
        cmocka_unit_test_setup(other_classes_are_recognised, setup),
        cmocka_unit_test_setup(any_is_recognised, setup),
        cmocka_unit_test_setup(types_that_no_record_has_are_malformed, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
