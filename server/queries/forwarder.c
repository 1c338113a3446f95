#include "queries/forwarder.h"

#include <stdlib.h>

#include "common/clock.h"
#include "queries/fetching.h"
#include "queries/reply.h"
#include "queries/retention.h"

#define PATIENCE_NS (1800 * NS_PER_MS) /* how long upstream may take if a stale answer is there (RFC 8767, 5) */

enum {
    LIGHT_CLIENT_MAX = 4, /* a client with fewer questions in flight than this leaves room for others */
};

/* ---- the path of a query ---- */

/* Why the query is refused, in order of precedence. Takes its token from the rate limit. */
static enum refusal admit(struct forwarder *forwarder, const struct client_message *message, struct incoming *in)
{
    enum question_verdict verdict = in->verdict;
    const struct transport *transport = in->requester->transport;
    enum refusal refusal = REFUSAL_NONE;
    if (verdict == QUESTION_CLOSE) return REFUSAL_NOT_QUERY;
    if (message->refusal == REFUSAL_PROHIBITED) return REFUSAL_PROHIBITED;
    if (transport->admit)
        refusal = transport->admit(in->requester, &in->question, verdict, &in->profile, &in->is_verified);
    if (in->is_verified && !ratelimit_take_one(forwarder->shared->ratelimit, &forwarder->last_client,
                                               in->requester->address, message->behind, forwarder->loop->now_ns))
        refusal = refusal_over_rate(forwarder->options.rate_limit_action);
    if (refusal == REFUSAL_NONE) refusal = message->refusal;
    return refusal != REFUSAL_NONE ? refusal : refusal_of(verdict);
}

/* Counts a query answered from the cache, by the worker's copy if there is one. Asks upstream again if its answer ends
 * soon and `is_refreshed`: a failure is remembered for its second alone. */
static void note_hit(struct forwarder *forwarder, const struct incoming *in, enum cache_state state,
                     const struct cache_found *found, struct hot_answer *copy, bool is_refreshed)
{
    uint64_t now_ns = forwarder->loop->now_ns;
    enum label_transport transport = in->requester->transport->label;
    if (state == CACHE_STALE) {
        count_event(forwarder->counters, cache_misses);
        count_event(forwarder->counters, cache_stale);
        histogram_observe(cell_request_duration(forwarder->counters, LABEL_SOURCE_STALE, transport), 0, 1);
        return;
    }
    count_event(forwarder->counters, cache_hits);
    forwarder->hits[transport]++;
    if (copy)
        hot_answers_count(&forwarder->hot, copy, now_ns + found->left_ns, now_ns);
    else
        topnames_count(forwarder->shared->topnames, &in->hashed, now_ns + found->left_ns, now_ns);
    if (found->refresh_due && is_refreshed && !fetch_find(forwarder, &in->hashed))
        fetch_begin(forwarder, in->route, &in->key, in->hashed.hash, REQUESTER_NONE);
}

/* The query in flight for the same question, or a new one. NULL if there is no room. `is_ranked`: it is for a top
 * name. */
static struct query *join_or_ask(struct forwarder *forwarder, const struct incoming *in, bool is_ranked)
{
    bool light = queries_of_client(&forwarder->queries, in->requester->address) < LIGHT_CLIENT_MAX;
    struct query *query = fetch_find(forwarder, &in->hashed);
    if (in->requester->must_not_wait || !queries_may_wait(&forwarder->queries, light, in->is_verified)) return NULL;
    if (query) {
        if (light) fetch_promote(query);
        query->is_ranked |= is_ranked;
        count_event(forwarder->counters, merged);
        return query;
    }
    if (!queries_may_ask(&forwarder->queries, light, in->is_verified)) return NULL;
    query = fetch_begin(forwarder, in->route, &in->key, in->hashed.hash, light ? REQUESTER_LIGHT : REQUESTER_OTHER);
    if (query) query->is_ranked = is_ranked;
    return query;
}

