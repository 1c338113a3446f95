#include "metrics/history_values.h"

#include <stddef.h>

#include "common/clock.h"

enum { PERCENT = 90 };

static uint64_t sum(const _Atomic uint64_t *row, unsigned count)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < count; i++) total += counter_read(&row[i]);
    return total;
}

/* The buckets of `count` histograms, added up. */
static void read_buckets(const struct histogram *histograms, unsigned count,
                         uint64_t ret_buckets[static HISTOGRAM_EDGES + 1])
{
    for (unsigned i = 0; i <= HISTOGRAM_EDGES; i++) {
        ret_buckets[i] = 0;
        for (unsigned j = 0; j < count; j++) ret_buckets[i] += counter_read(&histograms[j].buckets[i]);
    }
}

void history_moment_read(const struct counters *total, const struct figures *figures, uint64_t now_ns,
                         struct history_moment *ret_moment)
{
    ret_moment->now_ns = now_ns;
#define X(id, name, kind, read) ret_moment->figures[HISTORY_FIGURE_##id] = (double)(read);
    HISTORY_FIGURES(X)
#undef X
    read_buckets(total->request_duration[LABEL_SOURCE_CACHE], LABEL_TRANSPORT_COUNT,
                 ret_moment->latencies[HISTORY_LATENCY_CACHE]);
    read_buckets(total->request_duration[LABEL_SOURCE_UPSTREAM], LABEL_TRANSPORT_COUNT,
                 ret_moment->latencies[HISTORY_LATENCY_UPSTREAM]);
    for (unsigned i = 0; i < UPSTREAMS_MAX; i++) {
        ret_moment->upstream_queries[i] = (double)value_upstream_queries(total, i);
        read_buckets(total->upstream_duration[i], 1, ret_moment->latencies[HISTORY_LATENCIES + i]);
    }
}

const char *history_column_name(unsigned column)
{
    static const char *const names[] = {
#define X(id, name, kind, read) name,
        HISTORY_FIGURES(X)
#undef X
            "cache_p90_us",
        "upstream_p90_ms"};
    return column < sizeof names / sizeof *names ? names[column] : NULL;
}

/* Counters of upstreams start at zero after a reload. */
static double rate(double before, double now, uint64_t elapsed_ns)
{
    return now > before ? (now - before) * (double)NS_PER_S / (double)elapsed_ns : 0;
}

static bool figure(const struct history_moment *before, const struct history_moment *now, unsigned column,
                   double *ret_value)
{
    enum { RATE, LEVEL };
    static const int kinds[] = {
#define X(id, name, kind, read) kind,
        HISTORY_FIGURES(X)
#undef X
    };
    double value = now->figures[column];
    *ret_value = kinds[column] == LEVEL ? value : rate(before->figures[column], value, now->now_ns - before->now_ns);
    return true;
}

static bool latency(const struct history_moment *before, const struct history_moment *now, unsigned index,
                    uint64_t unit_ns, double *ret_value)
{
    struct histogram between = {0};
    uint64_t ns;
    for (unsigned i = 0; i <= HISTOGRAM_EDGES; i++) {
        uint64_t counted = now->latencies[index][i] - before->latencies[index][i];
        if (now->latencies[index][i] < before->latencies[index][i]) counted = 0;
        gauge_set(&between.buckets[i], counted);
    }
    if (!histogram_percentile_ns(&between, PERCENT, &ns)) return false;
    *ret_value = (double)ns / (double)unit_ns;
    return true;
}

bool history_value(const struct history_moment *before, const struct history_moment *now, unsigned column,
                   double *ret_value)
{
    if (now->now_ns <= before->now_ns) return false;
    if (column < HISTORY_FIGURE_COUNT) return figure(before, now, column, ret_value);
    if (column < HISTORY_COLUMN_UPSTREAM) {
        unsigned index = column - HISTORY_COLUMN_LATENCY;
        return latency(before, now, index, index == HISTORY_LATENCY_CACHE ? NS_PER_US : NS_PER_MS, ret_value);
    }
    unsigned upstream = (column - HISTORY_COLUMN_UPSTREAM) / 2;
    if ((column - HISTORY_COLUMN_UPSTREAM) % 2 == 1)
        return latency(before, now, HISTORY_LATENCIES + upstream, NS_PER_MS, ret_value);
    *ret_value =
        rate(before->upstream_queries[upstream], now->upstream_queries[upstream], now->now_ns - before->now_ns);
    return true;
}
