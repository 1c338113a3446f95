#include "upstream/pool.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "upstream/dispatch.h"
#include "upstream/opinion.h"
#include "upstream/upkeep.h"

/* Hedges that may be saved up: a short burst of slow answers, not a storm. */
enum { HEDGE_CREDIT_MAX = 10 * 100 };

/* ---- what sessions tell ---- */

/* What a first valid response on a session is good for: the ticket it brought, and the proof that the upstream works.
 */
static void first_answer(struct session *session)
{
    struct upstream *upstream = session->upstream;
    backoff_succeeded(&upstream->backoff);
    struct tls_ticket *ticket = tls_take_ticket(session->tls);
    if (!ticket) return;
    tls_ticket_free(upstream->ticket);
    upstream->ticket = ticket;
}

static void count_answer(struct pool *pool, struct session *session, const struct attempt *attempt,
                         const struct answer *answer)
{
    uint64_t now_ns = pool->host.loop->now_ns;
    unsigned index = session->upstream->index;
    uint64_t took_ns = now_ns - attempt->sent_ns;
    rtt_sample(&session->upstream->rtt, took_ns);
    histogram_observe(&pool->counters->upstream_duration[index][0], took_ns, 1);
    counter_add(&pool->counters->upstream_responses[index][counters_rcode_label(answer->rcode)], 1);
    gauge_set(&pool->counters->upstream_answered_ns, now_ns);
    pool->answered_ns = session->upstream->answered_ns = now_ns;
    session->doubted = false;
    if (session->answers++ == 0) first_answer(session);
}

static void on_invalid(struct pool *pool, struct exchange *exchange, unsigned index, enum answer_verdict verdict)
{
    unsigned reason = verdict == ANSWER_MISMATCH ? LABEL_FAILURE_MISMATCH : LABEL_FAILURE_MALFORMED;
    counter_add(&pool->counters->upstream_failures[index][reason], 1);
    counter_add(&pool->counters->upstream_retries[index][LABEL_RETRY_MALFORMED], 1);
    exchange->deaths++;
    dispatch_again(pool, exchange);
}

static void on_response(struct session *session, struct attempt *attempt, const uint8_t *message, size_t size)
{
    struct pool *pool = pool_of(session);
    struct exchange *exchange = attempt->exchange;
    struct upstream *upstream = session->upstream;
    struct answer answer;
    enum answer_verdict verdict = answer_parse(message, size, &exchange->key, pool->answer, &answer);
    pool->retry_waiting = true;
    if (verdict == ANSWER_GOOD) count_answer(pool, session, attempt, &answer);
    session_forget(attempt);
    switch (opinion_judge(pool, exchange, upstream, verdict, &answer)) {
    case OPINION_FINAL: pool_finish(pool, exchange, EXCHANGE_ANSWERED, &answer); break;
    case OPINION_INVALID: on_invalid(pool, exchange, upstream->index, verdict); break;
    case OPINION_ANOTHER:
        counter_add(&pool->counters->upstream_retries[upstream->index][LABEL_RETRY_RCODE], 1);
        dispatch(pool, exchange);
        break;
    }
}

static void on_stray(struct session *session)
{
    counter_add(&pool_of(session)->counters->upstream_late[session->upstream->index][0], 1);
}

/* ---- life ---- */

static void on_probe_done(struct exchange *exchange, enum exchange_result result, const struct answer *answer)
{
    (void)result; /* answered or not shows in upstream_answered_ns and in the upstream's state */
    (void)answer;
    container_of(exchange, struct pool, probe)->probing = false;
}

/* What the probe asks: the root's name servers, the one question that every resolver answers from memory. */
static void make_probe(struct exchange *probe)
{
    static const uint8_t root_ns[] = {0, 0, DNS_TYPE_NS, QUESTION_KEY_RD};
    memcpy(probe->key.bytes, root_ns, sizeof root_ns);
    probe->key.size = sizeof root_ns;
    probe->background = true;
    probe->light = true;
    probe->on_done = on_probe_done;
}

static void set_options(struct pool *pool, const struct pool_options *options)
{
    pool->options = *options;
    pool->deadlines.duration_ns = options->query_timeout_ns;
    pool->host.max_in_flight = options->max_in_flight;
    pool->host.padding = options->padding;
}

