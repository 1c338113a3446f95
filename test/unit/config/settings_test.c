/* The table of settings holds together, and each setting keeps its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/lists.h"
#include "config/settings.h"
#include "config/suggest.h"

static const struct setting *setting_of(const char *key)
{
    const struct setting *setting = settings_find(settings_of_config(), key);
    if (!setting) setting = settings_find(list_of_upstreams.entry, key);
    if (!setting) fail_msg("no setting '%s'", key);
    return setting;
}

static void assert_refused(const char *key, const char *text, const char *expected)
{
    struct config config = {.workers = 0};
    char why[SETTING_WHY_BYTES] = "", hint[HINT_BYTES], all[SETTING_WHY_BYTES + HINT_BYTES];
    if (setting_set(setting_of(key), &config, text, why)) fail_msg("%s: '%s' was taken", key, text);
    snprintf(all, sizeof all, "%s%s", why, suggest_hint(setting_of(key), text, hint));
    assert_string_equal(all, expected);
}

static void assert_allowed(const char *key, const char *expected)
{
    char text[SETTING_ALLOWED_BYTES];
    assert_string_equal(setting_allowed(setting_of(key), text), expected);
}

static void keys_are_unique_and_short_enough(void **state)
{
    (void)state;
    struct settings settings = settings_of_config();
    assert_in_range(settings.count, 1, SETTINGS_MAX);
    for (size_t i = 0; i < settings.count; i++) {
        const char *dot = strchr(settings.rows[i].key, '.');
        assert_true(strlen(dot ? dot + 1 : settings.rows[i].key) < SETTING_NAME_BYTES);
        assert_true(!dot || (size_t)(dot - settings.rows[i].key) < SETTING_NAME_BYTES);
        assert_ptr_equal(settings_find(settings, settings.rows[i].key), &settings.rows[i]);
    }
}

static void sections_stand_together(void **state)
{
    (void)state;
    struct settings settings = settings_of_config();
    for (size_t i = 2; i < settings.count; i++) {
        char section[SETTING_NAME_BYTES], before[SETTING_NAME_BYTES], earlier[SETTING_NAME_BYTES];
        setting_name_in(&settings.rows[i], "", section);
        setting_name_in(&settings.rows[i - 1], "", before);
        if (strcmp(section, before) == 0) continue;
        for (size_t j = 0; j < i - 1; j++) {
            setting_name_in(&settings.rows[j], "", earlier);
            assert_string_not_equal(section, earlier);
        }
    }
}

/* What is written beyond a field would be its neighbour's value. */
static void a_setting_writes_its_own_field_only(void **state)
{
    (void)state;
    struct settings settings = settings_of_config();
    for (size_t i = 0; i < settings.count; i++) {
        const struct setting *setting = &settings.rows[i];
        if (setting_is_list(setting)) continue;
        struct config config;
        unsigned char *bytes = (unsigned char *)&config;
        memset(bytes, 0xa5, sizeof config);
        assert_true(setting_set_default(setting, &config));
        for (size_t j = 0; j < sizeof config; j++) {
            bool is_inside = j >= setting->offset && j < (size_t)setting->offset + setting->width;
            if (!is_inside && bytes[j] != 0xa5) fail_msg("%s writes byte %zu", setting->key, j);
        }
    }
}

static void no_two_settings_share_a_field(void **state)
{
    (void)state;
    struct settings settings = settings_of_config();
    for (size_t i = 0; i < settings.count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct setting *a = &settings.rows[i], *b = &settings.rows[j];
            if (setting_is_list(a) || setting_is_list(b)) continue;
            assert_true(a->offset + a->width <= b->offset || b->offset + b->width <= a->offset);
        }
}

/* Sets `value` as a plain number of the smallest unit; true where it was taken. */
static bool takes(const struct setting *setting, uint64_t value, const char *unit)
{
    struct config config = {.workers = 0};
    char text[64], why[SETTING_WHY_BYTES];
    snprintf(text, sizeof text, "%llu%s", (unsigned long long)value, unit);
    return setting_set(setting, &config, text, why);
}

static void bounds_are_inclusive_and_kept(void **state)
{
    (void)state;
    struct settings settings = settings_of_config();
    for (size_t i = 0; i < settings.count; i++) {
        const struct setting *setting = &settings.rows[i];
        if (setting->kind > SETTING_SIZE) continue;
        bool is_duration = setting->kind == SETTING_DURATION;
        uint64_t scale = is_duration ? 1000000 : 1; /* durations in milliseconds */
        const char *unit = is_duration ? "ms" : "";
        assert_true(takes(setting, setting->min / scale, unit));
        assert_true(takes(setting, setting->max / scale, unit));
        assert_false(takes(setting, setting->max / scale + 1, unit));
        assert_int_equal(takes(setting, 0, unit), setting->min == 0 || setting->words);
        if (setting->min / scale > 1) assert_false(takes(setting, setting->min / scale - 1, unit));
    }
}

