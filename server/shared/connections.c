#include "shared/connections.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/list.h"
#include "shared/reserve.h"
#include "shared/tokens.h"

/* A client that holds connections, or did lately. */
struct peer {
    struct list idle; /* in connections.idle while it holds none */
    struct peer *next;
    struct prefix prefix;
    uint32_t held;
    struct tokens tokens;
};

_Static_assert(sizeof(struct peer) == 64, "what connections.h says of the memory");

struct connections {
    pthread_mutex_t lock; /* of the rest, except hash_key and reads of `count` */
    struct connections_options options;
    struct hash_key hash_key;
    struct peer **chains;
    uint32_t chain_mask;
    uint32_t idle_count;
    struct list idle; /* peers that hold none, idle longest first */
    _Atomic uint32_t count;
};

static uint32_t mask_for(uint32_t max_connections)
{
    uint32_t mask = 0;
    while (mask < max_connections) mask = mask << 1 | 1;
    return mask;
}

static size_t chains_bytes(uint32_t mask)
{
    return ((size_t)mask + 1) * sizeof(struct peer *);
}

struct connections *connections_new(const struct connections_options *options, const struct hash_key *hash_key)
{
    struct connections *connections = calloc(1, sizeof *connections);
    if (!connections) return NULL;
    connections->chain_mask = mask_for(options->max_connections);
    connections->chains = reserve_new(chains_bytes(connections->chain_mask));
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
    reserve_free(connections->chains, chains_bytes(connections->chain_mask));
    free(connections);
}

static struct prefix prefix_for(const struct connections *connections, const struct address *address)
{
    enum { MAPPED_BITS = 96 }; /* before the IPv4 address (RFC 4291, 2.5.5.2) */
    const struct connections_options *options = &connections->options;
    unsigned bits = address_is_ipv4(address) ? MAPPED_BITS + options->ipv4_prefix : options->ipv6_prefix;
    return prefix_of(address->ip, bits);
}

static struct peer **chain_of(const struct connections *connections, const struct prefix *prefix)
{
    uint64_t hash = hash_bytes(&connections->hash_key, prefix->ip, sizeof prefix->ip);
    return &connections->chains[hash & connections->chain_mask];
}

/* Where the link to the prefix's peer is, or to NULL. */
static struct peer **find(const struct connections *connections, const struct prefix *prefix)
{
    struct peer **link = chain_of(connections, prefix);
    for (; *link; link = &(*link)->next) {
        const struct prefix *own = &(*link)->prefix;
        if (own->bits == prefix->bits && memcmp(own->ip, prefix->ip, sizeof own->ip) == 0) break;
    }
    return link;
}

static void idle_add(struct connections *connections, struct peer *peer)
{
    list_push(&connections->idle, &peer->idle);
    connections->idle_count++;
}

static void idle_remove(struct connections *connections, struct peer *peer)
{
    CHECK(connections->idle_count > 0);
    list_remove(&peer->idle);
    connections->idle_count--;
}

/* The peer that has been idle longest; idle_count is not 0. */
static struct peer *idlest(const struct connections *connections)
{
    return container_of(connections->idle.next, struct peer, idle);
}

