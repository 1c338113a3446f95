#include "queries/forwarder.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "dns/edns.h"
#include "queries/lifetime.h"
#include "queries/reply.h"

#define PATIENCE_NS (1800 * NS_PER_MS) /* how long upstream may take while a stale answer is at hand (RFC 8767, 5) */
#define RECHECK_NS  NS_PER_S   /* a question that upstream just failed is left alone that long (RFC 9520, 3.2) */
enum { LIGHT_CLIENT_MAX = 4 }; /* questions on their way of a client that leaves room for others */
enum { STALE_TTL_S = 30 };     /* of a stale answer (RFC 8767, 4) */

/* What is refused before it goes anywhere. */
static const struct answer_error overloaded = {DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, "too many queries in flight", 0};
static const struct answer_error over_limit = {DNS_RCODE_REFUSED, DNS_EDE_OTHER, "rate limit", 0};
static const struct answer_error prohibited = {DNS_RCODE_REFUSED, DNS_EDE_PROHIBITED, NULL, 0};

/* ---- the cache ---- */

static struct hashed_key hashed(const struct question_key *key, uint64_t hash)
{
    return (struct hashed_key){key->bytes, key->size, hash};
}

static const struct answer_use stale_use = {
    .ttl_max_s = STALE_TTL_S, .ttl_min_s = STALE_TTL_S, .ede_code = DNS_EDE_STALE};

/* Gives everybody who waits the stale answer, if there still is one. */
static bool give_all_stale(struct forwarder *forwarder, struct query *query)
{
    const struct hashed_key key = hashed(&query->exchange.key, query->hash);
    struct cache_found found;
    struct answer answer;
    enum cache_state state =
        cache_find(forwarder->shared->cache, &key, forwarder->loop->now_ns, forwarder->value, ANSWER_BYTES_MAX, &found);
    if (state == CACHE_ABSENT || !answer_unpack(forwarder->value, found.size, &answer)) return false;
    if (answer.rcode == DNS_RCODE_SERVFAIL) return false; /* a failure does not get better with age */
    const struct answer_use fresh_use = {
        .age_s = (uint32_t)(found.age_ns / NS_PER_S), .ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE};
    bool fresh = state == CACHE_FRESH; /* another worker's question was quicker */
    queries_answer(&forwarder->queries, query, &answer, fresh ? &fresh_use : &stale_use,
                   fresh ? LABEL_SOURCE_UPSTREAM : LABEL_SOURCE_STALE, forwarder->loop->now_ns);
    return true;
}

static void keep(struct forwarder *forwarder, const struct query *query, const struct answer *answer)
{
    const struct hashed_key key = hashed(&query->exchange.key, query->hash);
    uint64_t now_ns = forwarder->loop->now_ns;
    uint64_t lifetime = lifetime_ns(&forwarder->options, answer);
    bool kept =
        lifetime > 0 && cache_put(forwarder->shared->cache, &key, answer->bytes, answer->size, lifetime, now_ns);
    if (answer->kind == ANSWER_FAILURE) return;
    topnames_answered(forwarder->shared->topnames, &key, kept ? lifetime : 0, now_ns); /* 0: not worth a refresh */
}

/* ---- upstream ---- */

/* Upstream failed: everybody gets the stale answer, if there is one, and upstream is left alone with the question for a
 * moment. */
static bool fall_back(struct forwarder *forwarder, struct query *query)
{
    if (!give_all_stale(forwarder, query)) return false;
    recheck_hold(&forwarder->recheck, query->hash, forwarder->loop->now_ns + RECHECK_NS);
    return true;
}

/* A failure becomes an answer of its own, so that it is remembered like one for a second. */
static void keep_failure(struct forwarder *forwarder, const struct query *query, const struct answer_error *error)
{
    const struct question_key *key = &query->exchange.key;
    const struct question question = {
        .name = key->bytes,
        .name_size = (uint8_t)question_key_name_size(key),
        .type = question_key_type(key),
        .class = DNS_CLASS_IN,
        .edns = true, /* so that the reason is kept, too */
    };
    uint8_t message[ANSWER_ERROR_MAX];
    struct answer answer;
    size_t size = answer_error(message, &question, error);
    if (answer_parse(message, size, key, forwarder->value, &answer) == ANSWER_GOOD) keep(forwarder, query, &answer);
}

