/* pool: a worker's way upstream: its sessions to every upstream of the configuration, and the questions in flight.
 *
 * The pool promises each question one on_done within query_timeout (or none if it is cancelled), and does what it
 * can that it is an answer. RULES.md has the rules; exchange.h the life of a question. A worker may have several pools.
 * Everything runs on the worker's thread; nothing blocks. Bounds: max_sessions an upstream (half as many more for
 * questions that are asked alone; twice max_sessions with those on their way out), max_in_flight a session,
 * max_handshakes at once; the questions are the owner's and bounded there. */
#ifndef UPSTREAM_POOL_H
#define UPSTREAM_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/log.h"
#include "metrics/counters.h"
#include "upstream/cause.h"
#include "upstream/exchange.h"
#include "upstream/options.h"

struct dnstap_tap;
struct pool;

/* What a pool uses of its worker; all outlive it. */
struct pool_deps {
    struct loop *loop;
    struct buffers *buffers;
    uint8_t *scratch; /* CHANNEL_SCRATCH_BYTES */
    struct counters *counters;
    const struct log *log;
    uint64_t seed;
    unsigned worker;        /* its number, for the log */
    bool is_prober;         /* one worker of all */
    struct dnstap_tap *tap; /* copies of messages go there; NULL: none are made */
};

/* NULL if memory is short. `tls` is shared, not taken. Without any upstream, whose names are not looked up yet, every
 * question ends as EXCHANGE_UNREACHABLE. */
struct pool *pool_new(const struct pool_options *options, struct tls_context *tls, const struct pool_deps *deps);

/* Every exchange must be done or cancelled. NULL is fine. */
void pool_free(struct pool *pool);

/* Submits a question. on_done is never called from within. */
void pool_submit(struct pool *pool, struct exchange *exchange, uint64_t now_ns);

/* A light client waits for the question, too: it is light from now on. */
void pool_promote(struct pool *pool, struct exchange *exchange);

/* Forgets a question without calling on_done. */
void pool_cancel(struct exchange *exchange);

/* Does what is due at `now_ns`: time-outs, connecting, upkeep. In each turn, after its events, in which pool_has_news
 * or pool_deadline_ns has come. */
void pool_tick(struct pool *pool, uint64_t now_ns);

/* Whether there were events, questions or other settings since pool_tick: what pool_deadline_ns said before counts no
 * more, and pool_tick is due. */
bool pool_has_news(const struct pool *pool);

/* When to call pool_tick next, at the latest. */
uint64_t pool_deadline_ns(const struct pool *pool);

/* Writes the queries of this turn. At the end of every turn. */
void pool_flush(struct pool *pool);

/* No upstream answers, as far as is known: a client would wait until its time-out. */
bool pool_is_down(const struct pool *pool);

/* A session is open, so that a question asked now waits for no handshake. */
bool pool_is_open(const struct pool *pool);

/* Why the first upstream that could not be reached could not: a constant text; NULL if that is not so of any. */
const char *pool_error(const struct pool *pool);

/* Other certificates are trusted from now on: every session is replaced by one that was validated by them. Nothing
 * changes if they are the same. */
void pool_set_tls(struct pool *pool, struct tls_context *tls);

/* New settings for the same upstreams (reload). False, and nothing is changed, if the upstreams are others: then a
 * new pool takes over and this one is drained. */
bool pool_set_options(struct pool *pool, const struct pool_options *options);

/* Its worker is inactive (`resting`), or active again. While it rests, and until it is asked a question then, sessions
 * are not kept warm, nor upstreams tried: those it has end at their idle time-out. Active again it warms up as a new
 * one. */
void pool_set_resting(struct pool *pool, bool resting);

/* Asks nothing of its own any more and closes each session when the questions on it are answered. From now on it counts
 * in `counters`, which outlive it. */
void pool_drain(struct pool *pool, enum cause cause, struct counters *counters);

/* True if no session is left, after pool_drain. */
bool pool_is_idle(const struct pool *pool);

/* Ends every question in flight: on_done says EXCHANGE_UNREACHABLE. */
void pool_abandon(struct pool *pool);

#endif