bool pool_init(struct pool *pool, const struct pool_options *options, struct tls_context *tls,
               const struct pool_deps *deps)
{
    *pool = (struct pool){.counters = deps->counters, .log = deps->log, .is_prober = deps->is_prober};
    pool->answer = malloc(ANSWER_BYTES_MAX);
    if (!pool->answer) return false;
    pool->random.state = deps->seed;
    pool->trim_at_ns = CLOCK_NEVER;
    pool->tls = tls_context_share(tls);
    pool->host = (struct session_host){
        .loop = deps->loop,
        .buffers = deps->buffers,
        .scratch = deps->scratch,
        .scratch_bytes = SESSION_SCRATCH_BYTES,
        .on_ready = upkeep_on_ready,
        .on_response = on_response,
        .on_stray = on_stray,
        .on_end = upkeep_on_end,
    };
    list_init(&pool->host.dirty);
    for (int line = 0; line < LINES; line++) list_init(&pool->lines[line]);
    timeouts_init(&pool->deadlines, options->query_timeout_ns);
    set_options(pool, options);
    pool->upstream_count = options->upstream_count;
    for (unsigned i = 0; i < pool->upstream_count; i++) upstream_init(&pool->upstreams[i], &options->upstreams[i], i);
    make_probe(&pool->probe);
    pool->asked_ns = deps->loop->now_ns; /* a fresh worker warms up as if it had just been asked */
    return true;
}

void pool_done(struct pool *pool)
{
    if (!pool->answer) return;
    if (pool->probing) pool_cancel(&pool->probe);
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        struct list *node;
        while ((node = list_first(&pool->upstreams[i].sessions)))
            session_free(container_of(node, struct session, of_upstream));
        upstream_done(&pool->upstreams[i]);
    }
    tls_context_free(pool->tls);
    free(pool->answer);
    pool->answer = NULL;
}

/* ---- questions ---- */

void pool_submit(struct pool *pool, struct exchange *exchange, uint64_t now_ns)
{
    timeout_init(&exchange->deadline);
    list_init(&exchange->waiting);
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++) exchange->attempts[i].session = NULL;
    exchange->deaths = 0;
    exchange->asked = false;
    exchange->died_on = NULL;
    exchange->refused_by = NULL;
    exchange->held = NULL;
    timeouts_start(&pool->deadlines, &exchange->deadline, now_ns);
    pool->hedge_credit += pool->options.hedge_percent;
    if (pool->hedge_credit > HEDGE_CREDIT_MAX) pool->hedge_credit = HEDGE_CREDIT_MAX;
    if (!exchange->background) pool->asked_ns = now_ns;
    if (pool->retry_waiting) dispatch_waiting(pool); /* those in line come first */
    dispatch(pool, exchange);
}

void pool_promote(struct pool *pool, struct exchange *exchange)
{
    if (exchange->light) return;
    exchange->light = true;
    if (list_is_empty(&exchange->waiting)) return;
    list_remove(&exchange->waiting);
    dispatch(pool, exchange);
}

void pool_cancel(struct exchange *exchange)
{
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++) session_forget(&exchange->attempts[i]);
    timeout_stop(&exchange->deadline);
    list_remove(&exchange->waiting);
    opinion_drop(exchange);
}

void pool_finish(struct pool *pool, struct exchange *exchange, enum exchange_result result, const struct answer *answer)
{
    struct answer held;
    if (result != EXCHANGE_ANSWERED && opinion_take_held(exchange, &held)) {
        result = EXCHANGE_ANSWERED;
        answer = &held;
    }
    uint8_t *held_bytes = exchange->held; /* outlives the exchange, which its owner may free or submit again */
    exchange->held = NULL;
    pool_cancel(exchange);
    pool->retry_waiting = true;
    exchange->on_done(exchange, result, answer);
    free(held_bytes);
}

static void expire(struct pool *pool, uint64_t now_ns)
{
    struct timeout *timeout;
    while ((timeout = timeouts_take_expired(&pool->deadlines, now_ns))) {
        struct exchange *exchange = container_of(timeout, struct exchange, deadline);
        enum exchange_result result = exchange->asked ? EXCHANGE_TIMED_OUT : EXCHANGE_UNREACHABLE;
        pool_finish(pool, exchange, result, NULL);
    }
}

/* ---- turns ---- */

static void probe_if_due(struct pool *pool, uint64_t now_ns)
{
    uint64_t proved_ns = pool->answered_ns > pool->probed_ns ? pool->answered_ns : pool->probed_ns;
    if (!pool->is_prober || pool->probing || pool->draining) return;
    if (pool->probed_ns != 0 && now_ns - proved_ns < pool->options.probe_ns) return;
    pool->probing = true;
    pool->probed_ns = now_ns;
    pool_submit(pool, &pool->probe, now_ns);
}

