/* The file over the defaults, the flags over the file; and what no setting can tell for itself. */
#include "outcome.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"

#define MINUTE (60 * NS_PER_S)
#define HOUR   (60 * MINUTE)

/* A configuration file of its own for each test that wants one. */
struct fixture {
    char folder[64];
    char file[96];
};

static int make_folder(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (!fixture) return -1;
    strcpy(fixture->folder, "/tmp/config_test.XXXXXX");
    if (!mkdtemp(fixture->folder)) return -1;
    snprintf(fixture->file, sizeof fixture->file, "%s/dns.yaml", fixture->folder);
    *state = fixture;
    return 0;
}

static int remove_folder(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->file);
    rmdir(fixture->folder);
    free(fixture);
    return 0;
}

static void write_file(const struct fixture *fixture, const char *text, size_t size)
{
    FILE *file = fopen(fixture->file, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void assert_not_loaded(const struct command_line *command, const char *faults)
{
    struct outcome outcome = outcome_of_flags(command);
    assert_false(outcome.is_good);
    assert_string_equal(outcome.faults, faults);
    outcome_done(&outcome);
}

/* Every setting of the file reaches the option it is meant for. */
static void a_file_says_where_to_listen_and_whom_to_ask(void **state)
{
    (void)state;
    struct outcome outcome = assert_accepted(
        "listen: [0.0.0.0:53, \"[::]:53\"]\n"
        "workers: 3\n"
        "upstreams:\n"
        "  - {address: 9.9.9.9, name: dns.quad9.net}\n"
        "  - {address: \"2620:fe::fe\", port: 8853, name: dns.quad9.net}\n"
        "tls: {ca_file: /etc/ca.pem, revalidate_interval: 30m}\n"
        "upstream: {query_timeout: 3s, connect_timeout: 1s, idle_timeout: 7s, max_age: 0, keep_warm: false,\n"
        "           probe_interval: 5s, max_in_flight: 10, max_sessions: 2, max_handshakes: 3, padding: 0, hedge: "
        "0}\n");
    const struct pool_options *pool = &outcome.config.pool;
    assert_int_equal(outcome.config.acceptor.listen_count, 2);
    assert_int_equal(outcome.config.workers, 3);
    assert_string_equal(outcome.config.tls.ca_file, "/etc/ca.pem");
    assert_int_equal(pool->upstream_count, 2);
    assert_int_equal(pool->upstreams[1].address.port, 8853);
    assert_int_equal(pool->query_timeout_ns, 3 * NS_PER_S);
    assert_int_equal(pool->connect_timeout_ns, NS_PER_S);
    assert_int_equal(pool->idle_timeout_ns, 7 * NS_PER_S);
    assert_int_equal(pool->max_age_ns, 0);
    assert_false(pool->keep_warm);
    assert_int_equal(pool->probe_ns, 5 * NS_PER_S);
    assert_int_equal(pool->max_in_flight, 10);
    assert_int_equal(pool->max_sessions, 2);
    assert_int_equal(pool->max_handshakes, 3);
    assert_int_equal(pool->padding, 0);
    assert_int_equal(pool->hedge_percent, 0);
    assert_int_equal(pool->revalidate_ns, 30 * MINUTE);
    outcome_done(&outcome);
}

static void a_file_says_what_is_kept_and_what_is_shown(void **state)
{
    (void)state;
    struct outcome outcome =
        assert_accepted("cache: {max_size: 1GiB, min_ttl: 10s, max_ttl: 2h, negative_max_ttl: 5m, serve_stale: 0}\n"
                        "prefetch: {top: 0, share: 20, half_life: 1m}\n"
                        "http: {listen: \"\", status_page: false}\n"
                        "log: {level: error, format: json}\n"
                        "drain_timeout: 0s\n");
    const struct config *config = &outcome.config;
    assert_int_equal(config->cache.max_bytes, 1 << 30);
    assert_int_equal(config->cache.stale_ns, 0);
    assert_int_equal(config->forwarder.cache_min_ns, 10 * NS_PER_S);
    assert_int_equal(config->forwarder.cache_max_ns, 2 * HOUR);
    assert_int_equal(config->forwarder.cache_negative_ns, 5 * MINUTE);
    assert_int_equal(config->topnames.top, 0);
    assert_int_equal(config->topnames.half_life_ns, MINUTE);
    assert_int_equal(config->forwarder.prefetch_percent, 20);
    assert_int_equal(config->endpoint.listen.port, 0);
    assert_false(config->endpoint.status_page);
    assert_int_equal(config->log.level, LOG_LEVEL_ERROR);
    assert_int_equal(config->log.format, LOG_FORMAT_JSON);
    assert_int_equal(config->drain_timeout_ns, 0);
    outcome_done(&outcome);
}

static void a_file_says_what_clients_may_do(void **state)
{
    (void)state;
    struct outcome outcome =
        assert_accepted("access: {allow: [0.0.0.0/0, \"::/0\"]}\n"
                        "rate_limit: {queries_per_second: 0, burst: 0, ipv4_prefix: 24, ipv6_prefix: 56, max_clients: "
                        "5, action: drop}\n"
                        "clients: {max_connections: 11, max_per_address: 12, new_per_second: 13, idle_timeout: 14s, "
                        "read_timeout: 15s,\n"
                        "          first_timeout: 16s, max_in_flight: 17, max_query_size: 65535, max_unsent: 1MiB,\n"
                        "          max_queries_in_flight: 18}\n");
    const struct config *config = &outcome.config;
    assert_int_equal(config->access.allow_count, 2);
    assert_int_equal(config->ratelimit.queries_per_s, 0);
    assert_int_equal(config->ratelimit.burst, 0);
    assert_int_equal(config->ratelimit.ipv4_prefix, 24);
    assert_int_equal(config->ratelimit.ipv6_prefix, 56);
    assert_int_equal(config->ratelimit.max_clients, 5);
    assert_int_equal(config->forwarder.rate_limit_action, RATE_LIMIT_DROP);
    assert_int_equal(config->connections.max_connections, 11);
    assert_int_equal(config->connections.max_per_address, 12);
    assert_int_equal(config->connections.new_per_s, 13);
    assert_int_equal(config->client.idle_timeout_ns, 14 * NS_PER_S);
    assert_int_equal(config->client.read_timeout_ns, 15 * NS_PER_S);
    assert_int_equal(config->client.first_timeout_ns, 16 * NS_PER_S);
    assert_int_equal(config->client.max_in_flight, 17);
    assert_int_equal(config->client.max_query_bytes, 65535);
    assert_int_equal(config->client.max_unsent_bytes, 1 << 20);
    assert_int_equal(config->forwarder.max_queries, 18);
    outcome_done(&outcome);
}

static void flags_win_over_the_file(void **state)
{
    const struct fixture *fixture = *state;
    static const char text[] =
        "listen: [\"127.0.0.1:1001\", \"127.0.0.1:1002\"]\nworkers: 2\nlog: {level: debug, format: json}\n"
        "tls: {ca_file: a.pem}\nhttp: {listen: \"127.0.0.1:1003\"}\nupstream: {padding: 64}\n";
    write_file(fixture, text, strlen(text));
    const struct command_line command = {
        .config_file = fixture->file,
        .listen = {"127.0.0.1:2001"},
        .listen_count = 1,
        .upstreams = {"127.0.0.1:853#a.b", "[::1]:8530#c.d"},
        .upstream_count = 2,
        .ca_file = "b.pem",
        .http = "",
        .workers = "5",
        .log_level = "warning",
    };
    struct outcome outcome = outcome_of_flags(&command);
    assert_string_equal(outcome.faults, "");
    const struct config *config = &outcome.config;
    assert_int_equal(config->acceptor.listen_count, 1);
    assert_int_equal(config->acceptor.listen[0].port, 2001);
    assert_int_equal(config->pool.upstream_count, 2);
    assert_string_equal(config->pool.upstreams[1].name, "c.d");
    assert_string_equal(config->tls.ca_file, "b.pem");
    assert_int_equal(config->endpoint.listen.port, 0);
    assert_int_equal(config->workers, 5);
    assert_int_equal(config->log.level, LOG_LEVEL_WARNING);
    assert_int_equal(config->log.format, LOG_FORMAT_JSON); /* no flag for it: the file's */
    assert_int_equal(config->pool.padding, 64);
    outcome_done(&outcome);
}

static void a_fault_of_the_file_remains_one_below_a_flag(void **state)
{
    const struct fixture *fixture = *state;
    write_file(fixture, "workers: 65\n", 12);
    char expected[256];
    snprintf(expected, sizeof expected, "%s:1:10: 'workers': 65 is out of range 1..64, or auto\n", fixture->file);
    assert_not_loaded(&(struct command_line){.config_file = fixture->file, .workers = "4"}, expected);
}

static void a_file_that_cannot_be_read_is_one_clear_line(void **state)
{
    const struct fixture *fixture = *state;
    char expected[256];
    snprintf(expected, sizeof expected, "%s: cannot be read: No such file or directory\n", fixture->file);
    assert_not_loaded(&(struct command_line){.config_file = fixture->file}, expected);
    snprintf(expected, sizeof expected, "%s: cannot be read: Is a directory\n", fixture->folder);
    assert_not_loaded(&(struct command_line){.config_file = fixture->folder}, expected);
}

static void a_file_is_at_most_a_mebibyte(void **state)
{
    const struct fixture *fixture = *state;
    char *text = malloc(CONFIG_FILE_BYTES + 1);
    assert_non_null(text);
    memset(text, '#', CONFIG_FILE_BYTES + 1);
    memcpy(text, "workers: 1\n", strlen("workers: 1\n"));
    write_file(fixture, text, CONFIG_FILE_BYTES);
    struct outcome outcome = outcome_of_flags(&(struct command_line){.config_file = fixture->file});
    assert_true(outcome.is_good);
    outcome_done(&outcome);
    write_file(fixture, text, CONFIG_FILE_BYTES + 1);
    char expected[256];
    snprintf(expected, sizeof expected, "%s: cannot be read: File too large\n", fixture->file);
    assert_not_loaded(&(struct command_line){.config_file = fixture->file}, expected);
    free(text);
}

static void a_refused_configuration_leaves_the_old_one_alone(void **state)
{
    (void)state;
    struct config config;
    memset(&config, 0xa5, sizeof config);
    struct config before;
    memcpy(&before, &config, sizeof config);
    FILE *errors = fopen("/dev/null", "w");
    assert_non_null(errors);
    assert_false(config_parse("workers: x", 10, "dns.yaml", &config, errors));
    fclose(errors);
    assert_memory_equal(&config, &before, sizeof config);
}

static void the_least_lifetime_is_not_above_the_longest(void **state)
{
    (void)state;
    assert_refused("cache: {min_ttl: 2h, max_ttl: 1h}\n",
                   "dns.yaml:1:18: 'cache.min_ttl': is above 'cache.max_ttl'; at most that is allowed\n");
    assert_refused("cache:\n  max_ttl: 1h\n  min_ttl: 3601s\n",
                   "dns.yaml:3:12: 'cache.min_ttl': is above 'cache.max_ttl'; at most that is allowed\n");
    struct outcome outcome = assert_accepted("cache: {min_ttl: 1h, max_ttl: 60m}\n");
    outcome_done(&outcome);
}

static void a_limit_lets_something_pass(void **state)
{
    (void)state;
    assert_refused("rate_limit: {burst: 0}\n",
                   "dns.yaml:1:21: 'rate_limit.burst': is 0, so no question would ever pass; at least 1 is allowed\n");
    struct outcome outcome = assert_accepted("rate_limit: {burst: 0, queries_per_second: 0}\n");
    outcome_done(&outcome);
    outcome = assert_accepted("rate_limit: {burst: 1, queries_per_second: 1}\n");
    outcome_done(&outcome);
}

static void http_and_dns_have_addresses_of_their_own(void **state)
{
    (void)state;
    assert_refused("http: {listen: \"[::1]:8853\"}\n",
                   "dns.yaml:1:16: 'http.listen': [::1]:8853 is in 'listen' too; each wants an address of its own\n");
    assert_refused(
        "workers: 1\nlisten: [127.0.0.1:5000]\n",
        "dns.yaml:2:9: 'http.listen': 127.0.0.1:5000 is in 'listen' too; each wants an address of its own\n");
    assert_not_loaded(
        &(struct command_line){.http = "127.0.0.1:8853"},
        "dns-tls-proxy: --http: 'http.listen': 127.0.0.1:8853 is in 'listen' too; each wants an address of its own\n");
    struct outcome outcome = assert_accepted("listen: [127.0.0.1:5001, 127.0.0.2:5000]\n");
    outcome_done(&outcome);
}

static void auto_is_worked_out(void **state)
{
    (void)state;
    struct outcome outcome = assert_accepted("workers: auto\n");
    assert_in_range(outcome.config.workers, 1, 8);
    outcome_done(&outcome);
    outcome = assert_accepted("workers: 64\n");
    assert_int_equal(outcome.config.workers, WORKERS_MAX);
    outcome_done(&outcome);
}

static void freeing_twice_is_fine(void **state)
{
    (void)state;
    struct outcome outcome = assert_accepted("workers: 1\n");
    config_free(&outcome.config);
    assert_int_equal(outcome.config.access.allow_count, 0);
    outcome_done(&outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_says_where_to_listen_and_whom_to_ask),
        cmocka_unit_test(a_file_says_what_is_kept_and_what_is_shown),
        cmocka_unit_test(a_file_says_what_clients_may_do),
        cmocka_unit_test_setup_teardown(flags_win_over_the_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_fault_of_the_file_remains_one_below_a_flag, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_read_is_one_clear_line, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_file_is_at_most_a_mebibyte, make_folder, remove_folder),
        cmocka_unit_test(a_refused_configuration_leaves_the_old_one_alone),
        cmocka_unit_test(the_least_lifetime_is_not_above_the_longest),
        cmocka_unit_test(a_limit_lets_something_pass),
        cmocka_unit_test(http_and_dns_have_addresses_of_their_own),
        cmocka_unit_test(auto_is_worked_out),
        cmocka_unit_test(freeing_twice_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
