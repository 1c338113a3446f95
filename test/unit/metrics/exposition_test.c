/* exposition: what Prometheus reads, line by line. */
#include "exposition_world.h"

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
    struct histogram *histogram = &world->total.handshake_duration[0][0];
    histogram_observe(histogram, 40000, 2);                /* 40 us */
    histogram_observe(histogram, 100000000, 1);            /* 0.1 s, on the edge */
    histogram_observe(histogram, UINT64_C(7000000001), 1); /* beyond the last */
#define NAME "dns_tls_proxy_upstream_handshake_duration_seconds"
    assert_string_equal(
        lines_of(world, EXPOSITION_TEXT, NAME "_bucket"),
        NAME "_bucket{le=\"5e-06\"} 0\n" NAME "_bucket{le=\"1e-05\"} 0\n" NAME "_bucket{le=\"2.5e-05\"} 0\n" NAME
             "_bucket{le=\"5e-05\"} 2\n" NAME "_bucket{le=\"0.0001\"} 2\n" NAME "_bucket{le=\"0.00025\"} 2\n" NAME
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

static void sizes_are_a_histogram_of_bytes(void **state)
{
    struct world *world = *state;
    size_observe(&world->total.query_size, 40);
    size_observe(&world->total.query_size, 512);
    size_observe(&world->total.query_size, 65535);
#define NAME "dns_tls_proxy_query_size_bytes"
    assert_string_equal(
        lines_of(world, EXPOSITION_TEXT, NAME "_bucket"),
        NAME "_bucket{le=\"64.0\"} 1\n" NAME "_bucket{le=\"128.0\"} 1\n" NAME "_bucket{le=\"256.0\"} 1\n" NAME
             "_bucket{le=\"512.0\"} 2\n" NAME "_bucket{le=\"1024.0\"} 2\n" NAME "_bucket{le=\"2048.0\"} 2\n" NAME
             "_bucket{le=\"4096.0\"} 2\n" NAME "_bucket{le=\"8192.0\"} 2\n" NAME "_bucket{le=\"16384.0\"} 2\n" NAME
             "_bucket{le=\"32768.0\"} 2\n" NAME "_bucket{le=\"65536.0\"} 3\n" NAME "_bucket{le=\"+Inf\"} 3\n");
    assert_string_equal(lines_of(world, EXPOSITION_TEXT, NAME "_sum"), NAME "_sum 66087\n");
    assert_string_equal(lines_of(world, EXPOSITION_TEXT, NAME "_count"), NAME "_count 3\n");
#undef NAME
}

static void a_histogram_has_its_labels_before_the_edge(void **state)
{
    struct world *world = *state;
    histogram_observe(&world->total.request_duration[LABEL_SOURCE_STALE][LABEL_TRANSPORT_UDP], 1, 9);
    const char *text = expose(world, EXPOSITION_TEXT);
#define NAME "dns_tls_proxy_request_duration_seconds"
    assert_non_null(strstr(text, NAME "_bucket{source=\"stale\",transport=\"udp\",le=\"+Inf\"} 9\n"));
    assert_non_null(strstr(text, NAME "_count{source=\"stale\",transport=\"udp\"} 9\n"));
#undef NAME
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
    world->figures.busiest_port_count = 3;
    world->figures.busiest_ports[0] = (struct figures_client){"10.0.0.1", 4711, 900.5, 0};
    world->figures.busiest_ports[1] = (struct figures_client){"2001:db8::1", 4712, 10, 0};
    world->figures.busiest_ports[2] = (struct figures_client){"10.0.0.2", 4713, 9.9, 0}; /* too slow for a series */
    world->figures.busiest_address_count = 1;
    world->figures.busiest_addresses[0] = (struct figures_client){"10.0.0.1", 0, 1800, 0};
    const char *text = expose(world, EXPOSITION_TEXT);
    assert_non_null(strstr(text, "\ndns_tls_proxy_client_queries_per_second{client=\"10.0.0.1\",port=\"4711\"} 900.5\n"
                                 "dns_tls_proxy_client_queries_per_second{client=\"2001:db8::1\",port=\"4712\"} 10\n"));
    assert_non_null(strstr(text, "\ndns_tls_proxy_client_address_queries_per_second{client=\"10.0.0.1\"} 1800\n"));
    assert_null(strstr(text, "10.0.0.2"));
}

static void those_refused_most_are_there_while_they_are(void **state)
{
    struct world *world = *state;
    world->figures.limited_count = 2;
    world->figures.limited_addresses[0] = (struct figures_client){"10.0.0.3", 0, 1800, 800.5};
    world->figures.limited_addresses[1] = (struct figures_client){"2001:db8::", 0, 1100, 100};
    const char *text = expose(world, EXPOSITION_TEXT);
    assert_non_null(strstr(text,
                           "\ndns_tls_proxy_client_address_limited_queries_per_second{client=\"10.0.0.3\"} 800.5\n"
                           "dns_tls_proxy_client_address_limited_queries_per_second{client=\"2001:db8::\"} 100\n"));
}

static void times_of_an_upstream_are_there_once_they_are_known(void **state)
{
    struct world *world = *state;
    world->figures.upstream_answered_s[1] = 1700000000.25;
    world->figures.upstream_changed_s[0] = 1700000100;
    const char *text = expose(world, EXPOSITION_TEXT);
    assert_null(strstr(text, "upstream_last_answer_timestamp_seconds{upstream=\"1.1.1.1:853#one\"}"));
    assert_non_null(strstr(text, "\ndns_tls_proxy_upstream_last_answer_timestamp_seconds{upstream=\"[2606:4700:4700::"
                                 "1111]:853#two\"} 1700000000.25\n"));
    assert_non_null(strstr(
        text, "\ndns_tls_proxy_upstream_state_change_timestamp_seconds{upstream=\"1.1.1.1:853#one\"} 1700000100\n"));
}

static void numbers_of_the_configuration_are_series(void **state)
{
    struct world *world = *state;
    world->figures.setting_count = 2;
    world->figures.settings[0] = (struct figures_setting){"upstream.query_timeout", 4.5};
    world->figures.settings[1] = (struct figures_setting){"cache.max_size", 67108864};
    assert_string_equal(lines_of(world, EXPOSITION_TEXT, "dns_tls_proxy_config_setting"),
                        "# HELP dns_tls_proxy_config_setting Each number of the configuration in force: durations in "
                        "seconds, sizes in bytes, 1 or 0 for true or false.\n"
                        "# TYPE dns_tls_proxy_config_setting gauge\n"
                        "dns_tls_proxy_config_setting{key=\"upstream.query_timeout\"} 4.5\n"
                        "dns_tls_proxy_config_setting{key=\"cache.max_size\"} 67108864\n");
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
    histogram_observe(&world->total.upstream_duration[1][0], 123456789, 4);
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_counter_without_labels),
        TEST(every_value_of_a_label_is_there_from_the_start),
        TEST(two_labels_and_only_the_upstreams_there_are),
        TEST(label_values_are_escaped),
        TEST(a_histogram_is_cumulative_and_in_seconds),
        TEST(sizes_are_a_histogram_of_bytes),
        TEST(a_histogram_has_its_labels_before_the_edge),
        TEST(a_time_not_known_is_absent),
        TEST(figures_are_written_whole_or_with_their_fraction),
        TEST(versions_stand_in_labels),
        TEST(the_busiest_are_there_while_they_are),
        TEST(those_refused_most_are_there_while_they_are),
        TEST(times_of_an_upstream_are_there_once_they_are_known),
        TEST(numbers_of_the_configuration_are_series),
        TEST(openmetrics_names_families_without_their_suffix),
        TEST(openmetrics_has_no_family_twice),
        TEST(openmetrics_ends_with_its_end_and_text_does_not),
        TEST(both_formats_have_the_same_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
