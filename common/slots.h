/* slots: objects of one size from a bounded pool, and handles that outlive them.
 *
 * A handle is an index and a generation. Giving a slot back raises its generation, so handles to the former object no
 * longer resolve: a late reply finds no client instead of the wrong one (invariant 2). Memory grows in chunks up to
 * `max` objects and never moves. One thread. */
#ifndef COMMON_SLOTS_H
#define COMMON_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first member of every object kept in slots. */
struct slot {
    uint32_t index;
    uint32_t generation; /* odd while taken */
    struct slot *next_free;
};

struct slot_handle {
    uint32_t index;
    uint32_t generation;
};

struct slots {
    size_t object_bytes;
    uint32_t max;    /* objects taken at the most */
    uint32_t made;   /* objects that have memory */
    uint32_t taken;  /* objects in use */
    uint32_t length; /* of `chunks` */
    struct slot *free;
    uint8_t **chunks;
};

/* False if memory is short. `object_bytes` includes the struct slot at its head. */
bool slots_init(struct slots *slots, size_t object_bytes, uint32_t max);

/* Changes the bound. Objects that are taken stay, also if there are more than the new bound; memory that was made is
 * kept. False: memory is short, and nothing was changed. */
bool slots_set_max(struct slots *slots, uint32_t max);

/* Frees the memory of all objects, taken or not. */
void slots_done(struct slots *slots);

/* Returns an object whose bytes behind the struct slot are zero, or NULL at the bound or without memory. */
void *slots_take(struct slots *slots);
void slots_give(struct slots *slots, void *object);

/* The object of a handle, or NULL if it was given back in the meantime. */
void *slots_find(const struct slots *slots, struct slot_handle handle);

static inline struct slot_handle slot_handle(const void *object)
{
    const struct slot *slot = object;
    return (struct slot_handle){slot->index, slot->generation};
}

#endif
