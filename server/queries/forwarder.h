/* forwarder: the way of a query through one worker: limit, judge, cache, merge, ask upstream, reply.
 *
 * Everything a transport hands over is ended once: by a reply, or where none is due by an empty end_reply. What is
 * asked upstream is the proxy's own query (dns/question.h) and what goes back is made for each asker (dns/answer.h);
 * nothing is relayed. One thread, but for the shared tables, which lock themselves. Bounds: max_queries questions in
 * flight; above it SERVFAIL. */
#ifndef QUERIES_FORWARDER_H
#define QUERIES_FORWARDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/hash.h"
#include "common/timeouts.h"
#include "metrics/counters.h"
#include "queries/query.h"
#include "queries/recheck.h"
#include "queries/reply.h"
#include "queries/transport.h"
#include "shared/cache.h"
#include "shared/ratelimit.h"
#include "shared/topnames.h"
#include "upstream/pool.h"

struct forwarder_options {
    uint32_t max_queries;       /* questions of one worker in flight; above it SERVFAIL */
    uint64_t cache_min_ns;      /* a lifetime in the cache is at least, */
    uint64_t cache_max_ns;      /* and at most this: so are the TTLs that clients are told */
    uint64_t cache_negative_ns; /* and of a negative answer at most this */
    uint8_t prefetch_percent;   /* refreshes nobody asked for, at most this share of upstream queries */
    bool rate_limit_drops;      /* a query over the limit gets no reply, instead of REFUSED */
};

/* The tables all workers share; made and freed by the server. */
struct shared_tables {
    struct cache *cache;
    struct topnames *topnames;
    struct ratelimit *ratelimit;
    struct hash_key hash_key; /* of question keys */
};

struct forwarder {
    struct forwarder_options options;
    const struct shared_tables *shared;
    struct pool *pool;
    struct counters *counters;
    struct loop *loop;
    struct queries queries;
    struct timeouts impatience; /* of queries that have a stale answer */
    struct recheck recheck;
    uint64_t hits;      /* answered from the cache in this turn */
    uint64_t questions; /* of clients, asked upstream since the start */
    uint8_t *value;     /* ANSWER_BYTES_MAX + EDNS_REPLY_MAX: an answer from the cache for somebody who waits */
};

/* False where memory is short. */
bool forwarder_init(struct forwarder *forwarder, const struct forwarder_options *options,
                    const struct shared_tables *shared, struct pool *pool, struct counters *counters,
                    struct loop *loop);

/* Queries in flight are dropped without a reply. */
void forwarder_done(struct forwarder *forwarder);

/* Takes a client's message; the reply may be there when it returns, or come later. */
void forwarder_handle(struct forwarder *forwarder, const struct requester *requester, const uint8_t *message,
                      size_t size);

/* A message longer than clients may send: FORMERR. `front` is its beginning. */
void forwarder_handle_too_long(struct forwarder *forwarder, const struct requester *requester, const uint8_t *front,
                               size_t size);

/* A message of somebody who may not ask: REFUSED. */
void forwarder_handle_prohibited(struct forwarder *forwarder, const struct requester *requester, const uint8_t *message,
                                 size_t size);

/* Asks upstream for a name of the top, for the cache alone. False where that is being done already, or cannot be now.
 */
bool forwarder_refresh(struct forwarder *forwarder, const struct question_key *key);

/* At the end of every turn: stale answers for those who waited long enough; the turn's figures. */
void forwarder_tick(struct forwarder *forwarder, uint64_t now_ns);
uint64_t forwarder_deadline_ns(const struct forwarder *forwarder);

#endif
