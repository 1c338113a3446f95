#include "app/worker.h"

#include <stdlib.h>
#include <string.h>

#include "app/route_pools.h"
#include "app/worker_state.h"
#include "clients/tcp_client.h"
#include "clients/tcp_handover.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/random.h"

/* A thread that lives beats at least that often, also if nothing happens. */
#define BEAT_NS (2 * NS_PER_S)

/* ---- queries ---- */

static void copy_query(const struct worker *worker, enum dnstap_protocol protocol, const struct requester *requester,
                       const struct client_message *message)
{
    dnstap_client_message(worker->tap, DNSTAP_CLIENT_QUERY, protocol, requester->address, message->bytes,
                          message->size);
}

static void on_message(struct tcp_clients *clients, const struct requester *requester,
                       const struct client_message *message)
{
    struct worker *worker = container_of(clients, struct worker, clients);
    if (worker->tap) copy_query(worker, DNSTAP_TCP, requester, message);
    forwarder_handle(&worker->forwarder, requester, message);
}

static void read_ahead(struct tcp_clients *clients, struct client_message *messages, unsigned count)
{
    forwarder_read_ahead(&container_of(clients, struct worker, clients)->forwarder, messages, count);
}

static void read_datagrams_ahead(struct udp *udp, struct client_message *messages, unsigned count)
{
    forwarder_read_ahead(&container_of(udp, struct worker, udp)->forwarder, messages, count);
}

static void on_datagram(struct udp *udp, const struct requester *requester, const struct client_message *message)
{
    struct worker *worker = container_of(udp, struct worker, udp);
    if (worker->tap) copy_query(worker, DNSTAP_UDP, requester, message);
    forwarder_handle(&worker->forwarder, requester, message);
}

/* ---- settings ---- */

static struct route_pools_settings settings_of_pools(const struct worker_settings *settings)
{
    return (struct route_pools_settings){&settings->pool, settings->tls, settings->routes};
}

static bool make_pools(struct worker *worker, const struct worker_settings *settings)
{
    const struct route_pools_settings pools = settings_of_pools(settings);
    const struct pool_deps deps = {
        .loop = &worker->loop,
        .buffers = &worker->buffers,
        .scratch = worker->scratch,
        .counters = worker->counters,
        .log = worker->deps.log,
        .seed = clock_now_ns() + worker->index,
        .worker = worker->index,
        .is_prober = worker->index == 0,
        .tap = worker->tap,
    };
    return route_pools_init(&worker->pools, &pools, &deps, worker->former_counters);
}

static struct pool *pool_of_route(struct forwarder *forwarder, uint16_t route)
{
    return route_pools_get(&container_of(forwarder, struct worker, forwarder)->pools, route);
}

static void on_route_done(struct forwarder *forwarder, uint16_t index, uint32_t identity, bool answered)
{
    const struct worker *worker = container_of(forwarder, struct worker, forwarder);
    const struct route_table *table = worker->pools.table;
    bool is_there = index <= table->count && table->routes[index - 1].identity == identity;
    struct route *route = is_there ? &table->routes[index - 1] : route_table_find(table, identity);
    if (route) route_note(route, answered, worker->loop.now_ns);
}

static const char *route_name(const struct notices *notices, uint32_t identity)
{
    const struct worker *worker = container_of(notices, struct worker, forwarder.notices);
    const struct route *route = route_table_find(worker->pools.table, identity);
    return route ? route->name : NULL;
}

/* ---- the thread ---- */

/* What was handed over is read from now on. */
static void begin(struct worker *worker)
{
    worker->held = false;
    udp_set_held(&worker->udp, false);
    udp_give_up(&worker->udp, &worker->former_udp);
    tcp_handover_begin(&worker->clients);
}

/* It was told to begin, and a session is open, or is not to be had soon, or not wanted (it is inactive). A worker that
 * drains begins without, so that what has come is answered, unless that is the next process's. */
static bool is_due_to_begin(const struct worker *worker)
{
    const struct pool *pool = worker->forwarder.pool;
    if (!worker->held || worker->begins_ns == CLOCK_NEVER) return false;
    if (worker->draining) return !worker->keep_clients;
    if (!worker_role_is_active(&worker->role)) return true;
    return pool_is_open(pool) || pool_is_down(pool) || worker->loop.now_ns >= worker->begins_ns;
}

/* It must drain: one more turn, in which what had come by then is read. */
static bool is_last_look(const struct worker *worker)
{
    return worker->draining && !worker->clients.draining;
}

/* No client is on its way to this worker: what it has sent would not be read any more. */
static bool has_adopted_all(const struct worker *worker)
{
    return atomic_load(&worker->load) == worker->clients.slots.taken;
}

