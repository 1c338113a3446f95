/* pool: a worker's way upstream: its sessions to every upstream of the configuration, and the questions on their way.
 *
 * The pool promises each question one on_done within query_timeout, and does what it can that it is an answer: see
 * exchange.h for how a question is asked again, dispatch.h for who gets it, upkeep.h for how sessions come and go. A
 * quarter of every session's places is kept for modest questions, so that nobody takes them all with what is slow or
 * never answered.
 * Everything runs on the worker's thread; nothing blocks. Bounds: max_sessions an upstream (sessions on their way out
 * not counted, at most as many again), max_in_flight a session, max_handshakes at once; the questions are the owner's
 * and bounded there. */
#ifndef UPSTREAM_POOL_H
#define UPSTREAM_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/log.h"
#include "common/random.h"
#include "common/timeouts.h"
#include "metrics/counters.h"
#include "upstream/exchange.h"
#include "upstream/session.h"
#include "upstream/upstream.h"

struct pool_options {
    struct upstream_options upstreams[UPSTREAMS_MAX]; /* in order of preference */
    unsigned upstream_count;
    uint64_t query_timeout_ns;   /* for a question, all attempts together */
    uint64_t connect_timeout_ns; /* for TCP and TLS handshake together */
    uint64_t idle_timeout_ns;    /* act before the upstream closes an idle session */
    uint64_t max_age_ns;         /* a session is replaced at about this age; 0 = never */
    uint64_t revalidate_ns;      /* a full handshake at least this often */
    uint64_t probe_ns;       /* the path is proved by a query of our own where clients' queries do not, this often */
    bool keep_warm;          /* a worker with recent traffic always has a live session */
    uint32_t max_in_flight;  /* queries on a session */
    uint32_t max_sessions;   /* of a worker to one upstream */
    uint32_t max_handshakes; /* of a worker at once; not those that got no word for a quarter of a second */
    uint16_t padding;        /* block size, 0 = off */
    uint8_t hedge_percent;   /* questions asked twice because the first ask is slow, at most this share */
};

/* Who waits for a session, in the order in which they are served. */
enum line {
    LINE_LIGHT,       /* any session with room will do, */
    LINE_OTHERS,      /* and here too: where the first is not taken, none behind it is */
    LINE_CONSTRAINED, /* of a record, or asked already: not every session will do */
    LINES
};

struct pool {
    struct session_host host; /* first: what sessions know of it */
    struct pool_options options;
    struct tls_context *tls;
    struct counters *counters;
    const struct log *log;
    struct random random;
    struct upstream upstreams[UPSTREAMS_MAX];
    unsigned upstream_count;
    struct timeouts deadlines; /* of exchanges */
    struct list lines[LINES];  /* exchanges no session takes now, by enum line */
    bool retry_waiting;        /* something changed for them: look again */
    unsigned hedge_credit;     /* in hundredths of a hedge */
    uint64_t asked_ns;         /* a client's question, last */
    uint64_t answered_ns;      /* a valid answer, last */
    uint64_t trim_at_ns;       /* when the memory of handshakes is given back; CLOCK_NEVER: it was */
    bool draining;
    bool is_prober; /* proves the path also where no client asks */
    bool probing;
    uint64_t probed_ns;
    struct exchange probe;
    uint8_t *answer; /* ANSWER_BYTES_MAX, for the answer at hand */
};

/* What a pool uses of its worker; all outlive it. */
struct pool_deps {
    struct loop *loop;
    struct buffers *buffers;
    uint8_t *scratch; /* SESSION_SCRATCH_BYTES */
    struct counters *counters;
    const struct log *log;
    uint64_t seed;
    bool is_prober; /* one worker of all */
};

/* False where memory is short. `tls` is shared, not taken. */
bool pool_init(struct pool *pool, const struct pool_options *options, struct tls_context *tls,
               const struct pool_deps *deps);

/* Every exchange must be done or cancelled. */
void pool_done(struct pool *pool);

/* Puts a question on its way. on_done is never called from within. */
void pool_submit(struct pool *pool, struct exchange *exchange, uint64_t now_ns);

/* Somebody modest waits for the question, too: it is modest from now on. */
void pool_promote(struct pool *pool, struct exchange *exchange);

/* Forgets a question without calling on_done. */
void pool_cancel(struct exchange *exchange);

/* Does what is due at `now_ns`: time-outs, connecting, upkeep. */
void pool_tick(struct pool *pool, uint64_t now_ns);

/* When to call pool_tick next, at the latest. */
uint64_t pool_deadline_ns(const struct pool *pool);

/* Writes the queries of this turn. At the end of every turn. */
void pool_flush(struct pool *pool);

/* Why the first upstream that could not be reached could not: a constant text; NULL where that is not so of any. */
const char *pool_error(const struct pool *pool);

/* No upstream could be reached lately: a client waits in vain. */
bool pool_is_down(const struct pool *pool);

/* Other certificates are trusted from now on: every session is replaced by one that was validated by them. */
void pool_set_tls(struct pool *pool, struct tls_context *tls);

/* New settings for the same upstreams (reload). False, and nothing is changed, where the upstreams are others: then a
 * new pool takes over and this one is drained. */
bool pool_set_options(struct pool *pool, const struct pool_options *options);

/* Asks nothing of its own any more and closes each session when the questions on it are answered (LABEL_SESSION_END_).
 */
void pool_drain(struct pool *pool, unsigned label);

/* True where no session is left, after pool_drain. */
bool pool_is_idle(const struct pool *pool);

/* Ends every question on its way: on_done says EXCHANGE_UNREACHABLE. */
void pool_abandon(struct pool *pool);

/* ---- for dispatch.c and upkeep.c ---- */

/* The exchange is over: forgets its asks and calls on_done; a held answer stands in for a failure. */
void pool_finish(struct pool *pool, struct exchange *exchange, enum exchange_result result,
                 const struct answer *answer);

static inline struct pool *pool_of(struct session *session)
{
    return container_of(session->host, struct pool, host);
}

#endif
