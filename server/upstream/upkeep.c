#include "upstream/upkeep.h"

#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "upstream/choice.h"
#include "upstream/dispatch.h"
#include "upstream/opening.h"
#include "upstream/probe.h"
#include "upstream/silence.h"
#include "upstream/state.h"
#include "upstream/tally.h"
#include "upstream/trace.h"

#define TRIM_NS         (3 * NS_PER_S) /* after the last handshake: when upstreams come and go, the next is near */
#define USELESS_NS      NS_PER_S       /* without an answer of an upstream, a session's early death counts against it */
#define LOOK_NS         (10 * NS_PER_MS) /* while questions are in line, or a session is missing that should be there */
#define AFTER_ANSWER_NS (10 * NS_PER_MS) /* an end so soon behind an answer is the server's habit */

enum { JITTER_PERCENT = 10 }; /* of intervals, so that workers do not all replace their sessions at once */

/* ---- ending ---- */

static void end(struct pool *pool, struct session *session, enum cause cause)
{
    tally_cause(pool->counters, session->upstream, cause);
    trace_session_end(pool, session, cause);
    session_free(session);
}

static void drain(struct pool *pool, struct session *session, enum cause cause)
{
    session_drain(session, cause);
    trace_session(pool, "session drained", session);
}

/* Sessions older than `than` (NULL: all) take no more questions. */
static void drain_older(struct pool *pool, struct upstream *upstream, const struct session *than, enum cause cause)
{
    list_for_each_safe (node, &upstream->sessions) {
        struct session *session = container_of(node, struct session, of_upstream);
        if (session == than) break;
        if (session->state == SESSION_READY) drain(pool, session, cause);
    }
}

static void forget_ticket(struct upstream *upstream)
{
    tls_ticket_free(upstream->ticket);
    upstream->ticket = NULL;
}

/* An upstream whose certificate is not right is out of use at once: sessions that were validated before, too. */
static void distrust(struct pool *pool, struct upstream *upstream)
{
    struct list *node;
    forget_ticket(upstream);
    while ((node = list_first(&upstream->sessions))) {
        struct session *session = container_of(node, struct session, of_upstream);
        trace_session_end(pool, session, CAUSE_CERTIFICATE);
        dispatch_elsewhere(pool, session, CAUSE_CERTIFICATE);
        session_free(session);
    }
}

/* It never answered, nor did its upstream lately: more than the fault of some question. */
static bool is_useless(const struct session *session, uint64_t now_ns)
{
    return session->answers == 0 && now_ns - session->upstream->answered_ns > USELESS_NS;
}

/* A peer that cannot make sense of its ticket should do a full handshake; some end the connection instead. */
static bool is_refused_resumption(const struct session *session, enum cause cause)
{
    return channel_state(session->channel) == CHANNEL_HANDSHAKING && !session->full && cause == CAUSE_TLS;
}

/* In words, for the log. */
static const char *why_ended(const struct session *session, enum cause cause)
{
    const char *error = channel_error(session->channel);
    if (cause == CAUSE_FRAME) return "what it sends is no DNS over TLS";
    if (cause == CAUSE_UNSOLICITED) return "it sends what nobody asked for";
    if (error) return error;
    return cause == CAUSE_CONNECT_TIMEOUT ? "the connection takes too long" : "the handshake takes too long";
}

/* What the end says of the upstream's habits. */
static void learn(struct session *session, enum cause cause, uint64_t now_ns)
{
    struct upstream *upstream = session->upstream;
    if (!cause_is_loss(cause) || session->answers == 0) return;
    if (session_attended_ns(session) - session->heard_ns <= AFTER_ANSWER_NS)
        upstream_learn_end(upstream, session->answers, now_ns);
    else if (session->in_flight == 0)
        upstream_learn_idle_limit(upstream, now_ns - session->used_ns);
}

/* Counts the end, and against the upstream if it was of no use. */
static void judge_end(struct pool *pool, struct session *session, enum cause cause, uint64_t now_ns)
{
    struct upstream *upstream = session->upstream;
    bool was_ready = session->state != SESSION_OPENING;
    bool unused = was_ready && session->in_flight == 0 && session->answers > 0 && cause_is_loss(cause);
    tally_cause(pool->counters, upstream, unused ? CAUSE_PEER_IDLE : cause);
    if (session->full) upstream->revalidating = false;
    if (is_refused_resumption(session, cause))
        forget_ticket(upstream); /* and at once once more, in full */
    else if (!was_ready || is_useless(session, now_ns))
        opening_failed(pool, upstream, cause, why_ended(session, cause));
    if (cause == CAUSE_UNSOLICITED) upstream_fell_silent(upstream, &pool->random, now_ns);
}

void upkeep_on_end(struct session *session, enum cause cause)
{
    struct pool *pool = pool_of(session);
    struct upstream *upstream = session->upstream;
    uint64_t now_ns = pool_now_ns(pool);
    CHECK(cause_is_failure(cause));
    learn(session, cause, now_ns);
    judge_end(pool, session, cause, now_ns);
    trace_session_end(pool, session, cause);
    dispatch_elsewhere(pool, session, cause);
    session_free(session);
    if (cause == CAUSE_CERTIFICATE) distrust(pool, upstream);
    pool->host.room_made = true;
}

