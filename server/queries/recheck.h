/* recheck: questions that upstream failed to answer a moment ago, while a stale answer was available; it is not asked
 * again for them at once (RFC 8767, 5: failure recheck timer; RFC 9520, 3.2). A small table by the key's hash; of two
 * questions with the same slot the later one stays, and the other is asked again. One thread. */
#ifndef QUERIES_RECHECK_H
#define QUERIES_RECHECK_H

#include <stdbool.h>
#include <stdint.h>

enum { RECHECK_SLOTS = 1024 };

struct recheck {
    struct {
        uint64_t hash;
        uint64_t until_ns;
    } slots[RECHECK_SLOTS];
};

static inline void recheck_hold(struct recheck *recheck, uint64_t hash, uint64_t until_ns)
{
    recheck->slots[hash % RECHECK_SLOTS].hash = hash;
    recheck->slots[hash % RECHECK_SLOTS].until_ns = until_ns;
}

static inline bool recheck_is_held(const struct recheck *recheck, uint64_t hash, uint64_t now_ns)
{
    return recheck->slots[hash % RECHECK_SLOTS].hash == hash && now_ns < recheck->slots[hash % RECHECK_SLOTS].until_ns;
}

#endif
