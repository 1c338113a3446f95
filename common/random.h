/* random: pseudo-random numbers (SplitMix64) for jitter and choices, never for secrets. One state for each thread. */
#ifndef COMMON_RANDOM_H
#define COMMON_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state; /* any initial value is valid */
};

static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* `value` reduced by a random part of at most `percent` of it. */
static inline uint64_t random_jitter(struct random *random, uint64_t value, unsigned percent)
{
    uint64_t range = value / 100 * percent;
    return range ? value - random_next(random) % range : value;
}

#endif
