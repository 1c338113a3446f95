/* remote: one upstream as one worker knows it: where it is, how it has behaved, whether it is trusted, and the sessions
 * to it.
 *
 * "Remote" and not "upstream" because the folder is called that. One thread. */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/address.h"
#include "common/list.h"
#include "common/log.h"
#include "metrics/counters.h"
#include "upstream/backoff.h"
#include "upstream/rtt.h"
#include "upstream/tls.h"

enum { UPSTREAM_NAME_MAX = 254 };

/* In the order of the words of the setting routes.upstreams.transport. */
enum upstream_transport { UPSTREAM_TLS, UPSTREAM_TCP };

struct upstream_options {
    struct address address;
    uint8_t transport;                /* enum upstream_transport; plain TCP only in routes */
    char name[UPSTREAM_NAME_MAX + 1]; /* of its certificate; lower case, no dot at the end; empty with UPSTREAM_TCP */
};

struct upstream {
    struct upstream_options options;
    unsigned index;                                         /* its label in the metrics */
    char label[ADDRESS_TEXT_BYTES + UPSTREAM_NAME_MAX + 2]; /* ADDR#NAME, for the log */
    struct list sessions;                                   /* of struct session, oldest first */
    struct tls_ticket *ticket;                              /* or NULL */
    struct rtt rtt;
    struct backoff backoff;    /* of connecting */
    uint64_t tried_ns;         /* a connection was begun, last */
    uint64_t answered_ns;      /* a valid answer, last; 0 = never */
    uint64_t avoid_until_ns;   /* a session hung: others are preferred until then */
    uint64_t validated_ns;     /* certificate checked in a full handshake; 0 = never */
    uint64_t revalidate_at_ns; /* when the next check is due */
    uint64_t idle_limit_ns;    /* silence after which it closes a session, as seen; CLOCK_NEVER = not seen */
    bool revalidating;         /* a session with a full handshake is on its way to take the place of the others */
    bool distrusted;           /* its certificate is not right: out of use until it is */
    bool up;                   /* as last logged and shown */
    struct log_repeat trouble;
};

void upstream_init(struct upstream *upstream, const struct upstream_options *options, unsigned index);
void upstream_done(struct upstream *upstream); /* its sessions must be gone */

/* How many of its sessions are on their way (connecting, in their handshake), and how many take questions. */
unsigned upstream_connecting_sessions(const struct upstream *upstream);
unsigned upstream_open_sessions(const struct upstream *upstream);

#endif
