#include "shared/ratelimit.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "shared/reserve.h"
#include "shared/tokens.h"

enum {
    STRIPES_MAX = 64,
    STRIPE_CLIENTS_MIN = 64 /* with fewer, the distribution over the stripes would be too uneven */
};

/* Queries of a client in one window. */
struct tally {
    uint32_t asked;
    uint32_t refused;
};

/* One cache line, so the hash, which only a bucket that is reused needs, is computed again. Links are numbers of
 * buckets in the stripe; 0 is none. */
struct bucket {
    alignas(64) uint8_t ip[16];
    struct tokens tokens;
    uint32_t window; /* number of the window that `now` counts */
    struct tally now;
    struct tally before; /* in the window before that */
    uint32_t next;       /* in the chain of its hash */
    uint32_t newer;
    uint32_t older;
};
_Static_assert(sizeof(struct bucket) == 64, "ratelimit.h states this size");

/* Bucket 0 belongs to no client: it is the head of the ring of used buckets, from the newest (its `older`) to the one
 * that was idle longest (its `newer`). */
struct stripe {
    alignas(64) pthread_mutex_t lock; /* guards all other members and the memory they point to */
    const struct hash_key *hash_key;  /* of the table; constant */
    struct bucket *buckets;
    uint32_t *chains;
    uint32_t chain_mask;
    uint32_t used;
    uint32_t size; /* buckets besides the head */
    uint32_t queries_per_s;
    uint32_t burst;
};

struct ratelimit {
    struct stripe *stripes;
    unsigned stripe_count; /* a power of two */
    struct hash_key hash_key;
    /* Bits of IPv4, counted as IPv6, shifted left by 8, and bits of IPv6; so never 0. Read before a lock is taken. */
    _Atomic uint32_t prefixes;
    void *memory;
    size_t memory_bytes;
};

/* --- start and end --- */

static uint32_t power_of_two(uint32_t least)
{
    uint32_t power = 1;
    while (power < least && power < UINT32_C(1) << 31) power *= 2;
    return power;
}

/* Divides the memory into the buckets and chains of all stripes. */
static void lay_out(struct ratelimit *ratelimit, uint32_t size, uint32_t chains)
{
    struct bucket *buckets = ratelimit->memory;
    uint32_t *heads = (uint32_t *)(void *)(buckets + (size_t)(size + 1) * ratelimit->stripe_count);
    for (unsigned i = 0; i < ratelimit->stripe_count; i++) {
        ratelimit->stripes[i] = (struct stripe){.hash_key = &ratelimit->hash_key,
                                                .buckets = buckets + (size_t)i * (size + 1),
                                                .chains = heads + (size_t)i * chains,
                                                .chain_mask = chains - 1,
                                                .size = size};
        pthread_mutex_init(&ratelimit->stripes[i].lock, NULL);
    }
}

struct ratelimit *ratelimit_new(const struct ratelimit_options *options, const struct hash_key *hash_key)
{
    struct ratelimit *ratelimit = calloc(1, sizeof *ratelimit);
    if (!ratelimit) return NULL;
    ratelimit->hash_key = *hash_key;
    ratelimit->stripe_count = 1;
    while (ratelimit->stripe_count < STRIPES_MAX &&
           options->max_clients / ratelimit->stripe_count / 2 > STRIPE_CLIENTS_MIN)
        ratelimit->stripe_count *= 2;
    uint32_t size = options->max_clients ? options->max_clients / ratelimit->stripe_count : 1;
    uint32_t chains = power_of_two(size);
    ratelimit->memory_bytes =
        ratelimit->stripe_count * ((size_t)(size + 1) * sizeof(struct bucket) + chains * sizeof(uint32_t));
    ratelimit->memory = reserve_new(ratelimit->memory_bytes);
    ratelimit->stripes = aligned_alloc(alignof(struct stripe), ratelimit->stripe_count * sizeof *ratelimit->stripes);
    if (!ratelimit->memory || !ratelimit->stripes) goto fail;
    lay_out(ratelimit, size, chains);
    ratelimit_set_options(ratelimit, options);
    return ratelimit;
fail:
    reserve_free(ratelimit->memory, ratelimit->memory_bytes);
    free(ratelimit->stripes);
    free(ratelimit);
    return NULL;
}

