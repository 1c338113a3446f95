#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/clock.h"
#include "flush.h"
#include "snapshot.h"

enum {
    FDS_RESERVED = 128, /* HTTP (80: metrics/http_connections.h), standard streams, epoll sets, mailboxes, a file at a reload */
    FDS_A_SESSION = 2,  /* one in use, one being replaced */
};

/* ---- descriptors ---- */

/* Raises the limit as far as it goes; returns it. */
static uint64_t raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

uint32_t server_connections_max(const struct server *server, const struct config *config)
{
    uint64_t limit = raise_descriptor_limit();
    uint64_t sessions =
        (uint64_t)config->workers * config->pool.upstream_count * config->pool.max_sessions * FDS_A_SESSION;
    uint64_t reserved = FDS_RESERVED + sessions;
    uint64_t left = limit > reserved * 2 ? limit - reserved : limit / 2;
    if (config->connections.max_connections <= left) return config->connections.max_connections;
    log_warning(server->log, "fewer connections than configured", log_number("max_connections", left),
                log_number("configured", config->connections.max_connections), log_number("descriptors", limit),
                log_text("do", "raise the limit of open files (systemd: LimitNOFILE=)"));
    return (uint32_t)left;
}

/* ---- the CA bundle ---- */

struct bundle_mark bundle_mark_of(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) return (struct bundle_mark){0};
    return (struct bundle_mark){status.st_dev, status.st_ino, status.st_size, status.st_mtim};
}

