#include "upstream/silence.h"

#include "common/check.h"
#include "common/clock.h"
#include "upstream/choice.h"
#include "upstream/dispatch.h"
#include "upstream/state.h"
#include "upstream/tally.h"
#include "upstream/trace.h"

enum {
    SILENT_ASKED = 3,  /* one or two may be slow names; three, and nothing at all comes back, is a silent session */
    HEDGE_COST = 100,  /* a question earns hedge_percent hundredths of a hedge, a second a whole one */
    HEDGES_SAVED = 10, /* by time alone */
    WINDOW_LEAST = 4,
    SILENT_SESSIONS = 2, /* in a row: each may answer a little, and the upstream is silent all the same */
};

#define MANY_SILENT_NS (50 * NS_PER_MS) /* no shorter silence is held against a session that SILENT_ASKED wait for, */
#define FEW_SILENT_NS  NS_PER_S         /* nor this against one that fewer wait for */

/* Another session of the upstream fell silent with many questions after as many answers, and none has spoken for
 * longer since: this one does the same, however few questions wait for it. */
static bool repeats_silence(const struct session *session)
{
    const struct upstream *upstream = session->upstream;
    return upstream->silent_sessions > 0 && session->answers > 0 && session->answers == upstream->silent_answers;
}

/* However slow the upstream was, a second and a third attempt must still fit into the question's time. */
static uint64_t silent_after_ns(const struct session *session)
{
    uint64_t most_ns = container_of(session->host, struct pool, host)->options.query_timeout_ns / 3;
    uint64_t timeout_ns = rtt_timeout_ns(&session->upstream->rtt);
    bool many = session->in_flight >= SILENT_ASKED || repeats_silence(session);
    uint64_t silence_ns = many ? 2 * timeout_ns : 4 * timeout_ns;
    uint64_t least_ns = many ? MANY_SILENT_NS : FEW_SILENT_NS;
    if (silence_ns < least_ns) silence_ns = least_ns;
    return silence_ns < most_ns ? silence_ns : most_ns;
}

/* ---- habits ---- */

/* It answered no more messages than it got TLS records, and some shared theirs: perhaps it reads the first only. */
static void learn_records(struct session *session)
{
    struct upstream *upstream = session->upstream;
    uint32_t records = channel_records(session->channel);
    if (upstream->reads_batches || session->answers == 0) return;
    if (session->answers > records || session->sent <= records) return;
    upstream_learn_records(upstream, session->host->channels.loop->now_ns);
    list_for_each (node, &upstream->sessions) {
        struct session *other = container_of(node, struct session, of_upstream);
        if (channel_split_records(other->channel)) other->split_ns = session_attended_ns(other);
    }
}

/* It shared a TLS record with others, and the upstream seems to read the first message of a record only: its answer is
 * not late, there is none. */
static bool is_unread(const struct attempt *attempt)
{
    return attempt->sent_attended_ns <= attempt->session->split_ns;
}

/* What the session's silence says of the upstream's habits. */
static void learn_silence(struct session *session, uint64_t now_ns)
{
    const struct attempt *oldest = session_oldest_attempt(session);
    learn_records(session);
    if (oldest && !oldest->was_slow) /* else that question is the reason, as it was on another session */
        upstream_learn_silence(session->upstream, session->answers, now_ns);
    if (session->in_flight >= SILENT_ASKED) session->upstream->silent_sessions++;
}

/* Nothing was heard of the session for longer than an answer should take. */
static bool is_silent(const struct session *session)
{
    return session_attended_ns(session) - session_silent_since_ns(session) >= rtt_timeout_ns(&session->upstream->rtt);
}

/* It is taken to answer in order: it never did otherwise, and it does answer. */
static bool is_orderly(const struct upstream *upstream)
{
    return !upstream->reorders && upstream->answered_ns > 0;
}

/* The question in flight longest is what an upstream that answers in order is busy with. */
static void mark_slow(const struct session *session)
{
    struct attempt *oldest = session_oldest_attempt(session);
    if (oldest && is_orderly(session->upstream) && is_silent(session)) oldest->exchange->slow = true;
}

/* None of its attempts is at an upstream that answers, and there is one that does. */
static bool is_at_wrong_upstream(const struct pool *pool, const struct exchange *exchange)
{
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++) {
        const struct session *session = exchange->attempts[i].session;
        if (session && upstream_is_up(session->upstream)) return false;
    }
    for (unsigned i = 0; i < pool->upstream_count; i++)
        if (upstream_is_up(&pool->upstreams[i]) && choice_is_allowed(exchange, &pool->upstreams[i])) return true;
    return false;
}

