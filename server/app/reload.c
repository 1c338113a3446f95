#include "app/reload.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "app/config_changes.h"
#include "app/descriptors.h"
#include "app/name_table.h"
#include "common/clock.h"
#include "config/settings.h"

_Static_assert((int)RELOAD_ERROR_BYTES >= (int)TLS_ERROR_MAX && (int)RELOAD_ERROR_BYTES >= (int)SETUP_ERROR_BYTES &&
                   (int)RELOAD_ERROR_BYTES >= (int)LISTENER_ERROR_BYTES,
               "the parts write their errors to where ours is wanted");

/* What a reload acquires before it changes anything; each acquisition can fail. */
struct reload {
    struct tls_context *tls; /* NULL: the bundle is the one in use */
    struct file_mark bundle;
    struct listeners listeners;
    struct udp_setup udp;
    struct access_list *access;
    struct names *names;
    struct file_mark hosts; /* of the hosts file in `names` */
    struct route_table *routes;
    struct shared_cache store;
    struct pool *bootstrap; /* for other servers that are asked for addresses; NULL: the pool there is will do */
};

/* ---- settings that a reload does not change ---- */

/* Why a reload keeps the former value of the setting; NULL if it takes the new one. */
static const char *reason_to_keep(const struct server *server, const struct setting *setting)
{
    if (setting->applies == SETTING_RESTART) return "it is read at the start only";
    if (server->listeners.inherited && strcmp(setting->key, "listen") == 0) return LISTEN_IGNORED_WHY;
    return NULL;
}

/* Gives every changed setting that this reload does not apply its former value, so that what is shown is what is in
 * force, and logs its key. False: memory is short. */
static bool keep_former_values(const struct server *server, struct config *config)
{
    struct settings settings = settings_of_config();
    for (size_t i = 0; i < settings.count; i++) {
        const struct setting *setting = &settings.rows[i];
        const char *why = reason_to_keep(server, setting);
        if (!why || setting_equal(setting, config, &server->config)) continue;
        bool needs_restart = setting->applies == SETTING_RESTART;
        log_warning(server->log, needs_restart ? "needs a restart" : "setting ignored",
                    log_text("setting", setting->key), log_text("why", why));
        if (!setting_copy(setting, config, &server->config)) return false;
    }
    return true;
}

/* ---- prepare: each step may fail and changes nothing ---- */

static bool prepare_bundle(struct reload *reload, const struct server *server, const struct config *config,
                           char ret_error[static RELOAD_ERROR_BYTES])
{
    struct file_mark mark = file_mark_of(tls_ca_path(&config->tls));
    if (file_mark_equal(&mark, &server->bundle)) return true;
    if (!confinement_check_file(&server->confinement, "'tls.ca_file'", tls_ca_path(&config->tls), ret_error,
                                RELOAD_ERROR_BYTES))
        return false;
    return ca_bundle_load(&config->tls, server->tls_crypto, &reload->tls, &reload->bundle, ret_error);
}

static bool check_store_files(const struct confinement *confinement, const struct store_options *store,
                              char ret_error[static RELOAD_ERROR_BYTES])
{
    bool is_signed = strcmp(store->secret_file, STORE_UNSIGNED) != 0;
    return store->address.port == 0 ||
           ((!is_signed || confinement_check_file(confinement, "'shared_cache.secret_file'", store->secret_file,
                                                  ret_error, RELOAD_ERROR_BYTES)) &&
            confinement_check_file(confinement, "'shared_cache.password_file'", store->password_file, ret_error,
                                   RELOAD_ERROR_BYTES) &&
            confinement_check_file(confinement, "'shared_cache.ca_file'", store->ca_file, ret_error,
                                   RELOAD_ERROR_BYTES));
}

/* What would fail later for no other reason than the sandbox. A hosts file that was replaced is no reason to refuse the
 * rest: its former content stays (look_at_hosts in supervisor.c says why). */
