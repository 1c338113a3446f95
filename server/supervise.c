#include "supervise.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/loop.h"
#include "server.h"
#include "service.h"

#define LOOK_NS   NS_PER_S        /* at health and the watchdog */
#define STOP_NS   (5 * NS_PER_S)  /* to join threads and free memory */
#define BUNDLE_NS (10 * NS_PER_S) /* at the CA bundle's file */

struct supervisor {
    struct loop loop;
    struct loop_source signals;
    struct server server;
    const struct command_line *command;
    struct log *log;
    uint64_t bundle_looked_ns;
    uint64_t drain_deadline_ns; /* CLOCK_NEVER: not draining */
    unsigned workers_ended;
    bool stopping;
    bool was_ready;
    bool said_hung;
    uint64_t watchdog_ns; /* how often systemd wants to hear of us; 0 = not */
};

/* ---- reload ---- */

/* A text of many lines, one event each. */
static void log_lines(struct log *log, const char *event, char *text)
{
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        if (*line) log_error(log, event, log_text("why", line));
}

static void log_needs_restart(struct supervisor *supervisor, const struct config *config)
{
    const struct config *old = &supervisor->server.config;
    if (config->workers != old->workers)
        log_warning(supervisor->log, "needs a restart", log_text("setting", "workers"));
    if (!address_equal(&config->endpoint.listen, &old->endpoint.listen) ||
        config->endpoint.status_page != old->endpoint.status_page)
        log_warning(supervisor->log, "needs a restart", log_text("setting", "http"));
    if (config->topnames.top != old->topnames.top)
        log_warning(supervisor->log, "needs a restart", log_text("setting", "prefetch.top"));
    if (config->ratelimit.max_clients != old->ratelimit.max_clients)
        log_warning(supervisor->log, "needs a restart", log_text("setting", "rate_limit.max_clients"));
}

/* What only a restart changes stays as it is, in what is shown, too. */
static void keep_fixed(struct config *config, const struct config *old)
{
    config->workers = old->workers;
    config->endpoint = old->endpoint;
    config->topnames.top = old->topnames.top;
    config->ratelimit.max_clients = old->ratelimit.max_clients;
    config->log.format = old->log.format;
}

/* A new TLS context where the bundle or its path changed; false: it is bad, and why was logged. */
static bool renew_bundle(struct supervisor *supervisor, const struct config *config)
{
    struct server *server = &supervisor->server;
    char error[TLS_ERROR_MAX];
    struct tls_context *tls;
    struct bundle_mark mark = bundle_mark_of(tls_ca_path(&config->tls));
    if (bundle_mark_equal(&mark, &server->bundle)) return true;
    if (!server_load_bundle(config, &tls, &mark, error)) {
        log_error(supervisor->log, "CA bundle refused", log_text("why", error),
                  log_text("do", "the former one stays in use"));
        return false;
    }
    tls_context_free(server->tls);
    server->tls = tls;
    server->bundle = mark;
    log_info(supervisor->log, "CA bundle loaded", log_text("file", tls_ca_path(&config->tls)));
    return true;
}

static void tell_workers(struct supervisor *supervisor, const struct config *config)
{
    struct server *server = &supervisor->server;
    struct worker_settings settings = server_worker_settings(server, config);
    for (unsigned i = 0; i < server->worker_count; i++) worker_reload(server->workers[i], &settings);
}

/* Opens what is new and hands the acceptor its doors; false: why was logged, nothing changed. */
static bool renew_listeners(struct supervisor *supervisor, const struct config *config)
{
    struct server *server = &supervisor->server;
    struct listeners former = server->listeners;
    struct listeners next = former;
    char error[LISTENER_ERROR_BYTES] = "out of memory";
    const struct acceptor_options *options = &config->acceptor;
    if (!former.inherited && !listeners_reopen(&former, &next, options->listen, options->listen_count, error)) {
        log_error(supervisor->log, "reload refused", log_text("why", error));
        return false;
    }
    struct access_list *access = access_new(config->access.allow, config->access.allow_count);
    if (access && acceptor_reload(server->acceptor, &next, access, config->connections.max_connections)) {
        server->listeners = next;
        return true;
    }
    access_free(access);
    log_error(supervisor->log, "reload refused", log_text("why", error));
    return false;
}

