/* endpoint: what is served where, by real requests to a real port. */
#include "endpoint_world.h"
#include "metrics/page.h"

static void metrics_are_text_unless_asked_otherwise(void **state)
{
    struct world *world = *state;
    start(world);
    counter_add(cell_cache_hits(world->blocks[0]), 3);
    counter_add(cell_cache_hits(world->blocks[1]), 4);
    const char *answer = ask(world, "GET", "/metrics", "");
    expect_status(answer, 200);
    assert_non_null(strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_int_equal(strlen(body_of(answer)), length_of(answer));
    assert_non_null(strstr(answer, "\ndns_tls_proxy_cache_hits_total 7\n"));
    assert_non_null(strstr(answer, "\ndns_tls_proxy_cache_entries 4242\n"));
    assert_non_null(strstr(answer, "\ndns_tls_proxy_upstream_up{upstream=\"1.1.1.1:853#one\"} 0\n"));
    assert_null(strstr(answer, "\nprocess_resident_memory_bytes 0\n"));
    assert_null(strstr(answer, "\nprocess_start_time_seconds 0\n"));
    assert_null(strstr(answer, "civetweb=\"\""));
    answer = ask(world, "GET", "/metrics", "Accept: application/openmetrics-text; version=1.0.0, text/plain;q=0.5\r\n");
    assert_non_null(strstr(answer, "\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
    assert_non_null(strstr(answer, "\n# EOF\n"));
}

static void health_is_in_status_and_body(void **state)
{
    struct world *world = *state;
    start(world);
    const char *answer = ask(world, "GET", "/healthz", "");
    expect_status(answer, 200);
    assert_non_null(strstr(answer, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
    assert_non_null(strstr(body_of(answer), "\"name\":\"worker 0\",\"state\":\"ok\""));
    heartbeat_beat(world->heartbeat, clock_now_ns() - HEARTBEAT_STALE_NS - NS_PER_S);
    expect_status(ask(world, "GET", "/healthz", ""), 503);
    assert_non_null(strstr(world->answer, "\"name\":\"worker 0\",\"state\":\"silent\""));
    heartbeat_beat(world->heartbeat, clock_now_ns());
    expect_status(ask(world, "GET", "/healthz", ""), 200);
}

static void readiness_follows_upstream_and_drain(void **state)
{
    struct world *world = *state;
    start(world);
    expect_status(ask(world, "GET", "/readyz", ""), 503);
    assert_non_null(strstr(ask(world, "GET", "/metrics", ""), "\ndns_tls_proxy_ready 0\n"));
    gauge_set(&world->blocks[1]->upstream_answered_ns, clock_now_ns());
    expect_status(ask(world, "GET", "/readyz", ""), 200);
    assert_non_null(strstr(ask(world, "GET", "/metrics", ""), "\ndns_tls_proxy_ready 1\n"));
    gauge_set(&world->blocks[1]->upstream_answered_ns, clock_now_ns() - ANSWER_STALE_NS - NS_PER_S);
    expect_status(ask(world, "GET", "/readyz", ""), 503);
    gauge_set(&world->blocks[0]->upstream_answered_ns, clock_now_ns());
    health_drain(world->health, clock_now_ns());
    expect_status(ask(world, "GET", "/readyz", ""), 503);
    assert_non_null(strstr(world->answer, "draining"));
    expect_status(ask(world, "GET", "/healthz", ""), 200);
}

static void the_page_comes_with_its_files_and_policy(void **state)
{
    struct world *world = *state;
    start(world);
    static const char *const paths[] = {"/", "/page.css", "/page.js"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const struct page_file *file = page_find(paths[i]);
        const char *answer = ask(world, "GET", paths[i], "");
        expect_status(answer, 200);
        assert_non_null(strstr(answer, "\r\nContent-Security-Policy: default-src 'none'; "));
        assert_non_null(strstr(answer, "\r\nX-Content-Type-Options: nosniff\r\n"));
        assert_non_null(strstr(answer, file->content_type));
        assert_int_equal(length_of(answer), file->end - file->text);
        assert_memory_equal(body_of(answer), file->text, (size_t)(file->end - file->text));
    }
}

static void without_a_status_page_there_is_none(void **state)
{
    struct world *world = *state;
    world->options.status_page = false;
    start(world);
    static const char *const paths[] = {"/", "/page.css", "/page.js", "/status.json", "/history.json?range=5m"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) expect_status(ask(world, "GET", paths[i], ""), 404);
    expect_status(ask(world, "GET", "/metrics", ""), 200);
}

static void what_is_shown_follows_new_options(void **state)
{
    struct world *world = *state;
    address_parse("0.0.0.0:1", 0, &world->options.listen);
    world->options.listen.port = 0;
    start(world);
    assert_null(strstr(ask(world, "GET", "/status.json", ""), "secret.example"));
    world->options.show_names = true;
    endpoint_set_options(world->endpoint, &world->options);
    assert_non_null(strstr(ask(world, "GET", "/status.json", ""), "secret.example"));
    world->options.status_page = false;
    endpoint_set_options(world->endpoint, &world->options);
    expect_status(ask(world, "GET", "/status.json", ""), 404);
    world->options.status_page = true;
    endpoint_set_options(world->endpoint, &world->options);
    expect_status(ask(world, "GET", "/", ""), 200);
}

/* Stops the endpoint, and starts it again where everybody may come, as on a port of 0.0.0.0. */
static void restart_for_everybody(struct world *world)
{
    endpoint_stop(world->endpoint);
    address_parse("0.0.0.0:1", 0, &world->options.listen);
    world->options.listen.port = 0;
    start(world);
}

static void restart_with_names(struct world *world)
{
    endpoint_stop(world->endpoint);
    world->options.show_names = true;
    start(world);
}

static void names_are_shown_at_loopback_only(void **state)
{
    struct world *world = *state;
    start(world);
    assert_non_null(strstr(ask(world, "GET", "/status.json", ""), "secret.example"));
    restart_for_everybody(world);
    assert_null(strstr(ask(world, "GET", "/status.json", ""), "secret.example"));
    assert_non_null(strstr(world->answer, "\"names_shown\":false"));
    restart_with_names(world);
    assert_non_null(strstr(ask(world, "GET", "/status.json", ""), "secret.example"));
}

/* A page of another site whose name was made to mean 127.0.0.1. */
static void names_are_not_shown_to_a_name_that_means_loopback(void **state)
{
    struct world *world = *state;
    start(world);
    static const struct {
        const char *host;
        bool shown;
    } cases[] = {
        {"localhost", true},
        {"LOCALHOST:5000", true},
        {"127.0.0.1", true},
        {"127.0.0.1:5000", true},
        {"[::1]:5000", true},
        {"[::1]", true},
        {"evil.example", false},
        {"evil.example:5000", false},
        {"localhost.evil.example", false},
        {"127.0.0.1.evil.example", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char request[256];
        int fd = dial(world);
        snprintf(request, sizeof request, "GET /status.json HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                 cases[i].host);
        say(fd, request);
        expect_status(hear(world, fd), 200);
        if (!!strstr(world->answer, "secret.example") != cases[i].shown) fail_msg("Host: %s", cases[i].host);
    }
}

/* The series of clients follow the same rules as the page. */
static void client_series_are_written_where_the_page_may_show_clients(void **state)
{
    struct world *world = *state;
    start(world);
    assert_non_null(strstr(ask(world, "GET", "/metrics", ""), "_second{client=\"192.0.2.7\",port="));
    assert_non_null(strstr(world->answer, "_address_queries_per_second{client=\"192.0.2.7\"}"));
    assert_non_null(strstr(world->answer, "_address_limited_queries_per_second{client=\"192.0.2.7\"}"));
    int fd = dial(world);
    say(fd, "GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    expect_status(hear(world, fd), 200);
    assert_null(strstr(world->answer, "192.0.2.7"));
    restart_for_everybody(world);
    assert_null(strstr(ask(world, "GET", "/metrics", ""), "192.0.2.7"));
    assert_null(strstr(ask(world, "GET", "/status.json", ""), "192.0.2.7"));
    restart_with_names(world);
    assert_non_null(strstr(ask(world, "GET", "/metrics", ""), "_second{client=\"192.0.2.7\",port="));
    assert_non_null(strstr(world->answer, "_address_queries_per_second{client=\"192.0.2.7\"}"));
    assert_non_null(strstr(world->answer, "_address_limited_queries_per_second{client=\"192.0.2.7\"}"));
}

static void the_history_is_served_by_range(void **state)
{
    struct world *world = *state;
    start(world);
    static const char *const ranges[] = {"5m", "1h", "24h"};
    for (size_t i = 0; i < 3; i++) {
        char path[64];
        char begin[64];
        snprintf(path, sizeof path, "/history.json?range=%s", ranges[i]);
        snprintf(begin, sizeof begin, "{\"range\":\"%s\",\"step_ms\":", ranges[i]);
        const char *answer = ask(world, "GET", path, "");
        expect_status(answer, 200);
        assert_memory_equal(body_of(answer), begin, strlen(begin));
    }
    expect_status(ask(world, "GET", "/history.json", ""), 400);
    expect_status(ask(world, "GET", "/history.json?range=2h", ""), 400);
    expect_status(ask(world, "GET", "/history.json?range=5m5m5m5m5m5m", ""), 400);
}

static void ipv6_is_listened_on_too(void **state)
{
    struct world *world = *state;
    address_parse("[::1]:1", 0, &world->options.listen);
    world->options.listen.port = 0;
    start(world);
    expect_status(ask(world, "GET", "/healthz", ""), 200);
    assert_non_null(strstr(ask(world, "GET", "/status.json", ""), "secret.example"));
    assert_non_null(strstr(ask(world, "GET", "/metrics", ""), "\nprocess_threads "));
    assert_int_equal(strlen(body_of(world->answer)), length_of(world->answer));
    char error[ENDPOINT_ERROR_BYTES] = "";
    const struct endpoint_sources sources = {.blocks = world->blocks,
                                             .block_count = 2,
                                             .health = world->health,
                                             .log = &world->log,
                                             .read_figures = read_figures};
    assert_null(endpoint_start(&world->options, &sources, error));
    assert_non_null(strstr(error, "[::1]:"));
    assert_non_null(strstr(error, "in use"));
}

static void a_port_in_use_is_reported(void **state)
{
    struct world *world = *state;
    start(world);
    char error[ENDPOINT_ERROR_BYTES] = "";
    char address[ADDRESS_TEXT_BYTES];
    const struct endpoint_sources sources = {.blocks = world->blocks,
                                             .block_count = 2,
                                             .health = world->health,
                                             .log = &world->log,
                                             .read_figures = read_figures};
    assert_null(endpoint_start(&world->options, &sources, error));
    address_format(&world->options.listen, address);
    assert_non_null(strstr(error, address));
    assert_non_null(strstr(error, "in use"));
    expect_status(ask(world, "GET", "/healthz", ""), 200);
}

static void an_address_of_another_machine_is_reported(void **state)
{
    struct world *world = *state;
    char error[ENDPOINT_ERROR_BYTES] = "";
    address_parse("192.0.2.1:5000", 0, &world->options.listen);
    const struct endpoint_sources sources = {.blocks = world->blocks,
                                             .block_count = 2,
                                             .health = world->health,
                                             .log = &world->log,
                                             .read_figures = read_figures};
    assert_null(endpoint_start(&world->options, &sources, error));
    assert_non_null(strstr(error, "192.0.2.1:5000"));
}

static void it_stops_with_connections_open_and_starts_again(void **state)
{
    struct world *world = *state;
    start(world);
    int idle = dial(world);
    say(idle, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    char some[16];
    assert_true(read(idle, some, sizeof some) > 0);
    endpoint_stop(world->endpoint);
    hear(world, idle);
    start(world);
    expect_status(ask(world, "GET", "/healthz", ""), 200);
    endpoint_stop(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(metrics_are_text_unless_asked_otherwise),
        TEST(health_is_in_status_and_body),
        TEST(readiness_follows_upstream_and_drain),
        TEST(the_page_comes_with_its_files_and_policy),
        TEST(without_a_status_page_there_is_none),
        TEST(what_is_shown_follows_new_options),
        TEST(names_are_shown_at_loopback_only),
        TEST(names_are_not_shown_to_a_name_that_means_loopback),
        TEST(client_series_are_written_where_the_page_may_show_clients),
        TEST(the_history_is_served_by_range),
        TEST(ipv6_is_listened_on_too),
        TEST(a_port_in_use_is_reported),
        TEST(an_address_of_another_machine_is_reported),
        TEST(it_stops_with_connections_open_and_starts_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
