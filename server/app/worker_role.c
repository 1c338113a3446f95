#include "app/worker_role.h"

#include "clients/tcp_move.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/loop.h"

/* What is used of a bound, in thousandths. A little is nothing: it is told in every turn, and would change in each. */
static uint16_t used_of(uint64_t used, uint64_t bound)
{
    if (used <= bound / 4) return 0;
    return used < bound ? (uint16_t)(used * DEMAND_WHOLE / bound) : DEMAND_WHOLE;
}

/* A worker may have time left and yet be full: questions wait for a slow upstream, clients do not take their replies.
 */
static void tell_used(const struct worker_role *role)
{
    const struct slots *queries = &role->forwarder->queries.queries;
    uint16_t of_queries = used_of(queries->taken, queries->max);
    uint16_t of_memory = used_of(role->clients->buffers->memory_bytes, role->clients->options.max_buffered_bytes);
    uint16_t used = of_queries > of_memory ? of_queries : of_memory;
    atomic_ushort *told = &role->active->used[role->index];
    if (atomic_load_explicit(told, memory_order_relaxed) != used)
        atomic_store_explicit(told, used, memory_order_relaxed);
}

static void follow_count(struct worker_role *role)
{
    unsigned count = active_workers_count(role->active);
    if (count == role->count) return;
    role->count = count;
    bool is_active = worker_role_is_active(role);
    prefetch_set_workers(role->prefetch, is_active ? count : 0);
    route_pools_set_resting(role->pools, !is_active);
    udp_set_part(role->udp, &(struct udp_part){role->index, count, role->active->workers});
}

/* The part that it is to give away, as queries of its clients in a window. */
static void follow_loads(struct worker_role *role, uint64_t now_ns)
{
    unsigned to = role->index;
    unsigned part = active_workers_part(role->active, role->index, &to);
    uint64_t asked = role->clients->asked - role->asked;
    uint64_t time_ns = now_ns - role->followed_ns;
    struct tcp_clients *clients = part > 0 ? role->active->of[to].clients : NULL;
    if (time_ns < DEMAND_WINDOW_NS) time_ns = DEMAND_WINDOW_NS;
    tcp_move_set(role->clients, clients, asked * part * DEMAND_WINDOW_NS / time_ns, !worker_role_is_active(role));
    role->asked = role->clients->asked;
    role->followed_ns = now_ns;
}

void worker_role_init(struct worker_role *role, struct mailbox *mailbox)
{
    struct active_worker *known = &role->active->of[role->index];
    CHECK(role->index < role->active->workers);
    *known = (struct active_worker){role->clients->loop, mailbox, role->clients};
    role->followed_ns = role->clients->loop->now_ns;
    follow_count(role);
}

void worker_role_tick(struct worker_role *role, uint64_t now_ns)
{
    tell_used(role);
    active_workers_look(role->active, now_ns);
    unsigned windows = atomic_load_explicit(&role->active->windows, memory_order_acquire);
    if (windows == role->windows) return;
    role->windows = windows;
    follow_count(role);
    follow_loads(role, now_ns);
}

uint64_t worker_role_deadline_ns(const struct worker_role *role, uint64_t now_ns)
{
    return role->index == 0 ? active_workers_deadline_ns(role->active, now_ns) : CLOCK_NEVER;
}