static bool apply(struct supervisor *supervisor, struct config *config)
{
    struct server *server = &supervisor->server;
    log_needs_restart(supervisor, config);
    keep_fixed(config, &server->config);
    config->connections.max_connections = server_connections_max(server, config);
    if (!renew_bundle(supervisor, config) || !renew_listeners(supervisor, config)) return false;
    cache_set_options(server->shared.cache, &config->cache);
    ratelimit_set_options(server->shared.ratelimit, &config->ratelimit);
    connections_set_options(server->connections, &config->connections);
    log_set_level(supervisor->log, config->log.level);
    tell_workers(supervisor, config);
    pthread_mutex_lock(&server->config_lock);
    struct config former = server->config;
    server->config = *config;
    server->reloaded_s = clock_wall_s();
    pthread_mutex_unlock(&server->config_lock);
    config_free(&former);
    return true;
}

static void reload(struct supervisor *supervisor)
{
    struct config config;
    char *faults = NULL;
    size_t size = 0;
    service_reloading();
    FILE *errors = open_memstream(&faults, &size);
    bool good = errors && config_load(supervisor->command, &config, errors);
    if (errors) fclose(errors);
    if (good) {
        good = apply(supervisor, &config);
        if (!good) config_free(&config);
    } else if (faults) {
        log_lines(supervisor->log, "reload refused", faults);
    }
    free(faults);
    pthread_mutex_lock(&supervisor->server.config_lock);
    supervisor->server.reload_good = good;
    pthread_mutex_unlock(&supervisor->server.config_lock);
    log_write(supervisor->log, good ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
              good ? "configuration reloaded" : "former configuration stays in use", NULL, 0);
    const char *ready = supervisor->was_ready ? "Answering" : "Not ready";
    char status[64];
    snprintf(status, sizeof status, "%s; %s", ready, good ? "configuration reloaded" : "reload refused, see the log");
    service_ready(status);
}

/* ---- end ---- */

static void stop(struct supervisor *supervisor)
{
    struct server *server = &supervisor->server;
    supervisor->stopping = true;
    for (unsigned i = 0; i < server->worker_count; i++) worker_stop(server->workers[i]);
}

static void drain(struct supervisor *supervisor)
{
    struct server *server = &supervisor->server;
    uint64_t now_ns = supervisor->loop.now_ns;
    log_info(supervisor->log, "draining", log_number("connections", connections_count(server->connections)),
             log_number("timeout_ms", server->config.drain_timeout_ns / NS_PER_MS));
    service_stopping("Answering what is in flight", server->config.drain_timeout_ns + STOP_NS);
    health_drain(&server->health, now_ns);
    server_stop_accepting(server);
    for (unsigned i = 0; i < server->worker_count; i++) worker_drain(server->workers[i]);
    supervisor->drain_deadline_ns = now_ns + server->config.drain_timeout_ns;
}

static void on_signal(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct supervisor *supervisor = container_of(source, struct supervisor, signals);
    struct signalfd_siginfo info;
    while (read(source->fd, &info, sizeof info) == sizeof info) {
        bool draining = supervisor->drain_deadline_ns != CLOCK_NEVER;
        if (info.ssi_signo == SIGHUP && !draining)
            reload(supervisor);
        else if (info.ssi_signo != SIGHUP && draining)
            stop(supervisor);
        else if (info.ssi_signo != SIGHUP)
            drain(supervisor);
    }
}

static void on_mail(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct supervisor *supervisor = container_of(source, struct supervisor, server.mailbox.source);
    struct list mails;
    struct list *node;
    list_init(&mails);
    mailbox_drain(&supervisor->server.mailbox, &mails);
    while ((node = list_take(&mails))) {
        supervisor->workers_ended++;
        free(container_of(node, struct mail, node));
    }
}

/* ---- while it runs ---- */

/* Systemd hears of us while every thread lives; of one that does not, at once. */
static void watch(struct supervisor *supervisor, bool live)
{
    if (live)
        service_alive();
    else if (!supervisor->said_hung)
        log_error(supervisor->log, "a thread hangs", log_text("do", "the watchdog restarts the service; see /healthz"));
    if (!live) service_hung();
    supervisor->said_hung = !live;
}

