#include "upstream/choice.h"

#include "common/check.h"
#include "common/clock.h"
#include "upstream/state.h"

enum {
    SUSPECTS_FIRST = 8, /* so few at first, and one more with each answer: all of them are suspected if it ends */
    KEPT_SHARE = 4,     /* one part in so many of a session's room is kept for light clients */
    HOPELESS_PART = 3,  /* after one part in so many of query_timeout a session is given up where all are silent, */
                        /* and before the last of them a question is asked again where it failed, */
    WASTED_PART = 6,    /* but of this part only where sessions end whatever is asked: others come first */
};

#define OPENING_NS       (250 * NS_PER_MS) /* a connection older than that is not waited for (RFC 8305, 5) */
#define ALONE_SLOW_NS    (250 * NS_PER_MS)
#define ALONE_SUSPECT_NS NS_PER_S
#define PATIENCE_NS      (100 * NS_PER_MS) /* how long a question waits for a better session than there is */

bool choice_is_allowed(const struct exchange *exchange, const struct upstream *upstream)
{
    if (exchange->only && exchange->only != upstream) return false;
    return opinion_allows(&exchange->opinions, upstream);
}

static bool is_in(uint16_t upstreams, const struct upstream *upstream)
{
    return upstreams & (1u << upstream->index);
}

static bool another_is_up(const struct pool *pool, const struct upstream *upstream, uint16_t except)
{
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        const struct upstream *other = &pool->upstreams[i];
        if (other != upstream && !is_in(except, other) && upstream_is_up(other) && other->backoff.failures == 0)
            return true;
    }
    return false;
}

/* An upstream that the question could be asked of, other than those in `except`. */
static bool has_another(const struct pool *pool, const struct exchange *exchange, uint16_t except)
{
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        const struct upstream *upstream = &pool->upstreams[i];
        if (is_in(except, upstream) || !choice_is_allowed(exchange, upstream)) continue;
        if (!upstream->avoided && upstream->backoff.failures == 0) return true;
    }
    return false;
}

/* Where every upstream is avoided or fails, one that answered lately is worth more than one that did not: some slow
 * names, or some that nobody answers, are enough to be avoided. */
static bool is_best_of_avoided(const struct pool *pool, const struct upstream *upstream,
                               const struct exchange *exchange)
{
    uint64_t now_ns = pool_now_ns(pool);
    uint16_t met_silence = exchange ? exchange->met_silence : 0;
    bool is_better = false;
    if (upstream_is_mute(upstream, now_ns) || is_in(met_silence, upstream)) return false;
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        const struct upstream *other = &pool->upstreams[i];
        if (other == upstream || (exchange && !choice_is_allowed(exchange, other))) continue;
        if (!other->avoided && other->backoff.failures == 0) return false;
        is_better |= upstream_is_mute(other, now_ns) || is_in(met_silence, other);
    }
    return is_better;
}

/* The upstreams that are no use to a question that ended sessions there, however well they serve others. */
static uint16_t useless_to(const struct exchange *exchange)
{
    return exchange->lost >= EXCHANGE_ELSEWHERE ? exchange->failed_at : 0;
}

bool choice_is_avoided(const struct pool *pool, const struct upstream *upstream, const struct exchange *exchange)
{
    uint16_t met_silence = exchange ? exchange->met_silence : 0;
    uint16_t failed_at = exchange ? useless_to(exchange) : 0;
    if (met_silence && !has_another(pool, exchange, met_silence | failed_at)) met_silence = 0; /* none is better */
    if (is_in(met_silence, upstream)) return true;
    if (upstream_is_up(upstream)) return false;
    uint16_t useless = met_silence; /* upstreams that are no reason to avoid this one, however well they are */
    if (upstream->backoff.failures == 0) useless |= failed_at;
    if (upstream->avoided && !is_best_of_avoided(pool, upstream, exchange)) return true;
    return another_is_up(pool, upstream, useless);
}

