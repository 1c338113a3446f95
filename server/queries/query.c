#include "queries/query.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "queries/reply.h"
#include "upstream/pool.h"

static struct list *bucket_of(const struct queries *queries, uint64_t hash)
{
    return &queries->buckets[hash & (queries->bucket_count - 1)];
}

bool queries_init(struct queries *queries, uint32_t max_queries, const struct hash_key *hash_key,
                  struct notices *notices)
{
    *queries = (struct queries){.counters = notices->counters, .notices = notices, .hash_key = hash_key};
    list_init(&queries->outdated);
    return slots_init(&queries->queries, sizeof(struct query), 0) &&
           slots_init(&queries->waiters, sizeof(struct waiter), 0) && queries_set_max(queries, max_queries);
}

/* At least as many buckets as queries; there are never fewer than before. */
static bool grow_buckets(struct queries *queries, uint32_t max_queries)
{
    struct list *former = queries->buckets;
    uint32_t former_count = queries->bucket_count;
    uint32_t count = former_count ? former_count : 1;
    while (count < max_queries) count *= 2;
    if (count == former_count) return true;
    struct list *buckets = calloc(count, sizeof *buckets);
    if (!buckets) return false;
    for (uint32_t i = 0; i < count; i++) list_init(&buckets[i]);
    queries->buckets = buckets;
    queries->bucket_count = count;
    for (uint32_t i = 0; i < former_count; i++)
        for (struct list *node; (node = list_take(&former[i]));) {
            struct list *bucket = bucket_of(queries, container_of(node, struct query, of_bucket)->hash);
            CHECK(bucket->previous); /* it was begun above */
            list_push(bucket, node);
        }
    free(former);
    return true;
}

bool queries_set_max(struct queries *queries, uint32_t max_queries)
{
    uint32_t former = queries->queries.max;
    if (!grow_buckets(queries, max_queries)) return false;
    if (!slots_set_max(&queries->queries, max_queries)) return false;
    if (slots_set_max(&queries->waiters, max_queries * WAITERS_PER_QUERY)) return true;
    slots_set_max(&queries->queries, former);
    return false;
}

void queries_done(struct queries *queries)
{
    free(queries->buckets);
    slots_done(&queries->queries);
    slots_done(&queries->waiters);
    *queries = (struct queries){0};
}

void queries_prefetch(const struct queries *queries, const struct hashed_key *key)
{
    __builtin_prefetch(bucket_of(queries, key->hash));
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
    query->exchange.key.size = key->size;
    memcpy(query->exchange.key.bytes, key->bytes, key->size);
    query->hash = hash;
    query->is_ranked = true;
    list_push(bucket_of(queries, hash), &query->of_bucket);
    return query;
}

void queries_outdate(struct queries *queries, struct query *query)
{
    CHECK(!list_is_empty(&query->of_bucket));
    list_remove(&query->of_bucket);
    list_push(&queries->outdated, &query->of_bucket);
}

/* ---- waiters ---- */

static void remove_waiter(struct queries *queries, struct waiter *waiter)
{
    list_remove(&waiter->of_query);
    CHECK(queries->tally.counts[waiter->tally_slot] > 0);
    queries->tally.counts[waiter->tally_slot]--;
    slots_give(&queries->waiters, waiter);
}

static uint32_t share_of(const struct slots *slots, bool is_light, bool is_verified)
{
    if (!is_light) return slots->max - slots->max / 4;
    return is_verified ? slots->max : slots->max - slots->max / 8;
}

bool queries_may_ask(const struct queries *queries, bool is_light, bool is_verified)
{
    return queries->queries.taken < share_of(&queries->queries, is_light, is_verified);
}

bool queries_may_wait(const struct queries *queries, bool is_light, bool is_verified)
{
    return queries->waiters.taken < share_of(&queries->waiters, is_light, is_verified);
}

bool queries_wait(struct queries *queries, struct query *query, const struct requester *requester,
                  const struct question *question, const struct reply_profile *profile, uint64_t now_ns)
{
    struct waiter *waiter = slots_take(&queries->waiters);
    if (!waiter) return false;
    waiter->transport = requester->transport;
    waiter->client = requester->client;
    waiter->address = *requester->address;
    waiter->profile = *profile;
    waiter->asked_ns = now_ns;
    waiter->tally_slot = tally_slot(&queries->tally, requester->address, queries->hash_key);
    queries->tally.counts[waiter->tally_slot]++;
    spelling_take(question->name, question->name_size, &waiter->spelling);
    list_push(&query->waiters, &waiter->of_query);
    return true;
}

uint32_t queries_of_client(struct queries *queries, const struct address *client)
{
    return queries->tally.counts[tally_slot(&queries->tally, client, queries->hash_key)];
}

/* What a reply to a waiter is made from; `question` points into `name`. */
struct addressee {
    struct requester requester;
    struct question question;
    uint8_t name[DNS_NAME_MAX]; /* as the client spelt it */
};

/* How the waiting of a client ended. */
struct waiting_end {
    enum label_source source;
    uint64_t took_ns;
    bool is_given; /* the client was still there */
};

static void address_waiter(const struct query *query, const struct waiter *waiter, struct addressee *ret_addressee)
{
    const struct question_key *key = &query->exchange.key;
    size_t name_size = question_key_name_size(key);
    spelling_apply(&waiter->spelling, key->bytes, name_size, ret_addressee->name);
    ret_addressee->requester =
        (struct requester){.transport = waiter->transport, .client = waiter->client, .address = &waiter->address};
    ret_addressee->question = (struct question){
        .name = ret_addressee->name,
        .name_size = (uint8_t)name_size,
        .type = question_key_type(key),
        .class = DNS_CLASS_IN,
    };
}

