/* timeouts: timeouts of one length, kept in order of age.
 *
 * All members of one `struct timeouts` have the same duration, so the one that started first expires first, and a list
 * gives in constant time what a heap would. A duration may change while members run (reload); they then expire by the
 * new one. One thread; allocates nothing. */
#ifndef COMMON_TIMEOUTS_H
#define COMMON_TIMEOUTS_H

#include <stdint.h>

#include "common/list.h"

struct timeouts {
    struct list members;  /* of struct timeout, oldest first */
    uint64_t duration_ns; /* 0 = the members never expire */
};

struct timeout {
    struct list node;
    uint64_t started_ns;
};

void timeouts_init(struct timeouts *timeouts, uint64_t duration_ns);

/* A timeout must be initialised once before it is started or stopped. */
void timeout_init(struct timeout *timeout);

/* Starts or restarts a timeout at `now_ns`, which must not be earlier than in any call before. */
void timeouts_start(struct timeouts *timeouts, struct timeout *timeout, uint64_t now_ns);

/* Goes on with a timeout that was stopped, of an object that comes from other `timeouts` of the same length: as if it
 * had been started here at started_ns. Takes the longer the more members started later. */
void timeouts_resume(struct timeouts *timeouts, struct timeout *timeout);

/* Does nothing if the timeout does not run. */
void timeout_stop(struct timeout *timeout);

static inline bool timeout_is_running(const struct timeout *timeout)
{
    return !list_is_empty(&timeout->node);
}

/* Removes and returns one expired timeout, or NULL; call it until it returns NULL. */
struct timeout *timeouts_take_expired(struct timeouts *timeouts, uint64_t now_ns);

/* When the next member expires, or CLOCK_NEVER. */
uint64_t timeouts_deadline_ns(const struct timeouts *timeouts);

#endif