void ratelimit_free(struct ratelimit *ratelimit)
{
    if (!ratelimit) return;
    for (unsigned i = 0; i < ratelimit->stripe_count; i++) pthread_mutex_destroy(&ratelimit->stripes[i].lock);
    reserve_free(ratelimit->memory, ratelimit->memory_bytes);
    free(ratelimit->stripes);
    free(ratelimit);
}

void ratelimit_set_options(struct ratelimit *ratelimit, const struct ratelimit_options *options)
{
    uint32_t prefixes = (96u + options->ipv4_prefix) << 8 | options->ipv6_prefix;
    atomic_store_explicit(&ratelimit->prefixes, prefixes, memory_order_relaxed);
    for (unsigned i = 0; i < ratelimit->stripe_count; i++) {
        struct stripe *stripe = &ratelimit->stripes[i];
        pthread_mutex_lock(&stripe->lock);
        stripe->queries_per_s = options->queries_per_s;
        stripe->burst = options->burst ? options->burst : 1;
        pthread_mutex_unlock(&stripe->lock);
    }
}

/* --- a stripe --- */

static void ring_remove(struct stripe *stripe, uint32_t number)
{
    CHECK(number != 0 && number <= stripe->used);
    struct bucket *bucket = &stripe->buckets[number];
    stripe->buckets[bucket->newer].older = bucket->older;
    stripe->buckets[bucket->older].newer = bucket->newer;
}

static void ring_add_newest(struct stripe *stripe, uint32_t number)
{
    struct bucket *head = &stripe->buckets[0];
    stripe->buckets[number].newer = 0;
    stripe->buckets[number].older = head->older;
    stripe->buckets[head->older].newer = number;
    head->older = number;
}

static uint32_t *chain_of(const struct stripe *stripe, uint32_t hash)
{
    return &stripe->chains[hash & stripe->chain_mask];
}

static void chain_remove(struct stripe *stripe, uint32_t number)
{
    uint32_t hash = (uint32_t)hash_bytes(stripe->hash_key, stripe->buckets[number].ip, 16);
    uint32_t *link = chain_of(stripe, hash);
    while (*link != number) link = &stripe->buckets[*link].next;
    *link = stripe->buckets[number].next;
}

static uint32_t find(const struct stripe *stripe, const uint8_t ip[static 16], uint32_t hash)
{
    uint32_t number = *chain_of(stripe, hash);
    while (number && memcmp(stripe->buckets[number].ip, ip, 16) != 0) number = stripe->buckets[number].next;
    return number;
}

/* A bucket for a client that has none: an unused one, or the one that was idle longest. It is not in the ring yet. */
static uint32_t make(struct stripe *stripe, const uint8_t ip[static 16], uint32_t hash, uint64_t now_ns)
{
    uint32_t number = stripe->buckets[0].newer;
    if (stripe->used < stripe->size) {
        number = ++stripe->used;
    } else {
        ring_remove(stripe, number);
        chain_remove(stripe, number);
    }
    struct bucket *bucket = &stripe->buckets[number];
    uint32_t *chain = chain_of(stripe, hash);
    *bucket = (struct bucket){.tokens = tokens_full(stripe->burst, now_ns), .next = *chain};
    memcpy(bucket->ip, ip, sizeof bucket->ip);
    *chain = number;
    return number;
}

