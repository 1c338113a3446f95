#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dns/hosts.h"
#include "dns/presentation.h"

static struct hosts_line line;

static enum hosts_status parse(const char *text)
{
    return hosts_parse_line(text, strlen(text), &line);
}

static const char *name(unsigned i)
{
    static char text[PRESENTATION_NAME_BYTES];
    return presentation_name(line.names[i].bytes, line.names[i].size, text);
}

static const char *ip(void)
{
    static char text[ADDRESS_TEXT_BYTES];
    return address_format_ip(&line.address, text);
}

static void address_and_names_are_read(void **state)
{
    (void)state;
    assert_int_equal(parse("192.0.2.5 Nas.home.arpa nas # the disk"), HOSTS_LINE);
    assert_string_equal(ip(), "192.0.2.5");
    assert_int_equal(line.name_count, 2);
    assert_string_equal(name(0), "nas.home.arpa.");
    assert_string_equal(name(1), "nas.");
    assert_int_equal(parse("\t2001:db8::5\ta_b-c.d.\r"), HOSTS_LINE);
    assert_string_equal(ip(), "2001:db8::5");
    assert_int_equal(line.name_count, 1);
    assert_string_equal(name(0), "a_b-c.d.");
    assert_int_equal(parse("0.0.0.0 x#y"), HOSTS_LINE);
    assert_int_equal(line.name_count, 1);
}

static void blank_lines_and_comments_are_empty(void **state)
{
    (void)state;
    assert_int_equal(parse(""), HOSTS_EMPTY);
    assert_int_equal(parse(" \t\r"), HOSTS_EMPTY);
    assert_int_equal(parse("# 192.0.2.5 x"), HOSTS_EMPTY);
}

static void bad_lines_are_reported(void **state)
{
    static const char *const texts[] = {"nas 192.0.2.5",      "192.0.2.5",      "192.0.2.5 # x",  "192.0.2.256 x",
                                        "fe80::1%eth0 x",     "192.0.2.5 a..b", "192.0.2.5 a\\b", "192.0.2.5 .",
                                        "192.0.2.5 \303\244", "192.0.2.5:53 x", "[::1] x"};
    char text[400] = "192.0.2.5 ";
    (void)state;
    assert_int_equal(hosts_parse_line("192.0.2.5 a\0b", 13, &line), HOSTS_BAD);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (parse(texts[i]) != HOSTS_BAD) fail_msg("taken: %s", texts[i]);
    memset(text + 10, 'x', 64);
    assert_int_equal(parse(text), HOSTS_BAD); /* a label of 64 */
    memset(text + 10, 'x', 300);
    assert_int_equal(parse(text), HOSTS_BAD);
}

static void names_of_a_line_are_bounded(void **state)
{
    char text[10 + 2 * (HOSTS_NAMES_MAX + 2)] = "192.0.2.5";
    (void)state;
    for (int i = 0; i < HOSTS_NAMES_MAX + 1; i++) strcat(text, " x");
    assert_int_equal(parse(text), HOSTS_LINE);
    assert_int_equal(line.name_count, HOSTS_NAMES_MAX);
}

static void reverse_names_are_made(void **state)
{
    uint8_t out[DNS_NAME_MAX];
    char text[PRESENTATION_NAME_BYTES];
    (void)state;
    assert_int_equal(parse("192.0.2.5 x"), HOSTS_LINE);
    size_t size = hosts_reverse_name(&line.address, out);
    assert_string_equal(presentation_name(out, size, text), "5.2.0.192.in-addr.arpa.");
    assert_int_equal(parse("2001:db8::567:89ab x"), HOSTS_LINE);
    size = hosts_reverse_name(&line.address, out);
    assert_string_equal(presentation_name(out, size, text),
                        "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_and_names_are_read), cmocka_unit_test(blank_lines_and_comments_are_empty),
        cmocka_unit_test(bad_lines_are_reported),     cmocka_unit_test(names_of_a_line_are_bounded),
        cmocka_unit_test(reverse_names_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
