#include "shared/ratelimit.h"

#include "keys.h"

#define START_NS (1000 * RATELIMIT_WINDOW_NS)

static const struct ratelimit_options usual = {
    .queries_per_s = 20, .burst = 40, .ipv4_prefix = 32, .ipv6_prefix = 64, .max_clients = 65536};

static struct ratelimit *ratelimit_of(const struct ratelimit_options *options)
{
    struct ratelimit *ratelimit = ratelimit_new(options, &test_hash_key);
    assert_non_null(ratelimit);
    return ratelimit;
}

static uint32_t take(struct ratelimit *ratelimit, const char *client, uint32_t wanted, uint64_t now_ns)
{
    struct address address = address_of(client);
    return ratelimit_take(ratelimit, &address, wanted, now_ns);
}

static uint32_t take_number(struct ratelimit *ratelimit, uint32_t client, uint32_t wanted, uint64_t now_ns)
{
    struct address address = address_number(client);
    return ratelimit_take(ratelimit, &address, wanted, now_ns);
}

static void burst_then_the_rate(void **state)
{
    (void)state;
    struct ratelimit *ratelimit = ratelimit_of(&usual);
    uint32_t granted = 0;
    for (unsigned i = 0; i < 100; i++) granted += take(ratelimit, "192.0.2.1", 1, START_NS);
    assert_int_equal(granted, 40);
    assert_int_equal(take(ratelimit, "192.0.2.2", 1, START_NS), 1); /* another address is untouched */
    granted = 0;
    for (unsigned i = 0; i < 100; i++) granted += take(ratelimit, "192.0.2.1", 1, START_NS + NS_PER_S);
    assert_int_equal(granted, 20);
    assert_int_equal(take(ratelimit, "192.0.2.1", 100, START_NS + 60 * NS_PER_S), 40);
    ratelimit_free(ratelimit);
}

static void many_at_once_are_granted_as_far_as_they_go(void **state)
{
    (void)state;
    struct ratelimit *ratelimit = ratelimit_of(&usual);
    assert_int_equal(take(ratelimit, "192.0.2.1", 0, START_NS), 0);
    assert_int_equal(take(ratelimit, "192.0.2.1", 30, START_NS), 30);
    assert_int_equal(take(ratelimit, "192.0.2.1", 30, START_NS), 10);
    assert_int_equal(take(ratelimit, "192.0.2.1", UINT32_MAX, START_NS + NS_PER_S / 20), 1);
    ratelimit_free(ratelimit);
}

static void clients_of_a_prefix_share_a_bucket(void **state)
{
    (void)state;
    struct ratelimit_options options = usual;
    options.ipv4_prefix = 24;
    struct ratelimit *ratelimit = ratelimit_of(&options);
    assert_int_equal(take(ratelimit, "192.0.2.1", 40, START_NS), 40);
    assert_int_equal(take(ratelimit, "192.0.2.255", 1, START_NS), 0);
    assert_int_equal(take(ratelimit, "192.0.3.1", 1, START_NS), 1);
    assert_int_equal(take(ratelimit, "[2001:db8:1:2::1]", 40, START_NS), 40);
    assert_int_equal(take(ratelimit, "[2001:db8:1:2:ffff::1]", 1, START_NS), 0);
    assert_int_equal(take(ratelimit, "[2001:db8:1:3::1]", 1, START_NS), 1);
    ratelimit_free(ratelimit);
}

static void shortest_and_longest_prefixes(void **state)
{
    (void)state;
    struct ratelimit_options options = usual;
    options.ipv4_prefix = 0;
    options.ipv6_prefix = 0;
    struct ratelimit *ratelimit = ratelimit_of(&options);
    assert_int_equal(take(ratelimit, "192.0.2.1", 40, START_NS), 40);
    assert_int_equal(take(ratelimit, "1.1.1.1", 1, START_NS), 0);
    assert_int_equal(take(ratelimit, "[2001:db8::1]", 40, START_NS), 40); /* IPv4 is not a part of it */
    assert_int_equal(take(ratelimit, "[fe80::1]", 1, START_NS), 0);
    ratelimit_free(ratelimit);

    options.ipv6_prefix = 128;
    ratelimit = ratelimit_of(&options);
    assert_int_equal(take(ratelimit, "[2001:db8::1]", 40, START_NS), 40);
    assert_int_equal(take(ratelimit, "[2001:db8::2]", 40, START_NS), 40);
    ratelimit_free(ratelimit);
}

