/* The shared cache of a fleet: where the store is, and what goes together. */
#include "outcome.h"

#include <stdbool.h>

#include "common/clock.h"

static void without_an_address_no_cache_is_shared(void **state)
{
    (void)state;
    struct outcome outcome = assert_accepted("workers: 1\n");
    const struct store_options *store = &outcome.config.store;
    assert_int_equal(store->address.port, 0);
    assert_int_equal(store->timeout_ns, 5 * NS_PER_MS);
    assert_int_equal(store->queue_bytes, 1 << 20);
    assert_string_equal(store->prefix, "dtp:");
    assert_string_equal(store->secret_file, "");
    assert_string_equal(store->password_file, "");
    assert_string_equal(store->tls_name, "");
    assert_false(store->routes);
    outcome_done(&outcome);
    outcome = assert_accepted("shared_cache: {address: \"\"}\n"); /* no secret is missed */
    outcome_done(&outcome);
}

static void every_setting_reaches_its_option(void **state)
{
    (void)state;
    struct outcome outcome = assert_accepted("shared_cache:\n"
                                             "  address: \"[2001:db8::6]:6380\"\n"
                                             "  timeout: 20ms\n"
                                             "  prefix: \"site-1:\"\n"
                                             "  user: dns\n"
                                             "  password_file: /etc/password\n"
                                             "  tls_name: Cache.Example\n"
                                             "  ca_file: /etc/ca.pem\n"
                                             "  secret_file: /etc/secret\n"
                                             "  routes: true\n"
                                             "  max_queued: 2MiB\n");
    const struct store_options *store = &outcome.config.store;
    char text[ADDRESS_TEXT_BYTES];
    assert_string_equal(address_format(&store->address, text), "[2001:db8::6]:6380");
    assert_int_equal(store->timeout_ns, 20 * NS_PER_MS);
    assert_string_equal(store->prefix, "site-1:");
    assert_string_equal(store->user, "dns");
    assert_string_equal(store->password_file, "/etc/password");
    assert_string_equal(store->tls_name, "cache.example");
    assert_string_equal(store->ca_file, "/etc/ca.pem");
    assert_string_equal(store->secret_file, "/etc/secret");
    assert_true(store->routes);
    assert_int_equal(store->queue_bytes, 2 << 20);
    outcome_done(&outcome);
}

static void the_store_is_a_host_by_its_address_and_port(void **state)
{
    (void)state;
    assert_refused("shared_cache: {address: cache.example, secret_file: none}\n",
                   "dns.yaml:1:25: 'shared_cache.address': cache.example is not IP:PORT or [IP6]:PORT of a host, "
                   "or empty (off); an IP address is wanted, not a name\n");
    assert_refused("shared_cache: {address: 10.0.0.6, secret_file: none}\n",
                   "dns.yaml:1:25: 'shared_cache.address': 10.0.0.6 is not IP:PORT or [IP6]:PORT of a host, or "
                   "empty (off); the port is missing: write \"10.0.0.6:6379\"\n");
    assert_refused("shared_cache: {address: \"0.0.0.0:6379\", secret_file: none}\n",
                   "dns.yaml:1:25: 'shared_cache.address': 0.0.0.0:6379 is not IP:PORT or [IP6]:PORT of a host, or "
                   "empty (off)\n");
    assert_refused("shared_cache: {address: \"[ff02::1]:6379\", secret_file: none}\n",
                   "dns.yaml:1:25: 'shared_cache.address': [ff02::1]:6379 is not IP:PORT or [IP6]:PORT of a host, or "
                   "empty (off)\n");
    assert_refused("shared_cache: {address: \":6379\", secret_file: none}\n",
                   "dns.yaml:1:25: 'shared_cache.address': :6379 is not IP:PORT or [IP6]:PORT of a host, or empty "
                   "(off); write \"127.0.0.1:6379\" for this machine\n");
}

static void entries_are_signed_unless_somebody_says_that_they_are_not(void **state)
{
    (void)state;
    assert_refused("workers: 1\nshared_cache: {address: \"10.0.0.6:6379\"}\n",
                   "dns.yaml:2:25: 'shared_cache.secret_file': is missing: a file with 64 hexadecimal digits by which "
                   "answers in the store are signed, or none where whoever writes to the store may decide what clients "
                   "get\n");
    struct outcome outcome = assert_accepted("shared_cache: {address: \"10.0.0.6:6379\", secret_file: none}\n");
    assert_string_equal(outcome.config.store.secret_file, STORE_UNSIGNED);
    outcome_done(&outcome);
}

static void what_does_nothing_alone_is_refused(void **state)
{
    (void)state;
    assert_refused("shared_cache: {address: \"10.0.0.6:6379\", secret_file: none, user: dns}\n",
                   "dns.yaml:1:67: 'shared_cache.user': does nothing without 'shared_cache.password_file'\n");
    assert_refused("shared_cache: {address: \"10.0.0.6:6379\", secret_file: none, ca_file: /ca.pem}\n",
                   "dns.yaml:1:70: 'shared_cache.ca_file': does nothing without 'shared_cache.tls_name'\n");
}

static void values_have_bounds_and_every_fault_is_named(void **state)
{
    (void)state;
    assert_refused(
        "shared_cache:\n"
        "  timeout: 2s\n"
        "  prefix: \"a b\"\n"
        "  user: \"b\\u00fcro\"\n"
        "  tls_name: 10.0.0.6\n"
        "  routes: perhaps\n"
        "  max_queued: 1KiB\n"
        "  secrets_file: none\n",
        "dns.yaml:2:12: 'shared_cache.timeout': 2s is out of range 1ms..1s\n"
        "dns.yaml:3:11: 'shared_cache.prefix': \"a b\" is not a text of printable ASCII characters without "
        "spaces\n"
        "dns.yaml:4:9: 'shared_cache.user': \"b\\xc3\\xbcro\" is not a text of printable ASCII characters without "
        "spaces\n"
        "dns.yaml:5:13: 'shared_cache.tls_name': 10.0.0.6 is not a DNS host name (an IP address is none)\n"
        "dns.yaml:6:11: 'shared_cache.routes': perhaps is not true or false\n"
        "dns.yaml:7:15: 'shared_cache.max_queued': 1KiB is out of range 128KiB..64MiB\n"
        "dns.yaml:8:3: 'shared_cache.secrets_file': unknown key; did you mean 'secret_file'?\n");
    assert_refused("shared_cache: {prefix: 0123456789012345678901234567890123456789012345678901234567890123x}\n",
                   "dns.yaml:1:24: 'shared_cache.prefix': "
                   "0123456789012345678901234567890123456789012345678901234567890123x is longer than 64 bytes\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_address_no_cache_is_shared),
        cmocka_unit_test(every_setting_reaches_its_option),
        cmocka_unit_test(the_store_is_a_host_by_its_address_and_port),
        cmocka_unit_test(entries_are_signed_unless_somebody_says_that_they_are_not),
        cmocka_unit_test(what_does_nothing_alone_is_refused),
        cmocka_unit_test(values_have_bounds_and_every_fault_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
