#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/edns.h"
#include "packet.h"

static struct packet packet;

/* Reads the OPT record with these options. */
static bool parse(uint32_t ttl, const void *options, size_t size, struct edns *ret_edns)
{
    packet_header(&packet, 0, 0);
    packet_opt(&packet, ttl, options, size);
    struct reader reader = {.message = packet.bytes, .size = packet.size, .at = DNS_HEADER_BYTES};
    struct record record;
    reader_record(&reader, &record);
    assert_false(reader.failed);
    return edns_parse(packet.bytes, &record, ret_edns);
}

static void a_bare_opt_says_nothing(void **state)
{
    (void)state;
    struct edns edns;
    assert_true(parse(0, "", 0, &edns));
    assert_int_equal(edns.version, 0);
    assert_int_equal(edns.rcode_high, 0);
    assert_false(edns.dnssec_ok);
    assert_false(edns.keepalive);
    assert_false(edns.padding);
    assert_int_equal(edns.ede_code, DNS_EDE_NONE);
}

static void the_ttl_carries_rcode_version_and_flags(void **state)
{
    (void)state;
    struct edns edns;
    assert_true(parse(0x12008000, "", 0, &edns));
    assert_int_equal(edns.rcode_high, 0x12);
    assert_int_equal(edns.version, 0);
    assert_true(edns.dnssec_ok);
    assert_true(parse(0x00037fff, "", 0, &edns));
    assert_int_equal(edns.version, 3);
    assert_false(edns.dnssec_ok);
}

static void known_options_are_seen_among_others(void **state)
{
    (void)state;
    static const uint8_t options[] = {
        0,    10,   0, 8, 1, 2,   3,   4,   5,   6,   7, 8, /* a cookie, */
        0,    11,   0, 2, 0, 100,                           /* keepalive, */
        0,    15,   0, 6, 0, 22,  't', 'e', 'x', 't',       /* an error, */
        0,    12,   0, 3, 0, 0,   0,                        /* padding, */
        0,    15,   0, 2, 0, 9,                             /* another error, */
        0xff, 0xff, 0, 0,                                   /* and what nobody knows */
    };
    struct edns edns;
    assert_true(parse(0, options, sizeof options, &edns));
    assert_true(edns.keepalive);
    assert_true(edns.padding);
    assert_int_equal(edns.ede_code, 22);
}

static void an_error_too_short_for_a_code_is_passed_over(void **state)
{
    (void)state;
    static const uint8_t options[] = {0, 15, 0, 1, 22, 0, 15, 0, 0, 0, 15, 0, 2, 0, 18};
    struct edns edns;
    assert_true(parse(0, options, sizeof options, &edns));
    assert_int_equal(edns.ede_code, 18);
}

static void options_that_do_not_add_up_are_refused(void **state)
{
    (void)state;
    static const uint8_t options[] = {0, 12, 0, 2, 0, 0, 0, 11, 0, 2, 0, 1};
    struct edns edns = {.version = 77};
    for (size_t size = 1; size < sizeof options; size++)
        if (size != 6) assert_false(parse(0, options, size, &edns));
    assert_false(parse(0, "\0\x0c\xff\xff", 4, &edns));
    assert_int_equal(edns.version, 77); /* untouched */
    assert_true(parse(0, options, sizeof options, &edns));
}

static void options_of_a_version_to_come_are_not_looked_at(void **state)
{
    (void)state;
    struct edns edns;
    assert_true(parse(0x00010000, "\0", 1, &edns));
    assert_int_equal(edns.version, 1);
}

static void an_opt_belongs_to_the_root(void **state)
{
    (void)state;
    packet_header(&packet, 0, 0);
    packet_question(&packet, "example.com", DNS_TYPE_A);
    struct reader reader = {.message = packet.bytes, .at = packet.size};
    packet_record(&packet, DNS_ADDITIONAL, DNS_TYPE_OPT, 0, "", 0);
    reader.size = packet.size;
    struct record record;
    struct edns edns;
    reader_record(&reader, &record);
    assert_false(reader.failed);
    assert_false(edns_parse(packet.bytes, &record, &edns));
}

static void a_bare_reply_is_eleven_octets(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0, 0, 41, 1232 >> 8, 1232 & 0xff, 0, 0, 0, 0, 0, 0};
    uint8_t out[EDNS_REPLY_MAX];
    size_t size = edns_write_reply(out, &(struct edns_reply){.ede_code = DNS_EDE_NONE});
    assert_int_equal(size, sizeof expected);
    assert_memory_equal(out, expected, size);
}

