/* worker_state: the state of a worker, private to worker and worker_mail. */
#ifndef APP_WORKER_STATE_H
#define APP_WORKER_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/route_pools.h"
#include "app/worker_role.h"
#include "app/worker_settings.h"
#include "clients/cookie_option.h"
#include "common/buffer.h"
#include "common/loop.h"
#include "common/mailbox.h"
#include "store/store.h"

struct worker_mail;

struct worker {
    pthread_t thread;
    struct worker_deps deps;
    unsigned index;
    struct loop loop;
    struct mailbox mailbox;
    struct buffers buffers;        /* of sessions */
    struct buffers client_buffers; /* its memory is bounded by clients.max_buffered */
    struct tcp_clients clients;
    struct udp udp;
    struct cookie_service cookies;
    struct forwarder forwarder;
    struct route_pools pools;
    struct prefetch prefetch;
    struct store *store;
    bool shares; /* there is a shared cache: the store wants its part of each turn */
    struct worker_role role;
    struct counters *counters;
    struct dnstap_tap *tap;           /* NULL: no messages are copied */
    struct query_ring *ring;          /* NULL: no queries are kept */
    struct counters *former_counters; /* replaced pools count here: their upstreams have no label any more */
    struct heartbeat *heartbeat;
    atomic_uint load;               /* clients: the acceptor and other workers add, this one takes off */
    bool held;                      /* it reads from no client yet */
    uint64_t begins_ns;             /* while it is held: when it reads, at the latest; CLOCK_NEVER: not told to yet */
    struct worker_mail *begin_mail; /* of MAIL_BEGIN, made in advance; NULL: sent, or not held */
    struct udp_sockets former_udp;  /* to be given up when it begins */
    bool draining;
    bool keep_clients; /* while draining: they are to be handed over */
    bool stopping;
    uint8_t *scratch; /* borrowed by the client or session that reads */
};

/* The mailbox's on_event: opens what came. */
void worker_on_mail(struct loop_source *source, uint32_t events);

/* Makes what worker_begin sends, which so cannot fail. False: memory is short. */
bool worker_prepare_begin(struct worker *worker);

/* The shared cache of the settings, or none. */
void worker_apply_store(struct worker *worker, const struct worker_settings *settings);

/* False: memory for UDP's questions in flight is short; all else is applied. */
bool worker_apply_udp(struct worker *worker, const struct worker_settings *settings);

#endif
