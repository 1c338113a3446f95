/* The texts a configuration is made of: what each may look like, and how little more than that is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "config/value.h"

typedef enum value_status amount_parser(const char *text, uint64_t *ret);

static void assert_amount(amount_parser *parse, const char *text, uint64_t expected)
{
    uint64_t value = UINT64_MAX - 1;
    if (parse(text, &value) != VALUE_OK) fail_msg("'%s' was refused", text);
    assert_int_equal(value, expected);
}

/* Refused with this status, the output untouched. */
static void assert_no_amount(amount_parser *parse, const char *text, enum value_status expected)
{
    uint64_t value = 4711;
    enum value_status status = parse(text, &value);
    if (status != expected) fail_msg("'%s': status %d, not %d", text, status, expected);
    assert_int_equal(value, 4711);
}

static void numbers_are_decimal_digits(void **state)
{
    (void)state;
    assert_amount(value_parse_number, "0", 0);
    assert_amount(value_parse_number, "7", 7);
    assert_amount(value_parse_number, "65535", 65535);
    assert_amount(value_parse_number, "18446744073709551615", UINT64_MAX);
}

static void numbers_in_any_other_spelling_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",     " ",   " 1",  "1 ",  "+1",   "010", "00",  "0x10", "0o7", "0b1", "1e3",
                                        "1.0",  "1.5", "1,0", "1_0", "four", "4k",  "1KB", "--1",  "-",   "-x",  "\t1",
                                        "1\n2", "٣",   "NaN", "inf", "1.",   ".5",  "~",   "1-2",  "-01"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_no_amount(value_parse_number, texts[i], VALUE_MALFORMED);
}

static void numbers_below_zero_or_past_64_bits_are_out_of_range(void **state)
{
    (void)state;
    assert_no_amount(value_parse_number, "-1", VALUE_OUT_OF_RANGE);
    assert_no_amount(value_parse_number, "18446744073709551616", VALUE_OUT_OF_RANGE);
    assert_no_amount(value_parse_number, "99999999999999999999999999999999999999", VALUE_OUT_OF_RANGE);
}

static void durations_have_a_unit(void **state)
{
    (void)state;
    assert_amount(value_parse_duration, "500ms", 500 * NS_PER_MS);
    assert_amount(value_parse_duration, "8s", 8 * NS_PER_S);
    assert_amount(value_parse_duration, "10m", 600 * NS_PER_S);
    assert_amount(value_parse_duration, "1h", 3600 * NS_PER_S);
    assert_amount(value_parse_duration, "1d", 86400 * NS_PER_S);
    assert_amount(value_parse_duration, "0s", 0);
    assert_amount(value_parse_duration, "0d", 0);
}

static void no_time_at_all_needs_no_unit(void **state)
{
    (void)state;
    assert_amount(value_parse_duration, "0", 0);
    assert_no_amount(value_parse_duration, "1", VALUE_MALFORMED);
    assert_no_amount(value_parse_duration, "00", VALUE_MALFORMED);
}

static void durations_may_have_a_fraction(void **state)
{
    (void)state;
    assert_amount(value_parse_duration, "4.5s", 4500 * NS_PER_MS);
    assert_amount(value_parse_duration, "0.5s", 500 * NS_PER_MS);
    assert_amount(value_parse_duration, "1.25h", 4500 * NS_PER_S);
    assert_amount(value_parse_duration, "0.000001ms", 1);
    assert_amount(value_parse_duration, "1.000000001s", NS_PER_S + 1);
    assert_amount(value_parse_duration, "1.50s", 1500 * NS_PER_MS);
}

static void durations_in_any_other_spelling_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",      "s",     "5",      "5 s",  " 5s",    "5s ",  "5S",    "5sec",
                                        "5us",   "1h30m", "1w",     "1M",   ".5s",    "5.s",  "1..5s", "05s",
                                        "00.5s", "1,5s",  "+5s",    "1e3s", "0x5s",   "5.5",  "five",  "5sms",
                                        "-s",    "1.-5s", "1.5.5s", "5s5",  "0.3.ms", "auto", "never"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_no_amount(value_parse_duration, texts[i], VALUE_MALFORMED);
}

