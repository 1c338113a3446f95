#include "app/route_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "dns/presentation.h"

/* Room for `count` series in a row that no route has; UPSTREAM_SERIES_REST if there is none. */
static unsigned free_series(const struct route_table *table, unsigned count)
{
    unsigned length = 0;
    for (unsigned i = UPSTREAMS_MAX; i < UPSTREAM_SERIES_REST; i++) {
        length = table->series[i] == 0 ? length + 1 : 0;
        if (length == count) return i + 1 - count;
    }
    return UPSTREAM_SERIES_REST;
}

static void take_series(struct route_table *table, struct route *route, unsigned first)
{
    route->first_series = first;
    if (first == UPSTREAM_SERIES_REST) {
        table->series[first] = 1; /* several share it */
        return;
    }
    for (unsigned i = 0; i < route->upstream_count; i++) table->series[first + i] = route->identity;
}

static bool copy_route(struct route *route, const struct route_options *options, uint32_t identity)
{
    char name[PRESENTATION_NAME_BYTES];
    size_t bytes = options->upstreams.count * sizeof *route->upstreams;
    const struct route_zone *zone = &options->zones.list[0];
    presentation_name(zone->name, zone->size, name);
    name[strlen(name) - 1] = '\0'; /* the dot at the end */
    route->identity = identity;
    route->upstream_count = (unsigned)options->upstreams.count;
    route->upstreams = malloc(bytes);
    route->name = strdup(name);
    if (!route->upstreams || !route->name) return false;
    memcpy(route->upstreams, options->upstreams.list, bytes);
    return true;
}

/* What a route was before the reload stays with it. */
static void inherit(struct route_table *table, const struct route_table *former)
{
    for (unsigned i = 0; former && i < table->count; i++) {
        struct route *route = &table->routes[i];
        struct route *before = route_table_find(former, route->identity);
        if (!before) continue;
        atomic_store(&route->answered_ns, atomic_load(&before->answered_ns));
        atomic_store(&route->failed_ns, atomic_load(&before->failed_ns));
        if (before->first_series != UPSTREAM_SERIES_REST) take_series(table, route, before->first_series);
    }
}

struct route_table *route_table_new(const struct routes_options *options, const struct names *names,
                                    const struct route_table *former)
{
    struct route_table *table = calloc(1, sizeof *table);
    if (!table) return NULL;
    atomic_init(&table->owners, 1);
    table->routes = calloc(options->count + 1, sizeof *table->routes);
    if (!table->routes) goto fail;
    for (; table->count < options->count; table->count++) {
        struct route *route = &table->routes[table->count];
        if (!copy_route(route, &options->list[table->count],
                        names_route_identity(names, (uint16_t)(table->count + 1)))) {
            table->count++;
            goto fail;
        }
    }
    inherit(table, former);
    for (unsigned i = 0; i < table->count; i++)
        if (table->routes[i].first_series == 0)
            take_series(table, &table->routes[i], free_series(table, table->routes[i].upstream_count));
    return table;
fail:
    route_table_free(table);
    return NULL;
}

struct route_table *route_table_share(struct route_table *table)
{
    if (table) atomic_fetch_add_explicit(&table->owners, 1, memory_order_relaxed);
    return table;
}

void route_table_free(struct route_table *table)
{
    if (!table) return;
    unsigned owners = atomic_fetch_sub_explicit(&table->owners, 1, memory_order_acq_rel);
    CHECK(owners > 0);
    if (owners > 1) return;
    for (unsigned i = 0; i < table->count; i++) {
        free(table->routes[i].upstreams);
        free(table->routes[i].name);
    }
    free(table->routes);
    free(table);
}

struct route *route_table_find(const struct route_table *table, uint32_t identity)
{
    for (unsigned i = 0; i < table->count; i++)
        if (table->routes[i].identity == identity) return &table->routes[i];
    return NULL;
}

void route_note(struct route *route, bool answered, uint64_t now_ns)
{
    atomic_store_explicit(answered ? &route->answered_ns : &route->failed_ns, now_ns, memory_order_relaxed);
}

bool route_is_failing(const struct route *route)
{
    return atomic_load_explicit(&route->failed_ns, memory_order_relaxed) >
           atomic_load_explicit(&route->answered_ns, memory_order_relaxed);
}

unsigned route_table_list_failing(const struct route_table *table, char *text, size_t size)
{
    unsigned failing = 0;
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < table->count; i++) {
        if (!route_is_failing(&table->routes[i])) continue;
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", failing > 0 ? ", " : "", table->routes[i].name);
        failing++;
    }
    return failing;
}
