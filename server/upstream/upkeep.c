#include "upstream/upkeep.h"

#include <string.h>

#include "common/clock.h"
#include "upstream/dispatch.h"
#include "upstream/opening.h"
#include "upstream/pool.h"

#define TRIM_NS    (3 * NS_PER_S)   /* after the last handshake: when upstreams come and go, the next is near */
#define USELESS_NS NS_PER_S         /* without an answer of an upstream, a session's early death counts against it */
#define FORGET_NS  (60 * NS_PER_S)  /* a failure this old says nothing of today */
#define LOOK_NS    (10 * NS_PER_MS) /* while questions are in line, or a session is missing that should be there */

enum { JITTER_PERCENT = 10 }; /* of ages and intervals, so that workers do not all replace their sessions at once */

/* ---- ending ---- */

static void end(struct pool *pool, struct session *session, unsigned label)
{
    struct upstream *upstream = session->upstream;
    counter_add(&pool->counters->upstream_ended[upstream->index][label], 1);
    session_free(session);
}

/* Sessions older than `than` (NULL: all) take no more questions. */
static void drain_older(struct upstream *upstream, const struct session *than, unsigned label)
{
    list_for_each_safe (node, &upstream->sessions) {
        struct session *session = container_of(node, struct session, of_upstream);
        if (session == than) break;
        if (session->state == SESSION_READY) session_drain(session, label);
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
    upstream->distrusted = true;
    forget_ticket(upstream);
    struct list *node;
    while ((node = list_first(&upstream->sessions))) {
        struct session *session = container_of(node, struct session, of_upstream);
        dispatch_elsewhere(pool, session, false);
        session_free(session);
    }
}

/* The upstream closed a session nobody used: remember after how long, and be earlier next time. */
static void learn_idle_limit(struct upstream *upstream, const struct session *session, uint64_t now_ns)
{
    uint64_t silence_ns = now_ns - session->used_ns;
    if (silence_ns >= NS_PER_S && silence_ns < upstream->idle_limit_ns) upstream->idle_limit_ns = silence_ns;
}

/* It never answered, nor did its upstream lately: more than the fault of some question. */
static bool is_useless(const struct session *session, uint64_t now_ns)
{
    return session->answers == 0 && now_ns - session->upstream->answered_ns > USELESS_NS;
}

/* A peer that cannot make sense of its ticket should do a full handshake; some end the connection instead. */
static bool is_refused_resumption(const struct session *session, unsigned failure)
{
    return session->state == SESSION_HANDSHAKING && !session->full && failure == LABEL_FAILURE_TLS;
}

static bool is_connection_loss(unsigned failure)
{
    return failure == LABEL_FAILURE_CLOSED || failure == LABEL_FAILURE_RESET;
}

/* In words, for the log. */
static const char *why_ended(const struct session *session, unsigned failure)
{
    if (session->state == SESSION_CONNECTING)
        return session->connect_error ? strerrordesc_np(session->connect_error) : "the connection takes too long";
    if (failure == LABEL_FAILURE_FRAME) return "what it sends is no DNS over TLS";
    const char *error = tls_error(session->tls);
    return error ? error : "the handshake takes too long";
}

void upkeep_on_end(struct session *session, unsigned failure)
{
    struct pool *pool = pool_of(session);
    struct upstream *upstream = session->upstream;
    uint64_t now_ns = pool->host.loop->now_ns;
    bool was_ready = session->state >= SESSION_READY;
    bool unused = session->in_flight == 0 && is_connection_loss(failure);
    bool counts = !was_ready || is_useless(session, now_ns);
    if (was_ready && unused && session->answers > 0) {
        learn_idle_limit(upstream, session, now_ns);
        counter_add(&pool->counters->upstream_ended[upstream->index][LABEL_SESSION_END_PEER], 1);
    } else {
        counter_add(&pool->counters->upstream_failures[upstream->index][failure], 1);
    }
    if (session->full) upstream->revalidating = false;
    if (is_refused_resumption(session, failure)) {
        forget_ticket(upstream); /* and at once once more, in full */
    } else if (counts) {
        opening_failed(pool, upstream, failure, why_ended(session, failure));
    }
    dispatch_elsewhere(pool, session, was_ready && !session->doubted);
    session_free(session);
    if (failure == LABEL_FAILURE_CERTIFICATE) distrust(pool, upstream);
    pool->retry_waiting = true;
}

void upkeep_drain_all(struct pool *pool, unsigned label)
{
    for (unsigned i = 0; i < pool->upstream_count; i++) drain_older(&pool->upstreams[i], NULL, label);
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
    upstream->distrusted = false;
    gauge_set(&pool->counters->upstream_validated[upstream->index][0], (uint64_t)clock_wall_s());
    gauge_set(&pool->counters->upstream_expiry[upstream->index][0], (uint64_t)tls_certificate_expiry_s(session->tls));
    if (!upstream->revalidating) return;
    upstream->revalidating = false;
    inherit_use(session);
    drain_older(upstream, session, LABEL_SESSION_END_REVALIDATED);
}

void upkeep_on_ready(struct session *session)
{
    struct pool *pool = pool_of(session);
    struct upstream *upstream = session->upstream;
    uint64_t now_ns = pool->host.loop->now_ns;
    bool resumed = tls_is_resumed(session->tls);
    pool->trim_at_ns = now_ns + TRIM_NS;
    session->used_ns = session->heard_ns = now_ns;
    session->asked_in_silence = 0;
    counter_add(&pool->counters->upstream_handshakes[upstream->index][resumed ? LABEL_RESUMED_YES : LABEL_RESUMED_NO],
                1);
    histogram_observe(&pool->counters->handshake_duration[0][0], now_ns - session->opened_ns, 1);
    if (!resumed) validated(pool, upstream, session, now_ns);
    set_upstream_error(pool->counters, upstream->index, NULL);
    if (!upstream->up) log_info(pool->log, "upstream up", log_text("upstream", upstream->label));
    upstream->up = true;
    pool->retry_waiting = true;
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
    for (unsigned i = 0; i < pool->upstream_count; i++)
        list_for_each (node, &pool->upstreams[i].sessions) {
            const struct session *candidate = container_of(node, struct session, of_upstream);
            if (session_is_open(candidate)) return candidate == session;
        }
    return false;
}

static void on_idle(struct pool *pool, struct session *session, uint64_t now_ns)
{
    bool wanted = pool->options.keep_warm && !pool->draining && opening_is_recent(pool, now_ns);
    if (!wanted || !is_first_open(pool, session)) {
        end(pool, session, LABEL_SESSION_END_IDLE);
        return;
    }
    session->used_ns = now_ns; /* once an idle time, whichever session the probe takes */
    if (pool->probing) return;
    pool->probing = true;
    pool->probed_ns = now_ns;
    pool_submit(pool, &pool->probe, now_ns);
}

static bool has_younger_open(const struct session *session)
{
    for (const struct list *node = session->of_upstream.next; node != &session->upstream->sessions; node = node->next)
        if (session_is_open(container_of(node, struct session, of_upstream))) return true;
    return false;
}

/* Old: replaced before it goes. Without traffic it just goes, at its idle time. */
static void on_old(struct pool *pool, struct session *session, uint64_t now_ns)
{
    struct upstream *upstream = session->upstream;
    if (has_younger_open(session)) {
        session_drain(session, LABEL_SESSION_END_AGE);
        return;
    }
    if (upstream_connecting_sessions(upstream) == 0 && backoff_allows(&upstream->backoff, now_ns))
        opening_begin(pool, upstream, now_ns);
}

static void revalidate(struct pool *pool, struct upstream *upstream, uint64_t now_ns)
{
    if (upstream->revalidating || upstream_open_sessions(upstream) == 0 || now_ns < upstream->revalidate_at_ns) return;
    if (backoff_allows(&upstream->backoff, now_ns)) upstream->revalidating = opening_begin(pool, upstream, now_ns);
}

static bool is_old(const struct session *session, uint64_t now_ns)
{
    return session->max_age_ns != 0 && now_ns - session->opened_ns >= session->max_age_ns;
}

static void look_after(struct pool *pool, struct session *session, uint64_t now_ns)
{
    if (session->state < SESSION_READY) {
        if (now_ns - session->opened_ns < pool->options.connect_timeout_ns) return;
        bool tcp = session->state == SESSION_CONNECTING;
        upkeep_on_end(session, tcp ? LABEL_FAILURE_CONNECT_TIMEOUT : LABEL_FAILURE_TLS_TIMEOUT);
    } else if (session->in_flight == 0 && session->state == SESSION_DRAINING) {
        end(pool, session, session->drain_label);
    } else if (session->in_flight == 0 && session->doubted) {
        end(pool, session, LABEL_SESSION_END_REPLACED);
    } else if (session->state == SESSION_READY && is_old(session, now_ns)) {
        on_old(pool, session, now_ns);
    } else if (session->in_flight == 0 && now_ns - session->used_ns >= idle_after_ns(pool, session->upstream)) {
        on_idle(pool, session, now_ns);
    }
}

/* An upstream nobody tried again for a while is not "down": nothing is known of it. */
static void forget_failures(struct upstream *upstream, uint64_t now_ns)
{
    if (upstream->backoff.failures == 0 || now_ns < upstream->backoff.next_ns + FORGET_NS) return;
    backoff_succeeded(&upstream->backoff);
}

void upkeep(struct pool *pool, uint64_t now_ns)
{
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        struct upstream *upstream = &pool->upstreams[i];
        list_for_each_safe (node, &upstream->sessions)
            look_after(pool, container_of(node, struct session, of_upstream), now_ns);
        revalidate(pool, upstream, now_ns);
        forget_failures(upstream, now_ns);
    }
    opening_wanted(pool, now_ns);
    if (now_ns < pool->trim_at_ns) return;
    tls_trim();
    pool->trim_at_ns = CLOCK_NEVER;
}

