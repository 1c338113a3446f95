#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dns/message.h"
#include "dns/presentation.h"
#include "packet.h"

/* The text, in a buffer of exactly the size that is promised to be enough. */
static const char *text_of(const void *name, size_t size)
{
    static char text[PRESENTATION_NAME_BYTES];
    memset(text, 0x55, sizeof text);
    return presentation_name(name, size, text);
}

static void names_are_written_with_a_dot_at_the_end(void **state)
{
    (void)state;
    assert_string_equal(text_of("\3www\7Example\3com", 17), "www.Example.com.");
    assert_string_equal(text_of("", 1), ".");
}

static void octets_that_would_mislead_are_escaped(void **state)
{
    (void)state;
    assert_string_equal(text_of("\5a.b\\c", 7), "a\\.b\\\\c.");
    assert_string_equal(text_of("\6 \n\0\x7f\x80\xff", 8), "\\032\\010\\000\\127\\128\\255.");
    assert_string_equal(text_of("\4<\"&>", 6), "<\"&>."); /* that is for whoever writes HTML or JSON */
}

static void the_longest_name_fits(void **state)
{
    (void)state;
    static struct packet packet;
    packet_header(&packet, 0, 0);
    packet_long_name(&packet, 255);
    uint8_t *name = packet.bytes + DNS_HEADER_BYTES;
    for (size_t i = 0; i < 255; i++)
        if (name[i] == 'x') name[i] = 0xff;
    const char *text = text_of(name, 255);
    assert_int_equal(strlen(text), 4 * 250 + 4);
    assert_string_equal(text + strlen(text) - 5, "\\255.");
}

static void a_name_that_is_not_sound_is_cut(void **state)
{
    (void)state;
    assert_string_equal(text_of("\3www\7exam", 9), "www.");
    assert_string_equal(text_of("\3ww", 3), ".");
    assert_string_equal(text_of("", 0), ".");
    assert_string_equal(text_of("\3www", 4), "www."); /* without its root */
    uint8_t endless[600];
    memset(endless, 1, sizeof endless);
    assert_true(strlen(text_of(endless, sizeof endless)) < PRESENTATION_NAME_BYTES);
}

static void types_have_names_or_numbers(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        const char *text;
    } cases[] = {{1, "A"}, {28, "AAAA"}, {65, "HTTPS"}, {48, "DNSKEY"}, {0, "TYPE0"}, {65535, "TYPE65535"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[PRESENTATION_TYPE_BYTES];
        assert_string_equal(presentation_type(cases[i].type, text), cases[i].text);
    }
}

static void assert_parsed(const char *text, const char *wire, size_t size)
{
    uint8_t out[255];
    assert_int_equal(presentation_parse_name(text, out), size);
    assert_memory_equal(out, wire, size);
}

static void a_written_name_is_read_back(void **state)
{
    (void)state;
    assert_parsed("Www.Example.COM", "\3www\7example\3com", 17);
    assert_parsed("www.example.com.", "\3www\7example\3com", 17);
    assert_parsed(".", "", 1);
    assert_parsed("a\\.b\\000\\255.c", "\5a.b\0\377\1c", 9);
    assert_parsed("\\065\\B\\067", "\3abc", 5); /* in lower case, however they are written */
}

static void what_is_no_name_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",      "..",    "a..b", ".a",   "a\\", "a\\25",    "\\256",  "\\2x5",
                                        "a.\\1", "\\999", "a b",  "a\tb", "a\n", "\303\274", "\\\303", "a\177"};
    uint8_t out[255];
    char label[80];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(presentation_parse_name(wrong[i], out), 0);
    memset(label, 'x', 64);
    label[64] = 0;
    assert_int_equal(presentation_parse_name(label, out), 0);
    label[63] = 0;
    assert_int_equal(presentation_parse_name(label, out), 65);
}

static void a_name_has_255_octets_at_the_most(void **state)
{
    (void)state;
    uint8_t out[255];
    char text[300] = {0};
    for (int i = 0; i < 127; i++) strcat(text, "a."); /* 127 labels of two octets, and the root */
    assert_int_equal(presentation_parse_name(text, out), 255);
    strcat(text, "a.");
    assert_int_equal(presentation_parse_name(text, out), 0);
}

static void response_codes_have_names_or_numbers(void **state)
{
    (void)state;
    char text[PRESENTATION_RCODE_BYTES];
    assert_string_equal(presentation_rcode(DNS_RCODE_NOERROR, text), "NOERROR");
    assert_string_equal(presentation_rcode(DNS_RCODE_REFUSED, text), "REFUSED");
    assert_string_equal(presentation_rcode(11, text), "DSOTYPENI");
    assert_string_equal(presentation_rcode(12, text), "RCODE12");
    assert_string_equal(presentation_rcode(DNS_RCODE_BADVERS, text), "BADVERS");
    assert_string_equal(presentation_rcode(DNS_RCODE_BADCOOKIE, text), "BADCOOKIE");
    assert_string_equal(presentation_rcode(UINT16_MAX, text), "RCODE65535");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_name_is_read_back),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(a_name_has_255_octets_at_the_most),
        cmocka_unit_test(names_are_written_with_a_dot_at_the_end),
        cmocka_unit_test(octets_that_would_mislead_are_escaped),
        cmocka_unit_test(the_longest_name_fits),
        cmocka_unit_test(a_name_that_is_not_sound_is_cut),
        cmocka_unit_test(types_have_names_or_numbers),
        cmocka_unit_test(response_codes_have_names_or_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
