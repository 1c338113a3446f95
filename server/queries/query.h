/* query: the questions of one worker that are being asked upstream, and the clients that wait for each.
 *
 * A query is found by its key, so that identical questions are asked once: a client that asks meanwhile waits with the
 * others; one whose answer may be outdated is not found any more, and only those who wait already get its answer. A
 * waiter keeps what its reply needs of the client's message (profile and spelling), and its client only as a handle.
 * Bounds: max_queries queries, and WAITERS_PER_QUERY times as many waiters. One thread. */
#ifndef QUERIES_QUERY_H
#define QUERIES_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hash.h"
#include "common/list.h"
#include "common/slots.h"
#include "common/timeouts.h"
#include "dns/answer.h"
#include "dns/question.h"
#include "metrics/counters.h"
#include "queries/notice.h"
#include "queries/tally.h"
#include "queries/transport.h"
#include "store/lookup.h"
#include "upstream/exchange.h"

struct forwarder;

/* Waiters are small and many may wait for one hot name. */
enum { WAITERS_PER_QUERY = 4 };

struct waiter {
    struct slot slot;
    struct list of_query;
    struct transport *transport;
    struct slot_handle client;
    struct address address; /* of the client, also when it has gone */
    struct reply_profile profile;
    struct spelling spelling;
    uint64_t asked_ns;
    uint16_t tally_slot; /* of its client */
};

struct query {
    struct slot slot;
    struct list of_bucket;   /* or of `outdated` */
    struct list waiters;     /* of struct waiter; empty for a refresh */
    struct timeout patience; /* of forwarder->impatience: when a stale answer will do */
    struct forwarder *forwarder;
    struct exchange exchange;   /* with the question's key */
    struct pool *pool;          /* that asks it, once it is submitted */
    struct store_lookup lookup; /* of the cache of the fleet */
    uint16_t route;             /* its index when it was asked */
    uint64_t hash;              /* of the key */
    uint64_t purge;             /* the number of the last one when it was asked, for purges_since */
    bool is_submitted;          /* to the pool: `pool` is set */
    bool prefetch;              /* begun as a refresh of a top name */
    bool is_ranked;             /* it was not told when it was asked that it is no top name */
    bool stale_will_do;         /* there is a stale answer, and patience is over */
};

struct queries {
    struct counters *counters;
    struct notices *notices;         /* the owner's, told of each query that ends */
    const struct hash_key *hash_key; /* of clients */
    struct slots queries;
    struct slots waiters;
    struct list *buckets;
    struct list outdated;
    uint32_t bucket_count; /* a power of two */
    struct tally tally;    /* of the waiters */
};

/* False if memory is short. `hash_key` and `notices` outlive it. */
bool queries_init(struct queries *queries, uint32_t max_queries, const struct hash_key *hash_key,
                  struct notices *notices);

/* Another bound (reload); what is in flight stays. False: memory is short, and the former bound stays. */
bool queries_set_max(struct queries *queries, uint32_t max_queries);

void queries_done(struct queries *queries); /* whatever is left is dropped: its exchanges must be cancelled */

/* The query in flight of that key that is not outdated, or NULL. */
struct query *queries_find(const struct queries *queries, const struct hashed_key *key);

/* Has the processor fetch what queries_find will read first. */
void queries_prefetch(const struct queries *queries, const struct hashed_key *key);

/* A new one, to be found from now on; NULL at the bound. */
struct query *queries_add(struct queries *queries, const struct question_key *key, uint64_t hash);

/* The query is found no more, so that its question may be asked anew; it still counts, and its waiters wait on. */
void queries_outdate(struct queries *queries, struct query *query);

/* Ends the query, and drops its waiters. */
void queries_remove(struct queries *queries, struct query *query);

/* One that is in flight, or NULL if none is. */
struct query *queries_any(const struct queries *queries);

/* Whether one more question may be asked, or one more client wait, for a client: the last quarter of each is kept for
 * light clients, so that no client can fill the table with questions that are never answered; so it is on every
 * upstream session (upstream/dispatch.h). Of that quarter the second half is kept for those whose address is verified,
 * since forged addresses make any number of light clients. */
bool queries_may_ask(const struct queries *queries, bool is_light, bool is_verified);
bool queries_may_wait(const struct queries *queries, bool is_light, bool is_verified);

/* One more client waits for the query; false at the bound. */
bool queries_wait(struct queries *queries, struct query *query, const struct requester *requester,
                  const struct question *question, const struct reply_profile *profile, uint64_t now_ns);

/* How many questions the client waits for. */
uint32_t queries_of_client(struct queries *queries, const struct address *client);

/* Each waiter gets the answer, which came from LABEL_SOURCE_. */
void queries_answer(struct queries *queries, struct query *query, const struct answer *answer,
                    const struct answer_use *use, enum label_source source, uint64_t now_ns);

/* Each waiter gets the error. */
void queries_fail(struct queries *queries, struct query *query, const struct answer_error *error, uint64_t now_ns);

/* What clients get when the query ended without an answer. Its errors are valid while its
 * exchange's on_done runs. */
struct answer_error query_error(const struct query *query, enum exchange_result result);

#endif
