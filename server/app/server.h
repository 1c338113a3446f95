/* server: all parts of the program, made in order and ended in reverse. Main thread only. */
#ifndef APP_SERVER_H
#define APP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "app/bootstrap.h"
#include "app/ca_bundle.h"
#include "app/confinement.h"
#include "app/handover_take.h"
#include "app/shared_cache.h"
#include "app/udp_setup.h"
#include "app/worker.h"
#include "clients/acceptor.h"
#include "common/log.h"
#include "config/config.h"
#include "metrics/endpoint.h"
#include "metrics/health.h"
#include "metrics/query_ring.h"
#include "queries/forwarder.h"
#include "shared/access.h"
#include "shared/busiest.h"
#include "shared/purges.h"
#include "state/keeper.h"

/* Why `listen` is ignored where systemd passes the sockets. */
#define LISTEN_IGNORED_WHY                                                                                             \
    "systemd passes the sockets; to change them: systemctl edit dns-tls-proxy.socket, or disable that unit"

struct server {
    pthread_mutex_t config_lock; /* for `config`, `upstreams`, `names`, `routes`, `handover`'s figures, reloaded_s,
                                    reload_*: main writes, HTTP reads */
    struct config config;        /* in use; owned */
    struct {
        struct upstream_options list[UPSTREAMS_MAX]; /* those in use: of the configuration, names by their addresses */
        unsigned count;
        struct bootstrap_figures figures;
    } upstreams;
    struct bootstrap *bootstrap; /* looks the names up */
    struct log *log;
    struct confinement confinement;
    struct mailbox mailbox; /* for the main thread */
    struct shared_tables shared;
    struct connections *connections;
    struct busiest *busiest;
    struct access_list *access;
    struct tls_crypto *tls_crypto; /* of all contexts */
    struct tls_context *tls;
    struct file_mark bundle; /* of `tls` */
    struct shared_cache shared_cache;
    struct purges purges; /* of this run */
    struct names *names;
    struct route_table *routes;
    struct file_mark hosts; /* of the hosts file in `names` */
    struct worker *workers[WORKERS_MAX];
    unsigned worker_count; /* made */
    struct active_workers active;
    unsigned workers_running;
    struct acceptor *acceptor;
    struct listeners listeners; /* a copy: the acceptor owns the sockets */
    struct udp_setup udp;
    struct handover handover; /* what the process before this one left */
    struct ratelimit *udp_ratelimit;
    bool accepting;
    struct keeper *keeper;                    /* NULL: no state is kept over a restart */
    struct counters *blocks[WORKERS_MAX + 2]; /* the workers', then the acceptor's, then the keeper's if there is one */
    const struct query_ring *rings[WORKERS_MAX + 1]; /* the workers', then the acceptor's; NULL: no queries are kept */
    struct query_ring *acceptor_ring;                /* owned; the last of them */
    struct dnstap *dnstap;                           /* NULL: off */
    struct health health;
    struct heartbeat *heartbeat; /* the main thread's */
    struct endpoint *endpoint;
    int civetweb_fd; /* reserves `civetweb_port` (metrics/http_server.h) until the endpoint has started; -1 */
    uint16_t civetweb_port;
    int64_t started_s;
    int64_t reloaded_s;
    bool reload_good;
    char reload_changes[CHANGES_TEXT_BYTES]; /* of the last reload that was applied; config_changes.h */
    char reload_refusal[REFUSAL_TEXT_BYTES]; /* why the last reload was refused; "": it was not */
};

/* Takes the configuration, reads the files, and makes the tables and the sockets of clients. False: the reason was
 * logged; call server_free all the same. */
bool server_make(struct server *server, struct config *config, struct log *log,
                 void (*on_mail)(struct loop_source *source, uint32_t events));

/* Makes the other parts, after server_make; of threads dnstap's alone runs then. False: as there. */
bool server_make_workers(struct server *server);

/* Starts the workers' and the acceptor's threads, after server_make_workers. False: as there. */
bool server_start_threads(struct server *server);

/* Last of the start, which cannot fail any more: what was handed over is taken, and the workers read from its
 * clients. */
void server_take_over(struct server *server);

/* No more connections from now on. With `keep_listeners` those that come wait in the listeners, which stay open. */
void server_stop_accepting(struct server *server, bool keep_listeners);

/* Waits for threads that end; a worker ends after mail to drain or stop. */
void server_join_workers(struct server *server);

/* After server_join_workers: hands sockets and clients over to the next process if `handing_over`, and says to the log
 * and to systemd that this one stopped. `stopped_ns`: when it stopped reading. Where the hand-over works, this process
 * ends, and the function does not return; a sanitizer's build goes on, so that it sees what is not freed. Where it does
 * not, the reason was logged. */
void server_end(struct server *server, bool handing_over, uint64_t stopped_ns);
void server_free(struct server *server);

/* Begins to look up the names of upstreams on the main thread's loop; after server_start_threads. False: as there. */
bool server_start_bootstrap(struct server *server, struct loop *loop);

/* In each turn of the main thread: does what is due of that; the workers are told of other addresses. */
void server_look_up_names(struct server *server, uint64_t now_ns);

/* Brings `upstreams` up to date with the configuration, which is about to be used, and with what is known of its names.
 * While that leaves none, those in use stay: better the servers of before than none. False: they are as they were. */
bool server_resolve_upstreams(struct server *server, const struct config *config);

/* Gives the workers what a configuration means for them. */
void server_tell_workers(const struct server *server, const struct config *config);

/* What the configuration in use means for the state over a restart. */
struct keeper_settings server_keeper_settings(const struct server *server);

/* What a configuration means for one worker. What it points to is not shared by this. */
struct worker_settings server_worker_settings(const struct server *server, const struct config *config,
                                              unsigned worker);

#endif
