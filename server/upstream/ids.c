#include "upstream/ids.h"

#include <stdlib.h>

struct id_place {
    struct ask *ask; /* NULL = free */
    uint16_t id;     /* last given out */
};

bool ids_init(struct ids *ids, uint32_t max)
{
    *ids = (struct ids){.capacity = 1};
    while (ids->capacity < max) ids->capacity *= 2;
    ids->places = calloc(ids->capacity, sizeof *ids->places);
    if (!ids->places) return false;
    for (uint32_t i = 0; i < ids->capacity; i++) ids->places[i].id = (uint16_t)i;
    return true;
}

void ids_done(struct ids *ids)
{
    free(ids->places);
    *ids = (struct ids){0};
}

bool ids_take(struct ids *ids, struct ask *ask, uint16_t *ret_id)
{
    if (ids->used == ids->capacity) return false;
    while (ids->places[ids->next].ask) ids->next = (ids->next + 1) & (ids->capacity - 1);
    struct id_place *place = &ids->places[ids->next];
    ids->next = (ids->next + 1) & (ids->capacity - 1);
    place->id = (uint16_t)(place->id + ids->capacity);
    place->ask = ask;
    ids->used++;
    *ret_id = place->id;
    return true;
}

struct ask *ids_find(const struct ids *ids, uint16_t id)
{
    const struct id_place *place = &ids->places[id & (ids->capacity - 1)];
    return place->id == id ? place->ask : NULL;
}

void ids_give(struct ids *ids, uint16_t id)
{
    ids->places[id & (ids->capacity - 1)].ask = NULL;
    ids->used--;
}