void upkeep_drain_all(struct pool *pool, enum cause cause)
{
    for (unsigned i = 0; i < pool->upstream_count; i++) drain_older(pool, &pool->upstreams[i], NULL, cause);
}

/* ---- ready ---- */

/* It takes the place of those before it, and has been idle for as long as they were: else one after the other would be
 * kept open by its own validation. */
static void inherit_use(struct session *session)
{
    uint64_t used_ns = 0;
    list_for_each (node, &session->upstream->sessions) {
        const struct session *former = container_of(node, struct session, of_upstream);
        if (former == session) break;
        if (former->used_ns > used_ns) used_ns = former->used_ns;
    }
    if (used_ns > 0) session->used_ns = used_ns;
}

static void validated(struct pool *pool, struct upstream *upstream, struct session *session, uint64_t now_ns)
{
    uint64_t interval_ns = random_jitter(&pool->random, pool->options.revalidate_ns, JITTER_PERCENT);
    upstream->validated_ns = now_ns;
    upstream->revalidate_at_ns = now_ns + interval_ns;
    tally_validated(pool->counters, upstream, channel_certificate_expiry_s(session->channel));
    if (!upstream->revalidating) return;
    upstream->revalidating = false;
    inherit_use(session);
    drain_older(pool, upstream, session, CAUSE_REVALIDATED);
}

static bool somebody_waits(const struct pool *pool)
{
    for (int line = 0; line < LINES; line++)
        if (!list_is_empty(&pool->lines[line])) return true;
    return false;
}

void upkeep_on_ready(struct session *session)
{
    struct pool *pool = pool_of(session);
    struct upstream *upstream = session->upstream;
    uint64_t now_ns = pool_now_ns(pool);
    bool resumed = channel_is_resumed(session->channel);
    pool->trim_at_ns = now_ns + TRIM_NS;
    upstream->handshake_ns = now_ns - session->opened_ns;
    tally_ready(pool->counters, upstream, resumed, upstream->handshake_ns);
    trace_session(pool, "session ready", session);
    if (!resumed && upstream->options.transport == UPSTREAM_TLS) validated(pool, upstream, session, now_ns);
    upstream_reached(upstream);
    tally_error(pool->counters, upstream, NULL);
    pool->host.room_made = true;
    bool used_now = somebody_waits(pool) && !choice_is_avoided(pool, upstream, NULL); /* that will tell, too */
    if (!upstream_is_up(upstream) && !used_now && probe_is_traffic_recent(pool, now_ns))
        probe_upstream(pool, upstream, now_ns);
}

/* ---- what time brings ---- */

static uint64_t idle_after_ns(const struct pool *pool, const struct upstream *upstream)
{
    uint64_t learned_ns = upstream->idle_limit_ns == CLOCK_NEVER ? CLOCK_NEVER : upstream->idle_limit_ns / 5 * 4;
    return learned_ns < pool->options.idle_timeout_ns ? learned_ns : pool->options.idle_timeout_ns;
}

/* The session that is kept warm: the first that takes questions. */
static bool is_first_open(const struct pool *pool, const struct session *session)
{
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        if (choice_is_avoided(pool, &pool->upstreams[i], NULL)) continue;
        list_for_each (node, &pool->upstreams[i].sessions) {
            const struct session *candidate = container_of(node, struct session, of_upstream);
            if (session_is_open(candidate)) return candidate == session;
        }
    }
    return false;
}

static void on_idle(struct pool *pool, struct session *session, uint64_t now_ns)
{
    bool wanted = pool->options.keep_warm && !pool->draining && probe_is_traffic_recent(pool, now_ns);
    if (!wanted || !is_first_open(pool, session)) {
        end(pool, session, CAUSE_IDLE);
        return;
    }
    session->used_ns = now_ns; /* once an idle time, whichever session the probe takes */
    probe_path(pool, now_ns);
}

static bool has_younger_open(const struct session *session)
{
    for (const struct list *node = session->of_upstream.next; node != &session->upstream->sessions; node = node->next)
        if (session_is_open(container_of(node, struct session, of_upstream))) return true;
    return false;
}

/* An old session is replaced before it goes; without traffic it just goes, at its idle time. True if a replacement
 * is to be opened. */
static bool is_replacement_due(struct pool *pool, struct session *session)
{
    if (!has_younger_open(session)) return true;
    drain(pool, session, CAUSE_AGE);
    return false;
}

static void revalidate(struct pool *pool, struct upstream *upstream, uint64_t now_ns)
{
    if (upstream->revalidating || session_count_open(upstream) == 0 || now_ns < upstream->revalidate_at_ns) return;
    if (backoff_allows(&upstream->backoff, now_ns)) upstream->revalidating = opening_begin(pool, upstream, now_ns);
}

