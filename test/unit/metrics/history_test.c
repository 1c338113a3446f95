/* history: values second by second and minute by minute, and what happened meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "metrics/history.h"

#define START_NS (1000 * 60 * NS_PER_S) /* at the beginning of a minute */

struct world {
    struct history *history;
    struct counters total;
    struct figures figures;
    uint64_t now_ns;
    char *text;
};

static void take(struct world *world)
{
    history_take(world->history, &world->total, &world->figures, world->now_ns);
}

static void take_after(struct world *world, uint64_t ns)
{
    world->now_ns += ns;
    take(world);
}

static int setup(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    world->history = history_new();
    world->now_ns = START_NS;
    world->figures.upstream_count = 2;
    world->figures.reload_good = 1;
    strcpy(world->figures.upstreams[0], "one");
    strcpy(world->figures.upstreams[1], "two");
    take(world);
    *state = world;
    return !world->history;
}

static int teardown(void **state)
{
    struct world *world = *state;
    history_free(world->history);
    history_free(NULL);
    free(world->text);
    test_free(world);
    return 0;
}

static const char *written(struct world *world, enum history_range range)
{
    size_t size;
    free(world->text);
    FILE *out = open_memstream(&world->text, &size);
    history_write(world->history, range, out);
    fclose(out);
    return world->text;
}

/* The last values of a list: `count` of them, which are `text`. */
static void expect_last(struct world *world, enum history_range range, const char *name, const char *text)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":[", name);
    const char *list = strstr(written(world, range), key);
    assert_non_null(list);
    const char *end = strchr(list, ']');
    if ((size_t)(end - list) < strlen(text) || strncmp(end - strlen(text), text, strlen(text)) != 0)
        fail_msg("%s ends with %.60s, not with %s", name, end - 60 > list ? end - 60 : list, text);
}

static unsigned points_of(struct world *world, enum history_range range, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":[", name);
    unsigned count = 1;
    for (const char *c = strstr(written(world, range), key) + strlen(key); *c != ']'; c++) count += *c == ',';
    return count;
}

static void what_was_counted_in_a_second_is_its_rate(void **state)
{
    struct world *world = *state;
    counter_add(cell_queries(&world->total, LABEL_QTYPE_A, LABEL_TRANSPORT_TCP), 30);
    counter_add(cell_queries(&world->total, LABEL_QTYPE_MX, LABEL_TRANSPORT_UDP), 7);
    set_gauge(&world->total, client_connections, 5);
    take_after(world, NS_PER_S);
    counter_add(cell_queries(&world->total, LABEL_QTYPE_A, LABEL_TRANSPORT_TCP), 3);
    counter_add(cell_upstream_queries(&world->total, 1), 2);
    set_gauge(&world->total, client_connections, 4);
    take_after(world, NS_PER_S);
    expect_last(world, HISTORY_5_MINUTES, "queries", ",null,37,3");
    expect_last(world, HISTORY_5_MINUTES, "upstream_queries", ",null,0,2");
    expect_last(world, HISTORY_5_MINUTES, "connections", ",null,5,4");
    assert_non_null(strstr(world->text, "{\"name\":\"one\",\"queries\":["));
    assert_non_null(strstr(world->text, "\"range\":\"5m\",\"step_ms\":1000,\"end_ms\":60002000,"));
    assert_int_equal(points_of(world, HISTORY_5_MINUTES, "queries"), 300);
    assert_int_equal(points_of(world, HISTORY_HOUR, "queries"), 900);
    assert_int_equal(points_of(world, HISTORY_DAY, "queries"), 1440);
}

static void percentiles_are_of_what_came_in_the_time(void **state)
{
    struct world *world = *state;
    histogram_observe(&world->total.request_duration[LABEL_SOURCE_CACHE][LABEL_TRANSPORT_UDP], 4000, 100);
    histogram_observe(world->total.upstream_duration[1], 20 * NS_PER_MS, 10);
    take_after(world, NS_PER_S);
    take_after(world, NS_PER_S);
    expect_last(world, HISTORY_5_MINUTES, "cache_p90_us", ",null,4.5,null"); /* of the bucket 0 to 5 us */
    expect_last(world, HISTORY_5_MINUTES, "upstream_p90_ms", ",null,null,null");
    assert_non_null(strstr(world->text, "null,23.5,null]}],\"events\""));
}

