#include "upstream/dispatch.h"

#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "upstream/state.h"
#include "upstream/tally.h"
#include "upstream/trace.h"

enum {
    SUSPECTS_FIRST = 8, /* so few at first, and one more with each answer: all of them are suspected if it ends */
    KEPT_SHARE = 4,     /* one part in so many of a session's room is kept for light clients */
    HEDGE_CREDIT_MAX = 10 * 100, /* hedges that may be saved up: a short burst of slow answers, not a storm */
};

#define AFTER_ANSWER_NS (10 * NS_PER_MS)  /* an end so soon behind an answer is the server's habit */
#define OPENING_NS      (250 * NS_PER_MS) /* a connection older than that is not waited for (RFC 8305, 5) */
#define PATIENCE_NS     (100 * NS_PER_MS) /* how long a question waits for a better session than there is */

/* ---- choosing ---- */

bool dispatch_is_allowed(const struct exchange *exchange, const struct upstream *upstream)
{
    if (exchange->only && exchange->only != upstream) return false;
    return !exchange->refused_by || strcmp(exchange->refused_by->options.name, upstream->options.name) != 0;
}

static bool another_is_up(const struct pool *pool, const struct upstream *upstream)
{
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        const struct upstream *other = &pool->upstreams[i];
        if (other != upstream && upstream_is_up(other) && other->backoff.failures == 0) return true;
    }
    return false;
}

bool dispatch_is_avoided(const struct pool *pool, const struct upstream *upstream)
{
    return !upstream_is_up(upstream) && (upstream->avoided || another_is_up(pool, upstream));
}

/* It has questions in flight, and nothing was heard of it for longer than usual. Where the upstream answers in order, a
 * new question would wait behind those. */
static bool is_quiet(const struct session *session, uint64_t now_ns)
{
    if (session->in_flight == 0 || session->upstream->reorders) return false;
    return now_ns - session_silent_since_ns(session) >= upstream_quiet_ns(session->upstream);
}

static uint32_t room_of(const struct session *session, const struct exchange *exchange)
{
    uint32_t room = session->window;
    if (room > session->host->max_in_flight) room = session->host->max_in_flight;
    uint32_t left = session_answers_left(session);
    if (!exchange->light) room -= room / KEPT_SHARE;
    return room < left ? room : left;
}

static bool suits_class(const struct session *session, const struct exchange *exchange)
{
    if (session->reserved) return false;
    switch (exchange_class(exchange)) {
    case EXCHANGE_SOLITARY: return session->in_flight == 0;
    case EXCHANGE_SUSPECT:
        if (session->counted == 0) return true;
        return session->suspicion > 0 && session->counted < SUSPECTS_FIRST + session->answers;
    case EXCHANGE_CLEAN: return session->counted == 0 || session->suspicion == 0;
    }
    return false;
}

static bool takes(const struct session *session, const struct exchange *exchange)
{
    return session_is_open(session) && session->in_flight < room_of(session, exchange) &&
           suits_class(session, exchange) && !exchange_is_on(exchange, session);
}

/* How far the choice goes. */
enum tier {
    TIER_GOOD,  /* sessions nothing speaks against */
    TIER_AGAIN, /* also of the upstream where the question failed last: what ended that attempt may end the next */
    TIER_ANY,   /* also of avoided upstreams, and silent ones */
};

/* A question that ended sessions gets a new one. One that is merely slow may have one that is not needed at the moment:
 * where another takes the questions meanwhile. */
static bool is_free_for_solitary(const struct pool *pool, const struct session *session,
                                 const struct exchange *exchange)
{
    if (session->sent == 0) return true;
    if (exchange->lost >= EXCHANGE_ALONE) return false;
    list_for_each (node, &session->upstream->sessions) {
        const struct session *other = container_of(node, struct session, of_upstream);
        if (other != session && session_is_open(other) && !other->reserved && !is_quiet(other, pool_now_ns(pool)))
            return true;
    }
    return false;
}

static bool is_in_tier(const struct pool *pool, const struct session *session, const struct exchange *exchange,
                       enum tier tier)
{
    if (tier == TIER_ANY) return true;
    if (exchange_class(exchange) == EXCHANGE_SOLITARY && !is_free_for_solitary(pool, session, exchange)) return false;
    if (is_quiet(session, pool_now_ns(pool))) return false;
    return tier == TIER_AGAIN || session->upstream != exchange->died_on;
}

static struct session *choose(struct pool *pool, const struct exchange *exchange, enum tier tier)
{
    struct session *least = NULL;
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        struct upstream *upstream = &pool->upstreams[i];
        if (!dispatch_is_allowed(exchange, upstream)) continue;
        if (tier != TIER_ANY && !exchange->only && dispatch_is_avoided(pool, upstream)) continue;
        list_for_each (node, &upstream->sessions) {
            struct session *session = container_of(node, struct session, of_upstream);
            if (!takes(session, exchange) || !is_in_tier(pool, session, exchange, tier)) continue;
            if (tier != TIER_ANY) return session;
            if (!least || session->in_flight < least->in_flight) least = session;
        }
    }
    return least;
}

