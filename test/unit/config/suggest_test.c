/* A value that is suggested is one that the setting takes: the unit of its default first, then others within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/settings.h"
#include "config/suggest.h"

static const struct setting *row(const char *key)
{
    const struct setting *setting = settings_find(settings_of_config(), key);
    assert_non_null(setting);
    return setting;
}

static void assert_hint(const char *key, const char *wrong, const char *expected)
{
    char text[HINT_BYTES];
    assert_string_equal(suggest_hint(row(key), wrong, text), expected);
}

static void the_unit_of_the_default_comes_first(void **state)
{
    (void)state;
    assert_hint("upstream.query_timeout", "5", "; write 5s");
    assert_hint("cache.max_ttl", "2", "; write 2d");
    assert_hint("cache.max_size", "64", "; write 64MiB");
    assert_hint("clients.max_query_size", "4", "; write 4KiB");
}

static void another_unit_is_taken_where_that_one_is_out_of_bounds(void **state)
{
    (void)state;
    assert_hint("upstream.query_timeout", "5000", "; write 5s");
    assert_hint("cache.max_ttl", "3600", "; write 1h");
}

static void nothing_out_of_bounds_is_suggested(void **state)
{
    (void)state;
    assert_hint("upstream.query_timeout", "2 hours", "");
    assert_hint("workers", "1,000", "");
    assert_hint("upstream.padding", "9999", "");
    assert_hint("listen", "1.2.3.4@70000", "");
}

static void off_is_what_switches_the_setting_off(void **state)
{
    (void)state;
    assert_hint("cache.max_size", "off", "; write 0");
    assert_hint("http.listen", "none", "; write \"\"");
    assert_hint("upstream.query_timeout", "off", "");
}

static void texts_are_shown_in_quotes(void **state)
{
    (void)state;
    assert_hint("listen", "127.0.0.1@53", "; write \"127.0.0.1:53\"");
    assert_hint("access.allow", "10.0.0.1/8", "; write \"10.0.0.0/8\"");
    assert_hint("access.allow", "any", "; write \"0.0.0.0/0\" and \"::/0\"");
    assert_hint("log.level", "warn", "; write warning");
    assert_hint("upstream.keep_warm", "yes", "; write true");
    assert_hint("workers", "Auto", "; write auto");
}

/* Neither a value that double quotes would make another one of, nor a part of a long one. */
static void what_cannot_be_shown_as_it_is_is_not_suggested(void **state)
{
    (void)state;
    static const char *const texts[] = {"a\"b", "a\\b", "a\nb", "a\tb", "a\x7f"};
    char value[SUGGEST_BYTES], quoted[SUGGEST_BYTES], path[2 * SUGGEST_BYTES] = "";
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(suggest_value(row("tls.ca_file"), texts[i], value));
    while (strlen(path) < sizeof path - 1) {
        strcat(path, "x");
        if (!suggest_value(row("tls.ca_file"), path, value)) continue;
        assert_string_equal(value, path);
        suggest_quote(row("tls.ca_file"), value, quoted);
        assert_int_equal(strlen(quoted), strlen(path) + 2);
    }
    suggest_quote(row("shared_cache.prefix"), "*", quoted);
    assert_string_equal(quoted, "\"*\"");
}

/* Whatever is written, the suggestion is a value of the setting. */
static void every_suggestion_is_taken(void **state)
{
    (void)state;
    static const char *const texts[] = {"",    "0",    "1",    "5",    "64",  "1000",   "off",         "on",  "yes",
                                        "no",  "5s",   "5 s",  "64M",  "any", "::1:53", "x",           "5.0", "1k",
                                        "tru", "warn", "auto", "*:53", "53",  "a.b",    "1.1.1.1#a.b", "1/8", "-1",
                                        "\"",  "\n",   "all",  "true", ":0"};
    struct settings settings = settings_of_config();
    unsigned suggested = 0;
    for (size_t i = 0; i < settings.count; i++)
        for (size_t j = 0; j < sizeof texts / sizeof *texts; j++) {
            char value[SUGGEST_BYTES];
            if (setting_is_list_of_mappings(&settings.rows[i]) || !suggest_value(&settings.rows[i], texts[j], value))
                continue;
            assert_true(setting_takes(&settings.rows[i], value));
            suggested++;
        }
    assert_true(suggested > settings.count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_unit_of_the_default_comes_first),
        cmocka_unit_test(another_unit_is_taken_where_that_one_is_out_of_bounds),
        cmocka_unit_test(nothing_out_of_bounds_is_suggested),
        cmocka_unit_test(off_is_what_switches_the_setting_off),
        cmocka_unit_test(texts_are_shown_in_quotes),
        cmocka_unit_test(what_cannot_be_shown_as_it_is_is_not_suggested),
        cmocka_unit_test(every_suggestion_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
