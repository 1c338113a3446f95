#include "metrics/status.h"

#include "common/json.h"
#include "metrics/catalogue.h"

enum { SECONDS_A_DAY = 86400 };

static uint64_t row_sum(const _Atomic uint64_t *row, unsigned count)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < count; i++) sum += counter_read(&row[i]);
    return sum;
}

/* An object of the values of a counter with one label, spelt as in the metrics; `offset` is the counter's in struct
 * counters. */
static void write_row(struct json *json, const char *key, const struct counters *total, size_t offset)
{
    const _Atomic uint64_t *row = (const void *)((const char *)total + offset);
    size_t count;
    const struct metric *metrics = catalogue(&count);
    json_open(json, key, '{');
    for (size_t i = 0; i < count; i++) {
        const struct metric_label *label = &metrics[i].labels[0];
        if (metrics[i].place != METRIC_IN_COUNTERS || metrics[i].offset != offset) continue;
        unsigned seconds = metrics[i].labels[1].count;
        for (unsigned j = 0; j < label->count; j++)
            json_count(json, label->values[j], row_sum(&row[(size_t)j * seconds], seconds));
    }
    json_close(json, '{');
}

static void write_percentile(struct json *json, const char *key, const struct histogram *histogram, unsigned percent)
{
    uint64_t ns;
    if (histogram_percentile_ns(histogram, percent, &ns))
        json_number(json, key, (double)ns / (double)NS_PER_MS);
    else
        json_null(json, key);
}

static void write_histogram(struct json *json, const char *key, const struct histogram *histogram)
{
    json_open(json, key, '{');
    json_open(json, "buckets", '[');
    for (unsigned i = 0; i <= HISTOGRAM_EDGES; i++) json_count(json, NULL, counter_read(&histogram->buckets[i]));
    json_close(json, '[');
    write_percentile(json, "p50_ms", histogram, 50);
    write_percentile(json, "p90_ms", histogram, 90);
    write_percentile(json, "p99_ms", histogram, 99);
    json_close(json, '{');
}

/* All transports together. */
static void write_durations(struct json *json, const char *key,
                            const struct histogram by_transport[static LABEL_TRANSPORT_COUNT])
{
    struct histogram total = {0};
    for (unsigned i = 0; i < LABEL_TRANSPORT_COUNT; i++) histogram_add(&total, &by_transport[i]);
    write_histogram(json, key, &total);
}

static void write_latency(struct json *json, const struct counters *total)
{
    json_open(json, "edges_ms", '[');
    for (unsigned i = 0; i < HISTOGRAM_EDGES; i++)
        json_number(json, NULL, (double)histogram_edges_ns[i] / (double)NS_PER_MS);
    json_close(json, '[');
    json_open(json, "latency", '{');
    write_durations(json, "cache", total->request_duration[LABEL_SOURCE_CACHE]);
    write_durations(json, "upstream", total->request_duration[LABEL_SOURCE_UPSTREAM]);
    write_durations(json, "shared_cache", total->request_duration[LABEL_SOURCE_SHARED]);
    json_close(json, '{');
}

static void write_udp(struct json *json, const struct counters *total)
{
    uint64_t queries = 0;
    for (unsigned i = 0; i < LABEL_QTYPE_COUNT; i++)
        queries += value_queries(total, (enum label_qtype)i, LABEL_TRANSPORT_UDP);
    json_open(json, "udp", '{');
    json_count(json, "queries", queries);
    json_count(json, "truncated", value_truncated(total));
    write_row(json, "dropped", total, offsetof(struct counters, udp_dropped));
    json_count(json, "kernel_drops", value_udp_kernel_drops(total));
    write_row(json, "received_bytes", total, offsetof(struct counters, udp_received));
    write_row(json, "sent_bytes", total, offsetof(struct counters, udp_sent));
    json_close(json, '{');
}

static void write_traffic(struct json *json, const struct counters *total, const struct figures *figures)
{
    json_count(json, "queries", row_sum(total->queries[0], LABEL_QTYPE_COUNT * LABEL_TRANSPORT_COUNT));
    write_row(json, "qtypes", total, offsetof(struct counters, queries));
    write_row(json, "responses", total, offsetof(struct counters, responses));
    write_row(json, "dropped", total, offsetof(struct counters, dropped));
    write_row(json, "invalid", total, offsetof(struct counters, invalid));
    json_count(json, "rate_limited", value_rate_limited(total));
    json_count(json, "access_denied", value_access_denied(total));
    json_count(json, "overloaded", value_overloaded(total));
    json_count(json, "merged", value_merged(total));
    write_udp(json, total);
    json_count(json, "in_flight", value_in_flight(total));
    json_count(json, "connections", value_client_connections(total));
    json_number(json, "connections_max", figures->connections_max);
    json_count(json, "accepted", value_client_accepted(total));
    write_row(json, "rejected", total, offsetof(struct counters, client_rejected));
}

