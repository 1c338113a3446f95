#include "common/slots.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

/* Objects allocated together: few, so that an idle program stays small. */
enum { CHUNK = 64 };

bool slots_init(struct slots *slots, size_t object_bytes, uint32_t max)
{
    size_t aligned = (object_bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    *slots = (struct slots){.object_bytes = aligned};
    return slots_set_max(slots, max);
}

bool slots_set_max(struct slots *slots, uint32_t max)
{
    uint32_t length = max / CHUNK + 1;
    if (length > slots->length) {
        uint8_t **chunks = reallocarray(slots->chunks, length, sizeof *chunks);
        if (!chunks) return false;
        slots->chunks = chunks;
        slots->length = length;
    }
    slots->max = max;
    return true;
}

void slots_done(struct slots *slots)
{
    if (!slots->chunks) return;
    for (uint32_t i = 0; i * CHUNK < slots->made; i++) free(slots->chunks[i]);
    free(slots->chunks);
    *slots = (struct slots){0};
}

static struct slot *object_at(const struct slots *slots, uint32_t index)
{
    return (struct slot *)(void *)(slots->chunks[index / CHUNK] + slots->object_bytes * (index % CHUNK));
}

static struct slot *make(struct slots *slots)
{
    uint32_t index = slots->made;
    CHECK(index / CHUNK < slots->length);
    if (index % CHUNK == 0) {
        slots->chunks[index / CHUNK] = calloc(CHUNK, slots->object_bytes);
        if (!slots->chunks[index / CHUNK]) return NULL;
    }
    slots->made++;
    struct slot *slot = object_at(slots, index);
    slot->index = index;
    return slot;
}

void *slots_take(struct slots *slots)
{
    struct slot *slot = slots->free;
    if (slots->taken >= slots->max) return NULL;
    if (slot)
        slots->free = slot->next_free;
    else
        slot = make(slots);
    if (!slot) return NULL;
    __builtin_prefetch(slots->free, 1); /* the next to be taken: who gave it back may have done so long ago */
    CHECK(slot->generation % 2 == 0);
    slot->generation++;
    slots->taken++;
    return slot;
}

void slots_give(struct slots *slots, void *object)
{
    struct slot *slot = object;
    CHECK(slot->generation % 2 == 1 && slots->taken > 0);
    memset(slot + 1, 0, slots->object_bytes - sizeof *slot);
    slot->generation++;
    slot->next_free = slots->free;
    slots->free = slot;
    slots->taken--;
}

void *slots_find(const struct slots *slots, struct slot_handle handle)
{
    if (handle.index >= slots->made) return NULL;
    struct slot *slot = object_at(slots, handle.index);
    return slot->generation == handle.generation && handle.generation % 2 == 1 ? slot : NULL;
}
