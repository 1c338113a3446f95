#include "queries/prefetch.h"

#include <string.h>

#include "common/check.h"
#include "common/clock.h"

enum {
    BATCH = 32,            /* names taken at once */
    COST = 100,            /* of a speculative refresh, in hundredths */
    CREDIT_MAX = 50 * COST /* a burst after a quiet time stays small */
};

/* How often credit is spent while top names of the run before are to be asked. */
#define WARM_UP_NS (100 * NS_PER_MS)

void prefetch_init(struct prefetch *prefetch, struct forwarder *forwarder, unsigned worker, unsigned workers)
{
    *prefetch = (struct prefetch){.forwarder = forwarder, .worker = worker, .workers = workers};
    prefetch->earned_ns = forwarder->loop->now_ns;
}

void prefetch_set_workers(struct prefetch *prefetch, unsigned workers)
{
    CHECK(workers == 0 || prefetch->worker < workers);
    if (prefetch->workers == 0) prefetch->earned_ns = prefetch->forwarder->loop->now_ns; /* nothing for its rest */
    prefetch->workers = workers;
    prefetch->next_ns = workers > 0 ? 0 : CLOCK_NEVER;
}

static void earn(struct prefetch *prefetch, uint64_t now_ns)
{
    uint64_t questions = prefetch->forwarder->questions;
    /* The time in which a hundredth of a refresh is earned without questions. */
    uint64_t floor_ns = NS_PER_S / (PREFETCH_FLOOR_PER_S * (uint64_t)COST) * prefetch->workers;
    uint64_t hundredths = (now_ns - prefetch->earned_ns) / floor_ns;
    prefetch->earned_ns += hundredths * floor_ns;
    prefetch->credit += hundredths + (questions - prefetch->questions) * prefetch->forwarder->options.prefetch_percent;
    prefetch->questions = questions;
    if (prefetch->credit > CREDIT_MAX) prefetch->credit = CREDIT_MAX;
}

static bool may_refresh(struct prefetch *prefetch, const struct topname_due *due)
{
    if (due->asked) return true;
    if (prefetch->credit < COST) {
        count_event_by(prefetch->forwarder->counters, prefetch, LABEL_PREFETCH_OVER_SHARE);
        return false;
    }
    prefetch->credit -= COST;
    return true;
}

/* Asks for the top names of the run before whose answers are over, the most asked first, as far as the credit goes. */
static void warm_up(struct prefetch *prefetch, uint64_t now_ns)
{
    const struct shared_tables *shared = prefetch->forwarder->shared;
    struct question_key key;
    _Static_assert((int)WARMUP_KEY_MAX == (int)QUESTION_KEY_MAX, "any key has room");
    while (prefetch->credit >= COST && (key.size = (uint16_t)warmup_take(shared->warmup, key.bytes)) > 0) {
        const struct hashed_key found = {key.bytes, key.size, hash_bytes(&shared->hash_key, key.bytes, key.size)};
        if (cache_has_fresh(shared->cache, &found, now_ns)) continue; /* a client asked meanwhile */
        if (forwarder_refresh(prefetch->forwarder, &key)) prefetch->credit -= COST;
    }
}

static void refresh(struct prefetch *prefetch, const struct topname_due *due)
{
    struct question_key key = {.size = due->size};
    if (due->size > sizeof key.bytes || !may_refresh(prefetch, due)) return;
    memcpy(key.bytes, due->bytes, due->size);
    bool begun = forwarder_refresh(prefetch->forwarder, &key);
    if (!begun && !due->asked) prefetch->credit += COST; /* the question is in flight already */
}

void prefetch_tick(struct prefetch *prefetch, uint64_t now_ns)
{
    struct topname_due due[BATCH];
    size_t count;
    if (now_ns < prefetch->next_ns) return;
    earn(prefetch, now_ns);
    warm_up(prefetch, now_ns);
    do {
        count = topnames_take_due(prefetch->forwarder->shared->topnames, prefetch->worker, prefetch->workers, now_ns,
                                  due, BATCH, &prefetch->next_ns);
        for (size_t i = 0; i < count; i++) refresh(prefetch, &due[i]);
    } while (count == BATCH);
    if (!warmup_is_over(prefetch->forwarder->shared->warmup))
        prefetch->next_ns = clock_earlier(prefetch->next_ns, now_ns + WARM_UP_NS);
}

uint64_t prefetch_deadline_ns(const struct prefetch *prefetch)
{
    return prefetch->next_ns;
}