bool choice_has_untried(const struct pool *pool, const struct exchange *exchange)
{
    return has_another(pool, exchange, exchange->tried);
}

/* It has questions in flight, and nothing came from it for longer than usual. If the upstream answers in order, a
 * new question would wait behind those. */
static bool is_quiet(const struct session *session)
{
    if (session->upstream->reorders) return false;
    if (session->in_flight == 0) return session->abandoned > 0; /* it was silent with those, too */
    return session_attended_ns(session) - session_silent_since_ns(session) >= upstream_quiet_ns(session->upstream);
}

static uint32_t room_of(const struct session *session, const struct exchange *exchange)
{
    uint32_t room = session->window;
    if (room > session->host->max_in_flight) room = session->host->max_in_flight;
    uint32_t left = session_answers_left(session);
    if (!exchange->light) room -= room / KEPT_SHARE;
    return room < left ? room : left;
}

/* A part of the question's time is kept to ask it where it failed or met silence, whatever that promises. */
static bool has_more_than(unsigned part, const struct pool *pool, const struct exchange *exchange)
{
    uint64_t timeout_ns = pool->options.query_timeout_ns;
    return pool_now_ns(pool) - exchange->deadline.started_ns < timeout_ns - timeout_ns / part;
}

static bool has_time_to_wait(const struct pool *pool, const struct exchange *exchange)
{
    return has_more_than(HOPELESS_PART, pool, exchange);
}

/* It sent nothing of use lately, or what nobody asked for, and sessions ended with the question there: the next one
 * would end as well, whatever is asked on it, and the attempts are kept for an upstream that works. */
bool choice_is_wasted(const struct pool *pool, const struct upstream *upstream, const struct exchange *exchange)
{
    uint16_t useless = useless_to(exchange);
    if (!is_in(useless, upstream) || !upstream->avoided || !has_more_than(WASTED_PART, pool, exchange)) return false;
    for (unsigned i = 0; i < pool->upstream_count; i++)
        if (!is_in(useless, &pool->upstreams[i]) && choice_is_allowed(exchange, &pool->upstreams[i])) return true;
    return false;
}

/* A question to be asked alone that finds no session of its own for so long is asked among others. */
static bool has_waited_enough(const struct pool *pool, const struct exchange *exchange)
{
    uint64_t enough_ns = exchange->lost < EXCHANGE_ALONE ? ALONE_SLOW_NS : ALONE_SUSPECT_NS;
    return exchange_is_waiting(exchange) && pool_now_ns(pool) - exchange->waiting_ns >= enough_ns;
}

/* Sessions for questions asked alone are those that an upstream may have beyond max_sessions: however many there are to
 * be asked alone, they leave the others theirs. */
static unsigned alone_max(const struct pool *pool)
{
    return pool->options.max_sessions > 1 ? pool->options.max_sessions / 2 : 1;
}

/* Of these, a question that is merely slow takes half at most: it keeps its session for long, and others that ended
 * sessions need one for a moment, to show that they were not the reason. */
static bool has_alone_room(const struct pool *pool, const struct upstream *upstream, const struct exchange *exchange)
{
    unsigned max = alone_max(pool);
    unsigned reserved = 0;
    unsigned slow = 0;
    list_for_each (node, &upstream->sessions) {
        const struct session *other = container_of(node, struct session, of_upstream);
        if (!other->reserved || !session_is_open(other)) continue;
        reserved++;
        slow += session_oldest_attempt(other)->exchange->slow;
    }
    return reserved < max && !(exchange->slow && max > 1 && slow >= max / 2);
}

bool choice_has_proof(const struct pool *pool, const struct upstream *upstream, const struct exchange *exchange)
{
    if (!exchange_is_at_last_attempt(exchange) || !is_in(exchange->met_silence, upstream)) return true;
    return upstream->answered_ns > exchange->sent_ns || !has_time_to_wait(pool, exchange);
}