struct session *dispatch_replaceable(const struct upstream *upstream, uint64_t now_ns)
{
    list_for_each (node, &upstream->sessions) {
        struct session *session = container_of(node, struct session, of_upstream);
        if (session->doubted && now_ns - session->doubted_ns >= OPENING_NS) return session;
    }
    return NULL;
}

bool dispatch_has_session_room(const struct pool *pool, const struct upstream *upstream, bool solitary)
{
    unsigned max = pool->options.max_sessions;
    unsigned sessions = 0;
    unsigned used = 0;
    if (solitary) max += max > 1 ? max / 2 : 1;
    list_for_each (node, &upstream->sessions) {
        const struct session *session = container_of(node, struct session, of_upstream);
        sessions++;
        used += session->state == SESSION_OPENING || session_is_open(session);
    }
    if (used >= max) return false;
    return sessions < 2 * pool->options.max_sessions || dispatch_replaceable(upstream, pool_now_ns(pool));
}

/* A session that nothing speaks against is on its way, or may be opened now. */
static bool better_is_expected(const struct pool *pool, const struct exchange *exchange)
{
    uint64_t now_ns = pool_now_ns(pool);
    bool solitary = exchange_class(exchange) == EXCHANGE_SOLITARY;
    if (pool->draining) return false;
    if (exchange_is_waiting(exchange) && now_ns - exchange->waiting_ns >= PATIENCE_NS) return false;
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        const struct upstream *upstream = &pool->upstreams[i];
        if (!dispatch_is_allowed(exchange, upstream)) continue;
        if (!exchange->only && dispatch_is_avoided(pool, upstream)) continue;
        list_for_each (node, &upstream->sessions) {
            const struct session *session = container_of(node, struct session, of_upstream);
            if (session->state == SESSION_OPENING && now_ns - session->opened_ns < OPENING_NS) return true;
        }
        if (backoff_allows(&upstream->backoff, now_ns) && dispatch_has_session_room(pool, upstream, solitary))
            return true;
    }
    return false;
}

/* Room for one more attempt; where all are in flight the youngest gives way: the oldest is nearest to its answer. */
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

static bool start_attempt(struct pool *pool, struct session *session, struct exchange *exchange)
{
    struct attempt *attempt = free_attempt(exchange);
    CHECK(exchange->attempts_made < EXCHANGE_ATTEMPTS_TOTAL);
    if (!session_start_attempt(session, attempt, &exchange->key, pool_now_ns(pool))) return false;
    exchange->attempts_made++;
    if (exchange_class(exchange) == EXCHANGE_SUSPECT && session->suspicion < exchange->deaths)
        session->suspicion = exchange->deaths;
    if (exchange_class(exchange) == EXCHANGE_SOLITARY) session->reserved = true;
    if (!exchange->background) session->served = true;
    exchange->asked = true;
    list_remove(&exchange->waiting);
    tally_query(pool->counters, session->upstream);
    trace_exchange(pool, "question sent", exchange, session);
    return true;
}

static bool try_attempt(struct pool *pool, struct exchange *exchange)
{
    struct session *session = choose(pool, exchange, TIER_GOOD);
    if (!session) session = choose(pool, exchange, TIER_AGAIN);
    if (!session && !better_is_expected(pool, exchange)) session = choose(pool, exchange, TIER_ANY);
    return session && start_attempt(pool, session, exchange);
}

/* ---- lines ---- */

static enum line line_of(const struct exchange *exchange)
{
    if (exchange->lost > 0 || exchange->invalid > 0 || exchange->refused_by || exchange->only || exchange->slow ||
        exchange_is_live(exchange))
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
    serve_line(pool, &pool->lines[LINE_LIGHT]);
    serve_line(pool, &pool->lines[LINE_OTHERS]);
    list_for_each_safe (node, &pool->lines[LINE_CONSTRAINED]) {
        struct exchange *exchange = container_of(node, struct exchange, waiting);
        if (exchange_may_try(exchange))
            try_attempt(pool, exchange);
        else
            list_remove(node); /* lost a session meanwhile: its last attempt decides */
    }
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
    if (exchange_may_try(exchange))
        dispatch(pool, exchange);
    else if (!exchange_is_live(exchange))
        dispatch_finish(pool, exchange, EXCHANGE_FAULTY, NULL);
}

/* What a session's end says of the questions in flight on it. */
struct blame {
    uint64_t now_ns;
    uint64_t early_ns; /* what was sent later than this cannot have caused the end */
    bool counts;       /* the proxy did not end it */
    bool somebody;     /* a question may have caused it */
};

static struct blame blame_for(const struct pool *pool, const struct session *session, enum cause cause)
{
    uint64_t now_ns = pool_now_ns(pool);
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
        bool was_sent = attempt->sent_ns < blame.now_ns; /* what was asked in this turn has not left yet */
        bool early = attempt->sent_ns > blame.early_ns;
        session_forget(attempt);
        exchange->died_on = session->upstream;
        if (was_sent && blame.counts) exchange->lost++;
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
