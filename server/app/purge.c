#include "app/purge.h"

#include <pthread.h>
#include <string.h>

#include "app/server.h"
#include "common/clock.h"
#include "dns/presentation.h"

enum { FLAG_SETS = 16 }; /* of QUESTION_KEY_ bits */

/* `route` is an identity (queries/names.h), 0: the default route. */
static uint64_t forget_name(const struct shared_tables *shared, const uint8_t *name, size_t size, uint32_t route)
{
    uint64_t removed = 0;
    for (unsigned type = 1; type < PURGE_TYPES; type++)
        for (unsigned flags = 0; flags < FLAG_SETS; flags++) {
            struct question_key key = {.size = (uint16_t)(size + 3)};
            memcpy(key.bytes, name, size);
            dns_put_u16(key.bytes + size, (uint16_t)type);
            key.bytes[size + 2] = (uint8_t)flags;
            if (route != 0) question_key_set_route(&key, route);
            const struct hashed_key hashed = {key.bytes, key.size, hash_bytes(&shared->hash_key, key.bytes, key.size)};
            removed += cache_remove(shared->cache, &hashed);
        }
    return removed;
}

/* The identity of the route that the name takes now. */
static uint32_t route_of(struct server *server, const uint8_t *name, size_t size)
{
    struct names_found found;
    pthread_mutex_lock(&server->config_lock);
    struct names *names = names_share(server->names);
    pthread_mutex_unlock(&server->config_lock);
    names_find(names, name, size, DNS_TYPE_A, &found);
    uint32_t route = names_route_identity(names, found.verdict == NAMES_RESOLVE ? found.route : NAMES_ROUTE_DEFAULT);
    names_free(names);
    return route;
}

bool purge(void *context, const char *name, uint64_t *ret_removed)
{
    struct server *server = context;
    uint8_t wire[DNS_NAME_MAX];
    size_t size = name ? presentation_parse_name(name, wire) : 0;
    if (name && size == 0) return false;
    keeper_note_purge(server->keeper, name ? wire : NULL, size);
    purges_note(&server->purges, name ? wire : NULL, size, clock_wall_ns() / NS_PER_MS);
    if (name) {
        *ret_removed = forget_name(&server->shared, wire, size, route_of(server, wire, size));
    } else {
        *ret_removed = cache_figures(server->shared.cache).entries;
        cache_clear(server->shared.cache);
    }
    keeper_remove_snapshot(server->keeper);
    log_info(server->log, "cache purged", log_text("what", name ? "a name" : "all"),
             log_number("removed", *ret_removed));
    return true;
}
