/* gate: the listening socket of HTTP and the thread that minds its clients, so that the server behind it sees nothing
 * but whole requests and readers that never wait (links.h has the way of a request).
 *
 * The server listens on IPv4 loopback and has few threads; whoever could hold one by being slow is held here instead,
 * where a connection costs a descriptor and some KiB. Debian's civetweb is built without IPv6: that is taken here, too.
 *
 * One thread, which wakes only when something comes or its time is over. It inherits the signal mask. */
#ifndef METRICS_GATE_H
#define METRICS_GATE_H

#include <stdint.h>

#include "common/address.h"

struct gate;

/* Listens at `listen` (port 0: any free one; [::] takes IPv4, too) for the server at 127.0.0.1:`server_port`. NULL,
 * with errno. */
struct gate *gate_start(const struct address *listen, uint16_t server_port);

/* Ends its thread and drops its connections, whatever they wait for. NULL is fine. */
void gate_stop(struct gate *gate);

/* The port it listens on. */
uint16_t gate_port(const struct gate *gate);

#endif
