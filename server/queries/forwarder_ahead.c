#include "common/check.h"
#include "queries/forwarder.h"

void forwarder_read_ahead(struct forwarder *forwarder, struct client_message *messages, unsigned count)
{
    const struct shared_tables *shared = forwarder->shared;
    CHECK(count <= READ_AHEAD_MAX);
    for (unsigned i = 0; i < count; i++) {
        struct incoming *in = messages[i].read_ahead = &forwarder->ahead[i];
        incoming_read(in, &messages[i], forwarder->names, &shared->hash_key);
        in->is_cold = incoming_is_looked_up(in) && !hot_answers_may_have(&forwarder->hot, in->hashed.hash);
        if (!in->is_cold) continue;
        cache_prefetch(shared->cache, &in->hashed);
        topnames_prefetch(shared->topnames, &in->hashed);
    }
    for (unsigned i = 0; i < count; i++) { /* the buckets are here by now; most that is not in the cache is new */
        const struct incoming *in = &forwarder->ahead[i];
        if (!in->is_cold || cache_prefetch_value(shared->cache, &in->hashed)) continue;
        topnames_prefetch_candidate(shared->topnames, &in->hashed);
        queries_prefetch(&forwarder->queries, &in->hashed);
    }
    const struct incoming *first = forwarder->ahead;
    if (count > 0 && incoming_is_looked_up(first)) hot_answers_vote(&forwarder->hot, first->hashed.hash);
}
