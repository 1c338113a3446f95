/* Other spellings of a value become the one that settings take; what is no value of the kind becomes none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/respell.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What is written, and what it becomes; NULL: nothing. */
struct spelling_case {
    const char *wrong;
    const char *right;
};

static bool duration_in_seconds(const char *text, char ret_text[static RESPELL_BYTES])
{
    return respell_duration(text, "s", ret_text);
}

static bool size_in_mebibytes(const char *text, char ret_text[static RESPELL_BYTES])
{
    return respell_size(text, "MiB", ret_text);
}

static bool log_level(const char *text, char ret_text[static RESPELL_BYTES])
{
    return respell_choice(text, "error warning info debug", ret_text);
}

static bool sandbox_mode(const char *text, char ret_text[static RESPELL_BYTES])
{
    return respell_choice(text, "on log off", ret_text);
}

static void assert_cases(bool (*respell)(const char *, char *), const struct spelling_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[RESPELL_BYTES] = "untouched";
        bool is_known = respell(cases[i].wrong, text);
        if (is_known != (cases[i].right != NULL)) print_error("'%s' became '%s'\n", cases[i].wrong, text);
        assert_string_equal(text, cases[i].right ? cases[i].right : "untouched");
        assert_int_equal(is_known, cases[i].right != NULL);
    }
}

static void a_duration_gets_the_unit_that_is_meant(void **state)
{
    (void)state;
    static const struct spelling_case cases[] = {
        {"5", "5s"},          {"0.5", "500ms"},      {"5 s", "5s"},
        {" 5 S ", "5s"},      {"5sec", "5s"},        {"5 seconds", "5s"},
        {"250msec", "250ms"}, {"1m30s", "90s"},      {"1h 30min", "90m"},
        {"2 days", "2d"},     {"90 minutes", "90m"}, {"1d12h", "36h"},
        {"", NULL},           {"s", NULL},           {"five", NULL},
        {"5x", NULL},         {"-5s", NULL},         {"5s!", NULL},
        {"1.2.3s", NULL},     {"5 weeks", NULL},     {"99999999999999d", NULL},
        {"007s", NULL},       {".s", NULL},
    };
    assert_cases(duration_in_seconds, cases, COUNT(cases));
}

static void a_size_is_counted_in_powers_of_1024(void **state)
{
    (void)state;
    static const struct spelling_case cases[] = {
        {"64", "64MiB"},      {"64M", "64MiB"},   {"64MB", "64MiB"},
        {"64 MiB", "64MiB"},  {"64mib", "64MiB"}, {"4k", "4KiB"},
        {"1.5GB", "1536MiB"}, {"2 gi", "2GiB"},   {"4096 bytes", "4KiB"},
        {"", NULL},           {"M", NULL},        {"64T", NULL},
        {"-1M", NULL},        {"64M 5s", NULL},   {"18446744073709551615G", NULL},
    };
    assert_cases(size_in_mebibytes, cases, COUNT(cases));
}

static void a_number_loses_what_is_no_digit_of_it(void **state)
{
    (void)state;
    static const struct spelling_case cases[] = {
        {"1,000", "1000"},
        {"1_000", "1000"},
        {"1 000", "1000"},
        {"1,000,000", "1000000"},
        {"5 ", "5"},
        {"10 k", "10000"},
        {"+5", "5"},
        {"007", "7"},
        {"000", "0"},
        {"5.0", "5"},
        {"10k", "10000"},
        {"5.", "5"},
        {"", NULL},
        {"5.5", NULL},
        {"1,5", NULL}, /* which is 1.5 to many */
        {"10 20", NULL},
        {"1,0000", NULL},
        {",000", NULL},
        {"five", NULL},
        {"-5", NULL},
        {"0x10", NULL},
        {"5 s", NULL},
        {"kk", NULL},
        {"111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111", NULL},
    };
    assert_cases(respell_number, cases, COUNT(cases));
}

static void a_boolean_is_true_or_false(void **state)
{
    (void)state;
    static const struct spelling_case cases[] = {
        {"Yes", "true"}, {"on", "true"},   {"TRUE", "true"}, {"1", "true"},      {"enabled", "true"},
        {"no", "false"}, {"Off", "false"}, {"0", "false"},   {"never", "false"}, {"disabled", "false"},
        {"", NULL},      {"maybe", NULL},  {"2", NULL},      {"o", NULL},
    };
    assert_cases(respell_boolean, cases, COUNT(cases));
}

