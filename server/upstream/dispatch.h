/* dispatch: how a question gets a session, and what happens to it when that session ends.
 *
 * The choice: the first session, by preference of upstreams, that takes questions, has room and suits the question's
 * class (exchange.h). Sessions of upstreams that are avoided, and sessions that are silent at the moment, come last,
 * and only if no better one can be had soon. Room is the session's window for light clients, and three quarters of
 * it for others. Part of the pool; one thread. */
#ifndef UPSTREAM_DISPATCH_H
#define UPSTREAM_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "upstream/cause.h"
#include "upstream/exchange.h"

struct pool;

/* Submits a question. on_done is never called from within. */
void dispatch_submit(struct pool *pool, struct exchange *exchange, uint64_t now_ns);

/* A light client waits for the question, too: it is light from now on. */
void dispatch_promote(struct pool *pool, struct exchange *exchange);

/* Asks, or puts in line for the next session that takes it. */
void dispatch(struct pool *pool, struct exchange *exchange);

/* Asks those in line whom a session takes now. */
void dispatch_waiting(struct pool *pool);

/* An attempt came to nothing (invalid response, session ended): asks again, or gives the question up. */
void dispatch_again(struct pool *pool, struct exchange *exchange);

/* The session ended, or is about to be ended, for `cause`: every question on it is asked elsewhere. */
void dispatch_elsewhere(struct pool *pool, struct session *session, enum cause cause);

/* Ends an exchange, with a line in the log. */
void dispatch_finish(struct pool *pool, struct exchange *exchange, enum exchange_result result,
                     const struct answer *answer);

/* Ends questions whose time is over; and those in line, if no upstream can be reached. */
void dispatch_expire(struct pool *pool, uint64_t now_ns);
void dispatch_give_up_waiting(struct pool *pool);

#endif
