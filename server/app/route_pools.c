#include "app/route_pools.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"

#define SHOW_NS NS_PER_S        /* the age of a session is shown anew so often, at least where the worker has turns */
#define IDLE_NS (60 * NS_PER_S) /* a route's pool is freed when it was not asked for so long and has no session */

enum { REPLACED_MAX = 16 }; /* pools that answer what they have; the oldest is given up for one more */

struct route_pool {
    struct list of_all;
    struct pool *pool;
    uint32_t identity; /* of its route; 0: the default one */
    uint16_t index;
    bool replaced;    /* it takes no new questions */
    uint64_t used_ns; /* asked for, last */

    /* When its next turn is due, as long as nothing happens to it; 0: it is to be asked. */
    uint64_t due_ns;
    uint64_t asked_ns; /* when it was asked */
};

static struct route_pool *of(struct list *node)
{
    return container_of(node, struct route_pool, of_all);
}

static void free_pool(struct route_pool *entry)
{
    list_remove(&entry->of_all);
    pool_free(entry->pool);
    free(entry);
}

/* The options of a route's pool: those of the default one with other upstreams. */
static struct pool_options options_of(const struct route_pools *pools, const struct route *route)
{
    struct pool_options options = pools->options;
    CHECK(route->upstream_count <= UPSTREAMS_MAX);
    memcpy(options.upstreams, route->upstreams, route->upstream_count * sizeof *options.upstreams);
    options.upstream_count = route->upstream_count;
    options.first_series = route->first_series;
    options.route = route->name;
    return options;
}

/* A pool in use from now on; NULL if memory is short. */
static struct route_pool *make_pool(struct route_pools *pools, const struct pool_options *options, uint32_t identity,
                                    uint16_t index)
{
    struct pool_deps deps = pools->deps;
    struct route_pool *entry = calloc(1, sizeof *entry);
    if (!entry) return NULL;
    deps.is_prober = pools->deps.is_prober && index == NAMES_ROUTE_DEFAULT; /* an unused route needs no probes */
    entry->pool = pool_new(options, pools->tls, &deps);
    if (!entry->pool) {
        free(entry);
        return NULL;
    }
    pool_set_resting(entry->pool, pools->resting);
    entry->identity = identity;
    entry->index = index;
    entry->used_ns = pools->deps.loop->now_ns;
    list_push(&pools->all, &entry->of_all);
    return entry;
}

static void set_settings(struct route_pools *pools, const struct route_pools_settings *settings)
{
    CHECK(settings->table->count <= ROUTES_MAX);
    tls_context_free(pools->tls);
    route_table_free(pools->table);
    pools->options = *settings->options;
    pools->tls = tls_context_share(settings->tls);
    pools->table = route_table_share(settings->table);
}

bool route_pools_init(struct route_pools *pools, const struct route_pools_settings *settings,
                      const struct pool_deps *deps, struct counters *former_counters)
{
    *pools = (struct route_pools){.deps = *deps, .former_counters = former_counters};
    list_init(&pools->all);
    set_settings(pools, settings);
    pools->by_index[0] = make_pool(pools, &pools->options, 0, NAMES_ROUTE_DEFAULT);
    return pools->by_index[0];
}

void route_pools_done(struct route_pools *pools)
{
    if (!pools->all.next) return; /* never begun */
    list_for_each_safe (node, &pools->all) free_pool(of(node));
    tls_context_free(pools->tls);
    route_table_free(pools->table);
    *pools = (struct route_pools){.table = NULL};
}

struct pool *route_pools_get(struct route_pools *pools, uint16_t index)
{
    CHECK(index <= pools->table->count);
    struct route_pool **entry = &pools->by_index[index];
    if (!*entry) {
        const struct route *route = &pools->table->routes[index - 1];
        const struct pool_options options = options_of(pools, route);
        *entry = make_pool(pools, &options, route->identity, index);
    }
    if (!*entry) return NULL;
    (*entry)->used_ns = pools->deps.loop->now_ns;
    return (*entry)->pool;
}

/* ---- reload ---- */

/* It answers what it has, and is freed then. */
static void replace(struct route_pools *pools, struct route_pool *entry)
{
    entry->replaced = true;
    pool_drain(entry->pool, CAUSE_RELOAD, pools->former_counters);
}

