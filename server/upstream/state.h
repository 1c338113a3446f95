/* state: what the files of this folder share of a pool. Private to the folder: others include pool.h.
 *
 * Who calls whom, from the top: pool -> upkeep -> silence, probe, opening -> dispatch -> exchange, session -> upstream,
 * channel. RULES.md has the rules they follow. One thread. */
#ifndef UPSTREAM_STATE_H
#define UPSTREAM_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/log.h"
#include "common/random.h"
#include "common/timeouts.h"
#include "metrics/counters.h"
#include "upstream/exchange.h"
#include "upstream/options.h"
#include "upstream/session.h"
#include "upstream/tls.h"
#include "upstream/upstream.h"

/* Lines of exchanges that wait for a session, in the order in which they are served. */
enum line {
    LINE_LIGHT,       /* any session with room will do, */
    LINE_OTHERS,      /* and here too: if the first is not taken, none behind it is */
    LINE_CONSTRAINED, /* asked already, or for one upstream only: not every session will do */
    LINES
};

/* A query of the proxy's own. */
struct probe {
    struct exchange exchange;
    struct pool *pool;
    bool active;
    uint64_t begun_ns; /* last; 0 = never */
    uint64_t sent_ns;  /* when it went out, in attended time, of the one that is active; 0 = not yet */
};

struct pool {
    struct session_host host; /* first: what sessions know of it */
    struct pool_options options;
    struct tls_context *tls;
    struct counters *counters;
    const struct log *log;
    struct random random;
    struct upstream upstreams[UPSTREAMS_MAX];
    unsigned upstream_count;
    struct timeouts deadlines; /* of exchanges */
    struct list lines[LINES];  /* exchanges no session takes now, by enum line */
    unsigned hedge_credit;     /* in hundredths of a hedge */
    uint64_t hedge_ns;         /* when time last earned credit */
    uint64_t asked_ns;         /* a client's question, last */
    uint64_t answered_ns;      /* a valid answer, last */
    uint64_t rested_ns;        /* since when its worker is inactive; CLOCK_NEVER: it is not */
    uint64_t trim_at_ns;       /* when the memory of handshakes is given back; CLOCK_NEVER: it was */
    uint64_t exchanges;        /* begun so far: their numbers */
    unsigned worker;           /* for the log */
    bool draining;
    bool has_news;      /* a question or a setting came since the last turn of work, or something was sent */
    bool is_prober;     /* proves the path also if no client asks */
    struct probe probe; /* of the path, to any upstream */
    struct probe probes[UPSTREAMS_MAX]; /* of one upstream each that is avoided or has not answered yet */
    uint8_t *answer;                    /* ANSWER_BYTES_MAX, for the answer that is being judged */
};

static inline struct pool *pool_of(struct session *session)
{
    return container_of(session->host, struct pool, host);
}

static inline uint64_t pool_now_ns(const struct pool *pool)
{
    return pool->host.channels.loop->now_ns;
}

#endif
