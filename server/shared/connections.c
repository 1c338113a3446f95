#include "shared/connections.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/list.h"
#include "shared/reserve.h"
#include "shared/tokens.h"

/* An address that holds connections, or did lately. */
struct peer {
    struct list idle; /* in connections.idle while it holds none */
    struct peer *next;
    uint8_t ip[16];
    struct tokens tokens;
    uint32_t hash;
    uint32_t held;
};

struct connections {
    pthread_mutex_t lock; /* of the rest, but for hash_key, chain_mask, and reading `count` */
    struct connections_options options;
    struct hash_key hash_key;
    struct peer **chains;
    uint32_t chain_mask;
    uint32_t idle_count;
    struct list idle; /* peers that hold none, idle longest first */
    _Atomic uint32_t count;
};

static size_t chains_bytes(const struct connections *connections)
{
    return ((size_t)connections->chain_mask + 1) * sizeof *connections->chains;
}

struct connections *connections_new(const struct connections_options *options, const struct hash_key *hash_key)
{
    struct connections *connections = calloc(1, sizeof *connections);
    if (!connections) return NULL;
    while (connections->chain_mask < options->max_connections)
        connections->chain_mask = connections->chain_mask << 1 | 1;
    connections->chains = reserve_new(chains_bytes(connections));
    if (!connections->chains) {
        free(connections);
        return NULL;
    }
    pthread_mutex_init(&connections->lock, NULL);
    connections->options = *options;
    connections->hash_key = *hash_key;
    list_init(&connections->idle);
    return connections;
}

void connections_free(struct connections *connections)
{
    if (!connections) return;
    for (size_t i = 0; i <= connections->chain_mask; i++)
        while (connections->chains[i]) {
            struct peer *peer = connections->chains[i];
            connections->chains[i] = peer->next;
            free(peer);
        }
    pthread_mutex_destroy(&connections->lock);
    reserve_free(connections->chains, chains_bytes(connections));
    free(connections);
}

static uint32_t hash_of(const struct connections *connections, const struct address *client)
{
    return (uint32_t)hash_bytes(&connections->hash_key, client->ip, sizeof client->ip);
}

/* Where the link to the address's peer is, or to NULL. */
static struct peer **find(const struct connections *connections, const uint8_t ip[static 16], uint32_t hash)
{
    struct peer **link = &connections->chains[hash & connections->chain_mask];
    while (*link && memcmp((*link)->ip, ip, sizeof(*link)->ip) != 0) link = &(*link)->next;
    return link;
}

static void idle_add(struct connections *connections, struct peer *peer)
{
    list_push(&connections->idle, &peer->idle);
    connections->idle_count++;
}

static void idle_remove(struct connections *connections, struct peer *peer)
{
    list_remove(&peer->idle);
    connections->idle_count--;
}

/* Where idle_count is not 0. */
static struct peer *idlest(const struct connections *connections)
{
    return container_of(connections->idle.next, struct peer, idle);
}

/* Takes the peer idle longest out of everything; the caller's now. There is one. */
static struct peer *forget(struct connections *connections)
{
    struct peer *peer = idlest(connections);
    idle_remove(connections, peer);
    *find(connections, peer->ip, peer->hash) = peer->next;
    return peer;
}

static uint32_t burst_of(const struct connections_options *options)
{
    return options->new_per_s <= UINT32_MAX / 2 ? 2 * options->new_per_s : UINT32_MAX;
}

static void refill(const struct connections *connections, struct peer *peer, uint64_t now_ns)
{
    tokens_refill(&peer->tokens, connections->options.new_per_s, burst_of(&connections->options), now_ns);
}

/* Whether the peer idle longest may be forgotten: it would be treated as new, or there are as many as may be. */
static bool has_forgettable(struct connections *connections, uint64_t now_ns)
{
    if (connections->idle_count == 0) return false;
    if (connections->idle_count >= connections->options.max_connections) return true;
    struct peer *peer = idlest(connections);
    refill(connections, peer, now_ns);
    return peer->tokens.parts == burst_of(&connections->options) * TOKENS_PARTS;
}

/* A peer for an address that has none, idle as yet. NULL where memory is short. */
static struct peer *peer_new(struct connections *connections, const uint8_t ip[static 16], uint32_t hash,
                             uint64_t now_ns)
{
    struct peer *peer = has_forgettable(connections, now_ns) ? forget(connections) : malloc(sizeof *peer);
    if (!peer) return NULL;
    struct peer **link = &connections->chains[hash & connections->chain_mask];
    *peer = (struct peer){.next = *link, .tokens = tokens_full(burst_of(&connections->options), now_ns), .hash = hash};
    memcpy(peer->ip, ip, sizeof peer->ip);
    *link = peer;
    idle_add(connections, peer);
    return peer;
}

static enum connections_verdict judge(struct connections *connections, struct peer *peer, uint64_t now_ns)
{
    if (peer->held >= connections->options.max_per_address) return CONNECTIONS_ADDRESS;
    refill(connections, peer, now_ns);
    if (connections->options.new_per_s && !tokens_take(&peer->tokens, 1)) return CONNECTIONS_RATE;
    if (peer->held++ == 0) idle_remove(connections, peer);
    atomic_fetch_add_explicit(&connections->count, 1, memory_order_relaxed);
    return CONNECTIONS_ADMITTED;
}

enum connections_verdict connections_admit(struct connections *connections, const struct address *client,
                                           uint64_t now_ns)
{
    enum connections_verdict verdict = CONNECTIONS_FULL;
    uint32_t hash = hash_of(connections, client);
    pthread_mutex_lock(&connections->lock);
    if (connections_count(connections) < connections->options.max_connections) {
        struct peer *peer = *find(connections, client->ip, hash);
        if (!peer) peer = peer_new(connections, client->ip, hash, now_ns);
        if (peer) verdict = judge(connections, peer, now_ns);
    }
    pthread_mutex_unlock(&connections->lock);
    return verdict;
}

void connections_release(struct connections *connections, const struct address *client)
{
    struct peer *forgotten = NULL;
    uint32_t hash = hash_of(connections, client);
    pthread_mutex_lock(&connections->lock);
    struct peer *peer = *find(connections, client->ip, hash);
    if (peer && peer->held > 0) {
        atomic_fetch_sub_explicit(&connections->count, 1, memory_order_relaxed);
        if (--peer->held == 0) idle_add(connections, peer);
        if (connections->idle_count > connections->options.max_connections) forgotten = forget(connections);
    }
    pthread_mutex_unlock(&connections->lock);
    free(forgotten);
}

void connections_set_options(struct connections *connections, const struct connections_options *options)
{
    struct list forgotten;
    list_init(&forgotten);
    pthread_mutex_lock(&connections->lock);
    connections->options = *options;
    while (connections->idle_count > options->max_connections) list_push(&forgotten, &forget(connections)->idle);
    pthread_mutex_unlock(&connections->lock);
    for (struct list *node = list_take(&forgotten); node; node = list_take(&forgotten))
        free(container_of(node, struct peer, idle));
}

uint32_t connections_count(const struct connections *connections)
{
    return atomic_load_explicit(&connections->count, memory_order_relaxed);
}