static uint64_t next_deadline_ns(const struct worker *worker)
{
    uint64_t deadline_ns = worker->loop.now_ns + BEAT_NS;
    if (is_last_look(worker)) return 0;
    if (worker->held) deadline_ns = clock_earlier(deadline_ns, worker->begins_ns);
    deadline_ns = clock_earlier(deadline_ns, tcp_clients_deadline_ns(&worker->clients));
    deadline_ns = clock_earlier(deadline_ns, udp_deadline_ns(&worker->udp));
    deadline_ns = clock_earlier(deadline_ns, forwarder_deadline_ns(&worker->forwarder));
    deadline_ns = clock_earlier(deadline_ns, prefetch_deadline_ns(&worker->prefetch));
    deadline_ns = clock_earlier(deadline_ns, worker_role_deadline_ns(&worker->role, worker->loop.now_ns));
    if (worker->shares) deadline_ns = clock_earlier(deadline_ns, store_deadline_ns(worker->store));
    return clock_earlier(deadline_ns, route_pools_deadline_ns(&worker->pools));
}

/* What has come by now was read. */
static void begin_to_drain(struct worker *worker)
{
    if (worker->keep_clients) {
        tcp_handover_hold(&worker->clients);
        udp_set_held(&worker->udp, true);
    } else {
        tcp_clients_drain(&worker->clients);
        udp_drain(&worker->udp);
    }
}

static void turn(struct worker *worker)
{
    bool last_look = is_last_look(worker);
    loop_turn(&worker->loop, next_deadline_ns(worker));
    uint64_t now_ns = worker->loop.now_ns;
    heartbeat_beat(worker->heartbeat, now_ns);
    if (is_due_to_begin(worker)) begin(worker);
    udp_receive(&worker->udp);
    if (last_look && has_adopted_all(worker)) begin_to_drain(worker);
    if (worker->shares) store_tick(worker->store);
    route_pools_tick(&worker->pools, now_ns);
    prefetch_tick(&worker->prefetch, now_ns);
    forwarder_tick(&worker->forwarder, now_ns);
    tcp_clients_tick(&worker->clients, now_ns);
    udp_tick(&worker->udp);
    forwarder_end_messages(&worker->forwarder);
    worker_role_tick(&worker->role, now_ns);
    if (worker->shares) store_flush(worker->store);
    route_pools_flush(&worker->pools); /* last: whatever was asked in this turn leaves together */
}

static bool is_over(const struct worker *worker)
{
    bool empty = atomic_load_explicit(&worker->load, memory_order_relaxed) == 0;
    if (worker->stopping || !worker->draining) return worker->stopping;
    if (worker->keep_clients) return tcp_handover_is_quiet(&worker->clients) && udp_is_answered(&worker->udp);
    return empty && udp_is_drained(&worker->udp);
}

static void *run(void *context)
{
    struct worker *worker = context;
    char name[16] = "worker ";
    name[7] = (char)('0' + worker->index / 10 % 10);
    name[8] = (char)('0' + worker->index % 10);
    pthread_setname_np(pthread_self(), name);
    while (!is_over(worker)) turn(worker);
    heartbeat_stop(worker->heartbeat);
    tls_trim();
    struct mail *ended = calloc(1, sizeof *ended);
    if (ended) {
        ended->kind = WORKER_ENDED;
        mailbox_post(worker->deps.main_mailbox, ended);
    }
    return NULL;
}

bool worker_hold(struct worker *worker, const struct udp_sockets *former)
{
    if (!worker_prepare_begin(worker)) return false;
    worker->held = true;
    worker->begins_ns = CLOCK_NEVER;
    worker->former_udp = *former;
    worker->clients.holding = true;
    udp_set_held(&worker->udp, true);
    return true;
}

struct tcp_clients *worker_clients(struct worker *worker)
{
    return &worker->clients;
}

bool worker_start(struct worker *worker)
{
    return pthread_create(&worker->thread, NULL, run, worker) == 0;
}

void worker_join(struct worker *worker)
{
    pthread_join(worker->thread, NULL);
}

/* ---- life ---- */

static bool init_udp(struct worker *worker, const struct worker_settings *settings)
{
    const struct udp_deps deps = {
        .loop = &worker->loop,
        .counters = worker->counters,
        .ratelimit = worker->deps.udp_ratelimit,
        .cookies = &worker->cookies,
        .notices = &worker->forwarder.notices,
        .tap = worker->tap,
        .leaving = &worker->deps.active->udp_leaving,
    };
    worker->cookies.counters = worker->counters;
    if (!udp_init(&worker->udp, &settings->udp, &deps)) return false;
    worker->udp.read_ahead = read_datagrams_ahead;
    worker->udp.on_message = on_datagram;
    return worker_apply_udp(worker, settings);
}

