/* catalogue: every metric the program shows, as data: made of the tables in counters.h and figures.h, read by the
 * exposition and by what writes docs/METRICS.md. Constant; any thread. */
#ifndef METRICS_CATALOGUE_H
#define METRICS_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "metrics/figures.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* Where a metric's values are. */
enum metric_place {
    METRIC_IN_COUNTERS, /* at `offset` of struct counters: numbers, or histograms, one a label (or pair of labels) */
    METRIC_IN_FIGURES,  /* at `offset` of struct figures: one number */
    METRIC_SIZES,       /* at `offset` of struct counters: a struct size_histogram */
    METRIC_BUILD,       /* figures.build */
    METRIC_SETTINGS,    /* figures.settings */
    METRIC_BUSIEST_PORTS,
    METRIC_BUSIEST_ADDRESSES,
    METRIC_LIMITED_ADDRESSES,
    METRIC_UPSTREAM_TIME /* at `offset` of struct figures: one number for each upstream; 0 is left out */
};

struct metric_label {
    const char *name;          /* "" = no such label */
    const char *const *values; /* NULL: known only when the program runs (upstreams, clients, versions) */
    unsigned count;            /* of values at the most */
};

enum { METRIC_LABELS_MAX = 4 };

struct metric {
    const char *name; /* full */
    const char *help;
    enum metric_type type;
    enum metric_place place;
    bool absent_at_0; /* a time not known yet */
    size_t offset;
    struct metric_label labels[METRIC_LABELS_MAX]; /* those in use first */
};

/* All of them in the order they are shown; `ret_count` of them. */
const struct metric *catalogue(size_t *ret_count);

/* Series the metric has at the most, a histogram's buckets, sum and count included. */
unsigned metric_series_max(const struct metric *metric);

#endif
