/* worker: one thread of the fixed pool: an event loop with its clients, its queries in flight and its own sessions
 * upstream.
 *
 * Made, started and freed by the main thread, which asks it for things by mailbox: worker_reload, worker_drain,
 * worker_stop. The acceptor and other workers add clients to its loop. All else is the worker's alone. */
#ifndef APP_WORKER_H
#define APP_WORKER_H

#include <stdbool.h>

#include "app/worker_settings.h"
#include "clients/acceptor.h"
#include "clients/tcp_clients.h"
#include "metrics/health.h"
#include "metrics/query_ring.h"

struct worker;

/* NULL if memory or descriptors are short. The settings are copied, and what they point to is shared. */
struct worker *worker_new(const struct worker_deps *deps, const struct worker_settings *settings, unsigned index,
                          struct heartbeat *heartbeat);
void worker_free(struct worker *worker);

/* Before the start: it reads from no client and no UDP socket before worker_begin, and empties and closes `former`
 * then: UDP sockets of the process before this one that are used no more. False: memory is short. */
bool worker_hold(struct worker *worker, const struct udp_sockets *former);

/* Before the start, or after the thread's end: its clients, to be taken or handed over (clients/tcp_handover.h). */
struct tcp_clients *worker_clients(struct worker *worker);

/* False if the kernel gives no thread. */
bool worker_start(struct worker *worker);
void worker_join(struct worker *worker);

/* ---- any thread ---- */

/* New settings; no connection is dropped. False if memory is short, and nothing changes. */
bool worker_reload(struct worker *worker, const struct worker_settings *settings);

/* Answers what is in flight, closes each client, then ends. With `keep_clients` it closes neither clients nor sockets,
 * so that they can be handed over when it has ended. */
void worker_drain(struct worker *worker, bool keep_clients);

/* It was held: it reads from its clients from now on, once it has a session to an upstream, or after a while without.
 * Never fails. */
void worker_begin(struct worker *worker);

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