/* Answers from the cache, or waits for the shared one and the upstreams of its route. */
static void resolve(struct forwarder *forwarder, const struct incoming *in)
{
    uint64_t now_ns = forwarder->loop->now_ns;
    const struct requester *requester = in->requester;

    /* The cache. A stale answer is given only while the question is not to be asked again. */
    struct cache_found found;
    enum cache_state state = CACHE_ABSENT;
    uint8_t *reply = requester->transport->begin_reply(requester, ANSWER_BYTES_MAX + EDNS_REPLY_MAX);
    struct hot_answer *copy = NULL;
    if (reply && !in->is_cold) copy = hot_answers_find(&forwarder->hot, &in->hashed, now_ns, reply, &found);
    if (copy)
        state = CACHE_FRESH;
    else if (reply)
        state = cache_find(forwarder->shared->cache, &in->hashed, now_ns, reply, ANSWER_BYTES_MAX, &found);
    bool is_failure = state != CACHE_ABSENT && !retention_is_worth_keeping(reply, found.size);
    if (state == CACHE_STALE && is_failure) state = CACHE_ABSENT;
    if (state == CACHE_FRESH ||
        (state == CACHE_STALE && recheck_is_held(&forwarder->recheck, in->hashed.hash, now_ns))) {
        const struct answer_use use = retention_use(state, &found, reply, ++forwarder->rotation);
        enum label_source source = state == CACHE_STALE ? LABEL_SOURCE_STALE : LABEL_SOURCE_CACHE;
        if (notices_want(&forwarder->notices, message_flags(reply) & DNS_RCODE, source, 0)) {
            struct query_end end = {requester, &in->question, &in->key, .source = source};
            end.error.ede_code = use.ede_code;
            notices_end_cached(&forwarder->notices, &end, reply, found.size);
        }
        if (reply_answer(forwarder->counters, requester, reply, found.size, &in->profile, in->question.name, &use)) {
            note_hit(forwarder, in, state, &found, copy, !is_failure);
            return;
        }
    }
    count_event(forwarder->counters, cache_misses);
    if (!question_is_confirmed(&in->question)) { /* what the cache has was confirmed when it was asked */
        reply_refusal(&forwarder->notices, requester, &in->question, &in->profile, REFUSAL_FORMERR);
        return;
    }
    bool is_ranked = topnames_count(forwarder->shared->topnames, &in->hashed, 0, now_ns);

    /* Upstream: wait with the clients that asked the same, or ask. */
    struct query *query = join_or_ask(forwarder, in, is_ranked);
    if (!query || !queries_wait(&forwarder->queries, query, requester, &in->question, &in->profile, now_ns)) {
        reply_refusal(&forwarder->notices, requester, &in->question, &in->profile, REFUSAL_OVERLOADED);
        return;
    }
    if (state != CACHE_STALE) return;
    if (query->stale_will_do || (query->is_submitted && pool_is_down(query->pool)))
        fetch_give_stale(forwarder, query);
    else if (!timeout_is_running(&query->patience))
        timeouts_start(&forwarder->impatience, &query->patience, now_ns);
}

/* Resolves what our CNAME records, which stand at `chain`, lead to. */
static void resolve_alias(struct forwarder *forwarder, const struct incoming *in, const struct names_alias *alias,
                          const uint8_t *chain, size_t chain_size)
{
    struct incoming rest = *in;
    struct requester requester;
    if (!aliases_begin(&forwarder->aliases, in, chain, chain_size, &requester, &rest.profile)) {
        reply_refusal(&forwarder->notices, in->requester, &in->question, &in->profile, REFUSAL_OVERLOADED);
        return;
    }
    rest.requester = &requester;
    rest.question.name = alias->name;
    rest.question.name_size = alias->name_size;
    question_key(&rest.question, &rest.key);
    incoming_set_route(&rest, alias->route, forwarder->names, &forwarder->shared->hash_key);
    hot_answers_vote(&forwarder->hot, rest.hashed.hash);
    rest.is_cold = !hot_answers_may_have(&forwarder->hot, rest.hashed.hash);
    resolve(forwarder, &rest);
}

/* Answers with records of ours, or as the name is special. */
static void answer_local(struct forwarder *forwarder, const struct incoming *in)
{
    static const struct answer_use as_is = {.ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE};
    static const struct answer_error failure = {
        .rcode = DNS_RCODE_SERVFAIL, .ede_code = DNS_EDE_OTHER, .ede_text = "local records cannot be followed"};
    const struct requester *requester = in->requester;
    struct names_alias alias;
    uint8_t *reply = requester->transport->begin_reply(requester, ANSWER_BYTES_MAX + EDNS_REPLY_MAX);
    if (!reply) {
        reply_drop(forwarder->counters, requester, LABEL_DROPPED_CLIENT_GONE);
        return;
    }
    size_t size = names_write(forwarder->names, &in->found, &in->question, reply, ANSWER_BYTES_MAX, &alias);
    if (size > 0 && alias.name_size > 0) {
        resolve_alias(forwarder, in, &alias, reply, size - ANSWER_TRAILER_BYTES);
        return;
    }
    struct query_end end = {requester, &in->question, .error = failure, .source = LABEL_SOURCE_LOCAL};
    if (size > 0) end.error = (struct answer_error){message_flags(reply) & DNS_RCODE, DNS_EDE_NONE, NULL, NULL, 0};
    if (notices_want(&forwarder->notices, end.error.rcode, end.source, 0)) notices_end(&forwarder->notices, &end);
    if (size == 0)
        reply_error(forwarder->counters, requester, &in->question, &in->profile, &failure);
    else
        reply_answer(forwarder->counters, requester, reply, size, &in->profile, in->question.name, &as_is);
    histogram_observe(&forwarder->counters->request_duration[LABEL_SOURCE_LOCAL][requester->transport->label], 0, 1);
}