/* Takes the peer idle longest out of everything; the caller's now. There is one. */
static struct peer *forget(struct connections *connections)
{
    struct peer *peer = idlest(connections);
    idle_remove(connections, peer);
    CHECK(peer->held == 0);
    *find(connections, &peer->prefix) = peer->next;
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

/* The prefix's peer; a new one is idle. NULL if memory is short. */
static struct peer *find_or_make(struct connections *connections, const struct prefix *prefix, uint64_t now_ns)
{
    struct peer *peer = *find(connections, prefix);
    if (peer) return peer;
    peer = has_forgettable(connections, now_ns) ? forget(connections) : malloc(sizeof *peer);
    if (!peer) return NULL;
    struct peer **link = chain_of(connections, prefix);
    *peer =
        (struct peer){.next = *link, .prefix = *prefix, .tokens = tokens_full(burst_of(&connections->options), now_ns)};
    *link = peer;
    idle_add(connections, peer);
    return peer;
}

static void hold(struct connections *connections, struct peer *peer)
{
    if (peer->held++ == 0) idle_remove(connections, peer);
}

/* Returns a peer that is to be freed once the lock is released, or NULL. */
static struct peer *let_go(struct connections *connections, const struct prefix *prefix)
{
    struct peer *peer = *find(connections, prefix);
    CHECK(peer && peer->held > 0);
    if (--peer->held == 0) idle_add(connections, peer);
    return connections->idle_count > connections->options.max_connections ? forget(connections) : NULL;
}

static enum connections_verdict judge(struct connections *connections, const struct prefix *prefix, bool is_new,
                                      uint64_t now_ns)
{
    const struct connections_options *options = &connections->options;
    struct peer *peer = *find(connections, prefix);
    if ((peer ? peer->held : 0) >= options->max_per_address) return CONNECTIONS_ADDRESS;
    if (connections_count(connections) >= options->max_connections) return CONNECTIONS_FULL;
    peer = find_or_make(connections, prefix, now_ns);
    if (!peer) return CONNECTIONS_FULL;
    refill(connections, peer, now_ns);
    if (is_new && options->new_per_s && !tokens_take(&peer->tokens, 1)) return CONNECTIONS_RATE;
    hold(connections, peer);
    atomic_fetch_add_explicit(&connections->count, 1, memory_order_relaxed);
    return CONNECTIONS_ADMITTED;
}

static enum connections_verdict admit(struct connections *connections, const struct address *address, bool is_new,
                                      uint64_t now_ns, uint8_t *ret_bits)
{
    pthread_mutex_lock(&connections->lock);
    struct prefix prefix = prefix_for(connections, address);
    enum connections_verdict verdict = judge(connections, &prefix, is_new, now_ns);
    pthread_mutex_unlock(&connections->lock);
    if (verdict == CONNECTIONS_ADMITTED) *ret_bits = prefix.bits;
    return verdict;
}

enum connections_verdict connections_admit(struct connections *connections, const struct address *address,
                                           uint64_t now_ns, uint8_t *ret_bits)
{
    return admit(connections, address, true, now_ns, ret_bits);
}

enum connections_verdict connections_resume(struct connections *connections, const struct address *address,
                                            uint64_t now_ns, uint8_t *ret_bits)
{
    return admit(connections, address, false, now_ns, ret_bits);
}

void connections_recount(struct connections *connections, const struct address *address, uint8_t *bits)
{
    struct peer *forgotten = NULL;
    const struct prefix former = prefix_of(address->ip, *bits);
    pthread_mutex_lock(&connections->lock);
    struct prefix prefix = prefix_for(connections, address);
    if (prefix.bits != former.bits) {
        struct peer *peer = find_or_make(connections, &prefix, 0);
        if (peer) { /* without memory it stays counted for its former client */
            hold(connections, peer);
            forgotten = let_go(connections, &former);
            *bits = prefix.bits;
        }
    }
    pthread_mutex_unlock(&connections->lock);
    free(forgotten);
}

void connections_release(struct connections *connections, const struct address *address, uint8_t bits)
{
    const struct prefix prefix = prefix_of(address->ip, bits);
    pthread_mutex_lock(&connections->lock);
    struct peer *forgotten = let_go(connections, &prefix);
    uint32_t before = atomic_fetch_sub_explicit(&connections->count, 1, memory_order_relaxed);
    CHECK(before > 0);
    pthread_mutex_unlock(&connections->lock);
    free(forgotten);
}

/* More chains for more connections. Without memory the chains stay, and get longer. */
static void grow(struct connections *connections, uint32_t max_connections)
{
    struct peer **former = connections->chains;
    uint32_t former_mask = connections->chain_mask;
    uint32_t mask = mask_for(max_connections);
    struct peer **chains = mask > former_mask ? reserve_new(chains_bytes(mask)) : NULL;
    if (!chains) return;
    connections->chains = chains;
    connections->chain_mask = mask;
    for (size_t i = 0; i <= former_mask; i++)
        for (struct peer *peer = former[i], *next; peer; peer = next) {
            struct peer **link = chain_of(connections, &peer->prefix);
            next = peer->next;
            peer->next = *link;
            *link = peer;
        }
    reserve_free(former, chains_bytes(former_mask));
}

void connections_set_options(struct connections *connections, const struct connections_options *options)
{
    struct list forgotten;
    list_init(&forgotten);
    pthread_mutex_lock(&connections->lock);
    grow(connections, options->max_connections);
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
