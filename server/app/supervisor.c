#include "app/supervisor.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app/announce.h"
#include "app/figures.h"
#include "app/http.h"
#include "app/limited_log.h"
#include "app/reload.h"
#include "app/server.h"
#include "app/state.h"
#include "app/upstream_watch.h"
#include "common/clock.h"
#include "common/loop.h"
#include "common/service.h"

#define LOOK_NS   NS_PER_S        /* at health and the watchdog */
#define STOP_NS   (5 * NS_PER_S)  /* to join threads and free memory */
#define SAVE_NS   (10 * NS_PER_S) /* to write the last snapshot of the state, as far as that goes */
#define SYNC_NS   (5 * NS_PER_S)  /* and to have it on the disk */
#define BUNDLE_NS (10 * NS_PER_S) /* at the CA bundle's file; if something is wrong with it, with each probe */

struct supervisor {
    struct loop loop;
    struct loop_source signals;
    struct server server;
    const struct command_line *command;
    struct log *log;
    uint64_t bundle_looked_ns;
    uint64_t listeners_looked_ns;
    struct file_mark refused_bundle; /* the last one: logged once, not every time; all zero: none */
    bool bundle_out_of_date;         /* none of its certificates is valid at this machine's clock */
    uint64_t save_deadline_ns;       /* the last snapshot is being written; CLOCK_NEVER: it is not */
    uint64_t drain_deadline_ns;      /* CLOCK_NEVER: not draining */
    uint64_t stopped_reading_ns;     /* while draining */
    bool handing_over;               /* while draining: to the next process, through systemd's store */
    struct limited_log limited;
    unsigned workers_ended;
    bool stopping;
    bool was_ready;
    bool said_hung;
    struct upstream_watch watch;
    uint64_t upstreams_looked_ns;
    struct shared_cache_watch shared_cache;
    char upstream_labels[UPSTREAM_SERIES][UPSTREAM_LABEL_BYTES]; /* as they are now; see app/figures.h */
    uint64_t watchdog_ns;                                        /* how often systemd wants to hear of us; 0 = not */
};

/* ---- reload ---- */

/* False: every fault was logged, and `ret_why` has them, cut where there are many. */
static bool load(struct supervisor *supervisor, struct config *ret_config, char ret_why[static REFUSAL_TEXT_BYTES])
{
    char *faults = NULL;
    size_t size = 0;
    FILE *errors = open_memstream(&faults, &size);
    const char *file = supervisor->command->config_file;
    bool good =
        !file || confinement_check_file(&supervisor->server.confinement, "--config", file, ret_why, REFUSAL_TEXT_BYTES);
    if (!good && errors) fprintf(errors, "%s\n", ret_why);
    good = good && errors && config_load(supervisor->command, ret_config, errors);
    if (errors) fclose(errors);
    if (!good) snprintf(ret_why, REFUSAL_TEXT_BYTES, "%s", faults ? faults : "out of memory");
    char *rest = good ? NULL : faults;
    for (char *line; (line = strsep(&rest, "\n"));) /* an event for each */
        if (*line) log_error(supervisor->log, "reload refused", log_text("why", line));
    free(faults);
    return good;
}

static bool apply(struct supervisor *supervisor, struct config *config, char ret_why[static REFUSAL_TEXT_BYTES])
{
    _Static_assert((int)REFUSAL_TEXT_BYTES >= (int)RELOAD_ERROR_BYTES, "an error has room");
    if (reload_apply(&supervisor->server, config, ret_why)) return true;
    log_error(supervisor->log, "reload refused", log_text("why", ret_why));
    return false;
}

static void reload(struct supervisor *supervisor)
{
    struct config config;
    struct server *server = &supervisor->server;
    char why[REFUSAL_TEXT_BYTES] = "";
    service_reloading();
    bool good = load(supervisor, &config, why);
    if (good && !apply(supervisor, &config, why)) {
        config_free(&config);
        good = false;
    }
    pthread_mutex_lock(&server->config_lock);
    server->reload_good = good;
    snprintf(server->reload_refusal, sizeof server->reload_refusal, "%s", good ? "" : why);
    pthread_mutex_unlock(&server->config_lock);
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
    active_workers_stop_moves(&server->active);
    for (unsigned i = 0; i < server->worker_count; i++) worker_stop(server->workers[i]);
}

