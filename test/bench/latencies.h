/* latencies: durations counted by size, each class a 128th of its power of two wide (so read back within 0.8 %). */
#ifndef BENCH_LATENCIES_H
#define BENCH_LATENCIES_H

#include <stddef.h>
#include <stdint.h>

enum { LATENCY_BITS = 7, LATENCY_STEPS = 1 << LATENCY_BITS, LATENCY_CLASSES = 40 * LATENCY_STEPS };

struct latencies {
    uint64_t count;
    uint64_t classes[LATENCY_CLASSES];
};

/* Up to 2^46 ns, twenty hours, which no run lasts. */
static inline void latencies_add(struct latencies *latencies, uint64_t ns)
{
    unsigned shift = ns < LATENCY_STEPS ? 0 : 63u - LATENCY_BITS - (unsigned)__builtin_clzll(ns);
    size_t class = (size_t)shift * LATENCY_STEPS + (size_t)(ns >> shift);
    latencies->classes[class < LATENCY_CLASSES ? class : LATENCY_CLASSES - 1]++;
    latencies->count++;
}

/* The duration in us that `share` of all do not exceed; 0 where there is none. */
static inline double latencies_us(const struct latencies *latencies, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)latencies->count);
    uint64_t seen = 0;
    for (size_t class = 0; class < LATENCY_CLASSES; class ++) {
        seen += latencies->classes[class];
        if (seen <= wanted) continue;
        size_t shift = class < LATENCY_STEPS ? 0 : class / LATENCY_STEPS - 1;
        return (double)((uint64_t)(class - shift * LATENCY_STEPS) << shift) / 1000;
    }
    return 0;
}

#endif
