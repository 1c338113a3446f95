/* probe: queries of the proxy's own, for the name servers of the root: the one question that every resolver answers
 * from memory. They prove the path if clients' questions do not, keep a session warm, and tell whether an upstream
 * that is avoided answers again. Part of the pool; one thread. */
#ifndef UPSTREAM_PROBE_H
#define UPSTREAM_PROBE_H

#include <stdbool.h>
#include <stdint.h>

struct pool;
struct upstream;

void probe_init(struct pool *pool);

/* Cancels those under way. */
void probe_stop(struct pool *pool);

/* Asks any upstream; nothing happens if such a probe is under way. */
void probe_path(struct pool *pool, uint64_t now_ns);

/* Asks that upstream; the same. */
void probe_upstream(struct pool *pool, struct upstream *upstream, uint64_t now_ns);

/* Sends probes that are due, and gives up those that were not answered in time: their upstream is silent. */
void probe_tick(struct pool *pool, uint64_t now_ns);
uint64_t probe_deadline_ns(const struct pool *pool);

/* Clients asked lately: only then upstreams are tried without a question that waits for it. */
bool probe_is_traffic_recent(const struct pool *pool, uint64_t now_ns);

#endif
