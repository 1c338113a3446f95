/* exposition: what Prometheus reads, line by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/catalogue.h"
#include "metrics/exposition.h"

struct world {
    struct counters total;
    struct figures figures;
    char *text; /* what was written last */
    char *lines;
};

static int setup(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    world->figures.build = (struct figures_build){"1.2.3", "5.5.4", "1.8.3", "1.15"};
    world->figures.upstream_count = 2;
    strcpy(world->figures.upstreams[0], "1.1.1.1:853#one");
    strcpy(world->figures.upstreams[1], "[2606:4700:4700::1111]:853#two");
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    free(world->text);
    free(world->lines);
    test_free(world);
    return 0;
}

static const char *expose(struct world *world, enum exposition_format format)
{
    size_t size;
    free(world->text);
    FILE *out = open_memstream(&world->text, &size);
    assert_non_null(out);
    exposition_write(out, format, &world->total, &world->figures);
    assert_int_equal(ferror(out), 0);
    assert_int_equal(fclose(out), 0);
    return world->text;
}

/* The lines of one metric: its head, and every sample whose name starts with `name` and goes on as no other name does.
 */
static const char *lines_of(struct world *world, enum exposition_format format, const char *name)
{
    size_t size;
    free(world->lines);
    FILE *out = open_memstream(&world->lines, &size);
    assert_non_null(out);
    for (const char *line = expose(world, format); *line; line += strcspn(line, "\n") + 1) {
        const char *at = line;
        if (*at == '#') at = strchr(at + 2, ' ') + 1;
        size_t name_size = strlen(name);
        if (strncmp(at, name, name_size) == 0 && strchr(" {", at[name_size]))
            fprintf(out, "%.*s", (int)strcspn(line, "\n") + 1, line);
    }
    fclose(out);
    return world->lines;
}

static void a_counter_without_labels(void **state)
{
    struct world *world = *state;
    counter_add(cell_cache_hits(&world->total), 1234567890123);
    assert_string_equal(lines_of(world, EXPOSITION_TEXT, "dns_tls_proxy_cache_hits_total"),
                        "# HELP dns_tls_proxy_cache_hits_total Queries answered from the cache, fresh.\n"
                        "# TYPE dns_tls_proxy_cache_hits_total counter\n"
                        "dns_tls_proxy_cache_hits_total 1234567890123\n");
}

static void every_value_of_a_label_is_there_from_the_start(void **state)
{
    struct world *world = *state;
    counter_add(cell_prefetch(&world->total, LABEL_PREFETCH_FAILED), 3);
    assert_string_equal(lines_of(world, EXPOSITION_TEXT, "dns_tls_proxy_prefetch_total"),
                        "# HELP dns_tls_proxy_prefetch_total Refreshes of top names, by result.\n"
                        "# TYPE dns_tls_proxy_prefetch_total counter\n"
                        "dns_tls_proxy_prefetch_total{result=\"refreshed\"} 0\n"
                        "dns_tls_proxy_prefetch_total{result=\"failed\"} 3\n"
                        "dns_tls_proxy_prefetch_total{result=\"over_share\"} 0\n");
}

static void two_labels_and_only_the_upstreams_there_are(void **state)
{
    struct world *world = *state;
    counter_add(cell_upstream_handshakes(&world->total, 0, LABEL_RESUMED_YES), 5);
    counter_add(cell_upstream_handshakes(&world->total, 1, LABEL_RESUMED_NO), 6);
    counter_add(cell_upstream_handshakes(&world->total, 2, LABEL_RESUMED_NO), 7); /* of no upstream configured now */
    assert_string_equal(
        lines_of(world, EXPOSITION_TEXT, "dns_tls_proxy_upstream_handshakes_total"),
        "# HELP dns_tls_proxy_upstream_handshakes_total TLS handshakes completed, full or resumed.\n"
        "# TYPE dns_tls_proxy_upstream_handshakes_total counter\n"
        "dns_tls_proxy_upstream_handshakes_total{upstream=\"1.1.1.1:853#one\",resumed=\"false\"} 0\n"
        "dns_tls_proxy_upstream_handshakes_total{upstream=\"1.1.1.1:853#one\",resumed=\"true\"} 5\n"
        "dns_tls_proxy_upstream_handshakes_total{upstream=\"[2606:4700:4700::1111]:853#two\",resumed=\"false\"} 6\n"
        "dns_tls_proxy_upstream_handshakes_total{upstream=\"[2606:4700:4700::1111]:853#two\",resumed=\"true\"} 0\n");
}