static void mapped_address_and_other_port_are_the_same_client(void **state)
{
    (void)state;
    struct ratelimit *ratelimit = ratelimit_of(&usual);
    assert_int_equal(take(ratelimit, "192.0.2.1:1000", 40, START_NS), 40);
    assert_int_equal(take(ratelimit, "[::ffff:192.0.2.1]:2000", 1, START_NS), 0);
    ratelimit_free(ratelimit);
}

static void without_a_limit_all_is_granted_and_counted(void **state)
{
    (void)state;
    struct ratelimit_options options = usual;
    options.queries_per_s = 0;
    struct ratelimit *ratelimit = ratelimit_of(&options);
    assert_int_equal(take(ratelimit, "192.0.2.1", 3000, START_NS), 3000);
    struct ratelimit_client client;
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_QUERIES, START_NS + RATELIMIT_WINDOW_NS, &client, 1), 1);
    assert_true(client.queries_per_s > 999 && client.queries_per_s < 1001);
    ratelimit_free(ratelimit);
}

static void time_that_goes_back_is_harmless(void **state)
{
    (void)state;
    struct ratelimit *ratelimit = ratelimit_of(&usual);
    assert_int_equal(take(ratelimit, "192.0.2.1", 40, START_NS), 40); /* the first moment of a window */
    assert_int_equal(take(ratelimit, "192.0.2.1", 1, START_NS - NS_PER_MS), 0);
    assert_int_equal(take(ratelimit, "192.0.2.1", 1, START_NS), 0);
    assert_int_equal(take(ratelimit, "192.0.2.1", 100, START_NS + NS_PER_S), 20);
    struct ratelimit_client client;
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_QUERIES, START_NS + RATELIMIT_WINDOW_NS, &client, 1), 1);
    assert_int_equal((unsigned)(client.queries_per_s * 3 + 0.5), 40 + 1 + 1 + 100);
    ratelimit_free(ratelimit);
}

static void idle_longest_is_closed(void **state)
{
    (void)state;
    struct ratelimit_options options = usual;
    options.max_clients = 100;
    struct ratelimit *ratelimit = ratelimit_of(&options);
    for (uint32_t i = 0; i < 100; i++) take_number(ratelimit, i, 40, START_NS + i);
    take_number(ratelimit, 0, 1, START_NS + 100); /* it is no longer the one */
    assert_int_equal(take_number(ratelimit, 1000, 1, START_NS + 101), 1);
    assert_int_equal(take_number(ratelimit, 0, 1, START_NS + 102), 0);
    for (uint32_t i = 2; i < 100; i++) assert_int_equal(take_number(ratelimit, i, 1, START_NS + 103), 0);
    assert_int_equal(take_number(ratelimit, 1, 1, START_NS + 104), 1); /* forgotten, and so full again */
    ratelimit_free(ratelimit);
}

static void bound_of_a_single_client_holds(void **state)
{
    (void)state;
    struct ratelimit_options options = usual;
    for (options.max_clients = 0; options.max_clients < 2; options.max_clients++) {
        struct ratelimit *ratelimit = ratelimit_of(&options);
        for (unsigned i = 0; i < 10; i++) {
            assert_int_equal(take(ratelimit, "192.0.2.1", 40, START_NS), 40);
            assert_int_equal(take(ratelimit, "192.0.2.1", 1, START_NS), 0);
            assert_int_equal(take(ratelimit, "192.0.2.2", 40, START_NS), 40); /* and the first is forgotten */
        }
        ratelimit_free(ratelimit);
    }
}