static void write_cache(struct json *json, const struct counters *total, const struct figures *figures)
{
    json_open(json, "cache", '{');
    json_count(json, "hits", value_cache_hits(total));
    json_count(json, "misses", value_cache_misses(total));
    json_count(json, "stale", value_cache_stale(total));
    json_number(json, "evictions", figures->cache_evictions);
    json_number(json, "entries", figures->cache_entries);
    json_number(json, "bytes", figures->cache_bytes);
    json_number(json, "bytes_max", figures->cache_bytes_max);
    write_row(json, "prefetch", total, offsetof(struct counters, prefetch));
    json_close(json, '{');
}

static void write_why(struct json *json, const char *key, const char *why)
{
    if (why && *why)
        json_text(json, key, why);
    else
        json_null(json, key);
}

/* Of the gauge shared_cache_state: that of the worker that is best off. */
enum { SHARED_IN_USE = 4 };
static const char *shared_state_name(uint64_t state)
{
    static const char *const names[] = {"off", "not connected", "refused", "left alone", [SHARED_IN_USE] = "in use"};
    return state < sizeof names / sizeof *names ? names[state] : "unknown";
}

/* The cache that a fleet shares; null where there is none. */
static void write_shared_cache(struct json *json, const struct status *status)
{
    const struct counters *total = status->total;
    if (status->figures->shared_cache[0] == '\0') {
        json_null(json, "shared_cache");
        return;
    }
    json_open(json, "shared_cache", '{');
    json_text(json, "store", status->figures->shared_cache);
    json_text(json, "state", shared_state_name(value_shared_state(total)));
    write_why(json, "error", value_shared_state(total) == SHARED_IN_USE ? NULL : shared_error(total));
    json_count(json, "connections", value_shared_connections(total));
    json_count(json, "asked", value_shared_asked(total));
    write_row(json, "results", total, offsetof(struct counters, shared_results));
    json_count(json, "late", value_shared_late(total));
    write_row(json, "rejected", total, offsetof(struct counters, shared_rejected));
    write_row(json, "skipped", total, offsetof(struct counters, shared_skipped));
    json_count(json, "written", value_shared_written(total));
    write_row(json, "dropped", total, offsetof(struct counters, shared_dropped));
    write_row(json, "refreshes", total, offsetof(struct counters, shared_refreshes));
    write_row(json, "failures", total, offsetof(struct counters, shared_failures));
    write_histogram(json, "latency", &total->shared_duration[0][0]);
    json_close(json, '{');
}

static void write_certificate(struct json *json, const struct status *status, unsigned i)
{
    uint64_t expiry_s = value_upstream_expiry(status->total, i);
    uint64_t validated_s = value_upstream_validated(status->total, i);
    if (expiry_s)
        json_number(json, "certificate_days_left",
                    (double)((int64_t)expiry_s - status->wall_s) / (double)SECONDS_A_DAY);
    else
        json_null(json, "certificate_days_left");
    if (validated_s)
        json_number(json, "validated_seconds_ago", (double)(status->wall_s - (int64_t)validated_s));
    else
        json_null(json, "validated_seconds_ago");
}

/* The counts of a row that are not 0, by label. */
static void write_reasons(struct json *json, const char *key, const _Atomic uint64_t *row, const char *const *labels,
                          unsigned count)
{
    json_open(json, key, '{');
    for (unsigned i = 0; i < count; i++)
        if (counter_read(&row[i]) > 0) json_count(json, labels[i], counter_read(&row[i]));
    json_close(json, '{');
}

static void write_failures(struct json *json, const struct counters *total, unsigned i)
{
#define L(id, text) text,
    static const char *const failures[] = {LABELS_FAILURE(L)};
    static const char *const retries[] = {LABELS_RETRY(L)};
#undef L
    json_count(json, "failures", row_sum(total->upstream_failures[i], LABEL_FAILURE_COUNT));
    write_reasons(json, "failure_reasons", total->upstream_failures[i], failures, LABEL_FAILURE_COUNT);
    json_count(json, "retries", row_sum(total->upstream_retries[i], LABEL_RETRY_COUNT));
    write_reasons(json, "retry_reasons", total->upstream_retries[i], retries, LABEL_RETRY_COUNT);
}

