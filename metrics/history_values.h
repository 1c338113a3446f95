/* history_values: the figures that the history keeps: read at two moments, they become the values of the time between.
 * Pure. */
#ifndef METRICS_HISTORY_VALUES_H
#define METRICS_HISTORY_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "metrics/counters.h"
#include "metrics/figures.h"

/* X(NAME, name in JSON, RATE (counted; shown a second) or LEVEL (as it is), what is read of `total` and `figures`) */
#define HISTORY_FIGURES(X)                                                                                             \
    X(QUERIES, "queries", RATE, sum(total->queries[0], LABEL_QTYPE_COUNT *LABEL_TRANSPORT_COUNT))                      \
    X(UPSTREAM_QUERIES, "upstream_queries", RATE, sum(total->upstream_queries[0], UPSTREAMS_MAX))                      \
    X(HITS, "hits", RATE, value_cache_hits(total))                                                                     \
    X(MISSES, "misses", RATE, value_cache_misses(total))                                                               \
    X(STALE, "stale", RATE, value_cache_stale(total))                                                                  \
    X(NXDOMAIN, "nxdomain", RATE, sum(total->responses[LABEL_RCODE_NXDOMAIN], LABEL_TRANSPORT_COUNT))                  \
    X(SERVFAIL, "servfail", RATE, sum(total->responses[LABEL_RCODE_SERVFAIL], LABEL_TRANSPORT_COUNT))                  \
    X(REFUSED, "refused", RATE, sum(total->responses[LABEL_RCODE_REFUSED], LABEL_TRANSPORT_COUNT))                     \
    X(LIMITED, "rate_limited", RATE, value_rate_limited(total))                                                        \
    X(DENIED, "access_denied", RATE, value_access_denied(total))                                                       \
    X(DROPPED, "dropped", RATE, sum(total->dropped[0], LABEL_DROPPED_COUNT))                                           \
    X(INVALID, "invalid", RATE, sum(total->invalid[0], LABEL_INVALID_COUNT))                                           \
    X(OVERLOADED, "overloaded", RATE, value_overloaded(total))                                                         \
    X(FAILURES, "failures", RATE, sum(total->upstream_failures[0], UPSTREAMS_MAX *LABEL_FAILURE_COUNT))                \
    X(RETRIES, "retries", RATE, sum(total->upstream_retries[0], UPSTREAMS_MAX *LABEL_RETRY_COUNT))                     \
    X(ACCEPTED, "accepted", RATE, value_client_accepted(total))                                                        \
    X(REJECTED, "rejected", RATE, sum(total->client_rejected[0], LABEL_REJECTED_COUNT))                                \
    X(CONNECTIONS, "connections", LEVEL, value_client_connections(total))                                              \
    X(IN_FLIGHT, "in_flight", LEVEL, value_in_flight(total))                                                           \
    X(CPU, "cpu_percent", RATE, 100 * figures->process_cpu_s)                                                          \
    X(MEMORY, "resident_bytes", LEVEL, figures->process_resident_bytes)

enum {
#define X(id, name, kind, read) HISTORY_FIGURE_##id,
    HISTORY_FIGURES(X)
#undef X
        HISTORY_FIGURE_COUNT
};

/* Percentile 90 of: cached answers in microseconds, answers from upstream in milliseconds, and of each upstream. */
enum { HISTORY_LATENCY_CACHE, HISTORY_LATENCY_UPSTREAM, HISTORY_LATENCIES };

/* The columns of the history: figures, latencies, and queries and percentile of each upstream. */
enum {
    HISTORY_COLUMN_LATENCY = HISTORY_FIGURE_COUNT,
    HISTORY_COLUMN_UPSTREAM = HISTORY_COLUMN_LATENCY + HISTORY_LATENCIES,
    HISTORY_COLUMNS = HISTORY_COLUMN_UPSTREAM + 2 * UPSTREAMS_MAX
};

/* What was read at a moment. */
struct history_moment {
    uint64_t now_ns;
    double figures[HISTORY_FIGURE_COUNT];
    double upstream_queries[UPSTREAMS_MAX];
    uint64_t latencies[HISTORY_LATENCIES + UPSTREAMS_MAX][HISTOGRAM_EDGES + 1]; /* buckets */
};

void history_moment_read(const struct counters *total, const struct figures *figures, uint64_t now_ns,
                         struct history_moment *ret_moment);

/* The name of a column's values in JSON; NULL for those of upstreams. */
const char *history_column_name(unsigned column);

/* The value of a column in the time between two moments. False: there is none, as nothing was answered. */
bool history_value(const struct history_moment *before, const struct history_moment *now, unsigned column,
                   double *ret_value);

#endif
