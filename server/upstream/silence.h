/* silence: what is done when answers do not come.
 *
 *  - A question whose answer is overdue is asked once more elsewhere (hedged), within a budget.
 *  - Silence of a session is measured while anything is in flight on it: since the last response, or since the first of
 *    the questions was sent. A silent session gets no new questions, and those in flight are asked elsewhere.
 *  - If the upstream answers in order, the question in flight longest is what it is busy with: it is asked again
 *    last, and alone.
 *  - Time is attended time (common/loop.h): the worker's own delays are held against nobody.
 *  - An upstream that was not heard on any session is suspected; a query of the proxy's own tells (probe.h).
 *
 * Part of the pool; one thread. */
#ifndef UPSTREAM_SILENCE_H
#define UPSTREAM_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

struct attempt;
struct pool;
struct session;
struct upstream;

/* Does what is due for a session. */
void silence_check(struct pool *pool, struct session *session, uint64_t now_ns);

/* When, by the clock, silence_check is next to be called for it; CLOCK_NEVER: not until something happens. */
uint64_t silence_deadline_ns(const struct session *session);

/* An exchange was answered by `answered_by` on another session while this attempt is still in flight: if nothing was
 * heard of its session since, new questions avoid that. Before the attempt is forgotten. */
void silence_note_overtaken(struct pool *pool, struct attempt *attempt, const struct upstream *answered_by);

/* The session has given all the answers it gives: what is in flight on it is asked elsewhere
 * without further waiting. */
void silence_exhausted(struct pool *pool, struct session *session, uint64_t now_ns);

/* An upstream that was silent answers again: what is in flight on its silent sessions is asked once more. */
void silence_over(struct pool *pool, struct upstream *upstream);

/* Time earns hedges, too, so that a client with few questions finds some. */
void silence_earn_hedges(struct pool *pool, uint64_t now_ns);

#endif
