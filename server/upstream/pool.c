#include "upstream/pool.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "upstream/dispatch.h"
#include "upstream/opinion.h"
#include "upstream/probe.h"
#include "upstream/silence.h"
#include "upstream/state.h"
#include "upstream/tally.h"
#include "upstream/trace.h"
#include "upstream/upkeep.h"

enum { HEDGE_CREDIT_FIRST = 10 * 100 }; /* hedges that may be made before questions earned any */

/* ---- events of sessions ---- */

/* What a first valid answer on a session is good for: the ticket it brought, and the proof that the upstream works. */
static void first_answer(struct session *session)
{
    struct upstream *upstream = session->upstream;
    backoff_succeeded(&upstream->backoff);
    struct tls_ticket *ticket = channel_take_ticket(session->channel);
    if (!ticket) return;
    tls_ticket_free(upstream->ticket);
    upstream->ticket = ticket;
}

/* The answer counts for its session, its upstream and the metrics; the attempt is over. */
static void count_answer(struct pool *pool, struct session *session, struct attempt *attempt, bool spoke_again,
                         const struct answer *answer)
{
    uint64_t now_ns = pool_now_ns(pool);
    struct upstream *upstream = session->upstream;
    uint64_t took_ns = now_ns - attempt->sent_ns;
    /* Not one answer came meanwhile: more than a slow question kept it from answering. */
    bool was_silent = upstream->state == UPSTREAM_SILENT && upstream->answered_ns <= upstream->state_ns;
    uint64_t attended_ns = session_attended_ns(session) - attempt->sent_attended_ns;
    bool proves = spoke_again || attempt->sent_ns >= upstream->probe_at_ns;
    tally_response(pool->counters, upstream, answer->rcode, took_ns, now_ns);
    pool->answered_ns = now_ns;
    session_count_answer(attempt, attended_ns);
    if (session->answers == 1) first_answer(session);
    if (!upstream_answered(upstream, attended_ns, proves, now_ns)) return;
    tally_error(pool->counters, upstream, NULL);
    if (was_silent) silence_over(pool, upstream);
}

static void note_overtaken(struct pool *pool, struct exchange *exchange, const struct session *session)
{
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++)
        if (exchange->attempts[i].session && exchange->attempts[i].session != session)
            silence_note_overtaken(pool, &exchange->attempts[i], session->upstream);
}

static void on_invalid(struct pool *pool, struct exchange *exchange, struct upstream *upstream,
                       enum answer_verdict verdict)
{
    tally_cause(pool->counters, upstream, verdict == ANSWER_MISMATCH ? CAUSE_MISMATCH : CAUSE_MALFORMED);
    tally_retry(pool->counters, upstream, RETRY_INVALID);
    exchange->invalid++;
    exchange_note_failure(exchange, upstream, pool->upstream_count);
    trace_exchange(pool, "question retried", exchange, NULL);
    dispatch_again(pool, exchange);
}

static void on_response(struct session *session, struct attempt *attempt, const uint8_t *message, size_t size)
{
    struct pool *pool = pool_of(session);
    struct exchange *exchange = attempt->exchange;
    struct upstream *upstream = session->upstream;
    struct answer answer;
    bool was_plain = attempt->plain;
    if (exchange->on_response) exchange->on_response(exchange);
    exchange->last = upstream;
    bool spoke_again = session_trust(session);
    if (spoke_again || session->answers > upstream->silent_answers) upstream->silent_sessions = 0;
    enum answer_verdict verdict = answer_parse(message, size, &exchange->key, pool->answer, &answer);
    if (verdict == ANSWER_GOOD) {
        note_overtaken(pool, exchange, session);
        count_answer(pool, session, attempt, spoke_again, &answer);
    } else {
        session_forget_answered(attempt);
    }
    if (exchange->only && verdict == ANSWER_GOOD) { /* of a query of our own every answer is good news */
        dispatch_finish(pool, exchange, EXCHANGE_ANSWERED, &answer);
        return;
    }
    const struct opinion_response response = {upstream, was_plain, verdict, &answer};
    switch (opinion_judge(&exchange->opinions, pool->upstreams, pool->upstream_count, &response, pool_now_ns(pool))) {
    case OPINION_FINAL: dispatch_finish(pool, exchange, EXCHANGE_ANSWERED, &answer); break;
    case OPINION_INVALID: on_invalid(pool, exchange, upstream, verdict); break;
    case OPINION_AGAIN:
        tally_retry(pool->counters, upstream, RETRY_RCODE);
        trace_exchange(pool, "question retried", exchange, NULL);
        dispatch_again(pool, exchange);
        break;
    case OPINION_FAILED: dispatch_again(pool, exchange); break; /* by another attempt, or not at all */
    }
}

