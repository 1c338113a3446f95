#include "upstream/backoff.h"

enum { JITTER_PERCENT = 25, DOUBLINGS_MAX = 16 };

void backoff_failed(struct backoff *backoff, uint64_t max_ns, struct random *random, uint64_t now_ns)
{
    unsigned doublings = backoff->failures < DOUBLINGS_MAX ? backoff->failures : DOUBLINGS_MAX;
    uint64_t wait_ns = BACKOFF_FIRST_NS << doublings;
    if (wait_ns > max_ns) wait_ns = max_ns;
    backoff->failures++;
    backoff->next_ns = now_ns + random_jitter(random, wait_ns, JITTER_PERCENT);
}

void backoff_succeeded(struct backoff *backoff)
{
    *backoff = (struct backoff){0};
}
