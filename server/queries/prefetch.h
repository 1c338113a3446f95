/* prefetch: a worker's part of keeping the top names resolved: it refreshes answers that expire soon, before a client
 * has to wait.
 *
 * A refresh of a name that clients asked since its last answer replaces their next question and costs the upstream
 * nothing more. A refresh of a name that no client asked since is speculative, and only these are limited to `percent`
 * of the clients' questions upstream, but at least PREFETCH_FLOOR_PER_S for all workers together, so that a quiet
 * resolver keeps its names, too. One thread. */
#ifndef QUERIES_PREFETCH_H
#define QUERIES_PREFETCH_H

#include <stdint.h>

#include "queries/forwarder.h"

enum { PREFETCH_FLOOR_PER_S = 10 };

struct prefetch {
    struct forwarder *forwarder;
    unsigned worker;    /* its number, below `workers`; each refreshes its share of the names */
    unsigned workers;   /* that share the names; 0: this one has no share */
    uint64_t next_ns;   /* when to look again */
    uint64_t earned_ns; /* until when credit was earned */
    uint64_t questions; /* those of forwarder->questions that have earned credit */
    uint64_t credit;    /* speculative refreshes that may be made, in hundredths */
};

void prefetch_init(struct prefetch *prefetch, struct forwarder *forwarder, unsigned worker, unsigned workers);

/* From now on so many workers share the names; 0: this one has no share, until it is told otherwise. Where workers see
 * a new number at different times, a name may be looked after by two of them, which does no harm, or by none for that
 * time. */
void prefetch_set_workers(struct prefetch *prefetch, unsigned workers);

void prefetch_tick(struct prefetch *prefetch, uint64_t now_ns);
uint64_t prefetch_deadline_ns(const struct prefetch *prefetch);

#endif
