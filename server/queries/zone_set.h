/* zone_set: a set of names, to find out whether one is in it in a time that does not depend on their number. One
 * thread. */
#ifndef QUERIES_ZONE_SET_H
#define QUERIES_ZONE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queries/name_tree.h"

/* All zero: empty. */
struct zone_set {
    struct name_tree tree;
    bool *members; /* by node: the others are ancestors of members */
    uint32_t capacity;
};

/* The name is on the wire, in lower case. */
bool zone_set_has(const struct zone_set *set, const uint8_t *name, size_t size);

/* False where memory is short. */
bool zone_set_add(struct zone_set *set, const uint8_t *name, size_t size);

/* Frees all, and makes it empty. */
void zone_set_clear(struct zone_set *set);

#endif
