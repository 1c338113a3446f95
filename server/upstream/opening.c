#include "upstream/opening.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "upstream/pool.h"

#define RECENT_NS       (300 * NS_PER_S) /* traffic since then makes a session worth keeping warm */
#define RETURN_NS       (5 * NS_PER_S) /* how often an upstream that went is tried while a less preferred one serves */
#define EYEBALLS_NS     (250 * NS_PER_MS) /* an attempt this old no longer holds up the next (RFC 8305, 5) */
#define AGAIN_NS        NS_PER_S          /* and one this old does not hold up the next to the same upstream */
#define BACKOFF_MAX_NS  NS_PER_S          /* one upstream alone is tried about once a second while it is gone, */
#define BACKOFF_EACH_NS (700 * NS_PER_MS) /* and several so that together they stay under two tries a second */

#define QUICK_MAX_NS                                                                                                   \
    (200 * NS_PER_MS) /* the first tries follow each other closely: a restart takes less than a second */

enum { QUICK_TRIES = 8 };     /* of all upstreams together */
enum { JITTER_PERCENT = 10 }; /* of ages, so that workers do not all replace their sessions at once */

static uint64_t backoff_max_ns(const struct pool *pool, const struct upstream *upstream)
{
    if (upstream->backoff.failures * pool->upstream_count < QUICK_TRIES) return QUICK_MAX_NS;
    uint64_t max_ns = pool->upstream_count * BACKOFF_EACH_NS;
    return max_ns > BACKOFF_MAX_NS ? max_ns : BACKOFF_MAX_NS;
}

/* An attempt is under way that will tell, since it is slow or others failed: it is waited for. Not for long: what an
 * outage swallowed is never answered, and only a new attempt sees its end. */
static bool is_waited_for(const struct upstream *upstream, uint64_t now_ns)
{
    list_for_each (node, &upstream->sessions) {
        const struct session *session = container_of(node, struct session, of_upstream);
        uint64_t age_ns = now_ns - session->opened_ns;
        if (session->state >= SESSION_READY || age_ns >= AGAIN_NS) continue;
        if (age_ns >= EYEBALLS_NS || upstream->backoff.failures > 0) return true;
    }
    return false;
}

/* The first upstream that may be tried. Those whose sessions hang come last. */
static struct upstream *pick(struct pool *pool, uint64_t now_ns)
{
    struct upstream *second = NULL;
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        struct upstream *upstream = &pool->upstreams[i];
        if (!backoff_allows(&upstream->backoff, now_ns)) continue;
        if (upstream_open_sessions(upstream) + upstream_connecting_sessions(upstream) >= pool->options.max_sessions)
            continue;
        if (is_waited_for(upstream, now_ns)) continue;
        if (now_ns >= upstream->avoid_until_ns) return upstream;
        if (!second) second = upstream;
    }
    return second;
}

static void log_failure(struct pool *pool, struct upstream *upstream, unsigned failure, const char *why,
                        uint64_t now_ns)
{
    static const char *const names[] = {
#define L(id, text) text,
        LABELS_FAILURE(L)
#undef L
    };
    uint64_t held_back;
    if (!upstream->up && !log_repeat_due(&upstream->trouble, now_ns, &held_back)) return;
    if (failure == LABEL_FAILURE_CERTIFICATE)
        log_error(
            pool->log, "upstream certificate refused", log_text("upstream", upstream->label), log_text("why", why),
            log_text(
                "do",
                "check the upstream's name in 'upstreams', 'tls.ca_file' and this machine's clock; no query was sent"));
    else
        log_warning(pool->log, "upstream unreachable", log_text("upstream", upstream->label),
                    log_text("reason", names[failure]), log_text("why", why));
    upstream->up = false;
}

void opening_failed(struct pool *pool, struct upstream *upstream, unsigned failure, const char *why)
{
    uint64_t now_ns = pool->host.loop->now_ns;
    backoff_failed(&upstream->backoff, backoff_max_ns(pool, upstream), &pool->random, now_ns);
    set_upstream_error(pool->counters, upstream->index, why);
    log_failure(pool, upstream, failure, why, now_ns);
}

