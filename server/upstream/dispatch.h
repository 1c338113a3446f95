/* dispatch: which session gets a question, and what becomes of it when that session fails it.
 *
 * The choice: the first session, by preference of upstreams, that is open, has room, does not carry the question
 * already and suits its record: questions under suspicion (exchange.h) are only asked among their like, or alone. Room
 * is all of max_in_flight for modest questions, and three quarters of it for others. Part of the pool; one thread. */
#ifndef UPSTREAM_DISPATCH_H
#define UPSTREAM_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

struct attempt;
struct exchange;
struct pool;
struct upstream;
struct session;

/* Asks, or puts in line for the next session that takes it. */
void dispatch(struct pool *pool, struct exchange *exchange);

/* Asks those in line whom a session takes now. */
void dispatch_waiting(struct pool *pool);

/* A question's ask came to nothing (answer malformed or of another question, session dead): ask again, or give it up.
 */
void dispatch_again(struct pool *pool, struct exchange *exchange);

/* Every question of a session that is dying is asked elsewhere. `blamed`: it may have been the question that killed it.
 */
void dispatch_elsewhere(struct pool *pool, struct session *session, bool blamed);

/* Deals with silence: hedges what is overdue, within the budget; declares the session hung where nothing at all comes.
 */
void dispatch_overdue(struct pool *pool, struct session *session, uint64_t now_ns);

/* When dispatch_overdue is next to be called. */
uint64_t dispatch_deadline_ns(const struct session *session);

#endif
