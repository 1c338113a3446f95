/* tcp_entry: how a TCP client comes into a worker's loop, and what it gives back at its end: the socket, its place
 * among the connections of its address, its place among those of the worker. */
#ifndef CLIENTS_TCP_ENTRY_H
#define CLIENTS_TCP_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "clients/tcp_state.h"

/* Adds a client to the loop of `clients`, whose worker it belongs to from then on; the caller has counted it in their
 * `load`. False: the kernel refuses, and the client was freed as by tcp_entry_free. The thread of the acceptor, or of
 * the worker that gives it away. */
bool tcp_entry_enter(struct tcp_client *client, struct tcp_clients *clients);

/* Frees a client that is in no list, no slot and no loop any more (closing takes it out of the loop). */
void tcp_entry_free(struct tcp_client *client);

/* The same where there is no client: a connection that connections_admit has counted for `clients`. Any thread. */
void tcp_entry_close(struct tcp_clients *clients, int fd, const struct address *address, uint8_t counted_bits);

#endif