static void look_at_health(struct supervisor *supervisor, uint64_t now_ns)
{
    struct health *health = &supervisor->server.health;
    struct readiness readiness = health_look(health, now_ns);
    bool ready = readiness.state == READINESS_READY;
    heartbeat_beat(supervisor->server.heartbeat, now_ns);
    if (supervisor->watchdog_ns != 0) watch(supervisor, health_is_live(health, now_ns));
    if (ready == supervisor->was_ready || readiness.state == READINESS_DRAINING) return;
    supervisor->was_ready = ready;
    service_status(ready ? "Answering" : readiness_reason(readiness.state));
    if (ready)
        log_write(supervisor->log, LOG_LEVEL_INFO, "ready", NULL, 0);
    else
        log_warning(supervisor->log, "not ready", log_text("why", readiness_reason(readiness.state)));
}

static void look_at_bundle(struct supervisor *supervisor, uint64_t now_ns)
{
    struct server *server = &supervisor->server;
    if (now_ns - supervisor->bundle_looked_ns < BUNDLE_NS) return;
    supervisor->bundle_looked_ns = now_ns;
    struct bundle_mark mark = bundle_mark_of(tls_ca_path(&server->config.tls));
    if (mark.inode == 0 || bundle_mark_equal(&mark, &server->bundle)) return; /* gone: being replaced, or wait for it */
    if (renew_bundle(supervisor, &server->config))
        tell_workers(supervisor, &server->config);
    else
        server->bundle = mark; /* said once, not every time */
}

static void announce(struct supervisor *supervisor)
{
    const struct server *server = &supervisor->server;
    const struct config *config = &server->config;
    for (unsigned i = 0; i < server->listeners.count; i++) {
        char text[ADDRESS_TEXT_BYTES];
        log_info(supervisor->log, "listening",
                 log_text("address", address_format(&server->listeners.addresses[i], text)));
    }
    log_info(supervisor->log, "started", log_text("version", PROJECT_VERSION), log_number("workers", config->workers),
             log_number("upstreams", config->pool.upstream_count), log_text("ca_file", tls_ca_path(&config->tls)),
             log_number("cache_bytes", config->cache.max_bytes),
             log_number("max_connections", config->connections.max_connections),
             log_number("http_port", config->endpoint.listen.port));
    service_ready("Started; the upstream path is not proved yet");
}

static bool is_over(const struct supervisor *supervisor)
{
    return supervisor->stopping || supervisor->workers_ended == supervisor->server.worker_count;
}

static void run(struct supervisor *supervisor)
{
    while (!is_over(supervisor)) {
        uint64_t deadline_ns = supervisor->loop.now_ns + LOOK_NS;
        if (supervisor->drain_deadline_ns < deadline_ns) deadline_ns = supervisor->drain_deadline_ns;
        loop_turn(&supervisor->loop, deadline_ns);
        uint64_t now_ns = supervisor->loop.now_ns;
        look_at_health(supervisor, now_ns);
        if (supervisor->drain_deadline_ns == CLOCK_NEVER) look_at_bundle(supervisor, now_ns);
        if (now_ns >= supervisor->drain_deadline_ns) stop(supervisor);
    }
}

static sigset_t signals_waited_for(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

void supervise_block_signals(void)
{
    sigset_t set = signals_waited_for();
    sigaddset(&set, SIGPIPE); /* a broken connection is an error code, never a signal */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static bool start(struct supervisor *supervisor, struct config *config)
{
    sigset_t set = signals_waited_for();
    if (!server_start(&supervisor->server, config, supervisor->log, on_mail)) return false;
    supervisor->signals = (struct loop_source){signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), on_signal};
    supervisor->watchdog_ns = service_watchdog_ns();
    return supervisor->signals.fd >= 0 && loop_init(&supervisor->loop) &&
           loop_add(&supervisor->loop, &supervisor->signals, EPOLLIN) &&
           loop_add(&supervisor->loop, &supervisor->server.mailbox.source, EPOLLIN);
}

int supervise(const struct command_line *command, struct config *config, struct log *log)
{
    struct supervisor *supervisor = aligned_alloc(_Alignof(struct supervisor), sizeof *supervisor);
    if (!supervisor) return 1;
    *supervisor = (struct supervisor){
        .command = command, .log = log, .drain_deadline_ns = CLOCK_NEVER, .signals.fd = -1, .loop.epoll_fd = -1};
    bool started = start(supervisor, config);
    if (started) {
        announce(supervisor);
        run(supervisor);
        log_info(log, "stopped", log_number("connections", connections_count(supervisor->server.connections)));
    }
    server_free(&supervisor->server);
    loop_done(&supervisor->loop);
    if (supervisor->signals.fd >= 0) close(supervisor->signals.fd);
    free(supervisor);
    return started ? 0 : 1;
}