static void on_late_response(struct session *session)
{
    session_trust(session);
    tally_late_response(pool_of(session)->counters, session->upstream);
}

static void on_free(struct session *session)
{
    tally_session_end(session->row);
}

/* ---- life ---- */

static void set_options(struct pool *pool, const struct pool_options *options)
{
    pool->options = *options;
    pool->deadlines.duration_ns = options->query_timeout_ns;
    pool->host.max_in_flight = options->max_in_flight;
    pool->host.padding = options->padding;
}

static void init_upstream(struct pool *pool, const struct pool_options *options, unsigned i)
{
    struct upstream *upstream = &pool->upstreams[i];
    unsigned series = options->first_series + i;
    CHECK(options->route || options->upstreams[i].transport == UPSTREAM_TLS); /* plain text is for routes only */
    upstream_init(upstream, &options->upstreams[i], i, options->max_in_flight);
    upstream->series = series < UPSTREAM_SERIES_REST ? series : UPSTREAM_SERIES_REST;
    if (options->route) upstream_set_route(upstream, options->route);
}

struct pool *pool_new(const struct pool_options *options, struct tls_context *tls, const struct pool_deps *deps)
{
    struct pool *pool = calloc(1, sizeof *pool);
    uint8_t *answer = malloc(ANSWER_BYTES_MAX);
    if (!pool || !answer) {
        free(pool);
        free(answer);
        return NULL;
    }
    pool->answer = answer;
    pool->counters = deps->counters;
    pool->log = deps->log;
    pool->worker = deps->worker;
    pool->is_prober = deps->is_prober;
    pool->random.state = deps->seed;
    pool->trim_at_ns = CLOCK_NEVER;
    pool->rested_ns = CLOCK_NEVER;
    pool->tls = tls_context_share(tls);
    pool->host = (struct session_host){
        .channels = {.loop = deps->loop, .buffers = deps->buffers, .scratch = deps->scratch},
        .tap = deps->tap,
        .on_ready = upkeep_on_ready,
        .on_response = on_response,
        .on_late_response = on_late_response,
        .on_free = on_free,
        .on_end = upkeep_on_end,
    };
    list_init(&pool->host.channels.unwritten);
    list_init(&pool->host.channels.unread);
    for (int line = 0; line < LINES; line++) list_init(&pool->lines[line]);
    timeouts_init(&pool->deadlines, options->query_timeout_ns);
    set_options(pool, options);
    pool->upstream_count = options->upstream_count;
    for (unsigned i = 0; i < pool->upstream_count; i++) init_upstream(pool, options, i);
    probe_init(pool);
    pool->asked_ns = pool->hedge_ns = deps->loop->now_ns; /* a fresh worker warms up as if it had just been asked */
    pool->hedge_credit = options->hedge_percent ? HEDGE_CREDIT_FIRST : 0;
    return pool;
}

void pool_free(struct pool *pool)
{
    if (!pool) return;
    probe_stop(pool);
    CHECK(list_is_empty(&pool->deadlines.members));
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        struct list *node;
        while ((node = list_first(&pool->upstreams[i].sessions)))
            session_free(container_of(node, struct session, of_upstream));
        upstream_done(&pool->upstreams[i]);
    }
    tls_context_free(pool->tls);
    free(pool->answer);
    free(pool);
}

/* ---- questions ---- */

void pool_submit(struct pool *pool, struct exchange *exchange, uint64_t now_ns)
{
    pool->has_news = true;
    exchange->only = NULL;
    dispatch_submit(pool, exchange, now_ns);
}

void pool_promote(struct pool *pool, struct exchange *exchange)
{
    pool->has_news = true;
    dispatch_promote(pool, exchange);
}

void pool_cancel(struct exchange *exchange)
{
    exchange_cancel(exchange);
}

/* ---- turns ---- */

static void show(const struct pool *pool)
{
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        uint64_t open = 0;
        uint64_t in_flight = 0;
        list_for_each (node, &pool->upstreams[i].sessions) {
            const struct session *session = container_of(node, struct session, of_upstream);
            open += session_is_open(session);
            in_flight += session->in_flight;
            CHECK_SLOW(session_is_sound(session));
            if (session->row) tally_session(session->row, session, pool->worker, pool_now_ns(pool));
        }
        tally_upstream(pool->counters, &pool->upstreams[i], open, in_flight);
    }
}