bool bundle_mark_equal(const struct bundle_mark *a, const struct bundle_mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

bool server_load_bundle(const struct config *config, struct tls_context **ret_tls, struct bundle_mark *ret_mark,
                        char ret_error[static TLS_ERROR_MAX])
{
    struct bundle_mark mark = bundle_mark_of(tls_ca_path(&config->tls)); /* before reading: a later change is seen */
    struct tls_context *tls = tls_context_new(&config->tls, ret_error);
    if (!tls) return false;
    *ret_tls = tls;
    *ret_mark = mark;
    return true;
}

/* ---- start ---- */

struct worker_settings server_worker_settings(const struct server *server, const struct config *config)
{
    struct worker_settings settings = {config->client, config->forwarder, config->pool, server->tls, server->access};
    settings.client.crowded_above = config->connections.max_connections / 5 * 4;
    return settings;
}

static bool make_tables(struct server *server)
{
    const struct config *config = &server->config;
    server->shared.hash_key = hash_key_draw();
    server->shared.cache = cache_new(&config->cache);
    server->shared.topnames = topnames_new(&config->topnames);
    server->shared.ratelimit = ratelimit_new(&config->ratelimit, &server->shared.hash_key);
    server->connections = connections_new(&config->connections, &server->shared.hash_key);
    server->busiest = busiest_new();
    server->access = access_new(config->access.allow, config->access.allow_count);
    return server->access && server->shared.cache && server->shared.topnames && server->shared.ratelimit &&
           server->connections && server->busiest;
}

static bool make_workers(struct server *server)
{
    const struct worker_place place = {
        .log = server->log,
        .shared = &server->shared,
        .connections = server->connections,
        .busiest = server->busiest,
        .main_mailbox = &server->mailbox,
        .workers = server->config.workers,
    };
    struct worker_settings settings = server_worker_settings(server, &server->config);
    for (unsigned i = 0; i < server->config.workers; i++) {
        char name[HEALTH_NAME_BYTES];
        snprintf(name, sizeof name, "worker %u", i);
        struct heartbeat *heartbeat = health_add(&server->health, name, clock_now_ns());
        struct worker *worker = worker_new(&place, &settings, i, heartbeat);
        if (!worker) return false;
        server->workers[i] = worker;
        server->blocks[i] = worker_counters(worker);
        server->worker_count++;
    }
    return true;
}

static bool make_acceptor(struct server *server)
{
    char error[LISTENER_ERROR_BYTES];
    const struct acceptor_place place = {
        .log = server->log,
        .connections = server->connections,
        .workers = server->workers,
        .worker_count = server->worker_count,
        .heartbeat = health_add(&server->health, "acceptor", clock_now_ns()),
    };
    const struct acceptor_options *options = &server->config.acceptor;
    if (!listeners_open(&server->listeners, options->listen, options->listen_count, server->log, error)) {
        log_error(server->log, "start failed", log_text("why", error));
        return false;
    }
    server->acceptor = acceptor_new(&place, &server->listeners, server->config.connections.max_connections);
    if (server->acceptor) {
        server->blocks[server->worker_count] = acceptor_counters(server->acceptor);
        return true;
    }
    listeners_close(&server->listeners);
    return false;
}

static bool start_endpoint(struct server *server)
{
    char error[ENDPOINT_ERROR_BYTES];
    const struct endpoint_sources sources = {
        .blocks = server->blocks,
        .block_count = server->worker_count + 1,
        .health = &server->health,
        .log = server->log,
        .context = server,
        .read_figures = snapshot_read,
        .flush = flush,
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

static bool start_threads(struct server *server)
{
    for (unsigned i = 0; i < server->worker_count; i++) {
        if (!worker_start(server->workers[i])) return false;
        server->workers_running++;
    }
    server->accepting = acceptor_start(server->acceptor);
    return server->accepting;
}

static bool fail(const struct server *server, const char *why)
{
    log_error(server->log, "start failed", log_text("why", why));
    return false;
}

bool server_start(struct server *server, struct config *config, struct log *log,
                  void (*on_mail)(struct loop_source *source, uint32_t events))
{
    char error[TLS_ERROR_MAX];
    *server = (struct server){.config = *config, .log = log, .mailbox.source.fd = -1, .reload_good = true};
    *config = (struct config){0};
    pthread_mutex_init(&server->config_lock, NULL);
    server->started_s = server->reloaded_s = clock_wall_s();
    if (!mailbox_init(&server->mailbox, on_mail)) return fail(server, "no descriptors");
    server->config.connections.max_connections = server_connections_max(server, &server->config);
    if (!server_load_bundle(&server->config, &server->tls, &server->bundle, error)) {
        log_error(log, "start failed", log_text("why", error),
                  log_text("do", "install ca-certificates, or set tls.ca_file"));
        return false;
    }
    health_init(&server->health, server->blocks, server->config.workers, clock_now_ns());
    server->heartbeat = health_add(&server->health, "main", clock_now_ns());
    if (!make_tables(server) || !make_workers(server)) return fail(server, "out of memory or descriptors");
    if (!make_acceptor(server) || !start_endpoint(server)) return false;
    return start_threads(server) || fail(server, "the system gives no more threads");
}

/* ---- end ---- */

void server_stop_accepting(struct server *server)
{
    if (!server->accepting) return;
    acceptor_stop(server->acceptor);
    acceptor_join(server->acceptor);
    server->accepting = false;
}

void server_join_workers(struct server *server)
{
    while (server->workers_running > 0) worker_join(server->workers[--server->workers_running]);
}

void server_free(struct server *server)
{
    server_stop_accepting(server);
    for (unsigned i = 0; i < server->workers_running; i++) worker_stop(server->workers[i]);
    server_join_workers(server);
    endpoint_stop(server->endpoint);
    for (unsigned i = 0; i < server->worker_count; i++) worker_free(server->workers[i]);
    acceptor_free(server->acceptor);
    access_free(server->access);
    tls_context_free(server->tls);
    busiest_free(server->busiest);
    connections_free(server->connections);
    ratelimit_free(server->shared.ratelimit);
    topnames_free(server->shared.topnames);
    cache_free(server->shared.cache);
    if (server->mailbox.source.fd >= 0) mailbox_done(&server->mailbox);
    config_free(&server->config);
    pthread_mutex_destroy(&server->config_lock);
}
