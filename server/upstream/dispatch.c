#include "upstream/dispatch.h"

#include "common/check.h"
#include "common/clock.h"
#include "upstream/choice.h"
#include "upstream/state.h"
#include "upstream/tally.h"
#include "upstream/trace.h"

enum { HEDGE_CREDIT_MAX = 10 * 100 }; /* hedges that may be saved up: a short burst of slow answers, not a storm */

#define AFTER_ANSWER_NS (10 * NS_PER_MS) /* an end so soon behind an answer is the server's habit */

/* How little is to be hoped of an attempt: most of all where the upstream did not answer lately, which tells more than
 * that it is avoided since some questions are slow. Silence alone is not held against the leading attempt: it is why
 * the others were made, and where the upstream is slow, all of them meet it. */
static unsigned hopelessness(const struct attempt *attempt)
{
    const struct session *session = attempt->session;
    bool is_mute = upstream_is_mute(session->upstream, session->host->channels.loop->now_ns);
    if (attempt->leading) return 4 * is_mute;
    return 4 * is_mute + 2 * session->upstream->avoided + session->doubted;
}

/* Room for one more attempt. If all are in flight, the attempt least likely to be answered is abandoned, and of two
 * alike the younger: the older is nearer to its answer. */
static struct attempt *free_attempt(struct exchange *exchange)
{
    struct attempt *worst = &exchange->attempts[0];
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++)
        if (!exchange->attempts[i].session) return &exchange->attempts[i];
    for (int i = 1; i < EXCHANGE_ATTEMPTS_MAX; i++) {
        struct attempt *attempt = &exchange->attempts[i];
        bool younger = attempt->sent_attended_ns > worst->sent_attended_ns;
        unsigned less = hopelessness(attempt);
        if (less > hopelessness(worst) || (less == hopelessness(worst) && younger)) worst = attempt;
    }
    session_forget(worst);
    return worst;
}

static bool start_attempt(struct pool *pool, struct session *session, struct exchange *exchange)
{
    struct attempt *attempt = free_attempt(exchange);
    CHECK(exchange->attempts_made < EXCHANGE_ATTEMPTS_TOTAL);
    attempt->leading = !exchange_is_live(exchange);
    attempt->was_slow = exchange->slow;
    attempt->plain = opinion_is_plain(&exchange->opinions, session->upstream, pool_now_ns(pool));
    if (!session_start_attempt(session, attempt, &exchange->key, pool_now_ns(pool))) return false;
    exchange->attempts_made++;
    exchange->sent_ns = pool_now_ns(pool);
    exchange->last = session->upstream;
    exchange->tried |= (uint16_t)(1u << session->upstream->index);
    if (exchange_class(exchange) == EXCHANGE_SUSPECT && session->suspicion < exchange->deaths)
        session->suspicion = exchange->deaths;
    if (exchange_class(exchange) == EXCHANGE_SOLITARY && session->in_flight == 1) session->reserved = true;
    if (!exchange->background) session->served = true;
    exchange->asked = true;
    list_remove(&exchange->waiting);
    tally_query(pool->counters, session->upstream);
    trace_exchange(pool, "question sent", exchange, session);
    return true;
}

static bool try_attempt(struct pool *pool, struct exchange *exchange)
{
    struct session *session = choice_session(pool, exchange);
    return session && start_attempt(pool, session, exchange);
}

/* ---- lines ---- */

static enum line line_of(const struct exchange *exchange)
{
    if (exchange->lost > 0 || exchange->invalid > 0 || exchange->opinions.excluded || exchange->only ||
        exchange->slow || exchange_is_live(exchange))
        return LINE_CONSTRAINED;
    return exchange->light ? LINE_LIGHT : LINE_OTHERS;
}

void dispatch(struct pool *pool, struct exchange *exchange)
{
    CHECK(timeout_is_running(&exchange->deadline));
    if (!exchange_may_try(exchange) || try_attempt(pool, exchange) || exchange_is_waiting(exchange)) return;
    exchange->waiting_ns = pool_now_ns(pool);
    list_push(&pool->lines[line_of(exchange)], &exchange->waiting);
    trace_exchange(pool, "question waits", exchange, NULL);
}

static void serve_line(struct pool *pool, struct list *line)
{
    struct list *node;
    while ((node = list_first(line)))
        if (!try_attempt(pool, container_of(node, struct exchange, waiting))) return;
}

void dispatch_waiting(struct pool *pool)
{
    pool->host.room_made = false;
    list_for_each_safe (node, &pool->lines[LINE_CONSTRAINED]) {
        struct exchange *exchange = container_of(node, struct exchange, waiting);
        if (exchange_may_try(exchange))
            try_attempt(pool, exchange);
        else
            list_remove(node); /* lost a session meanwhile: its last attempt decides */
    }
    serve_line(pool, &pool->lines[LINE_LIGHT]);
    serve_line(pool, &pool->lines[LINE_OTHERS]);
}

