/* http: connects the HTTP endpoint (metrics/endpoint.h) with the running server: where its figures come from, and what
 * a purge does. Main thread. */
#ifndef APP_HTTP_H
#define APP_HTTP_H

#include <stdbool.h>

#include "app/server.h"

/* Looks whether the address of HTTP is free, and reserves civetweb's port: before the sandbox, which needs the port and
 * hides who has an address. False: the reason was logged. */
bool http_reserve(struct server *server);

/* Starts the endpoint, once the server is made and before its threads run; server_free ends it. True also if the
 * configuration switches HTTP off. False: the reason was logged. */
bool http_start(struct server *server);

#endif
