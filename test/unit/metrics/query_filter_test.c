/* query_filter: the parameters of /queries.json. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "metrics/query_filter.h"

static struct query_filter read(const char *query)
{
    struct query_filter filter;
    const char *fault = query_filter_parse(query, &filter);
    if (fault) fail_msg("%s: %s", query, fault);
    return filter;
}

static struct query_note note_from(const char *client)
{
    struct query_note note = {.kind = QUERY_SLOW, .took_ns = 100 * NS_PER_MS, .at_ns = 5000 * NS_PER_MS};
    assert_true(address_parse(client, 53, &note.client));
    return note;
}

static void nothing_given_takes_everything(void **state)
{
    (void)state;
    static const char *const empty[] = {NULL, "", "client=&name=&kind=&min_ms=&after_ms=&limit=", "other=1"};
    const struct query_note note = note_from("192.0.2.7");
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        const struct query_filter filter = read(empty[i]);
        assert_true(query_filter_takes(&filter, &note));
        assert_true(query_filter_takes_name(&filter, "any.example."));
        assert_false(query_filter_is_private(&filter));
        assert_int_equal(filter.limit, QUERY_LIST_USUAL);
    }
}

static void clients_by_address_or_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *query, *client;
        bool takes;
    } cases[] = {
        {"client=192.0.2.7", "192.0.2.7", true},       {"client=192.0.2.7", "192.0.2.8", false},
        {"client=192.0.2.0/24", "192.0.2.200", true},  {"client=192.0.2.0%2F24", "192.0.3.1", false},
        {"client=2001:db8::/32", "2001:db8::1", true}, {"client=2001%3Adb8::1", "2001:db8::2", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct query_filter filter = read(cases[i].query);
        const struct query_note note = note_from(cases[i].client);
        assert_int_equal(query_filter_takes(&filter, &note), cases[i].takes);
        assert_true(query_filter_is_private(&filter));
    }
}

static void kinds_durations_and_ages(void **state)
{
    (void)state;
    const struct query_note note = note_from("192.0.2.7"); /* slow, 100 ms, ended at 5000 ms */
    static const struct {
        const char *query;
        bool takes;
    } cases[] = {
        {"kind=slow", true},          {"kind=servfail", false},
        {"kind=servfail,slow", true}, {"kind=stale,malformed", false},
        {"min_ms=100", true},         {"min_ms=100.5", false},
        {"min_ms=0", true},           {"after_ms=4999", true},
        {"after_ms=5000", false},     {"kind=slow&min_ms=200", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct query_filter filter = read(cases[i].query);
        if (query_filter_takes(&filter, &note) != cases[i].takes) fail_msg("%s", cases[i].query);
        assert_false(query_filter_is_private(&filter));
    }
}

static void a_part_of_a_name_in_any_case(void **state)
{
    (void)state;
    const struct query_filter filter = read("name=Example.c");
    assert_true(query_filter_is_private(&filter));
    assert_true(query_filter_takes_name(&filter, "www.eXample.com."));
    assert_false(query_filter_takes_name(&filter, "www.example.net."));
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "client=x",
        "client=192.0.2.7:53",
        "client=192.0.2.1/24",
        "client=%zz",
        "kind=fast",
        "kind=slow,",
        "kind=,slow",
        "kind=slow servfail",
        "min_ms=-1",
        "min_ms=1e9",
        "min_ms=1s",
        "min_ms=1.2.3",
        "min_ms=.",
        "after_ms=x",
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=many",
        "min_ms=nan",
        "min_ms=inf",
        "min_ms=99999999999999999999999",
    };
    struct query_filter filter;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *fault = query_filter_parse(bad[i], &filter);
        if (!fault) fail_msg("%s was taken", bad[i]);
        assert_memory_equal(fault, bad[i], strcspn(bad[i], "=")); /* the parameter is named */
    }
    char name[QUERY_FILTER_NAME_BYTES + 8] = "name=";
    memset(name + 5, 'x', QUERY_FILTER_NAME_BYTES);
    assert_non_null(query_filter_parse(name, &filter));
    name[5 + QUERY_FILTER_NAME_BYTES - 1] = '\0';
    assert_null(query_filter_parse(name, &filter));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_given_takes_everything), cmocka_unit_test(clients_by_address_or_prefix),
        cmocka_unit_test(kinds_durations_and_ages),       cmocka_unit_test(a_part_of_a_name_in_any_case),
        cmocka_unit_test(what_cannot_be_read_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
