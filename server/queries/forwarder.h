/* forwarder: the path of a query through one worker: admit, names of ours, cache, merge, ask the cache of the fleet and
 * upstream, reply.
 *
 * Every query that a transport hands over is ended once: by a reply, or if none is due by an end_reply of 0 bytes.
 * What is asked upstream is the proxy's own query (dns/question.h), and each reply is made for its client
 * (dns/answer.h); no bytes are relayed. One thread, except for the shared tables, which lock themselves. Bounds:
 * max_queries questions in flight; above it SERVFAIL. */
#ifndef QUERIES_FORWARDER_H
#define QUERIES_FORWARDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hash.h"
#include "common/timeouts.h"
#include "metrics/counters.h"
#include "queries/alias.h"
#include "queries/hot_answers.h"
#include "queries/incoming.h"
#include "queries/names.h"
#include "queries/notice.h"
#include "queries/options.h"
#include "queries/query.h"
#include "queries/recheck.h"
#include "queries/sharing.h"
#include "queries/transport.h"
#include "shared/cache.h"
#include "shared/ratelimit.h"
#include "shared/topnames.h"
#include "shared/warmup.h"
#include "upstream/pool.h"

/* The tables all workers share; made and freed by the server. */
struct shared_tables {
    struct cache *cache;
    struct topnames *topnames;
    struct ratelimit *ratelimit;
    struct warmup *warmup; /* NULL: nothing is kept over a restart */
    struct purges *purges;
    struct hash_key hash_key; /* of question keys */
};

struct forwarder {
    struct forwarder_options options;
    const struct shared_tables *shared;
    struct names *names; /* an owner's share; NULL: no name is special, and all take the default route */
    struct pool *pool;   /* of the default route */

    /* The pool of a route other than the default one, by its index in `names`; NULL if memory is short. */
    struct pool *(*pool_of_route)(struct forwarder *forwarder, uint16_t route);

    /* A question of such a route, with the index that it had when it was asked, was answered or failed. May be NULL. */
    void (*on_route_done)(struct forwarder *forwarder, uint16_t route, uint32_t identity, bool answered);
    struct counters *counters;
    struct loop *loop;
    struct queries queries;
    struct sharing sharing;     /* with no store until the owner gives one */
    struct timeouts impatience; /* of queries for which there is a stale answer */
    struct recheck recheck;
    struct notices notices;               /* with no ring and no log until the owner gives some */
    uint32_t rotation;                    /* of the records of the next cached answer */
    uint64_t hits[LABEL_TRANSPORT_COUNT]; /* answered from the cache in this turn */
    uint64_t questions;                   /* clients' questions asked upstream since the start */
    uint8_t *value; /* ANSWER_BYTES_MAX: an answer from the cache, or one that is made ready for it */
    struct aliases aliases;
    struct hot_answers hot;
    struct ratelimit_last last_client;     /* whose query took a token last */
    struct incoming ahead[READ_AHEAD_MAX]; /* the messages that were read ahead last */
};

/* False if memory is short. */
bool forwarder_init(struct forwarder *forwarder, const struct forwarder_options *options,
                    const struct shared_tables *shared, struct pool *pool, struct counters *counters,
                    struct loop *loop);

/* Other names and routes from now on; they are shared, not taken. */
void forwarder_set_names(struct forwarder *forwarder, struct names *names);

/* The store whose cache is asked before upstream; it outlives the forwarder. Once, before any query. False if memory is
 * short. */
bool forwarder_set_store(struct forwarder *forwarder, struct store *store);

/* New options (reload). False: memory is short for a larger max_queries; the former bound stays, all else is new. */
bool forwarder_set_options(struct forwarder *forwarder, const struct forwarder_options *options);

/* Queries in flight are dropped without a reply. */
void forwarder_done(struct forwarder *forwarder);

/* Takes a client's message. Its query is ended when this returns, or later. */
void forwarder_handle(struct forwarder *forwarder, const struct requester *requester,
                      const struct client_message *message);

/* Reads up to READ_AHEAD_MAX messages, and has the processor fetch what handling them will read of the tables. Sets
 * `read_ahead` of each. They are to be handed to forwarder_handle before the next call, and before other names are
 * set, or not at all. Without it they are handled in the same way, but each waits for its own memory. */
void forwarder_read_ahead(struct forwarder *forwarder, struct client_message *messages, unsigned count);

/* Asks upstream for one of the top names, for the cache alone. False if that is being done already, or cannot be
 * done now. */
bool forwarder_refresh(struct forwarder *forwarder, const struct question_key *key);

/* When all messages of a turn were handed over: puts tokens back that were taken for messages which were not, and
 * counts the turn's hot names. */
void forwarder_end_messages(struct forwarder *forwarder);

/* At the end of every turn: gives stale answers to clients that have waited long enough, and counts the turn's hits. */
void forwarder_tick(struct forwarder *forwarder, uint64_t now_ns);
uint64_t forwarder_deadline_ns(const struct forwarder *forwarder);

#endif
