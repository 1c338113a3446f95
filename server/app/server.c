#include "app/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/descriptors.h"
#include "app/handover_give.h"
#include "app/name_table.h"
#include "app/state.h"
#include "common/clock.h"
#include "common/sanitized.h"
#include "common/service.h"
#include "upstream/tls_crypto.h"

/* ---- start ---- */

/* Whether the pools of the workers would be made anew. */
static bool are_same(const struct upstream_options *a, const struct upstream_options *b, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!address_equal(&a[i].address, &b[i].address) || strcmp(a[i].name, b[i].name) != 0) return false;
    return true;
}

bool server_resolve_upstreams(struct server *server, const struct config *config)
{
    struct upstream_options upstreams[UPSTREAMS_MAX];
    unsigned count = bootstrap_resolve(server->bootstrap, &config->pool, upstreams);
    const struct bootstrap_figures figures = bootstrap_figures(server->bootstrap);
    bool is_stuck = count == 0 && server->upstreams.count > 0;
    bool is_other =
        !is_stuck && (count != server->upstreams.count || !are_same(upstreams, server->upstreams.list, count));
    pthread_mutex_lock(&server->config_lock);
    server->upstreams.figures = figures;
    if (is_other) {
        memcpy(server->upstreams.list, upstreams, count * sizeof *upstreams);
        server->upstreams.count = count;
    }
    pthread_mutex_unlock(&server->config_lock);
    health_set_nothing_resolved(&server->health, count == 0);
    return is_other;
}

void server_tell_workers(const struct server *server, const struct config *config)
{
    for (unsigned i = 0; i < server->worker_count; i++) {
        struct worker_settings settings = server_worker_settings(server, config, i);
        if (!worker_reload(server->workers[i], &settings))
            log_error(server->log, "reload incomplete", log_text("why", "out of memory"), log_number("worker", i),
                      log_text("do", "reload again"));
    }
}

struct worker_settings server_worker_settings(const struct server *server, const struct config *config, unsigned worker)
{
    struct worker_settings settings = {
        .client = config->client,
        .forwarder = config->forwarder,
        .pool = config->pool,
        .udp = config->udp,
        .cookie_keys = server->udp.keys,
        .udp_sockets = server->udp.listeners.of_worker[worker],
        .tls = server->tls,
        .access = server->access,
        .names = server->names,
        .routes = server->routes,
        .store = server->shared_cache.setup,
    };
    memcpy(settings.pool.upstreams, server->upstreams.list, sizeof server->upstreams.list);
    settings.pool.upstream_count = server->upstreams.count;
    settings.udp.max_pending = config->forwarder.max_queries * UDP_PENDING_PER_QUERY;
    settings.client.crowded_above = config->connections.max_connections / 5 * 4;
    return settings;
}

struct keeper_settings server_keeper_settings(const struct server *server)
{
    return state_settings(&server->config, server->names, &server->udp.keys);
}

static bool make_state(struct server *server)
{
    const struct keeper_deps deps = {
        .log = server->log,
        .shared = &server->shared,
        .main_mailbox = &server->mailbox,
        .saved_kind = STATE_SAVED,
    };
    const struct keeper_settings settings = server_keeper_settings(server);
    _Static_assert((int)STATE_SAVED != (int)WORKER_ENDED, "mail of different kinds");
    return state_make(&deps, &settings, &server->shared, &server->udp.keys, &server->keeper);
}

static bool make_tables(struct server *server)
{
    const struct config *config = &server->config;
    server->shared.hash_key = hash_key_draw();
    server->shared.purges = &server->purges;
    server->shared.cache = cache_new(&config->cache);
    server->shared.topnames = topnames_new(&config->topnames);
    server->shared.ratelimit = ratelimit_new(&config->ratelimit, &server->shared.hash_key);
    const struct ratelimit_options udp_limits = udp_setup_limits(config);
    server->udp_ratelimit = ratelimit_new(&udp_limits, &server->shared.hash_key);
    server->connections = connections_new(&config->connections, &server->shared.hash_key);
    server->busiest = busiest_new();
    server->access = access_new(config->access.allow, config->access.allow_count);
    server->hosts = file_mark_of(config->names.hosts_file);
    server->names = name_table_new(config, NULL, server->log);
    server->routes = server->names ? route_table_new(&config->routes, server->names, NULL) : NULL;
    return server->routes && server->access && server->shared.cache && server->shared.topnames &&
           server->shared.ratelimit && server->udp_ratelimit && server->connections && server->busiest;
}

static bool make_workers(struct server *server)
{
    active_workers_init(&server->active, server->config.workers, server->config.min_workers, clock_now_ns());
    const struct worker_deps deps = {
        .log = server->log,
        .shared = &server->shared,
        .udp_ratelimit = server->udp_ratelimit,
        .connections = server->connections,
        .busiest = server->busiest,
        .main_mailbox = &server->mailbox,
        .active = &server->active,
        .dnstap = server->dnstap,
        .recent_queries = server->config.recent_queries,
    };
    for (unsigned i = 0; i < server->config.workers; i++) {
        char name[HEALTH_NAME_BYTES];
        snprintf(name, sizeof name, "worker %u", i);
        struct heartbeat *heartbeat = health_add(&server->health, name, clock_now_ns());
        struct worker_settings settings = server_worker_settings(server, &server->config, i);
        struct worker *worker = worker_new(&deps, &settings, i, heartbeat);
        if (!worker) return false;
        server->workers[i] = worker;
        server->blocks[i] = worker_counters(worker);
        server->rings[i] = worker_ring(worker);
        server->worker_count++;
    }
    return true;
}

