/* clock: the time.
 *
 * All times inside the program are nanoseconds of CLOCK_BOOTTIME. It never jumps, and it counts while the machine is
 * suspended, so a TTL that expired during the suspend is seen as expired. An event loop reads the clock once a turn and
 * passes the time down as `now_ns`; other functions do not read it. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/* A deadline that never passes. */
#define CLOCK_NEVER UINT64_MAX

/* The earlier of two deadlines. */
static inline uint64_t clock_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Nanoseconds since boot, suspend included. Any thread. */
uint64_t clock_now_ns(void);

/* Seconds since 1970-01-01 UTC; for certificates and people only. Any thread. */
int64_t clock_wall_s(void);

/* Nanoseconds since 1970-01-01 UTC; to compare with times of the kernel and for people. Any thread. */
uint64_t clock_wall_ns(void);

/* Microseconds of CLOCK_MONOTONIC, for systemd's notifications. Any thread. */
uint64_t clock_monotonic_us(void);

#endif