void pool_tick(struct pool *pool, uint64_t now_ns)
{
    pool->has_news = pool->host.channels.had_event = false; /* at first: what is done here may be news for the next */
    channels_resume(&pool->host.channels);
    dispatch_expire(pool, now_ns);
    silence_earn_hedges(pool, now_ns);
    probe_tick(pool, now_ns);
    for (unsigned i = 0; i < pool->upstream_count; i++)
        list_for_each (node, &pool->upstreams[i].sessions)
            silence_check(pool, container_of(node, struct session, of_upstream), now_ns);
    dispatch_waiting(pool); /* before upkeep, which opens sessions for those still in line */
    upkeep(pool, now_ns);
    if (pool->host.room_made) dispatch_waiting(pool);
    show(pool);
}

uint64_t pool_deadline_ns(const struct pool *pool)
{
    if (channels_have_unread(&pool->host.channels)) return 0;
    uint64_t deadline_ns = timeouts_deadline_ns(&pool->deadlines);
    deadline_ns = clock_earlier(deadline_ns, upkeep_deadline_ns(pool));
    deadline_ns = clock_earlier(deadline_ns, probe_deadline_ns(pool));
    for (unsigned i = 0; i < pool->upstream_count; i++)
        list_for_each (node, &pool->upstreams[i].sessions)
            deadline_ns =
                clock_earlier(deadline_ns, silence_deadline_ns(container_of(node, struct session, of_upstream)));
    return deadline_ns;
}

bool pool_has_news(const struct pool *pool)
{
    return pool->has_news || pool->host.channels.had_event;
}

void pool_flush(struct pool *pool)
{
    if (list_is_empty(&pool->host.channels.unwritten)) return;
    pool->has_news = true; /* a channel may fail */
    channels_flush(&pool->host.channels);
}

const char *pool_error(const struct pool *pool)
{
    const char *error = pool->upstream_count == 0 ? "no address of an upstream is known yet" : NULL;
    for (unsigned i = 0; i < pool->upstream_count && !error; i++)
        error = upstream_error(pool->counters, pool->upstreams[i].series);
    return error;
}

bool pool_is_down(const struct pool *pool)
{
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        const struct upstream *upstream = &pool->upstreams[i];
        bool failing = upstream->backoff.failures > 0 && session_count_open(upstream) == 0;
        if (!failing && upstream->state != UPSTREAM_SILENT) return false;
    }
    return true;
}

bool pool_is_open(const struct pool *pool)
{
    for (unsigned i = 0; i < pool->upstream_count; i++)
        if (session_count_open(&pool->upstreams[i]) > 0) return true;
    return false;
}

/* ---- reload ---- */

void pool_set_tls(struct pool *pool, struct tls_context *tls)
{
    pool->has_news = true;
    if (pool->tls == tls) return;
    tls_context_free(pool->tls);
    pool->tls = tls_context_share(tls);
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        tls_ticket_free(pool->upstreams[i].ticket);
        pool->upstreams[i].ticket = NULL;
        if (pool->upstreams[i].options.transport == UPSTREAM_TLS)
            pool->upstreams[i].revalidate_at_ns = 1; /* long ago */
    }
}

static bool is_same(const struct upstream_options *a, const struct upstream_options *b)
{
    return address_equal(&a->address, &b->address) && a->transport == b->transport && strcmp(a->name, b->name) == 0;
}

bool pool_set_options(struct pool *pool, const struct pool_options *options)
{
    pool->has_news = true;
    if (options->upstream_count != pool->upstream_count) return false;
    for (unsigned i = 0; i < pool->upstream_count; i++)
        if (!is_same(&options->upstreams[i], &pool->upstreams[i].options)) return false;
    uint32_t ids = pool->host.max_in_flight; /* the id tables of living sessions are that large */
    set_options(pool, options);
    if (options->max_in_flight > ids) upkeep_drain_all(pool, CAUSE_RELOAD);
    return true;
}

void pool_set_resting(struct pool *pool, bool resting)
{
    uint64_t now_ns = pool_now_ns(pool);
    if (resting == (pool->rested_ns != CLOCK_NEVER)) return;
    pool->has_news = true;
    pool->rested_ns = resting ? now_ns : CLOCK_NEVER;
    if (!resting) pool->asked_ns = now_ns;
}

void pool_drain(struct pool *pool, enum cause cause, struct counters *counters)
{
    pool->has_news = true;
    pool->counters = counters;
    pool->draining = true;
    upkeep_drain_all(pool, cause);
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
    pool->has_news = true;
    probe_stop(pool);
    while ((node = list_first(&pool->deadlines.members))) {
        struct timeout *timeout = container_of(node, struct timeout, node);
        dispatch_finish(pool, container_of(timeout, struct exchange, deadline), EXCHANGE_UNREACHABLE, NULL);
    }
}
