/* status: the figures of the status page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/status.h"

enum { NOW_S = 1700000000 };

struct world {
    struct counters total;
    struct figures figures;
    struct status status;
    char *text;
};

static int setup(void **state)
{
    struct world *world = test_calloc(1, sizeof *world);
    world->figures.build.version = "1.2.3";
    world->figures.started_s = NOW_S - 90;
    world->figures.upstream_count = 1;
    strcpy(world->figures.upstreams[0], "1.1.1.1:853#one");
    world->status = (struct status){
        .total = &world->total, .figures = &world->figures, .live = true, .now_ns = 5 * NS_PER_S, .wall_s = NOW_S};
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    free(world->text);
    test_free(world);
    return 0;
}

static const char *write(struct world *world)
{
    size_t size;
    free(world->text);
    FILE *out = open_memstream(&world->text, &size);
    assert_non_null(out);
    status_write(&world->status, out);
    fclose(out);
    return world->text;
}

static void expect(struct world *world, const char *part)
{
    if (!strstr(write(world), part)) fail_msg("%s not in %s", part, world->text);
}

/* Brackets close in the order they opened, outside of strings: no member was forgotten. */
static void the_text_is_one_whole_object(void **state)
{
    struct world *world = *state;
    world->status.show_names = true;
    world->figures.name_count = 1;
    strcpy(world->figures.names[0].name, "a{\"[\\.example");
    char open[16];
    int depth = 0;
    bool quoted = false;
    const char *c = write(world);
    for (; *c && *c != '\n'; c++) {
        if (quoted && *c == '\\')
            c++;
        else if (*c == '"')
            quoted = !quoted;
        else if (quoted)
            continue;
        else if (*c == '{' || *c == '[')
            open[depth++] = *c;
        else if (*c == '}' || *c == ']')
            assert_int_equal(open[--depth], *c == '}' ? '{' : '[');
        assert_true(depth < (int)sizeof open);
        assert_true(depth > 0 || c[1] == '\n');
    }
    assert_string_equal(c, "\n");
    assert_false(quoted);
}

static void it_begins_with_the_program(void **state)
{
    struct world *world = *state;
    expect(world, "{\"version\":\"1.2.3\",\"now_ms\":5000,\"uptime_seconds\":90,\"reload_good\":false,\"reloaded_"
                  "seconds_ago\":1700000000,\"live\":true,\"ready\":true,"
                  "\"reason\":\"an upstream answers\",\"ready_changed_ms\":0,");
    world->status.readiness.state = READINESS_DRAINING;
    world->status.readiness.since_ns = 4 * NS_PER_S;
    world->status.live = false;
    expect(world, "\"live\":false,\"ready\":false,\"reason\":\"draining\",\"ready_changed_ms\":4000,");
}

static void the_sandbox_says_what_is_in_force_and_what_is_not(void **state)
{
    struct world *world = *state;
    expect(world, "\"sandbox\":{\"mode\":\"off\",\"landlock_abi\":0,"); /* nothing was told yet */
    world->figures.sandbox = (struct figures_sandbox){.mode = "on", .landlock_why = "no \"lsm\"", .seccomp_why = ""};
    world->figures.sandbox_seccomp = world->figures.sandbox_no_new_privileges = 1;
    world->figures.sandbox_logged_calls = 3;
    expect(world, "\"sandbox\":{\"mode\":\"on\",\"landlock_abi\":0,\"landlock_why_not\":\"no \\\"lsm\\\"\","
                  "\"seccomp\":true,\"seccomp_why_not\":null,\"no_new_privs\":true,\"logged_calls\":3}");
}

static void queries_of_all_types_are_one_figure(void **state)
{
    struct world *world = *state;
    counter_add(cell_queries(&world->total, LABEL_QTYPE_A, LABEL_TRANSPORT_TCP), 5);
    counter_add(cell_queries(&world->total, LABEL_QTYPE_OTHER, LABEL_TRANSPORT_UDP), 2);
    expect(world, "\"queries\":7,\"qtypes\":{\"A\":5,\"AAAA\":0,");
    expect(world, "\"other\":2}");
}