void forwarder_handle(struct forwarder *forwarder, const struct requester *requester,
                      const struct client_message *message)
{
    struct counters *counters = forwarder->counters;
    struct incoming now;
    struct incoming *in = message->read_ahead ? message->read_ahead : &now;
    if (in == &now) {
        incoming_read(in, message, forwarder->names, &forwarder->shared->hash_key);
        if (incoming_is_looked_up(in)) {
            hot_answers_vote(&forwarder->hot, in->hashed.hash);
            in->is_cold = !hot_answers_may_have(&forwarder->hot, in->hashed.hash);
            if (in->is_cold) topnames_prefetch(forwarder->shared->topnames, &in->hashed);
        }
    }
    in->requester = requester;
    in->is_verified = true;

    /* Admit the query, or refuse it. */
    in->profile = reply_profile_of(&in->question);
    in->profile.max_bytes = requester->transport->max_reply_bytes;
    in->profile.keepalive_100ms = in->question.keepalive ? requester->transport->keepalive_100ms : 0;
    enum refusal refusal = admit(forwarder, message, in);
    counter_add(cell_queries(counters, counters_qtype_label(in->question.type), requester->transport->label), 1);
    size_observe(&counters->query_size, message->size);
    if (refusal == REFUSAL_NONE && in->found.verdict != NAMES_RESOLVE && !question_is_confirmed(&in->question))
        refusal = REFUSAL_FORMERR;
    if (refusal != REFUSAL_NONE) {
        reply_refusal(&forwarder->notices, requester, &in->question, &in->profile, refusal);
        return;
    }

    /* Answer it from our own names, or resolve it on its route. */
    if (in->found.verdict == NAMES_RESOLVE)
        resolve(forwarder, in);
    else
        answer_local(forwarder, in);
}

/* ---- turns and life ---- */

void forwarder_end_messages(struct forwarder *forwarder)
{
    ratelimit_give_back(forwarder->shared->ratelimit, &forwarder->last_client, forwarder->loop->now_ns);
    hot_answers_count_all(&forwarder->hot, forwarder->loop->now_ns);
}

void forwarder_tick(struct forwarder *forwarder, uint64_t now_ns)
{
    struct timeout *timeout;
    notices_tick(&forwarder->notices, now_ns);
    while ((timeout = timeouts_take_expired(&forwarder->impatience, now_ns))) {
        struct query *query = container_of(timeout, struct query, patience);
        query->stale_will_do = fetch_give_stale(forwarder, query);
    }
    if (forwarder->hits[LABEL_TRANSPORT_TCP] + forwarder->hits[LABEL_TRANSPORT_UDP] == 0) return;
    uint64_t took_ns = clock_now_ns() - forwarder->loop->now_ns;
    for (unsigned i = 0; i < LABEL_TRANSPORT_COUNT; i++) {
        if (forwarder->hits[i] == 0) continue;
        histogram_observe(&forwarder->counters->request_duration[LABEL_SOURCE_CACHE][i], took_ns, forwarder->hits[i]);
        forwarder->hits[i] = 0;
    }
}

uint64_t forwarder_deadline_ns(const struct forwarder *forwarder)
{
    return timeouts_deadline_ns(&forwarder->impatience);
}

bool forwarder_init(struct forwarder *forwarder, const struct forwarder_options *options,
                    const struct shared_tables *shared, struct pool *pool, struct counters *counters, struct loop *loop)
{
    *forwarder =
        (struct forwarder){.options = *options, .shared = shared, .pool = pool, .counters = counters, .loop = loop};
    timeouts_init(&forwarder->impatience, PATIENCE_NS);
    forwarder->value = malloc(ANSWER_BYTES_MAX);
    forwarder->notices = (struct notices){.counters = counters, .loop = loop};
    notices_set_options(&forwarder->notices, options);
    return hot_answers_init(&forwarder->hot, shared->cache, shared->topnames) &&
           aliases_init(&forwarder->aliases, options->max_queries, &forwarder->notices) &&
           queries_init(&forwarder->queries, options->max_queries, &shared->hash_key, &forwarder->notices) &&
           forwarder->value;
}

bool forwarder_set_store(struct forwarder *forwarder, struct store *store)
{
    return sharing_init(&forwarder->sharing, store, forwarder->shared->purges, forwarder->counters);
}

void forwarder_set_names(struct forwarder *forwarder, struct names *names)
{
    names_free(forwarder->names);
    forwarder->names = names_share(names);
}

bool forwarder_set_options(struct forwarder *forwarder, const struct forwarder_options *options)
{
    uint32_t former = forwarder->options.max_queries;
    bool is_taken = queries_set_max(&forwarder->queries, options->max_queries) &&
                    slots_set_max(&forwarder->aliases.slots, options->max_queries);
    forwarder->options = *options;
    notices_set_options(&forwarder->notices, options);
    if (!is_taken) forwarder->options.max_queries = former;
    return is_taken;
}

void forwarder_done(struct forwarder *forwarder)
{
    struct query *query;
    names_free(forwarder->names);
    forwarder->names = NULL;
    aliases_done(&forwarder->aliases);
    hot_answers_done(&forwarder->hot);
    if (!forwarder->queries.buckets) return;
    while ((query = queries_any(&forwarder->queries))) fetch_cancel(forwarder, query);
    queries_done(&forwarder->queries);
    sharing_done(&forwarder->sharing);
    free(forwarder->value);
    forwarder->value = NULL;
}