/* A session that falls silent after a known number of answers says nothing of the question that it was silent with. */
static bool is_explained(const struct pool *pool, const struct exchange *exchange)
{
    for (unsigned i = 0; i < pool->upstream_count; i++)
        if (pool->upstreams[i].ends_silently && choice_is_allowed(exchange, &pool->upstreams[i])) return true;
    return false;
}

static bool may_try_again(const struct pool *pool, const struct exchange *exchange)
{
    if (!exchange_may_try(exchange) || exchange_is_waiting(exchange) || exchange_is_spent(exchange)) return false;
    return !exchange->slow || exchange_unanswered(exchange) < exchange_slow_max(exchange) ||
           choice_has_untried(pool, exchange) || is_at_wrong_upstream(pool, exchange) || is_explained(pool, exchange);
}

/* Nothing is heard on any session that the question is in flight on. */
static bool is_all_silent(const struct exchange *exchange)
{
    for (int i = 0; i < EXCHANGE_ATTEMPTS_MAX; i++)
        if (exchange->attempts[i].session && !is_silent(exchange->attempts[i].session)) return false;
    return true;
}

static void note_silence(struct exchange *exchange, const struct session *session)
{
    exchange->met_silence |= (uint16_t)(1u << session->upstream->index);
}

/* ---- overdue ---- */

static void hedge(struct pool *pool, struct attempt *attempt)
{
    struct exchange *exchange = attempt->exchange;
    struct session *session = attempt->session;
    if (session_oldest_attempt(session) == attempt) {
        mark_slow(session);
        learn_records(session);
    }
    if (is_silent(session)) note_silence(exchange, session);
    session_mark_overdue(attempt);
    if (session->counted == 0) pool->host.room_made = true;
    uint32_t cost = is_unread(attempt) ? 0 : HEDGE_COST;
    if (pool->hedge_credit < cost || (exchange_in_flight(exchange) > 1 && !is_all_silent(exchange)) ||
        !may_try_again(pool, exchange))
        return;
    pool->hedge_credit -= cost;
    tally_retry(pool->counters, session->upstream, RETRY_HEDGE);
    trace_exchange(pool, "question hedged", exchange, session);
    dispatch(pool, exchange);
}

void silence_earn_hedges(struct pool *pool, uint64_t now_ns)
{
    uint64_t earned = (now_ns - pool->hedge_ns) / NS_PER_S;
    if (earned == 0) return;
    pool->hedge_ns += earned * NS_PER_S;
    if (pool->options.hedge_percent == 0) return;
    while (earned-- > 0 && pool->hedge_credit + HEDGE_COST <= HEDGES_SAVED * HEDGE_COST)
        pool->hedge_credit += HEDGE_COST;
}

/* ---- silent ---- */

/* Questions of a silent session that are not asked elsewhere already are asked again; should the session speak after
 * all, the first valid answer wins. `slow`: those that seem to keep it busy, or the others. */
static void retry_all(struct pool *pool, struct session *session, struct list *attempts, bool slow)
{
    list_for_each_safe (node, attempts) {
        struct attempt *attempt = container_of(node, struct attempt, by_age);
        struct exchange *exchange = attempt->exchange;
        if (exchange->slow != slow || exchange_may_be_answered(exchange) || !may_try_again(pool, exchange)) continue;
        note_silence(exchange, session);
        tally_retry(pool->counters, session->upstream, RETRY_SILENT);
        trace_exchange(pool, "question retried", exchange, session);
        dispatch(pool, exchange);
    }
}

/* Of all the upstream's silent sessions; the slow questions last. */
static void retry_doubted(struct pool *pool, struct upstream *upstream)
{
    for (int slow = 0; slow <= 1; slow++)
        list_for_each (node, &upstream->sessions) {
            struct session *session = container_of(node, struct session, of_upstream);
            if (!session->doubted) continue;
            retry_all(pool, session, &session->overdue, slow);
            retry_all(pool, session, &session->attempts, slow);
        }
}

void silence_over(struct pool *pool, struct upstream *upstream)
{
    list_for_each (node, &upstream->sessions) {
        struct session *session = container_of(node, struct session, of_upstream);
        if (!session->doubted) continue;
        list_for_each (member, &session->overdue) container_of(member, struct attempt, by_age)->exchange->slow = false;
        list_for_each (member, &session->attempts) container_of(member, struct attempt, by_age)->exchange->slow = false;
    }
    retry_doubted(pool, upstream);
}

