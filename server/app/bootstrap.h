/* bootstrap: looks up the addresses of upstreams that the configuration has by name alone.
 *
 * The servers of `bootstrap` are asked for A and AAAA records, over TLS or plain TCP, by a pool of the main thread's
 * own on its loop: nothing blocks, and the system's resolver, which may be this program, is never asked. A name is
 * looked up when it comes into the configuration, and again when the TTL of its answer is over (at least 5 s, at most a
 * day). A look-up that fails changes nothing: the last addresses stay in use. That is logged once, until the name is
 * found again, and it is tried again after a second, doubled up to 10 s while no address is known, and to a minute
 * after.
 *
 * Main thread only. Bounds: UPSTREAMS_MAX names with ADDRESS_RECORDS_MAX addresses of each family. */
#ifndef APP_BOOTSTRAP_H
#define APP_BOOTSTRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/log.h"
#include "common/loop.h"
#include "config/options.h"
#include "upstream/pool.h"

struct bootstrap;

/* Without names. `log` outlives it. NULL if memory is short. */
struct bootstrap *bootstrap_new(const struct log *log);
void bootstrap_free(struct bootstrap *bootstrap); /* NULL is fine */

/* The main thread's loop, which outlives it; once, before bootstrap_prepare finds a name. */
void bootstrap_set_loop(struct bootstrap *bootstrap, struct loop *loop);

/* Whether the configuration has a name without an address. */
bool bootstrap_is_needed(const struct config *config);

/* Makes what bootstrap_set takes: a pool for the servers of the configuration; NULL if the one in use will do, or none
 * is needed. False: memory is short. The pool is the caller's until it is set. */
bool bootstrap_prepare(struct bootstrap *bootstrap, const struct config *config, struct tls_context *tls,
                       struct pool **ret_pool);

/* The configuration in force from now on: its names are looked up, and those that were there before keep their
 * addresses. Takes the pool. `tls` is shared, not taken. */
void bootstrap_set(struct bootstrap *bootstrap, const struct config *config, struct tls_context *tls,
                   struct pool *pool);

/* Does what is due; in each turn of the loop, after its events. What bootstrap_resolve says may be another then. */
void bootstrap_tick(struct bootstrap *bootstrap, uint64_t now_ns);

/* When to call bootstrap_tick next, at the latest. */
uint64_t bootstrap_deadline_ns(const struct bootstrap *bootstrap);

/* The upstreams of the configuration with each name in the place of its addresses, as far as they are known: IPv4
 * first, none twice, and at least one place for each entry of the configuration. Returns their number, which may be 0.
 */
unsigned bootstrap_resolve(const struct bootstrap *bootstrap, const struct pool_options *configured,
                           struct upstream_options ret_upstreams[static UPSTREAMS_MAX]);

/* For the metrics: names, and those whose last look-up failed, or that no address is known of yet. */
struct bootstrap_figures {
    unsigned names;
    unsigned failing;
};
struct bootstrap_figures bootstrap_figures(const struct bootstrap *bootstrap);

#endif
