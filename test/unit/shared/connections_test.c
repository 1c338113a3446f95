#include "shared/connections.h"

#include "common/random.h"
#include "keys.h"

#define START_NS (100 * NS_PER_S)

static const struct connections_options usual = {
    .max_connections = 100, .max_per_address = 10, .new_per_s = 0, .ipv4_prefix = 32, .ipv6_prefix = 64};

enum { IPV4_BITS = 128 }; /* what an IPv4 address is counted for with the usual options */

static struct connections *connections_of(const struct connections_options *options)
{
    struct connections *connections = connections_new(options, &test_hash_key);
    assert_non_null(connections);
    return connections;
}

static enum connections_verdict admit(struct connections *connections, uint32_t client, uint64_t now_ns)
{
    struct address address = address_number(client);
    uint8_t bits = 0;
    enum connections_verdict verdict = connections_admit(connections, &address, now_ns, &bits);
    if (verdict == CONNECTIONS_ADMITTED) assert_int_equal(bits, IPV4_BITS);
    return verdict;
}

static void release(struct connections *connections, uint32_t client)
{
    struct address address = address_number(client);
    connections_release(connections, &address, IPV4_BITS);
}

/* How many connections of an address are admitted at once; all are released again. */
static unsigned admitted_at_once(struct connections *connections, uint32_t client, uint64_t now_ns)
{
    unsigned count = 0;
    while (count < 100 && admit(connections, client, now_ns) == CONNECTIONS_ADMITTED) count++;
    for (unsigned i = 0; i < count; i++) release(connections, client);
    return count;
}

static void address_has_so_many_and_no_more(void **state)
{
    (void)state;
    struct connections *connections = connections_of(&usual);
    for (unsigned i = 0; i < 10; i++) assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_ADMITTED);
    assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_ADDRESS);
    assert_int_equal(admit(connections, 2, START_NS), CONNECTIONS_ADMITTED);
    assert_int_equal(connections_count(connections), 11);
    release(connections, 1);
    assert_int_equal(connections_count(connections), 10);
    assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_ADMITTED);
    assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_ADDRESS);
    connections_free(connections);
    connections_free(NULL);
}

static void ports_of_an_address_count_together(void **state)
{
    (void)state;
    struct connections *connections = connections_of(&usual);
    struct address address = address_of("192.0.2.1");
    uint8_t bits;
    for (unsigned i = 0; i < 10; i++) {
        address.port = (uint16_t)(2000 + i);
        assert_int_equal(connections_admit(connections, &address, START_NS, &bits), CONNECTIONS_ADMITTED);
    }
    address = address_of("[::ffff:192.0.2.1]:53");
    assert_int_equal(connections_admit(connections, &address, START_NS, &bits), CONNECTIONS_ADDRESS);
    connections_release(connections, &address, IPV4_BITS);
    assert_int_equal(connections_admit(connections, &address, START_NS, &bits), CONNECTIONS_ADMITTED);
    connections_free(connections);
}

static void all_together_are_bounded(void **state)
{
    (void)state;
    struct connections *connections = connections_of(&usual);
    for (uint32_t i = 0; i < 100; i++) assert_int_equal(admit(connections, i, START_NS), CONNECTIONS_ADMITTED);
    assert_int_equal(admit(connections, 100, START_NS), CONNECTIONS_FULL);
    assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_FULL);
    release(connections, 50);
    assert_int_equal(admit(connections, 100, START_NS), CONNECTIONS_ADMITTED);
    assert_int_equal(admit(connections, 101, START_NS), CONNECTIONS_FULL);
    connections_free(connections);
}

static void new_ones_are_limited_in_rate(void **state)
{
    (void)state;
    struct connections_options options = usual;
    options.new_per_s = 3;
    struct connections *connections = connections_of(&options);
    assert_int_equal(admitted_at_once(connections, 1, START_NS), 6); /* a burst of twice the rate */
    assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_RATE);
    assert_int_equal(admitted_at_once(connections, 2, START_NS), 6);
    assert_int_equal(admitted_at_once(connections, 1, START_NS + NS_PER_S), 3);
    assert_int_equal(admitted_at_once(connections, 1, START_NS + NS_PER_S / 2), 0); /* time goes back: nothing */
    assert_int_equal(admitted_at_once(connections, 1, START_NS + 60 * NS_PER_S), 6);
    connections_free(connections);
}