/* What stopped one session mostly stopped all to its upstream: those on which nothing came since are not relied on
 * either, or a question would find out about each of them in turn. True if something came on another session since. */
static bool doubt_unheard(struct upstream *upstream, uint64_t since_ns, uint64_t now_ns)
{
    bool heard = false;
    list_for_each (node, &upstream->sessions) {
        struct session *session = container_of(node, struct session, of_upstream);
        if (session->state == SESSION_OPENING) continue;
        if (session->answers > 0 && session->heard_ns > since_ns) heard = true;
        if (!session->doubted && session->heard_ns <= since_ns) session_doubt(session, now_ns);
    }
    return heard;
}

static void narrow_window(struct upstream *upstream, const struct session *session)
{
    uint32_t window = session->in_flight < upstream->window ? session->in_flight : upstream->window;
    window = window / 4 > WINDOW_LEAST ? window / 4 : WINDOW_LEAST;
    if (!upstream->reorders && session->in_flight >= SILENT_ASKED && window < upstream->window)
        upstream->window = window;
}

static void declare_silent(struct pool *pool, struct session *session, uint64_t now_ns)
{
    struct upstream *upstream = session->upstream;
    uint64_t since_ns = session_silent_since_ns(session);
    mark_slow(session);
    learn_silence(session, now_ns);
    narrow_window(upstream, session);
    session_doubt(session, now_ns);
    bool many = session->in_flight >= SILENT_ASKED;
    bool heard = doubt_unheard(upstream, since_ns, now_ns);
    if (!heard || upstream->silent_sessions >= SILENT_SESSIONS) {
        rtt_back_off(&upstream->rtt);
        if (many) {
            upstream_fell_silent(upstream, &pool->random, now_ns);
            tally_error(pool->counters, upstream, "it connects and does not answer");
        } else {
            upstream_suspect(upstream, now_ns);
        }
    }
    tally_cause(pool->counters, upstream, CAUSE_SILENT);
    trace_session(pool, "session silent", session);
    retry_doubted(pool, upstream);
}

void silence_exhausted(struct pool *pool, struct session *session, uint64_t now_ns)
{
    if (session->in_flight == 0) return;
    session_doubt(session, now_ns);
    for (int slow = 0; slow <= 1; slow++) {
        retry_all(pool, session, &session->overdue, slow);
        retry_all(pool, session, &session->attempts, slow);
    }
}

void silence_note_overtaken(struct pool *pool, struct attempt *attempt, const struct upstream *answered_by)
{
    uint64_t now_ns = pool_now_ns(pool);
    struct session *session = attempt->session;
    if (!session || !session_is_relied_on(session) || session->upstream->reorders) return;
    if (session_oldest_attempt(session) != attempt || !is_silent(session)) return;
    learn_silence(session, now_ns);
    session_doubt(session, now_ns);
    trace_session(pool, "session silent", session);
    if (session->upstream != answered_by) upstream_suspect(session->upstream, now_ns);
    retry_doubted(pool, session->upstream);
}

void silence_check(struct pool *pool, struct session *session, uint64_t now_ns)
{
    if (!session_is_relied_on(session) || session->in_flight == 0) return;
    uint64_t attended_ns = session_attended_ns(session);
    uint64_t timeout_ns = rtt_timeout_ns(&session->upstream->rtt);
    struct list *node;
    while ((node = list_first(&session->attempts))) {
        struct attempt *attempt = container_of(node, struct attempt, by_age);
        if (attended_ns - attempt->sent_attended_ns < timeout_ns) break;
        hedge(pool, attempt);
    }
    mark_slow(session);
    if (attended_ns - session_silent_since_ns(session) >= silent_after_ns(session))
        declare_silent(pool, session, now_ns);
}

uint64_t silence_deadline_ns(const struct session *session)
{
    if (!session_is_relied_on(session) || session->in_flight == 0) return CLOCK_NEVER;
    uint64_t deadline_ns = session_silent_since_ns(session) + silent_after_ns(session);
    const struct attempt *first = session_oldest_attempt(session);
    if (!first->exchange->slow && is_orderly(session->upstream))
        deadline_ns =
            clock_earlier(deadline_ns, session_silent_since_ns(session) + rtt_timeout_ns(&session->upstream->rtt));
    const struct list *oldest = list_first(&session->attempts);
    if (oldest)
        deadline_ns = clock_earlier(deadline_ns, container_of(oldest, struct attempt, by_age)->sent_attended_ns +
                                                     rtt_timeout_ns(&session->upstream->rtt));
    return deadline_ns + session->host->channels.loop->own_delay_ns;
}
