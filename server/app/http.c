#include "app/http.h"

#include "app/purge.h"
#include "app/snapshot.h"

bool http_start(struct server *server)
{
    char error[ENDPOINT_ERROR_BYTES];
    const struct endpoint_sources sources = {
        .blocks = server->blocks,
        .block_count = server->worker_count + 1,
        .health = &server->health,
        .log = server->log,
        .context = server,
        .read_figures = snapshot_read,
        .write_config = snapshot_write_config,
        .purge = purge,
    };
    if (server->config.endpoint.listen.port == 0) return true; /* switched off */
    server->endpoint = endpoint_start(&server->config.endpoint, &sources, error);
    if (!server->endpoint && address_is_any(&server->config.endpoint.listen)) { /* "::" on a machine without IPv6 */
        address_parse("0.0.0.0", server->config.endpoint.listen.port, &server->config.endpoint.listen);
        server->endpoint = endpoint_start(&server->config.endpoint, &sources, error);
    }
    if (!server->endpoint) log_error(server->log, "start failed", log_text("why", error));
    return server->endpoint;
}