static void label_values_are_escaped(void **state)
{
    struct world *world = *state;
    world->figures.upstream_count = 1;
    strcpy(world->figures.upstreams[0], "a\\b\"c\nd{}=,");
    assert_non_null(
        strstr(expose(world, EXPOSITION_TEXT), "dns_tls_proxy_upstream_up{upstream=\"a\\\\b\\\"c\\nd{}=,\"} 0\n"));
}

static void a_histogram_is_cumulative_and_in_seconds(void **state)
{
    struct world *world = *state;
    struct histogram *histogram = &world->total.handshake_duration[0];
    histogram_observe(histogram, 40000, 2);                /* 40 us */
    histogram_observe(histogram, 100000000, 1);            /* 0.1 s, on the edge */
    histogram_observe(histogram, UINT64_C(7000000001), 1); /* beyond the last */
#define NAME "dns_tls_proxy_upstream_handshake_duration_seconds"
    assert_string_equal(
        lines_of(world, EXPOSITION_TEXT, NAME "_bucket"),
        NAME "_bucket{le=\"5e-05\"} 2\n" NAME "_bucket{le=\"0.0001\"} 2\n" NAME "_bucket{le=\"0.00025\"} 2\n" NAME
             "_bucket{le=\"0.0005\"} 2\n" NAME "_bucket{le=\"0.001\"} 2\n" NAME "_bucket{le=\"0.0025\"} 2\n" NAME
             "_bucket{le=\"0.005\"} 2\n" NAME "_bucket{le=\"0.01\"} 2\n" NAME "_bucket{le=\"0.025\"} 2\n" NAME
             "_bucket{le=\"0.05\"} 2\n" NAME "_bucket{le=\"0.075\"} 2\n" NAME "_bucket{le=\"0.1\"} 3\n" NAME
             "_bucket{le=\"0.25\"} 3\n" NAME "_bucket{le=\"0.5\"} 3\n" NAME "_bucket{le=\"1.0\"} 3\n" NAME
             "_bucket{le=\"2.5\"} 3\n" NAME "_bucket{le=\"5.0\"} 3\n" NAME "_bucket{le=\"+Inf\"} 4\n");
    assert_string_equal(lines_of(world, EXPOSITION_TEXT, NAME "_sum"), NAME "_sum 7.100080001\n");
    assert_string_equal(lines_of(world, EXPOSITION_TEXT, NAME "_count"), NAME "_count 4\n");
    assert_non_null(strstr(world->text, "# TYPE " NAME " histogram\n"));
#undef NAME
}

static void a_histogram_has_its_label_before_the_edge(void **state)
{
    struct world *world = *state;
    histogram_observe(&world->total.request_duration[LABEL_SOURCE_STALE], 1, 9);
    const char *text = expose(world, EXPOSITION_TEXT);
    assert_non_null(strstr(text, "dns_tls_proxy_request_duration_seconds_bucket{source=\"stale\",le=\"+Inf\"} 9\n"));
    assert_non_null(strstr(text, "dns_tls_proxy_request_duration_seconds_bucket{source=\"local\",le=\"+Inf\"} 0\n"));
    assert_non_null(strstr(text, "dns_tls_proxy_request_duration_seconds_sum{source=\"stale\"} 0.000000009\n"));
    assert_non_null(strstr(text, "dns_tls_proxy_request_duration_seconds_count{source=\"stale\"} 9\n"));
}

