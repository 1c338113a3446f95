/* histogram: how long things took, in fixed buckets, as Prometheus counts them. One writer a histogram; any thread may
 * read. */
#ifndef METRICS_HISTOGRAM_H
#define METRICS_HISTOGRAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics/counter.h"

/* Upper edges in nanoseconds, from a cached answer (a few microseconds) to the usual total timeout; 0.1 s is an edge
 * because the latency alert uses it. */
#define HISTOGRAM_EDGES_NS                                                                                             \
    {                                                                                                                  \
        5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 25000000, 50000000,    \
            75000000, 100000000, 250000000, 500000000, 1000000000, 2500000000, 5000000000                              \
    }
enum { HISTOGRAM_EDGES = 20 };

struct histogram {
    _Atomic uint64_t buckets[HISTOGRAM_EDGES + 1]; /* not cumulative; the last is +Inf */
    _Atomic uint64_t sum_ns;
};

extern const uint64_t histogram_edges_ns[HISTOGRAM_EDGES];

/* Sizes of messages in buckets of powers of two: at most 64, 128, ... 65536 bytes, so nothing is larger. */
enum { SIZE_EDGES = 11, SIZE_EDGE_FIRST = 64 };

struct size_histogram {
    _Atomic uint64_t buckets[SIZE_EDGES]; /* not cumulative */
    _Atomic uint64_t sum_bytes;
};

/* `bytes` at most 65536. The writer's thread only. */
static inline void size_observe(struct size_histogram *sizes, size_t bytes)
{
    unsigned bucket = bytes <= SIZE_EDGE_FIRST ? 0 : 26 - (unsigned)__builtin_clz((unsigned)bytes - 1);
    counter_add(&sizes->buckets[bucket], 1);
    counter_add(&sizes->sum_bytes, bytes);
}

/* Counts `count` events of the same duration. The writer's thread only. */
void histogram_observe(struct histogram *histogram, uint64_t duration_ns, uint64_t count);

uint64_t histogram_count(const struct histogram *histogram);

/* Adds what `more` counted. The writer's thread of `total` only. */
void histogram_add(struct histogram *total, const struct histogram *more);

/* Below which `percent` (0..100) of the events are, supposing that those of a bucket lie evenly between its edges, as
 * Prometheus does. What is above the last edge counts as the last edge. False if there is no event. */
bool histogram_percentile_ns(const struct histogram *histogram, unsigned percent, uint64_t *ret_ns);

#endif
