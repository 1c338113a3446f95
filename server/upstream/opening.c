#include "upstream/opening.h"

#include <errno.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "upstream/choice.h"
#include "upstream/dispatch.h"
#include "upstream/probe.h"
#include "upstream/state.h"
#include "upstream/tally.h"
#include "upstream/trace.h"

#define RETURN_NS   (5 * NS_PER_S)    /* how often a preferred upstream is tried while another one serves */
#define FRESH_NS    (250 * NS_PER_MS) /* a connection this old no longer holds up the next (RFC 8305, 5) */
#define AGAIN_NS    NS_PER_S          /* and one this old does not hold up the next to the same upstream */
#define RECENTLY_NS (10 * NS_PER_S)   /* sessions are begun in advance while clients asked so lately */

enum {
    HANDSHAKES_MAX = 64, /* of the setting */
    JITTER_PERCENT = 10, /* of ages, so that workers do not all replace their sessions at once */
    SPARE_MAX = 8,       /* answers for which room is kept in advance */
};

/* ---- beginning ---- */

void opening_failed(struct pool *pool, struct upstream *upstream, enum cause cause, const char *why)
{
    uint64_t now_ns = pool_now_ns(pool);
    upstream_failed(upstream, cause, pool->upstream_count, &pool->random, now_ns);
    tally_error(pool->counters, upstream, why);
}

bool opening_begin(struct pool *pool, struct upstream *upstream, uint64_t now_ns)
{
    enum cause cause;
    unsigned sessions = 0;
    list_for_each (node, &upstream->sessions) sessions++;
    struct session *replaced = choice_replaceable(pool, upstream);
    if (sessions >= 2 * pool->options.max_sessions && replaced) {
        tally_cause(pool->counters, upstream, CAUSE_REPLACED);
        trace_session_end(pool, replaced, CAUSE_REPLACED);
        dispatch_elsewhere(pool, replaced, CAUSE_REPLACED);
        session_free(replaced);
    }
    bool resume = upstream->state != UPSTREAM_CERTIFICATE && now_ns < upstream->revalidate_at_ns;
    upstream->tried_ns = now_ns;
    struct session *session = session_open(&pool->host, upstream, pool->tls, resume, &cause);
    int error = errno;
    tally_connect(pool->counters, upstream);
    if (!session) {
        tally_cause(pool->counters, upstream, cause);
        opening_failed(pool, upstream, cause, strerrordesc_np(error));
        return false;
    }
    session->row = tally_session_row(pool->counters);
    if (session->row) tally_session(session->row, session, pool->worker, now_ns);
    session->max_age_ns = random_jitter(&pool->random, pool->options.max_age_ns, JITTER_PERCENT);
    trace_session(pool, "session opened", session);
    return true;
}

/* ---- choosing an upstream ---- */

/* A connection is under way that will tell, since it is slow or others failed: it is waited for. Not for long: what an
 * outage swallowed is never answered, and only a new connection sees its end. */
static bool is_waited_for(const struct upstream *upstream, uint64_t now_ns)
{
    list_for_each (node, &upstream->sessions) {
        const struct session *session = container_of(node, struct session, of_upstream);
        uint64_t age_ns = now_ns - session->opened_ns;
        if (session->state != SESSION_OPENING || age_ns >= AGAIN_NS) continue;
        if (age_ns >= FRESH_NS || upstream->backoff.failures > 0) return true;
    }
    return false;
}

static bool may_be_tried(const struct pool *pool, const struct upstream *upstream, const struct exchange *exchange,
                         uint64_t now_ns)
{
    if (exchange && !choice_is_allowed(exchange, upstream)) return false;
    if (exchange && exchange_has_failed_at(exchange, upstream) && choice_is_other_awaited(pool, exchange)) return false;
    if (exchange && !choice_has_proof(pool, upstream, exchange)) return false;
    if (exchange && choice_is_wasted(pool, upstream, exchange)) return false;
    if (!backoff_allows(&upstream->backoff, now_ns) || is_waited_for(upstream, now_ns)) return false;
    return choice_has_session_room(pool, upstream, exchange);
}

/* How well a session to the upstream would serve `exchange` (NULL: any question); less is better. */
static unsigned rank(const struct pool *pool, const struct upstream *upstream, const struct exchange *exchange)
{
    unsigned rank = 0;
    if (choice_is_avoided(pool, upstream, exchange)) rank += 2;
    if (exchange && exchange_has_failed_at(exchange, upstream)) rank += 1;
    return rank;
}