static void durations_finer_than_a_nanosecond_are_refused(void **state)
{
    (void)state;
    assert_no_amount(value_parse_duration, "0.0000001ms", VALUE_MALFORMED);
    assert_no_amount(value_parse_duration, "0.0000000001s", VALUE_MALFORMED);
    assert_no_amount(value_parse_duration, "0.0000000000s", VALUE_MALFORMED);
    assert_no_amount(value_parse_duration, "0.0000000000000000000000000000000000000000000000000000000000000000s",
                     VALUE_MALFORMED);
    assert_no_amount(value_parse_duration, "1.123456789d", VALUE_MALFORMED); /* and a product past 64 bits on the way */
}

static void durations_below_zero_or_past_64_bits_are_out_of_range(void **state)
{
    (void)state;
    assert_no_amount(value_parse_duration, "-5s", VALUE_OUT_OF_RANGE);
    assert_no_amount(value_parse_duration, "213504d", VALUE_OUT_OF_RANGE); /* 584 years of nanoseconds fit */
    assert_amount(value_parse_duration, "213503d", 213503 * (86400 * NS_PER_S));
    assert_no_amount(value_parse_duration, "18446744073.709551616s", VALUE_OUT_OF_RANGE);
    assert_amount(value_parse_duration, "18446744073.709551615s", UINT64_MAX);
    assert_no_amount(value_parse_duration, "99999999999999999999s", VALUE_OUT_OF_RANGE);
}

static void sizes_are_bytes_or_powers_of_1024(void **state)
{
    (void)state;
    assert_amount(value_parse_size, "0", 0);
    assert_amount(value_parse_size, "65535", 65535);
    assert_amount(value_parse_size, "64KiB", 65536);
    assert_amount(value_parse_size, "64MiB", 67108864);
    assert_amount(value_parse_size, "1GiB", 1073741824);
    assert_amount(value_parse_size, "1.5KiB", 1536);
}

static void sizes_in_any_other_spelling_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",       "KiB",    "64KB", "64kB",   "64K",  "64k",   "64M",
                                        "64 MiB", "64mib",  "1.5",  "1.0",    "0x40", "064",   "64TiB",
                                        "64B",    "0.3KiB", "1e6",  "64KiBs", "+64",  "64.KiB"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_no_amount(value_parse_size, texts[i], VALUE_MALFORMED);
    assert_no_amount(value_parse_size, "-64KiB", VALUE_OUT_OF_RANGE);
    assert_no_amount(value_parse_size, "17179869184GiB", VALUE_OUT_OF_RANGE);
}

