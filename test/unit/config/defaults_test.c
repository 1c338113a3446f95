/* What the program does where nobody says anything: safe on any machine, useful on most. */
#include "outcome.h"

#include <stdbool.h>

#include "common/clock.h"

#define MINUTE (60 * NS_PER_S)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct outcome load_defaults(void)
{
    struct outcome outcome = outcome_of_flags(&(struct command_line){.config_file = NULL});
    assert_true(outcome.is_good);
    assert_string_equal(outcome.faults, "");
    return outcome;
}

static void without_file_and_flags_it_listens_on_loopback(void **state)
{
    (void)state;
    struct outcome outcome = load_defaults();
    const struct config *config = &outcome.config;
    char text[ADDRESS_TEXT_BYTES];
    assert_int_equal(config->acceptor.listen_count, 2);
    assert_string_equal(address_format(&config->acceptor.listen[0], text), "127.0.0.1:8853");
    assert_string_equal(address_format(&config->acceptor.listen[1], text), "[::1]:8853");
    assert_string_equal(address_format(&config->endpoint.listen, text), "127.0.0.1:5000");
    assert_true(config->endpoint.status_page);
    assert_in_range(config->workers, 1, 8);
    assert_int_equal(config->log.level, LOG_LEVEL_INFO);
    assert_int_equal(config->log.format, LOG_FORMAT_TEXT);
    assert_int_equal(config->drain_timeout_ns, 5 * NS_PER_S);
    outcome_done(&outcome);
}

static void without_file_and_flags_it_asks_cloudflare(void **state)
{
    (void)state;
    static const char *const addresses[] = {"1.1.1.1:853", "1.0.0.1:853", "[2606:4700:4700::1111]:853",
                                            "[2606:4700:4700::1001]:853"};
    struct outcome outcome = load_defaults();
    const struct pool_options *pool = &outcome.config.pool;
    char text[ADDRESS_TEXT_BYTES];
    assert_int_equal(pool->upstream_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(address_format(&pool->upstreams[i].address, text), addresses[i]);
        assert_string_equal(pool->upstreams[i].name, "cloudflare-dns.com");
    }
    assert_int_equal(pool->query_timeout_ns, 4500 * NS_PER_MS);
    assert_int_equal(pool->connect_timeout_ns, 2 * NS_PER_S);
    assert_int_equal(pool->idle_timeout_ns, 8 * NS_PER_S);
    assert_int_equal(pool->max_age_ns, HOUR);
    assert_int_equal(pool->revalidate_ns, HOUR);
    assert_int_equal(pool->probe_ns, 4 * NS_PER_S);
    assert_true(pool->keep_warm);
    assert_int_equal(pool->max_in_flight, 1000);
    assert_int_equal(pool->max_sessions, 4);
    assert_int_equal(pool->max_handshakes, 4);
    assert_int_equal(pool->padding, 128);
    assert_int_equal(pool->hedge_percent, 5);
    assert_string_equal(outcome.config.tls.ca_file, "");
    outcome_done(&outcome);
}

static void without_file_and_flags_it_keeps_answers(void **state)
{
    (void)state;
    struct outcome outcome = load_defaults();
    const struct config *config = &outcome.config;
    assert_int_equal(config->cache.max_bytes, 64 << 20);
    assert_int_equal(config->cache.stale_ns, DAY);
    assert_int_equal(config->forwarder.cache_min_ns, 0);
    assert_int_equal(config->forwarder.cache_max_ns, DAY);
    assert_int_equal(config->forwarder.cache_negative_ns, HOUR);
    assert_int_equal(config->topnames.top, 1000);
    assert_int_equal(config->topnames.half_life_ns, 10 * MINUTE);
    assert_int_equal(config->forwarder.prefetch_percent, 10);
    outcome_done(&outcome);
}

static void without_file_and_flags_clients_are_bounded(void **state)
{
    (void)state;
    struct outcome outcome = load_defaults();
    const struct config *config = &outcome.config;
    assert_int_equal(config->connections.max_connections, 10000);
    assert_int_equal(config->connections.max_per_address, 256);
    assert_int_equal(config->connections.new_per_s, 0);
    assert_int_equal(config->client.idle_timeout_ns, 30 * NS_PER_S);
    assert_int_equal(config->client.read_timeout_ns, 5 * NS_PER_S);
    assert_int_equal(config->client.first_timeout_ns, 10 * NS_PER_S);
    assert_int_equal(config->client.max_in_flight, 100);
    assert_int_equal(config->client.max_query_bytes, 4096);
    assert_int_equal(config->client.max_unsent_bytes, 256 << 10);
    assert_int_equal(config->forwarder.max_queries, 8192);
    assert_int_equal(config->ratelimit.queries_per_s, 1000);
    assert_int_equal(config->ratelimit.burst, 2000);
    assert_int_equal(config->ratelimit.ipv4_prefix, 32);
    assert_int_equal(config->ratelimit.ipv6_prefix, 64);
    assert_int_equal(config->ratelimit.max_clients, 65536);
    assert_int_equal(config->forwarder.rate_limit_action, RATE_LIMIT_SERVFAIL);
    outcome_done(&outcome);
}

static bool is_allowed(const struct access_options *access, const char *text)
{
    struct address address;
    assert_true(address_parse(text, 53, &address));
    for (size_t i = 0; i < access->allow_count; i++)
        if (prefix_contains(&access->allow[i], address.ip)) return true;
    return false;
}

static void without_file_and_flags_only_private_addresses_may_ask(void **state)
{
    (void)state;
    struct outcome outcome = load_defaults();
    static const char *const inside[] = {"127.0.0.1",   "10.1.2.3", "172.31.255.255", "192.168.1.1", "100.64.0.1",
                                         "169.254.1.1", "::1",      "fd00::1",        "fe80::1"};
    static const char *const outside[] = {"1.1.1.1", "172.32.0.1",   "192.169.0.1", "100.128.0.1",
                                          "::2",     "2606:4700::1", "::"};
    assert_int_equal(outcome.config.access.allow_count, 9);
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        assert_true(is_allowed(&outcome.config.access, inside[i]));
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        assert_false(is_allowed(&outcome.config.access, outside[i]));
    outcome_done(&outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_file_and_flags_it_listens_on_loopback),
        cmocka_unit_test(without_file_and_flags_it_asks_cloudflare),
        cmocka_unit_test(without_file_and_flags_it_keeps_answers),
        cmocka_unit_test(without_file_and_flags_clients_are_bounded),
        cmocka_unit_test(without_file_and_flags_only_private_addresses_may_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