void dispatch_submit(struct pool *pool, struct exchange *exchange, uint64_t now_ns)
{
    exchange_begin(exchange, ++pool->exchanges);
    timeouts_start(&pool->deadlines, &exchange->deadline, now_ns);
    pool->hedge_credit += pool->options.hedge_percent;
    if (pool->hedge_credit > HEDGE_CREDIT_MAX) pool->hedge_credit = HEDGE_CREDIT_MAX;
    if (!exchange->background) pool->asked_ns = now_ns;
    if (pool->host.room_made) dispatch_waiting(pool); /* those in line come first */
    dispatch(pool, exchange);
}

void dispatch_promote(struct pool *pool, struct exchange *exchange)
{
    if (exchange->light) return;
    exchange->light = true;
    if (!exchange_is_waiting(exchange)) return;
    list_remove(&exchange->waiting);
    dispatch(pool, exchange);
}

/* ---- when an attempt fails ---- */

void dispatch_finish(struct pool *pool, struct exchange *exchange, enum exchange_result result,
                     const struct answer *answer)
{
    trace_exchange_end(pool, exchange, result);
    pool->host.room_made = true;
    exchange_finish(exchange, result, answer);
}

void dispatch_again(struct pool *pool, struct exchange *exchange)
{
    if (exchange_may_be_answered(exchange)) return; /* by its other attempt */
    bool is_allowed = opinion_allows_any(&exchange->opinions, pool->upstreams, pool->upstream_count);
    if (exchange_may_try(exchange) && is_allowed)
        dispatch(pool, exchange);
    else if (!exchange_is_live(exchange))
        dispatch_finish(pool, exchange, EXCHANGE_FAULTY, NULL);
}

/* What a session's end says of the questions in flight on it. */
struct blame {
    uint64_t now_ns;   /* attended time, as all here */
    uint64_t early_ns; /* what was sent later than this cannot have caused the end */
    bool counts;       /* the proxy did not end it */
    bool somebody;     /* a question may have caused the end */
};

static struct blame blame_for(const struct pool *pool, const struct session *session, enum cause cause)
{
    uint64_t now_ns = loop_attended_ns(pool->host.channels.loop);
    uint64_t least_ns = session->upstream->rtt.least_ns / 2;
    bool after_answer = session->answers > 0 && cause_is_loss(cause) && now_ns - session->heard_ns <= AFTER_ANSWER_NS;
    bool trusted = session->state != SESSION_OPENING && !session->doubted;
    bool ours = !cause_is_failure(cause) || cause == CAUSE_CERTIFICATE;
    return (struct blame){now_ns, now_ns - least_ns, !ours, trusted && !after_answer && !ours};
}

static void fail_attempts(struct pool *pool, struct session *session, struct list *attempts, struct blame blame)
{
    struct list *node;
    while ((node = list_first(attempts))) {
        struct attempt *attempt = container_of(node, struct attempt, by_age);
        struct exchange *exchange = attempt->exchange;
        bool was_sent = attempt->sent_attended_ns < blame.now_ns; /* what was asked in this turn has not left yet */
        bool early = attempt->sent_attended_ns > blame.early_ns;
        session_forget(attempt);
        exchange_note_failure(exchange, session->upstream, pool->upstream_count);
        if (was_sent && blame.counts) exchange->lost++;
        if (!was_sent || blame.counts) exchange->cut++;
        if (blame.somebody && was_sent && !early && !exchange_may_be_answered(exchange))
            exchange->deaths++; /* two attempts that end together are one death */
        tally_retry(pool->counters, session->upstream, RETRY_CLOSED);
        trace_exchange(pool, "question retried", exchange, session);
        dispatch_again(pool, exchange);
    }
}

void dispatch_elsewhere(struct pool *pool, struct session *session, enum cause cause)
{
    struct blame blame = blame_for(pool, session, cause);
    session->state = SESSION_DRAINING; /* so that it is not chosen again */
    fail_attempts(pool, session, &session->overdue, blame);
    fail_attempts(pool, session, &session->attempts, blame);
    CHECK(session->in_flight == 0 && session->counted == 0);
}

/* ---- the end ---- */

void dispatch_expire(struct pool *pool, uint64_t now_ns)
{
    struct timeout *timeout;
    while ((timeout = timeouts_take_expired(&pool->deadlines, now_ns))) {
        struct exchange *exchange = container_of(timeout, struct exchange, deadline);
        dispatch_finish(pool, exchange, exchange->asked ? EXCHANGE_TIMED_OUT : EXCHANGE_UNREACHABLE, NULL);
    }
}

void dispatch_give_up_waiting(struct pool *pool)
{
    struct list waiting;
    struct list *node;
    list_init(&waiting);
    for (int line = 0; line < LINES; line++) list_append(&waiting, &pool->lines[line]);
    while ((node = list_take(&waiting))) {
        struct exchange *exchange = container_of(node, struct exchange, waiting);
        if (exchange->background || exchange_is_live(exchange))
            list_push(&pool->lines[line_of(exchange)], node);
        else
            dispatch_finish(pool, exchange, exchange->asked ? EXCHANGE_FAULTY : EXCHANGE_UNREACHABLE, NULL);
    }
}