static void give_up_oldest(struct route_pools *pools)
{
    struct route_pool *oldest = NULL;
    unsigned replaced = 0;
    list_for_each (node, &pools->all) {
        if (!of(node)->replaced) continue;
        if (!oldest) oldest = of(node);
        replaced++;
    }
    if (replaced <= REPLACED_MAX) return;
    pool_abandon(oldest->pool);
    free_pool(oldest);
}

/* Series that now belong to another route start at zero. */
static void forget_series(const struct route_pools *pools, const struct route_table *former)
{
    for (unsigned i = UPSTREAMS_MAX; i < UPSTREAM_SERIES; i++)
        if (pools->table->series[i] != former->series[i]) counters_forget_upstreams(pools->deps.counters, i, 1);
}

/* The default pool stays if its upstreams are the same. False if memory is short. */
static bool apply_default(struct route_pools *pools, struct route_pool *entry)
{
    if (pool_set_options(entry->pool, &pools->options)) {
        pool_set_tls(entry->pool, pools->tls);
        pools->by_index[0] = entry;
        return true;
    }
    struct route_pool *made = make_pool(pools, &pools->options, 0, NAMES_ROUTE_DEFAULT);
    pools->by_index[0] = made ? made : entry;
    if (!made) return false;
    replace(pools, entry);
    counters_forget_upstreams(pools->deps.counters, 0, UPSTREAMS_MAX);
    return true;
}

/* The pool of a route that is still there stays; its index may be another one. */
static void apply_route(struct route_pools *pools, struct route_pool *entry)
{
    const struct route *route = route_table_find(pools->table, entry->identity);
    if (route) {
        const struct pool_options options = options_of(pools, route);
        bool same = pool_set_options(entry->pool, &options);
        CHECK(same); /* the identity is made from the upstreams */
        pool_set_tls(entry->pool, pools->tls);
        entry->index = (uint16_t)(route - pools->table->routes + 1);
        pools->by_index[entry->index] = entry;
        return;
    }
    replace(pools, entry);
}

bool route_pools_apply(struct route_pools *pools, const struct route_pools_settings *settings)
{
    struct route_table *former = route_table_share(pools->table);
    struct route_pool *first = pools->by_index[0];
    set_settings(pools, settings);
    memset(pools->by_index, 0, sizeof pools->by_index);
    bool good = apply_default(pools, first);
    list_for_each_safe (node, &pools->all)
        if (!of(node)->replaced && of(node)->identity != 0) apply_route(pools, of(node));
    forget_series(pools, former);
    give_up_oldest(pools);
    route_table_free(former);
    return good;
}

/* ---- turns ---- */

static bool is_to_be_freed(const struct route_pool *entry, uint64_t now_ns)
{
    if (entry->replaced) return pool_is_idle(entry->pool);
    return entry->identity != 0 && now_ns - entry->used_ns > IDLE_NS && pool_is_idle(entry->pool);
}

/* Most turns bring cached questions only, which no pool sees: 1,500 instructions less for each of them. */
static bool is_due(const struct route_pool *entry, uint64_t now_ns)
{
    return pool_has_news(entry->pool) || now_ns >= entry->due_ns || now_ns >= entry->asked_ns + SHOW_NS;
}

void route_pools_tick(struct route_pools *pools, uint64_t now_ns)
{
    list_for_each_safe (node, &pools->all) {
        struct route_pool *entry = of(node);
        if (!is_due(entry, now_ns)) continue;
        entry->due_ns = 0;
        pool_tick(entry->pool, now_ns);
        if (entry->replaced) pool_flush(entry->pool);
        if (!is_to_be_freed(entry, now_ns)) continue;
        if (!entry->replaced) pools->by_index[entry->index] = NULL;
        free_pool(entry);
    }
}

void route_pools_set_resting(struct route_pools *pools, bool resting)
{
    pools->resting = resting;
    list_for_each (node, &pools->all) pool_set_resting(of(node)->pool, resting);
}

uint64_t route_pools_deadline_ns(const struct route_pools *pools)
{
    uint64_t deadline_ns = CLOCK_NEVER;
    list_for_each (node, &pools->all) {
        struct route_pool *entry = of(node);
        if (entry->due_ns == 0 || pool_has_news(entry->pool)) {
            entry->due_ns = pool_deadline_ns(entry->pool);
            entry->asked_ns = pools->deps.loop->now_ns;
        }
        deadline_ns = clock_earlier(deadline_ns, entry->due_ns);
    }
    return deadline_ns;
}

void route_pools_flush(struct route_pools *pools)
{
    list_for_each (node, &pools->all) pool_flush(of(node)->pool);
}