static void drain(struct supervisor *supervisor)
{
    struct server *server = &supervisor->server;
    uint64_t now_ns = supervisor->loop.now_ns;
    bool keep = service_has_store();
    supervisor->save_deadline_ns = CLOCK_NEVER;
    log_info(supervisor->log, "draining", log_number("connections", connections_count(server->connections)),
             log_number("timeout_ms", server->config.drain_timeout_ns / NS_PER_MS),
             log_text("connections_are", keep ? "handed over" : "closed"));
    service_stopping("Answering what is in flight", server->config.drain_timeout_ns + STOP_NS);
    health_drain(&server->health, now_ns);
    server_stop_accepting(server, keep);
    active_workers_stop_moves(&server->active);
    for (unsigned i = 0; i < server->worker_count; i++) worker_drain(server->workers[i], keep);
    supervisor->drain_deadline_ns = now_ns + server->config.drain_timeout_ns;
    supervisor->stopped_reading_ns = now_ns;
    supervisor->handing_over = keep;
}

/* Not ready from now on. The last snapshot is made while clients are still answered, so that it prolongs no pause. */
static void begin_stop(struct supervisor *supervisor)
{
    struct server *server = &supervisor->server;
    uint64_t now_ns = supervisor->loop.now_ns;
    if (!keeper_save_last(server->keeper, now_ns + SAVE_NS)) {
        drain(supervisor);
        return;
    }
    service_stopping("Saving the state", SAVE_NS + SYNC_NS + server->config.drain_timeout_ns + STOP_NS);
    health_drain(&server->health, now_ns);
    supervisor->save_deadline_ns = now_ns + SAVE_NS + SYNC_NS;
}

static void on_signal(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct supervisor *supervisor = container_of(source, struct supervisor, signals);
    struct signalfd_siginfo info;
    while (read(source->fd, &info, sizeof info) == sizeof info) {
        bool draining = supervisor->drain_deadline_ns != CLOCK_NEVER || supervisor->save_deadline_ns != CLOCK_NEVER;
        if (info.ssi_signo == SIGHUP && !draining)
            reload(supervisor);
        else if (info.ssi_signo != SIGHUP && draining)
            stop(supervisor);
        else if (info.ssi_signo != SIGHUP)
            begin_stop(supervisor);
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
        struct mail *mail = container_of(node, struct mail, node);
        if (mail->kind == WORKER_ENDED) supervisor->workers_ended++;
        if (mail->kind == STATE_SAVED && supervisor->save_deadline_ns != CLOCK_NEVER) drain(supervisor);
        free(mail);
    }
}

/* ---- while it runs ---- */

/* Notifies systemd while every thread beats, and reports one that does not at once. */
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

/* Loads the bundle again if its file has changed. A bundle that was refused is tried again although it has not
 * changed: what was wrong may have been something else, such as memory. */
static void reload_bundle(struct supervisor *supervisor)
{
    struct server *server = &supervisor->server;
    struct file_mark mark = file_mark_of(tls_ca_path(&server->config.tls));
    char error[RELOAD_ERROR_BYTES];
    if (mark.inode == 0) return; /* gone: it is being replaced, or will come back */
    bool refused = !file_mark_equal(&mark, &server->bundle) && !reload_apply_bundle(server, error);
    if (refused && !file_mark_equal(&mark, &supervisor->refused_bundle))
        log_error(supervisor->log, "CA bundle refused", log_text("why", error),
                  log_text("do", "the former one stays in use"));
    supervisor->refused_bundle = refused ? mark : (struct file_mark){0};
}