static void on_failed(struct forwarder *forwarder, struct query *query, enum exchange_result result)
{
    struct answer_error error = {DNS_RCODE_SERVFAIL, DNS_EDE_NETWORK_ERROR, "upstream answers wrongly", 0};
    if (fall_back(forwarder, query)) return;
    if (result == EXCHANGE_TIMED_OUT) {
        error.ede_code = DNS_EDE_NO_REACHABLE_AUTHORITY;
        error.ede_text = "upstream does not answer";
    } else if (result == EXCHANGE_UNREACHABLE) {
        error.ede_text = "upstream is out of reach";
    }
    keep_failure(forwarder, query, &error);
    queries_fail(&forwarder->queries, query, &error, forwarder->loop->now_ns);
}

static void on_answered(struct forwarder *forwarder, struct query *query, const struct answer *answer)
{
    static const struct answer_use fresh = {.age_s = 0, .ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE};
    bool failed =
        answer->rcode != DNS_RCODE_NOERROR && answer->rcode != DNS_RCODE_NXDOMAIN; /* says nothing of the name */
    if (failed && fall_back(forwarder, query)) return;
    struct answer told;
    lifetime_clamp_ttls(&forwarder->options, answer, forwarder->value, &told);
    keep(forwarder, query, &told);
    queries_answer(&forwarder->queries, query, &told, &fresh, LABEL_SOURCE_UPSTREAM, forwarder->loop->now_ns);
}

static void show_in_flight(struct forwarder *forwarder)
{
    gauge_set(&forwarder->counters->in_flight[0][0], forwarder->queries.queries.taken);
}

static void on_done(struct exchange *exchange, enum exchange_result result, const struct answer *answer)
{
    struct query *query = container_of(exchange, struct query, exchange);
    struct forwarder *forwarder = query->forwarder;
    bool answered = result == EXCHANGE_ANSWERED;
    if (query->prefetch) {
        unsigned label = answered ? LABEL_PREFETCH_REFRESHED : LABEL_PREFETCH_FAILED;
        counter_add(&forwarder->counters->prefetch[label][0], 1);
    }
    if (answered)
        on_answered(forwarder, query, answer);
    else
        on_failed(forwarder, query, result);
    queries_remove(&forwarder->queries, query);
    show_in_flight(forwarder);
}

/* Whom a question is asked for. */
enum requester_kind { REQUESTER_NONE, REQUESTER_LIGHT, REQUESTER_OTHER };

/* A question begins its way upstream; NULL at the bound. */
static struct query *begin_query(struct forwarder *forwarder, const struct question_key *key, uint64_t hash,
                                 enum requester_kind kind)
{
    struct query *query = queries_add(&forwarder->queries, key, hash);
    if (!query) return NULL;
    query->forwarder = forwarder;
    query->exchange.on_done = on_done;
    query->exchange.background = kind == REQUESTER_NONE;
    query->exchange.light = kind == REQUESTER_LIGHT;
    pool_submit(forwarder->pool, &query->exchange, forwarder->loop->now_ns);
    show_in_flight(forwarder);
    return query;
}

/* Room for one more question upstream. The last quarter is kept for clients with few on their way, so that nobody takes
 * it all by asking what is never answered; so it is on every session (upstream/dispatch.h). */
static bool has_room(const struct forwarder *forwarder, bool light)
{
    return light || forwarder->queries.queries.taken < forwarder->options.max_queries / 4 * 3;
}

/* The cache has no fresh answer: wait for upstream's, with those who wait already. */
static void forward(struct forwarder *forwarder, const struct requester *requester, const struct question *question,
                    const struct question_key *key, const struct hashed_key *hashed_key, bool stale)
{
    uint64_t now_ns = forwarder->loop->now_ns;
    struct query *query = queries_find(&forwarder->queries, hashed_key);
    bool merged = query;
    bool light = queries_of_client(&forwarder->queries, requester->address) < LIGHT_CLIENT_MAX;
    if (merged && light) {
        pool_promote(forwarder->pool, &query->exchange);
    } else if (!merged && has_room(forwarder, light)) {
        query = begin_query(forwarder, key, hashed_key->hash, light ? REQUESTER_LIGHT : REQUESTER_OTHER);
        forwarder->questions++;
    }
    if (!query || !queries_wait(&forwarder->queries, query, requester, question, now_ns)) {
        counter_add(&forwarder->counters->overloaded[0][0], 1);
        reply_local(forwarder->counters, requester, question, &overloaded);
        return;
    }
    if (merged) counter_add(&forwarder->counters->merged[0][0], 1);
    if (!stale) return;
    if (query->stale_will_do || pool_is_down(forwarder->pool))
        give_all_stale(forwarder, query);
    else if (!timeout_is_running(&query->patience))
        timeouts_start(&forwarder->impatience, &query->patience, now_ns);
}

