#include "common/check.h"
#include "common/clock.h"
#include "queries/fetching.h"
#include "queries/forwarder.h"
#include "queries/retention.h"

#define RECHECK_NS NS_PER_S /* how long a question that upstream just failed is not asked again (RFC 9520, 3.2) */

/* An entry of the shared cache is newer than our answer if it ends later by more than that: the wall clock, by which it
 * ends, and the clock of the cache do not run exactly alike. */
#define NEWER_NS NS_PER_S

static const struct answer_use as_it_is = {.ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE};

/* ---- the cache ---- */

static struct hashed_key hashed(const struct question_key *key, uint64_t hash)
{
    return (struct hashed_key){key->bytes, key->size, hash};
}

bool fetch_give_stale(struct forwarder *forwarder, struct query *query)
{
    const struct hashed_key key = hashed(&query->exchange.key, query->hash);
    struct cache_found found;
    struct answer answer;
    enum cache_state state =
        cache_find(forwarder->shared->cache, &key, forwarder->loop->now_ns, forwarder->value, ANSWER_BYTES_MAX, &found);
    if (state == CACHE_ABSENT || !answer_unpack(forwarder->value, found.size, &answer)) return false;
    if (!retention_is_worth_keeping(forwarder->value, found.size)) return false;
    /* Fresh: another worker's question was answered first. */
    const struct answer_use use = retention_use(state, &found, forwarder->value, ++forwarder->rotation);
    queries_answer(&forwarder->queries, query, &answer, &use,
                   state == CACHE_FRESH ? LABEL_SOURCE_UPSTREAM : LABEL_SOURCE_STALE, forwarder->loop->now_ns);
    return true;
}

/* Whether the name was purged since the query was asked, so that its answer may be from before. */
static bool is_outdated(const struct forwarder *forwarder, const struct query *query)
{
    const struct question_key *key = &query->exchange.key;
    return purges_since(forwarder->shared->purges, key->bytes, question_key_name_size(key), query->purge);
}

/* Puts the answer to the query into the cache for `kept_ns`, in place of what was there. Nothing is left there if it
 * may not be kept, so that what was withdrawn never comes back as a stale answer. False: it is outdated; what the cache
 * has then is newer, if it has anything. */
static bool keep(struct forwarder *forwarder, const struct query *query, const struct answer *answer, uint64_t kept_ns)
{
    const struct hashed_key key = hashed(&query->exchange.key, query->hash);
    uint64_t now_ns = forwarder->loop->now_ns;
    if (is_outdated(forwarder, query)) return false;
    if (kept_ns == 0)
        cache_remove(forwarder->shared->cache, &key);
    else if (!cache_put(forwarder->shared->cache, &key, answer->bytes, answer->size, kept_ns, now_ns))
        kept_ns = 0;
    bool is_purged = is_outdated(forwarder, query); /* meanwhile, by another thread */
    if (is_purged) cache_remove(forwarder->shared->cache, &key);
    if (query->is_ranked && answer->kind != ANSWER_FAILURE && answer->kind != ANSWER_VERDICT)
        topnames_answered(forwarder->shared->topnames, &key, is_purged ? 0 : kept_ns, now_ns); /* 0: no refresh */
    return !is_purged;
}

/* The query has ended. */
static void end_query(struct forwarder *forwarder, struct query *query)
{
    if (store_lookup_is_asked(&query->lookup)) store_cancel(forwarder->sharing.store, &query->lookup);
    queries_remove(&forwarder->queries, query);
    set_gauge(forwarder->counters, in_flight, forwarder->queries.queries.taken);
}

/* ---- upstream ---- */

/* Upstream failed: every client that waits gets the stale answer, if there is one, and the question is not asked again
 * for a moment. */
static bool fall_back(struct forwarder *forwarder, struct query *query)
{
    if (!fetch_give_stale(forwarder, query)) return false;
    recheck_hold(&forwarder->recheck, query->hash, forwarder->loop->now_ns + RECHECK_NS);
    return true;
}

static void on_failed(struct forwarder *forwarder, struct query *query, enum exchange_result result)
{
    struct answer answer;
    if (fall_back(forwarder, query)) return;
    const struct answer_error error = query_error(query, result);
    retention_make_failure(&query->exchange.key, &error, forwarder->value, &answer);
    keep(forwarder, query, &answer, retention_ns(&forwarder->options, &answer));
    queries_fail(&forwarder->queries, query, &error, forwarder->loop->now_ns);
}

