/* http_front: the listening socket of HTTP and the thread that serves its clients, so that the HTTP server behind it
 * receives only complete requests, from readers that never block (http_connections.h describes the path of a request).
 *
 * The server listens on IPv4 loopback and has few threads. A client that could occupy one by being slow is held here
 * instead, in which a connection costs a descriptor and some KiB. Debian's civetweb is built without IPv6; IPv6 clients
 * are accepted here, too.
 *
 * One thread, which wakes only for an event or a timeout. It inherits the signal mask. */
#ifndef METRICS_HTTP_FRONT_H
#define METRICS_HTTP_FRONT_H

#include <stdint.h>

#include "common/address.h"

struct http_front;

/* Listens at `listen` (port 0: any free one; [::] takes IPv4, too) for the server at 127.0.0.1:`server_port`. NULL,
 * with errno. */
struct http_front *http_front_start(const struct address *listen, uint16_t server_port);

/* Ends its thread and drops its connections, whatever they wait for. NULL is fine. */
void http_front_stop(struct http_front *front);

/* The port it listens on. */
uint16_t http_front_port(const struct http_front *front);

#endif