static struct upstream *pick(struct pool *pool, const struct exchange *exchange, uint64_t now_ns)
{
    struct upstream *best = NULL;
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        struct upstream *upstream = &pool->upstreams[i];
        if (!may_be_tried(pool, upstream, exchange, now_ns)) continue;
        if (!best || rank(pool, upstream, exchange) < rank(pool, best, exchange)) best = upstream;
    }
    return best;
}

/* ---- what is wanted ---- */

/* Sessions being opened that are not slow yet; each serves one need. */
struct fresh {
    struct session *sessions[HANDSHAKES_MAX];
    unsigned count;
};

static unsigned find_fresh(struct pool *pool, uint64_t now_ns, struct fresh *ret_fresh)
{
    unsigned opening = 0;
    ret_fresh->count = 0;
    for (unsigned i = 0; i < pool->upstream_count; i++)
        list_for_each (node, &pool->upstreams[i].sessions) {
            struct session *session = container_of(node, struct session, of_upstream);
            if (session->state != SESSION_OPENING) continue;
            opening++;
            if (now_ns - session->opened_ns < FRESH_NS && ret_fresh->count < HANDSHAKES_MAX)
                ret_fresh->sessions[ret_fresh->count++] = session;
        }
    return opening;
}

/* Serves a need with a session that is being opened, or opens one. False: enough are being opened, or none may be
 * opened. */
static bool serve(struct pool *pool, const struct exchange *exchange, struct fresh *fresh, unsigned *begun,
                  uint64_t now_ns)
{
    struct upstream *upstream = pick(pool, exchange, now_ns);
    for (unsigned i = 0; i < fresh->count; i++) {
        struct session *session = fresh->sessions[i];
        if (!session || (exchange && !choice_is_allowed(exchange, session->upstream))) continue;
        if (upstream && rank(pool, upstream, exchange) < rank(pool, session->upstream, exchange)) continue;
        fresh->sessions[i] = NULL;
        return true;
    }
    while (upstream && fresh->count + *begun < pool->options.max_handshakes) {
        if (opening_begin(pool, upstream, now_ns)) {
            ++*begun;
            return true;
        }
        upstream = pick(pool, exchange, now_ns); /* that one is backed off now */
    }
    return false;
}

/* How many questions one more session would take of those without a record. */
static uint32_t session_share(struct pool *pool, uint64_t now_ns)
{
    const struct upstream *upstream = pick(pool, NULL, now_ns);
    if (!upstream) return UINT32_MAX;
    uint32_t share = upstream->window - upstream->window / 4;
    return upstream->answers_max < share ? upstream->answers_max : share;
}

/* Sessions that the questions without a record could use. */
static unsigned count_plain(struct pool *pool, uint64_t now_ns)
{
    bool waiting = !list_is_empty(&pool->lines[LINE_LIGHT]) || !list_is_empty(&pool->lines[LINE_OTHERS]);
    if (!waiting) return opening_is_cold(pool, now_ns);
    uint64_t share = session_share(pool, now_ns);
    uint64_t most = share * pool->options.max_handshakes;
    uint64_t count = 0;
    if (share > HANDSHAKES_MAX) return 1; /* one takes many */
    for (int line = LINE_LIGHT; line <= LINE_OTHERS; line++)
        list_for_each (node, &pool->lines[line])
            if (++count >= most) return pool->options.max_handshakes;
    return (unsigned)((count + share - 1) / share);
}

/* Of the questions with a record, the `n`-th (from 0) that needs a session of its own: one each for those to be asked
 * alone, one for all that were there at the end of a session that they may have ended, one for each `share` others of
 * each upstream they may be asked of. NULL if there are no more. */
static const struct exchange *find_constrained(const struct pool *pool, unsigned n, uint32_t share)
{
    const struct exchange *former = NULL;
    uint32_t together = 0;
    list_for_each (node, &pool->lines[LINE_CONSTRAINED]) {
        const struct exchange *exchange = container_of(node, struct exchange, waiting);
        enum exchange_class class = exchange_class(exchange);
        bool alike = former && class != EXCHANGE_SOLITARY && class == exchange_class(former) &&
                     exchange->only == former->only && exchange->opinions.excluded == former->opinions.excluded;
        if (alike && (class == EXCHANGE_SUSPECT || ++together < share)) continue;
        if (n-- == 0) return exchange;
        former = exchange;
        together = 0;
    }
    return NULL;
}

