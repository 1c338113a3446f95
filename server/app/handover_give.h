/* handover_give: the end of a process whose sockets go to the next one: after its threads have ended, it puts its
 * listeners, UDP sockets and client connections into a bag (common/fd_bag.h), with an image of what they are
 * (app/handover_image.h), and gives the bag to systemd's store. handover_take is the other side.
 *
 * Sockets of a socket unit are not among them: systemd has them. Main thread. */
#ifndef APP_HANDOVER_GIVE_H
#define APP_HANDOVER_GIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "clients/listener.h"
#include "clients/placement.h"
#include "clients/tcp_clients.h"
#include "clients/udp_listener.h"
#include "common/log.h"

/* What goes; it stays the caller's, who closes it afterwards: what is in the bag stays open. */
struct handover_parts {
    const struct listeners *listeners;
    const struct udp_listeners *udp;
    struct tcp_clients *clients[WORKERS_MAX];
    unsigned workers;
    uint64_t stopped_ns; /* when the process stopped reading */
};

/* False: it was not possible, which was logged; nothing is in the store, and clients are to be closed. Waits for
 * systemd, at most SERVICE_WAIT_NS. */
bool handover_give(const struct handover_parts *parts, const struct log *log);

#endif