/* The client's bucket, now the newest. */
static struct bucket *touch(struct stripe *stripe, const uint8_t ip[static 16], uint32_t hash, uint64_t now_ns)
{
    uint32_t number = find(stripe, ip, hash);
    if (number && number == stripe->buckets[0].older) return &stripe->buckets[number];
    if (number)
        ring_remove(stripe, number);
    else
        number = make(stripe, ip, hash, now_ns);
    ring_add_newest(stripe, number);
    return &stripe->buckets[number];
}

static uint32_t window_of(uint64_t now_ns)
{
    return (uint32_t)(now_ns / RATELIMIT_WINDOW_NS);
}

static uint32_t add_capped(uint32_t a, uint32_t b)
{
    return b < UINT32_MAX - a ? a + b : UINT32_MAX;
}

static void count(struct bucket *bucket, uint32_t wanted, uint32_t granted, uint64_t now_ns)
{
    uint32_t window = window_of(now_ns);
    if (window > bucket->window) {
        bucket->before = window - bucket->window == 1 ? bucket->now : (struct tally){0};
        bucket->now = (struct tally){0};
        bucket->window = window;
    }
    bucket->now.asked = add_capped(bucket->now.asked, wanted);
    if (granted < wanted) bucket->now.refused = add_capped(bucket->now.refused, wanted - granted);
}

/* --- the limiter --- */

static void compute(struct ratelimit *ratelimit, const struct address *client, uint32_t prefixes,
                    struct ratelimit_last *ret_last)
{
    struct prefix prefix = prefix_of(client->ip, address_is_ipv4(client) ? prefixes >> 8 : prefixes & 0xff);
    memcpy(ret_last->client, client->ip, sizeof ret_last->client);
    memcpy(ret_last->prefix, prefix.ip, sizeof ret_last->prefix);
    ret_last->prefixes = prefixes;
    ret_last->hash = hash_bytes(&ratelimit->hash_key, prefix.ip, sizeof prefix.ip);
}

static struct stripe *stripe_of(const struct ratelimit *ratelimit, const struct ratelimit_last *last)
{
    return &ratelimit->stripes[last->hash >> 32 & (ratelimit->stripe_count - 1)];
}

/* Takes up to `wanted` tokens. Counts as many queries, and at least `asked`: of what is wanted for later and not there,
 * each is counted when it comes. */
static uint32_t take(struct ratelimit *ratelimit, const struct ratelimit_last *last, uint32_t wanted, uint32_t asked,
                     uint64_t now_ns)
{
    struct stripe *stripe = stripe_of(ratelimit, last);
    uint32_t granted = wanted;
    pthread_mutex_lock(&stripe->lock);
    struct bucket *bucket = touch(stripe, last->prefix, (uint32_t)last->hash, now_ns);
    tokens_refill(&bucket->tokens, stripe->queries_per_s, stripe->burst, now_ns);
    if (stripe->queries_per_s) granted = tokens_take(&bucket->tokens, wanted);
    count(bucket, granted > asked ? granted : asked, granted, now_ns);
    pthread_mutex_unlock(&stripe->lock);
    return granted;
}

uint32_t ratelimit_take(struct ratelimit *ratelimit, const struct address *client, uint32_t wanted, uint64_t now_ns)
{
    struct ratelimit_last last;
    compute(ratelimit, client, atomic_load_explicit(&ratelimit->prefixes, memory_order_relaxed), &last);
    return take(ratelimit, &last, wanted, wanted, now_ns);
}

/* Of 16 queries that come together one takes the lock, and each costs some 120 instructions less; one that comes alone
 * costs some 15 more. */
bool ratelimit_take_one(struct ratelimit *ratelimit, struct ratelimit_last *last, const struct address *client,
                        uint32_t behind, uint64_t now_ns)
{
    uint32_t prefixes = atomic_load_explicit(&ratelimit->prefixes, memory_order_relaxed);
    bool is_same = last->prefixes == prefixes && memcmp(last->client, client->ip, sizeof last->client) == 0;
    if (is_same && last->in_hand > 0) {
        last->in_hand--;
        return true;
    }
    if (!is_same) {
        ratelimit_give_back(ratelimit, last, now_ns);
        compute(ratelimit, client, prefixes, last);
    }
    uint32_t granted = take(ratelimit, last, 1 + behind, 1, now_ns);
    if (granted == 0) return false;
    last->in_hand = granted - 1;
    return true;
}

