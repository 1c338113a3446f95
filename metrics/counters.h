/* counters: the block of counters that each thread owns: what is in the tables of counter_table.h.
 *
 * A block has one writer, its thread; readers add the blocks up when a scrape asks. So a count is one relaxed load and
 * store, no locked instruction. What is not counted but looked up when asked (cache size, busiest clients, memory) has
 * its table in metrics/figures.h.
 *
 * To add a metric: a line in the table, and count_event(counters, it) or count_event_by(counters, it, label) where it
 * happens. A unit test that demands the documentation be current says how to regenerate it; another one fails if a
 * declared label is counted nowhere. */
#ifndef METRICS_COUNTERS_H
#define METRICS_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "metrics/counter.h"
#include "metrics/counter_table.h"
#include "metrics/histogram.h"

/* Upstreams of the configuration, and of one route, at most. */
enum { UPSTREAMS_MAX = 16 };

/* The bound of every series with an upstream label. The first UPSTREAMS_MAX are those of the default route; then come
 * those of the other routes, as many as there is room for; the last one stands for all the rest together. */
enum { UPSTREAM_SERIES = 64, UPSTREAM_SERIES_REST = UPSTREAM_SERIES - 1 };

/* enum label_qtype { LABEL_QTYPE_A, ... }, LABEL_QTYPE_COUNT, and so on for each set. */
#define LABELS_ONE(id, text) +1
#define LABELS_ENUM(set, tag)                                                                                          \
    enum label_##tag{LABELS_##set(LABELS_ENUM_##set)};                                                                 \
    enum { LABEL_##set##_COUNT = LABELS_##set(LABELS_ONE) };
#define LABELS_ENUM_QTYPE(id, text)           LABEL_QTYPE_##id,
#define LABELS_ENUM_RCODE(id, text)           LABEL_RCODE_##id,
#define LABELS_ENUM_EDE(id, text)             LABEL_EDE_##id,
#define LABELS_ENUM_REJECTED(id, text)        LABEL_REJECTED_##id,
#define LABELS_ENUM_CLOSED(id, text)          LABEL_CLOSED_##id,
#define LABELS_ENUM_INVALID(id, text)         LABEL_INVALID_##id,
#define LABELS_ENUM_SOURCE(id, text)          LABEL_SOURCE_##id,
#define LABELS_ENUM_DROPPED(id, text)         LABEL_DROPPED_##id,
#define LABELS_ENUM_PREFETCH(id, text)        LABEL_PREFETCH_##id,
#define LABELS_ENUM_FAILURE(id, text)         LABEL_FAILURE_##id,
#define LABELS_ENUM_RETRY(id, text)           LABEL_RETRY_##id,
#define LABELS_ENUM_SESSION_END(id, text)     LABEL_SESSION_END_##id,
#define LABELS_ENUM_RESUMED(id, text)         LABEL_RESUMED_##id,
#define LABELS_ENUM_TRANSPORT(id, text)       LABEL_TRANSPORT_##id,
#define LABELS_ENUM_COOKIE(id, text)          LABEL_COOKIE_##id,
#define LABELS_ENUM_UDP_SOURCE(id, text)      LABEL_UDP_SOURCE_##id,
#define LABELS_ENUM_UDP_DROPPED(id, text)     LABEL_UDP_DROPPED_##id,
#define LABELS_ENUM_STATE_SAVE(id, text)      LABEL_STATE_SAVE_##id,
#define LABELS_ENUM_STATE_REJECTED(id, text)  LABEL_STATE_REJECTED_##id,
#define LABELS_ENUM_SHARED_RESULT(id, text)   LABEL_SHARED_RESULT_##id,
#define LABELS_ENUM_SHARED_REJECTED(id, text) LABEL_SHARED_REJECTED_##id,
#define LABELS_ENUM_SHARED_SKIPPED(id, text)  LABEL_SHARED_SKIPPED_##id,
#define LABELS_ENUM_SHARED_DROPPED(id, text)  LABEL_SHARED_DROPPED_##id,
#define LABELS_ENUM_SHARED_REFRESH(id, text)  LABEL_SHARED_REFRESH_##id,
#define LABELS_ENUM_SHARED_FAILURE(id, text)  LABEL_SHARED_FAILURE_##id,

LABELS_ENUM(QTYPE, qtype)
LABELS_ENUM(RCODE, rcode)
LABELS_ENUM(EDE, ede)
LABELS_ENUM(REJECTED, rejected)
LABELS_ENUM(CLOSED, closed)
LABELS_ENUM(INVALID, invalid)
LABELS_ENUM(SOURCE, source)
LABELS_ENUM(DROPPED, dropped)
LABELS_ENUM(PREFETCH, prefetch)
LABELS_ENUM(FAILURE, failure)
LABELS_ENUM(RETRY, retry)
LABELS_ENUM(SESSION_END, session_end)
LABELS_ENUM(RESUMED, resumed)
LABELS_ENUM(TRANSPORT, transport)
LABELS_ENUM(COOKIE, cookie)
LABELS_ENUM(UDP_SOURCE, udp_source)
LABELS_ENUM(UDP_DROPPED, udp_dropped)
LABELS_ENUM(STATE_SAVE, state_save)
LABELS_ENUM(STATE_REJECTED, state_rejected)
LABELS_ENUM(SHARED_RESULT, shared_result)
LABELS_ENUM(SHARED_REJECTED, shared_rejected)
LABELS_ENUM(SHARED_SKIPPED, shared_skipped)
LABELS_ENUM(SHARED_DROPPED, shared_dropped)
LABELS_ENUM(SHARED_REFRESH, shared_refresh)
LABELS_ENUM(SHARED_FAILURE, shared_failure)

enum { LABEL_NONE_COUNT = 1, LABEL_UPSTREAM_COUNT = UPSTREAM_SERIES };

/* How the blocks of the threads become one figure. */
enum counter_kind {
    COUNTER_SUM, /* counts up */
    GAUGE_SUM,   /* each thread's share of a whole */
    GAUGE_MAX,   /* true in any thread */
    TIME_SEEN /* of a certificate, seconds since 1970, from the thread that validated last; 0 = not known, not shown */
};

/* Sessions to upstreams that a block shows; more are not shown. */
enum { SESSIONS_SHOWN_MAX = 64 };

/* A session to an upstream as its thread last showed it. `number` 0: the row is free. */
struct session_row {
    _Atomic uint64_t worker; /* of the thread, from 0 */
    _Atomic uint64_t number; /* among the sessions of its pool */
    _Atomic uint64_t upstream;
    _Atomic uint64_t is_open; /* it takes questions */
    _Atomic uint64_t in_flight;
    _Atomic uint64_t sent;    /* questions in all, */
    _Atomic uint64_t answers; /* and valid answers to them */
    _Atomic uint64_t window;  /* questions in flight that it takes */
    _Atomic uint64_t age_ms;
};

struct counters {
#define X(member, kind, name, set1, label1, set2, label2, help)                                                        \
    _Atomic uint64_t member[LABEL_##set1##_COUNT][LABEL_##set2##_COUNT];
    COUNTERS(X)
#undef X
#define X(member, name, set1, label1, set2, label2, help)                                                              \
    struct histogram member[LABEL_##set1##_COUNT][LABEL_##set2##_COUNT];
    HISTOGRAMS(X)
#undef X
#define X(member, name, help) struct size_histogram member;
    SIZES(X)
#undef X
    /* When the DoT path last proved itself: an authenticated session of this thread gave a valid response. */
    _Atomic uint64_t upstream_answered_ns;
    /* When each upstream last answered this thread; 0: not yet. */
    _Atomic uint64_t upstream_last_ns[UPSTREAM_SERIES];
    /* Why the last attempt to reach an upstream failed: a constant text; NULL where it did not fail, or none was made.
     */
    _Atomic(const char *) upstream_error[UPSTREAM_SERIES];
    /* Why the connection to the store cannot be used: a constant text; NULL where it can, or there is none. */
    _Atomic(const char *) shared_error;
    struct session_row sessions[SESSIONS_SHOWN_MAX];
};

/* Parameters and indexes of the functions below: a series is found by an upstream's index, a label, both or neither. */
#define KEY_NONE
#define KEY_UPSTREAM          , unsigned upstream
#define KEY_QTYPE             , enum label_qtype label
#define KEY_RCODE             , enum label_rcode label
#define KEY_EDE               , enum label_ede label
#define KEY_REJECTED          , enum label_rejected label
#define KEY_CLOSED            , enum label_closed label
#define KEY_INVALID           , enum label_invalid label
#define KEY_SOURCE            , enum label_source label
#define KEY_DROPPED           , enum label_dropped label
#define KEY_PREFETCH          , enum label_prefetch label
#define KEY_FAILURE           , enum label_failure label
#define KEY_RETRY             , enum label_retry label
#define KEY_SESSION_END       , enum label_session_end label
#define KEY_RESUMED           , enum label_resumed label
#define KEY_TRANSPORT         , enum label_transport transport
#define KEY_COOKIE            , enum label_cookie label
#define KEY_UDP_SOURCE        , enum label_udp_source label
#define KEY_UDP_DROPPED       , enum label_udp_dropped label
#define KEY_STATE_SAVE        , enum label_state_save label
#define KEY_STATE_REJECTED    , enum label_state_rejected label
#define KEY_SHARED_RESULT     , enum label_shared_result label
#define KEY_SHARED_REJECTED   , enum label_shared_rejected label
#define KEY_SHARED_SKIPPED    , enum label_shared_skipped label
#define KEY_SHARED_DROPPED    , enum label_shared_dropped label
#define KEY_SHARED_REFRESH    , enum label_shared_refresh label
#define KEY_SHARED_FAILURE    , enum label_shared_failure label
#define INDEX_NONE            0
#define INDEX_UPSTREAM        upstream
#define INDEX_QTYPE           label
#define INDEX_RCODE           label
#define INDEX_EDE             label
#define INDEX_REJECTED        label
#define INDEX_CLOSED          label
#define INDEX_INVALID         label
#define INDEX_SOURCE          label
#define INDEX_DROPPED         label
#define INDEX_PREFETCH        label
#define INDEX_FAILURE         label
#define INDEX_RETRY           label
#define INDEX_SESSION_END     label
#define INDEX_RESUMED         label
#define INDEX_TRANSPORT       transport
#define INDEX_COOKIE          label
#define INDEX_UDP_SOURCE      label
#define INDEX_UDP_DROPPED     label
#define INDEX_STATE_SAVE      label
#define INDEX_STATE_REJECTED  label
#define INDEX_SHARED_RESULT   label
#define INDEX_SHARED_REJECTED label
#define INDEX_SHARED_SKIPPED  label
#define INDEX_SHARED_DROPPED  label
#define INDEX_SHARED_REFRESH  label
#define INDEX_SHARED_FAILURE  label

/* cell_cache_hits(counters), cell_queries(counters, LABEL_QTYPE_A), cell_upstream_failures(counters, upstream,
 * LABEL_FAILURE_TLS), and so on: one series, for the writer; and value_...(): what it shows, in any thread. The
 * compiler demands the keys the table declares, and a label of the right set. */
#define X(member, kind, name, set1, label1, set2, label2, help)                                                        \
    static inline _Atomic uint64_t *cell_##member(struct counters *counters KEY_##set1 KEY_##set2)                     \
    {                                                                                                                  \
        return &counters->member[INDEX_##set1][INDEX_##set2];                                                          \
    }                                                                                                                  \
    static inline uint64_t value_##member(const struct counters *counters KEY_##set1 KEY_##set2)                       \
    {                                                                                                                  \
        return counter_read(&counters->member[INDEX_##set1][INDEX_##set2]);                                            \
    }
COUNTERS(X)
#undef X

/* cell_request_duration(counters, source, transport), and so on: one histogram, for histogram_observe. */
#define X(member, name, set1, label1, set2, label2, help)                                                              \
    static inline struct histogram *cell_##member(struct counters *counters KEY_##set1 KEY_##set2)                     \
    {                                                                                                                  \
        return &counters->member[INDEX_##set1][INDEX_##set2];                                                          \
    }
HISTOGRAMS(X)
#undef X

/* Counts one event: count_event(counters, cache_hits). `key`: a label, or an upstream's index. The writer's thread
 * only. */
#define count_event(counters, member)                           counter_add(cell_##member(counters), 1)
#define count_event_by(counters, member, key)                   counter_add(cell_##member(counters, key), 1)
#define count_upstream_event(counters, member, upstream, label) counter_add(cell_##member(counters, upstream, label), 1)

/* Sets a gauge. The writer's thread only. */
#define set_gauge(counters, member, value)         gauge_set(cell_##member(counters), value)
#define set_gauge_by(counters, member, key, value) gauge_set(cell_##member(counters, key), value)

/* `text`: constant, or NULL. The writer's thread only. */
static inline void set_upstream_error(struct counters *counters, unsigned upstream, const char *text)
{
    atomic_store_explicit(&counters->upstream_error[upstream], text, memory_order_relaxed);
}

/* Any thread. */
static inline const char *upstream_error(const struct counters *counters, unsigned upstream)
{
    return atomic_load_explicit(&counters->upstream_error[upstream], memory_order_relaxed);
}

/* The same of the connection to the store. */
static inline void set_shared_error(struct counters *counters, const char *text)
{
    atomic_store_explicit(&counters->shared_error, text, memory_order_relaxed);
}

static inline const char *shared_error(const struct counters *counters)
{
    return atomic_load_explicit(&counters->shared_error, memory_order_relaxed);
}

/* The label of a DNS type, a response code, or the info code of an Extended DNS Error. */
enum label_qtype counters_qtype_label(uint16_t qtype);
enum label_rcode counters_rcode_label(uint16_t rcode);
enum label_ede counters_ede_label(uint16_t code);

/* A block, zeroed, on cache lines of its own; NULL if memory is short. */
struct counters *counters_new(void);
void counters_free(struct counters *counters);

/* Zero for `count` series with an upstream label, from `first`: the upstreams are others now. The
 * writer's thread only. */
void counters_forget_upstreams(struct counters *counters, unsigned first, unsigned count);

/* Reads `count` blocks, each as it is at that moment, into one that stands for the whole program. `ret_total` is the
 * caller's own. */
void counters_merge(struct counters *const *blocks, unsigned count, struct counters *ret_total);

#endif
