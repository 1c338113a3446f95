#include "app/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/client_rates.h"
#include "app/server.h"
#include "common/clock.h"
#include "config/print.h"
#include "config/settings.h"
#include "dns/presentation.h"
#include "dns/validator.h"
#include "upstream/upstream.h"

static unsigned read_addresses(const struct server *server, enum ratelimit_order order, uint64_t now_ns,
                               struct figures_client ret_clients[static BUSIEST_MAX])
{
    struct ratelimit_client clients[BUSIEST_MAX];
    size_t count =
        client_rates_list(server->shared.ratelimit, server->udp_ratelimit, order, now_ns, clients, BUSIEST_MAX);
    for (size_t i = 0; i < count; i++) {
        struct address address = {0};
        memcpy(address.ip, clients[i].ip, sizeof address.ip);
        address_format_ip(&address, ret_clients[i].address);
        ret_clients[i].queries_per_s = clients[i].queries_per_s;
        ret_clients[i].refused_per_s = clients[i].refused_per_s;
    }
    return (unsigned)count;
}

static void read_busiest(const struct server *server, uint64_t now_ns, struct figures *figures)
{
    struct busiest_client pairs[BUSIEST_MAX];
    figures->busiest_port_count = (unsigned)busiest_list(server->busiest, now_ns, pairs, BUSIEST_MAX);
    for (unsigned i = 0; i < figures->busiest_port_count; i++) {
        struct figures_client *client = &figures->busiest_ports[i];
        address_format_ip(&pairs[i].address, client->address);
        client->port = pairs[i].address.port;
        client->queries_per_s = pairs[i].queries_per_s;
    }
    figures->busiest_address_count = read_addresses(server, RATELIMIT_BY_QUERIES, now_ns, figures->busiest_addresses);
    figures->limited_count = read_addresses(server, RATELIMIT_BY_REFUSED, now_ns, figures->limited_addresses);
}

static void read_names(const struct server *server, struct figures *figures)
{
    struct topname *names = calloc(NAMES_MAX, sizeof *names);
    if (!names) return;
    size_t count = topnames_list(server->shared.topnames, names, NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct figures_name *shown = &figures->names[i];
        struct question_key key = {.size = names[i].size};
        if (key.size < 4 || key.size > sizeof key.bytes) continue;
        memcpy(key.bytes, names[i].bytes, key.size);
        char name[PRESENTATION_NAME_BYTES];
        char type[PRESENTATION_TYPE_BYTES];
        snprintf(shown->name, sizeof shown->name, "%s",
                 presentation_name(key.bytes, question_key_name_size(&key), name));
        snprintf(shown->type, sizeof shown->type, "%s", presentation_type(question_key_type(&key), type));
        shown->asks = names[i].queries;
        figures->name_count = (unsigned)i + 1;
    }
    free(names);
}

unsigned figures_label_upstreams(const struct server *server, char labels[static UPSTREAM_SERIES][UPSTREAM_LABEL_BYTES])
{
    _Static_assert((int)UPSTREAM_LABEL_BYTES >= (int)UPSTREAM_LABEL_MAX, "a label has room");
    const struct route_table *table = server->routes;
    memset(labels, 0, UPSTREAM_SERIES * sizeof *labels);
    for (unsigned i = 0; i < server->upstreams.count; i++)
        upstream_format_label(&server->upstreams.list[i], "", labels[i]);
    for (unsigned i = 0; i < table->count; i++) {
        const struct route *route = &table->routes[i];
        if (route->first_series == UPSTREAM_SERIES_REST) continue;
        for (unsigned j = 0; j < route->upstream_count; j++)
            upstream_format_label(&route->upstreams[j], route->name, labels[route->first_series + j]);
    }
    if (table->series[UPSTREAM_SERIES_REST] != 0) snprintf(labels[UPSTREAM_SERIES_REST], UPSTREAM_LABEL_BYTES, "rest");
    return table->count > 0 ? UPSTREAM_SERIES : server->upstreams.count;
}

static void read_upstreams(const struct server *server, struct figures *figures)
{
    const struct route_table *table = server->routes;
    figures->upstream_count = figures_label_upstreams(server, figures->upstreams);
    figures->upstream_names = server->upstreams.figures.names;
    figures->upstream_names_failing = server->upstreams.figures.failing;
    figures->routes = table->count;
    figures->routes_failing = route_table_list_failing(table, figures->failing_routes, sizeof figures->failing_routes);
}

