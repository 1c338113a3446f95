/* notice: which queries are notable, and what is kept and logged of them: the ring of their worker
 * (metrics/query_ring.h) and, where log.queries says so, a line of the log.
 *
 * Every query that ends comes to notices_end, or is ordinary by notices_want. An answer from the cache takes no time
 * that counts as slow. Bounds: the ring's, and NOTICES_LOGGED_PER_S lines a second; queries above it are counted, and a
 * line says how many. A worker's thread. */
#ifndef QUERIES_NOTICE_H
#define QUERIES_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/log.h"
#include "common/loop.h"
#include "dns/answer.h"
#include "dns/message.h"
#include "dns/question.h"
#include "metrics/counters.h"
#include "metrics/query_ring.h"
#include "queries/options.h"
#include "queries/refusal.h"
#include "queries/transport.h"
#include "upstream/exchange.h"

/* What is logged, in the order of the words of the setting log.queries. */
enum query_log {
    QUERY_LOG_OFF,
    QUERY_LOG_FAILED, /* SERVFAIL, refused, limited, stale and malformed ones */
    QUERY_LOG_SLOW,   /* and slow ones */
    QUERY_LOG_ALL
};

/* A line takes a system call, some 5 us: so many cost a worker 1/2000 of its time. */
enum { NOTICES_LOGGED_PER_S = 100 };

struct notices {
    struct query_ring *ring;   /* NULL: nothing is kept */
    const struct log *log;     /* NULL: nothing is logged */
    struct counters *counters; /* these and the loop outlive it */
    const struct loop *loop;
    unsigned worker;
    uint8_t log_queries; /* enum query_log */
    uint64_t slow_ns;    /* what takes longer is slow */

    /* The first zone of a route, by its identity; NULL: it is not known any more. May be NULL. */
    const char *(*route_name)(const struct notices *notices, uint32_t identity);

    /* of the log */
    uint64_t second_ns; /* when the present second began */
    uint32_t logged;    /* in it */
    uint64_t held_back; /* not logged since the last line that said so */
};

/* How a query ended. */
struct query_end {
    const struct requester *requester; /* with its address */
    const struct question *question;   /* `name` NULL: there is no sound one */
    const struct question_key *key;    /* NULL: it did not come to a route */
    const struct exchange *exchange;   /* NULL: it was not asked upstream */
    struct answer_error error;         /* the code and the errors of the reply; rcode QUERY_NO_RCODE: there is none */
    enum label_source source;
    uint64_t took_ns;
    const char *reason; /* why there is no reply; constant, or NULL */
};

/* False: it is ordinary, and nobody wants to know of it. */
static inline bool notices_want(const struct notices *notices, unsigned rcode, enum label_source source,
                                uint64_t took_ns)
{
    return notices->log_queries == QUERY_LOG_ALL || rcode == DNS_RCODE_SERVFAIL || rcode == DNS_RCODE_REFUSED ||
           source == LABEL_SOURCE_STALE || took_ns > notices->slow_ns;
}

/* What is slow and what is logged, from now on. */
static inline void notices_set_options(struct notices *notices, const struct forwarder_options *options)
{
    notices->log_queries = options->log_queries;
    notices->slow_ns = options->slow_ns;
}

/* A query that was resolved, or should have been. */
void notices_end(struct notices *notices, const struct query_end *end);

/* The same for one that was answered from the cache with the answer of these bytes, which give `end->error` its code
 * and what upstream said. */
void notices_end_cached(struct notices *notices, struct query_end *end, const uint8_t *answer, size_t size);

/* A query that was refused. */
void notices_refused(struct notices *notices, const struct requester *requester, const struct question *question,
                     enum refusal refusal);

/* A datagram that its transport dropped, for a constant reason; its question is read where there is one. */
void notices_dropped(struct notices *notices, const struct requester *requester, enum query_kind kind,
                     const char *reason, const struct client_message *message);

/* Once a turn: says how many queries were not logged, when a second is over. */
void notices_tick(struct notices *notices, uint64_t now_ns);

#endif
