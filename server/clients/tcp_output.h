/* tcp_output: the replies of one TCP client on their way to its socket. A worker's thread. */
#ifndef CLIENTS_TCP_OUTPUT_H
#define CLIENTS_TCP_OUTPUT_H

#include "clients/tcp_state.h"

/* Sends what waits for the socket, as far as the socket takes it. */
void tcp_output_flush(struct tcp_client *client);

/* Sends the replies of the batch (clients->outbox); what the socket does not take becomes the client's own. */
void tcp_output_send_batch(struct tcp_client *client);

#endif