static void answers_are_counted_by_code(void **state)
{
    struct world *world = *state;
    counter_add(cell_responses(&world->total, LABEL_RCODE_NXDOMAIN, LABEL_TRANSPORT_UDP), 9);
    expect(world, "\"responses\":{\"NOERROR\":0,\"FORMERR\":0,\"SERVFAIL\":0,\"NXDOMAIN\":9,\"NOTIMP\":0,\"REFUSED\":0,"
                  "\"BADVERS\":0,\"BADCOOKIE\":0,\"other\":0}");
}

static void udp_has_figures_of_its_own(void **state)
{
    struct world *world = *state;
    counter_add(cell_queries(&world->total, LABEL_QTYPE_A, LABEL_TRANSPORT_TCP), 5);
    counter_add(cell_queries(&world->total, LABEL_QTYPE_A, LABEL_TRANSPORT_UDP), 2);
    counter_add(cell_queries(&world->total, LABEL_QTYPE_OTHER, LABEL_TRANSPORT_UDP), 1);
    counter_add(cell_truncated(&world->total), 4);
    counter_add(cell_udp_dropped(&world->total, LABEL_UDP_DROPPED_OLD), 6);
    counter_add(cell_udp_kernel_drops(&world->total), 7);
    counter_add(cell_udp_sent(&world->total, LABEL_UDP_SOURCE_FOREIGN), 8);
    expect(world, "\"udp\":{\"queries\":3,\"truncated\":4,\"dropped\":{\"access\":0,\"not_a_query\":0,"
                  "\"source_port\":0,\"too_old\":6,\"overload\":0,\"not_sent\":0},\"kernel_drops\":7,");
    expect(world, "\"sent_bytes\":{\"verified\":0,\"private\":0,\"foreign\":8}");
}

static void the_cache_is_counters_and_figures(void **state)
{
    struct world *world = *state;
    count_event(&world->total, cache_hits);
    counter_add(cell_cache_misses(&world->total), 2);
    counter_add(cell_cache_stale(&world->total), 3);
    world->figures.cache_evictions = 4;
    world->figures.cache_entries = 5;
    world->figures.cache_bytes = 6;
    world->figures.cache_bytes_max = 7;
    expect(world,
           "\"cache\":{\"hits\":1,\"misses\":2,\"stale\":3,\"evictions\":4,\"entries\":5,\"bytes\":6,\"bytes_max\":7,");
}

static void latency_has_buckets_and_percentiles(void **state)
{
    struct world *world = *state;
    histogram_observe(&world->total.request_duration[LABEL_SOURCE_UPSTREAM][LABEL_TRANSPORT_TCP], 12000000, 100);
    expect(world, "\"edges_ms\":[0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10,25,50,75,100,250,500,1000,2500,5000]");
    expect(world, "\"upstream\":{\"buckets\":[0,0,0,0,0,0,0,0,0,0,0,100,0,0,0,0,0,0,0,0,0],"
                  "\"p50_ms\":17.5,\"p90_ms\":23.5,\"p99_ms\":24.85}");
    expect(world,
           "\"cache\":{\"buckets\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],\"p50_ms\":null,\"p90_ms\":null,\"p99_"
           "ms\":null}");
}