/* Of the gauge upstream_state. */
static const char *state_name(uint64_t state)
{
    static const char *const names[] = {"standby", "down", "certificate refused", "silent", "up"};
    return state < sizeof names / sizeof *names ? names[state] : "unknown";
}

static void write_sessions(struct json *json, const struct counters *total, unsigned i)
{
    json_open(json, "session_list", '[');
    for (unsigned n = 0; n < SESSIONS_SHOWN_MAX; n++) {
        const struct session_row *row = &total->sessions[n];
        if (counter_read(&row->number) == 0 || counter_read(&row->upstream) != i) continue;
        json_open(json, NULL, '{');
        json_count(json, "worker", counter_read(&row->worker));
        json_count(json, "session", counter_read(&row->number));
        json_bool(json, "open", counter_read(&row->is_open));
        json_count(json, "in_flight", counter_read(&row->in_flight));
        json_count(json, "sent", counter_read(&row->sent));
        json_count(json, "answers", counter_read(&row->answers));
        json_count(json, "window", counter_read(&row->window));
        json_number(json, "age_seconds", (double)counter_read(&row->age_ms) / 1000);
        json_close(json, '{');
    }
    json_close(json, '[');
}

static void write_ago(struct json *json, const char *key, double then_s, int64_t wall_s)
{
    if (then_s > 0)
        json_number(json, key, (double)wall_s > then_s ? (double)wall_s - then_s : 0);
    else
        json_null(json, key);
}

static void write_upstream(struct json *json, const struct status *status, unsigned i)
{
    const struct counters *total = status->total;
    json_open(json, NULL, '{');
    json_text(json, "name", status->figures->upstreams[i]);
    json_bool(json, "up", value_upstream_up(total, i));
    json_text(json, "state", state_name(value_upstream_state(total, i)));
    write_ago(json, "answered_seconds_ago", status->figures->upstream_answered_s[i], status->wall_s);
    write_ago(json, "state_seconds", status->figures->upstream_changed_s[i], status->wall_s);
    json_count(json, "sessions", value_upstream_sessions(total, i));
    json_count(json, "in_flight", value_upstream_in_flight(total, i));
    json_count(json, "queries", value_upstream_queries(total, i));
    json_count(json, "responses", row_sum(total->upstream_responses[i], LABEL_RCODE_COUNT));
    write_failures(json, total, i);
    json_count(json, "handshakes_full", value_upstream_handshakes(total, i, LABEL_RESUMED_NO));
    json_count(json, "handshakes_resumed", value_upstream_handshakes(total, i, LABEL_RESUMED_YES));
    write_histogram(json, "latency", total->upstream_duration[i]);
    write_sessions(json, total, i);
    if (upstream_error(total, i) && !value_upstream_up(total, i))
        json_text(json, "error", upstream_error(total, i));
    else
        json_null(json, "error");
    write_certificate(json, status, i);
    json_close(json, '{');
}

/* Connections where `of_ports`, else addresses: only of these it is known what is refused. */
static void write_clients(struct json *json, const char *key, const struct figures_client *clients, unsigned count,
                          bool of_ports)
{
    json_open(json, key, '[');
    for (unsigned i = 0; i < count; i++) {
        json_open(json, NULL, '{');
        json_text(json, "client", clients[i].address);
        json_count(json, "port", clients[i].port);
        json_number(json, "per_second", clients[i].queries_per_s);
        if (!of_ports) json_number(json, "refused_per_second", clients[i].refused_per_s);
        json_close(json, '{');
    }
    json_close(json, '[');
}

static void write_names(struct json *json, const struct figures *figures)
{
    json_open(json, "names", '[');
    for (unsigned i = 0; i < figures->name_count; i++) {
        json_open(json, NULL, '{');
        json_text(json, "name", figures->names[i].name);
        json_text(json, "type", figures->names[i].type);
        json_count(json, "asks", figures->names[i].asks);
        json_close(json, '{');
    }
    json_close(json, '[');
    write_clients(json, "busiest_ports", figures->busiest_ports, figures->busiest_port_count, true);
    write_clients(json, "busiest_addresses", figures->busiest_addresses, figures->busiest_address_count, false);
    write_clients(json, "limited_addresses", figures->limited_addresses, figures->limited_count, false);
}