static void rate_is_remembered_without_a_connection(void **state)
{
    (void)state;
    struct connections_options options = usual;
    options.new_per_s = 3;
    struct connections *connections = connections_of(&options);
    assert_int_equal(admitted_at_once(connections, 1, START_NS), 6);
    for (uint32_t i = 2; i < 90; i++) admitted_at_once(connections, i, START_NS + i);
    assert_int_equal(admit(connections, 1, START_NS + NS_PER_S / 4), CONNECTIONS_RATE);
    connections_free(connections);
}

/* Memory is bounded: of addresses that hold nothing, so many are remembered as may be connected, the latest. */
static void oldest_rates_are_forgotten_first(void **state)
{
    (void)state;
    struct connections_options options = usual;
    options.new_per_s = 3;
    struct connections *connections = connections_of(&options);
    for (uint32_t i = 0; i < 150; i++) assert_int_equal(admitted_at_once(connections, i, START_NS), 6);
    for (uint32_t i = 50; i < 150; i++) assert_int_equal(admit(connections, i, START_NS), CONNECTIONS_RATE);
    assert_int_equal(admit(connections, 49, START_NS), CONNECTIONS_ADMITTED); /* in the place of 50 */
    assert_int_equal(admit(connections, 51, START_NS), CONNECTIONS_RATE);
    assert_int_equal(admit(connections, 50, START_NS), CONNECTIONS_ADMITTED);
    connections_free(connections);
}

/* The same where those remembered become too many because others let go, or because the bound came down. */
static void rates_are_forgotten_when_others_become_idle(void **state)
{
    (void)state;
    struct connections_options options = usual;
    options.new_per_s = 3;
    struct connections *connections = connections_of(&options);
    for (uint32_t i = 200; i < 250; i++) admit(connections, i, START_NS);
    for (uint32_t i = 0; i < 100; i++) assert_int_equal(admitted_at_once(connections, i, START_NS), 6);
    for (uint32_t i = 200; i < 250; i++) release(connections, i);
    for (uint32_t i = 50; i < 100; i++) assert_int_equal(admit(connections, i, START_NS), CONNECTIONS_RATE);
    assert_int_equal(admitted_at_once(connections, 49, START_NS), 6);
    options.max_connections = 20;
    connections_set_options(connections, &options);
    assert_int_equal(admit(connections, 49, START_NS), CONNECTIONS_RATE); /* the latest */
    assert_int_equal(admit(connections, 99, START_NS), CONNECTIONS_ADMITTED);
    connections_free(connections);
}

static void counts_are_never_forgotten(void **state)
{
    (void)state;
    struct connections_options options = usual;
    options.new_per_s = 1000;
    struct connections *connections = connections_of(&options);
    for (unsigned i = 0; i < 10; i++) admit(connections, 1, START_NS);
    for (uint32_t i = 2; i < 5000; i++) admitted_at_once(connections, i, START_NS + i);
    assert_int_equal(admit(connections, 1, START_NS + 5000), CONNECTIONS_ADDRESS);
    assert_int_equal(connections_count(connections), 10);
    connections_free(connections);
}

static void what_is_refused_does_not_count_against_the_rate(void **state)
{
    (void)state;
    struct connections_options options = {
        .max_connections = 4, .max_per_address = 2, .new_per_s = 2, .ipv4_prefix = 32};
    struct connections *connections = connections_of(&options);
    assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_ADMITTED);
    assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_ADMITTED);
    for (unsigned i = 0; i < 10; i++) assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_ADDRESS);
    assert_int_equal(admit(connections, 2, START_NS), CONNECTIONS_ADMITTED);
    assert_int_equal(admit(connections, 3, START_NS), CONNECTIONS_ADMITTED);
    release(connections, 1);
    assert_int_equal(admit(connections, 4, START_NS), CONNECTIONS_ADMITTED);
    for (unsigned i = 0; i < 10; i++) assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_FULL);
    release(connections, 4);
    assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_ADMITTED); /* the third of its burst of four */
    release(connections, 1);
    assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_ADMITTED);
    release(connections, 1);
    assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_RATE);
    connections_free(connections);
}

