#include "clients/active_workers.h"

#include <string.h>

#include "common/check.h"
#include "common/loop.h"
#include "common/mailbox.h"

#define LOOK_NS (100 * NS_PER_MS) /* of a worker that has nothing else to do, while more are active than needed */

static unsigned bounded(const struct active_workers *active, unsigned least)
{
    return least < active->workers ? least : active->workers;
}

void active_workers_init(struct active_workers *active, unsigned workers, unsigned least, uint64_t now_ns)
{
    CHECK(workers >= 1 && workers <= WORKERS_MAX && least >= 1);
    *active = (struct active_workers){.workers = workers, .from_ns = now_ns, .look_ns = now_ns + DEMAND_WINDOW_NS};
    active->least = active->count = bounded(active, least);
    pthread_mutex_init(&active->lock, NULL);
}

void active_workers_done(struct active_workers *active)
{
    if (active->workers > 0) pthread_mutex_destroy(&active->lock);
    active->workers = 0;
}

void active_workers_set_least(struct active_workers *active, unsigned least)
{
    atomic_store_explicit(&active->least, bounded(active, least), memory_order_relaxed);
}

void active_workers_stop_moves(struct active_workers *active)
{
    atomic_store(&active->moves_stopped, true);
}

/* ---- windows ---- */

static uint16_t load_of(struct active_workers *active, unsigned index, uint64_t now_ns)
{
    uint64_t former_ns = active->busy_ns[index];
    uint64_t busy_ns = loop_busy_ns(active->of[index].loop, now_ns);
    if (busy_ns < former_ns) busy_ns = former_ns; /* read while a turn ended */
    active->busy_ns[index] = busy_ns;
    uint64_t load = (busy_ns - former_ns) * DEMAND_WHOLE / (now_ns - active->from_ns);
    uint16_t used = atomic_load_explicit(&active->used[index], memory_order_relaxed);
    if (load < used) load = used;
    return load < DEMAND_WHOLE ? (uint16_t)load : DEMAND_WHOLE;
}

static void set_count(struct active_workers *active, unsigned count)
{
    unsigned former = active_workers_count(active);
    atomic_store_explicit(&active->count, count, memory_order_relaxed);
    for (unsigned i = former; i < count; i++) mailbox_wake(active->of[i].mailbox);
    for (unsigned i = count; i < former; i++) mailbox_wake(active->of[i].mailbox);
}

static void end_window(struct active_workers *active, uint64_t now_ns)
{
    uint16_t loads[WORKERS_MAX];
    unsigned count = active_workers_count(active);
    const struct worker_bounds bounds = {atomic_load_explicit(&active->least, memory_order_relaxed), active->workers};
    const struct worker_window window = {loads, count, active->from_ns, now_ns};
    for (unsigned i = 0; i < active->workers; i++) {
        loads[i] = load_of(active, i, now_ns);
        atomic_store_explicit(&active->loads[i], loads[i], memory_order_relaxed);
    }
    unsigned wanted = worker_demand_judge(&active->demand, &window, &bounds);
    active->from_ns = now_ns;
    atomic_store_explicit(&active->look_ns, now_ns + DEMAND_WINDOW_NS, memory_order_relaxed);
    atomic_fetch_add_explicit(&active->windows, 1, memory_order_release);
    if (wanted != count) set_count(active, wanted);
}

void active_workers_look(struct active_workers *active, uint64_t now_ns)
{
    if (now_ns < atomic_load_explicit(&active->look_ns, memory_order_relaxed)) return;
    if (pthread_mutex_trylock(&active->lock) != 0) return;
    if (now_ns >= atomic_load_explicit(&active->look_ns, memory_order_relaxed)) end_window(active, now_ns);
    pthread_mutex_unlock(&active->lock);
}

uint64_t active_workers_deadline_ns(const struct active_workers *active, uint64_t now_ns)
{
    unsigned least = atomic_load_explicit(&active->least, memory_order_relaxed);
    return active_workers_count(active) > least ? now_ns + LOOK_NS : CLOCK_NEVER;
}

unsigned active_workers_part(const struct active_workers *active, unsigned index, unsigned *ret_to)
{
    uint16_t loads[WORKERS_MAX];
    unsigned count = active_workers_count(active);
    const struct worker_window window = {.loads = loads, .active = count};
    for (unsigned i = 0; i < count; i++) loads[i] = atomic_load_explicit(&active->loads[i], memory_order_relaxed);
    return worker_demand_part(&window, index, ret_to);
}
