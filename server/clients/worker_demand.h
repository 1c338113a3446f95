/* worker_demand: how many workers the load needs, and what a worker gives away to another one. Pure: time and loads are
 * passed in.
 *
 * A light load costs half as much processor time on one worker as on two, so few workers are active at a light load;
 * the others keep their threads and wait. The load of a worker is looked at in windows of at least DEMAND_WINDOW_NS, in
 * thousandths: the part of the time in which it did not wait for events, or the part of one of its bounds that is used
 * (questions in flight, memory of its clients), if that is more. One worker is added if the active ones are loaded by
 * DEMAND_ADD on average in DEMAND_ADD_WINDOWS windows in a row: one window may be full of a single TLS handshake, and
 * the load of the worker added last shows only in the next. One is removed if for DEMAND_LOW_NS all of them
 * together had less load than DEMAND_REMOVE for each of those that would be left. Longer windows follow a jump of the
 * load too slowly; removing earlier makes the number oscillate (docs/decisions/0025-active-workers.md). */
#ifndef CLIENTS_WORKER_DEMAND_H
#define CLIENTS_WORKER_DEMAND_H

#include <stdint.h>

#include "common/clock.h"

#define DEMAND_WINDOW_NS (10 * NS_PER_MS)
#define DEMAND_LOW_NS    NS_PER_S

enum {
    DEMAND_WHOLE = 1000, /* a load: thousandths */
    DEMAND_ADD = 600,    /* the mean load from which another worker becomes active, */
    DEMAND_ADD_WINDOWS = 2,
    DEMAND_REMOVE = 500, /* the mean load that those left would have, below which one becomes inactive */
    DEMAND_APART = 200,  /* clients move if the loads of two workers differ by so much, and one has DEMAND_ADD */
};

/* The state; zero at the start. */
struct worker_demand {
    unsigned busy_windows; /* in a row, since a worker was added */
    uint64_t low_since_ns; /* since when the load has been low; 0: it is not */
};

/* The bounds of the number, 1 <= least <= most <= WORKERS_MAX. */
struct worker_bounds {
    unsigned least;
    unsigned most;
};

/* What was seen in the window from `from_ns` to `now_ns`: loads[i] of worker i; workers 0 to active-1 are active. */
struct worker_window {
    const uint16_t *loads;
    unsigned active;
    uint64_t from_ns;
    uint64_t now_ns;
};

/* How many are active from now on: `active`, one more, one less, or what the bounds demand. */
unsigned worker_demand_judge(struct worker_demand *demand, const struct worker_window *window,
                             const struct worker_bounds *bounds);

/* Which part of its clients' queries, in thousandths, worker `index` gives away now, and to which worker. Active ones
 * give where they are busy and the least loaded one is not: as much as brings both to the mean, all givers together.
 * Inactive ones give all. 0: none, `ret_to` is not set. */
unsigned worker_demand_part(const struct worker_window *window, unsigned index, unsigned *ret_to);

#endif
