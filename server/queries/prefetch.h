/* prefetch: a worker's part of keeping the top names pre-resolved: asks for those whose answers end soon, before a
 * client has to wait.
 *
 * A refresh of a name that clients asked since its last answer takes the place of their question and costs upstream
 * nothing more. One that nobody asked since is made on speculation, and only such refreshes are held to `percent` of
 * the clients' questions upstream, with a floor of PREFETCH_FLOOR_PER_S for all workers together, so that a quiet
 * resolver keeps its names too. One thread. */
#ifndef QUERIES_PREFETCH_H
#define QUERIES_PREFETCH_H

#include <stdint.h>

#include "queries/forwarder.h"

enum { PREFETCH_FLOOR_PER_S = 10 };

struct prefetch {
    struct forwarder *forwarder;
    unsigned worker; /* of `workers`: whose names are its own */
    unsigned workers;
    uint64_t next_ns;   /* when to look again */
    uint64_t earned_ns; /* credit was earned until */
    uint64_t questions; /* of forwarder->questions that have earned credit */
    uint64_t credit;    /* speculative refreshes that may be made, in hundredths */
};

void prefetch_init(struct prefetch *prefetch, struct forwarder *forwarder, unsigned worker, unsigned workers);
void prefetch_tick(struct prefetch *prefetch, uint64_t now_ns);
uint64_t prefetch_deadline_ns(const struct prefetch *prefetch);

#endif