static void on_answered(struct forwarder *forwarder, struct query *query, const struct answer *answer)
{
    struct answer clamped = *answer;
    if (answer->kind == ANSWER_FAILURE && fall_back(forwarder, query)) return;
    if (!retention_fits(&forwarder->options, answer)) /* 250 instructions for an answer with one record */
        retention_clamp_ttls(&forwarder->options, answer, forwarder->value, &clamped);
    uint64_t kept_ns = retention_ns(&forwarder->options, &clamped);
    bool may_be_kept = keep(forwarder, query, &clamped, kept_ns);
    queries_answer(&forwarder->queries, query, &clamped, &as_it_is, LABEL_SOURCE_UPSTREAM, forwarder->loop->now_ns);
    if (may_be_kept) sharing_give(&forwarder->sharing, &query->exchange.key, &clamped, kept_ns);
}

static void count_prefetch(const struct forwarder *forwarder, const struct query *query, enum label_prefetch label)
{
    if (query->prefetch) count_event_by(forwarder->counters, prefetch, label);
}

static void on_response(struct exchange *exchange)
{
    const struct query *query = container_of(exchange, struct query, exchange);
    const struct hashed_key key = hashed(&exchange->key, query->hash);
    cache_prefetch(query->forwarder->shared->cache, &key);
}

static void on_done(struct exchange *exchange, enum exchange_result result, const struct answer *answer)
{
    struct query *query = container_of(exchange, struct query, exchange);
    struct forwarder *forwarder = query->forwarder;
    bool answered = result == EXCHANGE_ANSWERED;
    const struct hashed_key key = hashed(&exchange->key, query->hash);
    if (answered) cache_prefetch_value(forwarder->shared->cache, &key); /* its bucket is here by now; for keep */
    count_prefetch(forwarder, query, answered ? LABEL_PREFETCH_REFRESHED : LABEL_PREFETCH_FAILED);
    if (query->route != NAMES_ROUTE_DEFAULT && forwarder->on_route_done)
        forwarder->on_route_done(forwarder, query->route, question_key_route(&exchange->key), answered);
    if (answered)
        on_answered(forwarder, query, answer);
    else
        on_failed(forwarder, query, result);
    end_query(forwarder, query);
}

/* Asks the upstreams of its route. False: there is none, or memory is short. */
static bool submit(struct forwarder *forwarder, struct query *query)
{
    bool is_default = query->route == NAMES_ROUTE_DEFAULT;
    query->pool = is_default ? forwarder->pool : forwarder->pool_of_route(forwarder, query->route);
    if (!query->pool && !is_default) return false;
    query->is_submitted = true;
    if (!query->exchange.background) forwarder->questions++;
    pool_submit(query->pool, &query->exchange, forwarder->loop->now_ns);
    return true;
}

/* The same later, after the shared cache was asked. The routes are still those of then (app/worker_mail.c). */
static void submit_later(struct forwarder *forwarder, struct query *query)
{
    if (query->is_submitted) return; /* it was late, and upstream is asked already */
    if (!submit(forwarder, query)) {
        count_prefetch(forwarder, query, LABEL_PREFETCH_FAILED);
        on_failed(forwarder, query, EXCHANGE_UNREACHABLE);
        end_query(forwarder, query);
    } else if (timeout_is_running(&query->patience) && pool_is_down(query->pool)) {
        fetch_give_stale(forwarder, query);
    }
}

/* ---- the shared cache ---- */

static struct query *query_of(struct store_lookup *lookup)
{
    return container_of(lookup, struct query, lookup);
}

/* Of a refresh: whether an answer that is kept for `left_ns` is newer than the one in the cache. */
static bool is_newer(struct forwarder *forwarder, const struct query *query, uint64_t left_ns)
{
    const struct hashed_key key = hashed(&query->exchange.key, query->hash);
    struct cache_copy copy;
    if (!cache_copy_one(forwarder->shared->cache, &key, forwarder->loop->now_ns, forwarder->sharing.parsed,
                        KEPT_ANSWER_BYTES, &copy))
        return true;
    return left_ns > copy.times.left_ns + NEWER_NS;
}

static enum store_use on_entry(struct store_lookup *lookup, const struct entry *entry)
{
    struct query *query = query_of(lookup);
    struct forwarder *forwarder = query->forwarder;
    const struct question_key *question = &query->exchange.key;
    const struct hashed_key key = hashed(question, query->hash);
    struct answer answer;
    uint64_t left_ns;
    if (!sharing_judge(&forwarder->sharing, &forwarder->options, question, entry, &answer, &left_ns))
        return STORE_REJECTED;
    if (lookup->is_refresh && !is_newer(forwarder, query, left_ns)) return STORE_OLD;
    keep(forwarder, query, &answer, left_ns);
    if (sharing_is_purged(&forwarder->sharing, question, entry)) {
        cache_remove(forwarder->shared->cache, &key);
        return STORE_REJECTED;
    }
    queries_answer(&forwarder->queries, query, &answer, &as_it_is, LABEL_SOURCE_SHARED, forwarder->loop->now_ns);
    return STORE_USED;
}