bool forwarder_refresh(struct forwarder *forwarder, const struct question_key *key)
{
    uint64_t hash = hash_bytes(&forwarder->shared->hash_key, key->bytes, key->size);
    const struct hashed_key found = hashed(key, hash);
    if (queries_find(&forwarder->queries, &found)) return false;
    struct query *query = begin_query(forwarder, key, hash, REQUESTER_NONE);
    if (query) query->prefetch = true;
    return query;
}

/* ---- a query's way ---- */

/* While upstream has just failed this question it is not asked again for it: the stale answer, whose bytes stand at
 * `reply`, is given right away. */
static bool answer_stale_at_once(struct forwarder *forwarder, const struct requester *requester,
                                 const struct question *question, const struct hashed_key *key, uint8_t *reply,
                                 size_t size)
{
    struct answer answer;
    const struct reply_profile profile = reply_profile_of(question);
    if (!recheck_is_held(&forwarder->recheck, key->hash, forwarder->loop->now_ns)) return false;
    if (!answer_unpack(reply, size, &answer) || answer.rcode == DNS_RCODE_SERVFAIL) return false;
    if (!reply_finish(forwarder->counters, requester, reply, size, &profile, question->name, stale_use)) return false;
    counter_add(&forwarder->counters->cache_misses[0][0], 1);
    counter_add(&forwarder->counters->cache_stale[0][0], 1);
    histogram_observe(&forwarder->counters->request_duration[LABEL_SOURCE_STALE], 0, 1);
    return true;
}

/* Answers from the cache. False where it holds nothing fresh; `ret_stale` says whether it holds something stale. */
static bool answer_from_cache(struct forwarder *forwarder, const struct requester *requester,
                              const struct question *question, const struct hashed_key *key, bool *ret_stale)
{
    uint64_t now_ns = forwarder->loop->now_ns;
    struct cache_found found;
    *ret_stale = false;
    uint8_t *reply =
        requester->transport->begin_reply(requester->transport, requester->client, ANSWER_BYTES_MAX + EDNS_REPLY_MAX);
    if (!reply) return false;
    enum cache_state state = cache_find(forwarder->shared->cache, key, now_ns, reply, ANSWER_BYTES_MAX, &found);
    *ret_stale = state == CACHE_STALE;
    if (state == CACHE_STALE) return answer_stale_at_once(forwarder, requester, question, key, reply, found.size);
    if (state != CACHE_FRESH) return false;
    const struct answer_use use = {
        .age_s = (uint32_t)(found.age_ns / NS_PER_S), .ttl_max_s = UINT32_MAX, .ede_code = DNS_EDE_NONE};
    const struct reply_profile profile = reply_profile_of(question);
    if (!reply_finish(forwarder->counters, requester, reply, found.size, &profile, question->name, use)) return false;
    counter_add(&forwarder->counters->cache_hits[0][0], 1);
    forwarder->hits++;
    topnames_count(forwarder->shared->topnames, key, now_ns + found.left_ns, now_ns);
    bool failure = (message_flags(reply) & DNS_RCODE) == DNS_RCODE_SERVFAIL; /* lasts its second, and no less */
    if (found.refresh_due && !failure && !queries_find(&forwarder->queries, key)) {
        struct question_key copy;
        question_key(question, &copy);
        begin_query(forwarder, &copy, key->hash, REQUESTER_NONE);
    }
    return true;
}

static void resolve(struct forwarder *forwarder, const struct requester *requester, const struct question *question)
{
    struct question_key key;
    bool stale;
    question_key(question, &key);
    const struct hashed_key hashed_key = hashed(&key, hash_bytes(&forwarder->shared->hash_key, key.bytes, key.size));
    if (answer_from_cache(forwarder, requester, question, &hashed_key, &stale)) return;
    counter_add(&forwarder->counters->cache_misses[0][0], 1);
    topnames_count(forwarder->shared->topnames, &hashed_key, 0, forwarder->loop->now_ns);
    forward(forwarder, requester, question, &key, &hashed_key, stale);
}

/* A question that is not asked upstream: what it gets instead. */
static void refuse(struct forwarder *forwarder, const struct requester *requester, const struct question *question,
                   unsigned reason, uint16_t rcode)
{
    counter_add(&forwarder->counters->invalid[reason][0], 1);
    const struct answer_error error = {.rcode = rcode, .ede_code = DNS_EDE_NONE};
    reply_local(forwarder->counters, requester, question, &error);
}