/* TCP first: it refuses a second instance of the program, which UDP would not (clients/udp_listener.h). */
static bool open_sockets(struct server *server)
{
    const struct acceptor_options *options = &server->config.acceptor;
    char error[LISTENER_ERROR_BYTES];
    struct handover *handover = &server->handover;
    if (listeners_open(&server->listeners, &handover->listeners, options->listen, options->listen_count, server->log,
                       error) &&
        udp_setup_open(&server->udp, NULL, &handover->udp, &server->config, server->log, error))
        return true;
    log_error(server->log, "start failed", log_text("why", error));
    return false;
}

static bool make_acceptor(struct server *server)
{
    bool keeps = server->config.recent_queries > 0;
    if (keeps) server->acceptor_ring = query_ring_new(server->config.recent_queries);
    if (keeps && !server->acceptor_ring) return false;
    struct acceptor_deps deps = {
        .log = server->log,
        .connections = server->connections,
        .target_count = server->worker_count,
        .active = &server->active,
        .heartbeat = health_add(&server->health, "acceptor", clock_now_ns()),
        .ring = server->acceptor_ring,
    };
    for (unsigned i = 0; i < server->worker_count; i++) deps.targets[i] = worker_acceptor_target(server->workers[i]);
    health_set_not_served(&server->health, server->listeners.missing, server->listeners.missing_count);
    server->acceptor = acceptor_new(&deps, &server->listeners, server->access);
    server->rings[server->worker_count] = server->acceptor_ring;
    if (!server->acceptor) return false;
    server->blocks[server->worker_count] = acceptor_counters(server->acceptor);
    server->blocks[server->worker_count + 1] = keeper_counters(server->keeper);
    listeners_retire(&server->handover.listeners, &server->listeners);
    acceptor_add_former(server->acceptor, &server->handover.listeners, &server->listeners);
    return true;
}

/* Clients and UDP sockets of the process before this one. False: memory is short. */
static bool take_over_clients(struct server *server)
{
    struct handover *handover = &server->handover;
    struct tcp_clients *clients[WORKERS_MAX];
    if (!handover_is_there(handover)) return true;
    for (unsigned i = 0; i < server->worker_count; i++) {
        struct udp_sockets former;
        clients[i] = worker_clients(server->workers[i]);
        udp_former_spread(&handover->udp, i, server->worker_count, &former);
        if (!worker_hold(server->workers[i], &former)) return false;
    }
    return handover_take_clients(handover, server->connections, clients, active_workers_count(&server->active),
                                 clock_now_ns());
}

static bool fail(const struct server *server, const char *why)
{
    log_error(server->log, "start failed", log_text("why", why));
    return false;
}

bool server_start_threads(struct server *server)
{
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (!worker_start(server->workers[i])) return fail(server, "the system gives no more threads");
        server->workers_running++;
    }
    server->accepting = acceptor_start(server->acceptor);
    if (!server->accepting) return fail(server, "the system gives no more threads");
    const struct keeper_settings settings = server_keeper_settings(server);
    if (server->keeper && !keeper_start(server->keeper, &settings))
        log_error(server->log, "no state is kept", log_text("why", "the system gives no more threads"));
    return true;
}

bool server_start_bootstrap(struct server *server, struct loop *loop)
{
    struct pool *pool = NULL;
    bootstrap_set_loop(server->bootstrap, loop);
    if (!bootstrap_prepare(server->bootstrap, &server->config, server->tls, &pool))
        return fail(server, "out of memory");
    bootstrap_set(server->bootstrap, &server->config, server->tls, pool);
    return true;
}

void server_look_up_names(struct server *server, uint64_t now_ns)
{
    bootstrap_tick(server->bootstrap, now_ns);
    if (server_resolve_upstreams(server, &server->config)) server_tell_workers(server, &server->config);
}