static void a_choice_is_found_by_its_beginning_its_letters_and_its_sense(void **state)
{
    (void)state;
    static const struct spelling_case levels[] = {
        {"WARNING", "warning"},  {"warn", "warning"}, {"warnings", "warning"}, {"err", "error"}, {"erorr", "error"},
        {"information", "info"}, {"in", NULL},        {"loud", NULL},          {"", NULL},       {"off", NULL},
    };
    static const struct spelling_case modes[] = {
        {"true", "on"}, {"yes", "on"}, {"no", "off"}, {"false", "off"}, {"logs", "log"}, {"strict", NULL},
    };
    assert_cases(log_level, levels, COUNT(levels));
    assert_cases(sandbox_mode, modes, COUNT(modes));
}

static void an_address_loses_its_scheme_and_gets_a_colon(void **state)
{
    (void)state;
    static const struct spelling_case cases[] = {
        {"127.0.0.1#53", "127.0.0.1:53"},
        {"127.0.0.1@53", "127.0.0.1:53"},
        {"127.0.0.1 53", "127.0.0.1:53"},
        {"tcp://127.0.0.1:53", "127.0.0.1:53"},
        {"http://[::1]:5000/", "[::1]:5000"},
        {"http://127.0.0.1:5000/metrics?x", "127.0.0.1:5000"},
        {"::1@53", "[::1]:53"},
        {"fe80::1%lo@53", "[fe80::1%lo]:53"},
        {"[::1]#53", "[::1]:53"},
        {"", NULL},
        {"127.0.0.1", NULL},
        {"localhost:53", NULL},
        {"127.0.0.1@70000", NULL},
        {"127.0.0.1:53/x", NULL},
        {"://127.0.0.1:53", "127.0.0.1:53"},
        {"@", NULL},
        {"1.1.1.1@853#one.example", NULL},
    };
    assert_cases(respell_address, cases, COUNT(cases));
}

static void a_name_stands_alone(void **state)
{
    (void)state;
    static const struct spelling_case cases[] = {
        {"tls://dns.example", "dns.example"},
        {"https://dns.example/dns-query", "dns.example"},
        {"dns.example:853", "dns.example"},
        {"*.dns.example", "dns.example"},
        {"DNS.Example.", "dns.example"},
        {"", NULL},
        {"1.1.1.1", NULL},
        {"https://", NULL},
        {"a_b.example", NULL},
        {"tls://1.1.1.1", NULL},
    };
    assert_cases(respell_name, cases, COUNT(cases));
}

static void a_prefix_has_no_bits_behind_it(void **state)
{
    (void)state;
    static const struct spelling_case cases[] = {
        {"10.0.0.1/8", "10.0.0.0/8"},
        {"10.0.0.0/255.0.0.0", "10.0.0.0/8"},
        {"192.168.1.7/255.255.255.0", "192.168.1.0/24"},
        {"fd00::1/64", "fd00::/64"},
        {"any", "0.0.0.0/0"},
        {"ALL", "0.0.0.0/0"},
        {"*", "0.0.0.0/0"},
        {"1.2.3.4/255.255.255.255", "1.2.3.4/32"},
        {"1.2.3.4/0.0.0.0", "0.0.0.0/0"},
        {"10.0.0.0/255.0.255.0", NULL},
        {"10.0.0.0/33", NULL},
        {"fd00::/129", NULL},
        {"fd00::/255.0.0.0", NULL},
        {"10.0.0.0", NULL},
        {"", NULL},
        {"/8", NULL},
        {"10.0.0.0-10.0.0.9", NULL},
    };
    assert_cases(respell_prefix, cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_gets_the_unit_that_is_meant),
        cmocka_unit_test(a_size_is_counted_in_powers_of_1024),
        cmocka_unit_test(a_number_loses_what_is_no_digit_of_it),
        cmocka_unit_test(a_boolean_is_true_or_false),
        cmocka_unit_test(a_choice_is_found_by_its_beginning_its_letters_and_its_sense),
        cmocka_unit_test(an_address_loses_its_scheme_and_gets_a_colon),
        cmocka_unit_test(a_name_stands_alone),
        cmocka_unit_test(a_prefix_has_no_bits_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
