/* worker_role: what a worker does because it is active or inactive (clients/active_workers.h): it tells the others how
 * loaded it is, gives clients away, gets questions over UDP or not, takes its share of the top names, and lets its
 * sessions upstream end while nobody needs it. The worker's thread. */
#ifndef APP_WORKER_ROLE_H
#define APP_WORKER_ROLE_H

#include <stdbool.h>
#include <stdint.h>

#include "app/route_pools.h"
#include "clients/active_workers.h"
#include "clients/tcp_clients.h"
#include "clients/udp.h"
#include "queries/forwarder.h"
#include "queries/prefetch.h"

struct worker_role {
    struct active_workers *active;
    unsigned index;
    struct tcp_clients *clients;
    struct udp *udp;
    const struct forwarder *forwarder;
    struct route_pools *pools;
    struct prefetch *prefetch;
    unsigned windows; /* the last one whose result was followed */
    unsigned count;   /* active workers, as followed */
    uint64_t asked;   /* clients->asked then */
    uint64_t followed_ns;
};

/* The parts are the worker's and made already; it is made known to the others. Before the threads start. */
void worker_role_init(struct worker_role *role, struct mailbox *mailbox);

/* As followed so far. */
static inline bool worker_role_is_active(const struct worker_role *role)
{
    return role->index < role->count;
}

/* Once a turn, behind all that may make or answer questions. */
void worker_role_tick(struct worker_role *role, uint64_t now_ns);

/* When to call worker_role_tick next, at the latest. */
uint64_t worker_role_deadline_ns(const struct worker_role *role, uint64_t now_ns);

#endif