static void minutes_hold_the_mean_of_their_seconds(void **state)
{
    struct world *world = *state;
    for (int second = 1; second <= 120; second++) {
        counter_add(cell_cache_hits(&world->total), second <= 60 ? 10 : 20);
        take_after(world, NS_PER_S);
    }
    expect_last(world, HISTORY_DAY, "hits", ",null,10,20");
    assert_non_null(strstr(world->text, "\"step_ms\":60000,\"end_ms\":60120000,"));
    expect_last(world, HISTORY_HOUR, "hits", ",20,20");
}

static void time_without_a_call_has_no_values(void **state)
{
    struct world *world = *state;
    take_after(world, NS_PER_S);
    counter_add(cell_cache_hits(&world->total), 12);
    take_after(world, 4 * NS_PER_S);
    expect_last(world, HISTORY_5_MINUTES, "hits", ",0,null,null,null,3");
    take_after(world, 2 * HISTORY_SECONDS * NS_PER_S); /* longer than the hour that is kept */
    expect_last(world, HISTORY_5_MINUTES, "hits", ",null,null,0");
    counter_add(cell_cache_hits(&world->total), 1);
    take_after(world, NS_PER_S);
    expect_last(world, HISTORY_5_MINUTES, "hits", ",null,0,1");
}

/* A call just behind the start, or two in a second, make no high rates of few events. */
static void a_part_of_a_second_is_added_to_the_next(void **state)
{
    struct world *world = *state;
    world->now_ns += 999 * NS_PER_MS;
    struct history *history = history_new();
    history_take(history, &world->total, &world->figures, world->now_ns);
    history_free(world->history);
    world->history = history;
    counter_add(cell_cache_hits(&world->total), 1);
    take_after(world, NS_PER_MS);
    take_after(world, 10 * NS_PER_MS);
    take_after(world, 990 * NS_PER_MS);
    expect_last(world, HISTORY_5_MINUTES, "hits", ",null,null,1"); /* 1 in 1.001 s, to a sixty-fourth */
}

static void the_hour_goes_round(void **state)
{
    struct world *world = *state;
    for (int second = 0; second < HISTORY_SECONDS + 10; second++) {
        counter_add(cell_cache_hits(&world->total), second < 8 ? 1000 : 1);
        take_after(world, NS_PER_S);
    }
    assert_null(strstr(strstr(written(world, HISTORY_HOUR), "\"hits\":["), "1000"));
    expect_last(world, HISTORY_HOUR, "hits", ",1,1,1");
    assert_non_null(strstr(written(world, HISTORY_HOUR), "\"hits\":[1,1,1,"));
}

static void large_and_small_values_keep_three_digits(void **state)
{
    struct world *world = *state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, ",0"}, {31, ",31"}, {1234, ",1234"}, {123400, ",1.234e+05"}, {5e8, ",5e+08"}, {1e15, "e+10"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world->figures.process_resident_bytes = cases[i].value;
        take_after(world, NS_PER_S);
        const char *end = strchr(strstr(written(world, HISTORY_5_MINUTES), "\"resident_bytes\":["), ']');
        const char *comma = strchr(end, ']');
        while (*comma != ',') comma--;
        double shown = strtod(comma + 1, NULL);
        double bound = cases[i].value > 6e10 ? 6e10 : cases[i].value;
        if (shown < bound * 0.999 - 0.02 || shown > cases[i].value * 1.001 + 0.02) fail_msg("%g is %g", bound, shown);
    }
}

static void an_upstream_that_replaces_another_has_no_past(void **state)
{
    struct world *world = *state;
    counter_add(cell_upstream_queries(&world->total, 1), 9);
    take_after(world, NS_PER_S);
    assert_non_null(strstr(written(world, HISTORY_5_MINUTES), "null,9],\"p90_ms\""));
    strcpy(world->figures.upstreams[1], "three");
    set_gauge_by(&world->total, upstream_queries, 1, 4); /* counted anew */
    take_after(world, NS_PER_S);
    const char *three = strstr(written(world, HISTORY_5_MINUTES), "\"name\":\"three\",\"queries\":[null,");
    assert_non_null(three);
    assert_null(strstr(three, ",9"));
    counter_add(cell_upstream_queries(&world->total, 1), 2);
    take_after(world, NS_PER_S);
    assert_non_null(strstr(written(world, HISTORY_5_MINUTES), ",null,0,2],\"p90_ms\""));
}

