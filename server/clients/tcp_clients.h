/* tcp_clients: all TCP clients of one worker: the transport for their replies, their timeouts, and their turns. One
 * thread. */
#ifndef CLIENTS_TCP_CLIENTS_H
#define CLIENTS_TCP_CLIENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "clients/tcp_client.h"

/* What clients use of their worker; all outlive them. */
struct tcp_clients_deps {
    struct loop *loop;
    struct buffers *buffers;
    struct counters *counters;
    struct connections *connections;
    struct busiest *busiest;
    atomic_uint *load;
    uint8_t *scratch;
    struct dnstap_tap *tap;           /* copies of responses go there; NULL: none are made */
    const atomic_bool *moves_stopped; /* true: no client is handed to another worker any more. NULL: none ever is */
};

bool tcp_clients_init(struct tcp_clients *clients, const struct tcp_client_options *options,
                      const struct tcp_clients_deps *deps);
void tcp_clients_done(struct tcp_clients *clients); /* closes them all */
void tcp_clients_set_options(struct tcp_clients *clients, const struct tcp_client_options *options);

/* The clients that may ask from now on; takes a share. The others are closed (tcp_client_check_access). To be called
 * before the first client is handed over. */
void tcp_clients_set_access(struct tcp_clients *clients, struct access_list *access);

/* Closes clients whose time is over, writes replies that wait, goes on with input that was held back. To be called at
 * the end of every turn. */
void tcp_clients_tick(struct tcp_clients *clients, uint64_t now_ns);

/* When to call tcp_clients_tick next, at the latest. */
uint64_t tcp_clients_deadline_ns(const struct tcp_clients *clients);

/* Reads no more queries and closes each client when its last reply is written. */
void tcp_clients_drain(struct tcp_clients *clients);

/* Closes some clients, a bounded number, to make room for new ones: those that never sent a byte; then those that are
 * in the middle of a message for longer than a message needs; then idle ones; then the rest of those in a message; then
 * those that take nothing of their replies. Of each kind the oldest first. */
void tcp_clients_shed(struct tcp_clients *clients);

#endif
