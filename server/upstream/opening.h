/* opening: when a session is begun, and to which upstream.
 *
 * Questions in line want sessions; a worker with recent traffic and none wants one, too. The first upstream by
 * preference is tried whose back-off allows it; where it is slow to connect, the next is tried beside it, and
 * after a second the same one again. Attempts at once are bounded by max_handshakes, not counting those that got no
 * word for a quarter of a second; those and all sessions by max_sessions an upstream. Part of the pool; one thread. */
#ifndef UPSTREAM_OPENING_H
#define UPSTREAM_OPENING_H

#include <stdbool.h>
#include <stdint.h>

struct pool;
struct upstream;

/* Begins as many sessions as are wanted and may be. */
void opening_wanted(struct pool *pool, uint64_t now_ns);

/* Begins one to that upstream; false where it failed at once (it is backed off then). */
bool opening_begin(struct pool *pool, struct upstream *upstream, uint64_t now_ns);

/* An attempt failed, for a reason of LABEL_FAILURE_ (counted by the caller): the upstream is backed off, and the log
 * says so. `why`: in words, constant. */
void opening_failed(struct pool *pool, struct upstream *upstream, unsigned failure, const char *why);

/* Clients asked lately. */
bool opening_is_recent(const struct pool *pool, uint64_t now_ns);

/* Clients asked lately, and no session is open or on its way. */
bool opening_is_cold(const struct pool *pool, uint64_t now_ns);

#endif