static void an_upstream_is_shown_with_all_its_figures(void **state)
{
    struct world *world = *state;
    struct counters *total = &world->total;
    set_gauge_by(total, upstream_up, 0, 1);
    set_gauge_by(total, upstream_state, 0, 4);
    set_gauge_by(total, upstream_sessions, 0, 2);
    set_gauge_by(total, upstream_in_flight, 0, 3);
    counter_add(cell_upstream_queries(total, 0), 4);
    counter_add(cell_upstream_responses(total, 0, LABEL_RCODE_NOERROR), 5);
    count_upstream_event(total, upstream_responses, 0, LABEL_RCODE_SERVFAIL);
    counter_add(cell_upstream_failures(total, 0, LABEL_FAILURE_RESET), 7);
    count_upstream_event(total, upstream_failures, 0, LABEL_FAILURE_HUNG);
    counter_add(cell_upstream_retries(total, 0, LABEL_RETRY_HEDGE), 9);
    counter_add(cell_upstream_handshakes(total, 0, LABEL_RESUMED_NO), 10);
    counter_add(cell_upstream_handshakes(total, 0, LABEL_RESUMED_YES), 11);
    set_gauge_by(total, upstream_expiry, 0, NOW_S + 86400 * 3 / 2);
    set_gauge_by(total, upstream_validated, 0, NOW_S - 60);
    world->figures.upstream_answered_s[0] = NOW_S - 3;
    world->figures.upstream_changed_s[0] = NOW_S - 80;
    expect(world,
           "{\"name\":\"1.1.1.1:853#one\",\"up\":true,\"state\":\"up\","
           "\"answered_seconds_ago\":3,\"state_seconds\":80,\"sessions\":2,\"in_flight\":3,\"queries\":4,"
           "\"responses\":6,"
           "\"failures\":8,\"failure_reasons\":{\"reset\":7,\"hung\":1},\"retries\":9,\"retry_reasons\":{\"hedge\":9},"
           "\"handshakes_full\":10,\"handshakes_resumed\":11,\"latency\":{");
    expect(world, "\"certificate_days_left\":1.5,\"validated_seconds_ago\":60}");
}

static void an_upstream_that_is_down_says_why(void **state)
{
    struct world *world = *state;
    expect(world, "\"error\":null,");
    set_upstream_error(&world->total, 0, "the certificate has expired");
    expect(world, "\"error\":\"the certificate has expired\",");
    set_gauge_by(&world->total, upstream_up, 0, 1); /* for another worker */
    expect(world, "\"error\":null,");
}

static void a_certificate_never_seen_has_no_days(void **state)
{
    struct world *world = *state;
    expect(world, "\"answered_seconds_ago\":null,\"state_seconds\":null,");
    expect(world, "\"certificate_days_left\":null,\"validated_seconds_ago\":null}");
}

static void a_certificate_that_ended_has_days_below_zero(void **state)
{
    struct world *world = *state;
    set_gauge_by(&world->total, upstream_expiry, 0, NOW_S - 86400);
    expect(world, "\"certificate_days_left\":-1,");
}

static void each_session_shows_its_counts(void **state)
{
    struct world *world = *state;
    struct counters block = {0};
    struct counters *blocks[] = {&block, &block}; /* of two workers */
    struct session_row *row = &block.sessions[3];
    gauge_set(&row->worker, 1);
    gauge_set(&row->number, 7);
    gauge_set(&row->is_open, 1);
    gauge_set(&row->in_flight, 2);
    gauge_set(&row->sent, 12);
    gauge_set(&row->answers, 10);
    gauge_set(&row->window, 100);
    gauge_set(&row->age_ms, 1500);
    counters_merge(blocks, 2, &world->total);
    expect(world, "\"session_list\":[{\"worker\":1,\"session\":7,\"open\":true,\"in_flight\":2,\"sent\":12,"
                  "\"answers\":10,\"window\":100,\"age_seconds\":1.5},{\"worker\":1,");
}

