/* backoff: when an upstream that failed may be tried again: exponential with jitter, so that many workers do not come
 * back at once. One thread; time and randomness are passed in. */
#ifndef UPSTREAM_BACKOFF_H
#define UPSTREAM_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/random.h"

struct backoff {
    unsigned failures; /* in a row */
    uint64_t next_ns;  /* not to be tried before */
};

/* The first wait, doubled by each failure up to `max_ns`, less up to a quarter. */
#define BACKOFF_FIRST_NS UINT64_C(50000000)

void backoff_failed(struct backoff *backoff, uint64_t max_ns, struct random *random, uint64_t now_ns);
void backoff_succeeded(struct backoff *backoff);

static inline bool backoff_allows(const struct backoff *backoff, uint64_t now_ns)
{
    return now_ns >= backoff->next_ns;
}

#endif