/* The dates are compared in each handshake; this only says so. */
static void look_at_bundle_dates(struct supervisor *supervisor)
{
    const struct server *server = &supervisor->server;
    const char *path = tls_ca_path(&server->config.tls);
    bool out_of_date = !tls_context_is_valid_at(server->tls, clock_wall_s());
    if (out_of_date == supervisor->bundle_out_of_date) return;
    supervisor->bundle_out_of_date = out_of_date;
    health_set_nothing_trusted(&supervisor->server.health, out_of_date);
    if (out_of_date)
        log_error(supervisor->log, "no CA is valid", log_text("file", path),
                  log_text("why", "no certificate in the CA bundle is valid at this machine's clock"),
                  log_text("do", "set the clock, or renew the bundle; no upstream is trusted until then"));
    else
        log_info(supervisor->log, "CA bundle valid", log_text("file", path));
}

static void look_at_bundle(struct supervisor *supervisor, uint64_t now_ns)
{
    bool is_wrong = supervisor->bundle_out_of_date || supervisor->refused_bundle.inode != 0;
    uint64_t probe_ns = supervisor->server.config.pool.probe_ns;
    uint64_t interval_ns = is_wrong && probe_ns < BUNDLE_NS ? probe_ns : BUNDLE_NS;
    if (now_ns - supervisor->bundle_looked_ns < interval_ns) return;
    supervisor->bundle_looked_ns = now_ns;
    reload_bundle(supervisor);
    look_at_bundle_dates(supervisor);
}

/* The hosts file has changed: it is read again. Gone: it is being replaced, or wait for it. */
static void look_at_hosts(struct supervisor *supervisor)
{
    struct server *server = &supervisor->server;
    if (server->config.names.hosts_file[0] == '\0') return;
    struct file_mark mark = file_mark_of(server->config.names.hosts_file);
    if (mark.inode == 0 || file_mark_equal(&mark, &server->hosts)) return;
    char why[RELOAD_ERROR_BYTES];
    if (!confinement_check_file(&server->confinement, "'names.hosts_file'", server->config.names.hosts_file, why,
                                sizeof why))
        log_warning(supervisor->log, "sandbox refuses a file", log_text("why", why));
    if (!reload_apply_hosts(server))
        log_error(supervisor->log, "hosts file not read", log_text("why", "out of memory"));
}

/* Addresses that the machine did not have are tried again, until it has them. */
static void look_at_listeners(struct supervisor *supervisor, uint64_t now_ns)
{
    if (supervisor->server.listeners.missing_count == 0 || now_ns - supervisor->listeners_looked_ns < LOOK_NS) return;
    supervisor->listeners_looked_ns = now_ns;
    reload_retry_listeners(&supervisor->server);
}

/* Names the clients that are refused queries for their rate. */
static void look_at_limits(struct supervisor *supervisor, uint64_t now_ns)
{
    const struct server *server = &supervisor->server;
    struct ratelimit_client clients[CLIENT_RATES_MAX];
    if (!limited_log_is_due(&supervisor->limited, now_ns)) return;
    size_t count = client_rates_list(server->shared.ratelimit, server->udp_ratelimit, RATELIMIT_BY_REFUSED, now_ns,
                                     clients, CLIENT_RATES_MAX);
    limited_log_look(&supervisor->limited, clients, count, now_ns);
}

/* What begins or ends with an upstream is said once, however many workers find out. */
static void look_at_upstreams(struct supervisor *supervisor, uint64_t now_ns)
{
    struct server *server = &supervisor->server;
    if (now_ns - supervisor->upstreams_looked_ns < LOOK_NS) return;
    supervisor->upstreams_looked_ns = now_ns;
    unsigned count = figures_label_upstreams(server, supervisor->upstream_labels);
    for (unsigned i = 0; i < count && i < UPSTREAM_SERIES_REST; i++) {
        struct upstream_report report = {.label = supervisor->upstream_labels[i]};
        if (report.label[0] == '\0') continue;
        upstream_watch_read(server->blocks, server->worker_count, i, &report);
        upstream_watch_look(&supervisor->watch, i, &report, supervisor->log, now_ns);
    }
}

