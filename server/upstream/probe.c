#include "upstream/probe.h"

#include <string.h>

#include "common/clock.h"
#include "upstream/dispatch.h"
#include "upstream/state.h"
#include "upstream/tally.h"

#define RECENT_NS (300 * NS_PER_S)
#define PATIENT_MIN_NS                                                                                                 \
    (400 * NS_PER_MS) /* an answer from memory takes a round trip, whatever else the upstream does                     \
                       *   \ */
#define PATIENT_MAX_NS NS_PER_S
#define RECHECK_NS     (30 * NS_PER_S) /* of an upstream that failed and that nobody needs: well below STANDBY_NS */

bool probe_is_traffic_recent(const struct pool *pool, uint64_t now_ns)
{
    /* At an inactive worker only what it is asked all the same counts: questions over UDP, and of clients that are
     * never idle. */
    if (pool->rested_ns != CLOCK_NEVER && pool->asked_ns <= pool->rested_ns) return false;
    return now_ns - pool->asked_ns < RECENT_NS;
}

/* Whether it was answered shows in the upstream's state, which the answer has set already. */
static void on_done(struct exchange *exchange, enum exchange_result result, const struct answer *answer)
{
    (void)answer;
    struct probe *probe = container_of(exchange, struct probe, exchange);
    probe->active = false;
    if (!exchange->only || result == EXCHANGE_ANSWERED) return;
    struct upstream *upstream = &probe->pool->upstreams[exchange->only->index];
    if (upstream->avoided && result != EXCHANGE_UNREACHABLE)
        upstream_fell_silent(upstream, &probe->pool->random, pool_now_ns(probe->pool));
}

static void prepare(struct pool *pool, struct probe *probe, const struct upstream *only)
{
    static const uint8_t root_ns[] = {0, 0, DNS_TYPE_NS, QUESTION_KEY_RD};
    struct exchange *exchange = &probe->exchange;
    memcpy(exchange->key.bytes, root_ns, sizeof root_ns);
    exchange->key.size = sizeof root_ns;
    exchange->background = true;
    exchange->light = true;
    exchange->only = only;
    exchange->on_done = on_done;
    probe->pool = pool;
}

void probe_init(struct pool *pool)
{
    prepare(pool, &pool->probe, NULL);
    for (unsigned i = 0; i < pool->upstream_count; i++) prepare(pool, &pool->probes[i], &pool->upstreams[i]);
}

static void stop(struct probe *probe)
{
    if (probe->active) exchange_cancel(&probe->exchange);
    probe->active = false;
}

void probe_stop(struct pool *pool)
{
    stop(&pool->probe);
    for (unsigned i = 0; i < pool->upstream_count; i++) stop(&pool->probes[i]);
}

static void begin(struct pool *pool, struct probe *probe, uint64_t now_ns)
{
    if (probe->active || pool->draining) return;
    probe->active = true;
    probe->begun_ns = now_ns;
    probe->sent_ns = 0;
    dispatch_submit(pool, &probe->exchange, now_ns);
}

void probe_path(struct pool *pool, uint64_t now_ns)
{
    begin(pool, &pool->probe, now_ns);
}

void probe_upstream(struct pool *pool, struct upstream *upstream, uint64_t now_ns)
{
    begin(pool, &pool->probes[upstream->index], now_ns);
}

static uint64_t patience_ns(const struct upstream *upstream)
{
    uint64_t patience_ns = 4 * rtt_timeout_ns(&upstream->rtt);
    if (patience_ns < PATIENT_MIN_NS) return PATIENT_MIN_NS;
    return patience_ns < PATIENT_MAX_NS ? patience_ns : PATIENT_MAX_NS;
}

/* When the upstream is due a query of our own. One that failed and is not needed is not tried for any client, so its
 * state would stay that of its last failure. */
static uint64_t upstream_due_ns(const struct upstream *upstream)
{
    uint64_t due_ns = CLOCK_NEVER;
    if (upstream->avoided)
        due_ns = upstream->probe_at_ns;
    else if (upstream->state == UPSTREAM_DOWN || upstream->state == UPSTREAM_CERTIFICATE)
        due_ns = upstream->tried_ns + RECHECK_NS;
    return due_ns > upstream->backoff.next_ns ? due_ns : upstream->backoff.next_ns;
}

static void look_after(struct pool *pool, struct upstream *upstream, uint64_t now_ns)
{
    struct probe *probe = &pool->probes[upstream->index];
    if (!probe->active) {
        bool is_due = now_ns >= upstream_due_ns(upstream) && backoff_allows(&upstream->backoff, now_ns);
        if (is_due && probe_is_traffic_recent(pool, now_ns)) begin(pool, probe, now_ns);
        return;
    }
    uint64_t attended_ns = loop_attended_ns(pool->host.channels.loop);
    if (probe->sent_ns == 0 && probe->exchange.asked) probe->sent_ns = attended_ns;
    if (probe->sent_ns == 0 || attended_ns - probe->sent_ns < patience_ns(upstream)) return;
    stop(probe);
    if (upstream->avoided && now_ns < upstream->probe_at_ns) return; /* declared silent meanwhile */
    upstream_fell_silent(upstream, &pool->random, now_ns);
    tally_error(pool->counters, upstream, "it connects and does not answer");
}

static uint64_t path_due_ns(const struct pool *pool)
{
    const struct probe *probe = &pool->probe;
    if (!pool->is_prober || probe->active || pool->draining) return CLOCK_NEVER;
    if (probe->begun_ns == 0) return 0;
    uint64_t proved_ns = pool->answered_ns > probe->begun_ns ? pool->answered_ns : probe->begun_ns;
    return proved_ns + pool->options.probe_ns;
}

void probe_tick(struct pool *pool, uint64_t now_ns)
{
    if (now_ns >= path_due_ns(pool)) probe_path(pool, now_ns);
    if (pool->draining) return;
    for (unsigned i = 0; i < pool->upstream_count; i++) look_after(pool, &pool->upstreams[i], now_ns);
}

uint64_t probe_deadline_ns(const struct pool *pool)
{
    uint64_t deadline_ns = path_due_ns(pool);
    uint64_t now_ns = pool_now_ns(pool);
    if (pool->draining) return deadline_ns;
    for (unsigned i = 0; i < pool->upstream_count; i++) {
        const struct upstream *upstream = &pool->upstreams[i];
        const struct probe *probe = &pool->probes[i];
        if (probe->active && probe->sent_ns != 0)
            deadline_ns = clock_earlier(deadline_ns, probe->sent_ns + patience_ns(upstream) +
                                                         pool->host.channels.loop->own_delay_ns);
        else if (!probe->active && probe_is_traffic_recent(pool, now_ns)) {
            uint64_t due_ns = upstream_due_ns(upstream);
            if (due_ns < upstream->backoff.next_ns) due_ns = upstream->backoff.next_ns;
            deadline_ns = clock_earlier(deadline_ns, due_ns);
        }
    }
    return deadline_ns;
}