static bool init_store(struct worker *worker, const struct worker_settings *settings)
{
    const struct store_deps deps = {
        .loop = &worker->loop,
        .buffers = &worker->buffers,
        .scratch = worker->scratch,
        .counters = worker->counters,
        .seed = clock_now_ns() + worker->index,
    };
    _Static_assert((int)CONNECTION_SCRATCH_BYTES <= (int)CHANNEL_SCRATCH_BYTES, "one scratch serves both");
    worker->store = store_new(&deps);
    if (!worker->store || !forwarder_set_store(&worker->forwarder, worker->store)) return false;
    worker_apply_store(worker, settings);
    return true;
}

static bool init_parts(struct worker *worker, const struct worker_settings *settings)
{
    const struct tcp_clients_deps deps = {
        .loop = &worker->loop,
        .buffers = &worker->client_buffers,
        .counters = worker->counters,
        .connections = worker->deps.connections,
        .busiest = worker->deps.busiest,
        .load = &worker->load,
        .scratch = worker->scratch,
        .tap = worker->tap,
        .moves_stopped = &worker->deps.active->moves_stopped,
    };
    if (!tcp_clients_init(&worker->clients, &settings->client, &deps)) return false;
    tcp_clients_set_access(&worker->clients, settings->access);
    worker->clients.read_ahead = read_ahead;
    worker->clients.on_message = on_message;
    worker->clients.cookies = &worker->cookies;
    if (!init_udp(worker, settings)) return false;
    if (!make_pools(worker, settings)) return false;
    struct pool *pool = route_pools_get(&worker->pools, NAMES_ROUTE_DEFAULT);
    if (!forwarder_init(&worker->forwarder, &settings->forwarder, worker->deps.shared, pool, worker->counters,
                        &worker->loop))
        return false;
    worker->forwarder.pool_of_route = pool_of_route;
    worker->forwarder.on_route_done = on_route_done;
    forwarder_set_names(&worker->forwarder, settings->names);
    if (!init_store(worker, settings)) return false;
    worker->forwarder.notices.ring = worker->ring;
    worker->forwarder.notices.log = worker->deps.log;
    worker->forwarder.notices.worker = worker->index;
    worker->forwarder.notices.route_name = route_name;
    prefetch_init(&worker->prefetch, &worker->forwarder, worker->index, worker->deps.active->workers);
    worker->role = (struct worker_role){
        .active = worker->deps.active,
        .index = worker->index,
        .clients = &worker->clients,
        .udp = &worker->udp,
        .forwarder = &worker->forwarder,
        .pools = &worker->pools,
        .prefetch = &worker->prefetch,
    };
    worker_role_init(&worker->role, &worker->mailbox);
    return true;
}

struct worker *worker_new(const struct worker_deps *deps, const struct worker_settings *settings, unsigned index,
                          struct heartbeat *heartbeat)
{
    _Static_assert((int)CLIENT_SCRATCH_BYTES <= (int)CHANNEL_SCRATCH_BYTES, "one scratch serves both");
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker) return NULL;
    worker->deps = *deps;
    worker->index = index;
    worker->heartbeat = heartbeat;
    worker->loop.epoll_fd = -1;
    worker->tap = dnstap_tap(deps->dnstap, index);
    buffers_init(&worker->buffers);
    buffers_init(&worker->client_buffers);
    if (!mailbox_init(&worker->mailbox, worker_on_mail) || !loop_init(&worker->loop)) goto fail;
    worker->counters = counters_new();
    worker->former_counters = counters_new();
    worker->scratch = malloc(CHANNEL_SCRATCH_BYTES);
    if (deps->recent_queries > 0) worker->ring = query_ring_new(deps->recent_queries);
    if (deps->recent_queries > 0 && !worker->ring) goto fail;
    if (!worker->counters || !worker->former_counters || !worker->scratch || !init_parts(worker, settings)) goto fail;
    if (!loop_add(&worker->loop, &worker->mailbox.source, EPOLLIN)) goto fail;
    return worker;
fail:
    worker_free(worker);
    return NULL;
}

void worker_free(struct worker *worker)
{
    if (!worker) return;
    if (worker->loop.epoll_fd >= 0)
        loop_turn(&worker->loop, 0); /* clients handed over last are adopted, to be closed */
    forwarder_done(&worker->forwarder);
    store_free(worker->store);
    tcp_clients_done(&worker->clients);
    udp_done(&worker->udp);
    route_pools_done(&worker->pools);
    mailbox_done(&worker->mailbox);
    loop_done(&worker->loop);
    buffers_done(&worker->buffers);
    buffers_done(&worker->client_buffers);
    counters_free(worker->counters);
    counters_free(worker->former_counters);
    query_ring_free(worker->ring);
    free(worker->begin_mail);
    free(worker->scratch);
    free(worker);
}

struct acceptor_target worker_acceptor_target(struct worker *worker)
{
    return (struct acceptor_target){&worker->clients, &worker->load, worker_shed, worker};
}

struct counters *worker_counters(struct worker *worker)
{
    return worker->counters;
}

const struct query_ring *worker_ring(const struct worker *worker)
{
    return worker->ring;
}
