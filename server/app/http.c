#include "app/http.h"

#include <stdio.h>

#include "app/purge.h"
#include "app/query_list.h"
#include "app/snapshot.h"
#include "common/port_holder.h"

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
        .list_failing_routes = snapshot_list_failing_routes,
        .write_queries = query_list_write,
        .purge = purge,
    };
    if (server->config.endpoint.listen.port == 0) return true; /* switched off */
    server->endpoint = endpoint_start(&server->config.endpoint, &sources, error);
    if (!server->endpoint && address_is_any(&server->config.endpoint.listen)) { /* "::" on a machine without IPv6 */
        address_parse("0.0.0.0", server->config.endpoint.listen.port, &server->config.endpoint.listen);
        server->endpoint = endpoint_start(&server->config.endpoint, &sources, error);
    }
    if (server->endpoint) return true;
    char holder[PORT_HOLDER_BYTES], why[ENDPOINT_ERROR_BYTES + PORT_HOLDER_BYTES];
    snprintf(why, sizeof why, "%s%s", error, port_holder(&server->config.endpoint.listen, holder));
    log_error(server->log, "start failed", log_text("why", why),
              log_text("do", "choose another address with http.listen or --http; \"\" switches HTTP off"));
    return false;
}
