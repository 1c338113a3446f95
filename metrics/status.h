/* status: what the status page shows, as JSON (/status.json). Counters are given as they are, with a clock, so that
 * the page makes rates and recent percentiles of two of them; percentiles given here are since the start. Pure; any
 * thread. */
#ifndef METRICS_STATUS_H
#define METRICS_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "metrics/counters.h"
#include "metrics/figures.h"
#include "metrics/health.h"

struct status {
    const struct counters *total; /* all blocks merged */
    const struct figures *figures;
    struct readiness readiness;
    bool live;
    bool show_names; /* names and clients may be shown to this client */
    bool may_purge;  /* this client may purge the cache */
    uint64_t now_ns;
    int64_t wall_s;
};

void status_write(const struct status *status, FILE *out);

#endif
