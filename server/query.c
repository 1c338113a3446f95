#include "query.h"

#include <stdlib.h>
#include <string.h>

bool queries_init(struct queries *queries, uint32_t max_queries)
{
    *queries = (struct queries){.bucket_count = 1};
    while (queries->bucket_count < max_queries) queries->bucket_count *= 2;
    queries->buckets = calloc(queries->bucket_count, sizeof *queries->buckets);
    if (!queries->buckets) return false;
    for (uint32_t i = 0; i < queries->bucket_count; i++) list_init(&queries->buckets[i]);
    return slots_init(&queries->queries, sizeof(struct query), max_queries) &&
           slots_init(&queries->waiters, sizeof(struct waiter), max_queries * WAITERS_PER_QUERY);
}

void queries_done(struct queries *queries)
{
    free(queries->buckets);
    slots_done(&queries->queries);
    slots_done(&queries->waiters);
    *queries = (struct queries){0};
}

static struct list *bucket_of(const struct queries *queries, uint64_t hash)
{
    return &queries->buckets[hash & (queries->bucket_count - 1)];
}

struct query *queries_find(const struct queries *queries, const struct hashed_key *key)
{
    list_for_each (node, bucket_of(queries, key->hash)) {
        struct query *query = container_of(node, struct query, of_bucket);
        const struct question_key *own = &query->exchange.key;
        if (query->hash == key->hash && own->size == key->size && memcmp(own->bytes, key->bytes, key->size) == 0)
            return query;
    }
    return NULL;
}

struct query *queries_add(struct queries *queries, const struct question_key *key, uint64_t hash)
{
    struct query *query = slots_take(&queries->queries);
    if (!query) return NULL;
    list_init(&query->waiters);
    timeout_init(&query->patience);
    query->exchange.key = *key;
    query->hash = hash;
    list_push(bucket_of(queries, hash), &query->of_bucket);
    return query;
}

void queries_remove(struct queries *queries, struct query *query)
{
    list_remove(&query->of_bucket);
    timeout_stop(&query->patience);
    slots_give(&queries->queries, query);
}

struct waiter *queries_add_waiter(struct queries *queries, struct query *query)
{
    struct waiter *waiter = slots_take(&queries->waiters);
    if (waiter) list_push(&query->waiters, &waiter->of_query);
    return waiter;
}

void queries_remove_waiter(struct queries *queries, struct waiter *waiter)
{
    list_remove(&waiter->of_query);
    slots_give(&queries->waiters, waiter);
}

struct query *queries_any(const struct queries *queries)
{
    for (uint32_t i = 0; queries->queries.taken > 0 && i < queries->bucket_count; i++) {
        struct list *first = list_first(&queries->buckets[i]);
        if (first) return container_of(first, struct query, of_bucket);
    }
    return NULL;
}
