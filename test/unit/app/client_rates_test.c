/* client_rates: who asks most, of clients whose address is their own; and who is refused most, of all. */
#include "app/client_rates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define START_NS (1000 * RATELIMIT_WINDOW_NS)

static const struct hash_key key = {1, 2};

struct world {
    struct ratelimit *verified;
    struct ratelimit *udp;
    struct ratelimit_client clients[CLIENT_RATES_MAX];
};

static void make(struct world *world)
{
    static const struct ratelimit_options options = {
        .queries_per_s = 100, .burst = 30, .ipv4_prefix = 32, .ipv6_prefix = 64, .max_clients = 4096};
    world->verified = ratelimit_new(&options, &key);
    world->udp = ratelimit_new(&options, &key);
    assert_true(world->verified && world->udp);
}

static void done(struct world *world)
{
    ratelimit_free(world->verified);
    ratelimit_free(world->udp);
}

static void ask(struct ratelimit *ratelimit, const char *who, unsigned queries)
{
    struct address client;
    assert_true(address_parse(who, 1, &client));
    ratelimit_take(ratelimit, &client, queries, START_NS);
}

static size_t list(struct world *world, enum ratelimit_order order, size_t max)
{
    return client_rates_list(world->verified, world->udp, order, START_NS + RATELIMIT_WINDOW_NS, world->clients, max);
}

static bool is(const struct ratelimit_client *client, const char *who, double queries, double refused)
{
    struct address address;
    assert_true(address_parse(who, 1, &address));
    double window_s = (double)RATELIMIT_WINDOW_NS / 1e9;
    return memcmp(client->ip, address.ip, 16) == 0 && (int)(client->queries_per_s * window_s + 0.5) == (int)queries &&
           (int)(client->refused_per_s * window_s + 0.5) == (int)refused;
}

static void both_transports_are_added_up(void **state)
{
    (void)state;
    struct world world;
    make(&world);
    ask(world.verified, "192.0.2.1", 50); /* 20 refused */
    ask(world.udp, "192.0.2.1", 40);      /* 10 refused */
    ask(world.verified, "192.0.2.2", 80); /* 50 refused */
    ask(world.udp, "192.0.2.3", 25);
    assert_int_equal(list(&world, RATELIMIT_BY_QUERIES, 10), 2); /* of whom it is sure that they ask */
    assert_true(is(&world.clients[0], "192.0.2.2", 80, 50));
    assert_true(is(&world.clients[1], "192.0.2.1", 50, 20));
    assert_int_equal(list(&world, RATELIMIT_BY_REFUSED, 10), 2);
    assert_true(is(&world.clients[0], "192.0.2.2", 80, 50));
    assert_true(is(&world.clients[1], "192.0.2.1", 90, 30));
    done(&world);
}

static void a_flood_over_udp_alone_is_seen(void **state)
{
    (void)state;
    struct world world;
    make(&world);
    ask(world.udp, "192.0.2.9", 1000);
    assert_int_equal(list(&world, RATELIMIT_BY_REFUSED, 10), 1);
    assert_true(is(&world.clients[0], "192.0.2.9", 1000, 970));
    done(&world);
}

static void never_more_than_wanted(void **state)
{
    (void)state;
    struct world world;
    make(&world);
    for (unsigned i = 0; i < 250; i++) {
        char who[32];
        snprintf(who, sizeof who, "10.0.0.%u", i);
        ask(i % 2 ? world.udp : world.verified, who, 31 + i);
    }
    assert_int_equal(list(&world, RATELIMIT_BY_REFUSED, 10), 10);
    assert_true(is(&world.clients[0], "10.0.0.249", 280, 250));
    assert_true(is(&world.clients[9], "10.0.0.240", 271, 241));
    assert_int_equal(list(&world, RATELIMIT_BY_QUERIES, CLIENT_RATES_MAX), CLIENT_RATES_MAX);
    assert_int_equal(list(&world, RATELIMIT_BY_QUERIES, 0), 0);
    done(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_transports_are_added_up),
        cmocka_unit_test(a_flood_over_udp_alone_is_seen),
        cmocka_unit_test(never_more_than_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
