/* load: reads a snapshot into the shared tables beside the workers.
 *
 * Nothing in the file is believed. A file of other upstreams or routes, or of the future, is not used at all. Of the
 * others each answer passes the same code as a response of an upstream (dns/answer.h), for the question it is stored
 * under; that question must take the route now that it took then; and its age is what the wall clock says, never less
 * than at the time of the snapshot. What is in the tables already is newer and stays, and nothing is evicted. One
 * thread. */
#ifndef STATE_LOAD_H
#define STATE_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "metrics/counters.h"
#include "queries/forwarder.h"
#include "state/pace.h"
#include "state/purged.h"
#include "state/save.h"

struct load_target {
    const struct shared_tables *shared;
    struct names *names; /* NULL: all names take the default route */
    const struct forwarder_options *options;
    uint64_t stale_ns;     /* of the cache's options */
    uint64_t half_life_ns; /* of the top names' */
    uint64_t origin;       /* as now configured, see snapshot.h */
    struct purged *purged;
    struct counters *counters; /* the thread's */
};

enum load_verdict {
    LOAD_DONE,    /* what was sound and of use is in the tables */
    LOAD_IGNORED, /* nothing was used; `ret_why` says why */
    LOAD_STOPPED,
};

struct load_result {
    uint64_t saved_ns; /* when the snapshot was begun, seconds since 1970 in ns */
    uint64_t answers;
    uint64_t names;
    uint64_t rejected; /* records that were not used, damaged ones included */
    uint64_t damaged;
    bool is_complete; /* the snapshot ends as it should */
};

enum { LOAD_WHY_BYTES = 128 };
enum load_verdict load_read(const struct load_target *target, struct pace *pace, FILE *in,
                            struct load_result *ret_result, char ret_why[static LOAD_WHY_BYTES]);

/* Reads the key of cookies alone, which is the first record. False if the snapshot has none. */
bool load_cookie_key(FILE *in, uint8_t ret_key[static STATE_COOKIE_KEY_BYTES]);

#endif