static bool check_sandbox(const struct server *server, const struct config *config,
                          char ret_error[static RELOAD_ERROR_BYTES])
{
    const struct confinement *confinement = &server->confinement;
    const char *hosts = config->names.hosts_file;
    bool is_new = strcmp(hosts, server->config.names.hosts_file) != 0;
    return confinement_check_ports(confinement, config, !server->listeners.inherited, ret_error, RELOAD_ERROR_BYTES) &&
           confinement_check_file(confinement, "'udp.cookie_secret_file'", config->udp.cookie_secret_file, ret_error,
                                  RELOAD_ERROR_BYTES) &&
           check_store_files(confinement, &config->store, ret_error) &&
           (!is_new || confinement_check_file(confinement, "'names.hosts_file'", hosts, ret_error, RELOAD_ERROR_BYTES));
}

/* The mark is taken before the file is read, so that a change in between is noticed later. */
static bool prepare_names(struct reload *reload, const struct server *server, const struct config *config)
{
    bool is_same_file = strcmp(config->names.hosts_file, server->config.names.hosts_file) == 0;
    reload->hosts = file_mark_of(config->names.hosts_file);
    reload->names = name_table_new(config, is_same_file ? server->names : NULL, server->log);
    reload->routes = reload->names ? route_table_new(&config->routes, reload->names, server->routes) : NULL;
    return reload->routes;
}

static bool prepare_store(struct reload *reload, const struct server *server, const struct config *config,
                          char ret_error[static RELOAD_ERROR_BYTES])
{
    const struct shared_cache_tls tls = {reload->tls ? reload->tls : server->tls, server->tls_crypto};
    return shared_cache_make(config, &tls, &server->shared_cache, &reload->store, ret_error);
}

static void discard(struct reload *reload, const struct server *server)
{
    tls_context_free(reload->tls);
    access_free(reload->access);
    names_free(reload->names);
    route_table_free(reload->routes);
    shared_cache_free(&reload->store);
    pool_free(reload->bootstrap);
    listeners_close_but(&reload->listeners, &server->listeners);
    udp_setup_close_but(&reload->udp, &server->udp);
}

static bool prepare(struct reload *reload, const struct server *server, const struct config *config,
                    char ret_error[static RELOAD_ERROR_BYTES])
{
    const struct acceptor_options *options = &config->acceptor;
    if (!check_sandbox(server, config, ret_error)) return false;
    if (!prepare_bundle(reload, server, config, ret_error)) return false;
    if (!prepare_store(reload, server, config, ret_error)) return false;
    if (!listeners_reopen(&server->listeners, &reload->listeners, options->listen, options->listen_count, server->log,
                          ret_error))
        return false;
    if (!udp_setup_open(&reload->udp, &server->udp, NULL, config, server->log, ret_error)) return false;
    snprintf(ret_error, RELOAD_ERROR_BYTES, "out of memory");
    struct tls_context *tls = reload->tls ? reload->tls : server->tls;
    if (!bootstrap_prepare(server->bootstrap, config, tls, &reload->bootstrap)) return false;
    reload->access = access_new(config->access.allow, config->access.allow_count);
    return reload->access && prepare_names(reload, server, config) &&
           acceptor_reload(server->acceptor, &reload->listeners, reload->access);
}

/* ---- commit: no step fails ---- */

static void commit_bundle(const struct reload *reload, struct server *server, const struct config *config)
{
    if (!reload->tls) return;
    tls_context_free(server->tls);
    server->tls = reload->tls;
    server->bundle = reload->bundle;
    log_info(server->log, "CA bundle loaded", log_text("file", tls_ca_path(&config->tls)));
}

static void commit_store(const struct reload *reload, struct server *server)
{
    shared_cache_free(&server->shared_cache);
    server->shared_cache = reload->store;
}

static void commit_names(const struct reload *reload, struct server *server)
{
    pthread_mutex_lock(&server->config_lock);
    struct names *names = server->names;
    struct route_table *routes = server->routes;
    server->names = reload->names;
    server->routes = reload->routes;
    pthread_mutex_unlock(&server->config_lock);
    server->hosts = reload->hosts;
    names_free(names);
    route_table_free(routes);
}

/* The HTTP threads read which are missing. */
static void commit_listeners(const struct listeners *listeners, struct server *server)
{
    pthread_mutex_lock(&server->config_lock);
    server->listeners = *listeners;
    pthread_mutex_unlock(&server->config_lock);
    health_set_not_served(&server->health, listeners->missing, listeners->missing_count);
}

