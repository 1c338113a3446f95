/* relay: carries the connections of one listening socket to a server on IPv4 loopback, byte for byte.
 *
 * For one purpose: Debian's civetweb is built without IPv6, so where the HTTP listener is an IPv6 address, this takes
 * the connections and civetweb sits behind it. One thread; LINKS_MAX connections at once (more wait in the kernel's
 * queue), each with 16 KB of buffers, dropped after some seconds in which no byte moves. */
#ifndef METRICS_RELAY_H
#define METRICS_RELAY_H

#include <stddef.h>
#include <stdint.h>

#include "common/address.h"

struct relay;

/* Listens at `listen` (port 0: any free one) and carries to 127.0.0.1:`to_port`. NULL, with errno. */
struct relay *relay_start(const struct address *listen, uint16_t to_port);

/* Ends its thread and drops its connections. NULL is fine. */
void relay_stop(struct relay *relay);

/* The port it listens on. */
uint16_t relay_port(const struct relay *relay);

#endif
