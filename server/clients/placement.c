#include "clients/placement.h"

#include "common/clock.h"

#define LOOK_NS (100 * NS_PER_MS)

static unsigned least_loaded(const unsigned *loads, unsigned count)
{
    unsigned least = 0;
    for (unsigned i = 1; i < count; i++)
        if (loads[i] < loads[least]) least = i;
    return least;
}

static void look_at_lives(struct placement *placement, uint32_t open, uint64_t now_ns)
{
    uint64_t looks = (now_ns - placement->looked_ns) / LOOK_NS; /* more than one if nothing came for a while */
    if (looks == 0) return;
    uint64_t ended = placement->placed > open ? placement->placed - open : 0;
    uint64_t ended_since = ended > placement->ended ? ended - placement->ended : 0;
    placement->is_coming_and_going = ended_since > 0 && ended_since >= open * looks;
    placement->ended = ended;
    placement->looked_ns = now_ns;
}

unsigned placement_choose(struct placement *placement, const unsigned *loads, unsigned count, uint32_t open,
                          uint64_t now_ns)
{
    unsigned least = least_loaded(loads, count);
    look_at_lives(placement, open, now_ns);
    bool is_active = placement->favoured < count;
    if (!is_active || !placement->is_coming_and_going || loads[placement->favoured] >= loads[least] + PLACEMENT_RUN)
        placement->favoured = least;
    placement->placed++;
    return placement->favoured;
}