static void nobody_is_admitted_where_nobody_may_be(void **state)
{
    (void)state;
    struct connections *connections =
        connections_of(&(struct connections_options){.max_connections = 0, .max_per_address = 10, .ipv4_prefix = 32});
    assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_FULL);
    connections_free(connections);
    connections =
        connections_of(&(struct connections_options){.max_connections = 10, .max_per_address = 0, .ipv4_prefix = 32});
    for (uint32_t i = 0; i < 100; i++) assert_int_equal(admit(connections, i, START_NS), CONNECTIONS_ADDRESS);
    connections_free(connections);
}

/* How many of `count` addresses are admitted that differ in a number between `head` and `tail`. */
static unsigned admitted_of(struct connections *connections, const char *head, const char *tail, unsigned count)
{
    unsigned admitted = 0;
    for (unsigned i = 0; i < count; i++) {
        char text[64];
        uint8_t bits;
        snprintf(text, sizeof text, "%s%u%s", head, i, tail);
        struct address address = address_of(text);
        admitted += connections_admit(connections, &address, START_NS, &bits) == CONNECTIONS_ADMITTED;
    }
    return admitted;
}

static void a_network_is_one_client(void **state)
{
    (void)state;
    struct connections_options options = usual;
    struct connections *connections = connections_of(&options);
    assert_int_equal(admitted_of(connections, "2001:db8::", "", 20), 10);
    assert_int_equal(admitted_of(connections, "2001:db8:0:0:", "::1", 20), 0);
    assert_int_equal(admitted_of(connections, "2001:db8:0:1::", "", 20), 10); /* the next /64 */
    assert_int_equal(admitted_of(connections, "192.0.2.", "", 20), 20);       /* of IPv4 each address */
    connections_free(connections);
    options.ipv4_prefix = 24;
    options.ipv6_prefix = 128;
    connections = connections_of(&options);
    assert_int_equal(admitted_of(connections, "192.0.2.", "", 20), 10);
    assert_int_equal(admitted_of(connections, "::ffff:192.0.2.", "", 20), 0); /* IPv4-mapped is IPv4 */
    assert_int_equal(admitted_of(connections, "2001:db8::", "", 20), 20);
    connections_free(connections);
    options.ipv4_prefix = options.ipv6_prefix = 0;
    connections = connections_of(&options);
    assert_int_equal(admitted_of(connections, "", ".0.2.1", 20), 10);
    assert_int_equal(admitted_of(connections, "2001:", "::", 20), 10);
    connections_free(connections);
}

/* A reload changes the prefixes: what is held is counted anew, and what is left of the former count goes. */
static void connections_are_counted_again_for_other_prefixes(void **state)
{
    (void)state;
    struct connections_options options = usual;
    struct connections *connections = connections_of(&options);
    struct address held[8];
    uint8_t bits[8];
    for (unsigned i = 0; i < 8; i++) {
        char text[64];
        snprintf(text, sizeof text, "192.0.2.%u", i);
        held[i] = address_of(text);
        assert_int_equal(connections_admit(connections, &held[i], START_NS, &bits[i]), CONNECTIONS_ADMITTED);
    }
    options.ipv4_prefix = 24;
    connections_set_options(connections, &options);
    for (unsigned i = 0; i < 8; i++) {
        connections_recount(connections, &held[i], &bits[i]);
        assert_int_equal(bits[i], 96 + 24);
    }
    assert_int_equal(connections_count(connections), 8);
    assert_int_equal(admitted_of(connections, "192.0.2.", "", 5), 2); /* ten in all */
    options.ipv4_prefix = 32;
    connections_set_options(connections, &options);
    for (unsigned i = 0; i < 7; i++) connections_recount(connections, &held[i], &bits[i]);
    assert_int_equal(bits[0], IPV4_BITS);
    assert_int_equal(bits[7], 96 + 24); /* one that was on its way to its worker is released as it was counted */
    for (unsigned i = 0; i < 8; i++) connections_release(connections, &held[i], bits[i]);
    assert_int_equal(connections_count(connections), 2);
    assert_int_equal(admitted_of(connections, "192.0.2.", "", 1), 1);
    connections_free(connections);
}

