#include "store/breaker.h"

enum { JITTER_PERCENT = 25, DOUBLINGS_MAX = 16 /* beyond the longest pause */ };

void breaker_init(struct breaker *breaker)
{
    *breaker = (struct breaker){.used_ns = CLOCK_NEVER};
}

void breaker_on_answer(struct breaker *breaker)
{
    breaker->time_outs = 0;
}

bool breaker_on_time_out(struct breaker *breaker, uint64_t asked_ns, uint64_t now_ns)
{
    if (breaker->time_outs > 0 && asked_ns < breaker->counted_ns) return false;
    breaker->counted_ns = now_ns;
    return ++breaker->time_outs >= BREAKER_TIME_OUTS_MAX;
}

void breaker_on_use(struct breaker *breaker, uint64_t now_ns)
{
    breaker->time_outs = 0;
    breaker->used_ns = now_ns;
}

void breaker_on_failure(struct breaker *breaker, bool is_slow, struct random *random, uint64_t now_ns)
{
    bool was_good = breaker->used_ns != CLOCK_NEVER && now_ns - breaker->used_ns >= BREAKER_GOOD_NS;
    if (was_good) breaker->failures = 0;
    unsigned doublings = breaker->failures < DOUBLINGS_MAX ? breaker->failures : DOUBLINGS_MAX;
    uint64_t pause_ns = (is_slow ? BREAKER_SLOW_NS : BREAKER_LOST_NS) << doublings;
    if (pause_ns > BREAKER_MAX_NS) pause_ns = BREAKER_MAX_NS;
    breaker->failures++;
    breaker->time_outs = 0;
    breaker->used_ns = CLOCK_NEVER;
    breaker->next_ns = now_ns + random_jitter(random, pause_ns, JITTER_PERCENT);
}