void ratelimit_give_back(struct ratelimit *ratelimit, struct ratelimit_last *last, uint64_t now_ns)
{
    if (last->in_hand == 0) return;
    struct stripe *stripe = stripe_of(ratelimit, last);
    pthread_mutex_lock(&stripe->lock);
    uint32_t number = find(stripe, last->prefix, (uint32_t)last->hash);
    struct bucket *bucket = &stripe->buckets[number];
    if (number) {
        tokens_give_back(&bucket->tokens, last->in_hand);
        struct tally *tally = bucket->window == window_of(now_ns) ? &bucket->now : &bucket->before;
        tally->asked -= last->in_hand < tally->asked ? last->in_hand : tally->asked;
    }
    pthread_mutex_unlock(&stripe->lock);
    last->in_hand = 0;
}

/* --- who asks most, who is refused most --- */

static struct tally tally_of(const struct bucket *bucket, uint32_t window)
{
    if (bucket->window == window) return bucket->now;
    return bucket->window == window + 1 ? bucket->before : (struct tally){0};
}

static double rate_by(const struct ratelimit_client *client, enum ratelimit_order order)
{
    return order == RATELIMIT_BY_REFUSED ? client->refused_per_s : client->queries_per_s;
}

/* A list that is being made. */
struct ranking {
    struct ratelimit_client *clients;
    size_t count;
    size_t max;
    enum ratelimit_order order;
};

/* Inserts a client by its rate, if it is among the first `max` so far. */
static void rank(struct ranking *ranking, const struct ratelimit_client *client)
{
    double rate = rate_by(client, ranking->order);
    struct ratelimit_client *clients = ranking->clients;
    size_t at = ranking->count < ranking->max ? ranking->count : ranking->max - 1;
    if (ranking->count == ranking->max && rate <= rate_by(&clients[at], ranking->order)) return;
    for (; at > 0 && rate_by(&clients[at - 1], ranking->order) < rate; at--) clients[at] = clients[at - 1];
    clients[at] = *client;
    if (ranking->count < ranking->max) ranking->count++;
}

static void rank_stripe(const struct stripe *stripe, uint32_t window, struct ranking *ranking)
{
    const double window_s = (double)RATELIMIT_WINDOW_NS / 1e9;
    for (uint32_t number = stripe->buckets[0].older; number; number = stripe->buckets[number].older) {
        const struct bucket *bucket = &stripe->buckets[number];
        if (bucket->window + 1 < window)
            break; /* all following ones were idle longer (one window of tolerance, because times may differ by a turn)
                    */
        struct tally tally = tally_of(bucket, window);
        struct ratelimit_client client = {.queries_per_s = tally.asked / window_s,
                                          .refused_per_s = tally.refused / window_s};
        memcpy(client.ip, bucket->ip, sizeof client.ip);
        if (rate_by(&client, ranking->order) > 0) rank(ranking, &client);
    }
}

size_t ratelimit_list(struct ratelimit *ratelimit, enum ratelimit_order order, uint64_t now_ns,
                      struct ratelimit_client *ret_clients, size_t max)
{
    struct ranking ranking = {ret_clients, 0, max, order};
    uint32_t window = window_of(now_ns);
    if (max == 0 || window == 0) return 0;
    for (unsigned i = 0; i < ratelimit->stripe_count; i++) {
        pthread_mutex_lock(&ratelimit->stripes[i].lock);
        rank_stripe(&ratelimit->stripes[i], window - 1, &ranking);
        pthread_mutex_unlock(&ratelimit->stripes[i].lock);
    }
    return ranking.count;
}
