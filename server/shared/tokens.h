/* tokens: a token bucket in integers. A token has 10^9 parts, so one nanosecond adds exactly `per_s` parts: nothing is
 * rounded, however often the bucket is refilled. A time that is earlier than the last one adds nothing. No lock: the
 * owner holds its own. */
#ifndef SHARED_TOKENS_H
#define SHARED_TOKENS_H

#include <stdint.h>

#define TOKENS_PARTS UINT64_C(1000000000)

struct tokens {
    uint64_t parts; /* at most 2^32 tokens of 10^9 parts, and what was given back since the last refill: fits */
    uint64_t at_ns; /* time of the last refill */
};

static inline struct tokens tokens_full(uint32_t burst, uint64_t now_ns)
{
    return (struct tokens){burst * TOKENS_PARTS, now_ns};
}

/* Adds the tokens of the time since the last refill, up to `burst`. */
static inline void tokens_refill(struct tokens *tokens, uint32_t per_s, uint32_t burst, uint64_t now_ns)
{
    uint64_t full = burst * TOKENS_PARTS;
    uint64_t elapsed_ns = now_ns > tokens->at_ns ? now_ns - tokens->at_ns : 0;
    uint64_t gain;
    tokens->at_ns += elapsed_ns;
    if (tokens->parts >= full || __builtin_mul_overflow(elapsed_ns, (uint64_t)per_s, &gain) ||
        gain >= full - tokens->parts)
        tokens->parts = full;
    else
        tokens->parts += gain;
}

/* Takes up to `wanted` whole tokens; returns the number taken. */
static inline uint32_t tokens_take(struct tokens *tokens, uint32_t wanted)
{
    uint64_t whole = tokens->parts / TOKENS_PARTS;
    uint32_t taken = whole < wanted ? (uint32_t)whole : wanted;
    tokens->parts -= taken * TOKENS_PARTS;
    return taken;
}

/* Puts whole tokens back that were taken. Above the burst they are cut by the next refill. */
static inline void tokens_give_back(struct tokens *tokens, uint32_t count)
{
    tokens->parts += count * TOKENS_PARTS;
}

#endif