/* Values of settings, which may name clients and zones. */
static void write_reload(struct json *json, const struct figures *figures)
{
    json_text(json, "reload_changes", figures->reload_changes);
    json_text(json, "reload_refusal", figures->reload_refusal);
}

/* What the process before this one handed over. */
static void write_handover(struct json *json, const struct figures *figures)
{
    json_open(json, "handover", '{');
    json_number(json, "given", figures->handover_given);
    json_number(json, "taken", figures->handover_taken);
    json_number(json, "closed", figures->handover_closed);
    json_number(json, "pause_ms", figures->handover_pause_s * 1000);
    json_close(json, '{');
}

static void write_sandbox(struct json *json, const struct figures *figures)
{
    const struct figures_sandbox *sandbox = &figures->sandbox;
    json_open(json, "sandbox", '{');
    json_text(json, "mode", sandbox->mode ? sandbox->mode : "off");
    json_number(json, "landlock_abi", figures->sandbox_landlock_abi);
    write_why(json, "landlock_why_not", sandbox->landlock_why);
    json_bool(json, "seccomp", figures->sandbox_seccomp > 0);
    write_why(json, "seccomp_why_not", sandbox->seccomp_why);
    json_bool(json, "no_new_privs", figures->sandbox_no_new_privileges > 0);
    json_number(json, "logged_calls", figures->sandbox_logged_calls);
    json_close(json, '{');
}

/* What is kept over a restart; null where nothing is. */
static void write_state(struct json *json, const struct status *status)
{
    const struct figures *figures = status->figures;
    const struct counters *total = status->total;
    if (!(figures->state_snapshot_s > 0)) {
        json_null(json, "state");
        return;
    }
    double ago_s = (double)status->wall_s - figures->state_snapshot_s; /* of the whole second that has begun */
    json_open(json, "state", '{');
    json_number(json, "snapshot_seconds_ago", ago_s > 0 ? ago_s : 0);
    json_number(json, "snapshot_bytes", figures->state_snapshot_bytes);
    json_count(json, "saves", value_state_saves(total, LABEL_STATE_SAVE_GOOD));
    json_count(json, "saves_failed", value_state_saves(total, LABEL_STATE_SAVE_FAILED));
    json_count(json, "loaded", value_state_loaded(total));
    write_row(json, "rejected", total, offsetof(struct counters, state_rejected));
    json_close(json, '{');
}

static void write_program(struct json *json, const struct status *status)
{
    const struct figures *figures = status->figures;
    json_text(json, "version", figures->build.version);
    json_count(json, "now_ms", status->now_ns / NS_PER_MS);
    json_number(json, "uptime_seconds", (double)status->wall_s - figures->started_s);
    json_bool(json, "reload_good", figures->reload_good > 0);
    json_number(json, "reloaded_seconds_ago", (double)status->wall_s - figures->reloaded_s);
    json_bool(json, "live", status->live);
    json_bool(json, "ready", status->readiness.state == READINESS_READY);
    json_text(json, "reason", readiness_reason(status->readiness.state));
    json_count(json, "ready_changed_ms", status->readiness.since_ns / NS_PER_MS); /* ready or not since then */
    json_number(json, "workers", figures->workers);
    json_number(json, "workers_active", figures->workers_active);
    json_number(json, "cpu_seconds", figures->process_cpu_s);
    json_number(json, "resident_bytes", figures->process_resident_bytes);
    json_number(json, "open_fds", figures->process_open_fds);
    json_number(json, "max_fds", figures->process_max_fds);
    write_handover(json, figures);
    write_sandbox(json, figures);
}

void status_write(const struct status *status, FILE *out)
{
    struct json json = {out, false};
    json_open(&json, NULL, '{');
    write_program(&json, status);
    write_traffic(&json, status->total, status->figures);
    write_cache(&json, status->total, status->figures);
    write_shared_cache(&json, status);
    write_state(&json, status);
    write_latency(&json, status->total);
    json_open(&json, "upstreams", '[');
    for (unsigned i = 0; i < status->figures->upstream_count; i++)
        if (status->figures->upstreams[i][0]) write_upstream(&json, status, i);
    json_close(&json, '[');
    json_bool(&json, "names_shown", status->show_names);
    json_bool(&json, "may_purge", status->may_purge);
    if (status->show_names) write_names(&json, status->figures);
    if (status->show_names) write_reload(&json, status->figures);
    json_close(&json, '{');
    putc('\n', out);
}