/* 0 would be read as 1970, and an alert would say that the certificate ended then. */
static void a_time_not_known_is_absent(void **state)
{
    struct world *world = *state;
    set_gauge_by(&world->total, upstream_expiry, 1, 1790000000);
    assert_string_equal(
        lines_of(world, EXPOSITION_TEXT, "dns_tls_proxy_upstream_certificate_expiry_timestamp_seconds"),
        "# HELP dns_tls_proxy_upstream_certificate_expiry_timestamp_seconds When the certificate validated last ends. "
        "Absent until one was.\n"
        "# TYPE dns_tls_proxy_upstream_certificate_expiry_timestamp_seconds gauge\n"
        "dns_tls_proxy_upstream_certificate_expiry_timestamp_seconds{upstream=\"[2606:4700:4700::1111]:853"
        "#two\"} 1790000000\n");
}

static void figures_are_written_whole_or_with_their_fraction(void **state)
{
    struct world *world = *state;
    world->figures.started_s = 1790000000;
    world->figures.cache_bytes = 68719476736;
    world->figures.process_cpu_s = 12.34;
    const char *text = expose(world, EXPOSITION_TEXT);
    assert_non_null(strstr(text, "\ndns_tls_proxy_start_time_seconds 1790000000\n"));
    assert_non_null(strstr(text, "\ndns_tls_proxy_cache_bytes 68719476736\n"));
    assert_non_null(strstr(text, "\nprocess_cpu_seconds_total 12.34\n"));
    assert_non_null(strstr(text, "# TYPE process_cpu_seconds_total counter\n"));
    assert_non_null(strstr(text, "# TYPE dns_tls_proxy_cache_evictions_total counter\n"));
}

static void versions_stand_in_labels(void **state)
{
    struct world *world = *state;
    assert_string_equal(
        lines_of(world, EXPOSITION_TEXT, "dns_tls_proxy_build_info"),
        "# HELP dns_tls_proxy_build_info 1; the versions stand in the labels.\n"
        "# TYPE dns_tls_proxy_build_info gauge\n"
        "dns_tls_proxy_build_info{version=\"1.2.3\",wolfssl=\"5.5.4\",ldns=\"1.8.3\",civetweb=\"1.15\"} 1\n");
}

static void the_busiest_are_there_while_they_are(void **state)
{
    struct world *world = *state;
    assert_null(strstr(expose(world, EXPOSITION_TEXT), "{client="));
    world->figures.busiest_port_count = 2;
    world->figures.busiest_ports[0] = (struct figures_client){"10.0.0.1", 4711, 900.5};
    world->figures.busiest_ports[1] = (struct figures_client){"2001:db8::1", 4712, 3};
    world->figures.busiest_address_count = 1;
    world->figures.busiest_addresses[0] = (struct figures_client){"10.0.0.1", 0, 1800};
    const char *text = expose(world, EXPOSITION_TEXT);
    assert_non_null(strstr(text, "\ndns_tls_proxy_client_queries_per_second{client=\"10.0.0.1\",port=\"4711\"} 900.5\n"
                                 "dns_tls_proxy_client_queries_per_second{client=\"2001:db8::1\",port=\"4712\"} 3\n"));
    assert_non_null(strstr(text, "\ndns_tls_proxy_client_address_queries_per_second{client=\"10.0.0.1\"} 1800\n"));
}

static void openmetrics_names_families_without_their_suffix(void **state)
{
    struct world *world = *state;
    const char *text = expose(world, EXPOSITION_OPENMETRICS);
    assert_non_null(strstr(text, "# TYPE dns_tls_proxy_cache_hits counter\ndns_tls_proxy_cache_hits_total 0\n"));
    assert_non_null(strstr(text, "# TYPE dns_tls_proxy_build info\ndns_tls_proxy_build_info{"));
    assert_non_null(strstr(text, "# TYPE process_cpu_seconds counter\n# UNIT process_cpu_seconds seconds\n"));
    assert_non_null(strstr(text, "# TYPE dns_tls_proxy_cache_bytes gauge\n# UNIT dns_tls_proxy_cache_bytes bytes\n"));
    assert_null(strstr(expose(world, EXPOSITION_TEXT), "# UNIT"));
}