static void the_shared_cache_is_an_object_where_there_is_one(void **state)
{
    struct world *world = *state;
    expect(world, "\"shared_cache\":null");
    strcpy(world->figures.shared_cache, "192.0.2.6:6379");
    set_gauge(&world->total, shared_state, 3);
    set_shared_error(&world->total, "it does not answer");
    count_event(&world->total, shared_asked);
    count_event_by(&world->total, shared_results, LABEL_SHARED_RESULT_FORGED);
    count_event_by(&world->total, shared_dropped, LABEL_SHARED_DROPPED_FULL);
    expect(world, "\"shared_cache\":{\"store\":\"192.0.2.6:6379\",\"state\":\"left alone\","
                  "\"error\":\"it does not answer\",\"connections\":0,\"asked\":1,\"results\":{\"hit\":0,\"miss\":0,"
                  "\"rejected\":0,\"forged\":1,\"failed\":0,\"overtaken\":0},\"late\":0,");
    expect(world, "\"dropped\":{\"unavailable\":0,\"full\":1,\"refused\":0,\"lost\":0},");
    set_gauge(&world->total, shared_state, 4);
    set_shared_error(&world->total, NULL);
    expect(world, "\"state\":\"in use\",\"error\":null,");
}

static void only_configured_upstreams_are_listed(void **state)
{
    struct world *world = *state;
    set_gauge_by(&world->total, upstream_up, 1, 1);
    world->figures.upstream_count = 0;
    expect(world, "\"upstreams\":[]");
}

static void names_and_clients_are_shown_only_where_they_may_be(void **state)
{
    struct world *world = *state;
    world->figures.name_count = 1;
    strcpy(world->figures.names[0].name, "<script>.example");
    strcpy(world->figures.names[0].type, "AAAA");
    world->figures.names[0].asks = 12;
    world->figures.busiest_port_count = world->figures.busiest_address_count = 1;
    world->figures.busiest_ports[0] = (struct figures_client){"10.0.0.1", 4711, 2.5, 0};
    world->figures.limited_count = 1;
    world->figures.limited_addresses[0] = world->figures.busiest_addresses[0] =
        (struct figures_client){"10.0.0.1", 0, 7, 2};
    strcpy(world->figures.reload_changes, "names.records: [] -> [\"x.example\"]\n");
    strcpy(world->figures.reload_refusal, "dns.yaml:1:1: x.example\n");
    const char *text = write(world);
    assert_non_null(strstr(text, "\"names_shown\":false,\"may_purge\":false}"));
    assert_null(strstr(text, "example"));
    assert_null(strstr(text, "10.0.0.1"));
    world->status.show_names = true;
    expect(world,
           "\"names_shown\":true,\"may_purge\":false,\"names\":[{\"name\":\"\\u003cscript>.example\",\"type\":"
           "\"AAAA\",\"asks\":12}],"
           "\"busiest_ports\":[{\"client\":\"10.0.0.1\",\"port\":4711,\"per_second\":2.5}],"
           "\"busiest_addresses\":[{\"client\":\"10.0.0.1\",\"port\":0,\"per_second\":7,\"refused_per_second\":2}],"
           "\"limited_addresses\":[{\"client\":\"10.0.0.1\",\"port\":0,\"per_second\":7,\"refused_per_second\":2}],"
           "\"reload_changes\":\"names.records: [] -> [\\\"x.example\\\"]\\u000a\","
           "\"reload_refusal\":\"dns.yaml:1:1: x.example\\u000a\"}");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_text_is_one_whole_object),
        TEST(it_begins_with_the_program),
        TEST(the_sandbox_says_what_is_in_force_and_what_is_not),
        TEST(queries_of_all_types_are_one_figure),
        TEST(answers_are_counted_by_code),
        TEST(udp_has_figures_of_its_own),
        TEST(the_cache_is_counters_and_figures),
        TEST(latency_has_buckets_and_percentiles),
        TEST(an_upstream_is_shown_with_all_its_figures),
        TEST(an_upstream_that_is_down_says_why),
        TEST(a_certificate_never_seen_has_no_days),
        TEST(a_certificate_that_ended_has_days_below_zero),
        TEST(each_session_shows_its_counts),
        TEST(the_shared_cache_is_an_object_where_there_is_one),
        TEST(only_configured_upstreams_are_listed),
        TEST(names_and_clients_are_shown_only_where_they_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
