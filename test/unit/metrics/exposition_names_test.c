/* exposition: which names there are, how many series, and in which format. */
#include "exposition_world.h"

/* Those that other people's dashboards, alerts and scripts build on. */
static void no_promised_name_is_missing(void **state)
{
    struct world *world = *state;
    world->figures.busiest_port_count = world->figures.busiest_address_count = 1;
    world->figures.busiest_ports[0].queries_per_s = 10;
    for (unsigned i = 0; i < 2; i++) {
        set_gauge_by(&world->total, upstream_expiry, i, 1);
        set_gauge_by(&world->total, upstream_validated, i, 1);
    }
    static const char *const promised[] = {
        "build_info{version=",
        "start_time_seconds ",
        "client_connections ",
        "client_connections_total ",
        "client_connections_rejected_total{reason=",
        "queries_total{qtype=",
        "invalid_queries_total{reason=",
        "responses_total{rcode=",
        "rate_limited_total ",
        "access_denied_total ",
        "request_duration_seconds_bucket{source=\"cache\",transport=\"tcp\",le=\"0.1\"}",
        "request_duration_seconds_count{source=\"upstream\",transport=\"tcp\"}",
        "request_duration_seconds_sum{source=\"stale\",transport=\"tcp\"}",
        "request_duration_seconds_count{source=\"local\",transport=\"tcp\"}",
        "cache_hits_total ",
        "cache_misses_total ",
        "cache_evictions_total ",
        "cache_stale_answers_total ",
        "cache_entries ",
        "cache_bytes ",
        "prefetch_total{result=",
        "upstream_queries_total{upstream=",
        "upstream_responses_total{upstream=\"1.1.1.1:853#one\",rcode=",
        "upstream_failures_total{upstream=\"1.1.1.1:853#one\",reason=",
        "upstream_retries_total{upstream=",
        "upstream_duration_seconds_bucket{upstream=",
        "upstream_in_flight{upstream=",
        "upstream_sessions{upstream=",
        "upstream_handshakes_total{upstream=\"1.1.1.1:853#one\",resumed=",
        "upstream_handshake_duration_seconds_bucket{le=",
        "upstream_up{upstream=",
        "upstream_certificate_expiry_timestamp_seconds{upstream=",
        "upstream_certificate_validated_timestamp_seconds{upstream=",
        "client_queries_per_second{client=\"\",port=",
        "client_address_queries_per_second{client=",
        "live ",
        "ready ",
    };
    const char *text = expose(world, EXPOSITION_TEXT);
    for (size_t i = 0; i < sizeof promised / sizeof *promised; i++) {
        char line[160];
        snprintf(line, sizeof line, "\ndns_tls_proxy_%s", promised[i]);
        if (!strstr(text, line)) fail_msg("%s is missing", promised[i]);
    }
}

static void the_process_has_its_usual_names(void **state)
{
    const char *text = expose(*state, EXPOSITION_TEXT);
    static const char *const process[] = {
        "cpu_seconds_total", "resident_memory_bytes", "virtual_memory_bytes", "open_fds", "max_fds",
        "threads",           "start_time_seconds"};
    for (size_t i = 0; i < sizeof process / sizeof *process; i++) {
        char line[80];
        snprintf(line, sizeof line, "\nprocess_%s 0\n", process[i]);
        assert_non_null(strstr(text, line));
    }
}

static void there_are_never_more_series_than_the_catalogue_says(void **state)
{
    struct world *world = *state;
    world->figures.upstream_count = UPSTREAM_SERIES;
    for (unsigned i = 0; i < UPSTREAM_SERIES; i++) snprintf(world->figures.upstreams[i], UPSTREAM_LABEL_BYTES, "%u", i);
    world->figures.busiest_port_count = world->figures.busiest_address_count = BUSIEST_MAX;
    for (unsigned i = 0; i < BUSIEST_MAX; i++) world->figures.busiest_ports[i].queries_per_s = 10;
    world->figures.limited_count = BUSIEST_MAX;
    for (unsigned i = 0; i < UPSTREAM_SERIES; i++)
        world->figures.upstream_answered_s[i] = world->figures.upstream_changed_s[i] = 1;
    world->figures.setting_count = FIGURES_SETTINGS_MAX;
    for (unsigned i = 0; i < FIGURES_SETTINGS_MAX; i++) world->figures.settings[i].key = "k";
    memset(&world->total, 1, sizeof world->total); /* nothing is 0, so nothing is absent */
    unsigned series = 0;
    for (const char *line = expose(world, EXPOSITION_TEXT); *line; line += strcspn(line, "\n") + 1)
        if (*line != '#') series++;
    size_t count;
    unsigned bound = 0;
    const struct metric *metrics = catalogue(&count);
    for (size_t i = 0; i < count; i++) bound += metric_series_max(&metrics[i]);
    assert_int_equal(series, bound);
}

/* Help texts are written as they are: no backslash, quote or line end may be in them. */
static void help_texts_need_no_escape(void **state)
{
    (void)state;
    size_t count;
    const struct metric *metrics = catalogue(&count);
    for (size_t i = 0; i < count; i++) assert_null(strpbrk(metrics[i].help, "\\\"\n|"));
}

static void the_accept_header_chooses(void **state)
{
    (void)state;
    static const char *const text[] = {"*/*", "text/plain;version=0.0.4", "application/json",
                                       "application/openmetrics-text;q=0, */*",
                                       "application/openmetrics-text;q=0.1, text/plain"};
    static const char *const openmetrics[] = {
        "text/plain;q=0.5, application/*", "text/plain, application/openmetrics-text",
        "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"};
    assert_int_equal(exposition_format_of(NULL), EXPOSITION_TEXT);
    for (size_t i = 0; i < 5; i++) assert_int_equal(exposition_format_of(text[i]), EXPOSITION_TEXT);
    for (size_t i = 0; i < 3; i++) assert_int_equal(exposition_format_of(openmetrics[i]), EXPOSITION_OPENMETRICS);
    assert_string_equal(exposition_content_type(EXPOSITION_TEXT), "text/plain; version=0.0.4; charset=utf-8");
    assert_string_equal(exposition_content_type(EXPOSITION_OPENMETRICS),
                        "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

static void a_failed_write_is_seen(void **state)
{
    struct world *world = *state;
    FILE *full = fopen("/dev/full", "w");
    if (!full) skip();
    setvbuf(full, NULL, _IONBF, 0);
    exposition_write(full, EXPOSITION_TEXT, &world->total, &world->figures);
    assert_true(ferror(full));
    fclose(full);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(no_promised_name_is_missing),
        TEST(the_process_has_its_usual_names),
        TEST(there_are_never_more_series_than_the_catalogue_says),
        TEST(help_texts_need_no_escape),
        TEST(the_accept_header_chooses),
        TEST(a_failed_write_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
