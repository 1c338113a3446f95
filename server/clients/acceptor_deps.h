/* acceptor_deps: what the acceptor uses of the program. */
#ifndef CLIENTS_ACCEPTOR_DEPS_H
#define CLIENTS_ACCEPTOR_DEPS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "clients/active_workers.h"
#include "clients/listener.h"
#include "clients/placement.h"
#include "clients/tcp_clients.h"
#include "common/address.h"
#include "common/log.h"
#include "metrics/counters.h"
#include "metrics/health.h"
#include "metrics/query_ring.h"
#include "shared/access.h"
#include "shared/connections.h"

struct worker;

struct acceptor_options {
    struct address listen[LISTENERS_MAX];
    unsigned listen_count;
};

/* A worker as the acceptor knows it: where connections go. */
struct acceptor_target {
    struct tcp_clients *clients; /* only tcp_client_start may be called on it from the acceptor's thread */
    atomic_uint *load;           /* the worker's connections: the acceptor and other workers add, it subtracts */
    void (*shed)(struct worker *worker); /* asks the worker to close some connections; any thread */
    struct worker *worker;
};

/* What the acceptor uses of the program; all of it outlives the acceptor. */
struct acceptor_deps {
    const struct log *log;
    struct connections *connections;
    struct acceptor_target targets[WORKERS_MAX];
    unsigned target_count;               /* 1..WORKERS_MAX */
    const struct active_workers *active; /* which of the targets get connections */
    struct heartbeat *heartbeat;
    struct query_ring *ring; /* what it writes of connections that it refuses; NULL: nothing */
};

#endif
