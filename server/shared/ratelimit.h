/* ratelimit: a token bucket for each client prefix, in one table shared by all workers.
 *
 * Locks: the table is split into stripes by the prefix's keyed hash, each with a mutex, a leaf. RAM: 64 bytes for each
 * of `max_clients` and at most 8 of index, reserved at the start and touched as clients come, none of it later than
 * that. Where a stripe is full (there are 64 of them, one for 128 clients or fewer) its bucket idle longest gives way;
 * who comes back has a full one, so a client can at most gain one burst by hiding behind max_clients others.
 * IPv4-mapped IPv6 is IPv4; ports and scopes are not looked at.
 *
 * Time is passed in, and may go back by a loop turn between two workers: it then stands still. Under concurrent calls
 * exactly the tokens there are are granted: never one twice. Any thread. */
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

/* NULL where memory is short. */
struct ratelimit *ratelimit_new(const struct ratelimit_options *options, const struct hash_key *hash_key);
void ratelimit_free(struct ratelimit *ratelimit);

/* New rates and prefixes (reload): buckets keep their tokens, cut to the new burst; where a prefix changed, those of
 * its kind are found no more and give way in time. `max_clients` stays. */
void ratelimit_set_options(struct ratelimit *ratelimit, const struct ratelimit_options *options);

/* Takes up to `wanted` tokens of the client's bucket and says how many were there. */
uint32_t ratelimit_take(struct ratelimit *ratelimit, const struct address *client, uint32_t wanted, uint64_t now_ns);

/* Queries are counted in windows of this length. */
#define RATELIMIT_WINDOW_NS UINT64_C(3000000000)

/* The clients (prefixes) with most queries a second, over the last whole window, the busiest first; counts queries
 * asked (wanted), granted or not. Looks only at clients of the last two windows, a stripe at a time, so a scrape stops
 * nobody for long. */
struct ratelimit_client {
    uint8_t ip[16]; /* the prefix's first address */
    double queries_per_s;
};
size_t ratelimit_busiest(struct ratelimit *ratelimit, uint64_t now_ns, struct ratelimit_client *ret_clients,
                         size_t max);

#endif
