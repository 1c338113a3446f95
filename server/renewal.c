#include "renewal.h"

#include <pthread.h>
#include <stdio.h>

#include "common/clock.h"

_Static_assert((int)RENEWAL_ERROR_BYTES >= (int)TLS_ERROR_MAX && (int)RENEWAL_ERROR_BYTES >= (int)LISTENER_ERROR_BYTES,
               "the parts write their errors to where ours is wanted");

/* What may not be to be had. */
struct renewal {
    struct tls_context *tls; /* NULL: the bundle is the one in use */
    struct bundle_mark bundle;
    struct listeners listeners;
    struct access_list *access;
};

/* ---- what only a restart changes ---- */

static void log_needs_restart(const struct server *server, bool changed, const char *setting)
{
    if (changed) log_warning(server->log, "needs a restart", log_text("setting", setting));
}

/* Stays as it is, in what is shown, too. */
static void keep_fixed(const struct server *server, struct config *config)
{
    const struct config *old = &server->config;
    bool other_http = !address_equal(&config->endpoint.listen, &old->endpoint.listen) ||
                      config->endpoint.status_page != old->endpoint.status_page;
    log_needs_restart(server, config->workers != old->workers, "workers");
    log_needs_restart(server, other_http, "http");
    log_needs_restart(server, config->topnames.top != old->topnames.top, "prefetch.top");
    log_needs_restart(server, config->ratelimit.max_clients != old->ratelimit.max_clients, "rate_limit.max_clients");
    log_needs_restart(server, config->log.format != old->log.format, "log.format");
    config->workers = old->workers;
    config->endpoint = old->endpoint;
    config->topnames.top = old->topnames.top;
    config->ratelimit.max_clients = old->ratelimit.max_clients;
    config->log.format = old->log.format;
}

/* ---- first: what may not be to be had ---- */

static bool prepare_bundle(struct renewal *renewal, const struct server *server, const struct config *config,
                           char ret_error[static RENEWAL_ERROR_BYTES])
{
    struct bundle_mark mark = bundle_mark_of(tls_ca_path(&config->tls));
    if (bundle_mark_equal(&mark, &server->bundle)) return true;
    return server_load_bundle(config, &renewal->tls, &renewal->bundle, ret_error);
}

static void discard(struct renewal *renewal, const struct server *server)
{
    tls_context_free(renewal->tls);
    access_free(renewal->access);
    listeners_close_but(&renewal->listeners, &server->listeners);
}

static bool prepare(struct renewal *renewal, const struct server *server, const struct config *config,
                    char ret_error[static RENEWAL_ERROR_BYTES])
{
    const struct acceptor_options *options = &config->acceptor;
    if (!prepare_bundle(renewal, server, config, ret_error)) return false;
    if (!listeners_reopen(&server->listeners, &renewal->listeners, options->listen, options->listen_count, server->log,
                          ret_error))
        return false;
    snprintf(ret_error, RENEWAL_ERROR_BYTES, "out of memory");
    renewal->access = access_new(config->access.allow, config->access.allow_count);
    return renewal->access &&
           acceptor_reload(server->acceptor, &renewal->listeners, config->connections.max_connections);
}

/* ---- then: nothing that fails ---- */

static void tell_workers(const struct server *server, const struct config *config)
{
    struct worker_settings settings = server_worker_settings(server, config);
    for (unsigned i = 0; i < server->worker_count; i++)
        if (!worker_reload(server->workers[i], &settings))
            log_error(server->log, "reload incomplete", log_text("why", "out of memory"), log_number("worker", i),
                      log_text("do", "reload again"));
}

static void commit_bundle(const struct renewal *renewal, struct server *server, const struct config *config)
{
    if (!renewal->tls) return;
    tls_context_free(server->tls);
    server->tls = renewal->tls;
    server->bundle = renewal->bundle;
    log_info(server->log, "CA bundle loaded", log_text("file", tls_ca_path(&config->tls)));
}

static void commit_config(struct server *server, const struct config *config)
{
    pthread_mutex_lock(&server->config_lock);
    struct config former = server->config;
    server->config = *config;
    server->reloaded_s = clock_wall_s();
    pthread_mutex_unlock(&server->config_lock);
    config_free(&former);
}

static void commit(const struct renewal *renewal, struct server *server, const struct config *config)
{
    commit_bundle(renewal, server, config);
    access_free(server->access);
    server->access = renewal->access;
    listeners_retire(&server->listeners, &renewal->listeners);
    server->listeners = renewal->listeners;
    cache_set_options(server->shared.cache, &config->cache);
    ratelimit_set_options(server->shared.ratelimit, &config->ratelimit);
    connections_set_options(server->connections, &config->connections);
    log_set_level(server->log, config->log.level);
    tell_workers(server, config);
    commit_config(server, config);
}

/* ---- the two ---- */

bool renewal_apply(struct server *server, struct config *config, char ret_error[static RENEWAL_ERROR_BYTES])
{
    struct renewal renewal = {.tls = NULL};
    keep_fixed(server, config);
    config->connections.max_connections = server_connections_max(server, config);
    if (!prepare(&renewal, server, config, ret_error)) {
        discard(&renewal, server);
        return false;
    }
    commit(&renewal, server, config);
    return true;
}

bool renewal_apply_bundle(struct server *server, char ret_error[static RENEWAL_ERROR_BYTES])
{
    struct renewal renewal = {.tls = NULL};
    if (!prepare_bundle(&renewal, server, &server->config, ret_error)) return false;
    commit_bundle(&renewal, server, &server->config);
    tell_workers(server, &server->config);
    return true;
}