/* A value cut to the width of its field would be another one than the operator wrote. */
static void fields_are_wide_enough_for_their_bounds(void **state)
{
    (void)state;
    struct settings settings = settings_of_config();
    for (size_t i = 0; i < settings.count; i++) {
        const struct setting *setting = &settings.rows[i];
        if (setting->kind > SETTING_SIZE || setting->width >= sizeof setting->max) continue;
        assert_true(setting->max < UINT64_C(1) << (8 * setting->width));
    }
}

static void what_is_allowed_is_said_in_words(void **state)
{
    (void)state;
    assert_allowed("workers", "a whole number 1..64, or auto");
    assert_allowed("upstream.padding", "a whole number 1..512, or 0 (off)");
    assert_allowed("upstream.query_timeout", "a duration (with ms, s, m, h or d) 100ms..1m");
    assert_allowed("upstream.max_age", "a duration (with ms, s, m, h or d) 1s..30d, or 0 (never)");
    assert_allowed("cache.max_size", "a size (in bytes, or with KiB, MiB or GiB) 4KiB..1024GiB, or 0 (off)");
    assert_allowed("upstream.keep_warm", "true or false");
    assert_allowed("log.level", "one of error, warning, info, debug");
    assert_allowed("rate_limit.action", "one of servfail, refuse, drop");
    char text[SETTING_ALLOWED_BYTES];
    assert_string_equal(setting_allowed_range(setting_of("cache.serve_stale"), text), "1s..30d, or 0 (off)");
    assert_string_equal(setting_allowed_range(setting_of("log.format"), text), "one of text, json");
}

static void a_refusal_says_what_is_wrong_and_what_is_allowed(void **state)
{
    (void)state;
    assert_refused("workers", "65", "65 is out of range 1..64, or auto");
    assert_refused("workers", "0", "0 is out of range 1..64, or auto");
    assert_refused("workers", "Auto", "Auto is not a whole number 1..64, or auto; write auto");
    assert_refused("upstreams.port", "70000", "70000 is out of range 1..65535");
    assert_refused("upstreams.name", "1.1.1.1", "1.1.1.1 is not a DNS host name (an IP address is none)");
    assert_refused(
        "upstreams.address", "a.b",
        "a.b is not the IP address of a host, without a port; write {name: a.b} for a server by its name alone");
    assert_refused("upstream.query_timeout", "5", "5 is not a duration (with ms, s, m, h or d) 100ms..1m; write 5s");
    assert_refused("upstream.query_timeout", "99ms", "99ms is out of range 100ms..1m");
    assert_refused("upstream.keep_warm", "maybe", "maybe is not true or false");
    assert_refused("clients.max_query_size", "64KiB", "64KiB is out of range 512..65535");
    assert_refused("log.level", "warn", "warn is not one of error, warning, info, debug; write warning");
    assert_refused(
        "http.listen", "5000",
        "5000 is not IP:PORT or [IP6]:PORT, or empty (off); write \"0.0.0.0:5000\" for all IPv4 addresses or "
        "\"[::]:5000\" for all of IPv6");
    assert_refused("listen", "", "\"\" is not IP:PORT or [IP6]:PORT");
    assert_refused("listen", "127.0.0.1",
                   "127.0.0.1 is not IP:PORT or [IP6]:PORT; the port is missing: write \"127.0.0.1:53\"");
    assert_refused("listen", "localhost:53",
                   "localhost:53 is not IP:PORT or [IP6]:PORT; write \"127.0.0.1:53\" or \"[::1]:53\"");
    assert_refused("access.allow", "10.0.0.1/8",
                   "10.0.0.1/8 is not IP/BITS with no bit set behind the prefix, as 10.0.0.0/8 or \"fc00::/7\"; write "
                   "\"10.0.0.0/8\"");
    assert_refused("upstreams", "1.1.1.1",
                   "1.1.1.1 is not IP#NAME, IP:PORT#NAME, [IP6]:PORT#NAME or NAME, as 1.1.1.1:853#cloudflare-dns.com");
}