/* client_connections and client_connections_total would be one family. */
static void openmetrics_has_no_family_twice(void **state)
{
    struct world *world = *state;
    const char *text = expose(world, EXPOSITION_OPENMETRICS);
    assert_non_null(strstr(text, "# TYPE dns_tls_proxy_client_connections gauge\n"));
    assert_non_null(strstr(text, "# TYPE dns_tls_proxy_client_connections_total unknown\n"
                                 "dns_tls_proxy_client_connections_total 0\n"));
    for (const char *type = text; (type = strstr(type, "# TYPE ")); type++) {
        char family[100];
        assert_int_equal(sscanf(type, "# TYPE %99s", family), 1);
        char again[128];
        snprintf(again, sizeof again, "# TYPE %s ", family);
        assert_null(strstr(type + 1, again));
    }
}

static void openmetrics_ends_with_its_end_and_text_does_not(void **state)
{
    struct world *world = *state;
    const char *text = expose(world, EXPOSITION_OPENMETRICS);
    assert_string_equal(text + strlen(text) - strlen("\n# EOF\n"), "\n# EOF\n");
    assert_null(strstr(expose(world, EXPOSITION_TEXT), "# EOF"));
}

/* A scraper that changes its mind must find the same series. */
static void both_formats_have_the_same_samples(void **state)
{
    struct world *world = *state;
    histogram_observe(&world->total.upstream_duration[1], 123456789, 4);
    char *samples[2];
    for (int format = 0; format < 2; format++) {
        size_t size;
        FILE *out = open_memstream(&samples[format], &size);
        for (const char *line = expose(world, (enum exposition_format)format); *line; line += strcspn(line, "\n") + 1)
            if (*line != '#') fprintf(out, "%.*s", (int)strcspn(line, "\n") + 1, line);
        fclose(out);
    }
    assert_string_equal(samples[0], samples[1]);
    free(samples[0]);
    free(samples[1]);
}

/* Those that other people's dashboards, alerts and scripts build on. */
static void no_promised_name_is_missing(void **state)
{
    struct world *world = *state;
    world->figures.busiest_port_count = world->figures.busiest_address_count = 1;
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
        "request_duration_seconds_bucket{source=\"cache\",le=\"0.1\"}",
        "request_duration_seconds_count{source=\"upstream\"}",
        "request_duration_seconds_sum{source=\"stale\"}",
        "request_duration_seconds_count{source=\"local\"}",
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
    };
    const char *text = expose(world, EXPOSITION_TEXT);
    for (size_t i = 0; i < sizeof promised / sizeof *promised; i++) {
        char line[160];
        snprintf(line, sizeof line, "\ndns_tls_proxy_%s", promised[i]);
        if (!strstr(text, line)) fail_msg("%s is missing", promised[i]);
    }
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
    world->figures.upstream_count = UPSTREAMS_MAX;
    world->figures.busiest_port_count = world->figures.busiest_address_count = BUSIEST_MAX;
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
        TEST(a_counter_without_labels),
        TEST(every_value_of_a_label_is_there_from_the_start),
        TEST(two_labels_and_only_the_upstreams_there_are),
        TEST(label_values_are_escaped),
        TEST(a_histogram_is_cumulative_and_in_seconds),
        TEST(a_histogram_has_its_label_before_the_edge),
        TEST(a_time_not_known_is_absent),
        TEST(figures_are_written_whole_or_with_their_fraction),
        TEST(versions_stand_in_labels),
        TEST(the_busiest_are_there_while_they_are),
        TEST(openmetrics_names_families_without_their_suffix),
        TEST(openmetrics_has_no_family_twice),
        TEST(openmetrics_ends_with_its_end_and_text_does_not),
        TEST(both_formats_have_the_same_samples),
        TEST(no_promised_name_is_missing),
        TEST(there_are_never_more_series_than_the_catalogue_says),
        cmocka_unit_test(help_texts_need_no_escape),
        cmocka_unit_test(the_accept_header_chooses),
        TEST(a_failed_write_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
