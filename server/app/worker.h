/* worker: one thread of the fixed pool: an event loop with its clients, its queries in flight and its own sessions
 * upstream.
 *
 * Made, started and freed by the main thread, which asks it for things by mailbox: worker_reload, worker_drain,
 * worker_stop. The acceptor adds clients to its loop. All else is the worker's alone. */
#ifndef APP_WORKER_H
#define APP_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "app/route_table.h"
#include "clients/acceptor.h"
#include "clients/tcp_clients.h"
#include "clients/udp.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mailbox.h"
#include "metrics/counters.h"
#include "metrics/dnstap.h"
#include "metrics/health.h"
#include "metrics/query_ring.h"
#include "queries/forwarder.h"
#include "queries/prefetch.h"
#include "queries/query.h"
#include "shared/access.h"
#include "shared/busiest.h"
#include "shared/connections.h"
#include "upstream/pool.h"

/* What a worker goes by; a reload brings it another. */
struct worker_settings {
    struct tcp_client_options client;
    struct forwarder_options forwarder;
    struct pool_options pool;
    struct udp_options udp;
    struct cookie_keys cookie_keys;
    struct udp_sockets udp_sockets; /* of this worker, which becomes their owner */
    struct tls_context *tls;        /* an owner's share */
    struct access_list *access;     /* the same */
    struct names *names;            /* the same */
    struct route_table *routes;     /* the same; its indexes are those of `names` */
};

/* What all workers have in common, and outlives them. */
struct worker_deps {
    const struct log *log;
    const struct shared_tables *shared;
    struct ratelimit *udp_ratelimit; /* of UDP sources that are not verified */
    struct connections *connections;
    struct busiest *busiest;
    struct mailbox *main_mailbox; /* gets a mail of kind WORKER_ENDED when the thread is about to end */
    unsigned workers;
    struct dnstap *dnstap;   /* NULL: no messages are copied */
    uint32_t recent_queries; /* that each keeps, of each kind; 0: none */
};

enum { WORKER_ENDED = 1 };

/* Questions over UDP that may wait, for each that may be in flight: half of those that wait at all
 * (queries/query.h), so that TCP clients find room. */
enum { UDP_PENDING_PER_QUERY = WAITERS_PER_QUERY / 2 };

struct worker;

/* NULL if memory or descriptors are short. The settings are copied, and what they point to is shared. */
struct worker *worker_new(const struct worker_deps *deps, const struct worker_settings *settings, unsigned index,
                          struct heartbeat *heartbeat);
void worker_free(struct worker *worker);

/* False if the kernel gives no thread. */
bool worker_start(struct worker *worker);
void worker_join(struct worker *worker);

/* ---- any thread ---- */

/* New settings; no connection is dropped. False if memory is short, and nothing changes. */
bool worker_reload(struct worker *worker, const struct worker_settings *settings);

/* Answers what is in flight, closes each client, then ends. */
void worker_drain(struct worker *worker);

/* Ends at once. */
void worker_stop(struct worker *worker);

/* Closes some of its clients, since there is no room for new ones: clients_shed says which. */
void worker_shed(struct worker *worker);

/* The worker as the acceptor uses it. */
struct acceptor_target worker_acceptor_target(struct worker *worker);

/* The queries that it keeps; NULL: it keeps none. */
const struct query_ring *worker_ring(const struct worker *worker);

/* Its counters, for the metrics. */
struct counters *worker_counters(struct worker *worker);

#endif