/* Far more addresses than there are buckets, in turn and over again. */
static void flood_of_addresses_finds_the_table_whole(void **state)
{
    (void)state;
    struct ratelimit_options options = usual;
    options.max_clients = 10000;
    struct ratelimit *ratelimit = ratelimit_of(&options);
    for (uint32_t round = 0; round < 3; round++)
        for (uint32_t i = 0; i < 100000; i++) assert_int_equal(take_number(ratelimit, i, 40, START_NS), 40);
    uint32_t remembered = 0;
    for (uint32_t i = 100000; i-- > 0;) remembered += take_number(ratelimit, i, 1, START_NS) == 0;
    assert_in_range(remembered, 5000, 10000); /* the newest of each stripe, until the first forgotten pushes them out */
    ratelimit_free(ratelimit);
}

static void busiest_are_listed_in_their_order(void **state)
{
    (void)state;
    struct ratelimit *ratelimit = ratelimit_of(&usual);
    for (uint32_t i = 1; i <= 1000; i++) take_number(ratelimit, i, (i * 37) % 1009, START_NS + i);
    struct ratelimit_client clients[10];
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_QUERIES, START_NS + RATELIMIT_WINDOW_NS, clients, 10), 10);
    for (unsigned i = 0; i < 10; i++) {
        uint32_t number = 1;
        double rate = clients[i].queries_per_s;
        while (memcmp(address_number(number).ip, clients[i].ip, 16) != 0) number++;
        assert_int_equal((unsigned)(rate * 3 + 0.5), (number * 37) % 1009);
        assert_true(i == 0 || rate <= clients[i - 1].queries_per_s);
        assert_true(rate * 3 >= 990);
    }
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_QUERIES, START_NS + RATELIMIT_WINDOW_NS, clients, 0), 0);
    ratelimit_free(ratelimit);
}

static void busy_is_who_asked_in_the_last_whole_window(void **state)
{
    (void)state;
    struct ratelimit *ratelimit = ratelimit_of(&usual);
    struct ratelimit_client clients[10];
    take(ratelimit, "192.0.2.1", 30, START_NS);
    take(ratelimit, "192.0.2.1", 30, START_NS + RATELIMIT_WINDOW_NS - 1);
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_QUERIES, START_NS + RATELIMIT_WINDOW_NS - 1, clients, 10),
                     0); /* not over yet */
    take(ratelimit, "192.0.2.1", 90, START_NS + RATELIMIT_WINDOW_NS);
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_QUERIES, START_NS + RATELIMIT_WINDOW_NS, clients, 10), 1);
    assert_int_equal((unsigned)(clients[0].queries_per_s + 0.5), 20);
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_QUERIES, START_NS + 2 * RATELIMIT_WINDOW_NS, clients, 10),
                     1);
    assert_int_equal((unsigned)(clients[0].queries_per_s + 0.5), 30);
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_QUERIES, START_NS + 3 * RATELIMIT_WINDOW_NS, clients, 10),
                     0);

    take(ratelimit, "192.0.2.1", 9,
         START_NS + 5 * RATELIMIT_WINDOW_NS); /* after a pause, the old figures are not its own */
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_QUERIES, START_NS + 5 * RATELIMIT_WINDOW_NS, clients, 10),
                     0);
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_QUERIES, 0, clients, 10), 0);
    ratelimit_free(ratelimit);
}

static void busiest_are_prefixes(void **state)
{
    (void)state;
    struct ratelimit_options options = usual;
    options.ipv4_prefix = 24;
    struct ratelimit *ratelimit = ratelimit_of(&options);
    take(ratelimit, "192.0.2.1", 3, START_NS);
    take(ratelimit, "192.0.2.2", 3, START_NS);
    struct ratelimit_client clients[10];
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_QUERIES, START_NS + RATELIMIT_WINDOW_NS, clients, 10), 1);
    assert_memory_equal(clients[0].ip, address_of("192.0.2.0").ip, 16);
    assert_int_equal((unsigned)(clients[0].queries_per_s + 0.5), 2);
    ratelimit_free(ratelimit);
}

static unsigned whole(double rate)
{
    return (unsigned)(rate + 0.5);
}

