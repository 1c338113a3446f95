/* breaker: when the store is left alone, and for how long: after three time-outs in a row, and after a connection that
 * failed or ended. Questions that wait at the same moment are one time-out, however many: a store that paused once for
 * a few milliseconds is no slow one.
 *
 * The pause doubles with each failure up to half a minute, with jitter, so that the workers of a fleet do not come back
 * at once; ten seconds of good health forgive. A connection that was in use and ended is tried again soon: restarting a
 * store takes less than a second. One thread; pure except for its own state; time and randomness are passed in. */
#ifndef STORE_BREAKER_H
#define STORE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/random.h"

enum { BREAKER_TIME_OUTS_MAX = 3 };

/* The first pauses and the longest one; each less up to a quarter. */
#define BREAKER_LOST_NS UINT64_C(50000000)
#define BREAKER_SLOW_NS UINT64_C(500000000)
#define BREAKER_MAX_NS  UINT64_C(30000000000)
#define BREAKER_GOOD_NS UINT64_C(10000000000)

struct breaker {
    unsigned time_outs;  /* in a row */
    uint64_t counted_ns; /* when the last one was counted */
    unsigned failures;   /* pauses in a row */
    uint64_t next_ns;    /* the store is left alone until then */
    uint64_t used_ns;    /* since when it is in use; CLOCK_NEVER: it is not */
};

void breaker_init(struct breaker *breaker);

/* The store answered a question in time; or it did not, at `now_ns`, though it was asked at `asked_ns`. True: that was
 * one too many, and breaker_on_failure is due. */
void breaker_on_answer(struct breaker *breaker);
bool breaker_on_time_out(struct breaker *breaker, uint64_t asked_ns, uint64_t now_ns);

/* The store is in use from now on. */
void breaker_on_use(struct breaker *breaker, uint64_t now_ns);

/* It is not any more, or could not be used. `is_slow`: it did not answer in time. */
void breaker_on_failure(struct breaker *breaker, bool is_slow, struct random *random, uint64_t now_ns);

static inline bool breaker_allows(const struct breaker *breaker, uint64_t now_ns)
{
    return now_ns >= breaker->next_ns;
}

#endif
