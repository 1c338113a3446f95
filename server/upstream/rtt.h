/* rtt: how long an upstream usually takes, and so how long to wait before something is wrong: smoothed round-trip time
 * and variance, as TCP does it (RFC 6298), in nanoseconds. One thread; pure except for its own state. */
#ifndef UPSTREAM_RTT_H
#define UPSTREAM_RTT_H

#include <stdint.h>

struct rtt {
    uint64_t smoothed_ns; /* 0 = no sample yet */
    uint64_t variance_ns;
    uint64_t least_ns;  /* of all samples: nothing a question caused comes back sooner */
    unsigned doublings; /* of the time-out, since it ran out without an answer */
};

/* A response came `sample_ns` after its question; a doubled time-out is forgotten. */
void rtt_sample(struct rtt *rtt, uint64_t sample_ns);

/* The time-out ran out and nothing came: wait twice as long the next time. */
void rtt_back_off(struct rtt *rtt);

/* smoothed + 4 x variance, within RTT_TIMEOUT_MIN_NS and RTT_TIMEOUT_MAX_NS; RTT_TIMEOUT_FIRST_NS before the first
 * sample. */
#define RTT_TIMEOUT_FIRST_NS UINT64_C(400000000)
#define RTT_TIMEOUT_MIN_NS                                                                                             \
    UINT64_C(25000000) /* far above the jitter of a busy machine, far below what a person notices */
#define RTT_TIMEOUT_MAX_NS UINT64_C(1500000000) /* a third of the usual total: a second and third ask still fit */
uint64_t rtt_timeout_ns(const struct rtt *rtt);

#endif
