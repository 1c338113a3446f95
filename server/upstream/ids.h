/* ids: the message ids in use on one session, and whose each is.
 *
 * An id is the index of a slot in the table and, above it, how often that slot was used: so the response to a question
 * that was given up in the meantime does not find the slot's next owner. Slots are used in turn, which makes the time
 * until an id comes back as long as can be. One thread. */
#ifndef UPSTREAM_IDS_H
#define UPSTREAM_IDS_H

#include <stdbool.h>
#include <stdint.h>

struct attempt;

struct ids {
    struct id_slot *slots;
    uint32_t capacity; /* a power of two */
    uint32_t used;
    uint32_t next; /* where the search for a free slot begins */
};

/* For at most `max` (1..32768) questions at once. False if memory is short. */
bool ids_init(struct ids *ids, uint32_t max);
void ids_done(struct ids *ids);

/* Gives the attempt an id; false if all slots are in use. */
bool ids_take(struct ids *ids, struct attempt *attempt, uint16_t *ret_id);

/* Whose id it is, or NULL. */
struct attempt *ids_find(const struct ids *ids, uint16_t id);
void ids_give(struct ids *ids, uint16_t id);

#endif
