/* http_accept: weights of media types and codings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/http_accept.h"

static void the_most_specific_element_counts(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        const char *wanted;
        int weight;
    } cases[] = {
        {NULL, "text/plain", HTTP_WEIGHT_UNNAMED},
        {"", "text/plain", HTTP_WEIGHT_UNNAMED},
        {"text/plain", "text/plain", 1000},
        {"TEXT/Plain", "text/plain", 1000},
        {"text/plain;q=0.5", "text/plain", 500},
        {"text/plain ; Q=0.125 , a/b", "text/plain", 125},
        {"text/plain;version=0.0.4;q=0.3", "text/plain", 300},
        {"text/plain;q=0", "text/plain", 0},
        {"text/plain;q=0.000", "text/plain", 0},
        {"*/*;q=0.1", "text/plain", 100},
        {"*/*;q=0.9, text/*;q=0.2", "text/plain", 200},
        {"text/*;q=0.9, text/plain;q=0.2, */*", "text/plain", 200},
        {"text/plain;a=1;q=0.2, text/plain;a=2;q=0.4", "text/plain", 400},
        {"text/plainer", "text/plain", HTTP_WEIGHT_UNNAMED},
        {"text/plai", "text/plain", HTTP_WEIGHT_UNNAMED},
        {"text", "text/plain", HTTP_WEIGHT_UNNAMED},
        {"*", "text/plain", HTTP_WEIGHT_UNNAMED},
        {"a/b;x=\"text/plain,q=1\", text/plain;q=0.7", "text/plain", 700},
        {"a/b;x=\"\\\",text/plain", "text/plain", HTTP_WEIGHT_UNNAMED},
        {",, ,text/plain;q=0.6,", "text/plain", 600},
        {"*;q=0.4", "gzip", 400},
        {"gzip;q=1.000", "gzip", 1000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int weight = http_accept_weight(cases[i].field, cases[i].wanted);
        if (weight != cases[i].weight) fail_msg("%s: %d, not %d", cases[i].field, weight, cases[i].weight);
    }
}

static void an_element_with_a_malformed_weight_is_ignored(void **state)
{
    (void)state;
    static const char *const weights[] = {"",    "2",    "-1",   "1.1", "1.001", "0.1234", ".5",
                                          "0,5", "0.5x", "half", "00",  "1.",    "0x1",    "+1"};
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        char field[64] = "text/plain;q=";
        for (size_t j = 0; j <= strlen(weights[i]); j++) field[13 + j] = weights[i][j];
        int weight = http_accept_weight(field, "text/plain");
        bool is_valid = strcmp(weights[i], "1.") == 0 || strcmp(weights[i], "0,5") == 0; /* "q=0" and an element "5" */
        if (!is_valid && weight != HTTP_WEIGHT_UNNAMED) fail_msg("q=%s: %d", weights[i], weight);
    }
    assert_int_equal(http_accept_weight("*/*;q=0.2, text/plain;q=x", "text/plain"), 200);
}

static void gzip_is_used_where_it_is_preferred(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        bool gzip;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"gzip", true},
        {"GZIP", true},
        {"gzip, deflate, br, zstd", true},
        {"deflate, br", false},
        {"*", true},
        {"*;q=0", false},
        {"gzip;q=0", false},
        {"gzip;q=0, *", false},
        {"gzip;q=0.0", false},
        {"identity;q=0, gzip;q=0.001", true},
        {"identity, gzip;q=0.5", false},
        {"identity;q=0.5, gzip", true},
        {"gzip;q=0.5, identity;q=0.5", true},
        {"gzipped", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (http_accept_gzip(cases[i].field) != cases[i].gzip) fail_msg("%s", cases[i].field);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_element_counts),
        cmocka_unit_test(an_element_with_a_malformed_weight_is_ignored),
        cmocka_unit_test(gzip_is_used_where_it_is_preferred),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
