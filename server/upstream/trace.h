/* trace: one event in the log, at level debug, for each change of state of a session and of an exchange. `question` is
 * the exchange's number among those of its worker: it follows one question through the log without its name. */
#ifndef UPSTREAM_TRACE_H
#define UPSTREAM_TRACE_H

#include "upstream/cause.h"
#include "upstream/exchange.h"

struct pool;
struct session;
struct upstream;

/* "session opened", "session ready", "session drained", "session silent". */
void trace_session(const struct pool *pool, const char *event, const struct session *session);
void trace_session_end(const struct pool *pool, const struct session *session, enum cause cause);

/* "question sent", "question hedged", "question retried", "question waits"; `session` may be NULL. */
void trace_exchange(const struct pool *pool, const char *event, const struct exchange *exchange,
                    const struct session *session);
void trace_exchange_end(const struct pool *pool, const struct exchange *exchange, enum exchange_result result);

#endif