/* The session did not fall silent with the upstream: it answered, or was opened after another one did. */
static bool is_proved(const struct pool *pool, const struct session *session, const struct exchange *exchange)
{
    const struct upstream *upstream = session->upstream;
    if (!exchange_is_at_last_attempt(exchange) || !is_in(exchange->met_silence, upstream)) return true;
    if (!has_time_to_wait(pool, exchange)) return session->sent == 0 || session->answers > 0;
    return upstream->answered_ns > exchange->sent_ns &&
           (session->answers > 0 || session->opened_ns >= upstream->answered_ns);
}

static bool suits_class(const struct pool *pool, const struct session *session, const struct exchange *exchange)
{
    if (session->reserved) return false;
    switch (exchange_class(exchange)) {
    case EXCHANGE_SOLITARY:
        if (session->in_flight == 0 && has_alone_room(pool, session->upstream, exchange)) return true;
        return has_waited_enough(pool, exchange);
    case EXCHANGE_SUSPECT:
        if (session->counted == 0) return true;
        return session->suspicion > 0 && session->counted < SUSPECTS_FIRST + session->answers;
    case EXCHANGE_CLEAN: return session->counted == 0 || session->suspicion == 0;
    }
    return false;
}

static bool takes(const struct pool *pool, const struct session *session, const struct exchange *exchange)
{
    return session_is_open(session) && session->in_flight < room_of(session, exchange) &&
           suits_class(pool, session, exchange) && is_proved(pool, session, exchange) &&
           !exchange_is_on(exchange, session);
}

/* How far the choice goes. */
enum tier {
    TIER_GOOD,  /* sessions nothing speaks against */
    TIER_AGAIN, /* also of upstreams where the question failed: what ended that attempt may end the next */
    TIER_ANY,   /* also of avoided upstreams, and silent ones */
};

/* A question gets a new session of an upstream whose sessions it ended. Elsewhere, and where it is merely slow, it may
 * have one that is not needed at the moment: where another takes the questions meanwhile. */
static bool is_free_for_solitary(const struct session *session, const struct exchange *exchange)
{
    if (session->sent == 0) return true;
    if (exchange->lost >= EXCHANGE_ALONE && exchange_has_failed_at(exchange, session->upstream)) return false;
    list_for_each (node, &session->upstream->sessions) {
        const struct session *other = container_of(node, struct session, of_upstream);
        if (other != session && session_is_open(other) && !other->reserved && !is_quiet(other)) return true;
    }
    return false;
}

static bool is_in_tier(const struct session *session, const struct exchange *exchange, enum tier tier)
{
    if (tier == TIER_ANY) return true;
    if (exchange_class(exchange) == EXCHANGE_SOLITARY && !is_free_for_solitary(session, exchange)) return false;
    if (is_quiet(session)) return false;
    return tier == TIER_AGAIN || !exchange_has_failed_at(exchange, session->upstream);
}

static bool has_good_upstream(const struct pool *pool, const struct exchange *exchange)
{
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        const struct upstream *upstream = &pool->upstreams[i];
        if (is_in(useless_to(exchange), upstream) || !choice_is_allowed(exchange, upstream)) continue;
        if (upstream->backoff.failures > 0) continue;
        if (!choice_is_avoided(pool, upstream, exchange)) return true;
    }
    return false;
}

static struct session *choose(struct pool *pool, const struct exchange *exchange, enum tier tier)
{
    struct session *least = NULL;
    /* An avoided upstream is unlikely to answer: one attempt in flight elsewhere is worth more. */
    bool last_resort = tier == TIER_ANY && (!exchange_is_live(exchange) || !has_good_upstream(pool, exchange));
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        struct upstream *upstream = &pool->upstreams[i];
        if (!choice_is_allowed(exchange, upstream) || choice_is_wasted(pool, upstream, exchange)) continue;
        if (!last_resort && !exchange->only && choice_is_avoided(pool, upstream, exchange)) continue;
        list_for_each (node, &upstream->sessions) {
            struct session *session = container_of(node, struct session, of_upstream);
            if (!takes(pool, session, exchange) || !is_in_tier(session, exchange, tier)) continue;
            if (tier != TIER_ANY) return session;
            if (!least || session->in_flight < least->in_flight) least = session;
        }
    }
    return least;
}

