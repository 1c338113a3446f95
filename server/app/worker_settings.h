/* worker_settings: what a worker goes by, and what it uses of the program. */
#ifndef APP_WORKER_SETTINGS_H
#define APP_WORKER_SETTINGS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "app/route_table.h"
#include "clients/acceptor.h"
#include "clients/active_workers.h"
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
#include "store/setup.h"
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
    struct store_setup *store;      /* the same; NULL: no cache is shared */
};

/* What all workers have in common, and outlives them. */
struct worker_deps {
    const struct log *log;
    const struct shared_tables *shared;
    struct ratelimit *udp_ratelimit; /* of UDP sources that are not verified */
    struct connections *connections;
    struct busiest *busiest;
    struct mailbox *main_mailbox;  /* gets a mail of kind WORKER_ENDED when the thread is about to end */
    struct active_workers *active; /* all workers, and which of them clients use */
    struct dnstap *dnstap;         /* NULL: no messages are copied */
    uint32_t recent_queries;       /* that each keeps, of each kind; 0: none */
};

enum { WORKER_ENDED = 1 };

/* Questions over UDP that may wait, for each that may be in flight: half of those that wait at all
 * (queries/query.h), so that TCP clients find room. */
enum { UDP_PENDING_PER_QUERY = WAITERS_PER_QUERY / 2 };

#endif