static void a_reply_has_rcode_do_error_and_keepalive(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        0, 0,  41, 1232 >> 8, 1232 & 0xff, 1,  0,   0x80, 0,   0,   16, /* BADVERS */
        0, 15, 0,  6,         0,           22, 'd', 'o',  'w', 'n', 0,  11, 0, 2, 1, 44,
    };
    const struct edns_reply reply = {
        .rcode = DNS_RCODE_BADVERS,
        .dnssec_ok = true,
        .ede_code = DNS_EDE_NO_REACHABLE_AUTHORITY,
        .ede_text = "down",
        .keepalive_100ms = 300,
    };
    uint8_t out[EDNS_REPLY_MAX];
    size_t size = edns_write_reply(out, &reply);
    assert_int_equal(size, sizeof expected);
    assert_memory_equal(out, expected, size);
}

static void a_long_text_is_cut_and_the_largest_reply_fits(void **state)
{
    (void)state;
    char text[2 * EDNS_TEXT_MAX] = {0};
    for (size_t i = 0; i < sizeof text - 1; i++) text[i] = 'x';
    static const uint8_t errors[EDE_LIST_MAX] = {0};
    static const uint8_t option[EDNS_OPTION_MAX] = {0, 10, 0, 24, [EDNS_OPTION_MAX - 1] = 7};
    const struct edns_reply reply = {
        .ede_code = DNS_EDE_OTHER,
        .ede_text = text,
        .keepalive_100ms = 1,
        .errors = errors,
        .errors_size = sizeof errors,
        .option = option,
        .option_bytes = sizeof option,
    };
    uint8_t out[EDNS_REPLY_MAX];
    assert_int_equal(edns_write_reply(out, &reply), EDNS_REPLY_MAX);
    assert_int_equal(dns_u16(out + 9), EDNS_REPLY_MAX - 11);
    assert_int_equal(dns_u16(out + 13), 2 + EDNS_TEXT_MAX);
    assert_memory_equal(out + EDNS_REPLY_MAX - sizeof option, option, sizeof option);
}

static void queries_are_padded_to_whole_blocks(void **state)
{
    (void)state;
    uint8_t out[15 + 512];
    for (size_t size = 17; size < 300; size++) {
        size_t opt = edns_write_query(out, size, true, 128);
        assert_int_equal((size + opt) % 128, 0);
        assert_true(opt >= 15 && opt < 15 + 128);
        assert_int_equal(dns_u16(out + 7), 0x8000);
        assert_int_equal(dns_u16(out + 11), 12);
        assert_int_equal(dns_u16(out + 13), opt - 15);
        assert_int_equal(dns_u16(out + 9), opt - 11);
        for (size_t i = 15; i < opt; i++) assert_int_equal(out[i], 0);
    }
}

static void padding_of_no_length_is_padding_still(void **state)
{
    (void)state;
    uint8_t out[32];
    assert_int_equal(edns_write_query(out, 128 - 15, false, 128), 15);
    assert_int_equal(dns_u16(out + 11), 12);
    assert_int_equal(dns_u16(out + 13), 0);
}

static void without_a_block_there_is_no_padding(void **state)
{
    (void)state;
    uint8_t out[11];
    assert_int_equal(edns_write_query(out, 33, false, 0), 11);
    assert_int_equal(dns_u16(out + 7), 0);
    assert_int_equal(dns_u16(out + 9), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bare_opt_says_nothing),
        cmocka_unit_test(the_ttl_carries_rcode_version_and_flags),
        cmocka_unit_test(known_options_are_seen_among_others),
        cmocka_unit_test(an_error_too_short_for_a_code_is_passed_over),
        cmocka_unit_test(options_that_do_not_add_up_are_refused),
        cmocka_unit_test(options_of_a_version_to_come_are_not_looked_at),
        cmocka_unit_test(an_opt_belongs_to_the_root),
        cmocka_unit_test(a_bare_reply_is_eleven_octets),
        cmocka_unit_test(a_reply_has_rcode_do_error_and_keepalive),
        cmocka_unit_test(a_long_text_is_cut_and_the_largest_reply_fits),
        cmocka_unit_test(queries_are_padded_to_whole_blocks),
        cmocka_unit_test(padding_of_no_length_is_padding_still),
        cmocka_unit_test(without_a_block_there_is_no_padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
