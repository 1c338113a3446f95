/* timeouts: time-outs of one length, kept in order of age.
 *
 * All members of one `struct timeouts` wait equally long, so whoever started first ends first: a list with one deadline
 * does what a heap would, in constant time. A length may be changed while members wait (reload): they then end by the
 * new one. One thread; allocates nothing. */
#ifndef COMMON_TIMEOUTS_H
#define COMMON_TIMEOUTS_H

#include <stdint.h>

#include "common/list.h"

struct timeouts {
    struct list members;  /* of struct timeout, oldest first */
    uint64_t duration_ns; /* 0 = these time-outs never end */
};

struct timeout {
    struct list node;
    uint64_t started_ns;
};

void timeouts_init(struct timeouts *timeouts, uint64_t duration_ns);

/* A timeout must be initialised once before it is started or stopped. */
void timeout_init(struct timeout *timeout);

/* Starts, or starts again, from `now_ns`, which must not be earlier than that of any call before. */
void timeouts_start(struct timeouts *timeouts, struct timeout *timeout, uint64_t now_ns);

/* Harmless where it does not run. */
void timeout_stop(struct timeout *timeout);

static inline bool timeout_is_running(const struct timeout *timeout)
{
    return !list_is_empty(&timeout->node);
}

/* Takes one out whose time has come, or NULL; call until NULL. */
struct timeout *timeouts_take_expired(struct timeouts *timeouts, uint64_t now_ns);

/* When the next one ends, or CLOCK_NEVER. */
uint64_t timeouts_deadline_ns(const struct timeouts *timeouts);

#endif
