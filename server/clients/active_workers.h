/* active_workers: which workers get new connections and keep the clients that ask: the first ones, as many as the load
 * needs (worker_demand.h). Shared by the workers and the acceptor; owned by the main thread.
 *
 * There is no thread for it: the worker whose turn ends behind the end of a window looks at the loads of all. Workers
 * see in their next turn what it found. The lock is a leaf, and only tried: while one worker looks the others go on. */
#ifndef CLIENTS_ACTIVE_WORKERS_H
#define CLIENTS_ACTIVE_WORKERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "clients/placement.h"
#include "clients/worker_demand.h"

struct loop;
struct mailbox;
struct tcp_clients;

/* A worker as the others know it; all outlive the last turn of every worker. */
struct active_worker {
    const struct loop *loop;
    struct mailbox *mailbox; /* woken where the worker becomes active or inactive */
    struct tcp_clients *clients;
};

struct active_workers {
    struct active_worker of[WORKERS_MAX]; /* set before the threads start */
    unsigned workers;
    atomic_uint least;                /* min_workers, not more than `workers` */
    atomic_uint count;                /* workers 0 to count-1 are active; changed under the lock */
    atomic_uint windows;              /* looked at so far; wraps */
    atomic_bool moves_stopped;        /* no client moves any more */
    atomic_uint udp_leaving;          /* sockets for UDP that workers have given up and not closed yet */
    _Atomic uint64_t look_ns;         /* the window that is under way ends then at the earliest */
    atomic_ushort used[WORKERS_MAX];  /* thousandths of the bound of which most is used, told by each worker */
    atomic_ushort loads[WORKERS_MAX]; /* of the last window, thousandths; changed under the lock */
    pthread_mutex_t lock;             /* of the rest, except where it says otherwise */
    struct worker_demand demand;
    uint64_t from_ns; /* when the window under way began */
    uint64_t busy_ns[WORKERS_MAX];
};

/* `least` as active_workers_set_least. */
void active_workers_init(struct active_workers *active, unsigned workers, unsigned least, uint64_t now_ns);
void active_workers_done(struct active_workers *active);

/* So many are active at least; all, if `least` is more than there are. Any thread. */
void active_workers_set_least(struct active_workers *active, unsigned least);

/* Any thread. */
static inline unsigned active_workers_count(const struct active_workers *active)
{
    return atomic_load_explicit(&active->count, memory_order_relaxed);
}

/* To be called before workers are asked to drain or to stop: from now on no client is handed to another worker, except
 * for those that have been added to the other's `load` already. Any thread. */
void active_workers_stop_moves(struct active_workers *active);

/* ---- a worker's thread ---- */

/* Ends the window if it is over. Once a turn. */
void active_workers_look(struct active_workers *active, uint64_t now_ns);

/* When worker 0 is to have a turn, so that workers that are not needed any more become inactive: CLOCK_NEVER if no more
 * than the least are active. */
uint64_t active_workers_deadline_ns(const struct active_workers *active, uint64_t now_ns);

/* What worker `index` gives away by the last window; as worker_demand_part. */
unsigned active_workers_part(const struct active_workers *active, unsigned index, unsigned *ret_to);

#endif
