/* options: the settings of a pool, as the configuration gives them. Data only. */
#ifndef UPSTREAM_OPTIONS_H
#define UPSTREAM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "metrics/counters.h"

enum { UPSTREAM_NAME_MAX = 254, BOOTSTRAP_MAX = 8 };

/* In the order of the words of the setting routes.upstreams.transport. */
enum upstream_transport { UPSTREAM_TLS, UPSTREAM_TCP };

struct upstream_options {
    struct address address;           /* none (upstream_is_named): the configuration has the name alone */
    uint8_t transport;                /* enum upstream_transport; plain TCP only in routes */
    char name[UPSTREAM_NAME_MAX + 1]; /* of its certificate; lower case, no dot at the end; empty with UPSTREAM_TCP */
};

/* It has a port and no address: that is looked up by its name, before a pool has it. */
static inline bool upstream_is_named(const struct upstream_options *options)
{
    return address_is_any(&options->address);
}

/* Servers that are asked for the addresses of upstreams without one; with plain TCP or TLS. */
struct bootstrap_options {
    struct upstream_options servers[BOOTSTRAP_MAX]; /* in order of preference */
    unsigned count;
};

struct pool_options {
    struct upstream_options upstreams[UPSTREAMS_MAX]; /* in order of preference */
    unsigned upstream_count;
    unsigned first_series;       /* of the first upstream, in metrics/counters.h; 0: the default route */
    const char *route;           /* its first zone, for logs; NULL: the default route. Only pool_new looks at it */
    uint64_t query_timeout_ns;   /* for a question, all attempts together */
    uint64_t connect_timeout_ns; /* for TCP and TLS handshake together */
    uint64_t idle_timeout_ns;    /* act before the upstream closes an idle session */
    uint64_t max_age_ns;         /* a session is replaced at about this age; 0 = never */
    uint64_t revalidate_ns;      /* a full handshake at least this often */
    uint64_t probe_ns;           /* the path is proved by a query of our own if clients' queries do not, this often */
    bool keep_warm;              /* a worker with recent traffic always has a live session */
    uint32_t max_in_flight;      /* queries on a session */
    uint32_t max_sessions;       /* of a worker to one upstream */
    uint32_t max_handshakes;     /* of a worker at once; not those that got no word for a quarter of a second */
    uint16_t padding;            /* block size, 0 = off */
    uint8_t hedge_percent;       /* questions asked twice because the first attempt is slow, at most this share */
};

#endif
