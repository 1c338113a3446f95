/* route_pools: a worker's pools: one for each route that was asked, the default one among them, and those that a reload
 * has replaced, until their questions are answered.
 *
 * A route's pool is made when the first question takes it, and freed when it was idle for a while, so that routes
 * nobody asks cost nothing. A reload keeps the pools of routes that stay as they were. One thread. */
#ifndef APP_ROUTE_POOLS_H
#define APP_ROUTE_POOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "app/route_table.h"
#include "common/list.h"
#include "upstream/pool.h"

struct route_pools {
    struct pool_deps deps;            /* of all pools; `counters` of those in use */
    struct counters *former_counters; /* replaced pools count here: their series may be others' now */
    struct pool_options options;      /* of the default route; those of the others except for their upstreams */
    struct tls_context *tls;          /* an owner's share */
    struct route_table *table;        /* an owner's share */
    struct list all;                  /* of struct route_pool, the default one first */
    bool resting;                     /* the worker is inactive */
    struct route_pool *by_index[ROUTES_MAX + 1]; /* of the routes of `table`; NULL: not made */
};

/* What a reload changes. */
struct route_pools_settings {
    const struct pool_options *options;
    struct tls_context *tls;
    struct route_table *table;
};

/* Makes the default route's pool. False if memory is short; route_pools_done all the same. The settings are shared,
 * not taken. */
bool route_pools_init(struct route_pools *pools, const struct route_pools_settings *settings,
                      const struct pool_deps *deps, struct counters *former_counters);
void route_pools_done(struct route_pools *pools); /* every exchange must be done or cancelled */

/* New settings. False if memory is short: the former upstreams stay in use. */
bool route_pools_apply(struct route_pools *pools, const struct route_pools_settings *settings);

/* The pool of a route by its index, 0 the default one; made if there is none. NULL if memory is short. */
struct pool *route_pools_get(struct route_pools *pools, uint16_t index);

/* As the functions of pool.h, for all, also those made later. */
void route_pools_set_resting(struct route_pools *pools, bool resting);
void route_pools_tick(struct route_pools *pools, uint64_t now_ns);
uint64_t route_pools_deadline_ns(const struct route_pools *pools);
void route_pools_flush(struct route_pools *pools);

#endif
