/* tcp_client: one client's TCP connection (RFC 7766): bytes in, queries to the worker, replies out.
 *
 * The acceptor hands it over by adding it to the worker's loop; from its first event on, which comes at once, it
 * belongs to the worker alone. The queries of one read are answered in one write if their answers are cached; later
 * replies leave at the end of the turn. An idle client owns no buffer: only an unfinished message and replies that the
 * socket did not take are kept.
 *
 * Back-pressure: a client is not read from while it has max_in_flight queries unanswered, or more than max_unsent_bytes
 * of replies that it has not taken. It is a slow reader if it takes nothing for read_timeout, however much waits. A
 * turn of one client is bounded: one read, and some 256 KiB of replies to it; the rest waits for the next turn. Memory:
 * input that is kept (one message's front, or 64 KiB while it is held back) and replies together are bounded by
 * max_buffered_bytes for all clients of a worker; above it those that hold most are closed. */
#ifndef CLIENTS_TCP_CLIENT_H
#define CLIENTS_TCP_CLIENT_H

#include "clients/tcp_state.h"

/* Hands an accepted, non-blocking socket over, with what connections_admit said of it; the caller has counted it in
 * `load`. It is the worker's from here on. False: no memory, or no room in the loop; it was closed, and counts nowhere
 * any more. The acceptor's thread; touches nothing of `clients` but its loop and what all threads share. */
bool tcp_client_start(struct tcp_clients *clients, int fd, const struct address *address, uint8_t counted_bits);

/* A client that is in no list, no slot and no loop yet; the caller's, who frees it. NULL: memory is short. */
struct tcp_client *tcp_client_new(struct tcp_clients *clients, int fd, const struct address *address,
                                  uint8_t counted_bits);

/* ---- the worker's thread ---- */

/* One turn of the client: writes what waits, reads what may be read, and closes the client if nothing more is to
 * come. It may be freed afterwards. */
void tcp_client_turn(struct tcp_client *client);

/* A client that may not ask, by the access list as it is now, is not read from any more, and closed when what it asked
 * before is answered. */
void tcp_client_check_access(struct tcp_client *client);

/* The client broke the protocol: nothing more is read from it, and it is closed when what it asked
 * before is answered. */
void tcp_client_break(struct tcp_client *client);

/* Reports the client's rate of queries, in the second that ends now, to the table of the busiest clients. */
void tcp_client_report_rate(struct tcp_client *client, uint64_t now_ns);

/* Closes the clients whose input and replies take most memory, if all together take more than max_buffered_bytes.
 * Not the client whose messages are being handled. */
void tcp_client_limit_memory(struct tcp_clients *clients);

/* Closes and frees it at once. */
void tcp_client_close(struct tcp_client *client, enum label_closed cause);

#endif