static bool is_over(const struct supervisor *supervisor)
{
    return supervisor->stopping || supervisor->workers_ended == supervisor->server.worker_count;
}

static void run(struct supervisor *supervisor)
{
    while (!is_over(supervisor)) {
        uint64_t deadline_ns = supervisor->loop.now_ns + LOOK_NS;
        deadline_ns = clock_earlier(deadline_ns, supervisor->drain_deadline_ns);
        deadline_ns = clock_earlier(deadline_ns, supervisor->save_deadline_ns);
        if (supervisor->drain_deadline_ns == CLOCK_NEVER)
            deadline_ns = clock_earlier(deadline_ns, bootstrap_deadline_ns(supervisor->server.bootstrap));
        loop_turn(&supervisor->loop, deadline_ns);
        uint64_t now_ns = supervisor->loop.now_ns;
        look_at_health(supervisor, now_ns);
        look_at_limits(supervisor, now_ns);
        if (now_ns >= supervisor->save_deadline_ns) drain(supervisor);
        if (supervisor->drain_deadline_ns == CLOCK_NEVER) {
            server_look_up_names(&supervisor->server, now_ns);
            look_at_upstreams(supervisor, now_ns);
            const struct server *server = &supervisor->server;
            shared_cache_look(&supervisor->shared_cache, server->blocks, server->worker_count, &server->config.store,
                              supervisor->log, now_ns);
            look_at_bundle(supervisor, now_ns);
            look_at_listeners(supervisor, now_ns);
            look_at_hosts(supervisor);
        }
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

void supervisor_block_signals(void)
{
    sigset_t set = signals_waited_for();
    sigaddset(&set, SIGPIPE); /* a broken connection is an error code, never a signal; */
    sigaddset(&set, SIGXFSZ); /* nor is a file that may not grow */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static bool start(struct supervisor *supervisor, struct config *config)
{
    sigset_t set = signals_waited_for();
    struct server *server = &supervisor->server;
    if (!server_make(server, config, supervisor->log, on_mail) || !http_reserve(server)) return false;
    confinement_restrict(&server->confinement, &server->config, supervisor->command->config_file,
                         server->civetweb_port);
    if (!server_make_workers(server) || !http_start(server) || !confinement_take_user(&server->confinement) ||
        !server_start_threads(server))
        return false;
    supervisor->signals = (struct loop_source){signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), on_signal};
    supervisor->watchdog_ns = service_watchdog_ns();
    return supervisor->signals.fd >= 0 && loop_init(&supervisor->loop) &&
           loop_add(&supervisor->loop, &supervisor->signals, EPOLLIN) &&
           loop_add(&supervisor->loop, &supervisor->server.mailbox.source, EPOLLIN) &&
           server_start_bootstrap(server, &supervisor->loop);
}

int supervisor_run(const struct command_line *command, struct config *config, struct log *log)
{
    struct supervisor *supervisor = aligned_alloc(_Alignof(struct supervisor), sizeof *supervisor);
    if (!supervisor) return 1;
    *supervisor = (struct supervisor){.command = command,
                                      .log = log,
                                      .save_deadline_ns = CLOCK_NEVER,
                                      .drain_deadline_ns = CLOCK_NEVER,
                                      .signals.fd = -1,
                                      .loop.epoll_fd = -1};
    limited_log_init(&supervisor->limited, log);
    bool started = start(supervisor, config);
    if (started) {
        server_take_over(&supervisor->server);
        announce(&supervisor->server);
        /* The last thing before others are told that it runs is to give up what it needed for that. */
        confinement_seal(&supervisor->server.confinement, &supervisor->server.config);
        service_ready("Started; the upstream path is not proved yet");
        run(supervisor);
        server_join_workers(&supervisor->server);
        server_end(&supervisor->server, supervisor->handing_over, supervisor->stopped_reading_ns);
    }
    server_free(&supervisor->server);
    loop_done(&supervisor->loop);
    if (supervisor->signals.fd >= 0) close(supervisor->signals.fd);
    free(supervisor);
    return started ? 0 : 1;
}
