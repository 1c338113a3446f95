/* tcp_input: the input of one TCP client: frames are read, handed over as messages while the client may have more in
 * flight, and otherwise kept until it may. A worker's thread. */
#ifndef CLIENTS_TCP_INPUT_H
#define CLIENTS_TCP_INPUT_H

#include <stdbool.h>

#include "clients/tcp_state.h"

/* There is input, and the client may have more in flight. */
bool tcp_input_is_due(const struct tcp_client *client);

/* One round of input: what was kept, then one read of the socket. Bounded: 64 KiB of input, 256 KiB of replies. */
void tcp_input_take(struct tcp_client *client);

/* Starts or stops the time that the client has for what it is doing now. A message's time runs from its first byte;
 * `progress` says that a message began or ended. */
void tcp_input_set_timeout(struct tcp_client *client, bool progress);

/* No more input is read, and what was read and not handled is dropped. `cause`: why it will be closed. */
void tcp_input_end(struct tcp_client *client, enum label_closed cause);

/* Its input was ended by this program, so it may have sent more than was read. */
bool tcp_input_is_cut_off(const struct tcp_client *client);

#endif
