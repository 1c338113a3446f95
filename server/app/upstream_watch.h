/* upstream_watch: says in the log when an upstream begins to have a problem, and when the problem is over: one line
 * each, for all workers together.
 *
 * Once a second the main thread tells it of each upstream what the workers know. A problem is over once the upstream
 * answers and has not failed for a while; that while doubles with each problem that follows closely on another, so an
 * upstream that comes and goes fills no log. In between, a line is added only where the problem becomes one of another
 * kind, once for each kind.
 *
 * Main thread only; time is passed in. Bound: UPSTREAM_SERIES upstreams; those that share a series
 * (UPSTREAM_SERIES_REST) have no state in common and are not watched. */
#ifndef APP_UPSTREAM_WATCH_H
#define APP_UPSTREAM_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/log.h"
#include "metrics/counters.h"
#include "metrics/figures.h"
#include "upstream/upstream.h"

enum upstream_problem {
    PROBLEM_NONE,
    PROBLEM_FAILING,     /* it answers, and sessions fail all the same */
    PROBLEM_SILENT,      /* it connects and does not answer */
    PROBLEM_UNREACHABLE, /* connecting fails */
    PROBLEM_CERTIFICATE, /* its certificate is refused */
    PROBLEMS
};

/* What the workers know of one upstream now. */
struct upstream_report {
    const char *label; /* ADDR#NAME */
    enum upstream_state state;
    const char *why;                        /* of the last failure; NULL: none is known */
    uint64_t failures[LABEL_FAILURE_COUNT]; /* so far, by reason */
};

struct watched_upstream {
    char label[UPSTREAM_LABEL_BYTES];        /* whose state the rest is; "": nobody's yet */
    uint64_t failures[LABEL_FAILURE_COUNT];  /* when looked at last, */
    uint64_t at_window[LABEL_FAILURE_COUNT]; /* and when the window began; of a problem: the window it began in */
    uint64_t window_ns;                      /* when that was; stands still while there is a problem */
    unsigned failing_seconds;                /* of the window: looks that saw new failures */
    unsigned said;                           /* kinds of the problem that are in the log, as bits; 0: there is none */
    uint64_t began_ns;                       /* the problem */
    uint64_t last_bad_ns;                    /* when it was seen last */
    uint64_t ended_ns;                       /* the former problem; 0: there was none */
    uint64_t calm_ns;                        /* so long without a failure, and the problem is over */
    bool was_up;                             /* the log says that it is up */
};

struct upstream_watch {
    struct watched_upstream upstreams[UPSTREAM_SERIES];
};

/* Compares what is known now with what was known at the last call, and logs what has changed. A `report` with another
 * label than before is of another upstream: a reload changed them. */
void upstream_watch_look(struct upstream_watch *watch, unsigned series, const struct upstream_report *report,
                         const struct log *log, uint64_t now_ns);

/* Reads of all workers what they know of the upstream of a series. `blocks`: one a worker. */
void upstream_watch_read(struct counters *const *blocks, unsigned count, unsigned series,
                         struct upstream_report *ret_report);

#endif