/* Sessions that questions with a record want. Beginning one may end another, and so move any question to another line:
 * the line is searched again each time. */
static void serve_constrained(struct pool *pool, struct fresh *fresh, unsigned *begun, uint64_t now_ns)
{
    uint32_t share = session_share(pool, now_ns);
    for (unsigned n = 0; n < pool->options.max_handshakes; n++) {
        const struct exchange *exchange = find_constrained(pool, n, share);
        if (!exchange) return;
        serve(pool, exchange, fresh, begun, now_ns);
    }
}

/* ---- in advance ---- */

/* If sessions end after a known number of answers, there is room for some more before the last one ends. */
static void open_spare(struct pool *pool, struct fresh *fresh, unsigned *begun, uint64_t now_ns)
{
    if (pool->draining || !probe_is_traffic_recent(pool, now_ns) || now_ns - pool->asked_ns >= RECENTLY_NS) return;
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        struct upstream *upstream = &pool->upstreams[i];
        if (!upstream_is_up(upstream) || choice_is_avoided(pool, upstream, NULL)) continue;
        if (upstream->answers_max == UINT32_MAX) return; /* it is the one in use, and its sessions last */
        uint64_t room = (uint64_t)session_count_opening(upstream) * upstream->answers_max;
        list_for_each (node, &upstream->sessions) {
            const struct session *session = container_of(node, struct session, of_upstream);
            uint32_t left = session_answers_left(session);
            if (session_is_open(session) && session->in_flight < left) room += left - session->in_flight;
        }
        uint64_t wanted = upstream->answers_max > 1 ? (upstream->answers_max + 1) / 2 : 2;
        if (wanted > SPARE_MAX) wanted = SPARE_MAX;
        if (room < wanted && fresh->count + *begun < pool->options.max_handshakes &&
            may_be_tried(pool, upstream, NULL, now_ns))
            *begun += opening_begin(pool, upstream, now_ns);
        return;
    }
}

/* An upstream that is preferred to the one in use is used again: it is tried now and then while clients ask. */
static void open_preferred(struct pool *pool, uint64_t now_ns)
{
    if (pool->draining || !probe_is_traffic_recent(pool, now_ns)) return;
    unsigned used = 0; /* the first that serves: only those before it are preferred */
    while (used < pool->upstream_count &&
           !(upstream_is_up(&pool->upstreams[used]) && session_count_open(&pool->upstreams[used]) > 0))
        used++;
    for (unsigned i = 0; i < used && used < pool->upstream_count; i++) {
        struct upstream *upstream = &pool->upstreams[i];
        if (upstream->avoided || session_count_open(upstream) + session_count_opening(upstream) > 0) continue;
        if (now_ns - upstream->tried_ns < RETURN_NS || !backoff_allows(&upstream->backoff, now_ns)) continue;
        if (choice_has_session_room(pool, upstream, NULL)) opening_begin(pool, upstream, now_ns);
        return;
    }
}

static bool is_all_down(const struct pool *pool, uint64_t now_ns)
{
    for (unsigned i = 0; i < pool->upstream_count; i++)
        if (!upstream_is_known_down(&pool->upstreams[i], now_ns)) return false;
    return true;
}

bool opening_is_cold(const struct pool *pool, uint64_t now_ns)
{
    if (pool->draining || pool->upstream_count == 0 || !probe_is_traffic_recent(pool, now_ns)) return false;
    if (!pool->options.keep_warm && !is_all_down(pool, now_ns)) return false;
    for (unsigned i = 0; i < pool->upstream_count; i++)
        if (session_count_open(&pool->upstreams[i]) + session_count_opening(&pool->upstreams[i]) > 0) return false;
    return true;
}

void opening_wanted(struct pool *pool, uint64_t now_ns)
{
    struct fresh fresh;
    unsigned begun = 0;
    unsigned opening = find_fresh(pool, now_ns, &fresh);
    CHECK(pool->options.max_handshakes <= HANDSHAKES_MAX);
    unsigned plain = count_plain(pool, now_ns);
    while (plain > 0 && serve(pool, NULL, &fresh, &begun, now_ns)) plain--;
    if (!list_is_empty(&pool->lines[LINE_CONSTRAINED])) serve_constrained(pool, &fresh, &begun, now_ns);
    open_spare(pool, &fresh, &begun, now_ns);
    if (opening + begun == 0) open_preferred(pool, now_ns);
}