bool server_make(struct server *server, struct config *config, struct log *log,
                 void (*on_mail)(struct loop_source *source, uint32_t events))
{
    char error[TLS_ERROR_MAX];
    *server = (struct server){.config = *config,
                              .log = log,
                              .mailbox.source.fd = -1,
                              .reload_good = true,
                              .handover.bag = -1,
                              .civetweb_fd = -1};
    *config = (struct config){0};
    pthread_mutex_init(&server->config_lock, NULL);
    purges_init(&server->purges);
    server->started_s = server->reloaded_s = clock_wall_s();
    if (!confinement_begin(&server->confinement, &server->config, log)) return false;
    if (!mailbox_init(&server->mailbox, on_mail)) return fail(server, "no descriptors");
    server->config.connections.max_connections = descriptors_connections_max(&server->config, log);
    server->tls_crypto = tls_crypto_new(NULL);
    if (!server->tls_crypto) return fail(server, "out of memory");
    if (!ca_bundle_load(&server->config.tls, server->tls_crypto, &server->tls, &server->bundle, error)) {
        log_error(log, "start failed", log_text("why", error),
                  log_text("do", "install ca-certificates, or set tls.ca_file"));
        return false;
    }
    char why[SETUP_ERROR_BYTES];
    const struct shared_cache_tls tls = {server->tls, server->tls_crypto};
    if (!shared_cache_make(&server->config, &tls, NULL, &server->shared_cache, why)) return fail(server, why);
    shared_cache_warn(&server->config, log);
    health_init(&server->health, server->blocks, server->config.workers, clock_now_ns());
    server->heartbeat = health_add(&server->health, "main", clock_now_ns());
    server->bootstrap = bootstrap_new(log);
    if (!server->bootstrap) return fail(server, "out of memory");
    server_resolve_upstreams(server, &server->config);
    if (!make_tables(server)) return fail(server, "out of memory");
    handover_look(&server->handover, log);
    return open_sockets(server);
}

bool server_make_workers(struct server *server)
{
    if (!make_state(server)) return fail(server, "out of memory");
    if (*server->config.dnstap.socket) {
        server->dnstap = dnstap_start(&server->config.dnstap, server->config.workers);
        if (!server->dnstap) return fail(server, "no memory or thread for dnstap");
    }
    if (!make_workers(server) || !make_acceptor(server) || !take_over_clients(server))
        return fail(server, "out of memory or descriptors");
    return true;
}

void server_take_over(struct server *server)
{
    if (!handover_is_there(&server->handover)) return;
    pthread_mutex_lock(&server->config_lock);
    handover_commit(&server->handover, clock_now_ns());
    pthread_mutex_unlock(&server->config_lock);
    for (unsigned i = 0; i < server->worker_count; i++) worker_begin(server->workers[i]);
}

/* ---- end ---- */

void server_stop_accepting(struct server *server, bool keep_listeners)
{
    if (!server->accepting) return;
    acceptor_stop(server->acceptor, keep_listeners);
    acceptor_join(server->acceptor);
    server->accepting = false;
}

void server_join_workers(struct server *server)
{
    while (server->workers_running > 0) worker_join(server->workers[--server->workers_running]);
}

static bool hand_over(struct server *server, uint64_t stopped_ns)
{
    struct handover_parts parts = {
        .listeners = &server->listeners,
        .udp = &server->udp.listeners,
        .workers = server->worker_count,
        .stopped_ns = stopped_ns,
    };
    for (unsigned i = 0; i < server->worker_count; i++) parts.clients[i] = worker_clients(server->workers[i]);
    return handover_give(&parts, server->log);
}

void server_end(struct server *server, bool handing_over, uint64_t stopped_ns)
{
    bool handed_over = handing_over && hand_over(server, stopped_ns);
    log_info(server->log, "stopped", log_number("connections", connections_count(server->connections)));
    service_status("Stopped"); /* systemctl shows the last one for as long as the unit is not started */
    if (!handed_over || IS_SANITIZED) return;
    /* Clients wait for the next process, which is started when this one has ended. The system takes memory and threads
     * back at once; civetweb's stop and a large cache, freed entry by entry, took 15 to 75 ms. */
    dnstap_stop(server->dnstap); /* its reader gets what waits */
    _exit(EXIT_SUCCESS);
}

void server_free(struct server *server)
{
    server_stop_accepting(server, false);
    active_workers_stop_moves(&server->active);
    for (unsigned i = 0; i < server->workers_running; i++) worker_stop(server->workers[i]);
    server_join_workers(server);
    endpoint_stop(server->endpoint);
    bootstrap_free(server->bootstrap);
    keeper_free(server->keeper);
    warmup_free(server->shared.warmup);
    for (unsigned i = 0; i < server->worker_count; i++) worker_free(server->workers[i]);
    active_workers_done(&server->active);
    dnstap_stop(server->dnstap);
    if (!server->acceptor) listeners_close(&server->listeners); /* it did not come to own them */
    handover_done(&server->handover);
    acceptor_free(server->acceptor);
    query_ring_free(server->acceptor_ring);
    access_free(server->access);
    names_free(server->names);
    route_table_free(server->routes);
    shared_cache_free(&server->shared_cache);
    tls_context_free(server->tls);
    tls_crypto_free(server->tls_crypto);
    busiest_free(server->busiest);
    connections_free(server->connections);
    ratelimit_free(server->shared.ratelimit);
    ratelimit_free(server->udp_ratelimit);
    topnames_free(server->shared.topnames);
    cache_free(server->shared.cache);
    if (server->mailbox.source.fd >= 0) mailbox_done(&server->mailbox);
    if (server->civetweb_fd >= 0) close(server->civetweb_fd);
    config_free(&server->config);
    confinement_done(&server->confinement);
    purges_done(&server->purges);
    pthread_mutex_destroy(&server->config_lock);
}