bool opening_begin(struct pool *pool, struct upstream *upstream, uint64_t now_ns)
{
    unsigned failure;
    bool resume = !upstream->distrusted && now_ns < upstream->revalidate_at_ns;
    upstream->tried_ns = now_ns;
    struct session *session = session_open(&pool->host, upstream, pool->tls, resume, &failure);
    int error = errno;
    counter_add(&pool->counters->upstream_connects[upstream->index][0], 1);
    if (!session) {
        counter_add(&pool->counters->upstream_failures[upstream->index][failure], 1);
        opening_failed(pool, upstream, failure, strerrordesc_np(error));
        return false;
    }
    session->max_age_ns = random_jitter(&pool->random, pool->options.max_age_ns, JITTER_PERCENT);
    return true;
}

/* Attempts on their way in all; `ret_fresh`: those that are not slow yet. */
static unsigned count_attempts(const struct pool *pool, uint64_t now_ns, unsigned *ret_fresh)
{
    unsigned attempts = 0;
    *ret_fresh = 0;
    for (unsigned i = 0; i < pool->upstream_count; i++)
        list_for_each (node, &pool->upstreams[i].sessions) {
            const struct session *session = container_of(node, struct session, of_upstream);
            if (session->state >= SESSION_READY) continue;
            attempts++;
            *ret_fresh += now_ns - session->opened_ns < EYEBALLS_NS;
        }
    return attempts;
}

/* Sessions that the questions in line could use: one for all without a record, one for all who were there at one death,
 * one each for those to be asked alone. */
static unsigned count_wanted(const struct pool *pool)
{
    bool plain = !list_is_empty(&pool->lines[LINE_LIGHT]) || !list_is_empty(&pool->lines[LINE_OTHERS]);
    bool suspects = false;
    unsigned alone = 0;
    list_for_each (node, &pool->lines[LINE_CONSTRAINED]) {
        const struct exchange *exchange = container_of(node, struct exchange, waiting);
        if (exchange->deaths == 0)
            plain = true;
        else if (exchange->deaths < EXCHANGE_DEATHS_ALONE)
            suspects = true;
        else
            alone++;
    }
    return plain + suspects + alone;
}

bool opening_is_recent(const struct pool *pool, uint64_t now_ns)
{
    return now_ns - pool->asked_ns < RECENT_NS;
}

/* True where traffic was recent and no session is open or on its way. */
bool opening_is_cold(const struct pool *pool, uint64_t now_ns)
{
    if (!pool->options.keep_warm || pool->draining || !opening_is_recent(pool, now_ns)) return false;
    for (unsigned i = 0; i < pool->upstream_count; i++)
        if (upstream_open_sessions(&pool->upstreams[i]) + upstream_connecting_sessions(&pool->upstreams[i]) > 0)
            return false;
    return true;
}

/* An upstream that is preferred to the one in use gets its place back: it is tried now and then while clients ask. */
static void open_preferred(struct pool *pool, uint64_t now_ns)
{
    if (pool->draining || !opening_is_recent(pool, now_ns)) return;
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        struct upstream *upstream = &pool->upstreams[i];
        if (upstream_open_sessions(upstream) + upstream_connecting_sessions(upstream) > 0)
            return; /* none of those behind it is wanted */
        if (now_ns - upstream->tried_ns < RETURN_NS || now_ns < upstream->avoid_until_ns) continue;
        opening_begin(pool, upstream, now_ns);
        return;
    }
}

void opening_wanted(struct pool *pool, uint64_t now_ns)
{
    unsigned fresh;
    unsigned attempts = count_attempts(pool, now_ns, &fresh);
    unsigned wanted = count_wanted(pool);
    if (wanted == 0 && opening_is_cold(pool, now_ns)) wanted = 1;
    if (wanted == 0 && attempts == 0) open_preferred(pool, now_ns);
    while (fresh < wanted && fresh < pool->options.max_handshakes) {
        struct upstream *upstream = pick(pool, now_ns);
        if (!upstream) return;
        if (!opening_begin(pool, upstream, now_ns)) continue; /* backed off: the next is picked */
        fresh++;
    }
}