/* ---- when to come again ---- */

static uint64_t session_deadline_ns(const struct pool *pool, const struct session *session)
{
    if (session->state < SESSION_READY) return session->opened_ns + pool->options.connect_timeout_ns;
    uint64_t deadline_ns = CLOCK_NEVER;
    if (session->in_flight == 0) {
        if (session->state == SESSION_DRAINING || session->doubted) return 0;
        if (!pool->probing || !is_first_open(pool, session))
            deadline_ns = session->used_ns + idle_after_ns(pool, session->upstream);
    }
    if (session->state == SESSION_READY && session->max_age_ns != 0)
        deadline_ns = clock_earlier(deadline_ns, session->opened_ns + session->max_age_ns);
    return deadline_ns;
}

static bool somebody_waits(const struct pool *pool)
{
    for (int line = 0; line < LINES; line++)
        if (!list_is_empty(&pool->lines[line])) return true;
    return false;
}

uint64_t upkeep_deadline_ns(const struct pool *pool)
{
    uint64_t now_ns = pool->host.loop->now_ns;
    uint64_t deadline_ns = pool->trim_at_ns;
    if (somebody_waits(pool) || opening_is_cold(pool, now_ns)) deadline_ns = now_ns + LOOK_NS;
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        const struct upstream *upstream = &pool->upstreams[i];
        list_for_each (node, &upstream->sessions)
            deadline_ns =
                clock_earlier(deadline_ns, session_deadline_ns(pool, container_of(node, struct session, of_upstream)));
        if (!upstream->revalidating && upstream_open_sessions(upstream) > 0)
            deadline_ns = clock_earlier(deadline_ns, upstream->revalidate_at_ns);
    }
    /* What is due but held up (a replacement on its way, a back-off) is looked at again soon, not at once. */
    return deadline_ns == 0 || deadline_ns > now_ns ? deadline_ns : now_ns + LOOK_NS;
}