static void on_late(struct store_lookup *lookup)
{
    submit_later(query_of(lookup)->forwarder, query_of(lookup));
}

static void count_refresh(const struct forwarder *forwarder, enum label_shared_refresh label)
{
    count_event_by(forwarder->counters, shared_refreshes, label);
}

static void on_lookup_done(struct store_lookup *lookup, enum store_outcome outcome)
{
    struct query *query = query_of(lookup);
    struct forwarder *forwarder = query->forwarder;
    bool is_awaited = !list_is_empty(&query->waiters); /* a client has joined the refresh */
    switch (outcome) {
    case STORE_HIT:
        if (lookup->is_refresh) count_refresh(forwarder, LABEL_SHARED_REFRESH_FOUND);
        count_prefetch(forwarder, query, LABEL_PREFETCH_REFRESHED);
        if (query->is_submitted) pool_cancel(&query->exchange);
        end_query(forwarder, query);
        return;
    case STORE_LEFT:
        count_refresh(forwarder, is_awaited ? LABEL_SHARED_REFRESH_CLAIMED : LABEL_SHARED_REFRESH_LEFT);
        if (is_awaited || query->is_submitted) break;
        end_query(forwarder, query); /* it is looked for again, after a second or when a client asks */
        return;
    case STORE_CLAIMED: count_refresh(forwarder, LABEL_SHARED_REFRESH_CLAIMED); break;
    case STORE_MISS:
    case STORE_FAILED: break;
    }
    submit_later(forwarder, query);
}

static bool ask_store(struct forwarder *forwarder, struct query *query, const struct question_key *key, bool is_refresh)
{
    static const struct store_events events = {on_entry, on_late, on_lookup_done};
    if (!sharing_concerns(&forwarder->sharing, question_key_route(key))) return false;
    query->lookup.events = &events;
    return store_ask(forwarder->sharing.store, &query->lookup, key, is_refresh);
}

/* ---- beginning and ending ---- */

struct query *fetch_find(struct forwarder *forwarder, const struct hashed_key *key)
{
    struct query *query = queries_find(&forwarder->queries, key);
    if (!query || !is_outdated(forwarder, query)) return query;
    queries_outdate(&forwarder->queries, query);
    return NULL;
}

struct query *fetch_begin(struct forwarder *forwarder, uint16_t route, const struct question_key *key, uint64_t hash,
                          enum requester_kind kind)
{
    struct query *query = queries_add(&forwarder->queries, key, hash);
    if (!query) return NULL;
    query->forwarder = forwarder;
    query->route = route;
    query->purge = purges_number(forwarder->shared->purges);
    query->exchange.on_response = on_response;
    query->exchange.on_done = on_done;
    query->exchange.background = kind == REQUESTER_NONE;
    query->exchange.light = kind == REQUESTER_LIGHT;
    if (!ask_store(forwarder, query, key, kind == REQUESTER_NONE) && !submit(forwarder, query)) {
        queries_remove(&forwarder->queries, query);
        return NULL;
    }
    set_gauge(forwarder->counters, in_flight, forwarder->queries.queries.taken);
    return query;
}

void fetch_promote(struct query *query)
{
    if (query->is_submitted)
        pool_promote(query->pool, &query->exchange);
    else
        query->exchange.light = true;
}

void fetch_cancel(struct forwarder *forwarder, struct query *query)
{
    if (query->is_submitted) pool_cancel(&query->exchange);
    end_query(forwarder, query);
}

bool forwarder_refresh(struct forwarder *forwarder, const struct question_key *key)
{
    uint64_t hash = hash_bytes(&forwarder->shared->hash_key, key->bytes, key->size);
    const struct hashed_key found = hashed(key, hash);
    uint32_t identity = question_key_route(key);
    uint16_t route = NAMES_ROUTE_DEFAULT;
    if (identity != 0 && !(forwarder->names && names_route_of(forwarder->names, identity, &route))) return false;
    if (fetch_find(forwarder, &found)) return false;
    struct query *query = fetch_begin(forwarder, route, key, hash, REQUESTER_NONE);
    if (query) query->prefetch = true;
    return query;
}
