#include "app/http.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/figures.h"
#include "app/purge.h"
#include "app/query_list.h"
#include "common/bind_hint.h"
#include "metrics/http_server.h"

static bool fail(const struct server *server, const char *why)
{
    log_error(server->log, "start failed", log_text("why", why),
              log_text("do", "choose another address with http.listen or --http; \"\" switches HTTP off"));
    return false;
}

/* Why nothing can be bound there; 0: it can. Who has the port can be found out only before the sandbox: it hides other
 * processes. */
static int error_of_binding(const struct address *address)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_socket(address, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return 0; /* the start will say so */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
    int error = bind(fd, (struct sockaddr *)&storage, size) == 0 ? 0 : errno;
    close(fd);
    return error;
}

bool http_reserve(struct server *server)
{
    const struct address *listen = &server->config.endpoint.listen;
    char text[ADDRESS_TEXT_BYTES], hint[BIND_HINT_BYTES], error[ENDPOINT_ERROR_BYTES + BIND_HINT_BYTES];
    if (listen->port == 0) return true; /* switched off */
    int number = error_of_binding(listen);
    if (number == EADDRINUSE || number == EACCES) {
        snprintf(error, sizeof error, "cannot bind to %s: %s%s", address_format(listen, text), strerror(number),
                 bind_hint(number, listen, PORT_TCP, hint));
        return fail(server, error);
    }
    server->civetweb_fd = http_server_reserve_port(&server->civetweb_port);
    if (server->civetweb_fd >= 0) return true;
    snprintf(error, sizeof error, "no port of 127.0.0.1: %s", strerror(errno));
    return fail(server, error);
}

bool http_start(struct server *server)
{
    char error[ENDPOINT_ERROR_BYTES];
    const struct endpoint_sources sources = {
        .blocks = server->blocks,
        .block_count = server->worker_count + 1 + (server->keeper ? 1 : 0),
        .civetweb_port = server->civetweb_port,
        .health = &server->health,
        .log = server->log,
        .context = server,
        .read_figures = figures_read,
        .write_config = figures_write_config,
        .list_failing_routes = figures_list_failing_routes,
        .write_queries = query_list_write,
        .purge = purge,
    };
    if (server->config.endpoint.listen.port == 0) return true; /* switched off */
    server->endpoint = endpoint_start(&server->config.endpoint, &sources, error);
    if (!server->endpoint && address_is_any(&server->config.endpoint.listen)) { /* "::" on a machine without IPv6 */
        address_parse("0.0.0.0", server->config.endpoint.listen.port, &server->config.endpoint.listen);
        server->endpoint = endpoint_start(&server->config.endpoint, &sources, error);
    }
    close(server->civetweb_fd);
    server->civetweb_fd = -1;
    return server->endpoint || fail(server, error);
}
