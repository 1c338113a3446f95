/* clock: what time it is.
 *
 * All time inside the program is nanoseconds of CLOCK_BOOTTIME (it never jumps, and it goes on while the machine is
 * suspended, so a TTL or an idle limit that ran out during the suspend is seen as run out). An event loop reads it once
 * a turn and passes it down; functions take `now_ns` instead of asking. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* A deadline that never comes. */
#define CLOCK_NEVER UINT64_MAX

/* Of two deadlines the one that comes first. */
static inline uint64_t clock_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Nanoseconds since boot, suspend included. Any thread. */
uint64_t clock_now_ns(void);

/* Seconds since 1970-01-01 UTC; for certificates and people only. Any thread. */
int64_t clock_wall_s(void);

/* Microseconds of CLOCK_MONOTONIC, which systemd wants to hear. Any thread. */
uint64_t clock_monotonic_us(void);

#endif
