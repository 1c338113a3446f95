/* health: whether the program is alive, and whether it can answer, for probes, for people and for the
 * watchdog.
 *
 * Live: every thread that promised to turn its loop has done so lately. Ready: not draining, and a worker had a valid
 * response from an authenticated upstream session lately: the path itself is proved, by clients' queries or by a probe
 * of our own, not the existence of a socket. Live says "restart me or not", ready says "send me clients or not"; a
 * program cut off from its upstreams is live and not ready.
 *
 * Times are nanoseconds of common/clock.h and are passed in. Everything a thread writes here is atomic and
 * is its own. */
#ifndef METRICS_HEALTH_H
#define METRICS_HEALTH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/address.h"
#include "common/clock.h"
#include "metrics/counters.h"

/* A loop beats at least every 2 s, with or without events; five missed beats are no longer chance. */
#define HEARTBEAT_EVERY_NS (2 * NS_PER_S)
#define HEARTBEAT_STALE_NS (10 * NS_PER_S)

/* If clients do not prove the path, a probe does so every 4 s; two may fail before the program is not ready. */
#define ANSWER_STALE_NS (9 * NS_PER_S)

enum { HEALTH_PARTS_MAX = 80, HEALTH_NAME_BYTES = 24, HEALTH_ADDRESSES_MAX = 16 };

/* Of one thread, the only writer; on cache lines of its own, since it does so every turn. */
struct heartbeat {
    _Alignas(128) _Atomic uint64_t beat_ns; /* the last beat; CLOCK_NEVER: stopped on purpose */
    _Atomic uint64_t since_ns;              /* the first beat of this unbroken run of them */
    char name[HEALTH_NAME_BYTES];
};

struct health {
    uint64_t started_ns;
    struct counters *const *blocks; /* a worker's each, for upstream_answered_ns; not owned */
    unsigned block_count;
    _Atomic uint64_t draining_since_ns; /* 0 = not draining */
    _Atomic uint64_t ready_since_ns;    /* as seen by health_look; 0 = not ready */
    _Atomic bool nothing_is_trusted;    /* health_set_nothing_trusted */
    _Atomic bool nothing_is_resolved;   /* health_set_nothing_resolved */
    pthread_mutex_t not_served_lock;    /* of the two below */
    struct address not_served[HEALTH_ADDRESSES_MAX];
    unsigned not_served_count;
    _Atomic unsigned part_count;
    struct heartbeat parts[HEALTH_PARTS_MAX];
};

/* `blocks` stay where they are, and as many, while `health` is in use. */
void health_init(struct health *health, struct counters *const *blocks, unsigned block_count, uint64_t now_ns);

/* A part more, beating now; `name` is copied, cut if too long. Main thread, before the part's thread starts. NULL
 * if there are HEALTH_PARTS_MAX already. */
struct heartbeat *health_add(struct health *health, const char *name, uint64_t now_ns);

/* The part's thread, every turn of its loop. */
static inline void heartbeat_beat(struct heartbeat *heartbeat, uint64_t now_ns)
{
    uint64_t last_ns = atomic_load_explicit(&heartbeat->beat_ns, memory_order_relaxed);
    if (now_ns > last_ns && now_ns - last_ns > HEARTBEAT_STALE_NS)
        atomic_store_explicit(&heartbeat->since_ns, now_ns, memory_order_relaxed);
    atomic_store_explicit(&heartbeat->beat_ns, now_ns, memory_order_relaxed);
}

/* The part's thread ends on purpose (drain): its silence is no fault. */
void heartbeat_stop(struct heartbeat *heartbeat);

/* The configured addresses that are not served now, for /readyz; at most HEALTH_ADDRESSES_MAX are
 * copied. Any thread. */
void health_set_not_served(struct health *health, const struct address *addresses, unsigned count);

/* Whether no certificate of the CA bundle is valid at this machine's clock, so that no upstream can be trusted: it is
 * then why no upstream answers. Any thread. */
void health_set_nothing_trusted(struct health *health, bool nothing_is_trusted);

/* Whether the upstreams have names alone, and no address of them is known, so that none can be asked. Any thread. */
void health_set_nothing_resolved(struct health *health, bool nothing_is_resolved);

/* From now on not ready, for good. Any thread. */
void health_drain(struct health *health, uint64_t now_ns);

/* Any thread. False: some part is silent for longer than HEARTBEAT_STALE_NS. */
bool health_is_live(const struct health *health, uint64_t now_ns);

enum readiness_state {
    READINESS_READY,
    READINESS_DRAINING,
    READINESS_NO_ANSWER_YET,
    READINESS_NO_ANSWER,
    READINESS_CLOCK, /* no answer, yet or any more, and nothing is trusted */
    READINESS_NAMES, /* the same, and nothing is resolved */
};

struct readiness {
    enum readiness_state state;
    uint64_t since_ns;    /* when it came into this state */
    uint64_t answered_ns; /* the last answer of any upstream; 0 = none yet */
};

/* Any thread. When a program became ready is known only as exactly as this is called: the watchdog's thread should,
 * every second or two. */
struct readiness health_look(struct health *health, uint64_t now_ns);

/* Short, for people and logs: "no upstream has answered for more than 9 s". Constant. */
const char *readiness_reason(enum readiness_state state);

/* The bodies of /healthz and /readyz: JSON, each part with its state and since when (RFC 3339, UTC). `wall_s` is the
 * same moment as `now_ns`. Return what the answer is: true for 200. `failing_routes`: names, ", " between them; they
 * do not decide it. */
bool health_write_live(const struct health *health, uint64_t now_ns, int64_t wall_s, FILE *out);
bool health_write_ready(struct health *health, const char *failing_routes, uint64_t now_ns, int64_t wall_s, FILE *out);

#endif
