#include "clients/worker_demand.h"

#include <stdbool.h>

#include "common/check.h"

static unsigned sum_of(const struct worker_window *window)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < window->active; i++) sum += window->loads[i];
    return sum;
}

static unsigned within(unsigned active, const struct worker_bounds *bounds)
{
    if (active < bounds->least) return bounds->least;
    return active < bounds->most ? active : bounds->most;
}

/* Whether those that would be left have had little to do for long enough. */
static bool is_low(struct worker_demand *demand, const struct worker_window *window, unsigned sum)
{
    if (window->active == 1 || sum >= (window->active - 1) * DEMAND_REMOVE) {
        demand->low_since_ns = 0;
        return false;
    }
    if (demand->low_since_ns == 0) demand->low_since_ns = window->from_ns;
    return window->now_ns - demand->low_since_ns >= DEMAND_LOW_NS;
}

unsigned worker_demand_judge(struct worker_demand *demand, const struct worker_window *window,
                             const struct worker_bounds *bounds)
{
    unsigned sum = sum_of(window);
    unsigned active = window->active;
    CHECK(bounds->least >= 1 && bounds->least <= bounds->most && active >= 1);
    demand->busy_windows = sum >= active * DEMAND_ADD ? demand->busy_windows + 1 : 0;
    if (is_low(demand, window, sum)) {
        active--;
        demand->low_since_ns = 0;
    } else if (demand->busy_windows >= DEMAND_ADD_WINDOWS) {
        active++;
        demand->busy_windows = 0;
    }
    return within(active, bounds);
}

static unsigned least_loaded(const struct worker_window *window)
{
    unsigned least = 0;
    for (unsigned i = 1; i < window->active; i++)
        if (window->loads[i] < window->loads[least]) least = i;
    return least;
}

/* By how much the load is above the mean. */
static unsigned excess(const struct worker_window *window, unsigned index, unsigned mean)
{
    return window->loads[index] > mean ? window->loads[index] - mean : 0;
}

unsigned worker_demand_part(const struct worker_window *window, unsigned index, unsigned *ret_to)
{
    unsigned least = least_loaded(window);
    if (index >= window->active) {
        *ret_to = least;
        return DEMAND_WHOLE;
    }
    unsigned load = window->loads[index];
    unsigned least_load = window->loads[least];
    if (load < DEMAND_ADD || load < least_load + DEMAND_APART) return 0;
    unsigned mean = sum_of(window) / window->active;
    unsigned lacking = mean - least_load;
    unsigned offered = 0; /* by all, and more than one may lack */
    for (unsigned i = 0; i < window->active; i++) offered += excess(window, i, mean);
    unsigned given = excess(window, index, mean);
    if (offered > lacking) given = given * lacking / offered;
    if (given == 0) return 0;
    *ret_to = least;
    return given * DEMAND_WHOLE / load;
}