/* The kinds of all events, a space behind each. */
static const char *kinds_of(struct world *world)
{
    static const char *const kinds[] = {"start",    "reload",          "reload refused", "outage",
                                        "recovery", "new certificate", "upstream lost",  "upstream back"};
    const char *at = strstr(written(world, HISTORY_DAY), "\"events\":[");
    size_t size;
    char *list = NULL;
    FILE *out = open_memstream(&list, &size);
    while ((at = strstr(at, "\"kind\":\""))) {
        at += strlen("\"kind\":\"");
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            if (strncmp(at, kinds[i], strlen(kinds[i])) == 0 && at[strlen(kinds[i])] == '"')
                fprintf(out, "%s; ", kinds[i]);
    }
    fclose(out);
    free(world->text);
    return world->text = list;
}

static void what_happened_is_noted(void **state)
{
    struct world *world = *state;
    take_after(world, NS_PER_S); /* not ready yet: no outage */
    assert_string_equal(kinds_of(world), "start; ");
    world->figures.ready = 1;
    take_after(world, NS_PER_S);
    world->figures.ready = 0;
    take_after(world, NS_PER_S);
    take_after(world, NS_PER_S);
    world->figures.ready = 1;
    take_after(world, NS_PER_S);
    assert_string_equal(kinds_of(world), "start; outage; recovery; ");
    world->figures.reloaded_s = 17;
    take_after(world, NS_PER_S);
    world->figures.reload_good = 0;
    take_after(world, NS_PER_S);
    take_after(world, NS_PER_S);
    assert_string_equal(kinds_of(world), "start; outage; recovery; reload; reload refused; ");
}

static void a_renewed_certificate_is_noted_with_its_upstream(void **state)
{
    struct world *world = *state;
    set_gauge_by(&world->total, upstream_expiry, 1, 1000);
    take_after(world, NS_PER_S);
    assert_string_equal(kinds_of(world), "start; "); /* known now */
    set_gauge_by(&world->total, upstream_expiry, 1, 2000);
    take_after(world, NS_PER_S);
    take_after(world, NS_PER_S);
    assert_string_equal(kinds_of(world), "start; new certificate; ");
    assert_non_null(
        strstr(written(world, HISTORY_DAY), "{\"at_ms\":60002000,\"kind\":\"new certificate\",\"upstream\":\"two\"}"));
}

static void an_upstream_that_is_lost_and_back_is_noted(void **state)
{
    struct world *world = *state;
    static const uint64_t states[] = {4, 0, 4, 3, 1, 0, 1, 4, 4, 2, 4};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        set_gauge_by(&world->total, upstream_state, 1, states[i]);
        take_after(world, NS_PER_S);
    }
    assert_string_equal(kinds_of(world), "start; upstream lost; upstream back; upstream lost; upstream back; ");
    assert_non_null(
        strstr(written(world, HISTORY_DAY), "{\"at_ms\":60004000,\"kind\":\"upstream lost\",\"upstream\":\"two\"}"));
}

static void the_last_events_are_kept(void **state)
{
    struct world *world = *state;
    for (int i = 1; i <= HISTORY_EVENTS_MAX; i++) {
        world->figures.reloaded_s = i;
        take_after(world, NS_PER_S);
    }
    assert_null(strstr(written(world, HISTORY_DAY), "\"start\""));
    assert_non_null(strstr(world->text, "\"events\":[{\"at_ms\":60001000,\"kind\":\"reload\""));
}

static void ranges_have_names(void **state)
{
    (void)state;
    enum history_range range;
    assert_true(history_parse_range("5m", &range) && range == HISTORY_5_MINUTES);
    assert_true(history_parse_range("1h", &range) && range == HISTORY_HOUR);
    assert_true(history_parse_range("24h", &range) && range == HISTORY_DAY);
    assert_false(history_parse_range("", &range));
    assert_false(history_parse_range("1d", &range));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_was_counted_in_a_second_is_its_rate),
        TEST(percentiles_are_of_what_came_in_the_time),
        TEST(minutes_hold_the_mean_of_their_seconds),
        TEST(time_without_a_call_has_no_values),
        TEST(a_part_of_a_second_is_added_to_the_next),
        TEST(the_hour_goes_round),
        TEST(large_and_small_values_keep_three_digits),
        TEST(an_upstream_that_replaces_another_has_no_past),
        TEST(what_happened_is_noted),
        TEST(a_renewed_certificate_is_noted_with_its_upstream),
        TEST(an_upstream_that_is_lost_and_back_is_noted),
        TEST(the_last_events_are_kept),
        cmocka_unit_test(ranges_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
