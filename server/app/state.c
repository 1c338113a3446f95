#include "app/state.h"

#include <string.h>

#include "common/clock.h"
#include "common/hash.h"

_Static_assert((int)STATE_COOKIE_KEY_BYTES == (int)COOKIE_SECRET_BYTES, "the key of cookies");

/* ---- whose answers are kept ---- */

/* A number for what was hashed: sums of them do not depend on the order. */
static uint64_t number_of(const void *bytes, size_t size)
{
    static const uint8_t key[HASH_KEY_BYTES] = "state's origins";
    return hash_bytes_strong(key, bytes, size);
}

static uint64_t number_of_upstreams(const struct upstream_options *upstreams, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const struct upstream_options *upstream = &upstreams[i];
        const uint64_t parts[] = {
            number_of(upstream->address.ip, sizeof upstream->address.ip),
            upstream->address.port,
            (uint64_t)upstream->transport,
            number_of(upstream->name, strlen(upstream->name)),
        };
        sum += number_of(parts, sizeof parts);
    }
    return sum;
}

/* Stands for the upstreams of all routes: answers of others are not to be given. The order does not count, nor do names
 * of our own, which are looked up before the cache. */
static uint64_t origin_of(const struct config *config)
{
    uint64_t sum = number_of_upstreams(config->pool.upstreams, config->pool.upstream_count);
    for (size_t i = 0; i < config->routes.count; i++) {
        const struct route_options *route = &config->routes.list[i];
        uint64_t parts[] = {0, number_of_upstreams(route->upstreams.list, route->upstreams.count)};
        for (size_t j = 0; j < route->zones.count; j++)
            parts[0] += number_of(route->zones.list[j].name, route->zones.list[j].size);
        sum += number_of(parts, sizeof parts);
    }
    return sum;
}

/* ---- the keeper ---- */

struct keeper_settings state_settings(const struct config *config, struct names *names, const struct cookie_keys *keys)
{
    struct keeper_settings settings = {
        .options = config->state,
        .forwarder = config->forwarder,
        .stale_ns = config->cache.stale_ns,
        .half_life_ns = config->topnames.half_life_ns,
        .top = config->topnames.top,
        .names = names,
        .origin = origin_of(config),
        .has_cookie_key = keys->rotates,
    };
    memcpy(settings.cookie_key, keys->master, sizeof settings.cookie_key);
    return settings;
}

bool state_make(const struct keeper_deps *deps, const struct keeper_settings *settings, struct shared_tables *shared,
                struct cookie_keys *keys, struct keeper **ret_keeper)
{
    uint8_t master[COOKIE_SECRET_BYTES];
    bool is_off;
    struct keeper *keeper = keeper_new(deps, settings, &is_off);
    *ret_keeper = keeper;
    if (!keeper) return is_off;
    shared->warmup = warmup_new();
    if (keys->rotates && keeper_read_cookie_key(keeper, master))
        *keys = cookie_keys_of_master(master, (uint32_t)clock_wall_s());
    explicit_bzero(master, sizeof master);
    return shared->warmup;
}
