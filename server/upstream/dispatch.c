#include "upstream/dispatch.h"

#include <string.h>

#include "common/clock.h"
#include "upstream/pool.h"

enum {
    SUSPECTS_FIRST =
        8, /* so few at first, and one more with each answer: who is in flight with the culprit is suspected more */
    HUNG_ASKED = 3,   /* one or two may be slow names; three, and nothing at all comes back, is a silent session */
    KEPT_SHARE = 4,   /* one place in so many is kept for modest questions */
    HEDGE_COST = 100, /* a question earns hedge_percent hundredths of a hedge */
};

#define HUNG_MIN_NS                                                                                                    \
    (50 * NS_PER_MS)           /* no shorter silence is held against a session that was asked HUNG_ASKED times         \
                                */
#define SILENT_MIN_NS NS_PER_S /* nor against one that was asked less */
#define AVOID_NS      NS_PER_S /* how long an upstream comes last after a session to it hung */

/* ---- choosing ---- */

static bool suits_record(const struct session *session, const struct exchange *exchange)
{
    if (session->counted == 0) return true;
    if (session->suspicion != exchange->deaths || exchange->deaths >= EXCHANGE_DEATHS_ALONE) return false;
    return exchange->deaths == 0 || session->counted < SUSPECTS_FIRST + session->answers;
}

static uint32_t places_for(const struct pool *pool, const struct exchange *exchange)
{
    uint32_t max = pool->options.max_in_flight;
    return exchange->light ? max : max - max / KEPT_SHARE;
}

static bool takes(const struct pool *pool, const struct session *session, const struct exchange *exchange)
{
    return session_is_open(session) && session->in_flight < places_for(pool, exchange) &&
           suits_record(session, exchange) && !exchange_is_on(exchange, session);
}

static bool is_excluded(const struct upstream *upstream, const struct exchange *exchange)
{
    return exchange->refused_by && strcmp(exchange->refused_by->options.name, upstream->options.name) == 0;
}

/* It hung lately, or a session to it died with the question just now: what ended that one may be ending the next. */
static bool is_avoided(const struct upstream *upstream, const struct exchange *exchange, uint64_t now_ns)
{
    return now_ns < upstream->avoid_until_ns || upstream == exchange->died_on;
}

static struct session *choose(struct pool *pool, const struct exchange *exchange, bool avoided_too)
{
    uint64_t now_ns = pool->host.loop->now_ns;
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        struct upstream *upstream = &pool->upstreams[i];
        if (is_excluded(upstream, exchange) || (!avoided_too && is_avoided(upstream, exchange, now_ns))) continue;
        list_for_each (node, &upstream->sessions) {
            struct session *session = container_of(node, struct session, of_upstream);
            if (takes(pool, session, exchange)) return session;
        }
    }
    return NULL;
}

/* A place for one more ask; where all are in flight the youngest gives way: the oldest is nearest to its answer. */
static struct attempt *free_attempt(struct exchange *exchange)
{
    struct attempt *youngest = &exchange->attempts[0];
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++) {
        struct attempt *attempt = &exchange->attempts[i];
        if (!attempt->session) return attempt;
        if (attempt->sent_ns > youngest->sent_ns) youngest = attempt;
    }
    session_forget(youngest);
    return youngest;
}

static bool attempt_on(struct pool *pool, struct session *session, struct exchange *exchange)
{
    struct attempt *attempt = free_attempt(exchange);
    attempt->exchange = exchange;
    if (!session_start_attempt(session, attempt, &exchange->key, pool->host.loop->now_ns)) return false;
    if (exchange->deaths > session->suspicion) session->suspicion = exchange->deaths;
    if (!exchange->background) session->served = true;
    exchange->asked = true;
    list_remove(&exchange->waiting);
    counter_add(&pool->counters->upstream_queries[session->upstream->index][0], 1);
    return true;
}

