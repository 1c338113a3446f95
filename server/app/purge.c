#include "app/purge.h"

#include <string.h>

#include "app/server.h"
#include "dns/presentation.h"

enum { FLAG_SETS = 16 }; /* of QUESTION_KEY_ bits */

static uint64_t forget_name(const struct shared_tables *shared, const uint8_t *name, size_t size)
{
    struct question_key key = {.size = (uint16_t)(size + 3)};
    uint64_t removed = 0;
    memcpy(key.bytes, name, size);
    for (uint16_t type = 1; type < PURGE_TYPES; type++)
        for (uint8_t flags = 0; flags < FLAG_SETS; flags++) {
            dns_put_u16(key.bytes + size, type);
            key.bytes[size + 2] = flags;
            const struct hashed_key hashed = {key.bytes, key.size, hash_bytes(&shared->hash_key, key.bytes, key.size)};
            removed += cache_remove(shared->cache, &hashed);
        }
    return removed;
}

bool purge(void *context, const char *name, uint64_t *ret_removed)
{
    const struct server *server = context;
    uint8_t wire[DNS_NAME_MAX];
    size_t size = name ? presentation_parse_name(name, wire) : 0;
    if (name && size == 0) return false;
    if (name) {
        *ret_removed = forget_name(&server->shared, wire, size);
    } else {
        *ret_removed = cache_figures(server->shared.cache).entries;
        cache_clear(server->shared.cache);
    }
    log_info(server->log, "cache purged", log_text("what", name ? "a name" : "all"),
             log_number("removed", *ret_removed));
    return true;
}
