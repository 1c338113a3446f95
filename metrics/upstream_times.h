/* upstream_times: when each upstream last answered, and when it came into the state it is in, as times of the wall
 * clock.
 *
 * The state of an upstream is that of its workers together (GAUGE_MAX), so no worker knows when it changed: the change
 * is seen when somebody looks. The recorder of the history looks once a second. A reload may give a series to another
 * upstream; that counts as a change. Any thread; one mutex, a leaf. */
#ifndef METRICS_UPSTREAM_TIMES_H
#define METRICS_UPSTREAM_TIMES_H

#include <pthread.h>
#include <stdint.h>

#include "metrics/figures.h"

struct upstream_times {
    pthread_mutex_t lock; /* of what follows */
    struct upstream_seen {
        uint64_t label; /* a hash of it; 0: no upstream was seen */
        uint64_t state;
        uint64_t since_ns;
    } seen[UPSTREAM_SERIES];
};

void upstream_times_init(struct upstream_times *times);
void upstream_times_done(struct upstream_times *times);

/* Notes changes, and fills upstream_answered_s and upstream_changed_s of the figures, whose labels are there already.
 * `wall_s` is the same moment as `now_ns`. */
void upstream_times_look(struct upstream_times *times, const struct counters *total, struct figures *figures,
                         uint64_t now_ns, int64_t wall_s);

#endif
