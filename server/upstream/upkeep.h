/* upkeep: when sessions are kept warm, replaced and closed, and what their start and end mean, so that no question
 * waits for a handshake that could have been made before.
 *
 *  - With recent traffic, one session is kept alive by a query of our own before the upstream would close it.
 *  - A session does not outlive max_age, and a full handshake looks at the certificate every revalidate interval; the
 *    new session is ready before the old one stops taking questions. A certificate that is not right takes its upstream
 *    out of use until it is.
 *  - A session to an upstream that has not answered yet, or not lately, is tried out with a query of our own.
 *
 * Part of the pool; one thread. */
#ifndef UPSTREAM_UPKEEP_H
#define UPSTREAM_UPKEEP_H

#include <stdint.h>

#include "upstream/cause.h"

struct pool;
struct session;

/* Does what is due. */
void upkeep(struct pool *pool, uint64_t now_ns);
uint64_t upkeep_deadline_ns(const struct pool *pool);

/* The host's on_ready and on_end. */
void upkeep_on_ready(struct session *session);
void upkeep_on_end(struct session *session, enum cause cause);

/* Ends every session that is not needed, or lets it finish what it has in flight. */
void upkeep_drain_all(struct pool *pool, enum cause cause);

#endif
