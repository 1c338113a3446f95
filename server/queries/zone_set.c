#include "queries/zone_set.h"

#include <stdlib.h>
#include <string.h>

bool zone_set_has(const struct zone_set *set, const uint8_t *name, size_t size)
{
    uint8_t labels[NAME_LABELS_MAX];
    uint32_t node = 0;
    if (!set->members) return false;
    for (size_t left = name_labels(name, size, labels); left > 0; left--) {
        node = name_tree_child(&set->tree, node, name + labels[left - 1]);
        if (node == NAME_TREE_NONE) return false;
    }
    return set->members[node];
}

bool zone_set_add(struct zone_set *set, const uint8_t *name, size_t size)
{
    if (!set->tree.nodes && !name_tree_init(&set->tree)) return false;
    uint32_t node = name_tree_add(&set->tree, name, size);
    if (node == NAME_TREE_NONE) return false;
    if (set->capacity < set->tree.count) {
        bool *members = reallocarray(set->members, set->tree.capacity, sizeof *members);
        if (!members) return false;
        memset(members + set->capacity, 0, (set->tree.capacity - set->capacity) * sizeof *members);
        set->members = members;
        set->capacity = set->tree.capacity;
    }
    set->members[node] = true;
    return true;
}

void zone_set_clear(struct zone_set *set)
{
    name_tree_done(&set->tree);
    free(set->members);
    *set = (struct zone_set){.members = NULL};
}
