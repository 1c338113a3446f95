#include "upstream/ids.h"

#include <stdlib.h>

struct id_slot {
    struct attempt *attempt; /* NULL = free */
    uint16_t id;             /* last given out */
};

bool ids_init(struct ids *ids, uint32_t max)
{
    *ids = (struct ids){.capacity = 1};
    while (ids->capacity < max) ids->capacity *= 2;
    ids->slots = calloc(ids->capacity, sizeof *ids->slots);
    if (!ids->slots) return false;
    for (uint32_t i = 0; i < ids->capacity; i++) ids->slots[i].id = (uint16_t)i;
    return true;
}

void ids_done(struct ids *ids)
{
    free(ids->slots);
    *ids = (struct ids){0};
}

bool ids_take(struct ids *ids, struct attempt *attempt, uint16_t *ret_id)
{
    if (ids->used == ids->capacity) return false;
    while (ids->slots[ids->next].attempt) ids->next = (ids->next + 1) & (ids->capacity - 1);
    struct id_slot *slot = &ids->slots[ids->next];
    ids->next = (ids->next + 1) & (ids->capacity - 1);
    slot->id = (uint16_t)(slot->id + ids->capacity);
    slot->attempt = attempt;
    ids->used++;
    *ret_id = slot->id;
    return true;
}

struct attempt *ids_find(const struct ids *ids, uint16_t id)
{
    const struct id_slot *slot = &ids->slots[id & (ids->capacity - 1)];
    return slot->id == id ? slot->attempt : NULL;
}

void ids_give(struct ids *ids, uint16_t id)
{
    ids->slots[id & (ids->capacity - 1)].attempt = NULL;
    ids->used--;
}
