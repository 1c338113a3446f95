/* tcp_move: a TCP client goes from its worker to another one, with its counts, its limits and the rate at which it
 * asks. A worker's thread: that of the worker that gives.
 *
 * A client moves where it is about to be read, and only if it is idle: no query in flight, no part of a message, no
 * reply that waits. Its bytes stay in the kernel until the other worker reads them. It is taken out of this worker's
 * loop before it is added to the other's (the other order loses events), and belongs to the other worker from then on,
 * as with a new connection from the acceptor.
 *
 * A client that always has queries in flight would never be idle. If a busy worker gives clients away, such a client is
 * not read from until its queries are answered, for at most TCP_LEAVING_NS, and then moves; if they are not answered by
 * then, it stays for the next TCP_STAYS_S seconds in which it asks. */
#ifndef CLIENTS_TCP_MOVE_H
#define CLIENTS_TCP_MOVE_H

#include "clients/tcp_state.h"

#define TCP_LEAVING_NS                                                                                                 \
    (50 * NS_PER_MS) /* longer than most answers take; a client waits that long once in ten seconds */

enum { TCP_STAYS_S = 10 };

/* Sets where clients go from now on: to `to` (NULL: nowhere), until they have taken `queries` of a window
 * (DEMAND_WINDOW_NS) with them, in thousandths; `all`: whoever asks. */
void tcp_move_set(struct tcp_clients *clients, struct tcp_clients *to, uint64_t queries, bool all);

/* To be called before a client is read, and when one that is leaving was answered. True: it is another worker's now,
 * and not to be touched any more. */
bool tcp_move_take(struct tcp_client *client);

/* Clients whose queries took too long stay. Once a turn. */
void tcp_move_give_up(struct tcp_clients *clients, uint64_t now_ns);

#endif
