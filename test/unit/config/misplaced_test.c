/* A key or value in the wrong position: the right one is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/misplaced.h"

static void assert_key(const char *section, const char *key, const char *expected)
{
    char text[HINT_BYTES];
    assert_string_equal(misplaced_key(settings_of_config(), section, key, text), expected);
}

static void assert_section(const char *section, const char *value, const char *expected)
{
    char text[HINT_BYTES];
    assert_string_equal(misplaced_for_section(settings_of_config(), section, value, text), expected);
}

static void assert_list(const char *key, const char *value, const char *expected)
{
    char text[HINT_BYTES];
    const struct setting *setting = settings_find(settings_of_config(), key);
    assert_string_equal(misplaced_for_list(setting, value, text), expected);
}

static void a_key_is_found_in_its_section(void **state)
{
    (void)state;
    assert_key("", "query_timeout", "did you mean 'upstream.query_timeout'?");
    assert_key("cache", "query_timeout", "did you mean 'upstream.query_timeout'?");
    assert_key("", "max_in_flight", "did you mean 'upstream.max_in_flight' or 'clients.max_in_flight'?");
    assert_key("upstream", "address", "did you mean 'upstreams.address' or 'shared_cache.address'?");
    assert_key("", "query_timeot", "did you mean 'upstream.query_timeout'?");
    assert_key("", "http.listen", "write http: {listen: ...}");
    assert_key("", "speed", "");
    assert_key("", "a-key-that-is-longer-than-any-setting-has", "");
}

static void a_single_value_is_given_to_the_setting_that_takes_it(void **state)
{
    (void)state;
    assert_section("log", "debug", "; write {level: debug}");
    assert_section("http", "127.0.0.1:5000", "; write {listen: \"127.0.0.1:5000\"}");
    assert_section("cache", "64M", "; write {max_size: 64MiB}");
    assert_section("cache", "off", "; write {max_size: 0}");
    assert_section("udp", "no", "; write {enabled: false}");
    assert_section("access", "10.0.0.0/8", "; write {allow: [\"10.0.0.0/8\"]}");
    assert_section("tls", "/etc/ca.pem", "; write {ca_file: \"/etc/ca.pem\"}");
    assert_section("prefetch", "yes please", "");
}

static void a_single_value_becomes_a_list(void **state)
{
    (void)state;
    char text[HINT_BYTES];
    const struct setting *setting = settings_find(settings_of_config(), "http.listen");
    assert_list("listen", "0.0.0.0:53", "; write [\"0.0.0.0:53\"]");
    assert_list("listen", "0.0.0.0#53", "; write [\"0.0.0.0:53\"]");
    assert_list("listen", "eth0", "");
    assert_list("upstreams", "1.1.1.1#a.example", "; write [{address: \"1.1.1.1\", port: 853, name: a.example}]");
    assert_string_equal(misplaced_in_list(setting, "127.0.0.1:5000", text), "; write \"127.0.0.1:5000\"");
    assert_string_equal(misplaced_in_list(setting, "5000", text), "");
}

static void a_file_without_a_key_is_no_mapping(void **state)
{
    (void)state;
    char text[HINT_BYTES];
    assert_string_equal(misplaced_for_file("workers = 4", text), "; write KEY: VALUE, not KEY = VALUE");
    assert_string_equal(misplaced_for_file("workers:4", text), "; a space is wanted behind the ':' of a key");
    assert_string_equal(misplaced_for_file("workers", text), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_found_in_its_section),
        cmocka_unit_test(a_single_value_is_given_to_the_setting_that_takes_it),
        cmocka_unit_test(a_single_value_becomes_a_list),
        cmocka_unit_test(a_file_without_a_key_is_no_mapping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