struct session *choice_replaceable(const struct pool *pool, const struct upstream *upstream)
{
    uint64_t now_ns = pool_now_ns(pool);
    struct session *oldest = NULL; /* of those with leading attempts */
    bool all_lead = true;
    list_for_each (node, &upstream->sessions) {
        struct session *session = container_of(node, struct session, of_upstream);
        all_lead &= session->doubted && session->leading > 0;
        if (!session->doubted || now_ns - session->doubted_ns < OPENING_NS) continue;
        if (session->leading == 0) return session;
        if (!oldest || session->doubted_ns < oldest->doubted_ns) oldest = session;
    }
    bool hopeless = all_lead && oldest && now_ns - oldest->doubted_ns >= pool->options.query_timeout_ns / HOPELESS_PART;
    return hopeless ? oldest : NULL;
}

bool choice_has_session_room(const struct pool *pool, const struct upstream *upstream, const struct exchange *exchange)
{
    unsigned max = pool->options.max_sessions;
    unsigned sessions = 0;
    unsigned used = 0;
    if (exchange && exchange_class(exchange) == EXCHANGE_SOLITARY) {
        bool is_usable = has_alone_room(pool, upstream, exchange) || has_waited_enough(pool, exchange);
        if (exchange->slow && !is_usable) return false;
        max += alone_max(pool);
    }
    list_for_each (node, &upstream->sessions) {
        const struct session *session = container_of(node, struct session, of_upstream);
        sessions++;
        used += session->state == SESSION_OPENING || session_is_open(session);
    }
    if (used >= max) return false;
    return sessions < 2 * pool->options.max_sessions || choice_replaceable(pool, upstream);
}

/* A session without known faults is being opened, or may be opened now. */
static bool better_is_expected(const struct pool *pool, const struct exchange *exchange)
{
    uint64_t now_ns = pool_now_ns(pool);
    if (pool->draining) return false;
    if (exchange_is_waiting(exchange) && now_ns - exchange->waiting_ns >= PATIENCE_NS) return false;
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        const struct upstream *upstream = &pool->upstreams[i];
        if (!choice_is_allowed(exchange, upstream)) continue;
        if (!exchange->only && choice_is_avoided(pool, upstream, exchange)) continue;
        list_for_each (node, &upstream->sessions) {
            const struct session *session = container_of(node, struct session, of_upstream);
            if (session->state == SESSION_OPENING && now_ns - session->opened_ns < OPENING_NS) return true;
        }
        if (backoff_allows(&upstream->backoff, now_ns) && choice_has_session_room(pool, upstream, exchange))
            return true;
    }
    return false;
}

bool choice_is_other_awaited(const struct pool *pool, const struct exchange *exchange)
{
    if (exchange->lost < EXCHANGE_ELSEWHERE || !has_time_to_wait(pool, exchange)) return false;
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        const struct upstream *upstream = &pool->upstreams[i];
        if (exchange_has_failed_at(exchange, upstream) || upstream->backoff.failures > 0) continue;
        if (!choice_is_allowed(exchange, upstream) || choice_is_avoided(pool, upstream, exchange)) continue;
        if (!pool->draining || session_count_opening(upstream) + session_count_open(upstream) > 0) return true;
    }
    return false;
}

struct session *choice_session(struct pool *pool, const struct exchange *exchange)
{
    struct session *session = choose(pool, exchange, TIER_GOOD);
    if (!session && choice_is_other_awaited(pool, exchange)) return NULL;
    if (!session) session = choose(pool, exchange, TIER_AGAIN);
    if (!session && !better_is_expected(pool, exchange)) session = choose(pool, exchange, TIER_ANY);
    return session;
}