static void who_is_refused_most_is_listed_apart(void **state)
{
    (void)state;
    struct ratelimit *ratelimit = ratelimit_of(&usual);
    struct ratelimit_client clients[10];
    take(ratelimit, "192.0.2.1", 40, START_NS); /* the burst: asks much, and nothing is refused */
    take(ratelimit, "192.0.2.2", 70, START_NS);
    for (unsigned i = 0; i < 100; i++) take(ratelimit, "192.0.2.3", 1, START_NS);
    uint64_t over_ns = START_NS + RATELIMIT_WINDOW_NS;
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_REFUSED, over_ns, clients, 10), 2);
    assert_memory_equal(clients[0].ip, address_of("192.0.2.3").ip, 16);
    assert_int_equal(whole(clients[0].refused_per_s), 20);
    assert_int_equal(whole(clients[0].queries_per_s), 33);
    assert_memory_equal(clients[1].ip, address_of("192.0.2.2").ip, 16);
    assert_int_equal(whole(clients[1].refused_per_s), 10);
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_REFUSED, over_ns, clients, 1), 1);
    assert_memory_equal(clients[0].ip, address_of("192.0.2.3").ip, 16);
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_QUERIES, over_ns, clients, 10), 3);
    assert_int_equal(whole(clients[2].refused_per_s), 0);
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_REFUSED, over_ns + RATELIMIT_WINDOW_NS, clients, 10), 0);
    ratelimit_free(ratelimit);
}

static void nobody_is_refused_without_a_limit(void **state)
{
    (void)state;
    struct ratelimit_options options = usual;
    options.queries_per_s = 0;
    struct ratelimit *ratelimit = ratelimit_of(&options);
    struct ratelimit_client clients[10];
    take(ratelimit, "192.0.2.1", 100000, START_NS);
    assert_int_equal(ratelimit_list(ratelimit, RATELIMIT_BY_REFUSED, START_NS + RATELIMIT_WINDOW_NS, clients, 10), 0);
    ratelimit_free(ratelimit);
}

static void limits_can_be_changed(void **state)
{
    (void)state;
    struct ratelimit_options options = usual;
    struct ratelimit *ratelimit = ratelimit_of(&options);
    assert_int_equal(take(ratelimit, "192.0.2.1", 10, START_NS), 10);
    options.burst = 5;
    ratelimit_set_options(ratelimit, &options);
    assert_int_equal(take(ratelimit, "192.0.2.1", 100, START_NS), 5); /* of the 30 it had */
    options.burst = 1000;
    options.queries_per_s = 100;
    ratelimit_set_options(ratelimit, &options);
    assert_int_equal(take(ratelimit, "192.0.2.1", 1000, START_NS), 0);
    assert_int_equal(take(ratelimit, "192.0.2.1", 1000, START_NS + NS_PER_S), 100);
    options.ipv4_prefix = 24;
    ratelimit_set_options(ratelimit, &options);
    assert_int_equal(take(ratelimit, "192.0.2.1", 1, START_NS + NS_PER_S), 1);
    options.burst = 0;
    ratelimit_set_options(ratelimit, &options);
    assert_int_equal(take(ratelimit, "192.0.2.77", 5, START_NS + 9 * NS_PER_S), 1); /* as little as can be */
    options.queries_per_s = 0;
    ratelimit_set_options(ratelimit, &options);
    assert_int_equal(take(ratelimit, "192.0.2.77", 5, START_NS + 9 * NS_PER_S), 5);
    ratelimit_free(ratelimit);
    ratelimit_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(burst_then_the_rate),
        cmocka_unit_test(many_at_once_are_granted_as_far_as_they_go),
        cmocka_unit_test(clients_of_a_prefix_share_a_bucket),
        cmocka_unit_test(shortest_and_longest_prefixes),
        cmocka_unit_test(mapped_address_and_other_port_are_the_same_client),
        cmocka_unit_test(without_a_limit_all_is_granted_and_counted),
        cmocka_unit_test(time_that_goes_back_is_harmless),
        cmocka_unit_test(idle_longest_is_closed),
        cmocka_unit_test(bound_of_a_single_client_holds),
        cmocka_unit_test(flood_of_addresses_finds_the_table_whole),
        cmocka_unit_test(busiest_are_listed_in_their_order),
        cmocka_unit_test(busy_is_who_asked_in_the_last_whole_window),
        cmocka_unit_test(busiest_are_prefixes),
        cmocka_unit_test(who_is_refused_most_is_listed_apart),
        cmocka_unit_test(nobody_is_refused_without_a_limit),
        cmocka_unit_test(limits_can_be_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
