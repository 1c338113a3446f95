#include "metrics/upstream_times.h"

#include <string.h>

#include "common/clock.h"
#include "common/hash.h"

void upstream_times_init(struct upstream_times *times)
{
    memset(times->seen, 0, sizeof times->seen);
    pthread_mutex_init(&times->lock, NULL);
}

void upstream_times_done(struct upstream_times *times)
{
    pthread_mutex_destroy(&times->lock);
}

/* Labels come from the configuration, and nobody chooses them to collide: no secret key is needed. */
static uint64_t hash_label(const char *label)
{
    static const struct hash_key key = {0, 0};
    return *label ? hash_bytes(&key, label, strlen(label)) | 1 : 0;
}

static double wall_of(uint64_t then_ns, uint64_t now_ns, int64_t wall_s)
{
    uint64_t age_ns = now_ns > then_ns ? now_ns - then_ns : 0;
    return (double)wall_s - (double)age_ns / (double)NS_PER_S;
}

static void note(struct upstream_seen *seen, uint64_t label, uint64_t state, uint64_t now_ns)
{
    if (seen->label == label && seen->state == state) return;
    *seen = (struct upstream_seen){label, state, now_ns};
}

void upstream_times_look(struct upstream_times *times, const struct counters *total, struct figures *figures,
                         uint64_t now_ns, int64_t wall_s)
{
    pthread_mutex_lock(&times->lock);
    for (unsigned i = 0; i < figures->upstream_count; i++) {
        struct upstream_seen *seen = &times->seen[i];
        uint64_t last_ns = counter_read(&total->upstream_last_ns[i]);
        note(seen, hash_label(figures->upstreams[i]), value_upstream_state(total, i), now_ns);
        if (last_ns > 0) figures->upstream_answered_s[i] = wall_of(last_ns, now_ns, wall_s);
        if (seen->label != 0 && i != UPSTREAM_SERIES_REST) /* the rest stands for several, without a state */
            figures->upstream_changed_s[i] = wall_of(seen->since_ns, now_ns, wall_s);
    }
    pthread_mutex_unlock(&times->lock);
}
