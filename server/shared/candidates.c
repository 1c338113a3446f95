#include "shared/candidates.h"

#include <stdbool.h>

enum { COUNT_BITS = 24, PRINT_BITS = 40 };

#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

void candidates_init(struct candidates *candidates, uint64_t *cells, uint32_t sets)
{
    *candidates = (struct candidates){.cells = cells, .sets = sets};
}

static uint64_t *set_of(const struct candidates *candidates, uint64_t hash)
{
    return candidates->cells + (hash >> PRINT_BITS & (candidates->sets - 1)) * CANDIDATES_WAYS;
}

/* The part of the hash that `set_of` does not use, at its position in a cell. */
static uint64_t print_of(uint64_t hash)
{
    return hash << COUNT_BITS;
}

static bool is_of(uint64_t cell, uint64_t print)
{
    return cell & COUNT_MASK && (cell & ~COUNT_MASK) == print;
}

/* The cell of the name, or the cell with the lowest count. */
static uint64_t *find(struct candidates *candidates, uint64_t hash)
{
    uint64_t *set = set_of(candidates, hash);
    uint32_t turn = candidates->turn++;
    uint64_t *lowest = &set[turn % CANDIDATES_WAYS];
    for (uint32_t i = 0; i < CANDIDATES_WAYS; i++) {
        uint64_t *cell = &set[(turn + i) % CANDIDATES_WAYS];
        if (is_of(*cell, print_of(hash))) return cell;
        if ((*cell & COUNT_MASK) < (*lowest & COUNT_MASK)) lowest = cell;
    }
    return lowest;
}

uint32_t candidates_count(struct candidates *candidates, uint64_t hash)
{
    uint64_t *cell = find(candidates, hash);
    uint64_t count = *cell & COUNT_MASK;
    if (is_of(*cell, print_of(hash))) {
        if (count < COUNT_MASK) ++*cell;
        return (uint32_t)(*cell & COUNT_MASK);
    }
    *cell = count > 1 ? *cell - 1 : print_of(hash) | 1;
    return 1;
}

void candidates_prefetch(const struct candidates *candidates, uint64_t hash)
{
    __builtin_prefetch(set_of(candidates, hash), 1);
}

void candidates_forget(struct candidates *candidates, uint64_t hash)
{
    uint64_t *cell = find(candidates, hash);
    if (is_of(*cell, print_of(hash))) *cell = 0;
}

void candidates_halve(struct candidates *candidates, unsigned times)
{
    unsigned shift = times < COUNT_BITS ? times : COUNT_BITS;
    for (size_t i = 0; i < (size_t)candidates->sets * CANDIDATES_WAYS; i++) {
        uint64_t count = (candidates->cells[i] & COUNT_MASK) >> shift;
        if (candidates->cells[i]) candidates->cells[i] = count ? (candidates->cells[i] & ~COUNT_MASK) | count : 0;
    }
}