static bool try_attempt(struct pool *pool, struct exchange *exchange)
{
    struct session *session = choose(pool, exchange, false);
    if (!session) session = choose(pool, exchange, true);
    return session && attempt_on(pool, session, exchange);
}

static enum line line_of(const struct exchange *exchange)
{
    if (exchange->deaths > 0 || exchange->refused_by || exchange_is_live(exchange)) return LINE_CONSTRAINED;
    return exchange->light ? LINE_LIGHT : LINE_OTHERS;
}

void dispatch(struct pool *pool, struct exchange *exchange)
{
    if (try_attempt(pool, exchange)) return;
    if (list_is_empty(&exchange->waiting)) list_push(&pool->lines[line_of(exchange)], &exchange->waiting);
}

static void serve_line(struct pool *pool, struct list *line)
{
    struct list *node;
    while ((node = list_first(line)))
        if (!try_attempt(pool, container_of(node, struct exchange, waiting))) return;
}

void dispatch_waiting(struct pool *pool)
{
    serve_line(pool, &pool->lines[LINE_LIGHT]);
    serve_line(pool, &pool->lines[LINE_OTHERS]);
    list_for_each_safe (node, &pool->lines[LINE_CONSTRAINED])
        try_attempt(pool, container_of(node, struct exchange, waiting));
    pool->retry_waiting = false;
}

/* ---- when a session fails a question ---- */

/* It is in flight on a session that nothing is held against; a hung one is not relied on. */
static bool may_be_answered(const struct exchange *exchange)
{
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++)
        if (exchange->attempts[i].session && session_is_relied_on(exchange->attempts[i].session)) return true;
    return false;
}

void dispatch_again(struct pool *pool, struct exchange *exchange)
{
    if (may_be_answered(exchange)) return; /* by its other ask */
    if (exchange->deaths >= EXCHANGE_DEATHS_MAX)
        pool_finish(pool, exchange, EXCHANGE_FAULTY, NULL);
    else
        dispatch(pool, exchange);
}

static void fail_attempts(struct pool *pool, struct upstream *upstream, struct list *attempts, bool blamed)
{
    struct list *node;
    while ((node = list_first(attempts))) {
        struct attempt *attempt = container_of(node, struct attempt, by_age);
        struct exchange *exchange = attempt->exchange;
        /* What was asked a moment ago cannot have caused what comes back now: all sessions are being reset, one after
         * the other. */
        bool early = pool->host.loop->now_ns - attempt->sent_ns < upstream->rtt.least_ns / 2;
        session_forget(attempt);
        exchange->died_on = upstream;
        if (blamed && !early && !may_be_answered(exchange))
            exchange->deaths++; /* two asks that die together are one death */
        counter_add(&pool->counters->upstream_retries[upstream->index][LABEL_RETRY_CLOSED], 1);
        dispatch_again(pool, exchange);
    }
}

void dispatch_elsewhere(struct pool *pool, struct session *session, bool blamed)
{
    session->state = SESSION_DRAINING; /* so that it is not chosen again */
    fail_attempts(pool, session->upstream, &session->overdue, blamed);
    fail_attempts(pool, session->upstream, &session->attempts, blamed);
}

/* ---- silence ---- */

/* However slow the upstream was, a second and a third ask must still fit into the question's time. */
static uint64_t hung_after_ns(const struct session *session)
{
    uint64_t most_ns = container_of(session->host, struct pool, host)->options.query_timeout_ns / 3;
    uint64_t timeout_ns = rtt_timeout_ns(&session->upstream->rtt);
    bool many = session->asked_in_silence >= HUNG_ASKED;
    uint64_t silence_ns = many ? 2 * timeout_ns : 4 * timeout_ns;
    uint64_t least_ns = many ? HUNG_MIN_NS : SILENT_MIN_NS;
    if (silence_ns < least_ns) silence_ns = least_ns;
    return silence_ns < most_ns ? silence_ns : most_ns;
}

/* Every question of a hung session that is not asked elsewhere already is asked again; should the session speak after
 * all, the first valid answer wins. */