static void handle_good_or_not(struct forwarder *forwarder, const struct requester *requester,
                               const struct question *question, enum question_verdict verdict)
{
    switch (verdict) {
    case QUESTION_GOOD: resolve(forwarder, requester, question); break;
    case QUESTION_ANY: reply_any(forwarder->counters, requester, question); break;
    case QUESTION_CLOSE: reply_nothing_and_close(forwarder->counters, requester); break;
    case QUESTION_FORMERR: refuse(forwarder, requester, question, LABEL_INVALID_FORMERR, DNS_RCODE_FORMERR); break;
    case QUESTION_NOTIMP: refuse(forwarder, requester, question, LABEL_INVALID_OPCODE, DNS_RCODE_NOTIMP); break;
    case QUESTION_BADVERS: refuse(forwarder, requester, question, LABEL_INVALID_EDNS_VERSION, DNS_RCODE_BADVERS); break;
    case QUESTION_TRANSFER: refuse(forwarder, requester, question, LABEL_INVALID_TRANSFER, DNS_RCODE_REFUSED); break;
    case QUESTION_CLASS: refuse(forwarder, requester, question, LABEL_INVALID_CLASS, DNS_RCODE_REFUSED); break;
    }
}

/* Over the limit: REFUSED, or silence, as configured; a message that is no query is told so all the same. */
static void limit(struct forwarder *forwarder, const struct requester *requester, const uint8_t *message, size_t size)
{
    struct question question;
    counter_add(&forwarder->counters->rate_limited[0][0], 1);
    if (forwarder->options.rate_limit_drops)
        reply_drop(forwarder->counters, requester, LABEL_DROPPED_RATE);
    else if (question_parse(message, size, &question) == QUESTION_CLOSE)
        reply_nothing_and_close(forwarder->counters, requester);
    else
        reply_local(forwarder->counters, requester, &question, &over_limit);
}

static void count_query(struct forwarder *forwarder, uint16_t type)
{
    counter_add(&forwarder->counters->queries[counters_qtype_label(type)][0], 1);
}

void forwarder_handle(struct forwarder *forwarder, const struct requester *requester, const uint8_t *message,
                      size_t size)
{
    struct question question;
    if (ratelimit_take(forwarder->shared->ratelimit, requester->address, 1, forwarder->loop->now_ns) == 0) {
        count_query(forwarder, 0);
        limit(forwarder, requester, message, size);
        return;
    }
    enum question_verdict verdict = question_parse(message, size, &question);
    count_query(forwarder, verdict == QUESTION_CLOSE ? 0 : question.type);
    handle_good_or_not(forwarder, requester, &question, verdict);
}

void forwarder_handle_too_long(struct forwarder *forwarder, const struct requester *requester, const uint8_t *front,
                               size_t size)
{
    struct question question;
    count_query(forwarder, 0);
    if (ratelimit_take(forwarder->shared->ratelimit, requester->address, 1, forwarder->loop->now_ns) == 0)
        limit(forwarder, requester, front, size);
    else if (question_parse(front, size, &question) == QUESTION_CLOSE)
        reply_nothing_and_close(forwarder->counters, requester);
    else
        refuse(forwarder, requester, &question, LABEL_INVALID_TOO_LONG, DNS_RCODE_FORMERR);
}

void forwarder_handle_prohibited(struct forwarder *forwarder, const struct requester *requester, const uint8_t *message,
                                 size_t size)
{
    struct question question;
    count_query(forwarder, 0);
    if (question_parse(message, size, &question) == QUESTION_CLOSE)
        reply_nothing_and_close(forwarder->counters, requester);
    else
        reply_local(forwarder->counters, requester, &question, &prohibited);
}

/* ---- turns and life ---- */

void forwarder_tick(struct forwarder *forwarder, uint64_t now_ns)
{
    struct timeout *timeout;
    while ((timeout = timeouts_take_expired(&forwarder->impatience, now_ns))) {
        struct query *query = container_of(timeout, struct query, patience);
        query->stale_will_do = give_all_stale(forwarder, query);
    }
    if (forwarder->hits == 0) return;
    uint64_t took_ns = clock_now_ns() - forwarder->loop->now_ns;
    histogram_observe(&forwarder->counters->request_duration[LABEL_SOURCE_CACHE], took_ns, forwarder->hits);
    forwarder->hits = 0;
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
    forwarder->value = malloc(ANSWER_BYTES_MAX + EDNS_REPLY_MAX);
    return queries_init(&forwarder->queries, options->max_queries, &shared->hash_key, counters) && forwarder->value;
}

void forwarder_done(struct forwarder *forwarder)
{
    struct query *query;
    if (!forwarder->queries.buckets) return;
    while ((query = queries_any(&forwarder->queries))) {
        pool_cancel(&query->exchange);
        queries_remove(&forwarder->queries, query);
    }
    queries_done(&forwarder->queries);
    free(forwarder->value);
    forwarder->value = NULL;
}
