/* pipeline: commands to the store and its replies, over one connection at a time; and whether the store is to be used
 * at all.
 *
 * Phases: down (left alone until the breaker allows another try), opening (TCP and TLS), greeting (AUTH, and GET of a
 * key of our own, of which one in PIPELINE_PROBES_MAX must be answered in time: so nobody's question finds out whether
 * the store works), in use. The owner sends commands while it is in use, and gets each reply, or is told that there
 * will be none. One thread; nothing blocks. */
#ifndef STORE_PIPELINE_H
#define STORE_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/loop.h"
#include "common/random.h"
#include "metrics/counters.h"
#include "store/breaker.h"
#include "store/connection.h"
#include "store/failure.h"
#include "store/pending.h"
#include "store/setup.h"
#include "upstream/rtt.h"

/* For TCP and TLS together, and as much again for the greeting, for which no client waits. */
#define PIPELINE_CONNECT_NS (2 * NS_PER_S)

/* A busy machine is late once; a slow store is late each time. */
enum { PIPELINE_PROBES_MAX = 3 };

/* Questions in a row that are answered with an error: rights or a password were changed, or the store loads its data.
 * The connection ends, and the greeting finds out when the store can be used again. */
enum { PIPELINE_REFUSALS_MAX = 3 };

/* What it uses of its worker; all outlive it. */
struct store_deps {
    struct loop *loop;
    struct buffers *buffers;
    uint8_t *scratch; /* CONNECTION_SCRATCH_BYTES */
    struct counters *counters;
    uint64_t seed;
};

struct pipeline_events {
    /* The reply to a command that the owner sent. False: it is none of this command, and the connection ends. */
    bool (*on_reply)(void *owner, const struct pending *pending, const struct resp_reply *reply);
    /* There will be no reply to it. No command may be sent from within. */
    void (*on_lost)(void *owner, const struct pending *pending);
};

enum pipeline_phase { PIPELINE_DOWN, PIPELINE_OPENING, PIPELINE_GREETING, PIPELINE_USED };

struct pipeline {
    struct store_deps deps;
    const struct pipeline_events *events;
    void *owner;
    struct store_setup *setup; /* an owner's share; NULL: there is no store */
    struct connection *connection;
    enum pipeline_phase phase;
    uint64_t phase_ns; /* when it began, by attended time */
    unsigned probes;   /* sent in this greeting */
    unsigned refusals; /* of lookups in a row */
    struct breaker breaker;
    struct random random;
    struct rtt rtt; /* of lookups */
    struct pendings pendings;
    uint64_t judged; /* commands before this number were in time, or counted as a time-out */
    bool has_cause;  /* why the connection ends is known: */
    struct store_failure cause;
};

void pipeline_init(struct pipeline *pipeline, const struct store_deps *deps, const struct pipeline_events *events,
                   void *owner);
void pipeline_done(struct pipeline *pipeline);

/* Other settings, which are shared, not taken; NULL: there is no store. If it is another one, the connection ends. */
void pipeline_set_setup(struct pipeline *pipeline, struct store_setup *setup);

static inline bool pipeline_is_used(const struct pipeline *pipeline)
{
    return pipeline->phase == PIPELINE_USED;
}

/* Whether a command with so many octets has room in the memory that the settings allow. */
bool pipeline_has_room(const struct pipeline *pipeline, size_t octets);

/* Sends a command, while it is in use; returns its number, or 0 without memory. */
uint64_t pipeline_send(struct pipeline *pipeline, enum command command, struct store_lookup *lookup,
                       const struct resp_part *parts, unsigned count);

void pipeline_tick(struct pipeline *pipeline);
uint64_t pipeline_deadline_ns(const struct pipeline *pipeline);
void pipeline_flush(struct pipeline *pipeline);

#endif
