#include "upstream/trace.h"

#include "common/clock.h"
#include "upstream/state.h"

static bool is_on(const struct pool *pool)
{
    return atomic_load_explicit(&pool->log->level, memory_order_relaxed) >= LOG_LEVEL_DEBUG;
}

void trace_session(const struct pool *pool, const char *event, const struct session *session)
{
    if (!is_on(pool)) return;
    log_debug(pool->log, event, log_number("worker", pool->worker), log_number("session", session->number),
              log_text("upstream", session->upstream->label), log_number("in_flight", session->in_flight));
}

void trace_session_end(const struct pool *pool, const struct session *session, enum cause cause)
{
    if (!is_on(pool)) return;
    log_debug(pool->log, "session ended", log_number("worker", pool->worker), log_number("session", session->number),
              log_text("upstream", session->upstream->label), log_text("cause", cause_text(cause)),
              log_number("in_flight", session->in_flight), log_number("answers", session->answers),
              log_number("age_ms", (pool_now_ns(pool) - session->opened_ns) / NS_PER_MS));
}

void trace_exchange(const struct pool *pool, const char *event, const struct exchange *exchange,
                    const struct session *session)
{
    if (!is_on(pool)) return;
    log_debug(pool->log, event, log_number("worker", pool->worker), log_number("question", exchange->number),
              log_number("session", session ? session->number : 0),
              log_text("upstream", session ? session->upstream->label : "none"),
              log_number("attempt", exchange->attempts_made));
}

void trace_exchange_end(const struct pool *pool, const struct exchange *exchange, enum exchange_result result)
{
    if (!is_on(pool)) return;
    const char *event = result == EXCHANGE_ANSWERED ? "question answered" : "question given up";
    uint64_t took_ns = pool_now_ns(pool) - exchange->deadline.started_ns;
    log_debug(pool->log, event, log_number("worker", pool->worker), log_number("question", exchange->number),
              log_text("result", exchange_result_text(result)), log_number("attempts", exchange->attempts_made),
              log_number("sessions_lost", exchange->lost), log_number("took_ms", took_ns / NS_PER_MS));
}
