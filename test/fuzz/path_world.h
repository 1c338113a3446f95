/* path_world: a worker's parts for one input: the real clients, forwarder, cache and limits, but no thread, a clock
 * that stands until it is told, and an upstream that does what the input says. It takes the place of clock.c and pool.c
 * at link time. */
#ifndef PATH_WORLD_H
#define PATH_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clients/tcp_client.h"
#include "clients/tcp_clients.h"
#include "common/clock.h"
#include "need.h"
#include "queries/forwarder.h"
#include "queries/prefetch.h"

enum { ASKED_MAX = 64, CONNECTIONS_MAX = 32, MAX_QUERY_BYTES = 512, MAX_UNSENT_BYTES = 128 * 1024 };

static struct world {
    uint64_t now_ns;
    struct loop loop;
    struct buffers buffers;
    struct tcp_clients clients;
    struct forwarder forwarder;
    struct prefetch prefetch;
    struct shared_tables shared;
    struct purges purges;
    struct connections *connections;
    struct busiest *busiest;
    struct counters *counters;
    atomic_uint load;
    uint8_t *scratch; /* kept from one input to the next */

    struct exchange *asked[ASKED_MAX]; /* on their way upstream */
    unsigned asked_count;
    bool down;
    uint8_t *answer; /* ANSWER_BYTES_MAX; kept, too */

    void (*end_reply)(const struct requester *requester, size_t size); /* the clients' own */
    uint64_t begun;                                                    /* queries handed over, */
    uint64_t ended;                                                    /* and those that ended */
} world;

/* ---- the clock ---- */

uint64_t clock_now_ns(void)
{
    return world.now_ns;
}

int64_t clock_wall_s(void)
{
    return (int64_t)(world.now_ns / NS_PER_S);
}

uint64_t clock_wall_ns(void)
{
    return (uint64_t)clock_wall_s() * NS_PER_S;
}

uint64_t clock_monotonic_us(void)
{
    return world.now_ns / NS_PER_US;
}

/* ---- upstream ---- */

void pool_submit(struct pool *pool, struct exchange *exchange, uint64_t now_ns)
{
    (void)pool;
    need(now_ns == world.now_ns && world.asked_count < ASKED_MAX);
    world.asked[world.asked_count++] = exchange;
}

static inline struct exchange *world_take_asked(unsigned n)
{
    struct exchange *exchange = world.asked[n];
    world.asked[n] = world.asked[--world.asked_count];
    return exchange;
}

void pool_promote(struct pool *pool, struct exchange *exchange)
{
    (void)pool;
    exchange->light = true;
}

void pool_cancel(struct exchange *exchange)
{
    for (unsigned i = 0; i < world.asked_count; i++)
        if (world.asked[i] == exchange) world_take_asked(i--);
}

const char *pool_error(const struct pool *pool)
{
    (void)pool;
    return NULL;
}

bool pool_is_down(const struct pool *pool)
{
    (void)pool;
    return world.down;
}

/* The n-th question ends, without an answer or with that message, which may be none. */
static inline void world_fail(unsigned n, enum exchange_result result)
{
    struct exchange *exchange = world_take_asked(n);
    exchange->on_done(exchange, result, NULL);
}

static inline void world_answer(unsigned n, const uint8_t *message, size_t size)
{
    struct answer answer;
    if (answer_parse(message, size, &world.asked[n]->key, world.answer, &answer) != ANSWER_GOOD) {
        world_fail(n, EXCHANGE_FAULTY);
        return;
    }
    struct exchange *exchange = world_take_asked(n);
    exchange->on_done(exchange, EXCHANGE_ANSWERED, &answer);
}

/* ---- the worker ---- */

/* Every query ends once: never more often than it began, and for a client that is there it is its own that ends. */
static inline void end_reply(const struct requester *requester, size_t size)
{
    struct client_slot *slot = slots_find(&world.clients.slots, requester->client);
    need(!slot || slot->client->in_flight > 0);
    need(++world.ended <= world.begun);
    world.end_reply(requester, size);
}

static inline void on_message(struct tcp_clients *clients, const struct requester *requester,
                              const struct client_message *message)
{
    (void)clients;
    world.begun++;
    forwarder_handle(&world.forwarder, requester, message);
}