static void retry_all(struct pool *pool, struct session *session, struct list *attempts)
{
    list_for_each_safe (node, attempts) {
        struct attempt *attempt = container_of(node, struct attempt, by_age);
        struct exchange *exchange = attempt->exchange;
        if (may_be_answered(exchange) || !list_is_empty(&exchange->waiting)) continue;
        counter_add(&pool->counters->upstream_retries[session->upstream->index][LABEL_RETRY_HUNG], 1);
        dispatch(pool, exchange);
    }
}

/* What stopped this session mostly stopped all to its upstream: those not heard since are not relied on either, or a
 * question would find out about each of them in turn. */
static void doubt_unheard(struct pool *pool, const struct session *hung)
{
    uint64_t since_ns = hung->silent_from_ns;
    list_for_each (node, &hung->upstream->sessions) {
        struct session *session = container_of(node, struct session, of_upstream);
        if (session_is_relied_on(session) && session->heard_ns <= since_ns) session->doubted = true;
    }
    list_for_each (node, &hung->upstream->sessions) {
        struct session *session = container_of(node, struct session, of_upstream);
        if (!session->doubted) continue;
        retry_all(pool, session, &session->overdue);
        retry_all(pool, session, &session->attempts);
    }
}

static void declare_hung(struct pool *pool, struct session *session, uint64_t now_ns)
{
    struct upstream *upstream = session->upstream;
    uint64_t held_back;
    upstream->avoid_until_ns = now_ns + AVOID_NS;
    rtt_back_off(&upstream->rtt);
    counter_add(&pool->counters->upstream_failures[upstream->index][LABEL_FAILURE_HUNG], 1);
    if (log_repeat_due(&upstream->trouble, now_ns, &held_back))
        log_warning(pool->log, "upstream session hangs", log_text("upstream", upstream->label),
                    log_number("waiting", session->in_flight), log_number("repeated", held_back));
    doubt_unheard(pool, session);
}

static void hedge(struct pool *pool, struct attempt *attempt)
{
    struct exchange *exchange = attempt->exchange;
    session_mark_overdue(attempt);
    if (attempt->session->counted == 0) pool->retry_waiting = true;
    if (pool->hedge_credit < HEDGE_COST || (exchange->attempts[0].session && exchange->attempts[1].session)) return;
    pool->hedge_credit -= HEDGE_COST;
    counter_add(&pool->counters->upstream_retries[attempt->session->upstream->index][LABEL_RETRY_HEDGE], 1);
    dispatch(pool, exchange);
}

void dispatch_overdue(struct pool *pool, struct session *session, uint64_t now_ns)
{
    if (!session_is_relied_on(session)) return;
    uint64_t timeout_ns = rtt_timeout_ns(&session->upstream->rtt);
    struct list *node;
    while ((node = list_first(&session->attempts))) {
        struct attempt *attempt = container_of(node, struct attempt, by_age);
        if (now_ns - attempt->sent_ns < timeout_ns) break;
        hedge(pool, attempt);
    }
    if (session->asked_in_silence > 0 && session->in_flight > 0 &&
        now_ns - session->silent_from_ns >= hung_after_ns(session))
        declare_hung(pool, session, now_ns);
}

uint64_t dispatch_deadline_ns(const struct session *session)
{
    if (!session_is_relied_on(session) || session->in_flight == 0) return CLOCK_NEVER;
    uint64_t deadline_ns = CLOCK_NEVER;
    const struct list *oldest = list_first(&session->attempts);
    if (oldest)
        deadline_ns = container_of(oldest, struct attempt, by_age)->sent_ns + rtt_timeout_ns(&session->upstream->rtt);
    if (session->asked_in_silence > 0) {
        uint64_t hung_ns = session->silent_from_ns + hung_after_ns(session);
        if (hung_ns < deadline_ns) deadline_ns = hung_ns;
    }
    return deadline_ns;
}
