/* http_server: HTTP for the endpoint: civetweb behind the front end. The only file that knows civetweb.
 *
 * http_front and http_connections own the clients' connections and check each request (their headers state the bounds);
 * civetweb receives complete requests only, written by http_request, on a port of IPv4 loopback. It brings its own
 * threads, one that accepts and two that answer. Bodies of requests are never read. A body of a response is compressed
 * with gzip if the client prefers that (docs/decisions/0020-gzip.md).
 *
 * Threads inherit the signal mask, so the caller blocks signals first. civetweb ignores SIGPIPE for
 * the whole process. */
#ifndef METRICS_HTTP_SERVER_H
#define METRICS_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/log.h"
#include "metrics/http_request.h"
#include "metrics/http_response.h"

/* A request as it is answered. The texts are valid during the call only; NULL: the request has none. */
struct http_received {
    const char *method;
    const char *path;  /* without dot segments; HTTP_SERVER_PATH for "*" */
    const char *query; /* behind the question mark */
    const char *host;
    const char *origin;
    const char *accept;
};

struct http_server_options {
    struct address listen;  /* port 0: any free one; [::] accepts IPv4, too */
    uint16_t civetweb_port; /* on IPv4 loopback; 0: any free one */
    const struct log *log;  /* outlives the server; civetweb's messages at debug */
    void *context;
    /* Fills the response, which is {200} with no body at first. Called on an HTTP thread, on two at once at most. */
    void (*answer)(void *context, const struct http_received *received, struct http_response *response);
};

struct http_server;

/* Reserves a port of IPv4 loopback for civetweb, so that it is known before the server starts: a descriptor that is to
 * stay open until then, and that does not listen. -1, with errno. */
int http_server_reserve_port(uint16_t *ret_port);

/* NULL if the address cannot be bound or memory is short; `error` then says why, in one line. */
enum { HTTP_SERVER_ERROR_BYTES = 256 };
struct http_server *http_server_start(const struct http_server_options *options,
                                      char error[static HTTP_SERVER_ERROR_BYTES]);

/* Ends its threads; a request being answered is cut off. NULL is fine. */
void http_server_stop(struct http_server *server);

/* The port it listens on. */
uint16_t http_server_port(const struct http_server *server);

/* The value of a parameter of a query, decoded. False if there is none, or it is malformed or longer than `out`. */
bool http_server_parameter(const char *query, const char *name, char *out, size_t size);

/* Whether there is such a parameter, readable or not. */
bool http_server_has_parameter(const char *query, const char *name);

/* The version of the library, for build_info. */
const char *http_server_library_version(void);

#endif
