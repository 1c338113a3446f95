#include "metrics/histogram.h"

const uint64_t histogram_edges_ns[HISTOGRAM_EDGES] = HISTOGRAM_EDGES_NS;
_Static_assert(sizeof((uint64_t[])HISTOGRAM_EDGES_NS) == sizeof histogram_edges_ns, "HISTOGRAM_EDGES counts the edges");

/* The first bucket that a duration of so many bits can be in: instead of a walk through all buckets below, which is 40
 * instructions and a wrong guess of the processor for an answer that took milliseconds. */
static unsigned first_bucket(uint64_t duration_ns)
{
    enum { LEAST_BITS = 13 }; /* of the first edge */
    static const uint8_t firsts[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 18, 19, 20};
    unsigned bits = 64 - (unsigned)__builtin_clzll(duration_ns | 1);
    unsigned index = bits > LEAST_BITS ? bits - LEAST_BITS : 0;
    return index < sizeof firsts ? firsts[index] : HISTOGRAM_EDGES;
}

void histogram_observe(struct histogram *histogram, uint64_t duration_ns, uint64_t count)
{
    unsigned bucket = first_bucket(duration_ns);
    while (bucket < HISTOGRAM_EDGES && duration_ns > histogram_edges_ns[bucket]) bucket++;
    counter_add(&histogram->buckets[bucket], count);
    counter_add(&histogram->sum_ns, duration_ns * count);
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;
    for (unsigned i = 0; i <= HISTOGRAM_EDGES; i++) count += counter_read(&histogram->buckets[i]);
    return count;
}

bool histogram_percentile_ns(const struct histogram *histogram, unsigned percent, uint64_t *ret_ns)
{
    uint64_t count = histogram_count(histogram);
    if (count == 0) return false;
    double rank = (double)count * percent / 100;
    double below = 0;
    uint64_t edge = 0;
    for (unsigned i = 0; i < HISTOGRAM_EDGES; i++) {
        double here = (double)counter_read(&histogram->buckets[i]);
        uint64_t next = histogram_edges_ns[i];
        if (here > 0 && below + here >= rank) {
            *ret_ns = edge + (uint64_t)((double)(next - edge) * (rank - below) / here);
            return true;
        }
        below += here;
        edge = next;
    }
    *ret_ns = edge;
    return true;
}

void histogram_add(struct histogram *total, const struct histogram *more)
{
    for (unsigned i = 0; i <= HISTOGRAM_EDGES; i++) counter_add(&total->buckets[i], counter_read(&more->buckets[i]));
    counter_add(&total->sum_ns, counter_read(&more->sum_ns));
}