static void booleans_are_true_and_false_only(void **state)
{
    (void)state;
    bool value = false;
    assert_int_equal(value_parse_boolean("true", &value), VALUE_OK);
    assert_true(value);
    assert_int_equal(value_parse_boolean("false", &value), VALUE_OK);
    assert_false(value);
    static const char *const texts[] = {"",  "True", "TRUE", "yes",   "no",  "on",        "off",
                                        "1", "0",    "y",    "true ", "tru", "truefalse", "maybe"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(value_parse_boolean(texts[i], &value), VALUE_MALFORMED);
    assert_false(value);
}

static void a_choice_is_one_of_its_words(void **state)
{
    (void)state;
    uint64_t index = 99;
    assert_int_equal(value_parse_choice("error", "error warning info", &index), VALUE_OK);
    assert_int_equal(index, 0);
    assert_int_equal(value_parse_choice("info", "error warning info", &index), VALUE_OK);
    assert_int_equal(index, 2);
    static const char *const texts[] = {"", "err", "errors", "Error", "error warning", " info", "info ", "warn"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(value_parse_choice(texts[i], "error warning info", &index), VALUE_MALFORMED);
    assert_int_equal(index, 2);
}

static void assert_name(const char *text, const char *expected)
{
    char name[UPSTREAM_NAME_MAX + 1];
    if (value_parse_name(text, name) != VALUE_OK) fail_msg("'%s' was refused", text);
    assert_string_equal(name, expected);
}

static void assert_no_name(const char *text)
{
    char name[UPSTREAM_NAME_MAX + 1] = "untouched";
    if (value_parse_name(text, name) != VALUE_MALFORMED) fail_msg("'%s' was taken", text);
    assert_string_equal(name, "untouched");
}

static void names_come_out_in_lower_case_and_without_the_last_dot(void **state)
{
    (void)state;
    assert_name("cloudflare-dns.com", "cloudflare-dns.com");
    assert_name("Cloudflare-DNS.COM", "cloudflare-dns.com");
    assert_name("one.one.one.one.", "one.one.one.one");
    assert_name("localhost", "localhost");
    assert_name("1dot1dot1dot1.cloudflare-dns.com", "1dot1dot1dot1.cloudflare-dns.com");
    assert_name("xn--bcher-kva.example", "xn--bcher-kva.example");
    assert_name("a.1b", "a.1b");
}

static void texts_that_are_no_host_names_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",        ".",    "..",      "a..b",      ".a",    "a..",          "-a.example", "a-.example", "a_b.com",
        "a b.com", "a.b/", "*.a.com", "bücher.de", "a,b",   "a#b",          "a:853",      "1.1.1.1",    "1.1.1.1.",
        "127",     "::1",  "[::1]",   "a.b\n",     "a.b\t", "2606:4700::1", "a.123",      "@",          "a\\b"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_no_name(texts[i]);
}

static void a_label_has_63_bytes_at_most_and_a_name_253(void **state)
{
    (void)state;
    char text[300];
    memset(text, 'a', sizeof text);
    text[63] = '\0';
    assert_name(text, text);
    text[63] = 'a';
    text[64] = '\0';
    assert_no_name(text);
    memset(text, 'a', sizeof text);
    for (size_t i = 62; i < sizeof text; i += 63) text[i] = '.';
    text[253] = '\0';
    assert_name(text, text);
    text[253] = 'a';
    text[254] = '\0';
    assert_no_name(text);
    text[253] = '.';
    char name[UPSTREAM_NAME_MAX + 1];
    assert_int_equal(value_parse_name(text, name), VALUE_OK); /* the dot at the end does not count */
    assert_int_equal(strlen(name), 253);
}

static void an_ip_leaves_the_port_as_it_was(void **state)
{
    (void)state;
    char text[ADDRESS_TEXT_BYTES];
    struct address address = {.port = 853};
    assert_int_equal(value_parse_ip("1.1.1.1", &address), VALUE_OK);
    assert_string_equal(address_format(&address, text), "1.1.1.1:853");
    assert_int_equal(value_parse_ip("2606:4700:4700::1111", &address), VALUE_OK);
    assert_string_equal(address_format(&address, text), "[2606:4700:4700::1111]:853");
    assert_int_equal(value_parse_ip("::ffff:9.9.9.9", &address), VALUE_OK);
    assert_string_equal(address_format(&address, text), "9.9.9.9:853");
}

static void what_is_no_ip_of_one_host_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",          "1.1.1.1:853",     "[::1]",         "[::1]:853",  "1.1.1",
                                        "1.1.1.256", "one.one.one.one", "0.0.0.0",       "::",         "0.1.2.3",
                                        "224.0.0.1", "255.255.255.255", "ff02::1",       "1.1.1.1/32", " 1.1.1.1",
                                        "::1%",      "01.1.1.1",        "::ffff:0.0.0.0"};
    struct address address = {.port = 853};
    const struct address untouched = address;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (value_parse_ip(texts[i], &address) != VALUE_MALFORMED) fail_msg("'%s' was taken", texts[i]);
        assert_true(address_equal(&address, &untouched));
    }
}

static void assert_upstream(const char *text, const char *address, const char *name)
{
    struct upstream_options upstream;
    memset(&upstream, 0xff, sizeof upstream); /* every member must be set */
    char formatted[ADDRESS_TEXT_BYTES];
    if (value_parse_upstream(text, &upstream) != VALUE_OK) fail_msg("'%s' was refused", text);
    assert_string_equal(address_format(&upstream.address, formatted), address);
    assert_string_equal(upstream.name, name);
    assert_int_equal(upstream.transport, UPSTREAM_TLS);
}

