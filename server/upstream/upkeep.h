/* upkeep: when sessions are opened, kept warm, replaced and closed, so that no question waits for a handshake that
 * could have been made before.
 *
 *  - A question in line opens a session to the first upstream that may be tried; another is tried when that takes long
 * (RFC 8305 in spirit).
 *  - An upstream that fails is tried again after a jittered, growing wait; handshakes at once are bounded.
 *  - With recent traffic, one session is kept alive by a query of our own before the upstream would close it, and
 * replaced before it goes.
 *  - A session does not outlive max_age, and a full handshake looks at the certificate every revalidate interval; the
 * new session is ready before the old one stops taking questions. A certificate that is not right takes its upstream
 * out of use until it is. Part of the pool; one thread. */
#ifndef UPSTREAM_UPKEEP_H
#define UPSTREAM_UPKEEP_H

#include <stdint.h>

struct pool;
struct session;

/* Does what is due. */
void upkeep(struct pool *pool, uint64_t now_ns);
uint64_t upkeep_deadline_ns(const struct pool *pool);

/* The host's on_ready and on_end. */
void upkeep_on_ready(struct session *session);
void upkeep_on_end(struct session *session, unsigned failure);

/* Ends every session that is not needed, or lets it finish what it has in flight (LABEL_SESSION_END_). */
void upkeep_drain_all(struct pool *pool, unsigned label);

#endif