static void a_refusal_of_a_huge_text_fits(void **state)
{
    (void)state;
    char text[20000];
    memset(text, '\n', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct settings settings = settings_of_config();
    for (size_t i = 0; i < settings.count; i++) {
        struct config config = {.workers = 0};
        char why[SETTING_WHY_BYTES] = "";
        assert_false(setting_set(&settings.rows[i], &config, text, why));
        assert_in_range(strlen(why), 1, SETTING_WHY_BYTES - 1);
    }
}

static void a_user_is_a_name_or_a_number_that_a_system_may_have(void **state)
{
    (void)state;
    static const char *const good[] = {"", "dns-tls-proxy", "65532", "_resolver", "Dns.Proxy@corp.example"};
    static const char *const bad[] = {"-root", "two words", "a:b", "../etc", "x\n", "m\xc3\xbcller"};
    const struct setting *setting = setting_of("user");
    struct config config = {.sandbox.user = "before"};
    char why[SETTING_WHY_BYTES], longer[SANDBOX_USER_BYTES + 1];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(setting_set(setting, &config, good[i], why));
        assert_string_equal(config.sandbox.user, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(setting_set(setting, &config, bad[i], why));
        assert_non_null(strstr(why, "the name or number of a user"));
        assert_string_equal(config.sandbox.user, "Dns.Proxy@corp.example");
    }
    memset(longer, 'a', sizeof longer);
    longer[SANDBOX_USER_BYTES] = '\0';
    assert_false(setting_set(setting, &config, longer, why));
    longer[SANDBOX_USER_BYTES - 1] = '\0';
    assert_true(setting_set(setting, &config, longer, why));
}

static void a_path_fits_its_field_and_has_no_control_characters(void **state)
{
    (void)state;
    const struct setting *setting = setting_of("tls.ca_file");
    struct config config = {.workers = 0};
    char path[TLS_PATH_MAX + 1], why[SETTING_WHY_BYTES];
    memset(path, 'a', sizeof path);
    path[TLS_PATH_MAX - 1] = '\0';
    assert_true(setting_set(setting, &config, path, why));
    assert_string_equal(config.tls.ca_file, path);
    path[TLS_PATH_MAX - 1] = 'a';
    path[TLS_PATH_MAX] = '\0';
    assert_false(setting_set(setting, &config, path, why));
    assert_non_null(strstr(why, "is longer than 4095 bytes"));
    assert_int_equal(strlen(config.tls.ca_file), TLS_PATH_MAX - 1);
    assert_false(setting_set(setting, &config, "a\nb", why));
    assert_true(setting_set(setting, &config, "/etc/ssl/zertifikate für uns.pem", why));
}

/* Fills a list with 16 entries, 127.0.0.1:1000 and following with `suffix`; one more is refused, as is `repeated`. */
static void assert_list_is_bounded(const char *list, struct config *config, const char *suffix, const char *repeated)
{
    char text[64], why[SETTING_WHY_BYTES], expected[SETTING_WHY_BYTES];
    for (unsigned i = 0; i < 16; i++) {
        snprintf(text, sizeof text, "127.0.0.1:%u%s", 1000 + i, suffix);
        assert_true(setting_set(setting_of(list), config, text, why));
    }
    assert_false(setting_set(setting_of(list), config, repeated, why));
    snprintf(expected, sizeof expected, "%s is in the list already", repeated);
    assert_string_equal(why, expected);
    snprintf(text, sizeof text, "127.0.0.1:2000%s", suffix);
    assert_false(setting_set(setting_of(list), config, text, why));
    assert_string_equal(why, "more than 16 entries");
}

static void a_list_grows_by_entries_until_it_is_full(void **state)
{
    (void)state;
    struct config config = {.workers = 0};
    _Static_assert(LISTENERS_MAX == 16 && UPSTREAMS_MAX == 16, "as in the message");
    assert_list_is_bounded("listen", &config, "", "127.0.0.1:1000");
    assert_int_equal(config.acceptor.listen_count, LISTENERS_MAX);
}

static void upstreams_differ_by_address(void **state)
{
    (void)state;
    struct config config = {.workers = 0};
    char why[SETTING_WHY_BYTES];
    assert_list_is_bounded("upstreams", &config, "#a.b", "127.0.0.1:1000#other.name");
    const struct upstream_options *first = &config.pool.upstreams[0];
    assert_false(setting_add_mapping(setting_of("upstreams"), &config, first, why));
    assert_string_equal(why, "127.0.0.1:1000#a.b is in the list already");
}

static void prefixes_are_kept_in_order_and_bounded(void **state)
{
    (void)state;
    const struct setting *setting = setting_of("access.allow");
    struct config config = {.workers = 0};
    char text[64], why[SETTING_WHY_BYTES];
    for (unsigned i = 0; i < setting->max; i++) {
        snprintf(text, sizeof text, "10.%u.%u.0/24", i / 256, i % 256);
        assert_true(setting_set(setting, &config, text, why));
    }
    assert_int_equal(config.access.allow_count, 65536);
    assert_int_equal(config.access.allow[258].ip[13], 1);
    assert_int_equal(config.access.allow[258].ip[14], 2);
    assert_false(setting_set(setting, &config, "::1/128", why));
    assert_string_equal(why, "more than 65536 entries");
    setting_clear(setting, &config);
    assert_int_equal(config.access.allow_count, 0);
    assert_null(config.access.allow);
}

static void clearing_a_list_leaves_the_others(void **state)
{
    (void)state;
    struct config config = {.acceptor.listen_count = 2, .pool.upstream_count = 3, .workers = 4};
    setting_clear(setting_of("workers"), &config);
    setting_clear(setting_of("listen"), &config);
    assert_int_equal(config.acceptor.listen_count, 0);
    assert_int_equal(config.pool.upstream_count, 3);
    setting_clear(setting_of("upstreams"), &config);
    assert_int_equal(config.pool.upstream_count, 0);
    assert_int_equal(config.workers, 4);
}

static void what_must_be_given_has_no_default(void **state)
{
    (void)state;
    struct upstream_options upstream = {.name = "untouched"};
    struct settings settings = list_of_upstreams.entry;
    for (size_t i = 0; i < settings.count; i++) assert_true(setting_set_default(&settings.rows[i], &upstream));
    assert_string_equal(upstream.name, "untouched");
    assert_int_equal(upstream.address.port, 853);
}

static void names_are_found_by_section(void **state)
{
    (void)state;
    char name[SETTING_NAME_BYTES];
    assert_true(setting_name_in(setting_of("upstream.padding"), "", name));
    assert_string_equal(name, "upstream");
    assert_true(setting_name_in(setting_of("upstream.padding"), "upstream", name));
    assert_string_equal(name, "padding");
    assert_true(setting_name_in(setting_of("workers"), "", name));
    assert_string_equal(name, "workers");
    assert_false(setting_name_in(setting_of("workers"), "workers", name));
    assert_false(setting_name_in(setting_of("upstreams"), "upstream", name));
    assert_false(setting_name_in(setting_of("upstream.padding"), "up", name));
    assert_null(settings_find(settings_of_config(), "padding"));
    assert_null(settings_find(settings_of_config(), "upstream"));
    assert_null(settings_find(settings_of_config(), ""));
}

static void assert_nearest(const char *section, const char *name, const char *expected)
{
    char near[SETTING_NAME_BYTES] = "nothing";
    settings_nearest(settings_of_config(), section, name, near);
    assert_string_equal(near, expected);
}

static void a_slip_of_the_finger_is_recognised(void **state)
{
    (void)state;
    assert_nearest("", "workrs", "workers");
    assert_nearest("", "worker", "workers");
    assert_nearest("", "Listen", "listen");
    assert_nearest("", "upstreem", "upstream");
    assert_nearest("", "ratelimit", "rate_limit");
    assert_nearest("upstream", "query-timeout", "query_timeout");
    assert_nearest("upstream", "paddding", "padding");
    assert_nearest("cache", "max-ttl", "max_ttl");
    assert_nearest("tls", "cafile", "ca_file");
}

static void a_word_of_its_own_is_not(void **state)
{
    (void)state;
    assert_nearest("", "", "nothing");
    assert_nearest("", "x", "nothing");
    assert_nearest("", "dns", "nothing");
    assert_nearest("", "padding", "nothing"); /* of another section */
    assert_nearest("upstream", "workers", "nothing");
    assert_nearest("nowhere", "workers", "nothing");
    assert_nearest("", "a_name_much_longer_than_any_setting_there_is", "nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_unique_and_short_enough),
        cmocka_unit_test(sections_stand_together),
        cmocka_unit_test(a_setting_writes_its_own_field_only),
        cmocka_unit_test(no_two_settings_share_a_field),
        cmocka_unit_test(bounds_are_inclusive_and_kept),
        cmocka_unit_test(fields_are_wide_enough_for_their_bounds),
        cmocka_unit_test(what_is_allowed_is_said_in_words),
        cmocka_unit_test(a_refusal_says_what_is_wrong_and_what_is_allowed),
        cmocka_unit_test(a_refusal_of_a_huge_text_fits),
        cmocka_unit_test(a_user_is_a_name_or_a_number_that_a_system_may_have),
        cmocka_unit_test(a_path_fits_its_field_and_has_no_control_characters),
        cmocka_unit_test(a_list_grows_by_entries_until_it_is_full),
        cmocka_unit_test(upstreams_differ_by_address),
        cmocka_unit_test(prefixes_are_kept_in_order_and_bounded),
        cmocka_unit_test(clearing_a_list_leaves_the_others),
        cmocka_unit_test(what_must_be_given_has_no_default),
        cmocka_unit_test(names_are_found_by_section),
        cmocka_unit_test(a_slip_of_the_finger_is_recognised),
        cmocka_unit_test(a_word_of_its_own_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
