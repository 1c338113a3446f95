/* opening: when a session is begun, and to which upstream.
 *
 * Questions in line want sessions; a worker with recent traffic and none wants one, too; and if sessions end after
 * so many answers, the next is begun before that. The upstream that answers comes first, then others by preference, as
 * far as their back-off allows. If one is slow to connect, the next is tried beside it, and after a second the same
 * one again. A preferred upstream that does not answer is tried beside the one that does, so that no question waits for
 * it. Connections begun at once are bounded by max_handshakes, not counting those that got no word for a quarter of a
 * second; all sessions by max_sessions (dispatch.h). Part of the pool; one thread. */
#ifndef UPSTREAM_OPENING_H
#define UPSTREAM_OPENING_H

#include <stdbool.h>
#include <stdint.h>

#include "upstream/cause.h"

struct pool;
struct upstream;

/* Begins as many sessions as are wanted and may be. */
void opening_wanted(struct pool *pool, uint64_t now_ns);

/* Begins one to that upstream; false if it failed at once (it is backed off then). */
bool opening_begin(struct pool *pool, struct upstream *upstream, uint64_t now_ns);

/* Connecting failed, or a session was of no use: the upstream is backed off, and the log says so. `why`: in words,
 * constant. */
void opening_failed(struct pool *pool, struct upstream *upstream, enum cause cause, const char *why);

/* Clients asked lately, and no session is open or being opened. */
bool opening_is_cold(const struct pool *pool, uint64_t now_ns);

#endif