static void a_table_grows_with_its_bound(void **state)
{
    (void)state;
    struct connections_options options = usual;
    options.max_connections = 2;
    struct connections *connections = connections_of(&options);
    admit(connections, 1, START_NS);
    admit(connections, 2, START_NS);
    options.max_connections = 5000;
    options.max_per_address = 2;
    connections_set_options(connections, &options);
    for (uint32_t i = 3; i < 5000; i++) assert_int_equal(admit(connections, i, START_NS), CONNECTIONS_ADMITTED);
    assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_ADMITTED);
    assert_int_equal(admit(connections, 1, START_NS), CONNECTIONS_ADDRESS); /* its first is still known */
    for (uint32_t i = 1; i < 5000; i++) release(connections, i);
    release(connections, 1);
    assert_int_equal(connections_count(connections), 0);
    connections_free(connections);
}

static void limits_can_be_changed_under_way(void **state)
{
    (void)state;
    struct connections_options options = usual;
    options.new_per_s = 1000;
    struct connections *connections = connections_of(&options);
    for (uint32_t i = 0; i < 50; i++) admit(connections, i, START_NS);
    for (uint32_t i = 50; i < 150; i++) admitted_at_once(connections, i, START_NS);
    options = (struct connections_options){.max_connections = 20, .max_per_address = 1, .ipv4_prefix = 32};
    connections_set_options(connections, &options);
    assert_int_equal(connections_count(connections), 50); /* what is admitted stays */
    assert_int_equal(admit(connections, 200, START_NS), CONNECTIONS_FULL);
    for (uint32_t i = 0; i < 31; i++) release(connections, i);
    assert_int_equal(admit(connections, 49, START_NS), CONNECTIONS_ADDRESS);
    assert_int_equal(admit(connections, 200, START_NS), CONNECTIONS_ADMITTED);
    assert_int_equal(admit(connections, 201, START_NS), CONNECTIONS_FULL);
    options.max_connections = 10000;
    connections_set_options(connections, &options);
    for (uint32_t i = 1000; i < 10000; i++) assert_int_equal(admit(connections, i, START_NS), CONNECTIONS_ADMITTED);
    for (uint32_t i = 1000; i < 10000; i++) release(connections, i);
    for (uint32_t i = 31; i < 50; i++) release(connections, i);
    release(connections, 200);
    assert_int_equal(connections_count(connections), 0);
    connections_free(connections);
}

/* Addresses come and go at random; a plain array of counts knows better than any cleverness. */
static void counts_agree_with_plain_counting(void **state)
{
    (void)state;
    enum { ADDRESSES = 300 };
    struct connections *connections = connections_of(&usual);
    struct random random = {6};
    unsigned held[ADDRESSES] = {0};
    unsigned all = 0;
    for (unsigned step = 0; step < 200000; step++) {
        uint32_t client = (uint32_t)(random_next(&random) % ADDRESSES);
        if (random_next(&random) % 2) {
            enum connections_verdict expected = held[client] == 10 ? CONNECTIONS_ADDRESS
                                                : all == 100       ? CONNECTIONS_FULL
                                                                   : CONNECTIONS_ADMITTED;
            assert_int_equal(admit(connections, client, START_NS + step), expected);
            held[client] += expected == CONNECTIONS_ADMITTED;
            all += expected == CONNECTIONS_ADMITTED;
        } else if (held[client] > 0) {
            release(connections, client);
            all--;
            held[client]--;
        }
        assert_int_equal(connections_count(connections), all);
    }
    connections_free(connections);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_has_so_many_and_no_more),
        cmocka_unit_test(ports_of_an_address_count_together),
        cmocka_unit_test(all_together_are_bounded),
        cmocka_unit_test(new_ones_are_limited_in_rate),
        cmocka_unit_test(rate_is_remembered_without_a_connection),
        cmocka_unit_test(oldest_rates_are_forgotten_first),
        cmocka_unit_test(rates_are_forgotten_when_others_become_idle),
        cmocka_unit_test(counts_are_never_forgotten),
        cmocka_unit_test(what_is_refused_does_not_count_against_the_rate),
        cmocka_unit_test(nobody_is_admitted_where_nobody_may_be),
        cmocka_unit_test(a_network_is_one_client),
        cmocka_unit_test(connections_are_counted_again_for_other_prefixes),
        cmocka_unit_test(a_table_grows_with_its_bound),
        cmocka_unit_test(limits_can_be_changed_under_way),
        cmocka_unit_test(counts_agree_with_plain_counting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
