/* ratelimit: one token bucket for each client prefix, in a table shared by all workers.
 *
 * Locks: the table is divided into stripes by the keyed hash of the prefix, each with a mutex, a leaf. Memory: 64 bytes
 * for each of `max_clients` and at most 8 bytes of index, reserved at the start and used as clients come. If a stripe
 * is full (there are 64 of them, one for 128 clients or fewer), the bucket that was idle longest is reused. A client
 * whose bucket was reused gets a full one, so a client that hides among max_clients others gains at most one burst.
 * IPv4-mapped IPv6 counts as IPv4; ports and scopes are ignored.
 *
 * The time is passed in. Times of two workers may differ by a turn; an earlier time adds no tokens. Concurrent calls
 * never grant a token twice. Any thread. */
#ifndef SHARED_RATELIMIT_H
#define SHARED_RATELIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/hash.h"

struct ratelimit_options {
    uint32_t queries_per_s; /* 0 = no limit; queries are counted all the same */
    uint32_t burst;         /* tokens a full bucket holds; 0 is taken as 1 */
    uint8_t ipv4_prefix;    /* 0..32: clients of one such prefix share a bucket */
    uint8_t ipv6_prefix;    /* 0..128 */
    uint32_t max_clients;   /* buckets; rounded down to a whole number for each stripe; 0 is taken as 1 */
};

struct ratelimit;

/* NULL if memory is short. */
struct ratelimit *ratelimit_new(const struct ratelimit_options *options, const struct hash_key *hash_key);
void ratelimit_free(struct ratelimit *ratelimit);

/* New rates and prefixes (reload): buckets keep their tokens, cut to the new burst; if a prefix changed, those of
 * its kind are no longer found, and are reused in time. `max_clients` stays. */
void ratelimit_set_options(struct ratelimit *ratelimit, const struct ratelimit_options *options);

/* Takes up to `wanted` tokens of the client's bucket and says how many were there. */
uint32_t ratelimit_take(struct ratelimit *ratelimit, const struct address *client, uint32_t wanted, uint64_t now_ns);

/* The client that took a token last: what was computed to find its bucket, and the tokens that its next queries need
 * not take there. Zero at first. For one table and one thread. */
struct ratelimit_last {
    uint8_t client[16];
    uint32_t prefixes; /* the table's, for which the rest holds; 0: nothing is computed yet */
    uint32_t in_hand;  /* tokens that were taken, and counted as queries, ahead */
    uint8_t prefix[16];
    uint64_t hash;
};

/* Takes a token for one query, as ratelimit_take does, for a thread whose queries often come from the same client in
 * succession: what was computed for the last one is used again if client and prefixes are the same. `behind`: so many
 * more queries of this client follow. Tokens for them are taken with this one, as far as they are there, so that a
 * batch takes the lock once. False: there is none, and the query, which alone is counted, is to be refused. */
bool ratelimit_take_one(struct ratelimit *ratelimit, struct ratelimit_last *last, const struct address *client,
                        uint32_t behind, uint64_t now_ns);

/* Puts back what is in hand for queries that did not follow, and counts them no longer; so does ratelimit_take_one
 * where another client comes. To be called before the thread waits, since other threads lack these tokens. What a
 * bucket lost meanwhile, by reuse or a smaller burst, is not put back. */
void ratelimit_give_back(struct ratelimit *ratelimit, struct ratelimit_last *last, uint64_t now_ns);

/* Queries are counted in windows of this length. */
#define RATELIMIT_WINDOW_NS UINT64_C(3000000000)

/* The clients (prefixes) that asked most, or were refused most, over the last whole window, the first of them first;
 * those with a rate of 0 are left out. `queries_per_s` counts queries asked (wanted), granted or not. Looks only at
 * clients of the last two windows, a stripe at a time, so a scrape stops nobody for long. */
enum ratelimit_order { RATELIMIT_BY_QUERIES, RATELIMIT_BY_REFUSED };
struct ratelimit_client {
    uint8_t ip[16]; /* the prefix's first address */
    double queries_per_s;
    double refused_per_s;
};
size_t ratelimit_list(struct ratelimit *ratelimit, enum ratelimit_order order, uint64_t now_ns,
                      struct ratelimit_client *ret_clients, size_t max);

#endif