static void an_upstream_is_an_address_and_a_name(void **state)
{
    (void)state;
    assert_upstream("1.1.1.1:853#cloudflare-dns.com", "1.1.1.1:853", "cloudflare-dns.com");
    assert_upstream("1.1.1.1#Cloudflare-DNS.com.", "1.1.1.1:853", "cloudflare-dns.com");
    assert_upstream("127.0.0.1:8530#localhost", "127.0.0.1:8530", "localhost");
    assert_upstream("[2606:4700:4700::1111]:853#a.b", "[2606:4700:4700::1111]:853", "a.b");
    assert_upstream("2606:4700:4700::1111#a.b", "[2606:4700:4700::1111]:853", "a.b");
    assert_upstream("[::1]#a.b", "[::1]:853", "a.b");
}

static void an_upstream_without_either_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "1.1.1.1",
        "1.1.1.1:853",
        "1.1.1.1#",
        "#a.b",
        "1.1.1.1#1.1.1.1",
        "a.b#a.b",
        "1.1.1.1:#a.b",
        "1.1.1.1:0#a.b",
        "1.1.1.1:65536#a.b",
        "1.1.1.1#a.b#c",
        "[::1:853#a.b",
        "::#a.b",
        "0.0.0.0#a.b",
        " 1.1.1.1#a.b",
        "1.1.1.1 #a.b",
        "1.1.1.1# a.b",
        "tls://1.1.1.1#a.b",
        "11111111111111111111111111111111111111111111111111111111111111111111111111111111111111#a.b"};
    struct upstream_options upstream = {.name = "untouched"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (value_parse_upstream(texts[i], &upstream) != VALUE_MALFORMED) fail_msg("'%s' was taken", texts[i]);
        assert_string_equal(upstream.name, "untouched");
    }
}

static void amounts_are_written_in_the_largest_unit_that_fits(void **state)
{
    (void)state;
    char text[VALUE_TEXT_BYTES];
    assert_string_equal(value_format_duration(0, text), "0s");
    assert_string_equal(value_format_duration(100 * NS_PER_MS, text), "100ms");
    assert_string_equal(value_format_duration(4500 * NS_PER_MS, text), "4500ms");
    assert_string_equal(value_format_duration(1500 * NS_PER_US, text), "1.5ms");
    assert_string_equal(value_format_duration(NS_PER_S + 1, text), "1000.000001ms");
    assert_string_equal(value_format_duration(90 * NS_PER_S, text), "90s");
    assert_string_equal(value_format_duration(60 * NS_PER_S, text), "1m");
    assert_string_equal(value_format_duration(30 * 86400 * NS_PER_S, text), "30d");
    assert_string_equal(value_format_size(0, text), "0");
    assert_string_equal(value_format_size(65535, text), "65535");
    assert_string_equal(value_format_size(1536, text), "1536");
    assert_string_equal(value_format_size(4096, text), "4KiB");
    assert_string_equal(value_format_size(UINT64_C(3) << 30, text), "3GiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_decimal_digits),
        cmocka_unit_test(numbers_in_any_other_spelling_are_refused),
        cmocka_unit_test(numbers_below_zero_or_past_64_bits_are_out_of_range),
        cmocka_unit_test(durations_have_a_unit),
        cmocka_unit_test(no_time_at_all_needs_no_unit),
        cmocka_unit_test(durations_may_have_a_fraction),
        cmocka_unit_test(durations_in_any_other_spelling_are_refused),
        cmocka_unit_test(durations_finer_than_a_nanosecond_are_refused),
        cmocka_unit_test(durations_below_zero_or_past_64_bits_are_out_of_range),
        cmocka_unit_test(sizes_are_bytes_or_powers_of_1024),
        cmocka_unit_test(sizes_in_any_other_spelling_are_refused),
        cmocka_unit_test(booleans_are_true_and_false_only),
        cmocka_unit_test(a_choice_is_one_of_its_words),
        cmocka_unit_test(names_come_out_in_lower_case_and_without_the_last_dot),
        cmocka_unit_test(texts_that_are_no_host_names_are_refused),
        cmocka_unit_test(a_label_has_63_bytes_at_most_and_a_name_253),
        cmocka_unit_test(an_ip_leaves_the_port_as_it_was),
        cmocka_unit_test(what_is_no_ip_of_one_host_is_refused),
        cmocka_unit_test(an_upstream_is_an_address_and_a_name),
        cmocka_unit_test(an_upstream_without_either_is_refused),
        cmocka_unit_test(amounts_are_written_in_the_largest_unit_that_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