static void show(const struct pool *pool)
{
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        uint64_t open = 0;
        uint64_t in_flight = 0;
        list_for_each (node, &pool->upstreams[i].sessions) {
            const struct session *session = container_of(node, struct session, of_upstream);
            open += session_is_open(session);
            in_flight += session->in_flight;
        }
        gauge_set(&pool->counters->upstream_sessions[i][0], open);
        gauge_set(&pool->counters->upstream_up[i][0], open > 0);
        gauge_set(&pool->counters->upstream_in_flight[i][0], in_flight);
    }
}

void pool_tick(struct pool *pool, uint64_t now_ns)
{
    expire(pool, now_ns);
    probe_if_due(pool, now_ns);
    for (unsigned i = 0; i < pool->upstream_count; i++)
        list_for_each_safe (node, &pool->upstreams[i].sessions)
            dispatch_overdue(pool, container_of(node, struct session, of_upstream), now_ns);
    if (pool->retry_waiting) dispatch_waiting(pool); /* before upkeep, which opens sessions for those still in line */
    upkeep(pool, now_ns);
    if (pool->retry_waiting) dispatch_waiting(pool);
    show(pool);
}

uint64_t pool_deadline_ns(const struct pool *pool)
{
    uint64_t deadline_ns = timeouts_deadline_ns(&pool->deadlines);
    uint64_t upkeep_ns = upkeep_deadline_ns(pool);
    if (upkeep_ns < deadline_ns) deadline_ns = upkeep_ns;
    for (unsigned i = 0; i < pool->upstream_count; i++)
        list_for_each (node, &pool->upstreams[i].sessions) {
            uint64_t overdue_ns = dispatch_deadline_ns(container_of(node, struct session, of_upstream));
            if (overdue_ns < deadline_ns) deadline_ns = overdue_ns;
        }
    if (pool->is_prober && !pool->probing && !pool->draining) {
        uint64_t proved_ns = pool->answered_ns > pool->probed_ns ? pool->answered_ns : pool->probed_ns;
        uint64_t probe_ns = proved_ns + pool->options.probe_ns;
        if (probe_ns < deadline_ns) deadline_ns = probe_ns;
    }
    return deadline_ns;
}

void pool_flush(struct pool *pool)
{
    struct list *node;
    while ((node = list_first(&pool->host.dirty))) {
        struct session *session = container_of(node, struct session, dirty);
        if (session->state == SESSION_CONNECTING || session->state == SESSION_HANDSHAKING)
            list_remove(node);
        else
            session_flush(session);
    }
}

const char *pool_error(const struct pool *pool)
{
    const char *error = NULL;
    for (unsigned i = 0; i < pool->upstream_count && !error; i++)
        error = upstream_error(pool->counters, pool->upstreams[i].index);
    return error;
}

bool pool_is_down(const struct pool *pool)
{
    for (unsigned i = 0; i < pool->upstream_count; i++)
        if (upstream_open_sessions(&pool->upstreams[i]) > 0 || pool->upstreams[i].backoff.failures == 0) return false;
    return true;
}

/* ---- reload ---- */

void pool_set_tls(struct pool *pool, struct tls_context *tls)
{
    tls_context_free(pool->tls);
    pool->tls = tls_context_share(tls);
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        tls_ticket_free(pool->upstreams[i].ticket);
        pool->upstreams[i].ticket = NULL;
        pool->upstreams[i].revalidate_at_ns = 0;
    }
}

static bool is_same(const struct upstream_options *a, const struct upstream_options *b)
{
    return address_equal(&a->address, &b->address) && a->transport == b->transport && strcmp(a->name, b->name) == 0;
}

bool pool_set_options(struct pool *pool, const struct pool_options *options)
{
    if (options->upstream_count != pool->upstream_count) return false;
    for (unsigned i = 0; i < pool->upstream_count; i++)
        if (!is_same(&options->upstreams[i], &pool->upstreams[i].options)) return false;
    uint32_t ids = pool->host.max_in_flight; /* the id tables of living sessions are that large */
    set_options(pool, options);
    if (options->max_in_flight > ids) upkeep_drain_all(pool, LABEL_SESSION_END_RELOAD);
    return true;
}

void pool_drain(struct pool *pool, unsigned label)
{
    pool->draining = true;
    upkeep_drain_all(pool, label);
}

bool pool_is_idle(const struct pool *pool)
{
    for (unsigned i = 0; i < pool->upstream_count; i++)
        if (!list_is_empty(&pool->upstreams[i].sessions)) return false;
    return list_is_empty(&pool->deadlines.members);
}

void pool_abandon(struct pool *pool)
{
    struct list *node;
    while ((node = list_first(&pool->deadlines.members))) {
        struct timeout *timeout = container_of(node, struct timeout, node);
        pool_finish(pool, container_of(timeout, struct exchange, deadline), EXCHANGE_UNREACHABLE, NULL);
    }
}
