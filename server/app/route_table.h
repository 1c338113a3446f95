/* route_table: the routes of a configuration as the workers use them: for each its upstreams, its series in the
 * metrics, and whether its questions are answered.
 *
 * Made by the main thread and not changed afterwards, except for the two times of a route, which any worker sets, and
 * is shared by reference count. A reload makes another, in which a route that stays as it was keeps its series and
 * times. */
#ifndef APP_ROUTE_TABLE_H
#define APP_ROUTE_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/options.h"
#include "metrics/counters.h"
#include "queries/names.h"

struct route {
    uint32_t identity;     /* queries/names.h */
    unsigned first_series; /* of its first upstream; UPSTREAM_SERIES_REST: none of its own */
    unsigned upstream_count;
    struct upstream_options *upstreams;
    char *name; /* its first zone */

    /* When a question of it was answered, and when one failed, last; 0: never. */
    _Atomic uint64_t answered_ns;
    _Atomic uint64_t failed_ns;
};

struct route_table {
    atomic_uint owners;
    unsigned count; /* the route of index i of `names` is routes[i - 1] */
    struct route *routes;
    uint32_t series[UPSTREAM_SERIES]; /* the identity of the route that has it; 0: none */
};

/* The routes of the configuration, whose zones are in `names`; `former` may be NULL. NULL if memory is short. */
struct route_table *route_table_new(const struct routes_options *options, const struct names *names,
                                    const struct route_table *former);
struct route_table *route_table_share(struct route_table *table);
void route_table_free(struct route_table *table);

/* By identity; NULL if there is none. */
struct route *route_table_find(const struct route_table *table, uint32_t identity);

/* A question that took the route was answered, or was not. Any thread. */
void route_note(struct route *route, bool answered, uint64_t now_ns);

/* Its last question failed, and none was answered since. */
bool route_is_failing(const struct route *route);

/* Writes the names of the failing routes, ", " between them, cut if there is no room; returns how many fail. */
unsigned route_table_list_failing(const struct route_table *table, char *text, size_t size);

#endif