static inline void read_ahead(struct tcp_clients *clients, struct client_message *messages, unsigned count)
{
    (void)clients;
    forwarder_read_ahead(&world.forwarder, messages, count);
}

/* Connections closed by the proxy, for whatever cause. */
static inline uint64_t world_closed(void)
{
    uint64_t closed = 0;
    for (unsigned i = 0; i < LABEL_CLOSED_COUNT; i++) closed += counter_read(&world.counters->client_closed[i][0]);
    return closed;
}

static inline void world_turn(void)
{
    loop_turn(&world.loop, 0);
    prefetch_tick(&world.prefetch, world.now_ns);
    forwarder_tick(&world.forwarder, world.now_ns);
    tcp_clients_tick(&world.clients, world.now_ns);
    forwarder_end_messages(&world.forwarder);
    need(world.forwarder.last_client.in_hand == 0);
}

/* ---- life ---- */

struct world_options {
    struct tcp_client_options client;
    struct forwarder_options forwarder;
    struct cache_options cache;
    struct ratelimit_options ratelimit;
    const char *allowed; /* who may ask: a prefix */
};

static inline void world_begin_tables(const struct world_options *options)
{
    const struct topnames_options topnames = {.top = 8, .half_life_ns = 6 * 3600 * NS_PER_S};
    const struct connections_options connections = {
        .max_connections = CONNECTIONS_MAX, .max_per_address = CONNECTIONS_MAX, .ipv4_prefix = 32, .ipv6_prefix = 64};
    world.shared.hash_key = (struct hash_key){1, 2};
    purges_init(&world.purges);
    world.shared.purges = &world.purges;
    world.shared.cache = cache_new(&options->cache);
    world.shared.topnames = topnames_new(&topnames);
    world.shared.ratelimit = ratelimit_new(&options->ratelimit, &world.shared.hash_key);
    world.connections = connections_new(&connections, &world.shared.hash_key);
    world.busiest = busiest_new();
    world.counters = counters_new();
    need(world.shared.cache && world.shared.topnames && world.shared.ratelimit && world.connections);
    need(world.busiest && world.counters && world.scratch && world.answer);
}

static inline void set_access(const char *allowed)
{
    struct prefix prefix;
    need(prefix_parse(allowed, &prefix));
    struct access_list *access = access_new(&prefix, 1);
    need(access);
    tcp_clients_set_access(&world.clients, access);
    access_free(access);
}

static inline void world_begin(const struct world_options *options)
{
    uint8_t *scratch = world.scratch ? world.scratch : malloc(CLIENT_SCRATCH_BYTES);
    uint8_t *answer = world.answer ? world.answer : malloc(ANSWER_BYTES_MAX);
    world = (struct world){.now_ns = 1000 * NS_PER_S, .scratch = scratch, .answer = answer};
    world_begin_tables(options);
    buffers_init(&world.buffers);
    need(loop_init(&world.loop));
    const struct tcp_clients_deps place = {
        .loop = &world.loop,
        .buffers = &world.buffers,
        .counters = world.counters,
        .connections = world.connections,
        .busiest = world.busiest,
        .load = &world.load,
        .scratch = world.scratch,
    };
    need(tcp_clients_init(&world.clients, &options->client, &place));
    set_access(options->allowed);
    world.clients.read_ahead = read_ahead;
    world.clients.on_message = on_message;
    world.end_reply = world.clients.transport.end_reply;
    world.clients.transport.end_reply = end_reply;
    need(forwarder_init(&world.forwarder, &options->forwarder, &world.shared, NULL, world.counters, &world.loop));
    prefetch_init(&world.prefetch, &world.forwarder, 0, 1);
}

static inline void world_end(void)
{
    forwarder_done(&world.forwarder);
    need(world.asked_count == 0);
    tcp_clients_done(&world.clients);
    need(world.load == 0 && connections_count(world.connections) == 0);
    loop_done(&world.loop);
    buffers_done(&world.buffers);
    purges_done(&world.purges);
    cache_free(world.shared.cache);
    topnames_free(world.shared.topnames);
    ratelimit_free(world.shared.ratelimit);
    connections_free(world.connections);
    busiest_free(world.busiest);
    counters_free(world.counters);
}

#endif