/* Gives a waiter the answer. False if its client has gone. */
static bool give_answer(struct queries *queries, const struct waiter *waiter, const struct addressee *to,
                        const struct answer *answer, const struct answer_use *use)
{
    uint8_t *reply = waiter->transport->begin_reply(&to->requester, answer->size + EDNS_REPLY_MAX);
    if (!reply) {
        reply_drop(queries->counters, &to->requester, LABEL_DROPPED_CLIENT_GONE);
        return false;
    }
    memcpy(reply, answer->bytes, answer->size);
    bool is_answer =
        reply_answer(queries->counters, &to->requester, reply, answer->size, &waiter->profile, to->name, use);
    CHECK(is_answer); /* its bytes were made by dns/answer.c in this process */
    return true;
}

/* A waiter's query has ended with `error`, of which an answer has only the code and what upstream said, or it could not
 * be given. */
static void end_waiter(struct queries *queries, const struct query *query, const struct addressee *to,
                       const struct answer_error *error, const struct waiting_end *how)
{
    struct histogram *durations = &queries->counters->request_duration[how->source][to->requester.transport->label];
    if (how->is_given) histogram_observe(durations, how->took_ns, 1);
    if (!notices_want(queries->notices, error->rcode, how->source, how->took_ns)) return;
    struct query_end end = {
        .requester = &to->requester,
        .question = &to->question,
        .key = &query->exchange.key,
        .exchange = &query->exchange,
        .error = *error,
        .source = how->source,
        .took_ns = how->took_ns,
        .reason = how->is_given ? NULL : "client_gone",
    };
    if (!how->is_given) end.error = (struct answer_error){.rcode = QUERY_NO_RCODE, .ede_code = DNS_EDE_NONE};
    notices_end(queries->notices, &end);
}

void queries_answer(struct queries *queries, struct query *query, const struct answer *answer,
                    const struct answer_use *use, enum label_source source, uint64_t now_ns)
{
    const struct answer_error said = {.rcode = answer->rcode,
                                      .ede_code = use->ede_code,
                                      .errors = answer->errors,
                                      .errors_size = answer->errors_size};
    struct list *node;
    while ((node = list_first(&query->waiters))) {
        struct waiter *waiter = container_of(node, struct waiter, of_query);
        struct addressee to;
        address_waiter(query, waiter, &to);
        bool given = give_answer(queries, waiter, &to, answer, use);
        if (given && source == LABEL_SOURCE_STALE) count_event(queries->counters, cache_stale);
        end_waiter(queries, query, &to, &said, &(struct waiting_end){source, now_ns - waiter->asked_ns, given});
        remove_waiter(queries, waiter);
    }
}

void queries_fail(struct queries *queries, struct query *query, const struct answer_error *error, uint64_t now_ns)
{
    struct list *node;
    while ((node = list_first(&query->waiters))) {
        struct waiter *waiter = container_of(node, struct waiter, of_query);
        struct addressee to;
        address_waiter(query, waiter, &to);
        bool given = reply_error(queries->counters, &to.requester, &to.question, &waiter->profile, error);
        const struct waiting_end how = {LABEL_SOURCE_UPSTREAM, now_ns - waiter->asked_ns, given};
        end_waiter(queries, query, &to, error, &how);
        remove_waiter(queries, waiter);
    }
}

struct query *queries_any(const struct queries *queries)
{
    struct list *first = list_first(&queries->outdated);
    for (uint32_t i = 0; !first && queries->queries.taken > 0 && i < queries->bucket_count; i++)
        first = list_first(&queries->buckets[i]);
    return first ? container_of(first, struct query, of_bucket) : NULL;
}

struct answer_error query_error(const struct query *query, enum exchange_result result)
{
    struct answer_error error = {.rcode = DNS_RCODE_SERVFAIL, .ede_code = DNS_EDE_NETWORK_ERROR};
    const struct opinions *opinions = &query->exchange.opinions;
    switch (result) {
    case EXCHANGE_TIMED_OUT:
        error.ede_code = DNS_EDE_NO_REACHABLE_AUTHORITY;
        error.ede_text = "upstream does not answer";
        break;
    case EXCHANGE_UNREACHABLE:
        error.ede_text = query->is_submitted ? pool_error(query->pool) : NULL;
        if (!error.ede_text) error.ede_text = "upstream is out of reach";
        break;
    case EXCHANGE_FAILED:
        error.ede_code = DNS_EDE_NONE;
        error.errors = opinions->errors;
        error.errors_size = opinions->errors_size;
        if (opinions->errors_size > 0 || opinions->rcode == DNS_RCODE_SERVFAIL) break;
        error.ede_code = DNS_EDE_NO_REACHABLE_AUTHORITY;
        error.ede_text = opinions->rcode == DNS_RCODE_REFUSED ? "upstream refuses" : "upstream answers with an error";
        break;
    case EXCHANGE_ANSWERED:
    case EXCHANGE_FAULTY:
    case EXCHANGE_RESULTS: error.ede_text = "upstream answers wrongly"; break;
    }
    return error;
}

/* ---- its end ---- */

void queries_remove(struct queries *queries, struct query *query)
{
    list_for_each_safe (node, &query->waiters) remove_waiter(queries, container_of(node, struct waiter, of_query));
    CHECK(!list_is_empty(&query->of_bucket));
    list_remove(&query->of_bucket);
    timeout_stop(&query->patience);
    slots_give(&queries->queries, query);
}
