#include "common/check.h"
#include "queries/forwarder.h"

void forwarder_read_ahead(struct forwarder *forwarder, struct client_message *messages, unsigned count)
{
    const struct shared_tables *shared = forwarder->shared;
    CHECK(count <= READ_AHEAD_MAX);
    for (unsigned i = 0; i < count; i++) {
        struct incoming *in = messages[i].read_ahead = &forwarder->ahead[i];
        incoming_read(in, &messages[i], forwarder->names, &shared->hash_key);
        if (!incoming_is_looked_up(in)) continue;
        cache_prefetch(shared->cache, &in->hashed);
        topnames_prefetch(shared->topnames, &in->hashed);
    }
    for (unsigned i = 0; i < count; i++) { /* the buckets are here by now */
        const struct incoming *in = &forwarder->ahead[i];
        if (incoming_is_looked_up(in) && !cache_prefetch_value(shared->cache, &in->hashed))
            queries_prefetch(&forwarder->queries, &in->hashed);
    }
}
