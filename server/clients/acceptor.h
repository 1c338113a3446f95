/* acceptor: the thread that takes connections and gives each to a worker (placement.h).
 *
 * It never reads a byte of a client. A client that may not ask (access.allow) is closed at once, with a reset, before
 * it counts as a connection; so is one that is over a limit. If descriptors are out or max_connections is reached
 * the acceptor pauses instead of spinning, and has the workers close some of their clients; the connection for which
 * there was no room waits meanwhile. A socket that is given up (a reload, a stop) is emptied before it is closed;
 * systemd's are left as they are at a stop, for the next program. Made, started and freed by the main thread. */
#ifndef CLIENTS_ACCEPTOR_H
#define CLIENTS_ACCEPTOR_H

#include <stdatomic.h>
#include <stdbool.h>

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
    struct tcp_clients *clients;         /* only tcp_client_start may be called on it from the acceptor's thread */
    atomic_uint *load;                   /* the worker's connections: the acceptor adds, the worker subtracts */
    void (*shed)(struct worker *worker); /* asks the worker to close some connections; any thread */
    struct worker *worker;
};

/* What the acceptor uses of the program; all of it outlives the acceptor. */
struct acceptor_deps {
    const struct log *log;
    struct connections *connections;
    struct acceptor_target targets[WORKERS_MAX];
    unsigned target_count; /* 1..WORKERS_MAX */
    struct heartbeat *heartbeat;
    struct query_ring *ring; /* what it writes of connections that it refuses; NULL: nothing */
};

struct acceptor;

/* NULL if memory or descriptors are short. Takes the listeners, and a share of the access list. */
struct acceptor *acceptor_new(const struct acceptor_deps *deps, const struct listeners *listeners,
                              struct access_list *access);
void acceptor_free(struct acceptor *acceptor); /* closes the listeners */

bool acceptor_start(struct acceptor *acceptor);

/* Any thread: ends it; then join. */
void acceptor_stop(struct acceptor *acceptor);
void acceptor_join(struct acceptor *acceptor);

/* Any thread: from now on with these listeners, which it takes, and with this access list, of which it takes a share.
 * Sockets that stay are the same descriptors; the acceptor goes on accepting from the others for a second and a half,
 * then closes them. False if memory is short: nothing was taken. */
bool acceptor_reload(struct acceptor *acceptor, const struct listeners *listeners, struct access_list *access);

struct counters *acceptor_counters(struct acceptor *acceptor);

#endif