_Static_assert((int)SETTINGS_MAX <= (int)FIGURES_SETTINGS_MAX, "there is room for each setting");

static bool is_number(const struct setting *setting)
{
    return setting->kind <= SETTING_SIZE || setting->kind == SETTING_BOOLEAN; /* kinds with a range come first */
}

static void read_settings(const struct server *server, struct figures *figures)
{
    struct settings settings = settings_of_config();
    figures->setting_count = 0;
    for (size_t i = 0; i < settings.count; i++) {
        const struct setting *setting = &settings.rows[i];
        if (!is_number(setting)) continue;
        double unit = setting->kind == SETTING_DURATION ? (double)NS_PER_S : 1;
        figures->settings[figures->setting_count++] =
            (struct figures_setting){setting->key, (double)setting_load(setting, &server->config) / unit};
    }
}

/* What the start or a reload may be changing meanwhile. */
static void read_config(struct server *server, struct figures *figures)
{
    pthread_mutex_lock(&server->config_lock);
    figures->reload_good = server->reload_good;
    memcpy(figures->reload_refusal, server->reload_refusal, sizeof figures->reload_refusal);
    memcpy(figures->reload_changes, server->reload_changes, sizeof figures->reload_changes);
    const struct handover_figures *handover = &server->handover.figures;
    figures->handover_given = handover->given;
    figures->handover_taken = handover->taken;
    figures->handover_closed = handover->closed;
    figures->handover_pause_s = (double)handover->pause_ns / (double)NS_PER_S;
    figures->addresses_not_served = server->listeners.missing_count;
    figures->reloaded_s = (double)server->reloaded_s;
    figures->connections_max = server->config.connections.max_connections;
    figures->cache_bytes_max = (double)server->config.cache.max_bytes;
    const struct address *store = &server->config.store.address;
    figures->shared_cache[0] = '\0';
    if (store->port != 0) address_format(store, figures->shared_cache);
    read_upstreams(server, figures);
    read_settings(server, figures);
    pthread_mutex_unlock(&server->config_lock);
}

void figures_write_config(void *context, FILE *out)
{
    struct server *server = context;
    pthread_mutex_lock(&server->config_lock);
    print_config(&server->config, out);
    pthread_mutex_unlock(&server->config_lock);
}

void figures_read(void *context, uint64_t now_ns, bool with_names, struct figures *ret_figures)
{
    struct server *server = context;
    read_config(server, ret_figures);
    ret_figures->started_s = (double)server->started_s;
    ret_figures->workers = server->worker_count;
    ret_figures->workers_active = active_workers_count(&server->active);
    ret_figures->build.version = PROJECT_VERSION;
    ret_figures->build.wolfssl = tls_library_version();
    ret_figures->build.ldns = validator_library_version();
    const struct cache_figures cache = cache_figures(server->shared.cache);
    ret_figures->cache_entries = (double)cache.entries;
    ret_figures->cache_bytes = (double)cache.bytes;
    ret_figures->cache_evictions = (double)cache.evictions;
    const struct dnstap_counts dnstap = dnstap_counts(server->dnstap);
    ret_figures->dnstap_written = (double)dnstap.written;
    ret_figures->dnstap_lost = (double)dnstap.lost;
    confinement_read(&server->confinement, ret_figures);
    const struct keeper_figures state = keeper_figures(server->keeper);
    ret_figures->state_snapshot_s = state.snapshot_s;
    ret_figures->state_snapshot_bytes = state.bytes;
    ret_figures->state_save_s = state.save_s;
    ret_figures->state_load_s = state.load_s;
    if (!with_names) return; /* as for the history each second: the tables of clients are not walked in vain */
    read_busiest(server, now_ns, ret_figures);
    read_names(server, ret_figures);
}

void figures_list_failing_routes(void *context, char text[static FAILING_ROUTES_BYTES])
{
    struct server *server = context;
    pthread_mutex_lock(&server->config_lock);
    route_table_list_failing(server->routes, text, FAILING_ROUTES_BYTES);
    pthread_mutex_unlock(&server->config_lock);
}
