/* server: all parts of the program, made in order and ended in reverse. Main thread only. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "acceptor.h"
#include "common/log.h"
#include "config/config.h"
#include "metrics/endpoint.h"
#include "metrics/health.h"
#include "queries/forwarder.h"
#include "shared/access.h"
#include "shared/busiest.h"
#include "worker.h"

/* What tells one CA bundle from the next. */
struct bundle_mark {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct server {
    pthread_mutex_t config_lock; /* for `config`, reloaded_s and reload_good: main writes, HTTP threads read */
    struct config config;        /* in use; owned */
    struct log *log;
    struct mailbox mailbox; /* for the main thread */
    struct shared_tables shared;
    struct connections *connections;
    struct busiest *busiest;
    struct access_list *access;
    struct tls_context *tls;
    struct bundle_mark bundle; /* of `tls` */
    struct worker *workers[WORKERS_MAX];
    unsigned worker_count; /* made */
    unsigned workers_running;
    struct acceptor *acceptor;
    struct listeners listeners; /* a copy: the acceptor owns the sockets */
    bool accepting;
    struct counters *blocks[WORKERS_MAX + 1]; /* the workers', then the acceptor's */
    struct health health;
    struct heartbeat *heartbeat; /* the main thread's */
    struct endpoint *endpoint;
    int64_t started_s;
    int64_t reloaded_s;
    bool reload_good;
};

/* Takes the configuration, makes all parts and starts their threads. False: why was logged; call server_free all the
 * same. */
bool server_start(struct server *server, struct config *config, struct log *log,
                  void (*on_mail)(struct loop_source *source, uint32_t events));

/* No more connections from now on. */
void server_stop_accepting(struct server *server);

/* Waits for threads that end; a worker ends once it was told to drain or stop. */
void server_join_workers(struct server *server);
void server_free(struct server *server);

/* What a configuration means for a worker. TLS context and access list are not shared by this. */
struct worker_settings server_worker_settings(const struct server *server, const struct config *config);

/* The connections the descriptors allow, at most as many as configured; logs where that is less. */
uint32_t server_connections_max(const struct server *server, const struct config *config);

/* The CA bundle as it is now, or false with `ret_error`. */
bool server_load_bundle(const struct config *config, struct tls_context **ret_tls, struct bundle_mark *ret_mark,
                        char ret_error[static TLS_ERROR_MAX]);
struct bundle_mark bundle_mark_of(const char *path);
bool bundle_mark_equal(const struct bundle_mark *a, const struct bundle_mark *b);

#endif
