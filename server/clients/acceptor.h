/* acceptor: the thread that takes connections and gives each to an active worker (placement.h).
 *
 * It never reads a byte of a client. A client that may not ask (access.allow) is closed at once, with a reset, before
 * it counts as a connection; so is one that is over a limit. If descriptors are out or max_connections is reached
 * the acceptor pauses instead of spinning, and has the workers close some of their clients; the connection for which
 * there was no room waits meanwhile. A socket that is given up (a reload, a stop) is emptied before it is closed;
 * systemd's are left as they are at a stop, for the next program. Made, started and freed by the main thread. */
#ifndef CLIENTS_ACCEPTOR_H
#define CLIENTS_ACCEPTOR_H

#include <stdbool.h>

#include "clients/acceptor_deps.h"
#include "clients/listener.h"
#include "metrics/counters.h"
#include "shared/access.h"

struct acceptor;

/* NULL if memory or descriptors are short. Takes the listeners, and a share of the access list. */
struct acceptor *acceptor_new(const struct acceptor_deps *deps, const struct listeners *listeners,
                              struct access_list *access);
void acceptor_free(struct acceptor *acceptor); /* closes the listeners */

bool acceptor_start(struct acceptor *acceptor);

/* Before the start: goes on accepting from sockets that the process before this one handed over (app/handover.h) and
 * that are not among its own, for a second and a half; takes them. */
void acceptor_add_former(struct acceptor *acceptor, const struct listeners *former, const struct listeners *own);

/* Any thread: ends it; then join. With `keep_listeners` the listeners stay open as systemd's do, with the connections
 * that wait in them, until acceptor_free. */
void acceptor_stop(struct acceptor *acceptor, bool keep_listeners);
void acceptor_join(struct acceptor *acceptor);

/* Any thread: from now on with these listeners, which it takes, and with this access list, of which it takes a share.
 * Sockets that stay are the same descriptors; the acceptor goes on accepting from the others for a second and a half,
 * then closes them. False if memory is short: nothing was taken. */
bool acceptor_reload(struct acceptor *acceptor, const struct listeners *listeners, struct access_list *access);

struct counters *acceptor_counters(struct acceptor *acceptor);

#endif
