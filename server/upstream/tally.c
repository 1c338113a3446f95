#include "upstream/tally.h"

#include "common/check.h"
#include "common/clock.h"
#include "upstream/session.h"
#include "upstream/upstream.h"

void tally_connect(struct counters *counters, const struct upstream *upstream)
{
    count_event_by(counters, upstream_connects, upstream->series);
}

void tally_ready(struct counters *counters, const struct upstream *upstream, bool resumed, uint64_t took_ns)
{
    count_upstream_event(counters, upstream_handshakes, upstream->series,
                         resumed ? LABEL_RESUMED_YES : LABEL_RESUMED_NO);
    histogram_observe(cell_handshake_duration(counters), took_ns, 1);
}

void tally_validated(struct counters *counters, const struct upstream *upstream, int64_t certificate_expiry_s)
{
    set_gauge_by(counters, upstream_validated, upstream->series, (uint64_t)clock_wall_s());
    set_gauge_by(counters, upstream_expiry, upstream->series, (uint64_t)certificate_expiry_s);
}

void tally_query(struct counters *counters, const struct upstream *upstream)
{
    count_event_by(counters, upstream_queries, upstream->series);
}

void tally_response(struct counters *counters, const struct upstream *upstream, uint16_t rcode, uint64_t took_ns,
                    uint64_t now_ns)
{
    histogram_observe(cell_upstream_duration(counters, upstream->series), took_ns, 1);
    count_upstream_event(counters, upstream_responses, upstream->series, counters_rcode_label(rcode));
    gauge_set(&counters->upstream_last_ns[upstream->series], now_ns);
    if (upstream->series < UPSTREAMS_MAX) gauge_set(&counters->upstream_answered_ns, now_ns); /* the default route */
}

void tally_late_response(struct counters *counters, const struct upstream *upstream)
{
    count_event_by(counters, upstream_late, upstream->series);
}

void tally_cause(struct counters *counters, const struct upstream *upstream, enum cause cause)
{
    static const enum label_failure failures[] = {
        [CAUSE_CONNECT_REFUSED] = LABEL_FAILURE_REFUSED,
        [CAUSE_CONNECT_TIMEOUT] = LABEL_FAILURE_CONNECT_TIMEOUT,
        [CAUSE_CONNECT_ERROR] = LABEL_FAILURE_CONNECT,
        [CAUSE_TLS] = LABEL_FAILURE_TLS,
        [CAUSE_TLS_TIMEOUT] = LABEL_FAILURE_TLS_TIMEOUT,
        [CAUSE_CERTIFICATE] = LABEL_FAILURE_CERTIFICATE,
        [CAUSE_CLOSED] = LABEL_FAILURE_CLOSED,
        [CAUSE_RESET] = LABEL_FAILURE_RESET,
        [CAUSE_SILENT] = LABEL_FAILURE_HUNG,
        [CAUSE_FRAME] = LABEL_FAILURE_FRAME,
        [CAUSE_UNSOLICITED] = LABEL_FAILURE_UNSOLICITED,
        [CAUSE_MISMATCH] = LABEL_FAILURE_MISMATCH,
        [CAUSE_MALFORMED] = LABEL_FAILURE_MALFORMED,
    };
    static const enum label_session_end ends[CAUSES] = {
        [CAUSE_IDLE] = LABEL_SESSION_END_IDLE,         [CAUSE_AGE] = LABEL_SESSION_END_AGE,
        [CAUSE_REPLACED] = LABEL_SESSION_END_REPLACED, [CAUSE_REVALIDATED] = LABEL_SESSION_END_REVALIDATED,
        [CAUSE_RELOAD] = LABEL_SESSION_END_RELOAD,     [CAUSE_PEER_IDLE] = LABEL_SESSION_END_PEER,
    };
    CHECK(cause < CAUSES);
    if (cause_is_failure(cause))
        count_upstream_event(counters, upstream_failures, upstream->series, failures[cause]);
    else
        count_upstream_event(counters, upstream_ended, upstream->series, ends[cause]);
}

void tally_retry(struct counters *counters, const struct upstream *upstream, enum retry retry)
{
    static const enum label_retry labels[RETRIES] = {
        [RETRY_CLOSED] = LABEL_RETRY_CLOSED, [RETRY_SILENT] = LABEL_RETRY_HUNG,       [RETRY_HEDGE] = LABEL_RETRY_HEDGE,
        [RETRY_RCODE] = LABEL_RETRY_RCODE,   [RETRY_INVALID] = LABEL_RETRY_MALFORMED,
    };
    CHECK(retry < RETRIES);
    count_upstream_event(counters, upstream_retries, upstream->series, labels[retry]);
}

void tally_error(struct counters *counters, const struct upstream *upstream, const char *why)
{
    if (upstream->series == UPSTREAM_SERIES_REST) return;
    set_upstream_error(counters, upstream->series, why);
}

struct session_row *tally_session_row(struct counters *counters)
{
    for (unsigned i = 0; i < SESSIONS_SHOWN_MAX; i++)
        if (counter_read(&counters->sessions[i].number) == 0) return &counters->sessions[i];
    return NULL;
}

void tally_session(struct session_row *row, const struct session *session, unsigned worker, uint64_t now_ns)
{
    gauge_set(&row->worker, worker);
    gauge_set(&row->upstream, session->upstream->series);
    gauge_set(&row->is_open, session_is_open(session));
    gauge_set(&row->in_flight, session->in_flight);
    gauge_set(&row->sent, session->sent);
    gauge_set(&row->answers, session->answers);
    gauge_set(&row->window, session->window);
    gauge_set(&row->age_ms, (now_ns - session->opened_ns) / NS_PER_MS);
    gauge_set(&row->number, session->number); /* last: the row is taken from now on */
}

void tally_session_end(struct session_row *row)
{
    if (row) gauge_set(&row->number, 0);
}

void tally_upstream(struct counters *counters, const struct upstream *upstream, uint64_t sessions, uint64_t in_flight)
{
    if (upstream->series == UPSTREAM_SERIES_REST) return; /* several upstreams share it, and have no state in common */
    set_gauge_by(counters, upstream_sessions, upstream->series, sessions);
    set_gauge_by(counters, upstream_in_flight, upstream->series, in_flight);
    set_gauge_by(counters, upstream_up, upstream->series, upstream->state == UPSTREAM_UP);
    set_gauge_by(counters, upstream_state, upstream->series, upstream->state);
}
