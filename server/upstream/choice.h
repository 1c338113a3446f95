/* choice: which session gets a question, and which upstreams come into question.
 *
 * The choice is the first session, by preference of upstreams, that takes questions, has room and suits the question's
 * class (exchange.h). Sessions of upstreams that are avoided, and sessions that are silent at the moment, come last,
 * and only if no better one can be had soon. Room is the session's window for light clients, and three quarters of
 * it for others. Nothing is changed by choosing. Part of the pool; one thread. */
#ifndef UPSTREAM_CHOICE_H
#define UPSTREAM_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "upstream/exchange.h"

struct pool;

/* The session to ask on now; NULL: the question has to wait. */
struct session *choice_session(struct pool *pool, const struct exchange *exchange);

/* A question may be asked of that upstream. */
bool choice_is_allowed(const struct exchange *exchange, const struct upstream *upstream);

/* Sessions of the upstream are not used as long as others will do. `exchange`: NULL for any question. */
bool choice_is_avoided(const struct pool *pool, const struct upstream *upstream, const struct exchange *exchange);

/* The question ended sessions, one of them alone, and an upstream where it did not fail can be asked, or will be when
 * its handshake is done: the question waits for that one and is asked nowhere else, or its attempts would be used up
 * before. A handshake is waited for until connect_timeout; a third of query_timeout is kept to ask where it failed. */
bool choice_is_other_awaited(const struct pool *pool, const struct exchange *exchange);

/* Three sessions or more ended with the question, some at this upstream, which is avoided: it ends them whatever is
 * asked. The question is not asked there again before a sixth of query_timeout is left, if another one may be asked. */
bool choice_is_wasted(const struct pool *pool, const struct upstream *upstream, const struct exchange *exchange);

/* The question may be asked of an upstream that it was not sent to yet and that nothing speaks against. */
bool choice_has_untried(const struct pool *pool, const struct exchange *exchange);

/* A question that has one attempt left, after silence on all its sessions, is asked of this upstream again when that
 * answered something since: it is back, or the question is slow. Before that the attempt would be wasted, until a third
 * of query_timeout is left. True for all other questions. */
bool choice_has_proof(const struct pool *pool, const struct upstream *upstream, const struct exchange *exchange);

/* The upstream may be given one more session for `exchange` (NULL: for any question): at most max_sessions take
 * questions or are on their way, half as many more are for questions asked alone that could use one, and there are at
 * most twice max_sessions in all. */
bool choice_has_session_room(const struct pool *pool, const struct upstream *upstream, const struct exchange *exchange);

/* A session that is silent and may be ended to make room for a new one, or NULL. One with leading attempts is kept: the
 * upstream may merely be slow, and on a new session their waiting would begin anew. Only where all sessions are silent
 * and have such attempts, the one that has been silent longest is given up, after a third of query_timeout. */
struct session *choice_replaceable(const struct pool *pool, const struct upstream *upstream);

#endif