static void commit_config(struct server *server, const struct config *config)
{
    char changes[CHANGES_TEXT_BYTES];
    config_changes_note(&server->config, config, server->log, changes, sizeof changes);
    pthread_mutex_lock(&server->config_lock);
    struct config former = server->config;
    server->config = *config;
    server->reloaded_s = clock_wall_s();
    memcpy(server->reload_changes, changes, sizeof changes);
    pthread_mutex_unlock(&server->config_lock);
    config_free(&former);
}

static void commit(const struct reload *reload, struct server *server, const struct config *config)
{
    commit_bundle(reload, server, config);
    commit_store(reload, server);
    shared_cache_warn(config, server->log);
    access_free(server->access);
    server->access = reload->access;
    commit_names(reload, server);
    listeners_retire(&server->listeners, &reload->listeners);
    commit_listeners(&reload->listeners, server);
    server->udp = reload->udp;
    const struct ratelimit_options udp_limits = udp_setup_limits(config);
    ratelimit_set_options(server->udp_ratelimit, &udp_limits);
    cache_set_options(server->shared.cache, &config->cache);
    topnames_set_options(server->shared.topnames, &config->topnames);
    ratelimit_set_options(server->shared.ratelimit, &config->ratelimit);
    connections_set_options(server->connections, &config->connections);
    if (server->endpoint) endpoint_set_options(server->endpoint, &config->endpoint);
    log_set_level(server->log, config->log.level);
    active_workers_set_least(&server->active, config->min_workers);
    bootstrap_set(server->bootstrap, config, server->tls, reload->bootstrap);
    server_resolve_upstreams(server, config);
    server_tell_workers(server, config);
    commit_config(server, config);
    const struct keeper_settings settings = server_keeper_settings(server);
    if (server->keeper) keeper_set_settings(server->keeper, &settings);
}

bool reload_apply(struct server *server, struct config *config, char ret_error[static RELOAD_ERROR_BYTES])
{
    struct reload reload = {.tls = NULL};
    if (!keep_former_values(server, config)) {
        snprintf(ret_error, RELOAD_ERROR_BYTES, "out of memory");
        return false;
    }
    config->connections.max_connections = descriptors_connections_max(config, server->log);
    if (!prepare(&reload, server, config, ret_error)) {
        discard(&reload, server);
        return false;
    }
    commit(&reload, server, config);
    return true;
}

bool reload_apply_bundle(struct server *server, char ret_error[static RELOAD_ERROR_BYTES])
{
    struct reload reload = {.tls = NULL};
    if (!prepare_bundle(&reload, server, &server->config, ret_error)) return false;
    if (!reload.tls) return true;
    if (!shared_cache_retrust(&server->shared_cache, server->tls, reload.tls, &reload.store)) {
        snprintf(ret_error, RELOAD_ERROR_BYTES, "out of memory");
        tls_context_free(reload.tls);
        return false;
    }
    commit_bundle(&reload, server, &server->config);
    commit_store(&reload, server);
    bootstrap_set(server->bootstrap, &server->config, server->tls, NULL);
    server_tell_workers(server, &server->config);
    return true;
}

bool reload_apply_hosts(struct server *server)
{
    struct reload reload = {.tls = NULL};
    if (!prepare_names(&reload, server, &server->config)) {
        names_free(reload.names);
        return false;
    }
    commit_names(&reload, server);
    server_tell_workers(server, &server->config);
    return true;
}

/* The UDP sockets of addresses for which a TCP socket could be opened now. */
static void retry_udp(struct server *server)
{
    struct udp_setup next;
    char error[LISTENER_ERROR_BYTES];
    if (!udp_setup_open(&next, &server->udp, NULL, &server->config, server->log, error)) {
        log_error(server->log, "no UDP", log_text("why", error));
        return;
    }
    server->udp = next;
    server_tell_workers(server, &server->config);
}

void reload_retry_listeners(struct server *server)
{
    struct listeners next;
    unsigned former = server->listeners.count;
    if (!listeners_retry(&server->listeners, &next)) return;
    if (!acceptor_reload(server->acceptor, &next, server->access)) {
        listeners_close_but(&next, &server->listeners);
        return;
    }
    commit_listeners(&next, server);
    retry_udp(server);
    for (unsigned i = former; i < next.count; i++) {
        char text[ADDRESS_TEXT_BYTES];
        log_info(server->log, "listening", log_text("address", address_format(&next.addresses[i], text)));
    }
}