static bool is_old(const struct session *session, uint64_t now_ns)
{
    return session->max_age_ns != 0 && now_ns - session->opened_ns >= session->max_age_ns;
}

/* It gave all the answers that sessions to this upstream give before they fall silent. */
static bool is_exhausted(const struct session *session)
{
    return session->upstream->ends_silently && session->answers >= session->upstream->answers_max;
}

/* May end this session, and no other. True if one is to be opened in its place. */
static bool look_after(struct pool *pool, struct session *session, uint64_t now_ns)
{
    if (session->state == SESSION_OPENING) {
        if (now_ns - session->opened_ns < pool->options.connect_timeout_ns) return false;
        bool tcp = channel_state(session->channel) == CHANNEL_CONNECTING;
        upkeep_on_end(session, tcp ? CAUSE_CONNECT_TIMEOUT : CAUSE_TLS_TIMEOUT);
    } else if (session->in_flight == 0 && session->state == SESSION_DRAINING) {
        end(pool, session, session->drain_cause);
    } else if (session->in_flight == 0 && session->doubted) {
        end(pool, session, CAUSE_REPLACED);
    } else if (session->state == SESSION_READY && is_exhausted(session)) {
        drain(pool, session, CAUSE_REPLACED);
        silence_exhausted(pool, session, now_ns);
        pool->host.room_made = true;
    } else if (session->state == SESSION_READY && is_old(session, now_ns)) {
        return is_replacement_due(pool, session);
    } else if (session->in_flight == 0 && now_ns - session->used_ns >= idle_after_ns(pool, session->upstream)) {
        on_idle(pool, session, now_ns);
    }
    return false;
}

/* Opening a session may end another one of the upstream, so it is done behind the walk over them. */
static void look_after_all(struct pool *pool, struct upstream *upstream, uint64_t now_ns)
{
    bool replace = false;
    list_for_each_safe (node, &upstream->sessions)
        replace |= look_after(pool, container_of(node, struct session, of_upstream), now_ns);
    if (replace && session_count_opening(upstream) == 0 && backoff_allows(&upstream->backoff, now_ns))
        opening_begin(pool, upstream, now_ns);
}

/* Nobody waits for a connection that no upstream gives: questions in line are given up, and it is tried on. */
static void give_up_waiting(struct pool *pool, uint64_t now_ns)
{
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        const struct upstream *upstream = &pool->upstreams[i];
        if (session_count_open(upstream) > 0 || !upstream_is_known_down(upstream, now_ns)) return;
        list_for_each (node, &upstream->sessions)
            if (channel_state(container_of(node, struct session, of_upstream)->channel) == CHANNEL_HANDSHAKING &&
                upstream->state != UPSTREAM_CERTIFICATE)
                return; /* it is there again */
    }
    dispatch_give_up_waiting(pool);
}

void upkeep(struct pool *pool, uint64_t now_ns)
{
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        struct upstream *upstream = &pool->upstreams[i];
        look_after_all(pool, upstream, now_ns);
        revalidate(pool, upstream, now_ns);
        upstream_pass_time(upstream, now_ns);
    }
    opening_wanted(pool, now_ns);
    give_up_waiting(pool, now_ns);
    if (now_ns < pool->trim_at_ns) return;
    tls_trim();
    pool->trim_at_ns = CLOCK_NEVER;
}

/* ---- when to come again ---- */

static uint64_t session_deadline_ns(const struct pool *pool, const struct session *session)
{
    if (session->state == SESSION_OPENING) return session->opened_ns + pool->options.connect_timeout_ns;
    uint64_t deadline_ns = CLOCK_NEVER;
    if (session->in_flight == 0) {
        if (session->state == SESSION_DRAINING || session->doubted) return 0;
        if (!pool->probe.active || !is_first_open(pool, session))
            deadline_ns = session->used_ns + idle_after_ns(pool, session->upstream);
    }
    if (session->state == SESSION_READY && session->max_age_ns != 0)
        deadline_ns = clock_earlier(deadline_ns, session->opened_ns + session->max_age_ns);
    return deadline_ns;
}

uint64_t upkeep_deadline_ns(const struct pool *pool)
{
    uint64_t now_ns = pool_now_ns(pool);
    uint64_t deadline_ns = pool->trim_at_ns;
    if (somebody_waits(pool) || opening_is_cold(pool, now_ns)) deadline_ns = now_ns + LOOK_NS;
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        const struct upstream *upstream = &pool->upstreams[i];
        list_for_each (node, &upstream->sessions)
            deadline_ns =
                clock_earlier(deadline_ns, session_deadline_ns(pool, container_of(node, struct session, of_upstream)));
        if (!upstream->revalidating && session_count_open(upstream) > 0)
            deadline_ns = clock_earlier(deadline_ns, upstream->revalidate_at_ns);
    }
    /* What is due but held up (a replacement being opened, a back-off) is looked at again soon, not at once. */
    return deadline_ns == 0 || deadline_ns > now_ns ? deadline_ns : now_ns + LOOK_NS;
}
